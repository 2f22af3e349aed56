"""What a layout gives: its clips by name, opened one by one, so that a bad one does not hide the others."""

from __future__ import annotations

import re
from collections.abc import Callable

from ...errors import InputError
from .clip import TestClip

Found = dict[str, Callable[[int, bool], TestClip]]
"""By name of the clip: a function of its number and of whether pose maps are a must, which opens it or says in an
InputError what is wrong with it."""

_WANTED = range(335, 341)


def only_335_to_340(found: Found) -> Found:
    """TikTok's sequences 335 to 340, the other test split, by the number in a name (``00335``, ``TiktokDance_00335``).

    Raises:
        InputError: one of the six is missing.
    """
    numbers = {name: re.fullmatch(r"\D*0*(\d+)", name) for name in found}
    kept = {name: found[name] for name, match in numbers.items() if match and int(match[1]) in _WANTED}
    there = {int(match[1]) for name, match in numbers.items() if match and name in kept}
    missing = [f"{number:05d}" for number in _WANTED if number not in there]
    if missing:
        raise InputError(
            expected="TikTok's sequences 00335 to 00340, the split 335-340",
            found=f"no {', '.join(missing)}",
            remedy="Put them there, or choose --split disco.",
        )
    return dict(sorted(kept.items(), key=lambda item: int(re.sub(r"\D", "", item[0]))))
