"""Training a UNet that is conditioned on a picture: each sample has its own reference's embedding."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from magicpose_cli.diffusion.pipeline import MagicPosePipeline
from magicpose_cli.recipe import Recipe
from magicpose_cli.training.data import load_clips
from magicpose_cli.training.embeddings import embed_clips
from magicpose_cli.training.stage import WHOLE, Share
from magicpose_cli.training.stages import TrainPose

from ..tiny import TINY, make_tiny


def image_encoder(seed: int = 0) -> CLIPVisionModelWithProjection:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = CLIPVisionConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1,
            patch_size=14, image_size=28, projection_dim=TINY["unet"]["cross_attention_dim"],
        )  # fmt: skip
        return CLIPVisionModelWithProjection(config).eval().requires_grad_(False)


@pytest.fixture
def copy(clips: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clips, tmp_path / "clips", ignore=shutil.ignore_patterns(".magicpose")))


def conditioned() -> MagicPosePipeline:
    tiny = make_tiny()
    parts = {name: part for name, part in tiny.components.items() if name != "image_encoder"}
    return MagicPosePipeline(**parts, image_encoder=image_encoder(), sampling=TINY["sampling"])


def test_embeddings_are_the_pipelines_own_and_made_once(copy: Path) -> None:
    pipeline, read = conditioned(), load_clips(copy, "train", 32, 32, cell_px=4)
    numbers = np.array([0, read.total - 1])
    found = embed_clips(pipeline.image_encoder, read)(numbers)
    wanted = pipeline.embed_picture(read.pictures(numbers))
    assert found.shape == (2, 1, TINY["unet"]["cross_attention_dim"])
    torch.testing.assert_close(found[:, 0], wanted[0], atol=1e-3, rtol=1e-3)  # kept in fp16
    files = {path: path.stat().st_mtime_ns for path in copy.rglob("embeddings-*/*.npy")}
    assert len(files) == len(read)
    embed_clips(pipeline.image_encoder, read)
    assert files == {path: path.stat().st_mtime_ns for path in copy.rglob("embeddings-*/*.npy")}
    embed_clips(image_encoder(seed=1), read)
    assert len(list(copy.rglob("embeddings-*/*.npy"))) == 2 * len(files)


@torch.no_grad()
def test_each_samples_loss_is_by_its_own_references_embedding(copy: Path) -> None:
    read = load_clips(copy, "train", 32, 32, cell_px=4)
    settings = Recipe.model_validate({**TINY, "pose": {**TINY["pose"], "batch_size": 4}}).pose
    stage = TrainPose(settings, conditioned(), read, read)
    batch = stage.batch(0, 0, WHOLE)
    assert batch["embeds"].shape == (4, 1, TINY["unet"]["cross_attention_dim"])
    loss = stage.module(**batch)
    one_by_one = [stage.module(**stage.batch(0, 0, Share(i, 4))) for i in range(4)]
    torch.testing.assert_close(torch.stack(one_by_one).mean(), loss)
    # of another picture it is another
    turned = stage.module(**{**batch, "embeds": batch["embeds"].roll(1, 0)})
    assert not torch.isclose(turned, loss, rtol=1e-6)
    assert stage.samples().ndim == 3


def test_neither_prompt_nor_image_encoder_is_an_error(copy: Path) -> None:
    read = load_clips(copy, "train", 32, 32, cell_px=4)
    pipeline = make_tiny()
    pipeline.prompt_embeds = None
    with pytest.raises(ValueError, match="image encoder"):
        TrainPose(Recipe.model_validate(TINY).pose, pipeline, read, read)
