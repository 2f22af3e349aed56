import os
import platform
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from magicpose_cli import device
from magicpose_cli.errors import OptionError


@pytest.mark.parametrize(("computes", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_gets_bf16_where_it_computes_in_it(monkeypatch, computes, expected):
    monkeypatch.setattr(device, "computes_bf16", lambda: computes)
    assert device.pick_dtype("auto", torch.device("cpu")) is expected
    assert device.pick_dtype("fp32", torch.device("cpu")) is torch.float32


def test_a_gpu_gets_half_precision_and_weights_as_they_are():
    gpu = torch.device("cuda")
    assert device.pick_dtype("auto", gpu) is torch.float16
    assert device.memory_format(gpu, torch.bfloat16) is torch.contiguous_format


def test_weights_lie_channels_last_for_bf16_on_a_cpu_alone():
    cpu = torch.device("cpu")
    assert device.memory_format(cpu, torch.bfloat16) is torch.channels_last
    assert device.memory_format(cpu, torch.float32) is torch.contiguous_format


@pytest.mark.parametrize(
    ("wanted", "kind", "computes", "expected"),
    [
        ("bf16", "cpu", False, "no"),
        ("bf16", "cpu", True, "bf16"),
        ("bf16", "cuda", False, "bf16"),
        ("no", "cpu", False, "no"),
    ],
)
def test_training_leaves_bf16_to_what_computes_in_it(monkeypatch, wanted, kind, computes, expected):
    monkeypatch.setattr(device, "computes_bf16", lambda: computes)
    assert device.training_precision(wanted, torch.device(kind)) == expected


@pytest.mark.parametrize("name", ["fp8", "fp16"])
def test_formats_that_a_cpu_cannot_are_refused(name):
    with pytest.raises(OptionError, match="number format"):
        device.pick_dtype(name, torch.device("cpu"))


@pytest.mark.parametrize(
    ("gigabytes", "size_px", "expected"),
    [(24, 256, 16), (8, 512, 5), (1, 512, 1), (1, 2048, 1), (80, 512, 16)],
)
def test_how_many_frames_go_together_follows_from_all_memory(gigabytes, size_px, expected):
    assert device.frames_at_once(gigabytes * 2**30, torch.float16, size_px, size_px) == expected


def test_a_gpus_budget_is_what_is_free_or_less(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (6 * 2**30, 8 * 2**30))
    gpu = torch.device("cuda")
    assert device.memory_budget(gpu, None) == device.memory_budget(gpu, 7.5) == 6 * 2**30
    assert device.memory_budget(gpu, 4.0) == 4 * 2**30


def test_a_budget_is_for_gpus():
    assert device.memory_budget(torch.device("cpu"), None) == device.total_memory(torch.device("cpu"))
    with pytest.raises(OptionError, match="vram"):
        device.memory_budget(torch.device("cpu"), 4.0)


def test_this_machines_memory_is_known():
    assert 2**28 < device.total_memory(torch.device("cpu")) < 2**45


def test_a_picture_too_large_for_a_memory_is_decoded_in_tiles():
    assert not device.decodes_in_tiles(8 * 2**30, 512, 512)
    assert device.decodes_in_tiles(8 * 2**30, 2048, 2048)
    assert not device.decodes_in_tiles(80 * 2**30, 2048, 2048)


def _resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a C library without malloc_trim")
def test_what_lies_free_between_tensors_goes_back_to_the_system():
    # each too small to be mapped by itself, every second one freed: holes that the heap keeps
    kept = [torch.ones(16_000) for _ in range(4000)]
    del kept[::2]
    before = _resident_mb()
    device.return_free_memory()
    assert _resident_mb() < before - 60
    assert len(kept) == 2000


def test_where_the_c_library_has_no_such_call_nothing_happens(monkeypatch):
    asked = []
    monkeypatch.setattr(device.ctypes, "CDLL", lambda name: asked.append(name) or object())
    device.return_free_memory()
    assert asked == [None]


def test_what_a_device_made_comes_in_order():
    made = [torch.full((2, 3), number) for number in range(5)]
    assert [int(array[0, 0]) for array in device.fetch(iter(made))] == [*range(5)]


def test_a_gpu_computes_the_next_while_one_comes_over(monkeypatch):
    done = []

    def compute(number):
        done.append(f"compute {number}")
        return SimpleNamespace(device=torch.device("cuda"), number=number)

    def send(tensor):
        done.append(f"send {tensor.number}")
        return lambda: done.append(f"wait for {tensor.number}") or tensor.number

    monkeypatch.setattr(device, "_send", send)
    assert list(device.fetch(map(compute, range(3)))) == [0, 1, 2]
    assert done == [
        *("compute 0", "send 0", "compute 1", "send 1", "wait for 0"),
        *("compute 2", "send 2", "wait for 1", "wait for 2"),
    ]
