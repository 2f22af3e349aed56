import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from magicpose_cli import device
from magicpose_cli.recipe import Optimisation
from magicpose_cli.training.optimizer import make_optimizer, make_schedule

RATE = 1e-2


def _net(channels_last: bool) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1), nn.SiLU(), nn.Conv2d(64, 96, 3, padding=1), nn.Conv2d(96, 3, 1)
    )
    return net.to(memory_format=torch.channels_last) if channels_last else net


def _settings(**given) -> Optimisation:
    return Optimisation(steps=1, batch_size=1, learning_rate=RATE, optimizer="muon", **given)


def _train(net: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> list[float]:
    losses = []
    for step in steps:
        pictures = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        loss = functional.mse_loss(net(pictures), pictures.flip(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("channels_last", [False, True])
def test_muon_moves_a_convolution_along_all_its_directions_alike(channels_last):
    weight = nn.Parameter(torch.randn(64, 64, 3, 3, generator=torch.Generator().manual_seed(0)))
    if channels_last:
        weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    few_rows = nn.Parameter(torch.zeros(3, 64))
    before = weight.detach().clone()
    optimizer = make_optimizer([{"params": [weight, few_rows], "lr": RATE}], _settings())
    weight.grad = torch.randn(64, 64, 3, 3, generator=torch.Generator().manual_seed(1))
    few_rows.grad = torch.randn(3, 64, generator=torch.Generator().manual_seed(2))
    optimizer.step()
    moved = (weight.detach() - before).flatten(1) / (RATE * 0.2 * math.sqrt(64 * 9))
    sizes = torch.linalg.svdvals(moved)
    assert sizes.min() > 0.6 and sizes.max() < 1.3
    assert (moved * weight.grad.flatten(1)).sum() < 0
    # no matrix: AdamW's first step moves each weight by its rate
    torch.testing.assert_close(few_rows.abs(), torch.full_like(few_rows, RATE), rtol=1e-2, atol=0)


def test_weights_that_moved_in_memory_are_trained_all_the_same():
    straight, moved = _net(True), _net(True)
    for net in (straight, moved):
        optimizer = make_optimizer([{"params": list(net.parameters()), "lr": RATE}], _settings())
        if net is moved:  # as accelerate does where several CPU processes train
            for weight in net.parameters():
                weight.data = weight.data.clone()
        _train(net, optimizer, range(2))
    for ours, theirs in zip(moved.parameters(), straight.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_cpu_without_bf16_takes_the_same_step_in_fp32(monkeypatch):
    moved = []
    for computes in (True, False):
        monkeypatch.setattr(device, "computes_bf16", lambda computes=computes: computes)
        net = _net(True)
        optimizer = make_optimizer([{"params": list(net.parameters()), "lr": RATE}], _settings())
        before = torch.cat([p.detach().flatten() for p in net.parameters()])
        _train(net, optimizer, range(1))
        moved.append(torch.cat([p.detach().flatten() for p in net.parameters()]) - before)
    assert not torch.equal(*moved)
    # bf16 rounds the weakest directions of a gradient away
    assert functional.cosine_similarity(*moved, dim=0) > 0.98


def test_it_learns_and_goes_on_from_its_state():
    whole, broken = _net(True), _net(True)
    make = lambda net: make_optimizer([{"params": list(net.parameters()), "lr": RATE}], _settings())  # noqa: E731
    optimizer = make(whole)
    losses = _train(whole, optimizer, range(40))
    assert losses[-1] < losses[0] / 4
    first = make(broken)
    _train(broken, first, range(20))
    second = make(broken)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    _train(broken, second, range(20, 40))
    torch.testing.assert_close(broken.state_dict(), whole.state_dict())


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_state_goes_on_where_weights_lie_otherwise_in_memory(channels_last, tmp_path):
    here, there = _net(channels_last), _net(not channels_last)
    make = lambda net: make_optimizer([{"params": list(net.parameters()), "lr": RATE}], _settings())  # noqa: E731
    first, second = make(here), make(there)
    _train(here, first, range(3))
    torch.save(first.state_dict(), tmp_path / "state")
    there.load_state_dict(here.state_dict())
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    for net, optimizer in ((here, first), (there, second)):
        _train(net, optimizer, range(3, 6))
    torch.testing.assert_close(there.state_dict(), here.state_dict(), rtol=1e-3, atol=1e-5)


def test_a_weight_decay_that_has_changed_counts():
    net = _net(False)
    optimizer = make_optimizer([{"params": list(net.parameters()), "lr": RATE}], _settings())
    optimizer.param_groups[0]["weight_decay"] = 1 / RATE  # nothing is left but the step itself
    before = [weight.detach().abs().max() for weight in net.parameters()]
    _train(net, optimizer, range(1))
    assert max(before) > 0.1
    assert all(weight.abs().max() < 3 * RATE for weight in net.parameters())


def test_its_learning_rate_follows_a_schedule():
    net = _net(False)
    optimizer = make_optimizer([{"params": list(net.parameters()), "lr": RATE}], _settings())
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0)
    before = copy.deepcopy(net.state_dict())
    _train(net, optimizer, range(2))
    schedule.step()
    torch.testing.assert_close(net.state_dict(), before)


def test_a_rate_warms_up_stays_and_falls_to_nothing_over_its_last_share():
    settings = Optimisation(
        steps=10, batch_size=1, learning_rate=RATE, warmup_steps=2,
        schedule="warmup_stable_decay", decay_share=0.4,
    )  # fmt: skip
    optimizer = torch.optim.SGD(_net(False).parameters(), lr=RATE)
    schedule = make_schedule(optimizer, settings)
    rates = []
    for step in range(settings.steps):
        if step == 6:  # killed, and resumed
            state, optimizer = schedule.state_dict(), torch.optim.SGD(_net(False).parameters(), lr=RATE)
            schedule = make_schedule(optimizer, settings)
            schedule.load_state_dict(state)
        rates.append(schedule.get_last_lr()[0] / RATE)
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0, 0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    assert schedule.get_last_lr()[0] == pytest.approx(0, abs=1e-9)
