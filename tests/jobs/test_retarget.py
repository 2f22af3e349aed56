"""The main job on a tiny model: what comes out, what is said, what is refused."""

from __future__ import annotations

import json
import shutil
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.errors import OptionError, OutputExistsError, PoseError
from magicpose_cli.jobs.forecast import forecast
from magicpose_cli.jobs.plan import RetargetOptions, make_plan
from magicpose_cli.jobs.rates import Rates
from magicpose_cli.jobs.retarget import retarget
from magicpose_cli.media.files import sha256_of
from magicpose_cli.media.pictures import load_picture, save_picture
from magicpose_cli.media.video import FrameReader, open_writer, probe
from magicpose_cli.pose.align import Alignment
from magicpose_cli.pose.detect import open_detector
from magicpose_cli.pose.detect_mediapipe import MediapipePoseDetector
from magicpose_cli.pose.draw import draw_pose
from magicpose_cli.pose.sequence import FramePose, PoseSequence

from ..tiny import make_tiny

FRAMES, FPS = 20, Fraction(25, 2)


def _dancer(step: int) -> FramePose:
    """Somebody seen from the front in a picture of 120 x 160, one arm swinging."""
    pose = FramePose.empty()
    body = [(60, 25), (60, 45), (45, 45), (38, 65), (35, 85), (75, 45), (85, 60), (90, 45 + step)]
    for number, (x, y) in enumerate(body):
        pose.body[number] = x, y, 1
    return pose


def _sequence(frames: int = FRAMES) -> PoseSequence:
    poses = [_dancer(step) for step in range(frames)]
    return PoseSequence.from_frames(poses, 120, 160, FPS, "dance.mp4", "0" * 64)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    make_tiny(motion=True).save_pretrained(folder / "model")
    draw = np.random.default_rng(0)
    save_picture(folder / "reference.png", draw.integers(0, 256, (60, 80, 3), np.uint8))
    _sequence().save(folder / "dance.npz")
    with open_writer(folder / "maps", FPS) as writer:
        for step in range(FRAMES):
            writer.write(draw_pose(_dancer(step), 120, 160))
    return folder


def _run(inputs: Path, out: Path | str, driving: str = "dance.npz", **options):
    return retarget(
        inputs / "reference.png",
        inputs / driving,
        out,
        RetargetOptions(model=str(inputs / "model"), device="cpu", **options),
    )


def test_an_mp4_of_the_drivings_length_and_rate_with_its_report(inputs, tmp_path, capsys):
    report = _run(inputs, tmp_path / "out.mp4", compare=True)
    info = probe(tmp_path / "out.mp4")
    assert (info.num_frames, info.fps) == (FRAMES, FPS)
    assert (info.width_px, info.height_px) == (40, 24)  # the model's area in the reference's aspect
    assert not info.has_audio
    assert json.loads((tmp_path / "out.json").read_text()) == report
    assert report["frames"] == FRAMES
    assert report["fps"] == "25/2"
    assert report["options"]["steps"] == 3  # the model's own
    assert report["detection"]["driving"]["body"] == FRAMES
    assert len(report["reference"]["sha256"]) == 64
    assert {"detect", "load", "make", "wait for the encoder"} <= set(report["seconds"])
    assert probe(tmp_path / "out.compare.mp4").num_frames == FRAMES
    assert probe(tmp_path / "out.compare.mp4").width_px > 3 * 30
    said = capsys.readouterr().err
    assert "saved pose sequence" in said
    assert "nobody was found in reference.png" in said
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "out.json", "out.compare.mp4"}


def test_the_networks_libraries_are_imported_while_poses_are_found(inputs, tmp_path, monkeypatch):
    imported = threading.Event()
    monkeypatch.setattr("magicpose_cli.jobs.retarget._import_networks", imported.set)
    find = MediapipePoseDetector.detect_still

    def find_late(self: MediapipePoseDetector, picture: np.ndarray) -> FramePose:
        assert imported.wait(timeout=60), "nothing imports beside the detector"
        return find(self, picture)

    monkeypatch.setattr(MediapipePoseDetector, "detect_still", find_late)
    assert _run(inputs, tmp_path / "out.mp4", detector="mediapipe")["frames"] == FRAMES


def test_the_same_run_gives_the_same_bytes_and_another_seed_others(inputs, tmp_path):
    for name, seed in (("a.mp4", 1), ("b.mp4", 1), ("c.mp4", 2)):
        _run(inputs, tmp_path / name, seed=seed)
    first, again, other = ((tmp_path / name).read_bytes() for name in ("a.mp4", "b.mp4", "c.mp4"))
    assert first == again
    assert first != other


def test_what_is_planned_is_done_to_the_model(inputs, tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr("magicpose_cli.diffusion.compiled.check_compiler", lambda _: done.append("checked"))
    monkeypatch.setattr("magicpose_cli.diffusion.compiled.compile_blocks", lambda _: done.append("compiled"))
    monkeypatch.setattr("magicpose_cli.jobs.plan.decodes_in_tiles", lambda *_: True)
    monkeypatch.setattr(
        "magicpose_cli.MagicPosePipeline.use_tiles", lambda self, side: done.append(f"tiles of {side}")
    )
    report = _run(inputs, tmp_path / "out.mp4", compile=True)
    assert done == ["checked", "tiles of 512", "compiled"]
    assert report["options"]["compile"] and report["options"]["vae_tiles"]


def test_a_folder_of_pictures_chains_into_the_same_video(inputs, tmp_path):
    _run(inputs, tmp_path / "one.mp4")
    _run(inputs, f"{tmp_path}/frames/")
    assert len(list((tmp_path / "frames").glob("*.png"))) == FRAMES
    arguments = ["encode", str(tmp_path / "frames"), "-o", str(tmp_path / "two.mp4")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_pose_maps_drive_as_they_are(inputs, tmp_path, capsys):
    report = _run(inputs, f"{tmp_path}/frames/", driving="maps")
    assert report["driving"]["kind"] == "pose-maps"
    assert report["fps"] == "25"
    assert "pose maps: they are used as they are" in capsys.readouterr().err
    assert "driving" not in report["detection"]


def test_openpose_json_drives(inputs, tmp_path):
    _sequence().to_openpose_json(tmp_path / "json")
    (tmp_path / "reference.png").write_bytes((inputs / "reference.png").read_bytes())
    options = RetargetOptions(model=str(inputs / "model"), device="cpu")
    report = retarget(tmp_path / "reference.png", tmp_path / "json", tmp_path / "out.gif", options)
    assert report["driving"]["kind"] == "openpose-json"
    assert report["frames"] == FRAMES
    assert probe(tmp_path / "out.gif").num_frames == FRAMES


def test_poses_are_brought_to_the_references_person_unless_told_not_to(inputs, tmp_path, capsys):
    reference = Path(__file__).resolve().parents[2] / "assets" / "examples" / "reference.png"
    Alignment(0.4, 5, 10).apply(_sequence(), 120, 160).save(tmp_path / "far.npz")
    alone = {"model": str(inputs / "model"), "device": "cpu"}
    for name, fit, aligned in (("aligned", "crop", True), ("padded", "pad", True), ("as_is", "crop", False)):
        options = RetargetOptions(**alone, fit=fit, align=aligned, compare=True)
        report = retarget(reference, tmp_path / "far.npz", tmp_path / f"{name}.mp4", options)["alignment"]
        assert report["outcome"] == ("aligned" if aligned else "--no-align")
        said = " ".join(capsys.readouterr().err.split())
        assert ("--no-align" in said) == aligned
        assert ("times as large" in said) == aligned
        assert "crop" not in said  # the reference's half a body is all in its picture, and so are the poses
        if name == "aligned":
            # the middle 120 x 120 of the poses' picture is laid over the 512 x 512 of the reference
            neck = report["scale"] * (np.array([0.4 * 60 + 5, 0.4 * 45 + 10 - 20]) * 512 / 120)
            neck += report["shift_x_px"], report["shift_y_px"]
            found = open_detector("mediapipe").detect_still(load_picture(reference)).body[1, :2]
            np.testing.assert_allclose(neck, found, atol=1)
    first, second = (
        next(iter(FrameReader(tmp_path / f"{name}.compare.mp4"))) for name in ("aligned", "as_is")
    )
    assert (first != second).any()


def test_detected_poses_are_cleaned_unless_told_not_to(inputs, tmp_path):
    examples = Path(__file__).resolve().parents[2] / "assets" / "examples"
    given = {"model": str(inputs / "model"), "device": "cpu", "detector": "mediapipe", "duration_s": 0.5}
    cleaned, found = (
        retarget(
            examples / "reference.png",
            examples / "driving.mp4",
            tmp_path / f"{clean}.mp4",
            RetargetOptions(**given, clean=clean, compare=True),
        )
        for clean in (True, False)
    )
    steady, trembling = (
        np.stack(list(FrameReader(tmp_path / f"{clean}.compare.mp4"))) for clean in (True, False)
    )
    assert (steady != trembling).any()
    assert cleaned["filled_frames"] == {"body": 0, "left_hand": 0, "right_hand": 0, "face": 0}
    assert found["filled_frames"] is None
    assert (found["options"]["clean"], cleaned["options"]["clean"]) == (False, True)


def test_pad_keeps_the_references_shape_and_leaves_no_bars(inputs, tmp_path):
    _run(inputs, f"{tmp_path}/frames/", fit="pad", size="64x64")
    frame = load_picture(tmp_path / "frames" / "0001.png")
    assert frame.shape == (48, 64, 3)  # the reference is 80 x 60


def test_a_part_of_the_driving(inputs, tmp_path):
    report = _run(inputs, tmp_path / "out.mp4", start_s=0.4, duration_s=0.8)
    assert report["frames"] == 10
    assert probe(tmp_path / "out.mp4").duration_s == pytest.approx(0.8, abs=0.01)


def test_frames_without_a_person_are_kept_and_counted(inputs, tmp_path, capsys):
    poses = [_dancer(0), FramePose.empty(), _dancer(2)]
    PoseSequence.from_frames(poses, 120, 160, FPS, "x", "0" * 64).save(tmp_path / "gap.npz")
    options = RetargetOptions(model=str(inputs / "model"), device="cpu")
    report = retarget(inputs / "reference.png", tmp_path / "gap.npz", tmp_path / "out.mp4", options)
    assert report["frames"] == 3
    assert report["detection"]["driving"]["body"] == 2
    assert report["detection"]["per_frame"]["body"] == "101"
    assert "1 of 3 frames show nobody" in capsys.readouterr().err


def test_nobody_in_any_frame_is_refused_before_a_model_loads(inputs, tmp_path):
    PoseSequence.from_frames([FramePose.empty()] * 3, 120, 160, FPS, "x", "0" * 64).save(tmp_path / "no.npz")
    options = RetargetOptions(model=str(inputs / "model"), device="cpu")
    with pytest.raises(PoseError, match="nobody in any of 3 frames"):
        retarget(inputs / "reference.png", tmp_path / "no.npz", tmp_path / "out.mp4", options)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("name", ["out.mp4/", "out.gif/", "out/"])
def test_a_name_that_ends_in_a_slash_is_a_folders(inputs, tmp_path, name, capsys):
    _video_with_sound(tmp_path / "dance.mp4")
    options = RetargetOptions(
        model=str(inputs / "model"), device="cpu", driving_kind="pose-maps", compare=True
    )
    plan = make_plan(inputs / "reference.png", tmp_path / "dance.mp4", f"{tmp_path}/{name}", options)
    assert plan.outputs.is_folder and plan.audio is None
    assert "only an .mp4 can carry it" in capsys.readouterr().err
    assert plan.outputs.compare == tmp_path / f"{name[:-1]}.compare.mp4"


@pytest.mark.parametrize("taken", ["out.mp4", "out.json", "out.compare.mp4"])
def test_what_exists_is_refused_and_kept_without_force(inputs, tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(OutputExistsError, match="--force"):
        _run(inputs, tmp_path / "out.mp4", compare=True)
    assert (tmp_path / taken).read_text() == "mine"
    _run(inputs, tmp_path / "out.mp4", compare=True, force=True)
    assert (tmp_path / taken).read_bytes() != b"mine"


def test_an_output_never_replaces_an_input(inputs, tmp_path):
    for name in ("reference.png", "dance.npz"):
        (tmp_path / name).write_bytes((inputs / name).read_bytes())
    options = RetargetOptions(model=str(inputs / "model"), device="cpu", force=True)
    (tmp_path / "dance.mp4").write_bytes(b"a video")
    for driving, out in (("dance.mp4", tmp_path / "dance.mp4"), ("dance.npz", f"{tmp_path}/")):
        with pytest.raises(OptionError, match=r"apart from the inputs|only earlier results"):
            retarget(tmp_path / "reference.png", tmp_path / driving, out, options)
    assert (tmp_path / "dance.mp4").read_bytes() == b"a video"
    assert (tmp_path / "reference.png").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "33x32"}, "multiples of 8"),
        ({"window": 4, "overlap": 4}, "overlap smaller"),
        ({"device": "cuda:99"}, "a device that this machine has"),
        ({"dtype": "fp16"}, "fp16 on the CPU"),
        ({"start_s": 100.0}, "--start"),
        ({"driving_kind": "dance"}, "driving kind"),
    ],
)
def test_options_that_cannot_be_are_refused(inputs, tmp_path, options, message):
    options = {"device": "cpu", **options}
    with pytest.raises(OptionError, match=message):
        retarget(
            inputs / "reference.png",
            inputs / "dance.npz",
            tmp_path / "out.mp4",
            RetargetOptions(model=str(inputs / "model"), **options),
        )
    assert not list(tmp_path.iterdir())


def _video_with_sound(path: Path, seconds: float = 1.0) -> None:
    """A plain video with a tone, written by PyAV."""
    with av.open(str(path), "w") as out:
        picture = out.add_stream("libx264", rate=10)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        sound = out.add_stream("aac", rate=16000)
        for _ in range(int(10 * seconds)):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            out.mux(picture.encode(frame))
        tone = (np.sin(np.arange(int(16000 * seconds)) / 8) * 8000).astype(np.int16)[None]
        samples = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        samples.sample_rate = 16000
        out.mux(sound.encode(samples))
        out.mux(picture.encode(None))
        out.mux(sound.encode(None))


def test_sound_from_another_file_is_muxed_in(inputs, tmp_path):
    _video_with_sound(tmp_path / "tone.mp4", 3.0)
    report = _run(inputs, tmp_path / "out.mp4", audio_from=tmp_path / "tone.mp4")
    assert report["audio"]["path"] == str(tmp_path / "tone.mp4")
    info = probe(tmp_path / "out.mp4")
    assert info.has_audio
    assert info.duration_s == pytest.approx(float(FRAMES / FPS), abs=0.1)
    with pytest.raises(OptionError, match=r"\.mp4 output"):
        _run(inputs, tmp_path / "silent.gif", audio_from=tmp_path / "tone.mp4")


def test_the_command_prints_the_report_and_exits_2_on_bad_input(inputs, tmp_path):
    given = [str(inputs / "reference.png"), str(inputs / "dance.npz"), "-o", str(tmp_path / "out.mp4")]
    given += ["--model", str(inputs / "model"), "--device", "cpu", "--json"]
    done = CliRunner().invoke(app, ["retarget", *given])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == FRAMES
    again = CliRunner().invoke(app, ["retarget", *given])
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert again.stdout == ""
    assert sum(1 for _ in FrameReader(tmp_path / "out.mp4")) == FRAMES


def test_a_preset_samples_as_the_models_folder_says(inputs, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(inputs / "model", folder)
    index = json.loads((folder / "model_index.json").read_text())
    fast = {"num_inference_steps": 2, "guidance_scale": 1.0, "solver": "unipc"}
    index["sampling"]["presets"] = {"fast": fast}
    (folder / "model_index.json").write_text(json.dumps(index))

    def run(name, **options):
        given = RetargetOptions(model=str(folder), device="cpu", **options)
        return retarget(inputs / "reference.png", inputs / "dance.npz", tmp_path / name, given)["options"]

    chosen = run("fast.mp4", preset="fast")
    assert (chosen["steps"], chosen["guidance"], chosen["solver"]) == (2, 1.0, "unipc")
    overruled = run("overruled.mp4", preset="fast", steps=1)
    assert (overruled["steps"], overruled["solver"]) == (1, "unipc")
    with pytest.raises(OptionError, match=r"\(fast\), found --preset slow"):
        run("slow.mp4", preset="slow")


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(inputs, tmp_path):
    given = [
        "retarget",
        str(inputs / "reference.png"),
        str(inputs / "dance.npz"),
        "-o",
        str(tmp_path / "a.mp4"),
    ]
    given += ["--model", str(inputs / "model"), "--dry-run"]
    told = CliRunner().invoke(app, given)
    assert told.exit_code == 0, told.output
    assert "20 frames of 40x24 px, 3 steps" in told.output
    found = json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)
    assert found["seconds"] > 0
    assert found["weights_mb"] >= 1
    twice = json.loads(CliRunner().invoke(app, [*given, "--json", "--steps", "6"]).stdout)
    assert found["gflop"] < twice["gflop"] <= 2 * found["gflop"] + 1
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_counts_what_the_run_will_have(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("magicpose_cli.jobs.forecast.measure_rates", lambda *_: Rates(1e9, 1e9))
    make_tiny().save_pretrained(tmp_path / "still")
    swaps = {
        "motion_module": inputs / "model" / "motion_adapter",
        "base_unet": inputs / "model" / "unet",
    }
    pictures = {"also": (inputs / "reference.png",)}
    found = []
    for added in ({}, swaps, pictures, {"pose_scale": 0.0}):
        options = RetargetOptions(model=str(tmp_path / "still"), device="cpu", steps=50, overlap=0, **added)
        plan = make_plan(inputs / "reference.png", inputs / "dance.npz", tmp_path / "out.mp4", options)
        found.append(forecast(plan, options))
    alone, moving, two, unposed = (told["gflop"] for told in found)
    assert unposed < alone < two
    assert moving > 1.1 * alone


@pytest.mark.parametrize("wanted", [None, True, False])
@pytest.mark.parametrize("own", ["made", "reference"])
def test_a_dry_run_counts_the_references_details_where_frames_take_them(
    inputs, tmp_path, monkeypatch, own, wanted
):
    monkeypatch.setattr("magicpose_cli.jobs.forecast.measure_rates", lambda *_: Rates(1e12, 1e12))
    monkeypatch.setattr("magicpose_cli.jobs.forecast.measure_details", lambda *_: 100.0)
    model = make_tiny()
    model.register_to_config(sampling=model.sampling.model_copy(update={"details": own}).model_dump())
    model.save_pretrained(tmp_path / "model")
    options = RetargetOptions(model=str(tmp_path / "model"), device="cpu", reference_details=wanted)
    plan = make_plan(inputs / "reference.png", inputs / "dance.npz", tmp_path / "out.mp4", options)
    takes = own == "reference" if wanted is None else wanted
    assert (forecast(plan, options)["seconds"] > 2000) == takes  # of 20 frames


def test_a_batch_for_a_model_that_works_in_windows_is_refused(inputs, tmp_path):
    with pytest.raises(OptionError, match="Use --window"):
        _run(inputs, tmp_path / "out.mp4", batch=4)


def test_the_poses_own_video_gives_the_sound_of_the_same_part(inputs, tmp_path, capsys):
    _video_with_sound(tmp_path / "dance.mp4", 3.0)
    poses = [_dancer(step) for step in range(FRAMES)]
    source = "dance.mp4", sha256_of(tmp_path / "dance.mp4")
    PoseSequence.from_frames(poses, 120, 160, FPS, *source).save(tmp_path / "own.npz")
    shutil.copy(inputs / "dance.npz", tmp_path / "other.npz")
    starts = {}
    for name in ("own", "other"):
        options = RetargetOptions(
            model=str(inputs / "model"), device="cpu", start_s=1.0, audio_from=tmp_path / "dance.mp4"
        )
        plan = make_plan(inputs / "reference.png", tmp_path / f"{name}.npz", tmp_path / "out.mp4", options)
        starts[name] = plan.audio.start_s
    assert starts == {"own": 1.0, "other": 0.0}
    assert capsys.readouterr().err.count("The sound begins where dance.mp4 does") == 1
