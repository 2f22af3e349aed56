"""The errors a user can meet.

    MagicPoseError                  exit code 1: the work could not be done
    ├── InputError                  exit code 2: what was given cannot be used
    │   ├── PictureError            a picture that cannot be read
    │   ├── VideoError              a video, GIF or folder that cannot be read
    │   ├── PoseError               a pose file, or a driving video with nobody in it
    │   ├── ModelError              a model folder that is absent, incomplete or unfit for the request
    │   ├── OptionError             options that contradict each other or the input
    │   ├── RecipeError             a recipe or sampling block with a wrong or misspelt entry
    │   └── OutputExistsError       an output that is already there
    └── MissingDependencyError      exit code 2: a package or extra that is not installed

Each carries what was expected, what was found and what to do; a message is one sentence of what
is wrong and one of what to do.
"""

from __future__ import annotations

from typing import Any


class MagicPoseError(Exception):
    """Base of every error that is the user's to read.

    Args:
        expected: what was asked for, as a noun phrase ("a video with frames").
        found: what was there instead ("only a sound track in dance.mp4").
        remedy: what to do, as a full sentence.
    """

    exit_code = 1

    def __init__(self, *, expected: str, found: str, remedy: str) -> None:
        self.expected, self.found, self.remedy = expected, found, remedy
        super().__init__(f"Expected {expected}, found {found}. {remedy}")

    def __reduce__(self) -> tuple[Any, ...]:
        # pickled when raised in a worker process; an exception's own way gives the arguments by place
        return _restored, (type(self), self.expected, self.found, self.remedy), self.__dict__


def _restored(kind: type[MagicPoseError], expected: str, found: str, remedy: str) -> MagicPoseError:
    error = kind.__new__(kind)  # a kind's own arguments are in its sentence already
    MagicPoseError.__init__(error, expected=expected, found=found, remedy=remedy)
    return error


class InputError(MagicPoseError):
    """What was given cannot be used."""

    exit_code = 2


class PictureError(InputError):
    """A picture that cannot be read."""


class VideoError(InputError):
    """A video, GIF or folder of pictures that cannot be read."""


class PoseError(InputError):
    """A pose file that cannot be read, or a driving video with nobody in it."""


class ModelError(InputError):
    """A model folder that is absent, incomplete or unfit for the request."""


class OptionError(InputError):
    """Options that contradict each other or the input."""


class RecipeError(InputError):
    """A recipe or sampling block with a wrong or misspelt entry."""


class OutputExistsError(InputError):
    """An output that is already there."""

    def __init__(self, path: object) -> None:
        super().__init__(
            expected="a new output path",
            found=f"that {path} exists",
            remedy="Choose another path, or add --force to replace it.",
        )


class MissingDependencyError(MagicPoseError):
    """A package that is not installed, or cannot be loaded."""

    exit_code = 2
