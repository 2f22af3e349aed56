"""Following one person through a video in which a detector finds several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SAME_PERSON_OVERLAP = 0.3
"""Boxes of one person in neighbouring frames share at least this part of what they cover; those of two seldom do."""
MOST_MISSED = 5
"""For so many frames the one followed may not be found while others are."""

Points = np.ndarray
"""Of one person's body, (n 2) px, n at least 1."""


class Follower:
    """Takes the largest person, and the same one from then on."""

    def __init__(self) -> None:
        self._followed: Points | None = None
        self._before: Sequence[Points] = ()
        self._missed = 0

    def choose(self, people: Sequence[Points]) -> int | None:
        """Find the one followed among the people of the next frame.

        Args:
            people: who is in it.

        Returns:
            Their number: who overlaps most with the one followed. None where that one is not found, though others who
            were there before still are, as in a frame in which a detector misses somebody. Where nobody is who was
            there before, the film was cut: then, and after `MOST_MISSED` frames, it is the largest again.
        """
        goes_on = any(_overlap(one, other) >= SAME_PERSON_OVERLAP for one in people for other in self._before)
        self._before = list(people) or self._before
        chosen = self._same(people)
        if chosen is None and self._followed is not None and (goes_on or not people):
            self._missed += 1
            if self._missed <= MOST_MISSED:
                return None
        if chosen is None and people:
            chosen = max(range(len(people)), key=lambda number: _area_px2(*_corners(people[number])))
        self._followed = None if chosen is None else people[chosen]
        self._missed = 0
        return chosen

    def _same(self, people: Sequence[Points]) -> int | None:
        if self._followed is None or not people:
            return None
        overlaps = [_overlap(one, self._followed) for one in people]
        best = int(np.argmax(overlaps))
        return best if overlaps[best] >= SAME_PERSON_OVERLAP else None


def _overlap(one: Points, other: Points) -> float:
    """Of the boxes around two bodies, what both share by what at least one covers."""
    (start, end), (other_start, other_end) = _corners(one), _corners(other)
    shared_px2 = _area_px2(np.maximum(start, other_start), np.minimum(end, other_end))
    covered_px2 = _area_px2(start, end) + _area_px2(other_start, other_end) - shared_px2
    return shared_px2 / max(covered_px2, 1.0)


def _corners(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Upper left and lower right, (2,) px each."""
    return points.min(axis=0), points.max(axis=0)


def _area_px2(start: np.ndarray, end: np.ndarray) -> float:
    return float(np.prod(np.maximum(end - start, 0)))
