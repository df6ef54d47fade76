"""Compiled control curves against exact integrals, against PyTorch's operators, and against their adjoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from effort import examples, few, gradcheck, gradgradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from djgraph import simd
from djgraph.dsp.curve import Timeline
from djgraph.simd import curves


def integral(values: NDArray[Any], spacing: float, until: NDArray[Any]) -> NDArray[Any]:
    """The area under the straight lines between frames from the first frame on."""
    whole = np.concatenate([[0], np.cumsum(values[1:] + values[:-1]) / 2 * spacing])
    left = np.clip((until / spacing).astype(int), 0, len(values) - 2)
    rest = until - left * spacing
    slope = (values[left + 1] - values[left]) / spacing
    return whole[left] + values[left] * rest + slope * rest**2 / 2


def averaged(values: NDArray[Any], samples: int, half: float) -> NDArray[Any]:
    """The mean of the curve over a box around every sample, which shrinks towards the ends."""
    place = np.arange(samples, dtype=float)
    spacing = (samples - 1) / (len(values) - 1)
    width = np.minimum(half, np.minimum(place, samples - 1 - place))
    curve = np.interp(place, np.arange(len(values)) * spacing, values)
    wide = width > 1e-3  # a narrower box is as good as none
    edges = [integral(values, spacing, (place + side * width)[wide]) for side in (-1, 1)]
    curve[wide] = (edges[1] - edges[0]) / (2 * width[wide])
    return curve


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, int, int, int, float, int]:
    """frames, samples, start, stop, half, seed."""
    samples, frames = draw(st.integers(2, 300)), draw(st.integers(2, 70))
    start = draw(st.integers(0, samples - 1))
    stop = draw(st.just(samples) | st.integers(start + 1, samples))
    half = draw(st.just(0.0) | st.floats(0.1, 5) | st.floats(5, 400))
    return frames, samples, start, stop, half, draw(st.integers(0, 99))


class Part:
    """The frames that a stretch needs, with NaN where nobody may look."""

    def __init__(self, values: NDArray[Any], line: Timeline, start: int, stop: int, half: float) -> None:
        self.first, self.last = line.span(start, stop, 2 * half)
        self._room = np.full((len(values), len(values[0]) + 10), np.nan, values.dtype)
        self.values = self._room[:, 5 : 5 + self.last - self.first]
        self.values[:] = values[:, self.first : self.last]

    def assert_untouched_beside(self) -> None:
        count = self.last - self.first
        assert np.isnan(self._room[:, :5]).all()
        assert np.isnan(self._room[:, 5 + count :]).all()


@settings(max_examples=examples(150), deadline=None)
@given(case=cases())
def test_reading_is_the_box_average(case: Any) -> None:
    frames, samples, start, stop, half, seed = case
    values = np.random.default_rng(seed).random((2, frames))
    part = Part(values, Timeline(samples, frames), start, stop, half)
    out = np.full((2, stop - start), np.nan)
    curves.read(part.values, part.first, frames, samples, start, half, out)
    expected = np.stack([averaged(row, samples, half) for row in values])[:, start:stop]
    np.testing.assert_allclose(out, expected, atol=1e-9 if half else 1e-13)


@settings(max_examples=examples(100), deadline=None)
@given(case=cases(), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_reading_is_what_pytorch_reads(case: Any, dtype: torch.dtype) -> None:
    frames, samples, start, stop, half, seed = case
    line = Timeline(samples, frames)
    first, last = line.span(start, stop, 2 * half)
    values = torch.rand(3, frames, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    values = values[:, first:last].requires_grad_()
    out = line.read_samples(values, start, stop, 2 * half, first)
    weight = torch.rand(out.shape, dtype=dtype, generator=torch.Generator().manual_seed(seed + 1))
    (gradient,) = torch.autograd.grad(out, values, weight)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simd, "takes", lambda tensor: False)
        plain = line.read_samples(values, start, stop, 2 * half, first)
        (plain_gradient,) = torch.autograd.grad(plain, values, weight)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(out, plain, rtol=0, atol=tolerance)
    torch.testing.assert_close(gradient, plain_gradient, rtol=0, atol=tolerance * (1 + stop - start))
    if half == 0:
        positions = torch.arange(start, stop)
        torch.testing.assert_close(out, line.read(values, positions, first), rtol=0, atol=tolerance)


@settings(max_examples=examples(150), deadline=None)
@given(case=cases())
def test_collecting_is_the_adjoint_of_reading(case: Any) -> None:
    frames, samples, start, stop, half, seed = case
    generator = np.random.default_rng(seed)
    values, gradient = generator.standard_normal((2, frames)), generator.standard_normal((2, stop - start))
    line = Timeline(samples, frames)
    part, total = Part(values, line, start, stop, half), Part(values, line, start, stop, half)
    out = np.empty((2, stop - start))
    curves.read(part.values, part.first, frames, samples, start, half, out)
    curves.collect(gradient, total.first, frames, samples, start, half, total.values)
    found = total.values - part.values  # it was added to what was there
    np.testing.assert_allclose(
        (out * gradient).sum(-1), (part.values * found).sum(-1), atol=1e-11 * (1 + stop - start)
    )
    total.assert_untouched_beside()


@settings(max_examples=examples(40), deadline=None)
@given(case=cases(), frame=st.integers(0, 69))
def test_collecting_a_frame_at_a_time(case: Any, frame: int) -> None:
    """The gradient of one frame is the curve that this frame alone makes, times the gradient, summed."""
    frames, samples, start, stop, half, seed = case
    frame %= frames
    alone = np.zeros(frames)
    alone[frame] = 1
    gradient = np.random.default_rng(seed).standard_normal((1, stop - start))
    total = np.zeros((1, frames))
    curves.collect(gradient, 0, frames, samples, start, half, total)
    expected = averaged(alone, samples, half)[start:stop] @ gradient[0]
    np.testing.assert_allclose(total[0, frame], expected, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("half", [0.0, 110.25])
def test_the_last_sample_is_the_last_frame_exactly(dtype: str, half: float) -> None:
    frames, samples = 36_001, 3600 * 44_100
    line = Timeline(samples, frames)
    first, last = line.span(samples - 1000, samples, 2 * half)
    values = np.random.default_rng(0).random((1, last - first)).astype(dtype)
    out = np.empty((1, 1000), dtype)
    curves.read(values, first, frames, samples, samples - 1000, half, out)
    assert out[0, -1] == values[0, -1]
    assert out[0, -2] != values[0, -1]


@pytest.mark.parametrize("frames", [2, 3, 5, 40])
def test_the_last_sample_is_exact_at_any_length(frames: int) -> None:
    values = np.random.default_rng(2).random((1, frames))
    for samples in range(2, 300):
        out = np.empty((1, samples))
        curves.read(values, 0, frames, samples, 0, 3.0, out)
        assert out[0, -1] == values[0, -1]
        assert out[0, 0] == values[0, 0]


def test_every_curve_has_its_own_row_on_any_number_of_threads() -> None:
    values = np.random.default_rng(1).random((7, 9))
    made = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            out, total = np.empty((7, 100)), np.zeros((7, 9))
            curves.read(values, 0, 9, 100, 0, 4.0, out)
            curves.collect(out, 0, 9, 100, 0, 4.0, total)
            made.append((out, total))
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*made):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(made[0][0], [averaged(row, 100, 4.0) for row in values], atol=1e-12)


@pytest.mark.parametrize(
    ("frames", "samples", "start", "stop", "smoothing"),
    few(
        [(5, 30, 0, 30, 7.0), (5, 30, 8, 21, 7.0), (9, 4, 0, 4, 3.0), (2, 2, 0, 2, 1.0), (6, 40, 0, 40, 0.0)],
        1,
    ),
)
def test_gradients_as_often_as_anybody_likes(
    frames: int, samples: int, start: int, stop: int, smoothing: float
) -> None:
    line = Timeline(samples, frames)
    first, last = line.span(start, stop, smoothing)
    values = torch.rand(2, 3, last - first, dtype=torch.float64, requires_grad=True)

    def read(values: torch.Tensor) -> torch.Tensor:
        return line.read_samples(values, start, stop, smoothing, first)

    assert gradcheck(read, (values,))
    assert gradgradcheck(read, (values,))
    # The curve is linear, so only behind something that is not does a second gradient say anything.
    assert gradgradcheck(lambda values: read(values).square(), (values,))


def test_strided_values_and_gradients() -> None:
    line = Timeline(50, 6)
    values = torch.rand(6, 4, dtype=torch.float64).T.requires_grad_()
    out = line.read_samples(values, 0, 50, 9.0)
    expected = np.stack([averaged(row, 50, 4.5) for row in values.detach().numpy()])
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=1e-12)
    (summed,) = torch.autograd.grad(out.sum(), values)
    (weighted,) = torch.autograd.grad(
        line.read_samples(values, 0, 50, 9.0), values, torch.ones(4, 50).double()
    )
    torch.testing.assert_close(summed, weighted, rtol=0, atol=1e-12)
    assert summed.sum().item() == pytest.approx(4 * 50)
