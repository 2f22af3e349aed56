"""Motion modules and SD Image Variations: random tensors under the real files' names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import MotionAdapter
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from magicpose_cli.diffusion.checkpoints.convert import ConvertOptions, convert
from magicpose_cli.diffusion.checkpoints.parts import motion_part
from magicpose_cli.diffusion.checkpoints.reading import Checkpoint
from magicpose_cli.diffusion.facts import Swaps, read_facts
from magicpose_cli.diffusion.folder import load_model
from magicpose_cli.errors import ModelError

FULL, SMALL = (320, 640, 1280, 1280), (32, 64, 64, 64)

FILES = {
    # name: (frames in its position tables or None, layers in the middle block)
    "v1": (24, False),  # mm_sd_v14.ckpt, mm_sd_v15.ckpt
    "v2": (32, True),  # mm_sd_v15_v2.ckpt
    "v3": (32, False),  # v3_sd15_mm.ckpt
    "AnimateLCM": (None, False),  # AnimateLCM_sd15_t2v.ckpt
}


def _shapes(kind, widths):
    """Names and shapes as AnimateDiff writes them."""
    frames, middle = FILES[kind]
    blocks = [(f"down_blocks.{i}.motion_modules.{j}", widths[i]) for i in range(4) for j in range(2)]
    blocks += [(f"up_blocks.{i}.motion_modules.{j}", widths[3 - i]) for i in range(4) for j in range(3)]
    blocks += [("mid_block.motion_modules.0", widths[3])] if middle else []
    shapes = {}
    for block, width in blocks:
        at = f"{block}.temporal_transformer"
        for name, shape in (("norm", (width,)), ("proj_in", (width, width)), ("proj_out", (width, width))):
            shapes |= {f"{at}.{name}.weight": shape, f"{at}.{name}.bias": (width,)}
        at += ".transformer_blocks.0"
        for number in (0, 1):
            attention = f"{at}.attention_blocks.{number}"
            shapes |= {
                f"{attention}.{name}.weight": (width, width) for name in ("to_q", "to_k", "to_v", "to_out.0")
            }
            shapes[f"{attention}.to_out.0.bias"] = (width,)
            if frames:
                shapes[f"{attention}.pos_encoder.pe"] = (1, frames, width)
            shapes |= {f"{at}.norms.{number}.weight": (width,), f"{at}.norms.{number}.bias": (width,)}
        shapes |= {f"{at}.ff.net.0.proj.weight": (8 * width, width), f"{at}.ff.net.0.proj.bias": (8 * width,)}
        shapes |= {f"{at}.ff.net.2.weight": (width, 4 * width), f"{at}.ff.net.2.bias": (width,)}
        shapes |= {f"{at}.ff_norm.weight": (width,), f"{at}.ff_norm.bias": (width,)}
    return shapes


def _tensors(kind):
    draw = torch.Generator().manual_seed(0)
    tensors = {n: torch.randn(s, generator=draw) * 0.1 for n, s in _shapes(kind, SMALL).items()}
    # the two temporal attentions of a block count frames by the same sines
    sines = {t.shape: t for n, t in tensors.items() if n.endswith("pe")}
    return {n: sines[t.shape].clone() if n.endswith("pe") else t for n, t in tensors.items()}


@pytest.mark.parametrize("kind", FILES)
def test_full_size_files_have_a_place_for_each_tensor(kind):
    file = Checkpoint.__new__(Checkpoint)  # by shapes alone: the real files have 450 million parameters
    file.path, file.shapes = Path("mm.ckpt"), _shapes(kind, FULL)
    file.dtypes = dict.fromkeys(file.shapes, torch.float32)
    part = motion_part(file, 8, 32)
    assert part.faults() == []
    assert part.skeleton.config.block_out_channels == FULL
    assert part.skeleton.config.motion_max_seq_length == (FILES[kind][0] or 64)
    assert part.skeleton.config.use_motion_mid_block == FILES[kind][1]


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("kind", FILES)
def test_motion_modules_convert(tmp_path, kind, wrapped):
    tensors = _tensors(kind)
    path = tmp_path / "mm.ckpt"
    torch.save({"state_dict": {f"module.{n}": t for n, t in tensors.items()}} if wrapped else tensors, path)
    report = convert(path, tmp_path / "mm", ConvertOptions())
    assert report["kind"] == "motion module"
    adapter = MotionAdapter.from_pretrained(tmp_path / "mm")
    ours, at = adapter.state_dict(), "down_blocks.1.motion_modules.0"
    there = f"{at}.temporal_transformer.transformer_blocks.0"
    pairs = {
        f"{at}.proj_in.weight": f"{at}.temporal_transformer.proj_in.weight",
        f"{at}.transformer_blocks.0.attn2.to_k.weight": f"{there}.attention_blocks.1.to_k.weight",
        f"{at}.transformer_blocks.0.norm2.bias": f"{there}.norms.1.bias",
        f"{at}.transformer_blocks.0.norm3.bias": f"{there}.ff_norm.bias",
        f"{at}.transformer_blocks.0.ff.net.2.weight": f"{there}.ff.net.2.weight",
    }
    if FILES[kind][0]:
        table = f"{there}.attention_blocks.0.pos_encoder.pe"
        pairs[f"{at}.transformer_blocks.0.pos_embed.pe"] = table
    for name, original in pairs.items():
        assert torch.equal(ours[name], tensors[original]), name


def test_diffusers_own_layout_converts_too(tmp_path):
    torch.manual_seed(0)
    adapter = MotionAdapter(block_out_channels=SMALL, motion_num_attention_heads=8, motion_max_seq_length=32)
    adapter.save_pretrained(tmp_path / "theirs")
    for source in (tmp_path / "theirs", tmp_path / "theirs" / "diffusion_pytorch_model.safetensors"):
        convert(source, tmp_path / "ours", ConvertOptions(force=True))
        found = MotionAdapter.from_pretrained(tmp_path / "ours").state_dict()
        assert all(torch.equal(t, found[n]) for n, t in adapter.state_dict().items())


def test_a_motion_module_with_a_tensor_too_few_is_refused(tmp_path):
    tensors = _tensors("v3")
    gone = "up_blocks.3.motion_modules.2.temporal_transformer.proj_out.bias"
    del tensors[gone]
    save_file(tensors, tmp_path / "mm.safetensors")
    with pytest.raises(ModelError, match=f"missing {gone}"):
        convert(tmp_path / "mm.safetensors", tmp_path / "mm", ConvertOptions())


@pytest.mark.parametrize("kind", FILES)
@torch.no_grad()
def test_the_converted_model_moves_with_any_of_them(golden, converted, reference_model, tmp_path, kind):
    torch.save(_tensors(kind), tmp_path / "mm.ckpt")
    convert(tmp_path / "mm.ckpt", tmp_path / "mm", ConvertOptions())
    swaps = Swaps(motion_module=tmp_path / "mm")
    assert read_facts(converted, swaps).has_motion
    model = load_model(converted, torch.device("cpu"), torch.float32, swaps)
    given, expected = golden["inputs"], golden["outputs"]

    def predict(scale):
        text = given["context"]
        return model.predict_noise(given["x_t"], 481, given["ref_latent"], given["pose"], text, scale)

    for scale, name in ((1.0, "eps_cond"), (0.0, "eps_uncond")):  # it acts in both branches
        assert (predict(scale) - expected[name]).abs().max() > 1e-3
    for name, parameter in model.motion_adapter.named_parameters():
        if "proj_out" in name:
            parameter.zero_()
    for frames in (1, 3):  # silenced, it is the model without
        for scale in (1.0, 0.0, 7.0):
            alone, silenced = (
                m.predict_noise(
                    given["x_t"][:frames],
                    481,
                    given["ref_latent"],
                    given["pose"][:frames],
                    given["context"],
                    scale,
                )
                for m in (reference_model, model)
            )
            # bit for bit; of several frames it embeds the timestep once, not once a frame, which moves the last bits,
            # on some CPUs more than on others
            torch.testing.assert_close(silenced, alone, atol=1e-5 * max(scale, 1) * (frames > 1), rtol=0)


def test_a_motion_module_of_another_size_is_refused(converted, tmp_path):
    MotionAdapter(block_out_channels=(32, 32, 32, 32)).save_pretrained(tmp_path / "other")
    with pytest.raises(ModelError, match="block_out_channels"):
        read_facts(converted, Swaps(motion_module=tmp_path / "other"))
    with pytest.raises(ModelError, match="a MotionAdapter in"):
        read_facts(converted, Swaps(motion_module=converted / "unet"))


def _openai_names(encoder):
    """CLIP's image encoder in OpenAI's names, from transformers'."""
    ours, tensors = encoder.state_dict(), {}
    simple = {
        "class_embedding": "embeddings.class_embedding",
        "conv1.weight": "embeddings.patch_embedding.weight",
        "positional_embedding": "embeddings.position_embedding.weight",
        "ln_pre.weight": "pre_layrnorm.weight",
        "ln_pre.bias": "pre_layrnorm.bias",
        "ln_post.weight": "post_layernorm.weight",
        "ln_post.bias": "post_layernorm.bias",
    }
    tensors |= {f"visual.{theirs}": ours[f"vision_model.{name}"] for theirs, name in simple.items()}
    tensors["visual.proj"] = ours["visual_projection.weight"].T.contiguous()
    for layer in range(encoder.config.num_hidden_layers):
        at, to = f"vision_model.encoder.layers.{layer}", f"visual.transformer.resblocks.{layer}"
        for leaf in ("weight", "bias"):
            stacked = [ours[f"{at}.self_attn.{name}_proj.{leaf}"] for name in "qkv"]
            tensors[f"{to}.attn.in_proj_{leaf}"] = torch.cat(stacked)
            tensors[f"{to}.attn.out_proj.{leaf}"] = ours[f"{at}.self_attn.out_proj.{leaf}"]
            tensors[f"{to}.ln_1.{leaf}"] = ours[f"{at}.layer_norm1.{leaf}"]
            tensors[f"{to}.ln_2.{leaf}"] = ours[f"{at}.layer_norm2.{leaf}"]
            tensors[f"{to}.mlp.c_fc.{leaf}"] = ours[f"{at}.mlp.fc1.{leaf}"]
            tensors[f"{to}.mlp.c_proj.{leaf}"] = ours[f"{at}.mlp.fc2.{leaf}"]
    return {f"cond_stage_model.model.{name}": tensor.clone() for name, tensor in tensors.items()}


@pytest.fixture(scope="module")
def image_encoder():
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=1,
        patch_size=14,
        image_size=56,
        projection_dim=64,
        hidden_act="quick_gelu",
    )
    return CLIPVisionModelWithProjection(config).eval()


@torch.no_grad()
def test_image_variations_is_conditioned_on_the_reference(golden, image_encoder, tmp_path):
    """The paper's 5.2 starts from SD Image Variations: a picture's embedding where SD has a text's."""
    import numpy as np

    weights = {k: v.clone() for k, v in golden["weights"].items() if not k.startswith("cond_stage_model.")}
    weights |= _openai_names(image_encoder)
    weights["cond_stage_model.model.ln_final.weight"] = torch.zeros(64)  # the text half of CLIP
    save_file(weights, tmp_path / "sdiv.safetensors")
    report = convert(tmp_path / "sdiv.safetensors", tmp_path / "model", ConvertOptions())
    assert report["prompt_embeds"] is None
    assert report["dead"]["the text half of an image encoder's CLIP"] == 1
    assert read_facts(tmp_path / "model").has_condition
    model = load_model(tmp_path / "model", torch.device("cpu"), torch.float32)
    for name, tensor in image_encoder.state_dict().items():
        assert torch.equal(model.image_encoder.state_dict()[name], tensor), name
    picture = np.random.default_rng(0).integers(0, 256, (1, 56, 56, 3), np.uint8)
    embedding = model.embed_picture(picture)
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    pixels = torch.from_numpy((picture / 255 - mean) / deviation).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(embedding[0], image_encoder(pixels).image_embeds, atol=1e-5, rtol=1e-4)
    reference = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    maps = np.zeros((1, 64, 64, 3), np.uint8)
    frame = next(model(reference, maps, num_inference_steps=2))
    assert frame.shape == (64, 64, 3)
