"""`magicpose retarget`: the main job."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from .options import (
    DETAILS_FLAG,
    DETAILS_HELP,
    LEAST_VRAM_GB,
    MOST_GUIDANCE,
    MOST_STEPS,
    VRAM_HELP,
    DetectorName,
    DrivingKind,
    DtypeName,
    FitName,
    NoiseName,
    SolverName,
    WindowsName,
)

_MODEL, _PICTURE, _TIME, _FINE, _SOUND = (
    "Model and sampling",
    "Size and shape",
    "Part and windows",
    "Fine control",
    "Sound and files",
)


def retarget(
    reference: Annotated[Path, typer.Argument(help="Picture of the person to keep.")],
    driving: Annotated[
        Path,
        typer.Argument(help="Motion to follow: video, GIF, .npz of extract-pose, pose maps, OpenPose JSON."),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="Result: .mp4, .gif, or a folder of PNGs (ends in / or no suffix)."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(help="Name or folder; without it the best one installed.", rich_help_panel=_MODEL),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="A way of sampling that the model knows by name, as fast or draft.",
            show_default="model's",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_STEPS, help="Denoising steps.", show_default="model's", rich_help_panel=_MODEL
        ),
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=MOST_GUIDANCE,
            help="Image-CFG; 1 is off.",
            show_default="model's",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    solver: Annotated[
        SolverName | None,
        typer.Option(help="What takes the steps.", show_default="model's", rich_help_panel=_MODEL),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.", rich_help_panel=_MODEL)] = 0,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=_MODEL)
    ] = "auto",
    dtype: Annotated[
        DtypeName,
        typer.Option(
            help="Number format; auto: fp16 on a GPU, bf16 on a CPU that has it.", rich_help_panel=_MODEL
        ),
    ] = DtypeName.auto,
    size: Annotated[
        str, typer.Option(help="WxH, or auto: what the model was trained at.", rich_help_panel=_PICTURE)
    ] = "auto",
    fit: Annotated[
        FitName, typer.Option(help="How pictures come to that shape.", rich_help_panel=_PICTURE)
    ] = FitName.crop,
    align: Annotated[
        bool,
        typer.Option(
            "--align/--no-align",
            help="Bring the poses to the size and place of the reference's person.",
            rich_help_panel=_PICTURE,
        ),
    ] = True,
    clean: Annotated[
        bool,
        typer.Option(
            "--clean/--no-clean",
            help="Fill short gaps and take the trembling out of detected poses.",
            rich_help_panel=_TIME,
        ),
    ] = True,
    driving_kind: Annotated[
        DrivingKind, typer.Option(help="What the driving is.", rich_help_panel=_TIME)
    ] = DrivingKind.auto,
    detector: Annotated[
        DetectorName,
        typer.Option(
            help="Pose detector; auto: openpose where its weights are, else mediapipe.", rich_help_panel=_TIME
        ),
    ] = DetectorName.auto,
    fps: Annotated[
        str | None,
        typer.Option(
            help="Frames a second: 30, 29.97 or 30000/1001; of a video, or of pictures and JSON, which have none.",
            show_default="the video's, or 25",
            rich_help_panel=_TIME,
        ),
    ] = None,
    start: Annotated[
        float, typer.Option(min=0, help="Start in the driving, s.", rich_help_panel=_TIME)
    ] = 0.0,
    duration: Annotated[
        float | None,
        typer.Option(min=0, help="How much of the driving, s.", show_default="all", rich_help_panel=_TIME),
    ] = None,
    window: Annotated[int, typer.Option(min=1, help="Frames denoised together.", rich_help_panel=_TIME)] = 16,
    overlap: Annotated[
        int, typer.Option(min=0, help="Frames that windows share.", rich_help_panel=_TIME)
    ] = 4,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Frames in one pass where there is no motion module.",
            show_default="what memory allows, up to 16",
            rich_help_panel=_TIME,
        ),
    ] = None,
    compile_: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Through torch.compile: minutes first, for long videos on a GPU.",
            rich_help_panel=_TIME,
        ),
    ] = False,
    vram: Annotated[
        float | None,
        typer.Option(
            min=LEAST_VRAM_GB,
            help=VRAM_HELP,
            show_default="what is free",
            rich_help_panel=_TIME,
        ),
    ] = None,
    windows: Annotated[
        WindowsName,
        typer.Option(
            help="shifted: clipped at the ends; reference: the paper's code, joining the end to the start.",
            rich_help_panel=_TIME,
        ),
    ] = WindowsName.shifted,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Another picture of the same person; can be repeated.", rich_help_panel=_FINE),
    ] = None,
    appearance_scale: Annotated[
        float, typer.Option(min=0, help="Weight of the reference in attention.", rich_help_panel=_FINE)
    ] = 1.0,
    pose_scale: Annotated[
        float, typer.Option(min=0, help="Strength of the pose.", rich_help_panel=_FINE)
    ] = 1.0,
    pose_start: Annotated[
        float,
        typer.Option(min=0, max=1, help="Part of the steps before the pose acts.", rich_help_panel=_FINE),
    ] = 0.0,
    pose_end: Annotated[
        float,
        typer.Option(min=0, max=1, help="Part of the steps after which it ends.", rich_help_panel=_FINE),
    ] = 1.0,
    noise: Annotated[
        NoiseName | None,
        typer.Option(
            help="Start all frames from one noise, or each from its own.",
            show_default="model's",
            rich_help_panel=_FINE,
        ),
    ] = None,
    noisy_reference: Annotated[
        bool | None,
        typer.Option(
            "--noisy-reference/--clean-reference",
            help="Noise the reference as the frames are.",
            show_default="model's",
            rich_help_panel=_FINE,
        ),
    ] = None,
    reference_details: Annotated[
        bool | None,
        typer.Option(
            DETAILS_FLAG,
            help=DETAILS_HELP,
            show_default="model's",
            rich_help_panel=_FINE,
        ),
    ] = None,
    base_unet: Annotated[
        Path | None,
        typer.Option(help="Folder of an SD1.5-compatible UNet to use instead.", rich_help_panel=_FINE),
    ] = None,
    motion_module: Annotated[
        Path | None, typer.Option(help="Folder of a motion module to add.", rich_help_panel=_FINE)
    ] = None,
    audio: Annotated[
        Path | None, typer.Option(help="Take the sound from this file.", rich_help_panel=_SOUND)
    ] = None,
    no_audio: Annotated[
        bool, typer.Option("--no-audio", help="Leave the sound out.", rich_help_panel=_SOUND)
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also write reference | pose | result.", rich_help_panel=_SOUND)
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace outputs that exist.", rich_help_panel=_SOUND)
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only check the inputs and say what the run would take.", rich_help_panel=_SOUND
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON.", rich_help_panel=_SOUND)
    ] = False,
) -> None:
    """Make the person in REFERENCE move as in DRIVING.

    Keeps the driving's frame rate, duration and sound, and writes a report beside the result.
    """
    from .. import console
    from ..jobs.plan import RetargetOptions

    options = RetargetOptions(
        model=model,
        preset=preset,
        steps=steps,
        guidance=guidance,
        solver=None if solver is None else solver.value,
        seed=seed,
        size=size,
        fit=fit.value,
        align=align,
        clean=clean,
        device=device,
        dtype=dtype.value,
        fps=fps,
        start_s=start,
        duration_s=duration,
        window=window,
        overlap=overlap,
        batch=batch,
        compile=compile_,
        vram_gb=vram,
        windows=windows.value,
        also=tuple(also or ()),
        appearance_scale=appearance_scale,
        pose_scale=pose_scale,
        pose_start=pose_start,
        pose_end=pose_end,
        noise=None if noise is None else noise.value,
        noisy_reference=noisy_reference,
        reference_details=reference_details,
        base_unet=base_unet,
        motion_module=motion_module,
        driving_kind=driving_kind.value,
        detector=detector.value,
        audio_from=audio,
        keep_audio=not no_audio,
        compare=compare,
        force=force,
    )
    if dry_run:
        from ..jobs.forecast import as_sentences, forecast
        from ..jobs.plan import make_plan

        found = forecast(make_plan(reference, driving, output, options), options)
        console.result(found if as_json else as_sentences(found), as_json=as_json)
        return
    from ..jobs.retarget import retarget as run

    report = run(reference, driving, output, options)
    if as_json:
        console.result(report, as_json=True)
    else:
        rate = float(Fraction(report["fps"]))
        console.result(f"{report['output']}: {report['frames']} frames at {rate:g} frames a second")
