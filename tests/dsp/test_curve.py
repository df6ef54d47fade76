"""Control curves against an integral computed point by point with NumPy."""

import numpy as np
import pytest
import torch
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp.curve import Timeline


def box_average(values: np.ndarray, samples: int, half: float) -> np.ndarray:
    """The exact mean of the piecewise linear curve over a box around each sample that shrinks at the ends."""
    frames = len(values)
    knots = np.arange(frames) * (samples - 1) / (frames - 1)
    out = np.empty(samples)
    for n in range(samples):
        reach = min(half, n, samples - 1 - n)
        if reach <= 0:
            out[n] = np.interp(n, knots, values)
            continue
        inner = knots[(knots > n - reach) & (knots < n + reach)]
        points = np.concatenate([[n - reach], inner, [n + reach]])
        heights = np.interp(points, knots, values)
        out[n] = np.sum(np.diff(points) * (heights[1:] + heights[:-1]) / 2) / (2 * reach)
    return out


@settings(max_examples=examples(60), deadline=None)
@given(
    samples=st.integers(2, 300),
    frames=st.integers(2, 80),
    smoothing=st.just(0.0) | st.floats(0.01, 120),
    seed=st.integers(0, 99),
)
def test_smoothed_curve_is_the_box_average(samples: int, frames: int, smoothing: float, seed: int) -> None:
    values = np.random.default_rng(seed).random((2, frames))
    got = Timeline(samples, frames).read_samples(torch.from_numpy(values), 0, samples, smoothing)
    expected = np.stack([box_average(row, samples, smoothing / 2) for row in values])
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-12)


@settings(max_examples=examples(60), deadline=None)
@given(
    samples=st.integers(1, 400),
    frames=st.integers(1, 60),
    smoothing=st.floats(0, 90),
    cut=st.integers(1, 97),
)
def test_stretches_need_only_the_frames_that_span_names(
    samples: int, frames: int, smoothing: float, cut: int
) -> None:
    values = torch.rand(3, frames, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    line = Timeline(samples, frames)
    whole = line.read_samples(values, 0, samples, smoothing)
    for start in range(0, samples, cut):
        stop = min(start + cut, samples)
        low, high = line.span(start, stop, smoothing)
        piece = line.read_samples(values[:, low:high], start, stop, smoothing, first=low)
        torch.testing.assert_close(piece, whole[:, start:stop], rtol=0, atol=1e-13)


def test_ends_and_straight_lines_stay_as_they_are() -> None:
    line = torch.linspace(0.2, 0.9, 11, dtype=torch.float64)[None]
    curve = Timeline(1000, 11).read_samples(line, 0, 1000, 90.0)
    torch.testing.assert_close(
        curve[0], torch.linspace(0.2, 0.9, 1000, dtype=torch.float64), rtol=0, atol=1e-12
    )
    jagged = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    curve = Timeline(500, 4).read_samples(jagged, 0, 500, 200.0)
    assert curve[0, 0] == 1
    assert curve[0, -1] == 0
    assert curve.min() >= 0
    assert curve.max() <= 1


def test_the_last_sample_of_an_hour_reads_the_last_frame_exactly() -> None:
    samples = 3600 * 44100
    values = torch.rand(1, 36001)
    line = Timeline(samples, 36001)
    low, high = line.span(samples - 5, samples)
    end = line.read_samples(values[:, low:high], samples - 5, samples, first=low)
    assert end[0, -1] == values[0, -1]


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (1, 5), (9, 1), (3, 9), (40, 40), (50, 6)])
def test_gradients(samples: int, frames: int) -> None:
    values = torch.rand(2, frames, dtype=torch.float64, requires_grad=True)
    line = Timeline(samples, frames)
    assert gradcheck(lambda v: line.read_samples(v, 0, samples, 7.0), (values,))
    positions = torch.tensor([0, samples // 2, samples - 1])
    assert gradcheck(lambda v: line.read(v, positions), (values,))
