"""What a driving is: its kind, size, rate and length, found before any long work starts.

Times are measured from packets, not taken from headers: a phone's video seldom has the steady rate
that its header claims. All times are seconds after the first frame, as exact fractions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from .. import console
from ..errors import PictureError, VideoError
from .files import natural_key, why_unreadable
from .pictures import PICTURE_SUFFIXES, READABLE_FORMATS

FOLDER_FPS = Fraction(25)  # pictures have no rate of their own
_ANIMATION_DELAY_S = Fraction(
    1, 10
)  # what browsers take for a frame that names no delay, or one below 0.02 s
_LOWEST_DELAY_S = Fraction(2, 100)
# how far from its place a frame may start, as a share of a frame: cameras and containers are not exact
JITTER = Fraction(3, 10)
# read as video by FFmpeg, but scripts that name other files, or plain text
_NOT_VIDEOS = frozenset({"concat", "hls", "dash", "imf", "tty", "lavfi", "image2", "image2pipe"})
# a header's rate or a mean: numbers beyond these come from broken headers
_LOWEST_FPS, _HIGHEST_FPS = Fraction(1, 100), Fraction(1000)

Kind = Literal["video", "gif", "folder", "picture"]


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a driving before its frames are read.

    Attributes:
        path: where it lies.
        kind: `video`, `gif` (any animation), `folder` (of pictures) or `picture`.
        width_px, height_px: size of a frame as it is shown: rotated, with square pixels.
        fps: frames a second, exact; of a variable rate the average.
        num_frames: frames that it shows, or None where only reading it would tell.
        duration_s: from the first frame's start to the last frame's end; 0 where it is not known.
        has_audio: whether there is a sound track.
        variable_rate: whether the frames come at uneven times.
    """

    path: Path
    kind: Kind
    width_px: int
    height_px: int
    fps: Fraction
    num_frames: int | None
    duration_s: float
    has_audio: bool
    variable_rate: bool


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Look at a video, an animation, a folder of pictures or one picture.

    Reads the packets of a video once (not decoding them) and decodes its first frame.

    Raises:
        VideoError: nothing there, nothing to see in it, a file that is cut off, or a folder of
            pictures of unequal sizes.
    """
    path = Path(path)
    if os.path.isdir(path):
        return _probe_folder(path)
    found = why_unreadable(path)
    if found is not None:
        raise _no_video(path, found)
    return _probe_image(path) or _probe_video(path)


def folder_pictures(path: Path) -> list[Path]:
    """The pictures directly in a folder, in natural order; hidden files are no part of it."""
    found = [
        entry for entry in path.iterdir() if entry.suffix.lower() in PICTURE_SUFFIXES and entry.is_file()
    ]
    return sorted(
        (entry for entry in found if entry.name[0] != "."), key=lambda entry: natural_key(entry.name)
    )


@contextmanager
def open_image(path: Path) -> Iterator[Any]:
    """Open with Pillow; unreadable files, broken data and pictures of too many pixels become one VideoError."""
    try:
        with Image.open(path, formats=READABLE_FORMATS) as image:
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or image.width * image.height):
                raise _no_video(path, f"{image.width}x{image.height} px", "Scale it down first.")
            yield image
    except (VideoError, PictureError, UnidentifiedImageError):
        raise
    except Exception as error:  # a format's decoder may raise anything on broken data
        refused = why_unreadable(path)
        if refused is not None:
            raise _no_video(path, refused) from error
        found = f"broken data ({str(error) or type(error).__name__})"
        raise _no_video(path, found, "Export or download it again.") from error


def open_container(path: Path, **options: str) -> Any:
    """PyAV's container for a file, read with the `file` protocol alone, and more of FFmpeg's options."""
    return av.open(os.path.abspath(path), options={"protocol_whitelist": "file", **options})


@contextmanager
def open_video(path: Path, **options: str) -> Iterator[tuple[Any, Any]]:
    """`open_container`, of what has pictures: (container, its video stream).

    Raises:
        VideoError: no container that FFmpeg knows, or no video stream in it; FFmpeg's errors inside
            of the block, too.
    """
    try:
        with open_container(path, **options) as container:
            if _NOT_VIDEOS & set(container.format.name.split(",")):
                raise _no_video(path, f"a {container.format.long_name}")
            streams = shown_streams(container)
            if not streams:
                found = "only sound" if container.streams.audio else "no video stream"
                raise _no_video(path, found, "Give a file that has pictures.")
            yield container, streams[0]
    except (av.FFmpegError, UnicodeDecodeError) as error:
        found = f"something that cannot be decoded ({getattr(error, 'strerror', None) or error})"
        raise _no_video(path, found, "It is damaged or no video; export or download it again.") from error


def shown_streams(container: Any) -> list[Any]:
    """A container's video streams but for covers, which music files carry as a video of one picture."""
    cover = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & cover]


def display_matrix(frame: Any) -> tuple[bool, bool, bool]:
    """How a decoded frame is turned for display: (swap the axes, then mirror x, then mirror y)."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    # x' = a x + c y, y' = b x + d y, row vectors, 16.16 fixed point
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def animation_delay(image: Any) -> Fraction:
    """How long Pillow's current frame is shown, s."""
    delay_s = Fraction(image.info.get("duration") or 0).limit_denominator(1000) / 1000
    return delay_s if delay_s >= _LOWEST_DELAY_S else _ANIMATION_DELAY_S


def square_size(frame: Any, stream: Any) -> tuple[int, int]:
    """Width and height in px that a decoded frame needs for square pixels, before it is turned."""
    aspect = stream.sample_aspect_ratio
    if not aspect or aspect == 1:
        return frame.width, frame.height
    return max(1, round(frame.width * aspect)), frame.height


def _no_video(path: Path, found: str, remedy: str = "Check the path.") -> VideoError:
    return VideoError(expected=f"a video, GIF or folder of pictures at {path}", found=found, remedy=remedy)


def _probe_folder(path: Path) -> VideoInfo:
    try:
        pictures = folder_pictures(path)
    except OSError as error:
        raise _no_video(path, f"a folder that cannot be read ({error.strerror})") from error
    if not pictures:
        raise _no_video(path, "a folder without pictures", "Give a folder with PNG or JPEG files in it.")
    sizes: dict[tuple[int, int], Path] = {}
    for picture in pictures:
        try:
            with open_image(picture) as image:
                lies = image.getexif().get(0x0112, 1) >= 5  # EXIF orientation: 5 to 8 turn by 90 degrees
                sizes.setdefault((image.height, image.width) if lies else image.size, picture)
        except UnidentifiedImageError as error:
            raise _no_video(picture, "a file that is no picture", "Remove it from the folder.") from error
    if len(sizes) > 1:
        described = " and ".join(f"{w}x{h} ({at.name})" for (w, h), at in list(sizes.items())[:2])
        raise VideoError(
            expected=f"pictures of one size in {path}",
            found=described,
            remedy="Resize them to one size, or remove what does not belong.",
        )
    ((width_px, height_px),) = sizes
    count = len(pictures)
    return VideoInfo(
        path, "folder", width_px, height_px, FOLDER_FPS, count, float(count / FOLDER_FPS), False, False
    )


def _probe_image(path: Path) -> VideoInfo | None:
    """A picture or an animation; None if it is neither."""
    try:
        with open_image(path) as image:
            lies = image.getexif().get(0x0112, 1) >= 5
            width_px, height_px = image.size[::-1] if lies else image.size
            if not getattr(image, "is_animated", False) or image.format == "MPO":
                duration_s = float(1 / FOLDER_FPS)
                return VideoInfo(
                    path, "picture", width_px, height_px, FOLDER_FPS, 1, duration_s, False, False
                )
            starts_s, end_s = [], Fraction(0)
            for frame in ImageSequence.Iterator(image):
                frame.load()
                starts_s.append(end_s)
                end_s += animation_delay(frame)
    except UnidentifiedImageError:
        return None
    fps, count, is_variable = _rate(starts_s, end_s, None)
    return VideoInfo(path, "gif", width_px, height_px, fps, count, float(count / fps), False, is_variable)


def _probe_video(path: Path) -> VideoInfo:
    with open_video(path) as (container, stream):
        has_audio, stated = bool(container.streams.audio), stream.average_rate
        starts_s, end_s = _packet_times(container, stream)
        may_be_cut_off = stream.frames > len(starts_s) and "mp4" in container.format.name
    if may_be_cut_off:
        _check_whole(path)
    with open_video(path) as (container, stream):
        first = next(container.decode(stream), None)
        if first is None:
            raise _no_video(path, "no frames")
        width_px, height_px = square_size(first, stream)
        if display_matrix(first)[0]:
            width_px, height_px = height_px, width_px
        if first.color_trc in (
            av.video.reformatter.ColorTrc.SMPTE2084,
            av.video.reformatter.ColorTrc.ARIB_STD_B67,
        ):
            console.warn(f"{path.name} is HDR video: its colours are read as they are and look pale.")
    fps, count, is_variable = _rate(starts_s, end_s, stated)
    num_frames = count if starts_s else None
    duration_s = float(count / fps) if starts_s else 0.0
    return VideoInfo(path, "video", width_px, height_px, fps, num_frames, duration_s, has_audio, is_variable)


def _check_whole(path: Path) -> None:
    """See that there is data for all frames that a file states, also for those that its edit list hides.

    A file that was trimmed without being encoded anew keeps frames before and after its cut that nobody sees.
    """
    with open_video(path, ignore_editlist="1") as (container, stream):
        packets = sum(1 for packet in container.demux(stream) if packet.size)
        if stream.frames > packets:
            found = f"data for {packets} of the {stream.frames} frames"
            raise _no_video(path, found, "The file is cut off; export or download it again.")


def _packet_times(container: Any, stream: Any) -> tuple[list[Fraction], Fraction]:
    """When the frames start, sorted, and when the last one ends, s after the first; nothing is decoded.

    Empty where the container has no timestamps.
    """
    times: list[int] = []
    last_duration = 0
    for packet in container.demux(stream):
        if packet.size and packet.pts is not None and not packet.is_discard:
            if not times or packet.pts >= max(times[-1], 0):
                last_duration = packet.duration or 0
            times.append(packet.pts)
    if not times:
        return [], Fraction(0)
    times.sort()
    starts_s = [(time - times[0]) * stream.time_base for time in times]
    if not last_duration:
        last_duration = (times[-1] - times[0]) // max(1, len(times) - 1)
    return starts_s, starts_s[-1] + last_duration * stream.time_base


def _rate(starts_s: list[Fraction], end_s: Fraction, stated: Fraction | None) -> tuple[Fraction, int, bool]:
    """Frames a second, how many frames that makes, and whether they come unevenly.

    A rate is steady if each frame starts near its place: containers round times (Matroska to 1 ms,
    GIF to 10 ms), which is no variable rate. A longer last frame, as in many GIFs, is none either.
    """
    if not starts_s or end_s <= 0:
        return FOLDER_FPS, max(1, len(starts_s)), False
    if stated is not None and not _LOWEST_FPS <= stated <= _HIGHEST_FPS:
        stated = None
    mean = (len(starts_s) / end_s).limit_denominator(10_000)
    between = (len(starts_s) - 1) / starts_s[-1] if starts_s[-1] > 0 else None
    for rate in (stated, mean, between):
        if rate and all(abs(start_s * rate - place) < JITTER for place, start_s in enumerate(starts_s)):
            last_frames = max(1, round((end_s - starts_s[-1]) * rate))
            return rate, len(starts_s) - 1 + last_frames, False
    average = stated if stated and abs(stated / mean - 1) < Fraction(1, 100) else mean
    average = min(max(average, _LOWEST_FPS), _HIGHEST_FPS)
    return average, max(1, round(end_s * average)), True
