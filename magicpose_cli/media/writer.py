"""Frames out: an MP4, a GIF or a folder of PNG pictures, whole or not at all.

The same frames, rate and sound give the same bytes: the encoder's threads are fixed, and no file
carries a date.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from PIL import Image

from .. import console
from ..errors import MagicPoseError, MissingDependencyError, OptionError
from .atomic import check_file_output, check_folder_output, write_file, write_folder
from .reader import as_rate
from .sound import AudioSource, SoundTrack, check_sound

# crf 18: no loss that the eye sees. mbtree reads memory that it has not written (seen with MALLOC_PERTURB_),
# and then the same frames give other bytes
_X264 = {"crf": "18", "preset": "medium", "x264-params": "mbtree=0"}
_X264_THREADS = 4  # part of the bytes, so the same on every machine
_ACCURATE = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_GIF_HIGHEST_FPS = 50  # a shorter delay than 0.02 s is shown as 0.1 s by browsers

OutputKind = Literal["mp4", "gif", "folder"]


class FrameWriter(Protocol):
    """What `open_writer` gives inside its `with` block."""

    def write(self, frame: np.ndarray) -> None:
        """Add one frame, uint8 (H W 3), RGB, of the same size as the first."""

    def add_report(self, text: str) -> None:
        """Put a ``report.json`` among a folder's frames; a ValueError where the result is no folder."""


def output_kind(out: str | os.PathLike[str]) -> OutputKind:
    """What an output path asks for: `.mp4`, `.gif`, or a folder (it ends in / or has no suffix).

    Raises:
        OptionError: another suffix.
    """
    suffix = Path(out).suffix.lower()
    if str(out).endswith(("/", os.sep)) or not suffix:
        return "folder"
    if suffix == ".mp4":
        return "mp4"
    if suffix == ".gif":
        return "gif"
    raise OptionError(
        expected="an output that ends in .mp4, .gif or / (a folder of PNG pictures)",
        found=str(out),
        remedy="Change its name.",
    )


def check_output(
    out: str | os.PathLike[str], overwrite: bool = False, audio: AudioSource | None = None
) -> OutputKind:
    """Raise before any work what `open_writer` would raise; arguments and errors as there."""
    kind = output_kind(out)
    if kind == "folder":
        check_folder_output(out, overwrite, _is_our_frame)
    else:
        check_file_output(out, overwrite)
    if kind == "gif":
        _ffmpeg()
    if audio is not None:
        if kind != "mp4":
            raise OptionError(
                expected="an .mp4 output for the sound", found=str(out), remedy="Leave the sound out."
            )
        check_sound(audio.path)
    return kind


def open_writer(
    out: str | os.PathLike[str],
    fps: Fraction | float,
    overwrite: bool = False,
    audio: AudioSource | None = None,
) -> AbstractContextManager[FrameWriter]:
    """Open a writer for frames: `with open_writer(...) as writer: writer.write(frame)`.

    The result appears, whole, when the block ends well.

    Args:
        out: `.mp4`: H.264 (yuv420p, BT.709, index at the front); frames of odd width or height get their
            last column or row twice, since yuv420p knows even sizes only. `.gif`: one palette for all
            frames, endless. A folder (path ends in / or has no suffix): 0001.png, 0002.png, ...
        fps: frames a second.
        overwrite: replace what is there. A folder is replaced as a whole, and only if nothing but
            numbered PNGs and report.json is in it.
        audio: sound for an MP4, cut to the picture's length.

    Raises:
        OutputExistsError: `out` exists and `overwrite` is False.
        OptionError: another suffix, a rate or place that cannot be, or sound for what has none.
        MissingDependencyError: no ffmpeg program for a GIF.
        VideoError: the sound's file has none.
    """
    check_output(out, overwrite, audio)  # now, not when the block is entered
    return _writing(Path(out), output_kind(out), as_rate(fps), overwrite, audio)


@contextmanager
def _writing(
    out: Path, kind: OutputKind, fps: Fraction, overwrite: bool, audio: AudioSource | None
) -> Iterator[FrameWriter]:
    """The result appears when the block ends well; what is unfinished is removed if it does not."""
    with ExitStack() as stack:
        writer: _Writer
        if kind == "folder":
            writer = _FolderWriter(stack.enter_context(write_folder(out, overwrite, _is_our_frame)))
        elif kind == "gif":
            writer = _GifWriter(stack.enter_context(write_file(out, overwrite)), fps)
        else:
            writer = _Mp4Writer(stack.enter_context(write_file(out, overwrite)), fps, audio)
        with closing(writer):
            yield writer
            if writer.count == 0:
                raise MagicPoseError(expected="frames to write", found="none", remedy="Check the input.")
            writer.finish()


class _Writer(ABC):
    """What the three have in common: frames are counted and have one size."""

    def __init__(self) -> None:
        self.count = 0
        self._shape: tuple[int, ...] | None = None

    def write(self, frame: np.ndarray) -> None:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"expected uint8 (H W 3), got {frame.dtype} {frame.shape}")
        if self._shape is None:
            self._shape = frame.shape
        elif frame.shape != self._shape:
            raise ValueError(f"expected frames of one size, got {self._shape} and {frame.shape}")
        self._add(np.ascontiguousarray(frame))
        self.count += 1

    @abstractmethod
    def _add(self, frame: np.ndarray) -> None:
        """Take one checked frame; `count` is its index."""

    def add_report(self, text: str) -> None:
        """Put a ``report.json`` among a folder's frames."""
        raise ValueError("only a folder holds a report")

    def finish(self) -> None:  # noqa: B027
        """Write what must follow the last frame; a folder needs nothing."""

    def close(self) -> None:  # noqa: B027
        """Let go of open files, also of unfinished ones; a folder has none."""


class _FolderWriter(_Writer):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def _add(self, frame: np.ndarray) -> None:
        Image.fromarray(frame).save(self._folder / f"{self.count + 1:04d}.png", "PNG")

    def add_report(self, text: str) -> None:
        (self._folder / "report.json").write_text(text, encoding="utf-8")


class _Mp4Writer(_Writer):
    def __init__(self, temporary: Path, fps: Fraction, audio: AudioSource | None) -> None:
        super().__init__()
        self._fps, self._audio = fps, audio
        self._container = av.open(
            os.path.abspath(temporary), "w", format="mp4", options={"movflags": "faststart"}
        )
        self._sound: SoundTrack | None = None
        self._reformatter = VideoReformatter()

    def _add(self, frame: np.ndarray) -> None:
        height_px, width_px = frame.shape[:2]
        # yuv420p halves the colour's resolution: odd sizes get their last row or column once more
        frame = np.pad(frame, ((0, height_px % 2), (0, width_px % 2), (0, 0)), mode="edge")
        if self.count == 0:
            self._add_streams(frame.shape[1], frame.shape[0])
        picture = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(frame, format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_ACCURATE,
        )
        picture.pts, picture.time_base = self.count, 1 / self._fps
        self._mux(self._video.encode(picture))

    def _add_streams(self, width_px: int, height_px: int) -> None:
        self._video = self._container.add_stream("libx264", rate=self._fps, options=dict(_X264))
        context = self._video.codec_context
        context.width, context.height, context.pix_fmt = width_px, height_px, "yuv420p"
        context.time_base, context.thread_count = 1 / self._fps, _X264_THREADS
        context.color_primaries = context.color_trc = context.colorspace = 1  # BT.709
        context.color_range = int(ColorRange.MPEG)
        if self._audio is not None:
            self._sound = SoundTrack(self._audio, self._container)

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.duration = 1  # in units of the encoder's time base
            if self._sound is not None:
                # sound before picture, in the order of time, so that a player need not seek
                self._sound.mux_until(max(packet.dts, 0) / self._fps)
            self._container.mux(packet)

    def finish(self) -> None:
        self._mux(self._video.encode(None))
        if self._sound is not None:
            self._sound.mux_until(self.count / self._fps)
        self._container.close()

    def close(self) -> None:
        if self._sound is not None:
            self._sound.close()
        self._container.close()


class _GifWriter(_Writer):
    """A palette needs all frames before the first is written: they wait in a lossless file beside it."""

    def __init__(self, temporary: Path, fps: Fraction) -> None:
        super().__init__()
        self._ffmpeg = _ffmpeg()
        temporary = Path(
            os.path.abspath(temporary)
        )  # or FFmpeg takes what stands before a colon for a protocol
        self._temporary, self._fps = temporary, fps
        self._frames = temporary.with_name(f"{temporary.name.removesuffix('.part')}.frames.part")
        self._palette = temporary.with_name(f"{temporary.name.removesuffix('.part')}.palette.part")
        self._container = av.open(str(self._frames), "w", format="nut")
        if fps > _GIF_HIGHEST_FPS:
            console.say(f"A GIF shows at most {_GIF_HIGHEST_FPS} frames a second: some are left out.")

    def _add(self, frame: np.ndarray) -> None:
        if self.count == 0:
            self._video = self._container.add_stream("ffv1", rate=self._fps)
            self._video.width, self._video.height, self._video.pix_fmt = (
                frame.shape[1],
                frame.shape[0],
                "bgr0",
            )
            self._video.codec_context.time_base = 1 / self._fps
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")
        picture.pts, picture.time_base = self.count, 1 / self._fps
        self._container.mux(self._video.encode(picture))

    def finish(self) -> None:
        self._container.mux(self._video.encode(None))
        self._container.close()
        rate = f"fps={_GIF_HIGHEST_FPS}," if self._fps > _GIF_HIGHEST_FPS else ""
        frames, palette = ["-i", str(self._frames)], ["-f", "image2pipe", "-i", str(self._palette)]
        self._run(*frames, "-vf", f"{rate}palettegen", "-f", "image2pipe", "-c:v", "png", str(self._palette))
        # the muxer counts in 0.01 s and rounds the times, not the delays: the length stays right
        use = f"[0:v]{rate}null[v];[v][1:v]paletteuse=dither=sierra2_4a"
        self._run(*frames, *palette, "-filter_complex", use, "-loop", "0", "-f", "gif", str(self._temporary))

    def _run(self, *arguments: str) -> None:
        # one thread in filters: the same bytes on every machine
        command = [self._ffmpeg, "-nostdin", "-v", "error", "-y", "-filter_threads", "1", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MagicPoseError(
                expected="a GIF from ffmpeg",
                found=done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message",
                remedy="Write an .mp4 or a folder of pictures instead.",
            )

    def close(self) -> None:
        try:
            self._container.close()
        finally:
            self._frames.unlink(missing_ok=True)
            self._palette.unlink(missing_ok=True)


def _ffmpeg() -> str:
    """The ffmpeg program that imageio-ffmpeg brings, or the one it finds."""
    try:
        import imageio_ffmpeg

        program = imageio_ffmpeg.get_ffmpeg_exe()
        if shutil.which(program) is None:  # what its environment variable names is not looked at
            raise RuntimeError(f"no program at {program}")
        return program
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError(
            expected="the ffmpeg program of imageio-ffmpeg, for GIF",
            found=str(error),
            remedy="Run `pip install imageio-ffmpeg`, or write an .mp4.",
        ) from error


def _is_our_frame(entry: Path) -> bool:
    return entry.is_file() and (
        entry.name == "report.json" or re.fullmatch(r"\d{4,}\.png", entry.name) is not None
    )
