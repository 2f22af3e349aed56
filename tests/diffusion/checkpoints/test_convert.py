"""What converts, what is refused, and in which words."""

from __future__ import annotations

import copy
import json
import pickle
import re
import sys
import types

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from magicpose_cli import MagicPosePipeline
from magicpose_cli.cli import app
from magicpose_cli.diffusion.checkpoints.contents import account_for, find_parts, kind_of
from magicpose_cli.diffusion.checkpoints.convert import ConvertOptions, convert
from magicpose_cli.diffusion.checkpoints.names import SCHEDULE_BUFFERS
from magicpose_cli.diffusion.checkpoints.reading import Checkpoint
from magicpose_cli.diffusion.facts import read_facts
from magicpose_cli.diffusion.folder import load_model
from magicpose_cli.errors import ModelError, OptionError, OutputExistsError

CPU = torch.device("cpu")


def _file(folder, tensors, name="model.safetensors"):
    path = folder / name
    if name.endswith(".safetensors"):
        save_file({k: v.clone() for k, v in tensors.items()}, path)
    else:
        torch.save(tensors, path)
    return path


def _same(one, other):
    for ours, theirs in zip(one.state_dict().items(), other.state_dict().items(), strict=True):
        assert ours[0] == theirs[0]
        assert torch.equal(ours[1], theirs[1]), ours[0]


def _as_stage_1(weights):
    """The first stage's layout: its appearance net by another name, and no pose ControlNet."""
    kept = {k: v for k, v in weights.items() if not k.startswith("pose_control_model.")}
    return {k.replace("appearance_control_model.", "control_model."): v for k, v in kept.items()}


@pytest.mark.parametrize("suffix", [".th", ".ckpt", ".safetensors"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_each_kind_of_file_gives_the_same_weights(golden, reference_model, tmp_path, suffix, wrapped):
    if suffix == ".safetensors" and wrapped:
        pytest.skip("safetensors knows no wrapper")
    weights = dict(golden["weights"])
    path = _file(
        tmp_path, {"state_dict": weights, "global_step": 7} if wrapped else weights, "model" + suffix
    )
    report = convert(path, tmp_path / "model", ConvertOptions())
    model = MagicPosePipeline.from_pretrained(tmp_path / "model")
    for part in ("unet", "appearance_unet", "pose_controlnet", "vae"):
        _same(getattr(model, part), getattr(reference_model, part))
    assert report["kind"] == "magicpose"
    assert report["dead"] == {
        "the noise schedule, which follows from its settings": 13,
        "the appearance net's hint block": 16,
        "position_ids, which count from 0": 1,
    }


def test_a_file_of_before_torch_1_6_converts_too(golden, tmp_path):
    path = tmp_path / "old.th"
    torch.save(dict(golden["weights"]), path, _use_new_zipfile_serialization=False)
    convert(path, tmp_path / "model", ConvertOptions())
    assert read_facts(tmp_path / "model").has_pose


def test_the_first_stages_file(golden, tmp_path):
    path = _file(tmp_path, _as_stage_1(golden["weights"]))
    assert convert(path, tmp_path / "model", ConvertOptions())["kind"] == "magicpose stage 1"
    model = load_model(tmp_path / "model", CPU, torch.float32)
    assert model.pose_controlnet is None
    given, expected = golden["inputs"], golden["outputs"]
    found = model.predict_noise(given["x_t"], 481, given["ref_latent"], None, given["context"], 1.0)
    torch.testing.assert_close(found, expected["eps_appearance_only"], atol=2e-5, rtol=0)
    with pytest.raises(ValueError, match="no pose ControlNet"):
        model.predict_noise(given["x_t"], 481, given["ref_latent"], given["pose"], given["context"])


def test_every_tensor_must_have_its_place(golden, tmp_path):
    weights = dict(golden["weights"])
    gone = "model.diffusion_model.middle_block.1.norm.weight"
    odd = "pose_control_model.zero_convs.3.0.weight"
    del weights[gone]
    weights["pose_control_model.lora.up"] = torch.zeros(2)
    weights["something.else"] = torch.zeros(2)
    with pytest.raises(ModelError) as caught:
        convert(_file(tmp_path, weights), tmp_path / "model", ConvertOptions())
    for line in (f"missing {gone}", "left over pose_control_model.lora.up", "left over something.else"):
        assert line in str(caught.value)
    assert not (tmp_path / "model").exists()
    weights = {**golden["weights"], odd: torch.zeros(5, 5, 1, 1)}
    with pytest.raises(ModelError, match=r"shape \(5, 5, 1, 1\) instead of \(32, 32, 1, 1\)") as caught:
        convert(_file(tmp_path, weights), tmp_path / "model", ConvertOptions())
    assert odd in str(caught.value)


@pytest.mark.parametrize(
    ("prefix", "words"),
    [("pose_control_model.", "no pose_controlnet"), ("first_stage_model.", "no vae")],
)
def test_a_network_that_is_not_there_is_named(golden, tmp_path, prefix, words):
    weights = {k: v for k, v in golden["weights"].items() if not k.startswith(prefix)}
    with pytest.raises(ModelError, match=words):
        convert(_file(tmp_path, weights), tmp_path / "model", ConvertOptions())


@pytest.mark.parametrize("option", [{"heads": 7}, {"norm_groups": 24}])
def test_heads_and_groups_that_cannot_be_are_refused(golden, tmp_path, option):
    with pytest.raises(ModelError, match="divides"):
        convert(golden["path"], tmp_path / "model", ConvertOptions(**option))


def test_heads_change_what_is_computed_and_not_the_weights(golden, reference_model, tmp_path):
    convert(golden["path"], tmp_path / "model", ConvertOptions(heads=4))
    model = MagicPosePipeline.from_pretrained(tmp_path / "model")
    _same(model.unet, reference_model.unet)
    given = golden["inputs"]
    ours, theirs = (
        m.predict_noise(given["x_t"], 481, given["ref_latent"], None, given["context"], 1.0)
        for m in (model, reference_model)
    )
    assert (ours - theirs).abs().max() > 1e-3


def test_number_formats(golden, tmp_path):
    done = CliRunner().invoke(
        app,
        ["models", "convert", str(golden["path"]), "-o", str(tmp_path / "m"), "--dtype", "bf16", "--json"],
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["parts"]["vae"]["tensors"] == 180
    unet = load_file(tmp_path / "m" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {t.dtype for t in unet.values()} == {torch.bfloat16}


def test_an_odd_text_encoder_is_said_and_its_embedding_can_be_given(golden, tmp_path):
    command = ["models", "convert", str(golden["path"]), "-o", str(tmp_path / "without")]
    done = CliRunner().invoke(app, command)
    assert "no usable text encoder" in done.stderr
    assert not read_facts(tmp_path / "without").has_condition
    context = golden["inputs"]["context"]
    save_file({"prompt_embeds": context}, tmp_path / "given.safetensors")
    np.save(tmp_path / "given.npy", context.numpy())
    np.savez(tmp_path / "given.npz", prompt_embeds=context.numpy(), other=np.zeros(3))
    torch.save(context, tmp_path / "given.pt")
    for number, name in enumerate(("given.safetensors", "given.npy", "given.npz", "given.pt")):
        folder = tmp_path / f"with{number}"
        options = ConvertOptions(prompt_embeds=tmp_path / name)
        assert convert(golden["path"], folder, options)["prompt_embeds"] == str(tmp_path / name)
        assert torch.equal(MagicPosePipeline.from_pretrained(folder).prompt_embeds, context)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((1, 77, 5)), "of width 64"),
        (np.zeros(7), "one array"),
        (np.full((1, 77, 64), np.nan), "NaN"),
    ],
)
def test_an_embedding_that_does_not_fit_is_refused(golden, tmp_path, array, words):
    np.save(tmp_path / "odd.npy", array.astype(np.float32))
    with pytest.raises(ModelError, match=words):
        convert(golden["path"], tmp_path / "model", ConvertOptions(prompt_embeds=tmp_path / "odd.npy"))


@pytest.mark.parametrize("name", ["none.npy", "junk.npz", "empty.npy", "junk.safetensors", "junk.pt"])
def test_an_embedding_that_cannot_be_read_is_one_message(golden, tmp_path, name):
    if name.startswith("junk"):
        (tmp_path / name).write_text("<html>not found</html>")
    elif name.startswith("empty"):
        (tmp_path / name).touch()
    command = ["models", "convert", golden["path"], "-o", tmp_path / "m", "--prompt-embeds", tmp_path / name]
    done = CliRunner().invoke(app, [str(part) for part in command])
    assert done.exit_code == 2, done.output
    assert name in done.stderr


SETTINGS = [
    # tensors that tell how a network is built: without them there is none to compare the file with
    "model.diffusion_model.input_blocks.0.0.weight",
    "model.diffusion_model.input_blocks.5.0.out_layers.3.weight",
    "model.diffusion_model.middle_block.0.out_layers.3.weight",
    "appearance_control_model.input_blocks.0.0.weight",
    "pose_control_model.input_hint_block.8.weight",
    "first_stage_model.encoder.conv_in.weight",
    "first_stage_model.encoder.down.2.block.0.conv1.weight",
    "first_stage_model.encoder.mid.attn_1.q.weight",
    "first_stage_model.decoder.conv_in.weight",
    "first_stage_model.decoder.conv_out.weight",
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
    "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight",
]


def _refused(whole, name, shape=None):
    file = copy.copy(whole)
    file.shapes = {n: s for n, s in whole.shapes.items() if n != name}
    file.shapes |= {name: shape} if shape else {}
    with pytest.raises(ModelError) as caught:
        account_for(file, find_parts(file, kind_of(file), 8, 32))
    return str(caught.value)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_missing_tensor_that_settings_are_read_from_is_named(golden, name):
    whole = Checkpoint(golden["path"])
    assert name in _refused(whole, name)
    _refused(whole, name, (3, 5, 7))


@pytest.mark.slow
def test_whatever_tensor_is_missing_or_odd_is_refused_and_named(golden):
    """One tensor of each kind."""
    whole = Checkpoint(golden["path"])
    kinds = {re.sub(r"\d+", "N", name): name for name in whole.shapes}
    assert len(kinds) > 100
    for name in kinds.values():
        dead = name in SCHEDULE_BUFFERS or "position_ids" in name
        if dead or name.startswith("appearance_control_model.input_hint_block"):
            continue
        said = _refused(whole, name)
        if ".op." not in name:  # halvings are counted: the count is told
            assert name in said
        _refused(whole, name, (3, 5, 7))


def test_numbers_of_another_kind_are_named(golden, tmp_path):
    odd = "model.diffusion_model.out.0.weight"
    weights = {**golden["weights"], odd: torch.ones(32, dtype=torch.int64)}
    with pytest.raises(ModelError, match=rf"torch.int64 in {odd}"):
        convert(_file(tmp_path, weights), tmp_path / "model", ConvertOptions())


def test_a_half_precision_file_stays_one(golden, tmp_path):
    weights = {k: t.half() if t.is_floating_point() else t for k, t in golden["weights"].items()}
    convert(_file(tmp_path, weights), tmp_path / "model", ConvertOptions())
    for path in (tmp_path / "model").rglob("*.safetensors"):
        assert {t.dtype for t in load_file(path).values()} == {torch.float16}, path


def test_clips_own_text_encoder_embeds_the_empty_prompt(golden, tmp_path):
    """With CLIP's vocabulary at reduced width, against transformers' encoder built by hand."""
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=1,
            hidden_act="quick_gelu",
        )
    ).eval()
    weights = {k: v for k, v in golden["weights"].items() if not k.startswith("cond_stage_model.")}
    prefix = "cond_stage_model.transformer.text_model."
    weights |= {prefix + name.removeprefix("text_model."): t for name, t in encoder.state_dict().items()}
    report = convert(_file(tmp_path, weights), tmp_path / "model", ConvertOptions())
    assert "text encoder" in report["prompt_embeds"]
    with torch.no_grad():
        tokens = torch.tensor([[49406] + [49407] * 76])
        expected = encoder(input_ids=tokens).last_hidden_state
    stored = MagicPosePipeline.from_pretrained(tmp_path / "model").prompt_embeds
    torch.testing.assert_close(stored, expected)


def test_a_folder_that_is_there_is_kept_without_force(golden, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "unet").mkdir()
    with pytest.raises(OutputExistsError):
        convert(golden["path"], tmp_path / "model", ConvertOptions())
    convert(golden["path"], tmp_path / "model", ConvertOptions(force=True))
    (tmp_path / "model" / "thesis.txt").write_text("mine")
    with pytest.raises(OptionError, match=r"thesis\.txt"):
        convert(golden["path"], tmp_path / "model", ConvertOptions(force=True))
    assert (tmp_path / "model" / "thesis.txt").read_text() == "mine"


def test_files_that_are_no_checkpoints(tmp_path):
    def refused(path, words):
        done = CliRunner().invoke(app, ["models", "convert", str(path), "-o", str(tmp_path / "model")])
        assert done.exit_code == 2
        assert words in done.stderr.replace("\n", " ")

    refused(tmp_path / "nowhere.th", "nothing there")
    (tmp_path / "a.txt").write_text("hello")
    refused(tmp_path / "a.txt", "another kind of file")
    for name in ("short.th", "short.safetensors"):
        (tmp_path / name).write_bytes(b"\x80\x02}q")
        refused(tmp_path / name, "checkpoint in")
    refused(_file(tmp_path, {"a": torch.zeros(1)}), "found a.")
    refused(tmp_path, "no single network")


def test_a_files_code_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").write_text, ("it ran",))

    (tmp_path / "bomb.th").write_bytes(pickle.dumps({"state_dict": Bomb()}))
    torch.save({"state_dict": {"a": torch.zeros(1)}, "x": Bomb()}, tmp_path / "bomb.ckpt")
    for name in ("bomb.th", "bomb.ckpt"):
        with pytest.raises(ModelError):
            convert(tmp_path / name, tmp_path / "model", ConvertOptions())
    assert not (tmp_path / "ran").exists()


def test_the_training_state_that_stable_diffusions_own_files_carry_is_passed_over(
    golden, tmp_path, monkeypatch
):
    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    module.ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": module.__name__})
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)
    path = tmp_path / "sd.ckpt"
    torch.save(
        {"state_dict": _stable_diffusion(golden), "callbacks": {module.ModelCheckpoint: {"a": 1}}}, path
    )
    monkeypatch.undo()
    report = convert(path, tmp_path / "sd", ConvertOptions())
    assert report["kind"] == "stable diffusion"


def _stable_diffusion(golden):
    prefixes = ("appearance_control_model.", "pose_control_model.")
    return {k: v for k, v in golden["weights"].items() if not k.startswith(prefixes)}


def test_stable_diffusion_gives_its_parts(golden, reference_model, tmp_path):
    weights = _stable_diffusion(golden)
    weights |= {f"model_ema.{k.replace('.', '')}": v for k, v in weights.items() if k.startswith("model.")}
    weights["first_stage_model.loss.logvar"] = torch.zeros(1)
    report = convert(_file(tmp_path, weights), tmp_path / "sd", ConvertOptions())
    assert report["dead"]["averaged weights beside the weights themselves"] == 686 - 2
    assert report["dead"]["the VAE's discriminator or averaged weights"] == 1
    _same(UNet2DConditionModel.from_pretrained(tmp_path / "sd" / "unet"), reference_model.unet)
    assert (tmp_path / "sd" / "text_encoder" / "config.json").is_file()


@pytest.mark.parametrize("prefix", ["control_model.", ""])
def test_a_controlnet_by_itself(golden, reference_model, tmp_path, prefix):
    begins = "pose_control_model."
    weights = {
        prefix + k.removeprefix(begins): v for k, v in golden["weights"].items() if k.startswith(begins)
    }
    assert convert(_file(tmp_path, weights), tmp_path / "pose", ConvertOptions())["kind"] == "controlnet"
    _same(ControlNetModel.from_pretrained(tmp_path / "pose"), reference_model.pose_controlnet)
