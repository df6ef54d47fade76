"""Frames with positions, against a loop over samples: interpolation, box averages, holding; and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from effort import examples, few, gradcheck, gradgradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph import simd
from djgraph.dsp.curve import Timeline
from djgraph.dsp.hold import hold, hold_samples
from djgraph.dsp.placed import PlacedTimeline, timeline_of

FAR = 1 << 40


@pytest.fixture(params=["vectors", "operators"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "operators":
        monkeypatch.setattr(simd, "takes", lambda tensor: False)
    return str(request.param)


def average(values: np.ndarray, places: np.ndarray, samples: int, start: int, stop: int, half: float) -> Any:
    """Sample by sample the exact mean of the curve over a box, which shrinks at the clip's ends."""
    out = np.empty(stop - start)
    for n in range(start, stop):
        reach = min(half, n, samples - 1 - n)
        if reach <= 0:
            out[n - start] = np.interp(n, places, values)
            continue
        inner = places[(places > n - reach) & (places < n + reach)]
        points = np.concatenate([[n - reach], inner, [n + reach]])
        heights = np.interp(points, places, values)
        out[n - start] = np.sum(np.diff(points) * (heights[1:] + heights[:-1]) / 2) / (2 * reach)
    return out


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], int, int, int, float, int]:
    """positions, samples, start, stop, half, seed."""
    samples = draw(st.integers(1, 200))
    near = st.integers(-60, samples + 60)
    places = draw(st.sets(near, min_size=1, max_size=30) | st.sets(near, min_size=20, max_size=60))
    start = draw(st.integers(0, samples - 1))
    stop = draw(st.just(samples) | st.integers(start + 1, samples))
    half = draw(st.just(0.0) | st.floats(0.1, 5) | st.floats(5, 300))
    return sorted(places), samples, start, stop, half, draw(st.integers(0, 99))


def frames_of(count: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(2, count, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=examples(150), deadline=None)
@given(case=cases(), vectors=st.booleans())
def test_reading_is_the_box_average(case: Any, vectors: bool) -> None:
    places, samples, start, stop, half, seed = case
    values = frames_of(len(places), seed)
    expected = np.stack(
        [average(row, np.array(places), samples, start, stop, half) for row in values.numpy()]
    )
    with pytest.MonkeyPatch.context() as patch:
        if not vectors:
            patch.setattr(simd, "takes", lambda tensor: False)
        made = PlacedTimeline.at(samples, places).read_samples(values, start, stop, 2 * half)
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-10)


@settings(max_examples=examples(100), deadline=None)
@given(case=cases(), dtype=st.sampled_from([torch.float32, torch.float64]), vectors=st.booleans())
def test_a_stretch_reads_what_the_whole_does_to_the_last_bit(
    case: Any, dtype: torch.dtype, vectors: bool
) -> None:
    """With the frames that ``span`` names, as a slice of all of them or as a timeline of their own."""
    places, samples, start, stop, half, seed = case
    values = frames_of(len(places), seed, dtype)
    line = PlacedTimeline.at(samples, places)
    low, high = line.span(start, stop, 2 * half)
    own = PlacedTimeline.at(samples, places[low:high])
    with pytest.MonkeyPatch.context() as patch:
        if not vectors:
            patch.setattr(simd, "takes", lambda tensor: False)
        whole = line.read_samples(values, 0, samples, 2 * half)[:, start:stop]
        near = values[:, low:high]
        pieces = [
            line.read_samples(near, start, stop, 2 * half, low),
            own.read_samples(near, start, stop, 2 * half),
        ]
        steps = hold_samples(line, values, 0, samples)[:, start:stop]
    for piece in pieces:
        if vectors or not half:
            assert torch.equal(piece, whole)
        else:  # sums by scatter, in any order
            torch.testing.assert_close(piece, whole, rtol=0, atol=1e-5 if dtype == torch.float32 else 1e-12)
    assert torch.equal(hold_samples(line, near, start, stop, low), steps)
    assert torch.equal(hold_samples(own, near, start, stop), steps)


@settings(max_examples=examples(80), deadline=None)
@given(case=cases())
def test_held_values_change_on_the_frame(case: Any) -> None:
    places, samples, start, stop, _, seed = case
    values, line = frames_of(len(places), seed), PlacedTimeline.at(samples, places)
    index = [max([i for i, p in enumerate(places) if p <= n], default=0) for n in range(start, stop)]
    assert torch.equal(hold_samples(line, values, start, stop), values[:, index])
    assert torch.equal(hold(line, values, torch.arange(start, stop)), values[:, index])
    read = line.read(values, torch.arange(start, stop))
    np.testing.assert_allclose(
        read.numpy(), [np.interp(np.arange(start, stop), places, row) for row in values.numpy()], atol=1e-12
    )


@settings(max_examples=examples(60), deadline=None)
@given(
    frames=st.integers(2, 40),
    gap=st.integers(1, 50),
    smoothing=st.just(0.0) | st.floats(0.5, 200),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 99),
)
def test_even_positions_read_as_no_positions(
    frames: int, gap: int, smoothing: float, dtype: torch.dtype, seed: int
) -> None:
    samples = (frames - 1) * gap + 1
    values = frames_of(frames, seed, dtype)
    even = Timeline(samples, frames)
    line = PlacedTimeline.at(samples, torch.arange(frames) * gap)
    torch.testing.assert_close(
        line.read_samples(values, 0, samples, smoothing),
        even.read_samples(values, 0, samples, smoothing),
        rtol=1e-6,
        atol=1e-6,
    )
    assert torch.equal(hold_samples(line, values, 0, samples), hold_samples(even, values, 0, samples))


@settings(max_examples=examples(80), deadline=None)
@given(case=cases(), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_both_engines_have_the_same_gradients(case: Any, dtype: torch.dtype) -> None:
    places, samples, start, stop, half, seed = case
    values = frames_of(len(places), seed, dtype).requires_grad_()
    line = PlacedTimeline.at(samples, places)
    out = line.read_samples(values, start, stop, 2 * half)
    weight = torch.rand(out.shape, dtype=dtype, generator=torch.Generator().manual_seed(seed + 1))
    (gradient,) = torch.autograd.grad(out, values, weight)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simd, "takes", lambda tensor: False)
        plain = line.read_samples(values, start, stop, 2 * half)
        (plain_gradient,) = torch.autograd.grad(plain, values, weight)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(out, plain, rtol=0, atol=tolerance)
    torch.testing.assert_close(gradient, plain_gradient, rtol=0, atol=tolerance * (1 + stop - start))


PLACES = [-7, 0, 3, 4, 20, 21, 36, 50]


@pytest.mark.parametrize("smoothing", few([7.0, 0.0, 30.0], 1))
@pytest.mark.parametrize(("start", "stop"), few([(0, 40), (2, 31)], 1))
def test_gradients_as_often_as_anybody_likes(engine: str, start: int, stop: int, smoothing: float) -> None:
    line = PlacedTimeline.at(40, PLACES)
    values = torch.rand(2, len(PLACES), dtype=torch.float64, requires_grad=True)

    def read(values: torch.Tensor) -> torch.Tensor:
        return line.read_samples(values, start, stop, smoothing)

    assert gradcheck(read, (values,))
    assert gradgradcheck(lambda values: read(values).square(), (values,))
    steps = lambda values: hold_samples(line, values, start, stop)  # noqa: E731
    assert gradcheck(steps, (values,), check_forward_ad=True)
    assert gradgradcheck(lambda values: steps(values).square(), (values,))


def test_reading_at_positions_has_gradients() -> None:
    line = PlacedTimeline.at(40, PLACES)
    values = torch.rand(2, len(PLACES), dtype=torch.float64, requires_grad=True)
    at = torch.tensor([0, 0, 3, 12, 39])
    assert gradcheck(lambda values: line.read(values, at), (values,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_from_the_start_all_is_as_near_to_it(engine: str, dtype: torch.dtype) -> None:
    """No float ever holds a position: 2⁴⁰ samples away a curve is the same, to the last bit."""
    places = torch.tensor([3, 40, 41, 77, 300])
    values = frames_of(5, 3, dtype)
    near = PlacedTimeline.at(None, places + 1000).read_samples(values, 1000, 1400, 24.0)
    far = PlacedTimeline.at(None, places + FAR).read_samples(values, FAR, FAR + 400, 24.0)
    assert torch.equal(near, far)
    assert torch.equal(
        hold_samples(PlacedTimeline.at(None, places + FAR), values, FAR, FAR + 400),
        hold_samples(PlacedTimeline.at(None, places), values, 0, 400),
    )


def test_without_an_end_the_box_stays_wide(engine: str) -> None:
    values = frames_of(4, 5)
    places = [0, 30, 60, 99]
    made = PlacedTimeline.at(None, places).read_samples(values, 0, 100, 40.0)
    expected = [average(row, np.array(places), 10_000, 0, 100, 20.0) for row in values.numpy()]
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("even", [False, True])
def test_many_frames_in_a_box_round_no_more_than_few(engine: str, even: bool) -> None:
    """A frame on every sample, as in a stream of blocks of one: the corners in a box are added up before they round."""
    samples, smoothing = 2000, 220.0
    values = torch.linspace(20_000, 20, samples, dtype=torch.float64)[None]
    values[:, 1000:] = values[:, :1000].flip(-1)
    line = Timeline(samples, samples) if even else PlacedTimeline.at(samples, range(samples))
    rounded = values.float()
    exact = line.read_samples(rounded.double(), 0, samples, smoothing)
    made = line.read_samples(rounded, 0, samples, smoothing)
    assert float((made - exact).abs().max()) < 1.01 * torch.finfo(torch.float32).eps / 2 * 20_000


def test_frames_are_read_exactly(engine: str) -> None:
    values = frames_of(6, 8, torch.float32)
    places = [0, 7, 8, 100, 463, 999]
    made = PlacedTimeline.at(1000, places).read_samples(values, 0, 1000)
    assert torch.equal(made[:, places], values)


def test_timelines_with_positions_are_only_equal_to_themselves() -> None:
    places = torch.tensor([0, 5])
    one, two = timeline_of(10, 2, places), timeline_of(10, 2, places)
    assert one == one
    assert one != two
    assert one != Timeline(10, 2)
    assert timeline_of(10, 2, None) == Timeline(10, 2)
    assert len({one, two, Timeline(10, 2), Timeline(10, 2)}) == 3
