"""What is settled for a GPU before a network is loaded; there is none here, so the machine says what it is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from magicpose_cli import device
from magicpose_cli.diffusion.facts import read_facts
from magicpose_cli.diffusion.folder import load_shapes
from magicpose_cli.diffusion.offload import weights_of
from magicpose_cli.errors import OptionError
from magicpose_cli.jobs import plan as plan_of
from magicpose_cli.jobs.plan import Plan, RetargetOptions, check_length, make_plan
from magicpose_cli.media.pictures import save_picture
from magicpose_cli.pose.sequence import FramePose, PoseSequence

from ..tiny import make_tiny


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    make_tiny(motion=True).save_pretrained(folder / "model")
    make_tiny().save_pretrained(folder / "still")
    make_tiny(sees=True).save_pretrained(folder / "seeing")
    save_picture(folder / "person.png", np.zeros((32, 32, 3), np.uint8))
    body = np.ones((18, 3), np.float32)
    PoseSequence.from_frames([FramePose.empty()._replace(body=body)] * 4, 32, 32, 8).save(
        folder / "dance.npz"
    )
    return folder


@pytest.fixture
def plan(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make the plan for a GPU with so many bytes free."""

    def make(free_bytes: int, **options: object) -> Plan:
        monkeypatch.setattr(plan_of, "pick_device", lambda _: torch.device("cuda"))
        monkeypatch.setattr(plan_of, "total_memory", lambda _: 24 * 2**30)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free_bytes, 24 * 2**30))
        given = {"model": str(inputs / "model"), "window": 4, "overlap": 0, **options}
        chosen = RetargetOptions(**given)
        return make_plan(inputs / "person.png", inputs / "dance.npz", tmp_path / "out.mp4", chosen)

    return make


def needed(inputs: Path, kind: str, model: str = "model") -> int:
    weights = weights_of(load_shapes(inputs / model), torch.float16, torch.device("cuda"))
    frames = device.working_bytes(4, torch.float16, 32, 32)
    return int((getattr(weights, kind) + frames) / 0.9) + 1


def test_where_all_fits_nothing_is_offloaded(inputs, plan, capsys) -> None:
    assert plan(8 * 2**30).offload == "none"
    assert "turns" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["model", "sequential"])
def test_the_fastest_way_that_fits_is_taken_and_said(inputs, plan, capsys, kind) -> None:
    assert plan(needed(inputs, kind)).offload == kind
    assert f"({kind} offload)" in capsys.readouterr().err


def test_a_motion_module_that_is_added_and_an_image_encoder_are_counted(inputs, plan) -> None:
    enough = needed(inputs, "none", "still")
    still = str(inputs / "still")
    assert plan(enough, model=still, batch=4).offload == "none"
    assert plan(enough, model=still, motion_module=inputs / "model" / "motion_adapter").offload == "model"
    assert plan(needed(inputs, "none"), model=still, batch=4).offload == "none"
    assert plan(enough, model=str(inputs / "seeing"), batch=4).offload == "model"


def test_a_budget_counts_in_place_of_what_is_free(inputs, plan) -> None:
    assert plan(8 * 2**30, vram_gb=needed(inputs, "model") / 2**30).offload == "model"


def test_what_may_not_fit_at_all_is_said(plan, capsys) -> None:
    assert plan(1000).offload == "sequential"
    assert "may not do" in capsys.readouterr().err


def test_the_references_windows_need_frames_only_where_there_are_windows(inputs) -> None:
    options = RetargetOptions(windows="reference")
    check_length(2, read_facts(inputs / "still"), options)
    with pytest.raises(OptionError, match="at least 4 frames"):
        check_length(2, read_facts(inputs / "model"), options)


def test_large_pictures_are_decoded_in_tiles_which_is_said(inputs, plan, capsys) -> None:
    assert not plan(8 * 2**30).vae_tiles
    assert plan(8 * 2**30, size="2048x2048").vae_tiles
    assert "2048x2048 go through the VAE in tiles" in capsys.readouterr().err
