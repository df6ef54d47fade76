"""Key lock: pitch stays, clicks fall on their beats, stems stay on one another, blocks change nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.analysis import Grid
from djgraph.audio import write
from djgraph.automation import TempoMap
from djgraph.decks import Deck, FileMaterial, Loop, MemoryMaterial, Place, place

RATE = 44100
RAMP = TempoMap([(4, 124, "per_beat"), (20, 130)])
TEMPOS = {"slower": TempoMap(118), "faster": TempoMap(132), "ramp": RAMP, "much faster": TempoMap(165)}


def _noise(seconds: float, *widths: int) -> MemoryMaterial:
    torch.manual_seed(0)
    return MemoryMaterial(
        {f"s{i}": 0.1 * torch.randn(n, round(seconds * RATE)) for i, n in enumerate(widths)}
    )


def _bursts(grid: Grid, seconds: float) -> np.ndarray:
    """Short noise with an edge, at every beat."""
    audio, random = np.zeros(round(seconds * RATE)), np.random.default_rng(1)
    for beat in grid.beats_until(seconds - 0.1):
        at = round(beat * RATE)
        audio[at : at + 200] += random.standard_normal(200) * np.exp(-np.arange(200) / 40)
    return audio


def _energy(x: np.ndarray, at: float, around: int) -> tuple[float, float]:
    """Samples from ``at`` to the middle of the energy around it, and its width."""
    low = round(at) - around
    energy = x[low : low + 2 * around] ** 2
    time = np.arange(low, low + 2 * around) - at
    middle = float((energy * time).sum() / energy.sum())
    return middle, float(np.sqrt((energy * (time - middle) ** 2).sum() / energy.sum()))


@pytest.mark.parametrize("name", TEMPOS)
def test_clicks_fall_on_their_beats(name):
    tempo, grid = TEMPOS[name], Grid.at_tempo(126, 0.2)
    audio = _bursts(grid, 16.0)
    where = place(grid, tempo)
    deck = Deck(
        MemoryMaterial({"x": torch.from_numpy(audio.astype(np.float32))[None]}), where, RATE, key_lock=True
    )
    x = deck.read(0, deck.samples)["x"][0].double().numpy()
    late, widths = [], []
    for beat in range(1, 30):
        played = tempo.seconds(beat) * RATE
        if played + 3000 > len(x):
            break
        own, width = _energy(audio, (0.2 + beat * 60 / 126) * RATE, 2500)
        there, spread = _energy(x, played, 2500)
        late.append(there - own)
        widths.append(spread / width)
    late = np.array(late) / RATE * 1000
    assert len(late) > 18
    assert np.abs(late).max() < 1.0  # ms
    assert abs(late.mean()) < 0.2
    assert np.mean(widths) < 1.7
    assert np.max(widths) < 3  # of 0.45 ms


@pytest.mark.parametrize("name", TEMPOS)
def test_the_pitch_stays(name):
    tones, time = (110.0, 441.3, 1757.0), np.arange(16 * RATE) / RATE
    audio = sum(0.2 * np.sin(2 * np.pi * tone * time) for tone in tones)
    where = place(Grid.at_tempo(126), TEMPOS[name])
    deck = Deck(
        MemoryMaterial({"x": torch.from_numpy(audio.astype(np.float32))[None]}), where, RATE, key_lock=True
    )
    x = deck.read(2 * RATE, 6 * RATE)["x"][0].double().numpy()
    at = np.arange(len(x)) / RATE
    waves = np.concatenate([[np.cos(2 * np.pi * f * at), np.sin(2 * np.pi * f * at)] for f in tones])
    found = np.linalg.lstsq(waves.T, x, rcond=None)[0]
    left = x - found @ waves
    assert (left**2).mean() < 10 ** (-35 / 10) * (x**2).mean()  # one phase for six seconds: −35 dB and less
    np.testing.assert_allclose(np.hypot(found[::2], found[1::2]), 0.2, atol=0.004)


def test_a_sum_of_stems_is_the_stretched_sum():
    material = _noise(8.0, 2, 2, 1)
    where = place(Grid.at_tempo(126), RAMP)
    stems = Deck(material, where, RATE, key_lock=True)
    a, b, c = stems.read(0, 200_000).values()
    full = sum(
        x if len(x) == 2 else x.expand(2, -1) for x in (material.read(0, material.samples).split([2, 2, 1]))
    )
    mix = Deck(MemoryMaterial({"mixture": full}), where, RATE, key_lock=True).read(0, 200_000)["mixture"]
    assert (a + b + c - mix).abs().max() < 1e-5
    assert float((a + b + c).std()) > 0.1


@settings(max_examples=examples(30))
@given(
    st.lists(st.integers(1, 60_000), min_size=1, max_size=6),
    st.integers(0, 200_000),
    st.sampled_from(sorted(TEMPOS)),
)
def test_blocks_are_the_whole(cuts, first, name):
    material = _noise(6.0, 2, 1)
    where = Place(Grid.at_tempo(126, 0.1), TEMPOS[name], 2.0, 1.0)
    whole = Deck(material, where, RATE, key_lock=True).read(0, first + sum(cuts))
    deck, parts, at = Deck(material, where, RATE, key_lock=True), [], first
    for cut in cuts:
        parts.append(deck.read(at, cut))
        at += cut
    again = deck.read(first, cuts[0])
    for signal, audio in whole.items():
        assert torch.equal(torch.cat([part[signal] for part in parts], -1), audio[:, first:])
        assert torch.equal(again[signal], parts[0][signal])


def test_at_its_own_tempo_a_track_is_itself():
    material = _noise(6.0, 2, 2)
    deck = Deck(material, place(Grid.at_tempo(126), 126.0, 2.0), RATE, key_lock=True)
    begins = 42_000
    for signal, audio in deck.read(0, deck.samples).items():
        own = material.read(0, material.samples)[int(signal[1:]) * 2 :][:2]
        assert torch.equal(audio[:, begins:], own)
        assert not audio[:, :begins].any()


def test_where_a_ramp_leaves_its_own_tempo_there_is_no_seam():
    """A tone: its steps from sample to sample stay those of the tone where the tempo begins to move."""
    time = np.arange(12 * RATE) / RATE
    tone = torch.from_numpy(np.sin(2 * np.pi * 333 * time).astype(np.float32))[None]
    where = place(Grid.at_tempo(126), TempoMap([(8, 126, "per_beat"), (16, 132)]))
    deck = Deck(MemoryMaterial({"x": tone}), where, RATE, key_lock=True)
    x = deck.read(0, 8 * RATE)["x"][0]
    assert torch.equal(x[: 3 * RATE], tone[0, : 3 * RATE])  # up to beat 8, at 3.81 s
    assert float(x[: 7 * RATE].diff().abs().max()) < 1.01 * 2 * np.pi * 333 / RATE
    assert float(x[RATE : 7 * RATE].unfold(0, 200, 100).abs().amax(-1).min()) > 0.98


def test_files_and_the_end(tmp_path):
    material = _noise(3.0, 2)
    write(tmp_path / "x.wav", material.read(0, material.samples), RATE, subtype="FLOAT")
    files = FileMaterial({"s0": [tmp_path / "x.wav"]}, RATE, {"s0": 2})
    where = place(Grid.at_tempo(120), 124.0, 1.0)
    ours, theirs = (Deck(one, where, RATE, key_lock=True) for one in (files, material))
    assert torch.equal(ours.read(0, 150_000)["s0"], theirs.read(0, 150_000)["s0"])
    assert not ours.read(ours.samples + 4096, 500_000)["s0"].any()
    assert ours.read(0, 0)["s0"].shape == (2, 0)


def test_a_loop_is_locked_too():
    """A bar of its beats, four times: each time the same, and it begins with its beat at full level."""
    grid = Grid.at_tempo(120, 0.0)
    audio = torch.from_numpy(_bursts(grid, 12.0).astype(np.float32))[None]
    where = Place(grid, 126.0, 0.0, 0.0, moves=(Loop(4, 4, 4),))
    deck = Deck(MemoryMaterial({"x": audio}), where, RATE, key_lock=True)
    x = deck.read(0, deck.samples)["x"][0]
    bar = 4 * 60 / 126 * RATE
    beat = x.unfold(0, 400, 1).square().sum(-1)
    for n in range(4, 17):
        at = round(n * bar / 4) - 100
        assert float(beat[at]) > 0.5 * float(audio[0, round(0.5 * RATE) - 100 :][:400].square().sum())
    assert deck.samples == round((24 + 12) * 60 / 126 * RATE)
    fresh = Deck(MemoryMaterial({"x": audio}), where, RATE, key_lock=True)
    blocks = [fresh.read(at, 10_000)["x"][0] for at in range(0, deck.samples, 10_000)]
    assert torch.equal(torch.cat(blocks)[: deck.samples], x)
