"""Which of `eval`'s options go together: those that would do nothing are refused."""

from __future__ import annotations

from typing import Any

from ..errors import OptionError

_OF_MODELS = (
    "--steps",
    "--guidance",
    "--solver",
    "--preset",
    "--seed",
    "--reference-details",
    "--without-motion",
    "--dtype",
)
"""What does nothing where no model makes frames."""

_TAKEN = {
    "--truth": {"--protocol", "--weights", "--force", "-o", "--align", "--quick", "--csv"},
    "--grid": {"--names"},
    "--dataset": {
        *_OF_MODELS,
        "-o",
        "--root",
        "--model",
        "--clips",
        "--device",
        "--split",
        "--predictions",
        "--stride",
        "--size",
        "--gt",
        "--skip-bad",
        "--weights",
        "--numbers",
    },
}
"""What each of the command's three ways takes, by the option that chooses it."""


def refuse_strangers(way: str, given: dict[str, Any]) -> None:
    """Refuse options that would do nothing in this way."""
    strangers = [
        name
        for name, value in given.items()
        if value is not None and value is not False and name != way and name not in _TAKEN[way]
    ]
    if strangers:
        theirs = next((other for other in _TAKEN if strangers[0] in _TAKEN[other]), strangers[0])
        where = "two videos" if theirs == "--truth" else theirs
        raise OptionError(
            expected=f"options that go without {theirs}"
            if way == "--truth"
            else f"options that go with {way}",
            found=", ".join(strangers),
            remedy=f"Leave {'it' if len(strangers) == 1 else 'them'} out, or use {strangers[0]} with {where}.",
        )


def refuse_without(dataset: str, given: dict[str, Any]) -> None:
    """Refuse what only one dataset has, and what a model would need that does not run."""
    if given["--split"] is not None and dataset != "tiktok":
        raise OptionError(
            expected="--split with --dataset tiktok",
            found=f"it with {dataset}",
            remedy="Leave --split out.",
        )
    if given["--predictions"] and given["--model"] is None:
        idle = [name for name in _OF_MODELS if given[name] not in (None, False)]
        if idle:
            raise OptionError(
                expected="options that go with --predictions alone",
                found=", ".join(idle),
                remedy="Leave them out, or name a model with --model.",
            )
