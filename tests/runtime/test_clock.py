"""Tempo and beats against running sums, over spans, with positions, and far from the start."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp.curve import Timeline
from djgraph.dsp.placed import PlacedTimeline
from djgraph.errors import InputError
from djgraph.runtime.clock import beats_at, clock_span, make_clock

LIKE = torch.zeros(1)
RATE = 1000


@settings(max_examples=examples(80), deadline=None)
@given(
    samples=st.integers(1, 300),
    frames=st.integers(1, 40),
    placed=st.none() | st.sets(st.integers(-50, 350), min_size=2, max_size=20).map(sorted),
    seed=st.integers(0, 99),
)
def test_beats_are_the_sum_of_the_tempo_before(samples: int, frames: int, placed: Any, seed: int) -> None:
    count = frames if placed is None else len(placed)
    bpm = 40 + 160 * torch.rand(2, count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    positions = None if placed is None else torch.tensor(placed)
    clock = make_clock(bpm, 2, samples, RATE, LIKE, positions)
    assert clock is not None
    places = np.linspace(0, samples - 1, count) if placed is None else np.array(placed)
    if count == 1 or (samples == 1 and placed is None):
        curve = bpm[:, :1].expand(2, samples).numpy()
    else:
        curve = np.stack([np.interp(np.arange(samples), places, row) for row in bpm.numpy()])
    beats = np.cumsum(np.pad(curve, ((0, 0), (1, 0))), axis=1)[:, :-1] / (60 * RATE)
    np.testing.assert_allclose(clock.tempo[:, 0].numpy(), curve, rtol=1e-12)
    np.testing.assert_allclose(clock.beats[:, 0].numpy(), beats, atol=1e-12)
    assert clock.tempo.dtype == clock.beats.dtype == torch.float64


@settings(max_examples=examples(80), deadline=None)
@given(
    placed=st.sets(st.integers(-50, 350), min_size=1, max_size=20).map(sorted),
    cuts=st.sets(st.integers(1, 299), max_size=6).map(sorted),
    seed=st.integers(0, 99),
)
def test_a_span_has_the_beats_of_the_whole_to_the_last_bit(placed: list[int], cuts: Any, seed: int) -> None:
    """However the clip is cut, and with the frames before a span gone."""
    count = len(placed)
    bpm = 40 + 160 * torch.rand(2, count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    line, first = PlacedTimeline.at(300, placed), torch.tensor([0.5, -3.0], dtype=torch.float64)
    whole = clock_span(line, bpm, 0, 300, RATE, first)
    for start, stop in zip([0, *cuts], [*cuts, 300]):
        low, high = line.span(start, stop)
        kept = beats_at(line, bpm, line.positions[low : low + 1], RATE, first)[:, 0]
        near = PlacedTimeline.at(None, placed[low:high])
        for part in (
            clock_span(line, bpm, start, stop, RATE, first),
            clock_span(near, bpm[:, low:high], start, stop, RATE, kept),
        ):
            assert torch.equal(part.beats, whole.beats[..., start:stop])
            assert torch.equal(part.tempo, whole.tempo[..., start:stop])


def test_beats_do_not_depend_on_how_long_the_clip_is() -> None:
    short, long = (make_clock(133.7, 1, samples, 48_000, LIKE) for samples in (1000, 500_000))
    assert short is not None
    assert long is not None
    assert torch.equal(short.beats, long.beats[..., :1000])


def test_an_hours_ramp_is_exact() -> None:
    """Against the sum in fractions: 120 to 130 BPM over an hour, read in its last second."""
    samples, rate = 3600 * 44_100, 44_100
    bpm = torch.tensor([[120.0, 130.0]], dtype=torch.float64)
    start = samples - rate
    even = clock_span(Timeline(samples, 2), bpm, start, samples, rate, bpm.new_zeros(1))
    placed = PlacedTimeline.at(samples, [0, samples - 1])
    other = clock_span(placed, bpm, start, samples, rate, bpm.new_zeros(1))
    for n in (start, start + 12_345, samples - 1):
        wanted = (120 * n + Fraction(10, samples - 1) * n * (n - 1) / 2) / (60 * rate)
        for clock in (even, other):
            assert clock.beats[0, 0, n - start].item() == pytest.approx(float(wanted), abs=2e-11)


def test_beats_far_from_the_start() -> None:
    """A frame at 2⁴⁰ samples, ten thousand seconds of 120 BPM behind it."""
    far = 1 << 40
    line = PlacedTimeline.at(None, [far, far + 100])
    bpm = torch.full((1, 2), 120.0, dtype=torch.float64)
    clock = clock_span(line, bpm, far + 10_000_000, far + 10_000_002, RATE, bpm.new_zeros(1))
    assert clock.beats[0, 0].tolist() == [20_000.0, 20_000.002]


def test_the_gradient_of_beats() -> None:
    bpm = (60 + 100 * torch.rand(2, 5, dtype=torch.float64)).requires_grad_()

    def beats(bpm: torch.Tensor) -> torch.Tensor:
        clock = make_clock(bpm, 2, 50, RATE, LIKE, torch.tensor([-4, 0, 10, 11, 70]))
        assert clock is not None
        return clock.beats * clock.tempo

    assert gradcheck(beats, (bpm,))


@pytest.mark.parametrize("tempo", [0, 0.05, 2e5, -3, torch.tensor([0.0]), torch.tensor([[120.0, 1e6]])])
def test_tempos_that_there_are_not(tempo: Any) -> None:
    with pytest.raises(InputError, match=r"tempo is .*; expected 0.1 to 100,000 BPM"):
        make_clock(tempo, 1, 10, RATE, LIKE)


@pytest.mark.parametrize("tempo", ["fast", (torch.tensor([90.0, 120.0]), torch.tensor([0, 2000])), {}])
def test_what_is_no_tempo(tempo: Any) -> None:
    with pytest.raises(InputError, match="tempo must be a number"):
        make_clock(tempo, 1, 10, RATE, LIKE)


def test_tempos_that_fit_no_positions() -> None:
    with pytest.raises(InputError, match="tempo has 3 frames, but there are 2 positions"):
        make_clock(torch.full((1, 3), 120.0), 1, 10, RATE, LIKE, torch.tensor([0, 5]))
    clock = make_clock(120.0, 1, 10, RATE, LIKE, torch.tensor([3, 5]))
    assert clock is not None
    assert clock.beats[0, 0, 0] == 0
