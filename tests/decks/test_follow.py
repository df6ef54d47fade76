"""Decks that follow the clock by bars or beats, or do not; and where that puts them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from djgraph.analysis import Grid
from djgraph.automation import TempoMap
from djgraph.decks import Deck, Free, MemoryMaterial, Place, follow, place
from djgraph.dsp import warp_positions
from djgraph.errors import InputError

RATE = 8000
RAMP = TempoMap([(4, 118, "per_beat"), (30, 131)])


@given(st.floats(60, 180), st.floats(0, 0.9), st.integers(0, 3), st.floats(0, 20), st.integers(0, 40))
def test_beats_and_bars_are_the_nearest(tempo, first, downbeat, start, at):
    grid = Grid.at_tempo(tempo, first, 4, downbeat)
    for sync, step in (("beat", 1), ("bar", 4)):
        where = follow(grid, RAMP, sync, start, float(at))
        assert isinstance(where, Place)
        # A beat, or a bar line, of the track lies on one of the mix …
        line = float(grid.at(downbeat + 8.0))
        assert (
            where.mix_beat(line) == pytest.approx(step * round(where.mix_beat(line) / step), abs=1e-6)
            or where.times != 1
        )
        # … and what was asked for sounds no further away than half of that, and half again where it is rounded.
        assert abs(where.mix_beat(start) - at) <= step / 2 * max(where.times, 1) + 1e-6


def test_by_hand():
    grid = Grid.at_tempo(120, 0.25, 4, 1)  # beats at 0.25, 0.75 (a bar), 1.25 …
    bar, beat = follow(grid, 120.0, "bar"), follow(grid, 120.0, "beat")
    assert bar.mix_beat(0.75) == 0
    assert beat.mix_beat(0.25) == 0 or beat.mix_beat(0.25) == 1
    assert abs(beat.mix_beat(0.0)) <= 0.5
    assert follow(grid, 120.0, "bar", start=0.75 + 8.0, at=16.0).mix_beat(0.75 + 8.0) == 16
    assert follow(grid, 120.0, "bar", start=0.75 + 8.3, at=17.0).mix_beat(0.75 + 8.0) == 16
    assert follow(grid, 120.0, "beat", start=0.75 + 8.3, at=17.0).mix_beat(0.75 + 8.5) == 17


def test_off_is_the_track_as_it_is():
    free = follow(None, RAMP, "off", start=1.5, at=8.0)
    assert isinstance(free, Free)
    clip, track = free.markers(RATE)
    position, rate = warp_positions(clip, track, 10, first=round(RAMP.seconds(8) * RATE))
    assert rate.tolist() == [1.0] * 10
    assert float(position[0]) == pytest.approx(1.5 * RATE, abs=0.5)
    torch.manual_seed(0)
    audio = torch.randn(1, 5 * RATE)
    deck = Deck(MemoryMaterial({"x": audio}), Free(120.0, 4.0), RATE)
    assert torch.equal(deck.read(0, deck.samples)["x"][:, 2 * RATE :], audio)
    assert deck.samples == 7 * RATE
    locked = Deck(MemoryMaterial({"x": audio}), Free(120.0, 4.0), RATE, key_lock=True)
    assert torch.equal(locked.read(0, locked.samples)["x"][:, 2 * RATE :], audio)
    half = Deck(MemoryMaterial({"x": audio}), Free(120.0, 0.0, 1.0, 0.5), RATE)
    assert half.samples == 8 * RATE
    assert free.mix_beat(1.5) == pytest.approx(8)


@pytest.mark.parametrize("sync", ["bar", "beat"])
def test_markers_are_those_of_the_deck(sync):
    """What a deck that is an effect gets is what a deck of files plays."""
    grid = Grid.at_tempo(125, 0.3, 4, 2)
    where = follow(grid, RAMP, sync, start=2.0)
    clip, track = where.markers(RATE, 10.0)
    run = where.runs(RATE, 10.0)[0]
    for first in (0, 9000, 31_111):
        for one, other in zip(warp_positions(clip, track, 500, first=first), run.positions(first, 500)):
            assert torch.equal(one, other)


def test_a_track_placed_by_its_first_beat():
    grid = Grid.at_tempo(120, 0.25, 4, 1)
    assert place(grid, 120.0, 8.0, bars=False).mix_beat(0.25) == 8
    assert place(grid, 120.0, 8.0).mix_beat(0.75) == 12  # after the upbeat's bar


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (dict(grid=None, tempo=120.0), "without a beat grid"),
        (dict(grid=Grid.at_tempo(120), tempo=120.0, sync="bars"), "did you mean.*bar"),
        (dict(grid=Grid.at_tempo(120), tempo=120.0, start=np.nan), "expected numbers"),
        (dict(grid=None, tempo=120.0, sync="off", at=np.inf), "expected numbers"),
    ],
)
def test_what_cannot_be(given_, said):
    with pytest.raises(InputError, match=said):
        follow(**given_)
    with pytest.raises(InputError, match="times as fast from second"):
        Free(120.0, 0.0, 0.0, 5.0)
