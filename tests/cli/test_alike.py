"""What every command does alike: numbers out of range, and errors that nobody could foresee."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from magicpose_cli.cli import app


@pytest.mark.parametrize(
    ("command", "number"),
    [
        (["bench"], "--guidance=31"),
        (["eval", "--dataset=synth", "-o=out"], "--guidance=31"),
        (["eval", "--dataset=synth", "-o=out"], "--steps=1001"),
        (["eval", "--dataset=synth", "-o=out"], "--seed=-1"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_each_command_bounds_a_number_as_retarget_does(command: list[str], number: str) -> None:
    for arguments in ([*command, number], ["retarget", "person.png", "dance.mp4", "-o=out.mp4", number]):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 2
        assert f"Invalid value for '{number.partition('=')[0]}'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "failing", "remedy"),
    [
        (["train", "vae", "--data", "clips", "-o", "run"], "training.given.check_given", "Raise accumulate"),
        (["bench"], "weights.find_model", "Choose a smaller --size or --vram, or fewer --frames"),
        (["encode", "frames", "-o", "out.mp4"], "media.video.check_output", "Free some"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_memory_that_does_not_suffice_names_what_the_command_has_for_it(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], failing: str, remedy: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(f"magicpose_cli.{failing}", fail)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert f"The memory did not suffice. {remedy}" in done.stderr
    assert "Traceback" not in done.stderr
