"""Loops and jumps of decks: what sounds when, by beats that can be told apart; no clicks; what cannot be is told."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from djgraph.analysis import Grid
from djgraph.automation import TempoMap
from djgraph.decks import Deck, Jump, Loop, MemoryMaterial, Place
from djgraph.errors import InputError

RATE = 8000
GRID = Grid.at_tempo(120, 0.25)


def _steps(seconds: float = 16.0) -> torch.Tensor:
    """Each beat's number, held: what is heard says which beat is played."""
    beats = np.floor(GRID.beat_at(np.arange(round(seconds * RATE)) / RATE) + 1e-9)
    return torch.from_numpy(beats.astype(np.float32))[None]


def _heard(*moves, tempo=120.0, beats: int = 24) -> list[int]:
    """The track's beat at the middle of each of the mix's."""
    where = Place(GRID, tempo, 0.0, 0.0, moves=moves)
    deck = Deck(MemoryMaterial({"x": _steps()}), where, RATE)
    x = deck.read(0, deck.samples)["x"][0]
    middles = [round(where.clock.seconds(n + 0.5) * RATE) for n in range(beats)]
    return [round(float(x[at])) for at in middles if at < len(x)]


@pytest.mark.parametrize("tempo", [120.0, 131.0, TempoMap([(0, 120, "per_beat"), (16, 140)])])
def test_what_sounds_when(tempo):
    assert _heard(tempo=tempo)[:8] == list(range(8))
    assert _heard(Loop(4, 2, 3), tempo=tempo)[:12] == [0, 1, 2, 3, 4, 5, 4, 5, 4, 5, 6, 7]
    assert _heard(Jump(4, 16), tempo=tempo)[:8] == [0, 1, 2, 3, 16, 17, 18, 19]
    both = _heard(Jump(2, 8), Loop(4, 1, 4), Jump(9, 3), tempo=tempo)
    assert both[:12] == [0, 1, 8, 9, 10, 10, 10, 10, 11, 3, 4, 5]
    assert _heard(Loop(4, 2, 1), tempo=tempo)[:8] == list(range(8))


def test_beats_that_count_twice():
    where = Place(GRID, 240.0, 0.0, 0.0, times=2.0, moves=(Loop(8, 2, 2),))
    deck = Deck(MemoryMaterial({"x": _steps()}), where, RATE)
    x = deck.read(0, deck.samples)["x"][0]
    assert [round(float(x[round((n + 0.5) * 0.5 * RATE)])) for n in range(10)] == [
        0,
        1,
        2,
        3,
        4,
        5,
        4,
        5,
        6,
        7,
    ]


def test_the_end_of_the_mix_is_that_of_what_is_played():
    seconds = 16.0
    for moves, longer in (((), 0.0), ((Loop(4, 4, 3),), 8.0), ((Jump(8, 16),), -8.0)):
        where = Place(GRID, 120.0, 0.0, 0.0, moves=moves)
        deck = Deck(MemoryMaterial({"x": _steps(seconds)}), where, RATE)
        assert deck.samples == round((seconds - 0.25 + longer * 0.5) * RATE)


def test_a_cut_is_a_short_fade_before_it():
    where = Place(GRID, 120.0, 0.0, 0.0, moves=(Jump(4, 16),))
    levels = torch.where(torch.arange(16 * RATE) < 6 * RATE, 1.0, 3.0)[None]
    x = Deck(MemoryMaterial({"x": levels}), where, RATE).read(0, 4 * RATE)["x"][0]
    cut = 2 * RATE
    assert float(x[cut]) == 3.0  # the first sample is the new one's own
    assert float(x[cut - 41]) == 1.0
    steps = x[cut - 42 : cut + 2].diff()
    assert float(steps.min()) >= 0
    assert float(steps.max()) < 2 * math.pi / 2 / 40
    # Music that goes on in time keeps its level: amplitudes add up to 1.
    same = Deck(MemoryMaterial({"x": torch.ones(1, 16 * RATE)}), where, RATE).read(0, 4 * RATE)["x"][0]
    torch.testing.assert_close(same[RATE : 3 * RATE], torch.ones(2 * RATE), atol=1e-5, rtol=0)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=8), st.integers(0, 30_000))
def test_blocks_are_the_whole(cuts, first):
    torch.manual_seed(0)
    material = MemoryMaterial({"a": torch.randn(2, 12 * RATE), "b": torch.randn(1, 12 * RATE)})
    moves = (Loop(2, 0.0625, 9), Loop(4, 1, 3), Jump(8, 1.25), Jump(9.5, 12))
    deck = Deck(
        material, Place(GRID, TempoMap([(0, 120, "per_beat"), (8, 127)]), 0.5, 0.0, moves=moves), RATE
    )
    whole = deck.read(first, sum(cuts))
    parts = []
    for cut in cuts:
        parts.append(deck.read(first, cut))
        first += cut
    assert all(torch.equal(torch.cat([p[name] for p in parts], -1), whole[name]) for name in "ab")


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        (
            (Loop(28, 4, 2),),
            "a loop of 4 beats at beat 28 of the mix reaches to the track's beat 32, beyond its end",
        ),
        ((Jump(4, 40),), "a jump to beat 40 of a track that has beats -0.5 to 31.5"),
        ((Jump(4, -2),), "a jump to beat -2 of a track"),
        ((Jump(40, 4),), "a jump at beat 40 of the mix, where the track would be at its beat 40"),
        ((Loop(4, 4, 3), Jump(10, 2)), "lies within what comes before it, which ends at beat 16"),
        ((Jump(8, 2), Jump(4, 2)), "moves stand in order"),
        ((Loop(4, 1 / 32, 9000), Loop(290, 1 / 32, 9000)), "more than 10000 pieces"),
    ],
)
def test_what_cannot_be(moves, said):
    with pytest.raises(InputError, match=said):
        Deck(MemoryMaterial({"x": _steps()}), Place(GRID, 120.0, 0.0, 0.0, moves=moves), RATE)


@pytest.mark.parametrize(
    "wrong", [(1, 0, 2), (1, 4, 0), (float("nan"), 4, 2), (1, float("inf"), 2), (1, 4, 10**9)]
)
def test_loops_that_are_none(wrong):
    with pytest.raises(InputError, match="a loop at beat"):
        Loop(*wrong)
    with pytest.raises(InputError, match="expected numbers"):
        Jump(float("inf"), 2)
