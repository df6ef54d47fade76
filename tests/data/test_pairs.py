"""Pairs of excerpts: what an item holds, and that it depends on its number alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from two_decks import GRAPH, RATE

import djgraph
from djgraph.audio import load_stems
from djgraph.data import StemPairs, find_tracks, random_state
from djgraph.errors import AudioFileError, InputError

from .conftest import write_track

TWO = ("drums", "bass")


def make(library: Path, **options: Any) -> StemPairs:
    return StemPairs(library, **{"seconds": 0.5, "sample_rate": RATE, "stems": TWO, "length": 12, **options})


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b or (a != a and b != b)


def test_an_item_is_what_it_says(library: Path) -> None:
    pairs = make(library)
    assert len(pairs) == 12
    starts = set()
    for item in (pairs[i] for i in range(len(pairs))):
        assert item["track"]["track_a"] != item["track"]["track_b"]
        for deck in ("track_a", "track_b"):
            folder = library / item["track"][deck]
            start = round(item["start"][deck] * RATE)
            starts.add(start)
            for stem, whole in load_stems(folder, TWO, RATE).items():
                got = item["inputs"][deck][stem]
                assert got.shape == (2, RATE // 2)
                torch.testing.assert_close(got, whole[:, start : start + RATE // 2], atol=1e-5, rtol=0)
            tempo = {"one": 120, "album/two": 126.5}.get(item["track"][deck])
            assert math.isnan(item["tempo"][deck]) if tempo is None else item["tempo"][deck] == tempo
    assert len(starts) > 12  # they do vary


def test_batches_go_into_a_mixer(library: Path) -> None:
    pairs = make(library, decks=("left", "right"))
    batch = next(iter(DataLoader(pairs, batch_size=3)))
    mixer = djgraph.compile(GRAPH)
    mixed = mixer(batch["inputs"], mixer.layout.pack(n_frames=2))
    expected = sum(x for stems in batch["inputs"].values() for x in stems.values())
    torch.testing.assert_close(mixed, expected)


def test_items_depend_on_seed_epoch_and_index_alone(library: Path) -> None:
    pairs, again = make(library), make(library)
    backwards = [again[i] for i in reversed(range(12))][::-1]
    assert equal([pairs[i] for i in range(12)], backwards)
    assert equal(pairs[-1], pairs[11])
    assert not equal(pairs[0], pairs[1])
    assert not equal(pairs[0], make(library, seed=1)[0])
    first = pairs[0]
    pairs.set_epoch(1)
    assert not equal(pairs[0], first)
    pairs.set_epoch(0)
    assert equal(pairs[0], first)
    with pytest.raises(IndexError):
        pairs[12]


def test_workers_give_the_same_items(library: Path) -> None:
    pairs = make(library, length=6)
    alone = list(DataLoader(pairs, batch_size=None))
    # Workers that stay alive from epoch to epoch hear of the next one, too.
    loader = DataLoader(pairs, batch_size=None, num_workers=2, persistent_workers=True)
    assert equal(list(loader), alone)
    pairs.set_epoch(1)
    second = list(loader)
    assert not equal(second, alone)
    assert equal(second, [pairs[i] for i in range(6)])


def test_beats(library: Path) -> None:
    pairs = make(library, align="beat", length=30)
    seen = [
        item["start"][deck]
        for item in map(pairs.__getitem__, range(30))
        for deck in item["track"]
        if item["track"][deck] == "one"
    ]
    assert len(set(seen)) > 2
    assert all(start * 4 == round(start * 4) and start <= 1.5 for start in seen)


def test_given_pairs(library: Path) -> None:
    pairs = make(library, pairs=[("one", "three")])
    assert {tuple(pairs[i]["track"].values()) for i in range(12)} == {("one", "three")}
    pairs = make(library, pairs=[("one", "one"), ("three", "one")])
    assert {tuple(pairs[i]["track"].values()) for i in range(12)} == {("one", "one"), ("three", "one")}
    with pytest.raises(InputError, match="did you mean 'three'"):
        make(library, pairs=[("one", "tree")])
    with pytest.raises(InputError, match="names 2 tracks"):
        make(library, pairs=[("one",)])
    with pytest.raises(InputError, match="names 2 tracks"):
        make(library, pairs=["on"])
    with pytest.raises(InputError, match="no pairing"):
        make(library, pairs=[])


def test_short_tracks(library: Path) -> None:
    write_track(library / "short", seconds=0.3, seed=9)
    with pytest.raises(
        AudioFileError, match=r"1 of 4 tracks are shorter than an excerpt of 0\.5 s: short \(0\.3 s\)"
    ):
        make(library)
    skipping = make(library, short="skip", length=20)
    assert "short" not in {name for i in range(20) for name in skipping[i]["track"].values()}
    padding = make(library, short="pad", pairs=[("short", "one")])
    item = padding[0]
    assert item["start"]["track_a"] == 0
    audio = item["inputs"]["track_a"]["drums"]
    assert audio.shape == (2, RATE // 2)
    assert audio[:, :2400].any()
    assert not audio[:, 2400:].any()
    with pytest.raises(AudioFileError, match="2 different tracks are needed and there are 0"):
        make(library, seconds=9.0, short="skip")
    with pytest.raises(InputError, match="no pairing of tracks that are long enough"):
        make(library, short="skip", pairs=[("short", "one")])


def test_exactly_as_long(library: Path) -> None:
    pairs = make(library, seconds=2.0)
    assert all(
        pairs[i]["start"][deck] == 0
        for i in range(12)
        for deck in pairs.decks
        if pairs[i]["track"][deck] != "album/two"
    )


def test_tracks_that_were_found_already(library: Path) -> None:
    tracks = find_tracks(library, TWO)
    assert equal(make(library)[3], StemPairs(tracks, 0.5, RATE, stems=TWO, length=12)[3])


def test_one_track_is_not_two(tmp_path: Path) -> None:
    write_track(tmp_path / "only")
    with pytest.raises(AudioFileError, match="2 different tracks are needed and there are 1"):
        make(tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(AudioFileError, match="it is empty"):
        make(tmp_path / "none")


@pytest.mark.parametrize(
    "options",
    [
        {"align": "bar"},
        {"short": "cut"},
        {"channels": 3},
        {"length": 0},
        {"seconds": 0},
        {"decks": ()},
        {"seed": -1},
    ],
)
def test_bad_arguments(library: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        make(library, **options)


def test_random_states() -> None:
    # The first numbers of MT19937 seeded with what SeedSequence gives: fixed for good.
    state = np.random.RandomState(np.random.SeedSequence([2, 7, 0]).generate_state(8))
    assert random_state(7, 0).random_sample() == state.random_sample()
    drawn = {random_state(*key).random_sample() for key in ((), (0,), (0, 0), (1,), (1, 0), (0, 1), (2**40,))}
    assert len(drawn) == 7
    for bad in (-1, 1.5, True, None):
        with pytest.raises(InputError, match="whole numbers from 0"):
            random_state(0, bad)  # type: ignore[arg-type]
