"""Latents are made once, kept beside the clips, and cut as the pictures are."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from magicpose_cli.training import kept as kept_module
from magicpose_cli.training.data import load_clips
from magicpose_cli.training.latents import encode_clips

from ..tiny import make_tiny


@pytest.fixture
def copy(clips: Path, tmp_path: Path) -> Path:
    shutil.copytree(clips, tmp_path / "clips", ignore=shutil.ignore_patterns(".magicpose"))
    return tmp_path / "clips"


def files_of(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (folder / ".magicpose").rglob("*.npy")}


def test_latents_are_those_of_the_whole_pictures_cut_in_cells(copy: Path) -> None:
    pipeline, read = make_tiny(), load_clips(copy, "train", 32, 32, cell_px=4)
    latents = encode_clips(pipeline, read)
    rows = np.array([0, 2])
    got = latents(np.array([[1, 3], [8, 9]]), rows)
    assert got.shape == (2, 2, 4, 8, 8) and got.dtype == torch.float32
    whole = pipeline.encode(np.stack([read.whole_picture(n) for n in (1, 3)])).cpu()
    assert torch.allclose(got[0], whole[:, :, :8], atol=2e-3)  # fp16 on disk
    assert torch.equal(latents(np.array([1, 8]), rows), got[:, 0])


def test_they_are_made_once_and_again_for_other_frames_or_another_vae(copy: Path) -> None:
    pipeline, read = make_tiny(), load_clips(copy, "train", 32, 32, cell_px=4)
    encode_clips(pipeline, read)
    first = files_of(copy)
    assert len(first) == 3
    encode_clips(pipeline, read)
    assert files_of(copy) == first
    frame = copy / "train_set" / "v1" / "0002.png"
    shutil.copy(copy / "train_set" / "v0" / "0000.png", frame)
    encode_clips(pipeline, load_clips(copy, "train", 32, 32, cell_px=4))
    assert len(files_of(copy)) == 4  # v1's anew
    encode_clips(make_tiny(seed=1), read)
    assert len(list((copy / ".magicpose").iterdir())) == 2


def test_processes_share_all_videos_whatever_others_have_written(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []
    for rank in range(2):  # the second comes late, when the first has written its share
        state = SimpleNamespace(
            process_index=rank, num_processes=2, wait_for_everyone=lambda: waited.append(1)
        )
        monkeypatch.setattr(kept_module, "PartialState", lambda cpu, state=state: state)
        encode_clips(make_tiny(), load_clips(copy, "train", 32, 32, cell_px=4))
        assert len(files_of(copy)) == (2, 3)[rank]
    assert len(waited) == 2


def test_where_nothing_can_be_written_they_go_to_the_cache_and_that_is_said(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAGICPOSE_HOME", str(tmp_path / "home"))
    (copy / ".magicpose").write_text("a file in the way")  # a folder without write permission stops no root
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).is_dir())
    encode_clips(make_tiny(), load_clips(copy, "train", 32, 32, cell_px=4))
    assert len(list((tmp_path / "home" / "clips").rglob("*.npy"))) == 3
    assert "what is made of the clips is kept in" in " ".join(capsys.readouterr().err.split())
