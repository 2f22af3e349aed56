"""Any driving comes as upright frames at a steady rate, or ends in one clear error."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from magicpose_cli.errors import MagicPoseError, OptionError, VideoError
from magicpose_cli.media.pictures import save_picture
from magicpose_cli.media.video import FrameReader, as_rate, open_writer, probe

HARD_VIDEOS = {
    "hard_crowd_from_behind_5frames.mp4": (960, 540, Fraction(5), 5),
    "hard_football_5frames.mp4": (1280, 720, Fraction(30), 5),
    "hard_gif_odd_201x301.gif": (201, 301, Fraction(25, 8), 13),
    "hard_noperson_cat.mp4": (512, 768, Fraction(25), 25),
    "hard_odd_size_355x533.mp4": (355, 533, Fraction(25), 40),
    "hard_rotation_metadata_90.mp4": (360, 640, Fraction(5), 30),
    "hard_single_frame.mp4": (480, 720, Fraction(25), 1),
    "hard_two_men_hug_vfr.mp4": (1920, 1080, Fraction(2160, 77), 72),
    "hard_two_people_handshake.mp4": (1080, 1920, Fraction(12), 40),
    "hard_vfr_dance.mp4": (360, 540, Fraction(1875, 103), 75),
    "hard_exif_rotated_6.jpg": (622, 913, Fraction(25), 1),
}


def greys(frames: Iterable[np.ndarray], step: int = 10) -> list[int]:
    """Which frame each one is, from its grey level."""
    return [round(float(frame.mean()) / step) for frame in frames]


@pytest.mark.parametrize("name", HARD_VIDEOS)
def test_hard_files_that_can_be_read(shared_media: Path, name: str) -> None:
    width_px, height_px, fps, count = HARD_VIDEOS[name]
    reader = FrameReader(shared_media / "hard" / name)
    frames = [frame.shape for frame in reader]
    assert frames == [(height_px, width_px, 3)] * count
    assert (reader.fps, reader.expected_frames) == (fps, count)


def test_every_other_hard_file_ends_in_frames_or_one_error(shared_media: Path) -> None:
    refused = set()
    for path in sorted((shared_media / "hard").iterdir()):
        try:
            shapes = {frame.shape for frame in FrameReader(path, max_frames=3)}
            assert len(shapes) == 1
        except VideoError:
            refused.add(path.name)
    assert refused == {"hard_audio_only.mp4", "hard_truncated.mp4"}


def test_display_rotation(shared_media: Path) -> None:
    path = shared_media / "hard" / "hard_rotation_metadata_90.mp4"
    with av.open(str(path)) as container:
        lying = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.array_equal(next(iter(FrameReader(path))), np.rot90(lying, -1))  # clockwise


def test_the_real_drivings(shared_media: Path) -> None:
    info = probe(shared_media / "driving" / "drv_fullbody_dance_bluedress.mp4")
    assert (info.kind, info.num_frames, info.has_audio, info.variable_rate) == ("video", 103, True, False)
    assert info.duration_s == pytest.approx(4.12)
    assert probe(shared_media / "driving" / "drv_upperbody_signing_phone.mp4").fps == Fraction(359, 12)


def test_decoding_is_plain(shared_media: Path) -> None:
    path = shared_media / "hard" / "hard_noperson_cat.mp4"
    with av.open(str(path)) as container:
        expected = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert all(np.array_equal(a, b) for a, b in zip(FrameReader(path), expected, strict=True))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx-vp9"),
        ("a.mov", "mpeg4"),
        ("a.ts", "libx264"),
        ("a.flv", "flv1"),
        ("a.mpg", "mpeg1video"),
        ("a.h264", "libx264"),  # no timestamps at all
    ],
)
def test_containers(grey_video: Callable[..., Path], name: str, codec: str) -> None:
    reader = FrameReader(grey_video(name, range(0, 200, 10), codec=codec))
    assert greys(reader) == list(range(20))
    assert reader.fps == 25
    assert reader.expected_frames in (20, None if name == "a.h264" else 20)


def test_ntsc_rate_in_a_container_that_rounds_to_milliseconds(grey_video: Callable[..., Path]) -> None:
    reader = FrameReader(grey_video("a.mkv", [0, 10, 20, 30] * 30, fps=Fraction(30000, 1001)))
    assert reader.fps == Fraction(30000, 1001)
    assert not reader.info.variable_rate
    assert greys(reader) == [0, 1, 2, 3] * 30


def test_a_variable_rate_keeps_each_moment(
    grey_video: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    # 8 frames in 16 ticks of 1/25 s: 12.5 frames a second on average
    ticks = [0, 1, 2, 3, 9, 10, 11, 15]
    reader = FrameReader(grey_video("a.mp4", range(0, 80, 10), ticks=ticks))
    assert reader.info.variable_rate
    assert "variable frame rate" in capsys.readouterr().err
    assert reader.fps == Fraction(25, 2)
    # at tick 0, 2, 4, ... 14
    assert greys(reader) == [0, 2, 3, 3, 3, 5, 6, 6]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(gaps=st.lists(st.integers(1, 6), min_size=1, max_size=12), fps=st.sampled_from([None, 5, 10, 25, 60]))
@example(gaps=[1, 2], fps=None)  # a steady rate whose last frame lasts one and a half
@example(gaps=[1, 2], fps=60)
def test_resampling_shows_what_was_on_screen(
    grey_video: Callable[..., Path], gaps: list[int], fps: int | None
) -> None:
    ticks = [0]
    for gap in gaps:
        ticks.append(ticks[-1] + gap)
    reader = FrameReader(
        grey_video("a.mp4", [10 * index for index in range(len(ticks))], ticks=ticks), fps=fps
    )
    seen = greys(reader)
    assert len(seen) == reader.expected_frames
    assert abs(len(seen) / reader.fps - Fraction(reader.info.duration_s)) <= 1 / reader.fps
    if reader.info.variable_rate:
        for place, grey in enumerate(seen):
            at_tick = place * 25 / reader.fps + Fraction(3, 10) * 25 / reader.info.fps
            assert grey == max(index for index, tick in enumerate(ticks) if tick <= at_tick)
    elif fps is None:
        last = len(ticks) - 1
        assert seen == [*range(last), *[last] * (len(seen) - last)]  # a long last frame is repeated
    else:
        assert seen == sorted(seen)


def test_a_camera_with_an_unsteady_clock_stutters_not(grey_video: Callable[..., Path]) -> None:
    early_or_late = [0, 12, 18, 31, 40, 48, 61, 70, 79, 91]
    reader = FrameReader(grey_video("a.mp4", range(0, 100, 10), fps=250, ticks=early_or_late))
    assert greys(reader) == list(range(10))


def test_a_long_last_frame(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), 10 * i) for i in range(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 100, 100, 400])
    reader = FrameReader(tmp_path / "a.gif")
    assert (reader.fps, reader.info.variable_rate, reader.expected_frames) == (10, False, 7)
    assert greys(reader) == [0, 1, 2, 3, 3, 3, 3]


def test_a_rate_start_and_duration(grey_video: Callable[..., Path]) -> None:
    path = grey_video("a.mp4", range(0, 250, 10))  # one second
    assert greys(FrameReader(path, fps=5)) == [0, 5, 10, 15, 20]
    assert greys(FrameReader(path, fps=50, max_frames=5)) == [0, 0, 1, 1, 2]
    assert greys(FrameReader(path, start_s=0.4)) == list(range(10, 25))
    assert greys(FrameReader(path, start_s=0.4, duration_s=0.2)) == [10, 11, 12, 13, 14]
    assert greys(FrameReader(path, duration_s=99)) == list(range(25))
    reader = FrameReader(path, start_s=0.96, fps=5)
    assert greys(reader) == [24] and reader.expected_frames == 1
    with pytest.raises(OptionError, match=r"before the end .* at 1\.00 s"):
        FrameReader(path, start_s=1.0)


@pytest.mark.parametrize(
    "options",
    [{"fps": 0}, {"fps": -5}, {"fps": float("nan")}, {"start_s": -1}, {"duration_s": 0}, {"max_frames": 0}],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, float]) -> None:
    # before the file is looked at
    with pytest.raises(OptionError):
        FrameReader(tmp_path / "missing.mp4", **options)


def test_rates() -> None:
    assert as_rate("25") == 25
    assert as_rate(29.97) == as_rate("29.97") == as_rate("30000/1001") == Fraction(30000, 1001)
    assert as_rate(12.5) == Fraction(25, 2)
    assert as_rate(Fraction(2997, 100)) == Fraction(2997, 100)
    for wrong in ("fast", "1/0", "0", "1e9", "0.000001", Fraction(1, 10**9)):
        with pytest.raises(OptionError, match="frame rate"):
            as_rate(wrong)
    assert as_rate("0.00001") == Fraction(1, 100_000)


def test_pixels_that_are_not_square(grey_video: Callable[..., Path]) -> None:
    reader = FrameReader(grey_video("a.mp4", [0, 10], pixel_aspect=Fraction(4, 3), size=(96, 64)))
    assert (reader.info.width_px, reader.info.height_px) == (128, 64)
    assert [frame.shape for frame in reader] == [(64, 128, 3)] * 2


def test_a_reader_can_be_read_again(grey_video: Callable[..., Path]) -> None:
    reader = FrameReader(grey_video("a.mp4", [0, 10, 20]))
    assert greys(reader) == greys(reader) == [0, 1, 2]


def test_a_folder_in_natural_order(tmp_path: Path) -> None:
    for index in (1, 2, 10, 11):
        save_picture(tmp_path / f"f{index}.png", np.full((8, 6, 3), index * 10, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_text("no picture either")
    reader = FrameReader(tmp_path)
    assert greys(reader) == [1, 2, 10, 11]
    assert (reader.fps, reader.info.kind, reader.expected_frames) == (25, "folder", 4)
    # pictures have no times: a rate leaves none of them out
    assert len(list(FrameReader(tmp_path, fps=5))) == 4


def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="a folder without pictures"):
        FrameReader(tmp_path)
    save_picture(tmp_path / "1.png", np.zeros((8, 6, 3), np.uint8))
    save_picture(tmp_path / "2.png", np.zeros((8, 7, 3), np.uint8))
    with pytest.raises(VideoError, match=r"6x8 \(1\.png\) and 7x8 \(2\.png\)"):
        FrameReader(tmp_path)
    (tmp_path / "2.png").write_text("text")
    with pytest.raises(VideoError, match=r"2\.png.*no picture"):
        FrameReader(tmp_path)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_animations(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (9, 7), (10 * i,) * 3) for i in range(4)]
    options = {"lossless": True} if name == "a.webp" else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=40, **options)
    reader = FrameReader(tmp_path / name)
    assert reader.info.kind == "gif"
    assert (reader.fps, greys(reader)) == (25, [0, 1, 2, 3])


def test_uneven_delays_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), 10 * i) for i in range(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 300, 100, 300])
    reader = FrameReader(tmp_path / "a.gif")
    assert (reader.fps, reader.info.variable_rate, reader.info.duration_s) == (5, True, 0.8)
    assert greys(reader) == [0, 1, 2, 3]
    assert greys(FrameReader(tmp_path / "a.gif", fps=10)) == [0, 1, 1, 1, 2, 3, 3, 3]


def test_transparency_of_an_animation_lies_over_white(tmp_path: Path) -> None:
    frames = [Image.new("RGBA", (8, 8), (255, 0, 0, 0)), Image.new("RGBA", (8, 8), (255, 0, 0, 255))]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=40, lossless=True)
    first, second = FrameReader(tmp_path / "a.webp")
    assert first[0, 0].tolist() == [255, 255, 255]
    assert second[0, 0].tolist() == [255, 0, 0]


def test_what_is_no_video(tmp_path: Path, grey_video: Callable[..., Path]) -> None:
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\na.mp4\n#EXT-X-ENDLIST\n"
    grey_video("a.mp4", [0, 10])
    for name, text, found in (
        ("text.mp4", "hello\n" * 50, "cannot be decoded"),
        ("notes.txt", "hello world\n" * 50, "typewriter"),
        ("list.mp4", "ffconcat version 1.0\nfile a.mp4\n", "concatenation script"),
        ("list.m3u8", playlist, "Streaming"),
        ("empty.mp4", "", "an empty file"),
        ("missing.mp4", None, "no such file"),
    ):
        if text is not None:
            (tmp_path / name).write_text(text)
        with pytest.raises(VideoError, match=found):
            FrameReader(tmp_path / name)


def test_files_that_are_cut_off(tmp_path: Path, grey_video: Callable[..., Path]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, 50).tolist()
    whole = grey_video("a.mp4", noise, options={"movflags": "faststart"}).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(VideoError, match=r"data for \d+ of the 50 frames"):
        FrameReader(tmp_path / "cut.mp4")
    frames = [Image.effect_noise((64, 64), 90 + i) for i in range(9)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=40)
    (tmp_path / "cut.gif").write_bytes((tmp_path / "a.gif").read_bytes()[:9000])
    with pytest.raises(VideoError, match="broken data"):
        FrameReader(tmp_path / "cut.gif")


def test_broken_data_in_the_middle(tmp_path: Path, shared_media: Path) -> None:
    data = bytearray((shared_media / "driving" / "drv_fullbody_dance_bluedress.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 60_000] = (
        np.random.default_rng(0).integers(0, 256, 60_000, dtype=np.uint8).tobytes()
    )
    (tmp_path / "broken.mp4").write_bytes(data)
    count = 0
    with pytest.raises(MagicPoseError, match=r"broken data after \d+ frames"):
        for _ in FrameReader(tmp_path / "broken.mp4"):
            count += 1
    assert 10 < count < 103


@pytest.mark.parametrize("suffix", [".h264", ".ts"])
def test_a_video_whose_size_changes_is_not_called_broken(
    tmp_path: Path, grey_video: Callable[..., Path], suffix: str
) -> None:
    parts = [
        grey_video(f"{width_px}{suffix}", [90] * 9, size=(width_px, 48)).read_bytes() for width_px in (64, 96)
    ]
    (tmp_path / f"two{suffix}").write_bytes(b"".join(parts))
    with pytest.raises(VideoError, match=r"frames of one size .* found 64x48 and 96x48"):
        list(FrameReader(tmp_path / f"two{suffix}"))


def test_music_with_a_cover_is_no_video(tmp_path: Path, grey_video: Callable[..., Path]) -> None:
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=48000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame(16, 16, "yuvj420p")))
        container.mux(cover.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        silence.sample_rate = 48000
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    with pytest.raises(VideoError, match="only sound"):
        probe(tmp_path / "a.m4a")


@pytest.mark.parametrize("start_s", ["0.3", "1.1"])
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_video_that_was_trimmed_without_encoding_it_anew(tmp_path: Path, suffix: str, start_s: str) -> None:
    with open_writer(tmp_path / "whole.mp4", 25) as writer:
        for index in range(75):
            writer.write(np.full((32, 32, 3), 3 * index, np.uint8))
    # key frames every 0.4 s, and an edit list that begins and ends between them: what a phone's trimming leaves
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
    whole, trimmed = tmp_path / "keys.mp4", tmp_path / f"trimmed.{suffix}"
    encoder = ["-c:v", "libx264", "-g", "10", "-crf", "4"]
    subprocess.run(
        [*ffmpeg, "-i", str(tmp_path / "whole.mp4"), *encoder, "-f", suffix, str(whole)], check=True
    )
    data = bytearray(whole.read_bytes())
    place = data.index(b"elst")
    assert data[place + 4] == 0 and int.from_bytes(data[place + 8 : place + 12], "big") == 1
    with av.open(str(whole)) as container:
        scale = container.streams.video[0].time_base.denominator
    first = int.from_bytes(data[place + 16 : place + 20], "big") + int(float(start_s) * scale)
    data[place + 12 : place + 16] = (1000).to_bytes(4, "big")  # 1 s, in the file's milliseconds
    data[place + 16 : place + 20] = first.to_bytes(4, "big")
    trimmed.write_bytes(data)
    frames = greys(FrameReader(trimmed), step=3)
    shown = round(float(start_s) * 25)
    assert probe(trimmed).num_frames == len(frames) == 25
    assert frames[0] == pytest.approx(shown, abs=1) and np.all(np.diff(frames) == 1)
    trimmed.write_bytes(data[: int(len(data) * 0.6)])
    with pytest.raises(VideoError):
        probe(trimmed)


def test_an_animation_is_turned_upright_and_has_one_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.new("RGB", (60, 40), (grey, grey, grey)) for grey in (0, 100, 200)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=100, exif=exif)
    info = probe(tmp_path / "a.png")
    assert (info.width_px, info.height_px) == (40, 60)
    assert [frame.shape for frame in FrameReader(tmp_path / "a.png")] == [(60, 40, 3)] * 3
    frames[1] = frames[1].resize((30, 40))
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(VideoError, match="60x40 and 30x40"):
        list(FrameReader(tmp_path / "a.tif"))
