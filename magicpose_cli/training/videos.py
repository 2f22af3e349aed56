"""A folder of videos as clips to train on: frames and poses are taken out once, and kept beside the videos.

    VIDEOS/a.mp4, VIDEOS/b.mov ...        to train on
    VIDEOS/test/z.mp4 ...                 held out
    VIDEOS/.magicpose/<W>x<H>@<fps>/      what was taken out, in the layout that data.py reads

A video appears there whole or not at all, and one that is there is not looked at again.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

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

NOBODY = "nobody"
"""Where videos that show nobody are noted, so that they are not looked at again."""


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
    clips = folder / ".magicpose" / f"{width_px}x{height_px}@{fps:g}"
    todo = [
        (split, video)
        for split, place in (("train", folder), ("test", folder / "test"))
        for video in _videos(place)
        if not (clips / SPLITS[split] / video.name).is_dir() and not (clips / NOBODY / video.name).is_file()
    ]
    if todo:
        name = choose_detector()
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
            found="nobody in any of them",
            remedy="Give videos in which one person is seen well.",
        )
    return clips


def _take_apart(
    video: Path, clips: Path, split: str, size_px: tuple[int, int], fps: float, detector: Detector
) -> None:
    """Write one video's frames, pose maps and keypoints; frames that show nobody are left out and counted."""
    reader = FrameReader(video, fps=as_rate(str(fps)))
    poses: list[FramePose] = []
    seen = 0
    frames, maps = clips / SPLITS[split] / video.name, clips / f"pose_map_{SPLITS[split]}" / video.name
    # the frames are published last: with them the clip is whole
    with write_folder(frames, overwrite=True) as frames_out, write_folder(maps, overwrite=True) as maps_out:
        for picture in reader:
            seen += 1
            pose = detector.detect(picture)
            if int((pose.body[:, 2] > 0).sum()) <= LEAST_POINTS:
                continue
            height, width = picture.shape[:2]
            # what is taller than the model's height stays: training cuts it at random
            place = Placement.crop(width, height, size_px[0], max(size_px[1], height * size_px[0] // width))
            name = f"{len(poses):05d}.png"
            save_picture(frames_out / name, place.apply(picture))
            save_picture(maps_out / name, pose_map(pose, width, height, place))
            poses.append(pose)
        if poses:
            width, height = reader.info.width_px, reader.info.height_px
            kept = PoseSequence.from_frames(poses, width, height, reader.fps, video.name, sha256_of(video))
            keypoints = keypoints_of(clips, video.name)
            keypoints.parent.mkdir(parents=True, exist_ok=True)
            kept.save(keypoints)
    if not poses:
        _forget(frames, maps)
        write_text(clips / NOBODY / video.name, f"{seen} frames\n")
    console.say(f"{video.name}: {len(poses)} of {seen} frames show somebody.")


def _forget(*folders: Path) -> None:
    for folder in folders:
        folder.rmdir()  # nothing was written to it


def _videos(folder: Path) -> list[Path]:
    found = [p for p in folder.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES] if folder.is_dir() else []
    return sorted(found, key=lambda path: natural_key(path.name))
