"""The sound of one file, laid under the frames of another.

Where MP4 can carry the source's codec, its packets are copied as they are; any other sound is encoded
to AAC anew. Time zero is the first video frame of the source (of a file without video: its first
sample), as in `FrameReader`, so that picture and sound stay together.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import VideoError
from .probe import open_container, shown_streams
from .reader import exact_s

# codecs that MP4 carries and common players play
_COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_BITS_A_S = 160_000


@dataclass(frozen=True)
class AudioSource:
    """Which sound to take.

    Attributes:
        path: a video or sound file.
        start_s: where to start in it.
        duration_s: how much of it; None takes what there is. It never outlasts the picture.
    """

    path: str | os.PathLike[str]
    start_s: float = 0.0
    duration_s: float | None = None


class SoundTrack:
    """An audio stream in an MP4 that is being written.

    Args:
        source: the sound.
        output: PyAV's output container; the stream is added to it here, before the first packet.

    Raises:
        VideoError: no file, or none with sound.
    """

    def __init__(self, source: AudioSource, output: Any) -> None:
        self._path, self._output = Path(source.path), output
        self._input, self._stream = _open_sound(self._path)
        self._start_s = exact_s(source.start_s)
        self._stop_s: Fraction | None = None
        if source.duration_s is not None:
            self._stop_s = self._start_s + exact_s(source.duration_s)
        self._waiting: tuple[Fraction, Any] | None = None
        if _can_copy(self._stream):
            self._out = output.add_stream_from_template(self._stream)
            self._packets = self._copied()
        else:
            rate_hz = self._stream.rate if self._stream.rate in _AAC_RATES_HZ else 48000
            self._out = output.add_stream("aac", rate=rate_hz)
            self._out.layout = "mono" if self._stream.channels == 1 else "stereo"
            self._out.bit_rate = _AAC_BITS_A_S
            self._packets = self._encoded()

    def mux_until(self, time_s: Fraction) -> None:
        """Write the packets that start before this time of the picture, s."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None or self._waiting[0] >= time_s:
                return
            self._output.mux(self._waiting[1])
            self._waiting = None

    def close(self) -> None:
        """Close the source."""
        self._packets.close()
        self._input.close()

    def _copied(self) -> Generator[tuple[Fraction, Any], None, None]:
        """(start in the picture's time, packet); the first ones may begin before zero."""
        origin_s = self._origin_s() + self._start_s
        time_base = Fraction(self._stream.time_base)
        shift = round(origin_s / time_base)
        for packet in self._demux():
            if packet.pts is None:
                continue
            start_s = packet.pts * time_base - origin_s
            # a decoder needs the packet before the first one that is heard; MP4's edit list hides it
            if start_s < 0 and start_s + 2 * (packet.duration or 0) * time_base < 0:
                continue
            if self._stop_s is not None and start_s >= self._stop_s - self._start_s:
                return
            packet.pts -= shift
            packet.dts = packet.pts
            packet.stream = self._out
            yield start_s, packet

    def _encoded(self) -> Generator[tuple[Fraction, Any], None, None]:
        """(start in the picture's time, AAC packet), trimmed to the sample."""
        context = self._out.codec_context
        rate_hz = context.sample_rate
        resampler = av.AudioResampler(format="fltp", layout=context.layout, rate=rate_hz, frame_size=1024)
        origin_s = self._origin_s() + self._start_s
        graph_end = None if self._stop_s is None else round((self._stop_s - self._start_s) * rate_hz)
        for frame in self._trimmed(resampler, origin_s, rate_hz, graph_end):
            for packet in context.encode(frame):
                packet.stream = self._out
                yield packet.pts * Fraction(packet.time_base), packet
        for packet in context.encode(None):
            packet.stream = self._out
            yield packet.pts * Fraction(packet.time_base), packet

    def _trimmed(
        self, resampler: Any, origin_s: Fraction, rate_hz: int, end_sample: int | None
    ) -> Iterator[Any]:
        """Frames of samples with times counted from the origin; what lies outside is cut off."""
        position: int | None = None
        for decoded in self._decoded():
            if position is None and decoded.pts is not None:
                position = round((decoded.pts * Fraction(decoded.time_base) - origin_s) * rate_hz)
            decoded.pts = None
            for frame in resampler.resample(decoded):
                samples = frame.to_ndarray()
                position = position or 0
                first = max(0, -position)
                last = (
                    samples.shape[1] if end_sample is None else min(samples.shape[1], end_sample - position)
                )
                if first < last:
                    kept = av.AudioFrame.from_ndarray(
                        np.ascontiguousarray(samples[:, first:last]), format="fltp", layout=frame.layout.name
                    )
                    kept.sample_rate, kept.pts, kept.time_base = (
                        rate_hz,
                        position + first,
                        Fraction(1, rate_hz),
                    )
                    yield kept
                position += samples.shape[1]

    def _decoded(self) -> Iterator[Any]:
        try:
            yield from self._input.decode(self._stream)
        except av.FFmpegError as error:
            raise _broken(self._path, error) from error

    def _demux(self) -> Iterator[Any]:
        try:
            yield from (packet for packet in self._input.demux(self._stream) if packet.size)
        except av.FFmpegError as error:
            raise _broken(self._path, error) from error

    def _origin_s(self) -> Fraction:
        """The source's time that counts as zero."""
        stream = next(iter(shown_streams(self._input)), self._stream)
        return (stream.start_time or 0) * Fraction(stream.time_base)


def check_sound(path: str | os.PathLike[str]) -> None:
    """Raise VideoError if there is no file with sound at `path`."""
    container, _ = _open_sound(Path(path))
    container.close()


def _open_sound(path: Path) -> tuple[Any, Any]:
    if not path.is_file():
        raise _no_sound(path, "a folder" if path.is_dir() else "no such file")
    try:
        container = open_container(path)
    except (av.FFmpegError, UnicodeDecodeError) as error:
        raise _no_sound(path, "something that cannot be decoded") from error
    if not container.streams.audio:
        container.close()
        raise _no_sound(path, "a file without sound")
    return container, container.streams.audio[0]


def _can_copy(stream: Any) -> bool:
    context = stream.codec_context
    name = context.codec.canonical_name  # mp3, whichever decoder is at work
    # AAC from a transport stream lacks the header that MP4 needs
    return name in _COPIED_CODECS and (name != "aac" or bool(context.extradata))


def _no_sound(path: Path, found: str) -> VideoError:
    return VideoError(expected=f"a file with sound at {path}", found=found, remedy="Choose another file.")


def _broken(path: Path, error: Exception) -> VideoError:
    return VideoError(
        expected=f"a sound track that can be read to its end in {path}",
        found=f"broken data ({error})",
        remedy="Use another file, or leave the sound out.",
    )
