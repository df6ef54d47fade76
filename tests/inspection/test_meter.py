"""What the meter counts, against counts by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from djgraph.inspection.meter import Meter, fft_flops

DEVICES = ["cpu", "meta"]


def zeros(*shape: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device=device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("work", "flops", "moved"),
    [
        (lambda x, c: x * 2, 24, 192),
        (lambda x, c: x * x[:, :1], 24, 96 + 16 + 96),  # what is repeated is read once
        (lambda x, c: torch.lerp(x, x, 0.5), 72, 3 * 96),
        (lambda x, c: x.sum(), 24, 96 + 4),
        (lambda x, c: x.mul_(2.0), 24, 192),
        (lambda x, c: torch.mul(x, x, out=x), 24, 3 * 96),
        (lambda x, c: x @ x.T, 2 * 4 * 4 * 6, 96 + 96 + 64),
        (lambda x, c: c * c, 6 * 5, 3 * 40),
        (lambda x, c: c * c.real, 2 * 5, 40 + 20 + 40),
        (lambda x, c: c + c, 2 * 5, 3 * 40),
        (lambda x, c: torch.cat([x, x]), 0, 4 * 96),
        (lambda x, c: x.clone(), 0, 192),
        (lambda x, c: x.t()[1:].unfold(0, 2, 1), 0, 0),
        (lambda x, c: torch.empty_like(x), 0, 0),
        (lambda x, c: torch.fft.fft(c), 5 * 5 * math.log2(5), 80),
    ],
)
def test_operations(
    device: str, work: Callable[[torch.Tensor, torch.Tensor], Any], flops: float, moved: int
) -> None:
    x, c = zeros(4, 6, device=device), zeros(5, dtype=torch.complex64, device=device)
    with Meter() as meter:
        work(x, c)
    assert meter.flops == pytest.approx(flops)
    assert meter.moved == moved


@pytest.mark.parametrize("device", DEVICES)
def test_transforms(device: str) -> None:
    frames = zeros(3, 7, 64, device=device)
    with Meter() as meter:
        spectra = torch.fft.rfft(frames)
    assert meter.flops == 21 * 2.5 * 64 * 6 == fft_flops(64, 21)
    assert meter.moved == 21 * (64 * 4 + 33 * 8)
    with Meter() as meter:
        torch.fft.irfft(spectra, n=64)
    assert meter.flops >= 21 * 2.5 * 64 * 6  # and the scaling, where a library does it apart


@pytest.mark.parametrize("device", DEVICES)
def test_memory_is_that_of_what_lives(device: str) -> None:
    given = zeros(1000, device=device)
    with Meter() as meter:
        first = given + 1
        view = first[10:]
        assert (meter.held, meter.peak) == (4000, 4000)
        second = first * 2
        del first
        assert meter.held == 8000  # the view keeps it
        del view, second
        assert (meter.held, meter.peak) == (0, 8000)
        meter.restart()
        given.mul_(2.0)
        assert (meter.held, meter.peak) == (0, 0)


@pytest.mark.parametrize("device", DEVICES)
def test_what_autograd_keeps_is_held_until_the_backward_pass(device: str) -> None:
    leaf = zeros(1000, device=device).requires_grad_()
    with Meter() as meter:
        total = (leaf * 2).exp().sum()
        assert meter.held == 4000 + 4  # the exponential, which its derivative needs, and the sum
        (gradient,) = torch.autograd.grad(total, leaf)
        del total
        assert meter.held == 4000
        del gradient
    assert meter.held == 0
