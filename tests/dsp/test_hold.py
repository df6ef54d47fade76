"""Frames held until the next one, against a loop over samples; gradients against sums, and differentiated again."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from effort import gradcheck, gradgradcheck

from djgraph.dsp.curve import Timeline
from djgraph.dsp.hold import hold, hold_samples


def by_hand(values: torch.Tensor, samples: int) -> torch.Tensor:
    """Walks along the clip with exact positions of frames."""
    frames = values.shape[-1]
    if frames == 1 or samples == 1:
        return values[..., :1].expand(*values.shape[:-1], samples)
    at = [Fraction(i * (samples - 1), frames - 1) for i in range(frames)]
    return torch.stack(
        [values[..., max(i for i in range(frames) if at[i] <= n)] for n in range(samples)], dim=-1
    )


@pytest.mark.parametrize(("samples", "frames"), [(1, 4), (2, 5), (17, 1), (50, 7), (64, 64), (40, 90)])
def test_the_last_frame_at_or_before_a_sample(samples: int, frames: int) -> None:
    values = torch.arange(2.0 * frames).view(2, frames)
    made = hold_samples(Timeline(samples, frames), values, 0, samples)
    assert torch.equal(made, by_hand(values, samples))
    if samples > 20 and frames > 1:
        first, stop = Timeline(samples, frames).span(11, 19)
        part = hold_samples(Timeline(samples, frames), values[:, first:stop], 11, 19, first)
        assert torch.equal(part, made[:, 11:19])


def test_positions_are_exact_after_hours() -> None:
    samples, frames = 96_000 * 3600 * 10 + 1, 1001
    line = Timeline(samples, frames)
    edge = 700 * (samples - 1) // (frames - 1)
    made = hold(line, torch.arange(frames).double(), torch.tensor([edge - 1, edge, samples - 1]))
    assert made.tolist() == [699.0, 700.0, 1000.0]


def test_a_frame_gets_the_gradient_of_the_samples_that_read_it() -> None:
    values = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    line, weight = Timeline(41, 6), torch.randn(2, 41, dtype=torch.float64)
    (found,) = torch.autograd.grad((hold_samples(line, values, 0, 41) * weight).sum(), values)
    wanted = torch.zeros(2, 6, dtype=torch.float64)
    for n in range(41):
        wanted[:, n * 5 // 40] += weight[:, n]
    torch.testing.assert_close(found, wanted)
    gradcheck(lambda v: hold_samples(line, v, 3, 40), values, check_forward_ad=True)
    gradgradcheck(lambda v: hold_samples(line, v, 3, 40) ** 2, values)


def test_it_goes_through_function_transforms() -> None:
    values, line = torch.randn(3, 6, dtype=torch.float64), Timeline(41, 6)

    def energy(one: torch.Tensor) -> torch.Tensor:
        return (hold_samples(line, one, 0, 41) ** 2).sum()

    by_item = torch.func.vmap(torch.func.grad(energy))(values)
    counts = torch.bincount(torch.arange(41) * 5 // 40, minlength=6)
    torch.testing.assert_close(by_item, 2 * values * counts)
    hessian = torch.func.hessian(energy)(values[0])
    torch.testing.assert_close(hessian, torch.diag(2.0 * counts).double())
