"""Passages and what follows from them, by hand."""

from __future__ import annotations

import torch

from djgraph.alignment import Found, Passage
from djgraph.dsp import warp_positions


def test_a_passage_is_a_line() -> None:
    passage = Passage(begins=1000, ends=3000, start=50, rate=1.25, key_locked=False, spread=0.1)
    assert passage.position(1000) == 50
    assert passage.position(1004) == 55
    assert passage.stop == 2550


def test_a_passage_that_begins_elsewhere_is_on_the_same_lines() -> None:
    passage = Passage(1000, 3000, 50, 1.25, False, 0.1, (250.0, 450.0))
    for sample in (600.0, 1000.0, 2000.0):
        other = passage.begun(sample)
        assert (other.begins, other.ends, other.start) == (sample, 3000, passage.position(sample))
        assert [place - other.start for place in other.also] == [200, 400]
    assert passage.shifted(-7.0).also == (243.0, 443.0)


def test_markers_are_those_of_a_deck() -> None:
    first = Passage(0, 100, 7, 1.5, False, 0.1)
    second = Passage(100, 200, 7, 0.5, False, 0.1)
    clip, track, rate = (
        torch.tensor(one, dtype=torch.float64, device="cpu")
        for one in Found("a", (first, second), 1.0).markers()
    )
    position, speed = warp_positions(clip, track, 200, rate=rate)
    assert position[10] == first.position(10)
    assert position[150] == second.position(150)
    assert speed[150] == 0.5


def test_an_absent_track_has_no_ends() -> None:
    found = Found("a", (), 0.9)
    assert found.begins is None
    assert found.ends is None
