"""`score`: two videos in, one flat dict out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import magicpose_cli
from magicpose_cli.errors import MissingDependencyError, OptionError, VideoError
from magicpose_cli.evaluation import score
from magicpose_cli.evaluation.metrics import METRICS
from magicpose_cli.evaluation.protocol import compare
from magicpose_cli.evaluation.report import as_table, make_report
from magicpose_cli.media.files import sha256_of
from magicpose_cli.media.video import open_writer

GOLDEN = Path(__file__).parents[2].parent / "shared" / "fixtures" / "eval-golden"
DISCO = {"dtssd", "l1_disco", "psnr_disco", "ssim_disco"}
CORRECTED = {"l1", "psnr", "ssim"}
CHANGE = {"warping_error", "warping_error_of_truth"}
FLICKER = {"flicker", "flicker_of_truth"}


def noise(count: int, seed: int, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def as_folder(path: Path, frames: np.ndarray) -> Path:
    with open_writer(path, 25) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def test_golden_means() -> None:
    if not GOLDEN.is_dir():
        pytest.skip("../shared/fixtures is not beside this checkout")
    golden = json.loads((GOLDEN / "golden.json").read_text())["images"]
    for name, expected in golden.items():
        found = score(GOLDEN / "images" / name / "gen", GOLDEN / "images" / name / "gt", quick=True)
        assert found["l1_disco"] == pytest.approx(expected["L1"], rel=1e-12)
        assert found["psnr_disco"] == pytest.approx(expected["PSNR_overflow"], rel=1e-12)
        assert found["ssim_disco"] == pytest.approx(expected["SSIM"], abs=1e-9)
        assert found["psnr"] == pytest.approx(expected["PSNR_fixed"], rel=1e-12)


def test_keys_of_the_protocols() -> None:
    a, b = noise(2, 0), noise(2, 1)
    b[1] = b[0]  # something that the flow can follow
    for protocol, quick, computed in (
        ("disco", False, DISCO),
        ("corrected", False, CORRECTED | CHANGE | FLICKER),  # nobody is there: all of it is background
        ("all", True, DISCO | CORRECTED | CHANGE),
    ):
        found = score(a, b, protocol, quick=quick)  # type: ignore[arg-type]
        named = {metric.key for metric in METRICS if protocol in ("all", metric.protocol)}
        assert set(found) == computed | {"frames", "not_computed"}
        # each key that the protocol names is there, or it is said why not
        assert set(found["not_computed"]) == named - computed
        assert all(found["not_computed"].values())
        assert found["frames"] == 2
    with pytest.raises(OptionError, match="disco, corrected or all"):
        score(a, b, "other")  # type: ignore[arg-type]


def test_score_is_public() -> None:
    assert magicpose_cli.score is score


def test_arrays_folders_and_videos_agree(tmp_path: Path) -> None:
    a, b = noise(3, 0), noise(3, 1)
    expected = score(a, b)
    assert score(as_folder(tmp_path / "a", a), as_folder(tmp_path / "b", b)) == expected
    quick = score(a, tmp_path / "b", quick=True)
    assert {**expected, **quick, "not_computed": 0} == {**expected, "not_computed": 0}
    video = as_folder(tmp_path / "b.mp4", b)
    assert score(video, b, quick=True)["l1"] > 0, "a video is no lossless copy"
    assert score(video, video, quick=True)["psnr"] == 100


def test_mean_over_frames() -> None:
    truth = np.full((2, 16, 16, 3), 100, np.uint8)
    generated = truth.copy()
    generated[1] += 10
    compared = compare(generated, truth, quick=True)
    assert compared.per_frame["l1"] == [0, 10]
    assert compared.values["l1"] == 5
    assert compared.values["l1_disco"] == pytest.approx(5 / 256)


def test_other_sizes_are_resized_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    truth = np.full((2, 24, 32, 3), 100, np.uint8)
    compared = compare(np.full((2, 48, 64, 3), 110, np.uint8), truth, quick=True)
    assert (compared.width_px, compared.height_px, compared.resized_from) == (32, 24, (64, 48))
    assert compared.values["l1"] == 10
    assert "resized to 32x24" in capsys.readouterr().err


def test_lengths_must_agree(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="3 generated and 2 true"):
        score(noise(3, 0), noise(2, 1))
    # a raw stream tells its length only at its end
    import av

    with av.open(str(tmp_path / "a.h264"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for frame in noise(4, 2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match="4 generated and 6 true"):
        score(tmp_path / "a.h264", noise(6, 1))
    with pytest.raises(VideoError, match="3 generated and 4 true"):
        score(noise(3, 1), tmp_path / "a.h264")


def test_inputs_that_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="uint8"):
        score(noise(1, 0).astype(np.float32), noise(1, 0))
    with pytest.raises(OptionError, match="at least 11 px"):
        score(noise(1, 0, (10, 40)), noise(1, 0, (10, 40)))
    with pytest.raises(VideoError, match="no such file"):
        score(tmp_path / "missing.mp4", noise(1, 0))


def test_the_missing_extra_is_named_before_any_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(MissingDependencyError, match=r"eval extra"):
        score(tmp_path / "missing.mp4", tmp_path / "missing.mp4")


def test_the_report_holds_what_is_needed_to_repeat_it(tmp_path: Path) -> None:
    a, b = as_folder(tmp_path / "a", noise(2, 0)), as_folder(tmp_path / "b", noise(2, 1))
    report = json.loads(json.dumps(make_report(compare(a, b, "disco"), a, b, "disco")))
    assert report["inputs"]["generated"] == {"path": str(a), "sha256": sha256_of(a)}
    for key, values in report["per_frame"].items():  # the first frame has no change
        assert report["values"][key] == np.mean([value for value in values if value is not None])
    assert set(report["values"]) == set(report["per_frame"])
    assert report["protocol"] == "disco" and report["frames"] == 2
    assert set(report["units"]) == set(report["values"]) | set(report["not_computed"])
    assert {"magicpose", "python", "numpy", "scikit-image"} <= set(report["versions"])


def test_the_table_has_a_line_for_each_value() -> None:
    compared = compare(noise(2, 0), noise(2, 1), quick=True)
    lines = as_table(compared).splitlines()
    for key, value in compared.values.items():
        assert any(line.split()[:2] == [key, f"{value:.6g}"] for line in lines)
    assert lines[-1].startswith("not computed: lpips_disco, fid")


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys, magicpose_cli, magicpose_cli.evaluation, magicpose_cli.cli.eval, magicpose_cli.cli.encode\n"
        "print([name for name in ('torch', 'cv2', 'av', 'numpy', 'skimage') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout == "[]\n"
