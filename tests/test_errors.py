"""Errors reach the user whole, from a worker process too."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from magicpose_cli import errors
from magicpose_cli.errors import MagicPoseError, OutputExistsError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, MagicPoseError) and kind is not OutputExistsError
]
EXAMPLES = [
    *(kind(expected="a video", found="a sound", remedy="Try another.") for kind in KINDS),
    OutputExistsError("out.mp4"),
]


def _raise_output_exists() -> None:
    raise OutputExistsError("out.mp4")


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("restore", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_an_error_comes_back_as_it_was(error, restore):
    again = restore(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_an_error_of_a_worker_process_reaches_the_caller():
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(OutputExistsError, match=r"^Expected a new output path, found that out\.mp4 exists"),
    ):
        pool.submit(_raise_output_exists).result(timeout=60)
