"""Sound keeps its place under the picture, copied or encoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from magicpose_cli.errors import VideoError
from magicpose_cli.media.video import AudioSource, FrameReader, open_writer, probe

FRAME_S = 1024 / 44100  # AAC is cut between its frames


def write(path: Path, count: int, audio: AudioSource) -> Path:
    with open_writer(path, 25, audio=audio) as writer:
        for index in range(count):
            writer.write(np.full((16, 16, 3), index % 200, np.uint8))
    return path


def loudness(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(times s, loudness) of each 10 ms as a player plays them."""
    times_s, values = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray()[0]
            for first in range(0, len(samples), 480):
                times_s.append(float(frame.time) + first / frame.sample_rate)
                values.append(float(np.abs(samples[first : first + 480]).mean()))
    return np.array(times_s), np.array(values)


def heard(path: Path) -> tuple[float, float]:
    """When the sound starts and ends, s."""
    times_s, values = loudness(path)
    loud = times_s[values > 0.1]
    return float(loud[0]), float(loud[-1]) + 0.01


def codec_of(path: Path) -> str:
    with av.open(str(path)) as container:
        return container.streams.audio[0].codec_context.codec.canonical_name


@pytest.mark.parametrize(
    ("name", "codec", "kept"),
    [
        ("a.mp4", "aac", True),
        ("a.mp4", "libmp3lame", True),
        ("a.mkv", "ac3", True),
        ("a.mkv", "alac", True),
        ("a.mkv", "libopus", False),
        ("a.mkv", "flac", False),
        ("a.mov", "pcm_s16le", False),
        ("a.ts", "aac", False),
    ],
)
def test_sound_lasts_as_long_as_the_picture(
    tmp_path: Path, grey_video: Callable[..., Path], name: str, codec: str, kept: bool
) -> None:
    source = grey_video(name, [0] * 50, sound_codec=codec)
    out = write(tmp_path / "out.mp4", 50, AudioSource(source))
    assert codec_of(out) == ((codec_of(source)) if kept else "aac")
    first_s, last_s = heard(out)
    assert first_s == pytest.approx(0, abs=0.03)
    assert last_s == pytest.approx(2, abs=0.05)
    assert probe(out).duration_s == 2


def test_copied_packets_are_the_same_packets(tmp_path: Path, shared_media: Path) -> None:
    source = shared_media / "driving" / "drv_fullbody_dance_bluedress.mp4"
    out = write(tmp_path / "out.mp4", 103, AudioSource(source))

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert packets(out) == packets(source)


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_sound_never_outlasts_the_picture(
    tmp_path: Path, grey_video: Callable[..., Path], codec: str
) -> None:
    out = write(tmp_path / "out.mp4", 10, AudioSource(grey_video("a.mkv", [0] * 50, sound_codec=codec)))
    assert loudness(out)[0][-1] < 0.4 + 2 * FRAME_S


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_a_part_of_the_sound(tmp_path: Path, grey_video: Callable[..., Path], codec: str) -> None:
    # one second of tone, delayed by half a second
    source = grey_video("a.mkv", [0] * 25, sound_codec=codec, sound_delay_s=0.5)
    out = write(tmp_path / "whole.mp4", 50, AudioSource(source))
    assert heard(out) == pytest.approx((0.5, 1.5), abs=0.04)
    out = write(tmp_path / "part.mp4", 50, AudioSource(source, start_s=0.3, duration_s=0.8))
    assert heard(out) == pytest.approx((0.2, 0.8), abs=0.05)


def test_sound_and_picture_of_a_part_stay_together(tmp_path: Path, shared_media: Path) -> None:
    source = shared_media / "driving" / "drv_face_expressions_man.mp4"
    reader = FrameReader(source, start_s=2, duration_s=3)
    with open_writer(tmp_path / "a.mp4", reader.fps, audio=AudioSource(source, 2, 3)) as writer:
        for frame in reader:
            writer.write(frame[::8, ::8])

    def samples(path: Path, start_s: float) -> np.ndarray:
        parts = []
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                if start_s <= frame.time < start_s + 2:
                    parts.append(frame.to_ndarray()[0])
        return np.concatenate(parts)[:80_000]

    original, copied = samples(source, 2.5), samples(tmp_path / "a.mp4", 0.5)
    # how far the copy is shifted: the peak of the cross-correlation
    size = len(original)
    spectrum = np.fft.rfft(original, 2 * size) * np.conj(np.fft.rfft(copied[:size], 2 * size))
    shift = int(np.argmax(np.fft.irfft(spectrum)))
    shift = shift - 2 * size if shift > size else shift
    assert abs(shift) <= 1100, "more than one AAC frame away"


def test_files_without_sound(tmp_path: Path, grey_video: Callable[..., Path], shared_media: Path) -> None:
    (tmp_path / "text.mp3").write_text("no music")
    for source, found in (
        (grey_video("a.mp4", [0]), "a file without sound"),
        (tmp_path / "text.mp3", "cannot be decoded"),
        (tmp_path / "missing.mp3", "no such file"),
        (tmp_path, "a folder"),
    ):
        with pytest.raises(VideoError, match=found):
            open_writer(tmp_path / "out.mp4", 25, audio=AudioSource(source))
    # a sound file without video serves
    out = write(tmp_path / "out.mp4", 25, AudioSource(shared_media / "hard" / "hard_audio_only.mp4"))
    assert probe(out).has_audio
