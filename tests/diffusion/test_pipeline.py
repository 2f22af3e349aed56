"""Pictures in, frames out, and the folder between."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from magicpose_cli import MagicPosePipeline, PoseSequence
from magicpose_cli.diffusion import pipeline as pipeline_module
from magicpose_cli.diffusion import pose_embeddings, sampler
from magicpose_cli.diffusion.facts import check_folder
from magicpose_cli.diffusion.folder import load_model
from magicpose_cli.errors import ModelError, RecipeError
from magicpose_cli.pose import compressed
from magicpose_cli.pose.draw import pose_map
from magicpose_cli.pose.sequence import FramePose

from ..tiny import make_tiny

CPU = torch.device("cpu")


def _inputs(frames=6):
    draw = np.random.default_rng(0)
    return (
        draw.integers(0, 256, (32, 32, 3), np.uint8),
        draw.integers(0, 256, (frames, 32, 32, 3), np.uint8),
    )


def _rename_class(folder, library):
    index = json.loads((folder / "model_index.json").read_text())
    index["unet"] = [library, "UNet2DConditionModel"]
    (folder / "model_index.json").write_text(json.dumps(index))


def test_one_frame_a_pose_and_the_same_again(tiny_motion):
    reference, maps = _inputs(20)
    first = np.stack(list(tiny_motion(reference, maps, seed=3)))
    again = np.stack(list(tiny_motion(reference, maps, seed=3)))
    assert first.shape == (20, 32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, np.stack(list(tiny_motion(reference, maps, seed=4))))


def test_reference_and_pose_both_matter(tiny):
    reference, maps = _inputs(1)
    frame = next(tiny(reference, maps))
    assert not np.array_equal(frame, next(tiny(255 - reference, maps)))
    assert not np.array_equal(frame, next(tiny(reference, 255 - maps)))


def test_a_pose_sequence_is_drawn_as_it_is_needed(tiny):
    reference, _ = _inputs()
    pose = FramePose.empty()
    pose.body[:3] = (20, 10, 1), (20, 25, 1), (10, 25, 1)
    poses = PoseSequence.from_frames([pose, FramePose.empty()], 40, 50, 25, "x", "0" * 64)
    drawn, empty = tiny(reference, poses)
    assert drawn.shape == empty.shape == (32, 32, 3)
    assert not np.array_equal(drawn, empty)


def test_a_pose_is_drawn_once_for_all_steps(tiny, monkeypatch):
    reference, _ = _inputs()
    drawn = []
    monkeypatch.setattr(compressed, "pose_map", lambda *given: drawn.append(1) or pose_map(*given))
    monkeypatch.setattr(pose_embeddings, "KEPT_BYTES", 0)
    poses = PoseSequence.from_frames([FramePose.empty()] * 3, 40, 50, 25, "x", "0" * 64)
    assert len(list(tiny(reference, poses, num_inference_steps=2))) == len(drawn) == 3


@pytest.mark.parametrize(("motion", "kept"), [(False, 4), (True, 10)])
def test_maps_of_frames_that_are_done_are_not_kept(motion, kept, monkeypatch):
    reference, _ = _inputs()
    monkeypatch.setattr(pipeline_module, "STRETCH", 4)
    made = []
    of = compressed.CompressedMaps.of
    monkeypatch.setattr(
        pipeline_module.CompressedMaps, "of", lambda *given: made.append(of(*given)) or made[-1]
    )
    poses = PoseSequence.from_frames([FramePose.empty()] * 10, 40, 50, 25, "x", "0" * 64)
    assert len(list(make_tiny(motion=motion)(reference, poses, num_inference_steps=2))) == 10
    assert sum(bool(packed) for packed in made[0]._kept) == kept


def test_a_saved_folder_makes_the_same_frames(tiny_motion, tmp_path):
    reference, maps = _inputs()
    tiny_motion.save_pretrained(tmp_path / "model")
    loaded = load_model(tmp_path / "model", CPU, torch.float32)
    assert loaded.network.has_motion
    assert loaded.sampling == tiny_motion.sampling
    once, again = (np.stack(list(model(reference, maps))) for model in (loaded, loaded))
    twice = np.stack(list(load_model(tmp_path / "model", CPU, torch.float32)(reference, maps)))
    assert np.array_equal(once, again)
    assert np.array_equal(once, twice)
    # weights that were never on disk lie elsewhere in memory, which moves the last bit of a float
    made = np.stack(list(tiny_motion(reference, maps))).astype(int)
    assert np.abs(once - made).max() <= 1


def test_a_saved_folder_does_not_say_where_its_networks_came_from(tiny_motion, tmp_path):
    tiny_motion.save_pretrained(tmp_path / "first")
    MagicPosePipeline.from_pretrained(tmp_path / "first").save_pretrained(tmp_path / "second")
    written = {path.relative_to(tmp_path / "second"): path for path in (tmp_path / "second").rglob("*.json")}
    assert len(written) >= 6
    for path in written.values():
        assert str(tmp_path) not in path.read_text()
        first = tmp_path / "first" / path.relative_to(tmp_path / "second")
        assert json.loads(path.read_text()) == json.loads(first.read_text())


def test_a_model_without_motion_is_saved_without(tiny, tmp_path):
    tiny.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model" / "motion_adapter").exists()
    assert not load_model(tmp_path / "model", CPU, torch.float32).network.has_motion


def test_the_motion_network_shares_its_weights_with_the_folders_parts(tiny_motion):
    owners = {id(p) for p in tiny_motion.unet.parameters()} | {
        id(p) for p in tiny_motion.motion_adapter.parameters()
    }
    assert {id(p) for p in tiny_motion.network.unet.parameters()} == owners


def test_a_pipeline_of_the_same_networks_leaves_the_first_as_it_was(tiny_motion):
    reference, maps = _inputs(2)
    before = np.stack(list(tiny_motion(reference, maps, num_inference_steps=2)))
    still = MagicPosePipeline(**{**tiny_motion.components, "motion_adapter": None})
    still.prompt_embeds = tiny_motion.prompt_embeds
    same = MagicPosePipeline(**tiny_motion.components)
    same.prompt_embeds = tiny_motion.prompt_embeds
    # by turns, as they are taken
    made = tiny_motion(reference, maps, num_inference_steps=2)
    next(still(reference, maps, num_inference_steps=1))
    next(same(255 - reference, maps, num_inference_steps=1))
    assert np.array_equal(np.stack(list(made)), before)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "model_index.json").unlink(), "model_index.json"),
        (lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").unlink(), "no safetensors for unet"),
        (
            lambda f: (f / "model_index.json").write_text('{"vae": ["diffusers", "AutoencoderKL"]}'),
            "a unet of",
        ),
        (lambda f: (f / "unet" / "config.json").unlink(), "unet/config.json"),
        (lambda f: (f / "prompt_embeds.safetensors").write_bytes(b"short"), "prompt_embeds"),
        (lambda f: os.truncate(f / "vae" / "diffusion_pytorch_model.safetensors", 5000), "cannot be used"),
        (lambda f: _rename_class(f, "my_code"), "my_code"),
    ],
)
def test_a_broken_folder_is_named_before_anything_loads(tiny, tmp_path, break_it, message):
    folder = tmp_path / "model"
    tiny.save_pretrained(folder)
    check_folder(folder)
    break_it(folder)
    with pytest.raises(ModelError, match=message):
        load_model(folder, CPU, torch.float32)


def test_a_typo_in_the_sampling_block_is_an_error(tiny, tmp_path):
    folder: Path = tmp_path / "model"
    tiny.save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["sampling"]["guidence_scale"] = 3
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(RecipeError, match="guidence_scale"):
        MagicPosePipeline.from_pretrained(folder)


def test_sizes_follow_the_networks(tiny):
    assert tiny.latent_factor == 4
    assert tiny.size_multiple_px == 8
    with pytest.raises(ValueError, match="no multiple of 8"):
        next(tiny(np.zeros((32, 30, 3), np.uint8), np.zeros((1, 32, 30, 3), np.uint8)))


def test_a_vae_sees_large_pictures_in_tiles_that_blend(tiny, monkeypatch):
    tiled = make_tiny()
    tiled.use_tiles(64)
    seen = []
    decode = type(tiled.vae).tiled_decode
    monkeypatch.setattr(type(tiled.vae), "tiled_decode", lambda *a, **k: seen.append(1) or decode(*a, **k))
    draw = torch.Generator().manual_seed(0)
    small, large = (torch.randn(1, 4, side, side, generator=draw) for side in (16, 40))
    assert np.array_equal(tiled.decode(small), tiny.decode(small)) and not seen
    whole, parts = tiny.decode(large).astype(int), tiled.decode(large).astype(int)
    assert seen and parts.shape == whole.shape
    assert 0 < np.abs(parts - whole).mean() < np.abs(whole - whole.mean()).mean() / 2


def test_windows_of_one_video_share_the_bank(tiny):
    reads = []
    read = tiny.network.read_reference
    tiny.network.read_reference = lambda *given: reads.append(1) or read(*given)
    reference, maps = _inputs(40)
    list(tiny(reference, maps, num_inference_steps=3))
    assert len(reads) == 3


def test_a_long_video_is_made_a_stretch_at_a_time_and_comes_out_the_same(tiny, monkeypatch):
    reference, maps = _inputs(20)
    whole = np.stack(list(tiny(reference, maps, noise="independent", batch=5)))
    monkeypatch.setattr(pipeline_module, "STRETCH", 6)
    seen = []
    frames = tiny(reference, maps, noise="independent", on_step=seen.append)
    first = next(frames)
    assert sum(seen) == 6 * 3  # a stretch's frames times steps: the next is not touched yet
    parts = np.stack([first, *frames])
    assert np.abs(parts.astype(int) - whole).max() <= 1
    assert sum(seen) == 20 * 3


def test_each_pose_map_is_read_and_embedded_once(tiny, tiny_motion):
    reference, maps = _inputs(20)
    for model in (tiny, tiny_motion):
        sizes = []
        hook = model.pose_controlnet.controlnet_cond_embedding.conv_in.register_forward_hook(
            lambda _, args, out, sizes=sizes: sizes.append(len(args[0]) if args[0].shape[-1] > 1 else 0)
        )
        list(model(reference, maps))
        hook.remove()
        assert sum(sizes) == 20


def test_embeddings_that_are_not_kept_change_nothing(tiny_motion, monkeypatch):
    reference, maps = _inputs(20)
    kept = np.stack(list(tiny_motion(reference, maps)))
    monkeypatch.setattr(pose_embeddings, "KEPT_BYTES", 10_000)
    few = np.stack(list(tiny_motion(reference, maps)))
    assert np.abs(few.astype(int) - kept).max() <= 1


@pytest.mark.parametrize("solver", ["ddim", "dpm++", "unipc"])
def test_solvers_agree_where_steps_are_many(tiny, solver):
    """All follow one equation, so that a solver over a wrong schedule or prediction type would end elsewhere."""
    reference, maps = _inputs(1)
    known = next(tiny(reference, maps, num_inference_steps=200, guidance_scale=1.0, solver="ddim"))
    frame = next(tiny(reference, maps, num_inference_steps=100, guidance_scale=1.0, solver=solver))
    coarse = next(tiny(reference, maps, num_inference_steps=2, guidance_scale=1.0, solver=solver))
    apart = np.abs(frame.astype(int) - known).mean()
    assert apart < 3
    assert apart < np.abs(coarse.astype(int) - known).mean()


def test_guidance_in_part_of_the_steps(tiny):
    reference, maps = _inputs(1)
    branches = []
    hook = tiny.network.unet.register_forward_pre_hook(lambda *_: branches.append(1))

    def made(**options):
        branches.clear()
        return next(tiny(reference, maps, num_inference_steps=4, guidance_scale=3.0, **options)), len(
            branches
        )

    whole, both = made()
    half, fewer = made(guided=(0.25, 0.75))
    none, single = made(guided=(0.0, 0.0))
    hook.remove()
    assert (both, fewer, single) == (8, 6, 4)
    assert not np.array_equal(half, whole)
    alone = next(tiny(reference, maps, num_inference_steps=4, guidance_scale=1.0))
    assert np.array_equal(none, alone)


def test_offsets_choose_the_reference_implementations_windows(tiny_motion):
    latents, maps = torch.randn(20, 4, 8, 8), torch.rand(20, 3, 32, 32)
    reference = torch.randn(1, 4, 8, 8)
    ours = tiny_motion.denoise(latents, reference, maps)
    theirs = tiny_motion.denoise(latents, reference, maps, offsets=[5, 9, 2])
    assert (ours - theirs).abs().max() > 1e-4


def test_windows_of_our_own_fade_into_each_other_and_the_references_are_averaged(tiny_motion, monkeypatch):
    latents, maps = torch.randn(20, 4, 8, 8), torch.rand(20, 3, 32, 32)
    reference = torch.randn(1, 4, 8, 8)

    def made(**options):
        return tiny_motion.denoise(latents, reference, maps, num_inference_steps=2, **options)

    ours, theirs = made(), made(offsets=[5, 9])
    monkeypatch.setattr(sampler, "fading", lambda window, *_: [1.0] * len(window))
    assert (made() - ours).abs().max() > 1e-4
    torch.testing.assert_close(made(offsets=[5, 9]), theirs)


def test_a_fresh_pose_embedding_sees_strokes_as_strongly_as_latents():
    controlnet = make_tiny().pose_controlnet
    maps = torch.zeros(1, 3, 64, 64)
    maps[:, :, :, 20:23] = 1
    with torch.no_grad():
        seen = controlnet.controlnet_cond_embedding(maps).std()
        beside = controlnet.conv_in(torch.randn(1, controlnet.conv_in.in_channels, 16, 16)).std()
    assert 0.1 < seen / beside < 10  # with default weights it is below 0.01


def test_fresh_models_of_one_seed_are_equal():
    for ours, theirs in zip(make_tiny().unet.parameters(), make_tiny().unet.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_folder_loads_through_diffusers_alone(tiny, tmp_path, monkeypatch):
    from diffusers import DiffusionPipeline

    import magicpose_cli.diffusion.custom_pipeline as custom

    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    tiny.save_pretrained(tmp_path / "model")
    model = DiffusionPipeline.from_pretrained(
        tmp_path / "model", custom_pipeline=custom.__file__, trust_remote_code=True
    )
    assert isinstance(model, MagicPosePipeline)
    latents, reference = torch.randn(2, 4, 8, 8), torch.randn(1, 4, 8, 8)
    ours = MagicPosePipeline.from_pretrained(tmp_path / "model")
    expected = ours.predict_noise(latents, 300, reference, None)
    torch.testing.assert_close(model.predict_noise(latents, 300, reference, None), expected)
