"""The clips of an evaluation: found, opened, looked through; and those that are left out, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import console
from ..errors import InputError
from ..pose.detect import choose_detector
from .datasets import find_clips
from .datasets.check import check_clip
from .datasets.clip import Size, TestClip
from .datasets.poses import with_poses
from .predictions import Predictions


@dataclass
class Selection:
    """Clips that are evaluated.

    Attributes:
        root: the dataset's folder.
        skip_bad: leave a bad clip out, rather than end with its error.
        clips: in order.
        sizes: each clip's own size in px, by its name.
        hashes: of each clip under ``clip``, and by method of its results; by its name.
        skipped: reason by name of each clip that was left out.
    """

    root: Path
    skip_bad: bool
    clips: list[TestClip] = field(default_factory=list)
    sizes: dict[str, Size] = field(default_factory=dict)
    hashes: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def may_be_bad(self, name: str) -> Iterator[None]:
        """Leave a clip out, and say so, if the block raises an InputError; or add to it how to do so."""
        try:
            yield
        except InputError as error:
            if not self.skip_bad:
                remedy = f"{error.remedy} Or leave the clip out with --skip-bad."
                raise InputError(expected=error.expected, found=error.found, remedy=remedy) from error
            self.skipped[name] = f"expected {error.expected}, found {error.found}"
            self.clips = [clip for clip in self.clips if clip.name != name]
            console.warn(f"the clip {name} is left out: {self.skipped[name]}.")

    def refuse_empty(self) -> None:
        """Raise InputError if no clip is left."""
        if not self.clips:
            raise InputError(
                expected=f"a clip that can be evaluated in {self.root}",
                found=f"{len(self.skipped)}, all of them bad",
                remedy="Start without --skip-bad to see what is wrong with the first.",
            )


def gather(
    dataset: str,
    root: Path | None,
    *,
    split: str,
    limit: int | None,
    stride: int,
    skip_bad: bool,
    poses_needed: bool,
    predictions: Sequence[Predictions],
    known: Callable[[str, dict[str, Any]], bool],
) -> Selection:
    """Find a dataset's clips and read each once, to see that nothing is wrong with it.

    Args:
        dataset, root, split: as in `find_clips`.
        limit: take the first so many clips; None for all.
        stride: take every so manyth target.
        skip_bad: leave bad clips out.
        poses_needed: whether a model will need pose maps; a dataset may have none at all.
        predictions: results of methods, which must have all clips.
        known: whether a clip, by its name, was found good before with these hashes (of itself under ``clip``, and by
            method of its results): then it is not read again.

    Raises:
        InputError: no dataset, a bad clip, or no clip that is good.
    """
    root, found = find_clips(dataset, root, split)
    names = list(found)[:limit]
    selection = Selection(root, skip_bad)
    with console.progress("Looking clips through", len(names), unit="clips") as stage:
        for number, name in enumerate(names):
            with selection.may_be_bad(name):
                clip = found[name](number, poses_needed).every(stride)
                hashes = {
                    "clip": clip.sha256(),
                    **{method.name: method.sha256(clip) for method in predictions},
                }
                if known(name, hashes):
                    selection.sizes[name] = clip.own_size()
                else:
                    selection.sizes[name] = check_clip(clip)
                    for method in predictions:
                        method.check(clip)
                selection.hashes[name] = hashes
                selection.clips.append(clip)
            stage.advance()
    selection.refuse_empty()
    return selection


def detector_for(selection: Selection) -> str | None:
    """Name of the detector that finds the poses of clips without maps, the best at hand; None if all have maps."""
    if all(clip.maps is not None for clip in selection.clips):
        return None
    return choose_detector()


def add_poses(
    selection: Selection, detector: str, path_of: Callable[[str], Path], device: str = "auto"
) -> None:
    """Give pose maps to the clips that have none; changes the selection in place.

    Args:
        selection: the clips.
        detector: its name.
        path_of: where a clip's keypoints are kept, by its name.
        device: where it runs.
    """
    for clip in [clip for clip in selection.clips if clip.maps is None]:
        with selection.may_be_bad(clip.name):
            ready = with_poses(clip, path_of(clip.name), detector, device)
            selection.clips = [ready if c.name == clip.name else c for c in selection.clips]
    selection.refuse_empty()
