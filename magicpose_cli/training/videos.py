"""A folder of videos as clips to train on: frames and poses are taken out once, and kept beside the videos.

    VIDEOS/a.mp4, VIDEOS/b.mov ...              to train on
    VIDEOS/test/z.mp4 ...                       held out
    VIDEOS/.magicpose/clips/<W>x<H>@<fps>/      what was taken out, in the layout that data.py reads
        <split>/a.mp4.000, a.mp4.001 ...        clips of consecutive frames
        looked_at/<split>/a.mp4                 what was found in a video, once all its clips are there

A clip is what one person does in consecutive frames: where the person is lost, where several are seen, and where the
film is cut, another one begins. A video that was looked at is not looked at again.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from glob import escape
from itertools import chain, groupby, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from .. import console
from ..errors import InputError
from ..media.atomic import write_folder, write_text
from ..media.files import natural_key, sha256_of
from ..media.pictures import Placement, save_picture
from ..media.video import FrameReader, as_rate
from ..pose.detect import Detector, choose_detector, open_detector
from ..pose.draw import pose_map
from ..pose.sequence import FramePose, PoseSequence
from .data import SPLITS, keypoints_of, videos_in

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif")
LEAST_POINTS = 6
"""A frame with no more points of the body than this shows nobody to learn from (the reference's detection script)."""

CUT_LEVELS = 10.0
"""Two frames whose colours differ by more (mean, 0..255) are of two shots. Successive frames of sixteen videos at 8 a
second came to 7.3 at most, where a camera was shaken; frames of two different scenes to 11.6 and more."""

LOOKED_AT = "looked_at"
"""Where it is noted what was found in a video, the last thing that is written of it."""


def holds_videos(folder: Path) -> bool:
    """Whether a folder has videos and no clips in the TikTok layout."""
    return not (folder / SPLITS["train"]).is_dir() and bool(_videos(folder))


def clips_of_videos(folder: Path, width_px: int, height_px: int, fps: float) -> Path:
    """Take frames and poses out of the videos that have not been looked at before.

    Args:
        folder: of videos.
        width_px, height_px: the model's size; frames come to its width, and are at least as high.
        fps: frames a second to read.

    Returns:
        The folder of the clips, in the layout that `load_clips` reads.

    Raises:
        InputError: no video shows anybody, or two have one name.
    """
    twice = {v.name for v in _videos(folder)} & {v.name for v in _videos(folder / "test")}
    if twice:
        raise InputError(
            expected=f"a name of its own for each video in {folder} and {folder / 'test'}",
            found=f"{min(twice)} in both",
            remedy="Rename one, or take it out, where it is the same video.",
        )
    clips = folder / ".magicpose" / "clips" / f"{width_px}x{height_px}@{fps:g}"
    todo = [
        (split, video)
        for split, place in (("train", folder), ("test", folder / "test"))
        for video in _videos(place)
        if not (clips / LOOKED_AT / split / video.name).is_file()
    ]
    if todo:
        name = choose_detector()
        if name == "mediapipe":
            console.say("mediapipe finds one person only: frames that show several cannot be left out.")
        with console.progress("Taking clips out of videos", len(todo), unit="videos") as bar:
            for split, video in todo:
                bar.describe(f"Taking {video.name} apart")
                # a detector tracks from frame to frame, so one of another video would look in the wrong place
                with closing(open_detector(name)) as detector:
                    _take_apart(video, clips, split, (width_px, height_px), fps, detector)
                bar.advance()
    if not videos_in(clips / SPLITS["train"]):
        raise InputError(
            expected=f"videos of a person in {folder}",
            found="no two frames in a row that show one person in any of them",
            remedy="Give videos in which one person is seen well.",
        )
    return clips


def _take_apart(
    video: Path, clips: Path, split: str, size_px: tuple[int, int], fps: float, detector: Detector
) -> None:
    """Write one video's clips; frames that are left out are counted."""
    _forget(video.name, clips, split)
    reader = FrameReader(video, fps=as_rate(str(fps)))
    source = video.name, sha256_of(video)
    counts: Counter[str] = Counter()
    made = 0
    for _, of_clip in groupby(_seen(reader, detector, counts), key=lambda one: one.clip):
        seen = iter(of_clip)
        first = list(islice(seen, 2))
        if len(first) < 2:  # a frame alone has no other that it could be the reference of
            counts["alone between those"] += 1
            continue
        name = f"{video.name}.{made:03d}"
        _write_clip(chain(first, seen), name, clips, split, size_px, reader.fps, source)
        made += 1
    left_out = {why: counts[why] for why in ("with nobody", "with several people", "alone between those")}
    kept = counts["frames"] - sum(left_out.values())
    said = [f"{count} {why}" for why, count in left_out.items() if count]
    found = f"{kept} of {counts['frames']} frames show one person, in {made} clips"
    found += f" ({counts['cuts']} cuts of the film)" if counts["cuts"] else ""
    found += f"; left out: {', '.join(said)}" if said else ""
    write_text(clips / LOOKED_AT / split / video.name, f"{found}\n")
    console.say(f"{video.name}: {found}.")


def _forget(video: str, clips: Path, split: str) -> None:
    """Remove what an attempt that was killed left of a video's clips: this one may find fewer."""
    for place in (SPLITS[split], f"pose_map_{SPLITS[split]}"):
        for old in (clips / place).glob(f"{escape(video)}.[0-9][0-9][0-9]"):
            shutil.rmtree(old)


class _Seen(NamedTuple):
    """A frame that shows one person, and the number of the clip that it is of."""

    clip: int
    picture: np.ndarray
    pose: FramePose


def _seen(frames: Iterable[np.ndarray], detector: Detector, counts: Counter[str]) -> Iterator[_Seen]:
    """The frames that show one person; those that do not, and all, are counted."""
    clip, before = 0, None
    for picture in frames:
        counts["frames"] += 1
        colours = _colours(picture)
        if before is not None and np.abs(colours - before).mean() > CUT_LEVELS:
            clip += 1
            counts["cuts"] += 1
        before = colours
        crowds = detector.several_people
        pose = detector.detect(picture)
        if detector.several_people > crowds:
            counts["with several people"] += 1
            clip += 1
        elif int((pose.body[:, 2] > 0).sum()) <= LEAST_POINTS:
            counts["with nobody"] += 1
            clip += 1
        else:
            yield _Seen(clip, picture, pose)


def _colours(picture: np.ndarray) -> np.ndarray:
    """A small picture's values in order, by channel, float ``(n 3)``: what moves in it changes little of them."""
    small = Image.fromarray(picture).resize((32, 32), Image.Resampling.BOX)
    return np.sort(np.asarray(small, np.float32).reshape(-1, 3), axis=0)


def _write_clip(
    seen: Iterable[_Seen],
    name: str,
    clips: Path,
    split: str,
    size_px: tuple[int, int],
    fps: Fraction,
    source: tuple[str, str],
) -> None:
    """Write a clip's frames, pose maps and keypoints; `source` is its video's name and SHA-256."""
    frames, maps = clips / SPLITS[split] / name, clips / f"pose_map_{SPLITS[split]}" / name
    poses: list[FramePose] = []
    # the frames are published last: with them the clip is whole
    with write_folder(frames, overwrite=True) as frames_out, write_folder(maps, overwrite=True) as maps_out:
        for number, (_, picture, pose) in enumerate(seen):
            height, width = picture.shape[:2]
            # what is taller than the model's height stays: training cuts it at random
            place = Placement.crop(width, height, size_px[0], max(size_px[1], height * size_px[0] // width))
            save_picture(frames_out / f"{number:05d}.png", place.apply(picture))
            save_picture(maps_out / f"{number:05d}.png", pose_map(pose, width, height, place))
            poses.append(pose)
        keypoints = keypoints_of(clips, name)
        keypoints.parent.mkdir(parents=True, exist_ok=True)
        PoseSequence.from_frames(poses, width, height, fps, *source).save(keypoints)


def _videos(folder: Path) -> list[Path]:
    found = [p for p in folder.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES] if folder.is_dir() else []
    return sorted(found, key=lambda path: natural_key(path.name))
