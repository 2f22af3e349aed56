"""Small videos made on the spot, and the way to the real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

SHARED_MEDIA = Path(__file__).parents[2].parent / "shared" / "media"


@pytest.fixture
def shared_media() -> Path:
    if not SHARED_MEDIA.is_dir():
        pytest.skip("../shared/media is not beside this checkout")
    return SHARED_MEDIA


@pytest.fixture
def grey_video(tmp_path: Path) -> Callable[..., Path]:
    """Make a video whose frame i is of one grey: its level tells which frame one sees."""

    def make(
        name: str,
        greys: Sequence[int],
        fps: Fraction | int = 25,
        ticks: Sequence[int] | None = None,
        codec: str = "libx264",
        sound_codec: str | None = None,
        sound_delay_s: float = 0.0,
        size: tuple[int, int] = (64, 48),
        pixel_aspect: Fraction | None = None,
        options: dict[str, str] | None = None,
    ) -> Path:
        """`ticks`: when each frame starts, in units of 1 / fps; default one after the other."""
        path = tmp_path / name
        with av.open(str(path), "w", options=options or {}) as container:
            video = container.add_stream(codec, rate=fps)
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
            video.codec_context.time_base = 1 / Fraction(fps)
            if pixel_aspect:
                video.codec_context.sample_aspect_ratio = pixel_aspect
            sound = None
            if sound_codec:
                sound = container.add_stream(sound_codec, rate=48000)
                sound.layout = "stereo"
            for tick, grey in zip(ticks or range(len(greys)), greys, strict=True):
                picture = np.full((size[1], size[0], 3), grey, dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = tick, 1 / Fraction(fps)
                packets = video.encode(frame)
                for packet in packets:
                    packet.duration = packet.duration or 1
                container.mux(packets)
            container.mux(video.encode(None))
            if sound is not None:
                _write_tone(container, sound, len(greys) / Fraction(fps), sound_delay_s)
        return path

    return make


def _write_tone(
    container: av.container.OutputContainer, stream: av.AudioStream, length_s: float, delay_s: float
) -> None:
    """440 Hz for as long as the video lasts."""
    times_s = np.arange(round(48000 * float(length_s))) / 48000
    wave = np.stack([np.sin(2 * np.pi * 440 * times_s)] * 2).astype(np.float32) * 0.5
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = 48000, round(48000 * delay_s)
    frame.time_base = Fraction(1, 48000)
    context = stream.codec_context
    resampler = av.AudioResampler(
        format=context.format.name, layout="stereo", rate=48000, frame_size=context.frame_size or 1024
    )
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))
