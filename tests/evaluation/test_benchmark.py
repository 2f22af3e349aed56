"""`magicpose eval --dataset`: a tiny model on pictures of a real person."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.evaluation import metric_weights
from magicpose_cli.evaluation.networks import Networks
from magicpose_cli.evaluation.records import MEANS, identity_kept, interval, is_complete, make_record
from magicpose_cli.media.pictures import load_picture, save_picture
from magicpose_cli.media.video import FrameReader, open_writer
from magicpose_cli.pose.sequence import FramePose, PoseSequence

from ..tiny import make_tiny

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of three frames of the example's rendered person, who moves aside a little."""
    root = tmp_path_factory.mktemp("dataset")
    person = load_picture(EXAMPLES / "reference.png")
    for clip in ("a", "b"):
        for i in range(3):
            frame = np.roll(person, 4 * i, axis=1)
            if clip == "b":
                frame = 255 - frame[..., ::-1] // 2
            mask = np.zeros(frame.shape, np.uint8)
            mask[:, 80:180] = 255
            for kind, picture in (("", frame), ("pose_map_", frame // 4), ("mask_", mask)):
                path = root / f"{kind}disco_test_set" / clip / f"{i:04d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                save_picture(path, picture)
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    pipeline = make_tiny(motion=True)
    size = {"width_px": 64, "height_px": 64}
    presets = {"quick": {"num_inference_steps": 2, "guidance_scale": 1.0, "solver": "unipc"}}
    pipeline.register_to_config(sampling={**pipeline.sampling.model_dump(), **size, "presets": presets})
    pipeline.save_pretrained(folder)
    return folder


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["eval", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_a_test_set_end_to_end_and_again(dataset: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["--dataset", "synth", "--root", dataset, "--model", model, "--without-motion", "-o", out]
    command.append("--numbers")
    code, table, said = run(*command)
    assert code == 0, said
    report = json.loads((out / "report.json").read_text())
    copy, tiny, bare = report["methods"].values()
    assert list(report["methods"]) == ["copy of the reference", "tiny", "tiny without motion module"]
    assert report["frames"] == 4
    assert copy["values"]["flicker"] == 0
    assert copy["values"]["psnr"] > tiny["values"]["psnr"]  # random weights
    assert tiny["values"] != bare["values"]
    assert copy["identity"] == {"kept": 2, "of": 2, "by_clip": [True, True]}
    for key in ("psnr", "ssim", "flicker"):
        assert f"{copy['values'][key]:.4g}" in table
        assert key in (out / "report.md").read_text()
    assert sorted(out.glob("videos/*")) == [out / "videos" / f"{clip}.numbers.mp4" for clip in "ab"]
    plain = [path for path in command if path != "--numbers"]
    assert run(*plain)[0] == 0, "a look at the same evaluation, not another"
    with_numbers, without = (
        next(iter(FrameReader(out / "videos" / name))) for name in ("a.numbers.mp4", "a.mp4")
    )
    assert with_numbers.shape[0] > without.shape[0] == 64 and with_numbers.shape[1] == without.shape[1]
    assert len(list(FrameReader(out / "videos" / "a.mp4"))) == 2
    check_page_and_rows(out, report)
    assert load_picture(out / "pictures.jpg").shape[0] == 64

    made = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    (out / "records" / "tiny" / "b.json").unlink()  # as if broken off there
    code, again, _ = run(*command)
    assert code == 0 and again == table
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == made

    code, _, said = run(*command, "--steps", "2")
    assert code == 2 and "another steps" in said
    code, _, said = run(*command, "--solver", "dpm++")
    assert code == 2 and "another solver" in said
    changed = tmp_path / "changed"
    shutil.copytree(dataset, changed)
    save_picture(changed / "pose_map_disco_test_set" / "b" / "0001.png", np.zeros((512, 512, 3), np.uint8))
    code, _, said = run(*command[:3], changed, *command[4:])
    assert code == 2 and "clips_sha256" in said


def test_a_preset_and_what_overrules_it(dataset: Path, model: Path, tmp_path: Path) -> None:
    frames = []
    for name, more in (("preset", []), ("overruled", ["--solver", "ddim"])):
        out = tmp_path / name
        command = ["--dataset", "synth", "--root", dataset, "--clips", "1", "--model", model]
        code, _, said = run(*command, "--preset", "quick", *more, "-o", out)
        assert code == 0, said
        settings = json.loads((out / "report.json").read_text())["settings"]
        assert (settings["preset"], settings["steps"], settings["guidance"]) == ("quick", 2, 1.0)
        assert settings["solver"] == (more[1] if more else "unipc")
        page = (out / "report.md").read_text()
        assert f"preset quick: 2 steps of {settings['solver']}, guidance 1.0" in page
        assert re.search(r"^- .*\bfid\b.*\(all methods\): .*pt_inception", page, re.MULTILINE)
        frames.append(load_picture(out / "frames" / "tiny" / "a" / "0001.png"))
    assert not np.array_equal(*frames)
    code, _, said = run(*command, "--preset", "slow", "-o", tmp_path / "none")
    assert code == 2 and "a preset of this model (quick)" in said
    assert not (tmp_path / "none").exists()


def test_frames_with_and_without_the_references_details_are_two_evaluations(
    dataset: Path, model: Path, tmp_path: Path
) -> None:
    frames = {}
    command = ["--dataset", "synth", "--root", dataset, "--clips", "1", "--model", model, "--steps", "1"]
    for name, option in (
        ("own", []),
        ("made", ["--no-reference-details"]),
        ("taken", ["--reference-details"]),
    ):
        out = tmp_path / name
        code, _, said = run(*command, *option, "-o", out)
        assert code == 0, said
        assert ("take the reference's details" in (out / "report.md").read_text().lower()) == (
            name == "taken"
        )
        frames[name] = load_picture(out / "frames" / "tiny" / "a" / "0001.png")
    assert np.array_equal(frames["own"], frames["made"])  # the model's own is without them
    code, _, said = run(*command, "--reference-details", "-o", tmp_path / "made")
    assert code == 2 and "another details" in said
    code, _, said = run(*command, "--no-reference-details", "-o", tmp_path / "taken")
    assert code == 2 and "another details" in said
    code, _, said = run(*command, "--no-reference-details", "-o", tmp_path / "own")
    assert code == 0, "the same evaluation"
    code, _, said = run(
        *command[:4], "--predictions", dataset, "--no-reference-details", "-o", tmp_path / "no"
    )
    assert code == 2 and "--reference-details" in said


def test_without_masks_the_background_is_segmented(dataset: Path, model: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(dataset, root, ignore=shutil.ignore_patterns("mask_*"))
    code, _, said = run("--dataset", "tiktok", "--root", root, "--model", model, "-o", tmp_path / "out")
    assert code == 0, said
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "selfie segmentation" in report["segmenter"]
    copy, tiny = report["methods"].values()
    assert copy["values"]["flicker"] == 0 < tiny["values"]["flicker"]


def test_networks_metrics_of_a_test_set(
    dataset: Path, model: Path, tmp_path: Path, inception_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tuple(replace(weights, sha256=None) for weights in metric_weights.METRIC_WEIGHTS)
    monkeypatch.setattr(metric_weights, "METRIC_WEIGHTS", known)
    out, folder = tmp_path / "out", tmp_path / "weights"
    folder.mkdir()
    command = ["--dataset", "synth", "--root", dataset, "--model", model, "-o", out, "--weights", folder]
    code, _, said = run(*command)
    assert code == 0, said
    report = json.loads((out / "report.json").read_text())
    assert (
        "fid" not in report["methods"]["tiny"]["values"]
        and inception_weights.name in report["missing_weights"]["fid"]
    )
    seconds = report["seconds"]
    assert seconds["networks"] == 0 < seconds["detectors"] < seconds["all"]
    (folder / inception_weights.name).symlink_to(inception_weights)  # they came later
    code, table, said = run(*command)
    assert code == 0, said
    report = json.loads((out / "report.json").read_text())
    copy, tiny = report["methods"].values()
    assert 0 < copy["values"]["fid"] < tiny["values"]["fid"]
    assert tiny["samples"] == {"fid": [4, 4], "fid_clean": [4, 4]}
    assert f"{tiny['values']['fid']:.4g}" in table and "fid_clean" in (out / "report.md").read_text()
    assert report["weights"][inception_weights.name]["path"] == str(folder / inception_weights.name)
    seconds = report["seconds"]
    assert seconds["detectors"] == 0 < seconds["networks"] < seconds["all"]  # records were there
    code, again, _ = run(*command)
    assert again == table
    # all features were there: no network ran
    assert json.loads((out / "report.json").read_text())["seconds"]["networks"] == 0


def check_page_and_rows(out: Path, report: dict[str, Any]) -> None:
    with (out / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["clip"], row["frame"]) for row in rows] == [
        (method, clip, str(i)) for method in report["methods"] for clip in "ab" for i in (1, 2)
    ]
    for name, method in report["methods"].items():
        psnr = [float(row["psnr"]) for row in rows if row["method"] == name]
        assert np.mean(psnr) == pytest.approx(method["values"]["psnr"], rel=1e-12)
    pairs = {tuple(pair["methods"]): pair["values"]["psnr"] for pair in report["comparisons"]}
    assert len(pairs) == 3
    found = pairs["copy of the reference", "tiny"]
    copy, tiny = (report["methods"][name]["values"]["psnr"] for name in ("copy of the reference", "tiny"))
    assert found["difference"] == pytest.approx(tiny - copy)
    assert found["interval"] is None and found["clips"] == 2  # too few to be sure of anything
    page = (out / "report.html").read_text()
    for name in report["methods"]:
        assert f"<h3>{name}</h3>" in page
    assert page.count('<figure class="frame">') == 3 * 2 * 2  # methods, best and worst, clips
    assert "MagicPose (ICML 2024), Table 1" in page and "fid" in report["not_computed"]


def test_what_is_missing_is_said(
    dataset: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAGICPOSE_DATA", raising=False)
    out = tmp_path / "out"
    cases: list[tuple[list[str | Path], str]] = [
        ([], "either a video A with --truth B, or --dataset"),
        (["a.mp4"], "the true video"),
        (["--dataset", "synth", "--root", dataset], "a folder for the results"),
        (["--dataset", "synth", "--grid", "3", "-o", out], "options that go with --dataset, found --grid"),
        (["a.mp4", "--truth", "b.mp4", "--steps", "3"], "options that go without --dataset, found --steps"),
        (["a.mp4", "--truth", "b.mp4", "--names", "x"], "options that go without --grid, found --names"),
        (["a.mp4", "--truth", "b.mp4", "--numbers"], "options that go without --dataset, found --numbers"),
        (["--dataset", "synth", "--csv", "x.csv", "-o", out], "options that go with --dataset, found --csv"),
        (["a.mp4", "--grid", "3", "--protocol", "all"], "options that go with --grid, found --protocol"),
        (["--dataset", "tiktok", "-o", out], "tiktok in $MAGICPOSE_DATA"),
        (["a.mp4", "--truth", "b.mp4", "--stride", "3"], "go without --dataset, found --stride"),
        (["a.mp4", "--truth", "b.mp4", "--skip-bad"], "go without --dataset, found --skip-bad"),
        (["a.mp4", "--grid", "3", "--gt", "vae"], "go with --grid, found --gt"),
        (["a.mp4", "--grid", "3", "--predictions", "."], "go with --grid, found --predictions"),
        (
            ["--dataset", "synth", "--split", "335-340", "-o", out],
            "--split with --dataset tiktok, found it with synth",
        ),
        (["--dataset", "synth", "--size", "64", "-o", out], "a size like 512x768"),
        (
            ["--dataset", "synth", "--root", dataset, "--model", "mini", "--size", "64x128", "-o", out],
            "a --size in the aspect of the model's 256x256",
        ),
        (
            ["--dataset", "synth", "--predictions", ".", "--steps", "3", "-o", out],
            "options that go with --predictions alone, found --steps. Leave them out, or name a model",
        ),
        (
            ["--dataset", "synth", "--root", dataset, "--predictions", ".", "--gt", "vae", "-o", out],
            "a model whose VAE the truth goes through",
        ),
        (
            ["--dataset", "synth", "--root", dataset, "--predictions", "none", "-o", out],
            "a folder of results at none",
        ),
        (["--dataset", "synth", "--root", tmp_path, "-o", out], "magicpose synth --split test"),
    ]
    for arguments, message in cases:
        code, printed, said = run(*arguments)
        assert (code, printed) == (2, "")
        assert message in " ".join(said.split())
    assert not out.exists()


def test_what_others_made_is_scored_without_a_model(dataset: Path, tmp_path: Path) -> None:
    """The truth itself is ideal, a lighter one is worse by what it is lighter, in frames of half the size."""
    (tmp_path / "exact").symlink_to(dataset / "disco_test_set")
    for clip in ("a", "b"):
        (tmp_path / "lighter" / clip).mkdir(parents=True)
        for path in sorted((dataset / "disco_test_set" / clip).iterdir())[1:]:
            frame = np.clip(load_picture(path).astype(int) + 10, 0, 255).astype(np.uint8)
            save_picture(tmp_path / "lighter" / clip / path.name, frame[::2, ::2])
    out = tmp_path / "out"
    command = ["--dataset", "synth", "--root", dataset, "-o", out]
    command += ["--predictions", tmp_path / "exact", "--predictions", f"ten levels={tmp_path / 'lighter'}"]
    code, table, said = run(*command)
    assert code == 0, said
    assert said.count("exact has as many frames as the truth with its reference") == 1
    assert said.count("are resized to") == 1
    report = json.loads((out / "report.json").read_text())
    assert list(report["methods"]) == ["copy of the reference", "exact", "ten levels"]
    exact, lighter = report["methods"]["exact"]["values"], report["methods"]["ten levels"]["values"]
    assert (exact["psnr"], exact["l1"], exact["pose_accuracy"]) == (100, 0, 1)
    assert 5 < lighter["l1"] < 20 and "ten levels" in table
    assert report["settings"]["model"] is None and report["settings"]["steps"] is None
    assert report["skipped"] == {} and report["frames"] == 4
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["n_videos"], manifest["n_frames"]) == (2, 4)
    assert report["manifest_sha256"] == manifest["sha256"]
    page = (out / "report.md").read_text()
    assert page.startswith("# exact, ten levels on synth") and manifest["sha256"][:12] in page

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    code, again, _ = run(*command)
    assert (code, again) == (0, table)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == before
    save_picture(tmp_path / "lighter" / "b" / "0002.png", frame)
    code, _, said = run(*command)
    assert code == 2 and "one size" in said  # what has changed is looked through again
    shutil.copy(tmp_path / "lighter" / "b" / "0001.png", tmp_path / "lighter" / "b" / "0002.png")
    code, _, said = run(*command)
    assert code == 2 and "another predictions" in said


def test_bad_clips_end_it_or_are_left_out_and_counted(dataset: Path, tmp_path: Path) -> None:
    root, made = tmp_path / "root", tmp_path / "made"
    for clip in "abcdefg":
        shutil.copytree(dataset / "disco_test_set" / "a", root / clip)
        shutil.copytree(dataset / "disco_test_set" / "a", made / clip)
    (root / "b" / "0001.png").unlink()
    (root / "c" / "0001.png").write_bytes((root / "c" / "0001.png").read_bytes()[:5000])
    save_picture(root / "d" / "0002.png", np.zeros((20, 20, 3), np.uint8))
    shutil.rmtree(root / "e")
    (root / "e").mkdir()
    (made / "f" / "0004.png").symlink_to(made / "f" / "0000.png")
    shutil.rmtree(made / "g")
    command = ["--dataset", "folder", "--root", root, "--predictions", made, "-o", tmp_path / "out"]
    command += ["--size", "64x64"]
    code, _, said = run(*command)
    assert code == 2 and "frame 0001 after 0000.png" in said and "--skip-bad" in said
    assert not (tmp_path / "out").exists()
    code, _, said = run(*command, "--skip-bad")
    assert code == 0, said
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["clips"] == ["a"] and report["settings"]["size_px"] == [64, 64]
    assert list(report["skipped"]) == list("bcdefg")
    for clip, reason in zip(
        "bcdefg", ("0002.png next", "c/0001.png", "20x20", "0 frames", "0004.png", "found none"), strict=True
    ):
        assert reason in report["skipped"][clip]
        assert f"the clip {clip} is left out" in said
    assert "Left out: 6 (b: " in (tmp_path / "out" / "report.md").read_text()
    shutil.rmtree(root / "a")
    code, _, said = run(*command[:-3], tmp_path / "none", "--skip-bad")
    assert code == 2 and "found 6, all of them bad" in said


def test_a_folder_of_videos_with_a_model_through_its_vae(dataset: Path, model: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "root", tmp_path / "out"
    root.mkdir()
    for clip in ("a", "b"):
        with open_writer(root / f"{clip}.mp4", 8) as writer:
            for i in range(6):
                writer.write(load_picture(dataset / "disco_test_set" / clip / f"{i // 2:04d}.png"))
    command = ["--dataset", "folder", "--root", root, "--model", model, "-o", out]
    command += ["--gt", "vae", "--stride", "2", "--skip-bad"]
    code, table, said = run(*command)
    assert code == 0, said
    report = json.loads((out / "report.json").read_text())
    assert report["clips"] == ["a", "b"] and report["frames"] == 6
    assert report["settings"]["poses"] == "mediapipe"  # not cleaned: its frames do not follow each other
    truth = [load_picture(path) for path in sorted((out / "truth" / "a").iterdir())]
    assert [frame.shape for frame in truth] == [(64, 64, 3)] * 3
    page = (out / "report.md").read_text()
    assert "every 2th" not in page and "every second" in page and "through the model's VAE" in page
    assert "detected (mediapipe)" in page
    # what is compared with is what the page shows as truth, and no real frame
    made = load_picture(out / "frames" / "tiny" / "a" / "0001.png").astype(float)
    record = json.loads((out / "records" / "tiny" / "a.json").read_text())
    assert record["frames"]["l1"][0] == pytest.approx(np.abs(made - truth[0]).mean())
    kept = (out / "poses" / "a.npz").stat().st_mtime_ns
    code, again, said = run(*command)
    assert (code, again) == (0, table) and "Finding poses" not in said
    assert (out / "poses" / "a.npz").stat().st_mtime_ns == kept


def test_a_clips_poses_do_not_depend_on_the_clip_before(dataset: Path, model: Path, tmp_path: Path) -> None:
    for clip in ("a", "b"):
        shutil.copytree(dataset / "disco_test_set" / clip, tmp_path / "both" / clip)
    shutil.copytree(tmp_path / "both" / "b", tmp_path / "alone" / "b")
    found = []
    for root in ("both", "alone"):
        out = tmp_path / f"out-{root}"
        code, _, said = run(
            "--dataset", "folder", "--root", tmp_path / root, "--model", model, "-o", out, "--skip-bad"
        )
        assert code == 0, said
        found.append(PoseSequence.load(out / "poses" / "b.npz"))
    for part in ("body", "face"):
        assert (getattr(found[0], part) == getattr(found[1], part)).all()


def test_a_missing_pose_map_is_named(dataset: Path, tmp_path: Path) -> None:
    frame = tmp_path / "disco_test_set" / "a" / "0000.png"
    for name in ("0000.png", "0001.png"):
        frame.parent.mkdir(parents=True, exist_ok=True)
        save_picture(frame.parent / name, np.zeros((64, 64, 3), np.uint8))
    code, _, said = run("--dataset", "synth", "--root", tmp_path, "-o", tmp_path / "out")
    assert code == 2 and "pose_map_disco_test_set/a/0000.png" in said.replace("\n", "")


def test_equal_clips_are_ideal_and_noise_makes_each_number_worse() -> None:
    draw = np.random.default_rng(0)
    poses = []
    for i in range(9):
        body = np.concatenate([draw.uniform(10, 50, (18, 2)), np.ones((18, 1))], 1).astype(np.float32)
        face = np.concatenate([draw.uniform(5, 60, (70, 2)), np.ones((70, 1))], 1).astype(np.float32)
        poses.append(FramePose.empty()._replace(body=body + i, face=face))
    truth = np.repeat(draw.integers(0, 255, (1, 64, 64, 3), np.uint8), 9, axis=0)
    person = np.zeros(truth.shape[:3], bool)
    person[:, 20:40, 20:40] = True
    noisy = np.clip(truth + draw.normal(0, 9, truth.shape), 0, 255).astype(np.uint8)
    off = [
        p._replace(body=p.body + draw.normal(0, 3, p.body.shape) * [1, 1, 0], face=p.face[::-1])
        for p in poses
    ]
    ideal, worse = (
        make_record(truth, truth, poses, poses, person),
        make_record(noisy, truth, off, poses, person),
    )
    for key, best in (
        ("psnr", 100), ("ssim", 1), ("l1", 0), ("pose_accuracy", 1), ("expression_mouth", 1), ("expression", 1),
        ("flicker", 0), ("warping_error", 0),
    ):  # fmt: skip
        mean = MEANS[key][1]
        assert mean([ideal]) == pytest.approx(best)
        assert abs(mean([worse]) - best) > 0.05 * max(best, 1) or key == "ssim"
    assert identity_kept([ideal]) == [True]
    low, high = interval(MEANS["psnr"][1], 3 * [ideal, worse])
    assert low < high and interval(MEANS["psnr"][1], [ideal]) is None
    assert MEANS["face_det"][1]([ideal]) == 1 and MEANS["face_cos"][1]([ideal]) is None
    assert ideal["long"] is None and MEANS["seam"][1]([ideal]) is None
    json.dumps([ideal, worse])  # a record is JSON


def test_a_long_clip_tells_its_seams_and_drift() -> None:
    draw = np.random.default_rng(0)
    body = np.concatenate([draw.uniform(10, 50, (18, 2)), np.ones((18, 1))], 1).astype(np.float32)
    poses = [FramePose.empty()._replace(body=body)] * 70
    moving = np.stack([np.roll(draw.integers(0, 200, (64, 64, 3)), i, axis=1) for i in range(70)])
    truth = (moving // 4 + 60).astype(np.uint8)
    person = np.zeros(truth.shape[:3], bool)
    person[:, 20:40, 20:40] = True
    # darker by a level every two frames, and a step wherever a window begins
    worse = truth - (np.arange(70) // 2)[:, None, None, None].astype(np.uint8)
    worse[12::24] = worse[12::24] // 2
    ideal, drifted = (make_record(clip, truth, poses, poses, person) for clip in (truth, worse))
    for key in ("drift_background", "drift_person"):
        assert MEANS[key][1]([ideal]) == 0
        assert MEANS[key][1]([drifted]) > 4
    assert MEANS["seam"][1]([ideal]) == MEANS["seam_of_truth"][1]([ideal])
    assert MEANS["seam"][1]([drifted]) > MEANS["seam_of_truth"][1]([drifted])
    unknown = make_record(worse, truth, poses, poses, None)
    assert MEANS["drift_background"][1]([unknown]) is None
    json.dumps([ideal, drifted, unknown])


def test_a_record_is_made_again_for_other_weights() -> None:
    frames = np.zeros((1, 16, 16, 3), np.uint8)
    poses = [FramePose.empty()]
    network = Networks(of_frames={"lpips": lambda a, b: 0.5}, weights={"vgg16-397923af.pth": {"sha256": "a"}})
    bare = make_record(frames, frames, poses, poses, None)
    full = make_record(frames, frames, poses, poses, None, network)
    assert MEANS["lpips"][1]([full]) == 0.5 and MEANS["lpips"][1]([full, bare]) is None
    assert is_complete(full, network) and is_complete(full, Networks())
    assert not is_complete(bare, network)
    network.weights["vgg16-397923af.pth"]["sha256"] = "b"
    assert not is_complete(full, network)
