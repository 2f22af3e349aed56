"""The packages of the evaluation's extras: what is said where one is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MissingDependencyError


@contextmanager
def from_eval_extra(package: str, purpose: str, extra: str = "eval") -> Iterator[None]:
    """Around an import of a package of the `eval` extra, or of another one.

    Args:
        package: its name, for people.
        purpose: what it is for.
        extra: the extra that has it.

    Raises:
        MissingDependencyError: it cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            expected=f"{package}, for {purpose}",
            found=f"an import that fails ({error})",
            remedy=f"Install the {extra} extra: pip install -e '.[{extra}]' in magicpose's folder.",
        ) from error
