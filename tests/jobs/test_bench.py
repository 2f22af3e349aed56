from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from typer.testing import CliRunner

from magicpose_cli.cli import app
from magicpose_cli.diffusion import fresh
from magicpose_cli.errors import InputError
from magicpose_cli.jobs.bench import BenchOptions, bench

from ..tiny import make_tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "tiny"
    make_tiny(motion=True).save_pretrained(path)
    return path


def test_it_times_each_part_and_compares_with_the_plain_order(folder):
    report = bench(BenchOptions(str(folder), frames=4, steps=2, dtype="fp32", compare=True))
    assert report["guidance"] == 2.0
    parts = report["parts"]
    assert set(parts) == {"appearance net", "pose embedding", "pose ControlNet", "UNet", "VAE"}
    assert all(row["seconds"] > 0 and row["gflop"] >= 0 for row in parts.values())
    assert sum(row["seconds"] for row in parts.values()) <= report["seconds"]
    assert report["ratio"] >= 1
    # at the model's own three steps: what is done once is done once
    once_s = parts["pose embedding"]["seconds"] + parts["VAE"]["seconds"]
    seconds = once_s + 3 / 2 * (report["seconds"] - once_s)
    assert report["frames_per_second"]["3 steps"] == pytest.approx(4 / seconds, rel=0.05)
    assert report["plain_order"]["relative_rms"] < 1e-5
    assert report["plain_order"]["relative_rms_unguided"] < 1e-5
    assert report["plain_order"]["plain_s"] > 0


def test_what_the_references_details_take_is_counted_where_a_model_has_them(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("magicpose_cli.jobs.bench.measure_details", lambda *_: 1000.0)
    options = BenchOptions(str(folder), frames=2, steps=1, rounds=1, dtype="fp32")
    plain = bench(options)
    assert plain["details_s"] == 0
    assert plain["frames_per_second"]["3 steps"] > 0.01
    model = make_tiny(motion=True)
    model.register_to_config(sampling=model.sampling.model_copy(update={"details": "reference"}).model_dump())
    model.save_pretrained(tmp_path / "model")
    report = bench(replace(options, model=str(tmp_path / "model")))
    assert report["details_s"] == 2000
    assert report["frames_per_second"]["3 steps"] <= 0.001


def test_without_guidance_the_floor_counts_the_one_branch_that_runs(folder):
    report = bench(BenchOptions(str(folder), frames=1, steps=1, rounds=1, dtype="fp32", guidance=0))
    assert set(report["parts"]) == {"UNet", "VAE"}


@pytest.mark.parametrize(("dtype", "limit"), [("fp32", 1e-6), ("bf16", 3e-2)])
def test_a_prediction_is_held_against_the_cpus_in_fp32(folder, dtype, limit):
    report = bench(BenchOptions(str(folder), frames=2, steps=1, dtype=dtype, against_cpu=True))
    assert report["against_cpu"]["relative_rms"] < limit
    assert (report["against_cpu"]["relative_rms"] > 1e-4) == (dtype == "bf16")


def test_random_weights_are_the_same_each_time_and_leave_the_random_state_alone(monkeypatch):
    narrow = {"block_out_channels": (32, 64, 64, 64)}
    monkeypatch.setattr(fresh, "UNet2DConditionModel", partial(UNet2DConditionModel, **narrow))
    monkeypatch.setattr(fresh, "AutoencoderKL", lambda **given: AutoencoderKL(**given | narrow))
    before = torch.get_rng_state()
    fresh.sd15_sized("cpu", torch.float32)
    assert torch.equal(torch.get_rng_state(), before)
    report = bench(
        BenchOptions("sd15", frames=1, steps=1, rounds=1, size_px=(64, 64), dtype="fp32", against_cpu=True)
    )
    assert report["against_cpu"]["relative_rms"] < 1e-6


@pytest.mark.parametrize("kind", ["none", "model", "group", "sequential"])
def test_networks_that_take_turns_are_timed_and_predict_the_same(folder, monkeypatch, kind):
    monkeypatch.setattr("magicpose_cli.jobs.bench.settle_offload", lambda *_, **__: kind)
    options = BenchOptions(
        str(folder), frames=2, steps=1, rounds=1, device="cpu", dtype="fp32", against_cpu=True
    )
    report = bench(options)
    assert report["offload"] == kind
    assert report["against_cpu"]["relative_rms"] < 1e-6


def test_a_cpu_has_no_memory_to_keep_within(folder):
    with pytest.raises(InputError, match="--vram with a GPU"):
        bench(BenchOptions(str(folder), device="cpu", vram_gb=4.0))


def test_the_command_prints_a_table_or_json(folder):
    given = ["bench", "--model", str(folder), "--frames", "2", "--steps", "1", "--dtype", "fp32"]
    table = CliRunner().invoke(app, given)
    assert table.exit_code == 0, table.output
    assert "pose ControlNet" in table.output
    as_json = CliRunner().invoke(app, [*given, "--json"])
    assert json.loads(as_json.stdout)["frames"] == 2
    against = CliRunner().invoke(app, [*given, "--json", "--against-cpu"])
    assert json.loads(against.stdout)["against_cpu"]["relative_rms"] < 1e-5


def test_a_model_that_sees_the_reference_is_compared_too(tmp_path):
    make_tiny(sees=True).save_pretrained(tmp_path / "model")
    options = BenchOptions(str(tmp_path / "model"), frames=1, steps=1, rounds=1, dtype="fp32")
    report = bench(replace(options, compare=True, against_cpu=True))
    assert report["plain_order"]["relative_rms"] < 1e-5
    assert report["plain_order"]["relative_rms_unguided"] < 1e-5
    assert report["against_cpu"]["relative_rms"] < 1e-5


def test_what_cannot_be_timed_is_told_before_a_weight_is_loaded(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("magicpose_cli.diffusion.folder.load_model", lambda *_: pytest.fail("loaded"))
    without = make_tiny()
    without.prompt_embeds = None
    without.save_pretrained(tmp_path / "without")
    for given, message in (
        (BenchOptions(str(tmp_path / "without")), "embedding of the empty prompt"),
        (BenchOptions(str(folder), steps=1001), "fewer steps"),
        (BenchOptions(str(folder), size_px=(36, 32)), "multiples of 8"),
    ):
        with pytest.raises(InputError, match=message):
            bench(given)
