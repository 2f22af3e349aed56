"""`bench`: how fast a model samples here, and how far that is from the least it could take."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .options import LEAST_VRAM_GB, MOST_STEPS, VRAM_HELP, AsJson, Device, Dtype, DtypeName, Guidance


def bench(
    model: Annotated[
        str | None,
        typer.Option(
            help="Name or folder; sd15: random weights of the released size; without it the best one installed."
        ),
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames of the video.")] = 16,
    steps: Annotated[int, typer.Option(min=1, max=MOST_STEPS, help="Denoising steps to time.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="Times that all is run; medians count.")] = 3,
    size: Annotated[
        str | None, typer.Option(help="WxH; the model's own by default.", show_default=False)
    ] = None,
    guidance: Guidance = None,
    device: Device = "auto",
    dtype: Dtype = DtypeName.auto,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="Also the paper's plain order: each network for each frame, nothing kept."
        ),
    ] = False,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Through torch.compile, block by block; takes minutes first.")
    ] = False,
    vram: Annotated[
        float | None, typer.Option(min=LEAST_VRAM_GB, help=VRAM_HELP, show_default="what is free")
    ] = None,
    against_cpu: Annotated[
        bool,
        typer.Option("--against-cpu", help="Also compare a prediction with the CPU's in fp32."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Time a model on this machine, part by part, beside the least time that its operations allow."""
    from .. import console
    from ..diffusion.facts import check_model, read_facts
    from ..jobs.fit import read_size
    from ..weights import SD15, find_model

    size_px = None if size is None else read_size(size)
    if model != SD15:
        folder = find_model(model)
        check_model(folder, read_facts(folder))
    # now, since it takes seconds
    from ..jobs.bench import BenchOptions
    from ..jobs.bench import bench as run

    options = BenchOptions(
        model=model,
        frames=frames,
        steps=steps,
        rounds=rounds,
        size_px=size_px,
        guidance=guidance,
        device=device,
        dtype=dtype.value,
        compare=compare,
        compile=compile_,
        vram_gb=vram,
        against_cpu=against_cpu,
    )
    report = run(options)
    console.result(report if as_json else _as_table(report), as_json=as_json)


def _as_table(report: dict[str, Any]) -> str:
    rates = report["rates_gflops"]
    turns = "" if report["offload"] == "none" else f", networks take turns ({report['offload']} offload)"
    lines = [
        f"{report['model']}, {report['size_px'][0]}x{report['size_px'][1]}, {report['frames']} frames, "
        f"{report['steps']} steps, guidance {report['guidance']:g}, {report['dtype']} on {report['device']}{turns}",
        f"this machine: {rates['convolutions']} GFLOP/s in convolutions, {rates['matrices']} in products of matrices",
        "",
        f"{'':<16}{'GFLOP':>10}{'floor s':>10}{'seconds':>10}{'ratio':>8}",
    ]
    for part, row in report["parts"].items():
        lines.append(
            f"{part:<16}{row['gflop']:>10.1f}{row['floor_s']:>10.3f}{row['seconds']:>10.3f}{row['ratio']:>8.2f}"
        )
    lines.append(f"{'elsewhere':<16}{'':>10}{'':>10}{report['elsewhere_s']:>10.3f}")
    lines.append(
        f"{'all':<16}{'':>10}{report['floor_s']:>10.3f}{report['seconds']:>10.3f}{report['ratio']:>8.2f}"
    )
    if report["details_s"]:
        lines.append(f"the reference's details: {report['details_s']:.3f} s more")
    for steps, rate in report["frames_per_second"].items():
        lines.append(f"frames a second at {steps}: {rate:.3g}")
    lines.append(f"peak memory: {report['peak_memory_mb']} MB")
    if "plain_order" in report:
        plain = report["plain_order"]
        lines.append(
            f"plain order, one step: {plain['plain_s']:.2f} s; ours {plain['ours_s']:.2f} s, "
            f"{plain['times_as_fast']:.2f} times as fast; predictions {plain['relative_rms']:.1e} apart, "
            f"{plain['relative_rms_unguided']:.1e} without guidance (relative RMS)"
        )
    if "against_cpu" in report:
        apart = report["against_cpu"]["relative_rms"]
        lines.append(f"against the CPU in fp32: predictions {apart:.1e} apart (relative RMS)")
    return "\n".join(lines)
