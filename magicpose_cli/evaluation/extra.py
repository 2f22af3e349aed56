"""The packages of the `eval` extra: what is said where one is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MissingDependencyError


@contextmanager
def from_eval_extra(package: str, purpose: str) -> Iterator[None]:
    """Around an import of a package of the `eval` extra.

    Args:
        package: its name, for people.
        purpose: what it is for.

    Raises:
        MissingDependencyError: it cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            expected=f"{package}, for {purpose}",
            found=f"an import that fails ({error})",
            remedy="Install the eval extra: pip install -e '.[eval]' in magicpose's folder.",
        ) from error
