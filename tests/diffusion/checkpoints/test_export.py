"""Back to the released names: what was converted comes out as it went in."""

from __future__ import annotations

import json

import pytest
import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file
from torch.testing import assert_close
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.diffusion.checkpoints import names
from magicpose_cli.diffusion.checkpoints.convert import ConvertOptions, convert
from magicpose_cli.diffusion.checkpoints.export import export
from magicpose_cli.errors import ModelError, OptionError, OutputExistsError

from ...tiny import make_tiny
from ..conftest import SHARED


@pytest.mark.parametrize("name", ["model_state.th", "model_state.safetensors"])
def test_there_and_back(golden, converted, tmp_path, name):
    done = CliRunner().invoke(app, ["models", "export", str(converted), "-o", str(tmp_path / name)])
    assert done.exit_code == 0, done.output
    path = tmp_path / name
    back = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    assert {k: tuple(t.shape) for k, t in back.items()} == {k: tuple(s) for k, s in golden["keys"].items()}
    for key, released in golden["weights"].items():
        if key in names.SCHEDULE_BUFFERS:
            assert_close(back[key], released, atol=1e-6, rtol=2e-6, msg=key)
        elif ".input_hint_block." in key and key.startswith("appearance"):
            assert not back[key].any()
        else:
            assert torch.equal(back[key], released), key
            assert back[key].dtype == released.dtype


def test_each_tensor_takes_its_own_room_alone(golden, converted, tmp_path):
    """torch saves all of the memory that a tensor shares: once for each, if one does not look out."""
    export(converted, tmp_path / "back.th")
    released = sum(t.numel() * t.element_size() for t in golden["weights"].values())
    assert (tmp_path / "back.th").stat().st_size < 1.02 * released


def test_what_is_exported_converts_again(converted, tmp_path):
    export(converted, tmp_path / "back.th")
    convert(tmp_path / "back.th", tmp_path / "again", ConvertOptions())
    for path in sorted(converted.rglob("*.safetensors")):
        ours, theirs = load_file(path), load_file(tmp_path / "again" / path.relative_to(converted))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours | theirs)


def test_the_text_encoder_may_come_from_elsewhere(golden, converted, tmp_path, capsys):
    import shutil

    bare = tmp_path / "bare"
    shutil.copytree(converted, bare)
    shutil.move(bare / "text_encoder", tmp_path / "clip")
    without = export(bare, tmp_path / "without.th")
    assert "--text-encoder" in capsys.readouterr().err
    assert without["text_encoder"] is None
    assert without["tensors"] == len(golden["keys"]) - 37
    with_it = export(bare, tmp_path / "with.th", text_encoder=tmp_path / "clip")
    assert with_it["tensors"] == len(golden["keys"])
    for foreign in (tmp_path, converted / "unet"):
        with pytest.raises(ModelError, match="text encoder in"):
            export(bare, tmp_path / "other.th", text_encoder=foreign)
    with pytest.raises(OptionError, match="found a folder"):
        (tmp_path / "folder.th").mkdir()
        export(bare, tmp_path / "folder.th", force=True)


def test_what_the_released_layout_cannot_hold_is_refused(tmp_path):
    make_tiny().save_pretrained(tmp_path / "tiny")
    with pytest.raises(ModelError, match="position channels"):
        export(tmp_path / "tiny", tmp_path / "tiny.th")
    assert not (tmp_path / "tiny.th").exists()


def test_outputs_are_checked_first(converted, tmp_path):
    with pytest.raises(OptionError, match="ends in"):
        export(converted, tmp_path / "model.zip")
    (tmp_path / "there.th").write_text("mine")
    with pytest.raises(OutputExistsError):
        export(converted, tmp_path / "there.th")


def test_names_and_shapes_at_full_size_are_the_released_files():
    keys_file = SHARED / "fixtures" / "official_full_keys.json"
    if not keys_file.is_file():
        pytest.skip("the released file's names and shapes (../shared/fixtures) are not here")
    keys = {name: tuple(shape) for name, shape in json.loads(keys_file.read_text()).items()}
    with init_empty_weights():
        unet = UNet2DConditionModel(cross_attention_dim=768)
        pose = ControlNetModel(cross_attention_dim=768)
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        )
    ours = {}
    networks = [(unet, names.UNET), (unet, names.APPEARANCE), (pose, names.POSE), (vae, names.VAE)]
    for network, prefix in networks:
        is_vae = prefix == names.VAE
        original = names.original_vae_names(network) if is_vae else names.original_unet_names(network)
        for name, tensor in network.state_dict().items():
            shape = tuple(tensor.shape) + ((1, 1) if is_vae and names.was_convolution(name) else ())
            if not (prefix == names.APPEARANCE and original[name].startswith("out.")):
                ours[prefix + original[name]] = shape
    rest = {k: s for k, s in keys.items() if k not in ours}
    assert {k: keys[k] for k in ours} == ours
    assert set(rest) == {
        *names.SCHEDULE_BUFFERS,
        *(k for k in keys if k.startswith(names.TEXT)),
        *(k for k in keys if k.startswith(names.APPEARANCE + "input_hint_block.")),
    }
