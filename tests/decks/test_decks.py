"""Decks: clicks of tracks of other tempos fall on the mix's beats; blocks are the whole; files are memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from djgraph.analysis import Grid
from djgraph.audio import write
from djgraph.decks import Deck, FileMaterial, MemoryMaterial, Place, place
from djgraph.decks.placement import transition_beat
from djgraph.errors import InputError

RATE = 8000


def _clicks(grid: Grid, seconds: float) -> torch.Tensor:
    """A short tone burst centred on every beat, whose middle can be told to a fraction of a sample."""
    time = np.arange(round(seconds * RATE)) / RATE
    audio = np.zeros_like(time)
    for beat in grid.beats_until(seconds):
        audio += np.exp(-0.5 * ((time - beat) / 0.004) ** 2)
    return torch.from_numpy(audio.astype(np.float32))[None]


def _peaks(audio: torch.Tensor) -> np.ndarray:
    """Seconds of the bursts' centres, by a parabola through the highest samples' logarithms."""
    x = audio[0].double().numpy()
    at = np.flatnonzero((x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:]) & (x[1:-1] > 0.5)) + 1
    a, b, c = np.log(x[at - 1]), np.log(x[at]), np.log(x[at + 1])
    return (at + 0.5 * (a - c) / (a - 2 * b + c)) / RATE


GRIDS = {
    "slower": Grid.at_tempo(104, 0.21, 4, 1),
    "faster": Grid.at_tempo(148, 0.4, 4, 0),
    "half": Grid.at_tempo(63, 0.1, 4, 3),
    "three": Grid.at_tempo(150, 0.05, 3, 2),
    "uneven": Grid((0.3, 4.3, 9.1, 20.0), (0.0, 8.0, 17.0, 39.0), 4, 2),
}


@pytest.mark.parametrize("name", GRIDS)
def test_beats_of_a_track_fall_on_beats_of_the_mix(name):
    grid = GRIDS[name]
    audio = _clicks(grid, 20.0)
    where = place(grid, 126.0, enters=8.0)
    deck = Deck(MemoryMaterial({"mixture": audio}), where, RATE)
    mix = deck.read(0, deck.samples)["mixture"]
    found = _peaks(mix) * 126 / 60
    assert len(found) > 15
    step = where.times
    np.testing.assert_allclose(found, np.round(found / step) * step, atol=2e-4)  # 0.1 ms
    # Its first bar line, or the one before its upbeat, is where it enters.
    lines = 8.0 + grid.meter * where.times * np.arange(0, 4)
    first_bar = float(grid.bars_until(20.0)[0])
    assert np.abs(where.mix_beat(first_bar) - lines).min() < 1e-9


@given(
    st.floats(70, 180),
    st.floats(70, 180),
    st.lists(st.integers(1, 4000), min_size=1, max_size=12),
    st.integers(0, 2**31 - 1),
)
def test_blocks_are_the_whole(tempo, mix_tempo, cuts, seed):
    torch.manual_seed(seed)
    material = MemoryMaterial({"a": torch.randn(1, 5000), "b": torch.randn(2, 5000)})
    deck = Deck(material, place(Grid.at_tempo(tempo, 0.05, 4, 1), mix_tempo, 0.5), RATE)
    whole = deck.read(0, sum(cuts))
    first, parts = 0, []
    for cut in cuts:
        parts.append(deck.read(first, cut))
        first += cut
    for name, channels in (("a", 1), ("b", 2)):
        joined = torch.cat([part[name] for part in parts], -1)
        assert joined.shape == (channels, sum(cuts))
        assert torch.equal(joined, whole[name])


def test_at_its_own_tempo_a_track_is_itself():
    audio = torch.randn(2, 4000)
    deck = Deck(MemoryMaterial({"x": audio}), place(Grid.at_tempo(120, 0.0), 120.0), RATE)
    assert deck.samples == 4000
    assert torch.equal(deck.read(0, 4000)["x"], audio)
    assert not deck.read(4000, 100)["x"].any()
    assert deck.read(0, 0)["x"].shape == (2, 0)


def test_files_are_read_where_they_are_needed(tmp_path):
    torch.manual_seed(0)
    stems = {name: 0.1 * torch.randn(2, 30_000) for name in ("drums", "bass")}
    for name, audio in stems.items():
        write(tmp_path / f"{name}.wav", audio, RATE, subtype="FLOAT")
    files = FileMaterial({n: [tmp_path / f"{n}.wav"] for n in stems}, RATE, dict.fromkeys(stems, 2))
    where = place(Grid.at_tempo(130, 0.1), 120.0, 3.0)
    ours, theirs = Deck(files, where, RATE), Deck(MemoryMaterial(stems), where, RATE)
    assert ours.samples == theirs.samples
    for first, samples in ((0, 5000), (20_000, 3000), (ours.samples - 100, 400)):
        a, b = ours.read(first, samples), theirs.read(first, samples)
        assert all(torch.equal(a[name], b[name]) for name in stems)


def test_half_and_double_tempos_are_counted_so():
    assert place(Grid.at_tempo(87), 174.0).rate == pytest.approx(1)
    assert place(Grid.at_tempo(174), 88.0).rate == pytest.approx(88 / 87)
    assert place(Grid.at_tempo(120), 126.0).times == 1


def test_a_tempo_that_is_too_far():
    with pytest.raises(InputError, match="times as fast"):
        Place(Grid.at_tempo(60), 300.0, 0.0, 0.0)


def test_a_transition_begins_with_a_phrase_that_leaves_it_time():
    first = place(Grid.at_tempo(120), 120.0)
    assert transition_beat(first, 64.0, 32.0, [0, 8, 16, 24, 30]) == 96
    assert transition_beat(first, 64.0, 32.0) == 96
    assert transition_beat(first, 64.0, 8.0, [0, 8, 16, 24, 30]) == 120
    assert transition_beat(first, 64.0, 32.0, at=20.0) == 20
    with pytest.raises(InputError, match="too few"):
        transition_beat(first, 16.0, 64.0)
    with pytest.raises(InputError, match="ends at beat 128"):
        transition_beat(first, 64.0, 32.0, at=200.0)
