"""Where a run writes, seen to before any work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..media.atomic import check_file_output, keep_apart
from ..media.video import check_output


@dataclass(frozen=True)
class Outputs:
    """Where a run writes.

    Attributes:
        frames: the result: `.mp4`, `.gif` or a folder.
        report: what the run was.
        compare: side by side, or None.
        is_folder: whether the result is a folder, with the report in it.
    """

    frames: Path
    report: Path
    compare: Path | None
    is_folder: bool

    @classmethod
    def beside(cls, out: str | Path, inputs: list[Path], *, compare: bool, force: bool) -> Outputs:
        """Name the outputs and see that they may be written.

        Args:
            out: the result, as the user gave it.
            inputs: files and folders that the run reads, which it must not replace.
            compare: whether a side-by-side video is wanted.
            force: whether what exists may be replaced.

        Raises:
            OutputExistsError: one is there and ``force`` is False.
            OptionError: a name that no writer knows, or one that is an input's.
        """
        frames = Path(out)
        is_folder = check_output(out, force) == "folder"
        report = frames / "report.json" if is_folder else frames.with_suffix(".json")
        name = frames.name if is_folder else frames.stem
        shown = frames.parent / f"{name}.compare.mp4" if compare else None
        outputs = cls(frames, report, shown, is_folder)
        for path in inputs:
            for output in (frames, report, shown):
                if output is not None:
                    keep_apart(output, path)
        if not is_folder:
            check_file_output(report, force)
        if shown is not None:
            check_output(shown, force)
        return outputs
