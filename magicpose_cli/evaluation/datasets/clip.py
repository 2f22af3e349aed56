"""One video of a test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import InputError
from ...media.pictures import Placement
from .pictures import Pictures

Size = tuple[int, int]
"""Width and height in px."""


@dataclass(frozen=True)
class TestClip:
    """One video of a test set.

    Attributes:
        name: its folder's or file's.
        number: its place in the dataset, counted from 0: its noise depends on it.
        frames: all true frames; the first is the reference.
        maps: their pose maps; None where the dataset has none.
        masks: pictures that are white where the person is, or None.
        targets: numbers of the frames that are evaluated, rising, without the reference's 0.
    """

    __test__ = False  # no test of pytest's

    name: str
    number: int
    frames: Pictures
    maps: Pictures | None
    masks: Pictures | None
    targets: tuple[int, ...]

    @classmethod
    def of(
        cls, name: str, number: int, frames: Pictures, maps: Pictures | None, masks: Pictures | None
    ) -> TestClip:
        """A clip whose targets are all frames but the first.

        Raises:
            InputError: fewer than two frames.
        """
        if len(frames) < 2:
            raise InputError(
                expected=f"a reference and at least one target in the clip {name}",
                found=f"{len(frames)} frame{'s' * (len(frames) != 1)}",
                remedy="Take the clip out, or put its frames there.",
            )
        return cls(name, number, frames, maps, masks, tuple(range(1, len(frames))))

    @property
    def used(self) -> tuple[int, ...]:
        """Numbers of the frames that matter: the reference and the targets."""
        return 0, *self.targets

    def every(self, stride: int) -> TestClip:
        """The same clip with every so manyth of its targets, from the first on."""
        return replace(self, targets=self.targets[::stride])

    def own_size(self) -> Size:
        """Width and height of its first frame."""
        (first,) = self.frames.read([0])
        return first.shape[1], first.shape[0]

    def read(self, pictures: Pictures, size_px: Size, numbers: Sequence[int] | None = None) -> np.ndarray:
        """Some of its pictures, cropped to the middle and resized.

        Args:
            pictures: its frames, maps or masks.
            size_px: width and height to come to.
            numbers: which; None for the targets'.

        Returns:
            uint8 ``(f H W 3)``.
        """
        placed = []
        for picture in pictures.read(self.targets if numbers is None else numbers):
            place = Placement.crop(picture.shape[1], picture.shape[0], *size_px)
            placed.append(place.apply(picture))
        return np.stack(placed)

    def reference(self, size_px: Size) -> np.ndarray:
        """The first frame, cropped to the middle and resized, uint8 ``(H W 3)``."""
        return self.read(self.frames, size_px, [0])[0]

    def sha256(self) -> dict[str, str | None]:
        """Of the frames that are used, and of the targets' pose maps and masks."""
        return {
            "frames": self.frames.sha256(self.used),
            "maps": self.maps.sha256(self.targets) if self.maps is not None else None,
            "masks": self.masks.sha256(self.targets) if self.masks is not None else None,
        }
