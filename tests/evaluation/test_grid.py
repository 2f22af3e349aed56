"""Comparison videos are cut into their columns, and each method is scored against the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.errors import VideoError
from magicpose_cli.evaluation.grid import find_columns, score_grid
from magicpose_cli.media.pictures import load_picture, resize_picture
from magicpose_cli.media.video import open_writer

ROOT = Path(__file__).parents[2]
ANCHOR = ROOT.parent / "shared" / "media" / "anchors" / "anchor_magicpose_page_blacktop.mp4"


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Truth, a result that is near, black, one that is far; black at the end, as pages have it."""
    path = tmp_path_factory.mktemp("grid") / "grid.mp4"
    person = resize_picture(load_picture(ROOT / "assets" / "examples" / "reference.png"), 64, 64)
    gap = np.zeros((64, 16, 3), np.uint8)
    with open_writer(path, 8) as writer:
        for i in range(4):
            truth = np.roll(person, 2 * i, axis=1)
            near, far = truth // 2 + 60, np.roll(truth, 20, axis=1)
            writer.write(np.concatenate([truth, gap, near, gap, far, gap], axis=1))
    return path


def test_columns_are_found_by_the_black_between_them(comparison: Path) -> None:
    columns = find_columns(comparison, 3)
    assert [column.shows for column in columns] == ["truth", "method", "method"]
    for column, left in zip(columns, (0, 80, 160), strict=True):
        assert abs(column.left - left) <= 2 and abs(column.right - left - 64) <= 2
    with pytest.raises(VideoError, match=r"4 columns .*found 3"):
        find_columns(comparison, 4)


def test_each_method_is_scored_against_the_truth(comparison: Path) -> None:
    code = CliRunner().invoke(app, ["eval", str(comparison), "--grid", "3", "--names", "near,far"])
    assert code.exit_code == 0, code.stderr
    header, *lines = code.stdout.splitlines()
    assert header.split() == ["near", "far"]
    values = {line.split()[0]: [float(v) for v in line.split()[1:3]] for line in lines}
    assert values["psnr"][0] > values["psnr"][1] and values["ssim"][0] > values["ssim"][1]
    assert values["l1"][0] < values["l1"][1]
    wrong = CliRunner().invoke(app, ["eval", str(comparison), "--grid", "3", "--names", "near"])
    assert wrong.exit_code == 2 and "names for the 2 methods" in " ".join(wrong.stderr.split())
    twice = CliRunner().invoke(app, ["eval", str(comparison), "--grid", "3", "--names", "near,near"])
    assert twice.exit_code == 2 and "near, near" in twice.stderr
    for extra in (["-o", "x.json"], ["--weights", "."]):
        lost = CliRunner().invoke(app, ["eval", str(comparison), "--grid", "3", *extra])
        assert lost.exit_code == 2 and "options that go with --grid" in " ".join(lost.stderr.split())
    both = CliRunner().invoke(app, ["eval", str(comparison), "--grid", "3", "--truth", str(comparison)])
    assert both.exit_code == 2 and "--grid" in both.stderr


@pytest.mark.skipif(not ANCHOR.is_file(), reason="needs ../shared/media, which users do not have")
def test_the_authors_own_clip_shows_what_the_wrapped_psnr_hides() -> None:
    columns = find_columns(ANCHOR, 5)
    assert [column.shows for column in columns] == ["truth", "pose", "method", "method", "method"]
    tps, disco, magicpose = score_grid(ANCHOR, 5, stride=5).values()
    assert tps["psnr"] > magicpose["psnr"] > disco["psnr"]
    assert magicpose["ssim"] > disco["ssim"] and magicpose["l1"] < disco["l1"]
    wrapped = [method["psnr_disco"] for method in (tps, disco, magicpose)]
    assert max(wrapped) - min(wrapped) < 1
