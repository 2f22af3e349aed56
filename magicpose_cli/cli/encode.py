"""`encode`: pictures or a video to an MP4, with sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .. import console
from .options import AsJson, Force


def encode(
    frames: Annotated[Path, typer.Argument(help="Folder of pictures, or any video or GIF.")],
    # text, not a path: a slash at its end asks for a folder
    output: Annotated[
        str, typer.Option("-o", "--output", help="OUT.mp4 (or .gif, or a folder ending in /).")
    ],
    fps: Annotated[
        str | None,
        typer.Option(
            "--fps",
            help="Frames a second: 25, 29.97 or 30000/1001. "
            "Default: the video's own; for a folder what its report.json says, else 25.",
        ),
    ] = None,
    audio: Annotated[
        Path | None, typer.Option("--audio", help="Video or sound file whose sound is laid under it.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make an MP4 (H.264, yuv420p) from a folder of pictures or a video."""
    from ..media.video import AudioSource, FrameReader, as_rate, check_output, folder_rate, open_writer

    sound = AudioSource(audio) if audio is not None else None
    kind = check_output(output, force, sound)
    rate = as_rate(fps) if fps is not None else folder_rate(frames)
    reader = FrameReader(frames, fps=rate)
    if reader.info.has_audio and sound is None:
        console.say(f"The sound of {frames.name} is left out; `--audio {frames}` keeps it.")
    count = 0
    with (
        open_writer(output, reader.fps, force, sound) as writer,
        console.progress("encode", reader.expected_frames) as stage,
    ):
        for frame in reader:
            writer.write(frame)
            count += 1
            stage.advance()
        summary = {
            "output": output,
            "frames": count,
            "fps": str(reader.fps),
            "duration_s": float(count / reader.fps),
        }
        if kind == "folder":
            writer.add_report(json.dumps(summary, indent=2) + "\n")  # pictures alone name no frame rate
    text = f"{output}: {count} frames at {float(reader.fps):g} frames a second"
    console.result(summary if as_json else text, as_json=as_json)
