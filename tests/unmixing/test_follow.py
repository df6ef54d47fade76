"""A track that was put together from pieces of its own speed is taken apart into these pieces again."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch

from djgraph.alignment import Passage
from djgraph.decks import MemoryMaterial
from djgraph.unmixing.follow import pieces, read_pieces

RATE = 11025


def test_pieces_of_a_stretched_track_are_found() -> None:
    """Pieces of 80 ms, each up to 10 ms off the line, faded into each other, beside another sound at a quarter."""
    random = np.random.RandomState(4)
    track = torch.from_numpy(random.standard_normal((2, 4 * RATE))).float() * 0.1
    rate, length = 1.07, round(0.08 * RATE)
    true = []
    for begin in range(0, 3 * RATE, length):
        start = round(500 + rate * begin + random.uniform(-0.01, 0.01) * RATE)
        ends = min(begin + length, 3 * RATE)
        true.append(Passage(float(begin), float(ends), float(start), 1.0, False, 0.0))
    played = read_pieces(MemoryMaterial({"x": track}), true, 3 * RATE, RATE)
    other = torch.from_numpy(random.standard_normal((2, 3 * RATE))).float() * 0.025
    mix = 0.5 * played + other
    line = Passage(0.0, 3.0 * RATE, 500.0, rate, True, 0.0, also=(900.0,))
    found = pieces(MemoryMaterial({"x": track}), line, mix, RATE)
    assert found[0].begins == 0.0
    assert found[-1].ends == 3.0 * RATE
    assert not any(one.also for one in found)  # other places are the whole line's
    assert all(one.ends == two.begins for one, two in itertools.pairwise(found))
    again = read_pieces(MemoryMaterial({"x": track}), found, 3 * RATE, RATE)
    left = float((again - played).square().mean() / played.square().mean())
    assert 10 * math.log10(left) < -12
    gain = float((again * mix).sum() / again.square().sum())
    assert abs(gain - 0.5) < 0.03


def test_a_track_that_is_not_heard_stays_near_its_line() -> None:
    random = np.random.RandomState(5)
    track, mix = (torch.from_numpy(random.standard_normal((1, 2 * RATE))).float() for _ in range(2))
    found = pieces(MemoryMaterial({"x": track}), Passage(0.0, 15000.0, 100.0, 0.95, True, 0.0), mix, RATE)
    for one in found:
        for at in (one.begins, one.ends):
            assert abs(one.position(at) - (100.0 + 0.95 * at)) < 0.03 * RATE
