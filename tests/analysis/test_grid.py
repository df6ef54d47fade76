"""Grids of beats: against NumPy's interpolation, and one way and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from djgraph.analysis import Grid
from djgraph.errors import InputError


def test_one_tempo_goes_on_beyond_its_anchors():
    grid = Grid.at_tempo(120, first=0.25, meter=4, downbeat=1)
    assert grid.tempo == 120
    assert grid.steady
    np.testing.assert_allclose(grid.at(np.array([-1.0, 0.0, 1000.5])), [-0.25, 0.25, 500.5])
    np.testing.assert_allclose(grid.beats_until(2.0), [0.25, 0.75, 1.25, 1.75])
    np.testing.assert_allclose(grid.bars_until(3.0), [0.75, 2.75, 4.75])


@given(st.lists(st.floats(0.16, 2.9), min_size=1, max_size=30), st.floats(-5, 5), st.integers(0, 2**32 - 1))
def test_between_anchors_it_is_straight(gaps, first, seed):
    seconds = first + np.concatenate([[0.0], np.cumsum(gaps)])
    grid = Grid.from_beats(list(seconds))
    at = np.random.default_rng(seed).uniform(0, len(gaps), 20)
    np.testing.assert_allclose(grid.at(at), np.interp(at, np.arange(len(seconds)), seconds), atol=1e-9)
    np.testing.assert_allclose(grid.beat_at(grid.at(at)), at, atol=1e-7)


def test_bar_lines_end_the_last_bar_that_begins():
    grid = Grid.at_tempo(60, meter=3, downbeat=2)
    np.testing.assert_allclose(grid.bars_until(9.5), [2, 5, 8, 11])
    assert len(grid.bars_until(0.5)) == 1  # no bar begins


@pytest.mark.parametrize(
    ("seconds", "beats", "meter", "downbeat", "said"),
    [
        ((0.0,), (0.0,), 4, 0, "2 to"),
        ((0.0, 1.0), (0.0,), 4, 0, "as many of each"),
        ((1.0, 0.5), (0.0, 1.0), 4, 0, "ascending"),
        ((0.0, float("nan")), (0.0, 1.0), 4, 0, "ascending"),
        ((0.0, 0.5), (0.0, 1.0), 0, 0, "1 to 16"),
        ((0.0, 0.5), (0.0, 1.0), 4, 4, "first bar below"),
        ((0.0, 0.01), (0.0, 1.0), 4, 0, "6000 BPM"),
        ((0.0, 0.5, 10.0), (0.0, 1.0, 2.0), 4, 0, "6.31579 to 120 BPM"),
    ],
)
def test_what_is_no_grid(seconds, beats, meter, downbeat, said):
    with pytest.raises(InputError, match=said):
        Grid(seconds, beats, meter, downbeat)
