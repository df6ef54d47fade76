"""The order of a proposed set against all orders."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from djgraph.analysis import Grid, Known
from djgraph.analysis.store import Anchors
from djgraph.sets import propose as room
from djgraph.sets.load import load_set
from djgraph.sets.propose import Candidate, course, propose, to_yaml


def candidates(count: int, seed: int) -> list[Candidate]:
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        grid = Grid.at_tempo(float(random.uniform(100, 150)))
        anchors = Anchors(seconds=[*grid.seconds], beats=[*grid.beats], meter=4, downbeat=0)
        levels = {"drums": [*random.uniform(-60, -10, 16)]}
        known = Known(
            grid=anchors,
            camelot=f"{random.integers(1, 13)}{'AB'[random.integers(2)]}",
            loudness=float(random.uniform(-20, -8)),
            levels=levels,
        )
        found.append(Candidate(f"t{number}", Path(f"music/t {number}"), known))
    return found


def all_orders(tracks: list[Candidate]) -> float:
    steps, places = room._steps(tracks), room._places(tracks)
    return min(
        sum(steps[a, b] for a, b in itertools.pairwise(order))
        + sum(places[t, n] for n, t in enumerate(order))
        for order in itertools.permutations(range(len(tracks)))
    )


@pytest.mark.parametrize("seed", range(4))
def test_no_order_is_better(seed: int) -> None:
    tracks = candidates(6, seed)
    found = propose(tracks)
    assert found.exact
    assert found.cost == pytest.approx(all_orders(tracks))
    assert sorted(track.name for track in found.tracks) == sorted(track.name for track in tracks)


@pytest.mark.parametrize("seed", range(4))
def test_of_many_it_is_nearly_the_best(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = candidates(10, seed)
    best = propose(tracks).cost
    monkeypatch.setattr(room, "EXACT", 0)
    found = propose(tracks)
    assert not found.exact
    assert best <= found.cost + 1e-9 <= 1.25 * best
    assert sorted(track.name for track in found.tracks) == sorted(track.name for track in tracks)


def test_the_course_of_energy() -> None:
    assert course(5).tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1, 0.5])
    assert course(1).tolist() == [1.0]


@pytest.mark.parametrize(("other", "locked"), [(122.0, False), (124.0, True), (62.0, True), (61.0, False)])
def test_keys_are_kept_where_pitch_would_lose_them(tmp_path: Path, other: float, locked: bool) -> None:
    """Half a semitone is 2.9 %."""
    tracks = []
    for bpm in (120.0, other):
        grid = Grid.at_tempo(bpm)
        anchors = Anchors(seconds=[*grid.seconds], beats=[*grid.beats], meter=4, downbeat=0)
        tracks.append(Candidate(str(bpm), tmp_path / str(bpm), Known(camelot="8A", grid=anchors)))
    assert load_set(to_yaml(propose(tracks), tmp_path, [], "friday")).model.key_lock is locked


def test_what_is_written_is_a_set(tmp_path: Path) -> None:
    tracks = candidates(5, 1)
    text = to_yaml(propose(tracks), tmp_path, ["x: no beat was\nfound"], "friday")
    document = load_set(text)
    assert document.model.name == "friday"
    assert {(tmp_path / track.track).resolve() for track, _ in document.tracks} == {
        track.path.resolve() for track in tracks
    }
    assert "# left out: x: no beat was" in text
