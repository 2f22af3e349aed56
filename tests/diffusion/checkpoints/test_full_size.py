"""The released checkpoint's size: converted, loaded and run for one step, with time and memory said.

Weights are random, with all names and shapes of the released file. Needs 20 GB of disk and 16 GB of memory:

    pytest -m slow -s tests/diffusion/checkpoints/test_full_size.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

KEYS = Path(__file__).parents[4] / "shared" / "fixtures" / "official_full_keys.json"

MAKE = """
import json, sys, torch
torch.manual_seed(0)
tensors = {}
for name, shape in json.load(open(sys.argv[1])).items():
    if name.endswith("position_ids"):
        tensors[name] = torch.arange(shape[-1])[None]
    elif len(shape) == 1 and "norm" in name and name.endswith("weight"):
        tensors[name] = torch.ones(shape)
    else:
        fan = max(torch.Size(shape[1:]).numel(), 1)
        tensors[name] = torch.randn(shape) * (0.5 / fan**0.5)
torch.save({"state_dict": tensors}, sys.argv[2])
"""

RUN = """
import sys, torch
from magicpose_cli.diffusion.folder import load_model
pipeline = load_model(__import__("pathlib").Path(sys.argv[1]), torch.device("cpu"), torch.float32)
draw = torch.Generator().manual_seed(0)
latents, reference = torch.randn(1, 4, 64, 64, generator=draw), torch.randn(1, 4, 64, 64, generator=draw)
maps = torch.rand(1, 3, 512, 512, generator=draw)
out = pipeline.denoise(latents, reference, maps, num_inference_steps=1)
assert out.shape == latents.shape and bool(torch.isfinite(out).all())
assert (out - latents).abs().max() > 0
"""


def _run(name: str, *command: str) -> tuple[float, float]:
    """Seconds and peak GB of a program, which must end well."""
    start_s = time.monotonic()
    child = subprocess.Popen([sys.executable, *command])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, name
    seconds, gigabytes = time.monotonic() - start_s, usage.ru_maxrss * 1024 / 1e9
    print(f"\n{name}: {seconds:.0f} s, peak {gigabytes:.2f} GB")
    return seconds, gigabytes


@pytest.mark.slow
def test_the_released_checkpoints_size_converts_loads_and_runs(tmp_path):
    if not KEYS.is_file():
        pytest.skip("the released file's names and shapes (../shared/fixtures) are not here")
    assert len(json.loads(KEYS.read_text())) == 2182
    checkpoint, folder = tmp_path / "model_state-110000.th", tmp_path / "model"
    _run("making it", "-c", MAKE, str(KEYS), str(checkpoint))
    size = checkpoint.stat().st_size / 1e9
    print(f"checkpoint: {size:.2f} GB")
    spent, peak = _run(
        "convert", "-m", "magicpose_cli", "models", "convert", str(checkpoint), "-o", str(folder)
    )
    assert peak <= 1.3 * size
    checkpoint.unlink()
    assert (folder / "prompt_embeds.safetensors").is_file()
    ran, _ = _run("load and one step at 512x512, fp32", "-c", RUN, str(folder))
    shutil.rmtree(folder)  # pytest would keep 9 GB of it
    assert spent + ran < 600
