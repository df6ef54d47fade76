"""Tempo, beats, bars and keys of tracks that are synthesised with known ones."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from benchmarks.analysis.__main__ import measure
from benchmarks.analysis.patterns import STYLES, Style, synthesise
from djgraph.analysis.beats import track
from djgraph.analysis.key import NOTES, Key, distance, key_of, transposed
from djgraph.analysis.onsets import RATE, onsets
from djgraph.analysis.phrases import bar_levels, cycles, phrases
from djgraph.analysis.tempo import pulse

BY_NAME = {style.name: style for style in STYLES}
_AMBIGUOUS = {"trap"}
"""Half or double is as right; the beats that are found are those, and those between."""
_NO_BARS = {"kick only"} | _AMBIGUOUS


@pytest.mark.parametrize("name", ["house", "waltz"])
def test_beats_and_bars_are_found(name):
    sample = synthesise(BY_NAME[name], 24.0)
    found = measure(sample)["djgraph"]
    assert found["f"] > 0.98
    assert found["downbeats"] > 0.98
    assert found["median_ms"] < 2
    assert abs(found["tempo"] / sample.tempo - 1) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_every_style(style):
    found = measure(synthesise(style))["djgraph"]
    assert found["amlt"] > 0.9
    if style.name not in _AMBIGUOUS:
        assert found["f"] > 0.93
    if style.name not in _NO_BARS:
        assert found["downbeats"] > 0.93
    if style.bpm_end is None and not style.jitter and "pads" not in style.name:
        assert found["median_ms"] < 4


@pytest.mark.slow
def test_tempos_are_not_learnt_by_heart():
    """The same patterns at other tempos, and other places of their first beat."""
    styles = [
        BY_NAME[name] for name in ("techno", "hip hop", "breakbeat", "disco", "reggaeton", "slow house")
    ]
    for style in styles:
        for scale, lead in ((0.94, 0.0), (1.05, 1.7)):
            sample = synthesise(dataclasses.replace(style, bpm=style.bpm * scale), lead=lead)
            found = measure(sample)["djgraph"]
            assert found["amlt"] > 0.95, (style.name, scale)
            assert found["f"] > 0.95, (style.name, scale)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tempo"),
    [
        ("drum and bass", 184.0),
        ("jungle", 178.0),
        ("hip hop", 86.0),
        ("boom bap, swung", 82.0),
        ("one drop", 80.0),
        ("afrobeat", 96.72),
    ],
)
def test_half_and_double_are_told_by_bars_and_what_fills_beats(name, tempo):
    sample = synthesise(dataclasses.replace(BY_NAME[name], bpm=tempo), 30.0)
    assert abs(measure(sample)["djgraph"]["tempo"] / tempo - 1) < 1e-3


@pytest.mark.slow
def test_a_range_of_tempos_decides_between_octaves():
    sample = synthesise(BY_NAME["drum and bass"])
    import librosa

    audio = librosa.resample(sample.audio, orig_sr=44100, target_sr=RATE).astype(np.float32)
    heard = onsets(audio)
    fast, slow = pulse(heard.bands, 120, 200), pulse(heard.bands, 60, 110)
    assert fast is not None
    assert slow is not None
    assert abs(fast.tempo / 174 - 1) < 0.02
    assert abs(slow.tempo / 87 - 1) < 0.02


def test_silence_has_no_tempo():
    assert pulse(onsets(np.zeros(10 * RATE, np.float32)).bands) is None


@pytest.mark.parametrize("samples", [1, 100, 5000])
def test_hardly_any_audio(samples):
    noise = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    heard = onsets(noise)
    assert np.isfinite(heard.bands).all()
    pulse(heard.bands)


@pytest.mark.parametrize(
    ("tonic", "minor", "camelot"),
    [
        (0, False, "8B"),
        (9, True, "8A"),
        (7, False, "9B"),
        (4, True, "9A"),
        (1, False, "3B"),
        (8, True, "1A"),
        (5, False, "7B"),
    ],
)
def test_the_wheel_is_the_circle_of_fifths(tonic, minor, camelot):
    assert Key(tonic, minor, 1.0).camelot == camelot


def test_steps_on_the_wheel():
    assert distance("8A", "8A") == 0
    assert distance("8A", "9A") == distance("8A", "8B") == 1
    assert distance("12A", "1A") == 1
    assert distance("1A", "7B") == 7


@pytest.mark.parametrize("tonic", [0, 5, 9])
def test_a_scale_with_its_chords_has_its_key(tonic):
    time = np.arange(RATE) / RATE

    def chord(*notes):
        return sum(
            np.sin(2 * np.pi * 261.63 * 2 ** ((tonic + n) / 12) * k * time) / k
            for n in notes
            for k in (1, 2, 3)
        )

    audio = np.concatenate([chord(0, 4, 7), chord(5, 9, 12), chord(7, 11, 14), chord(0, 4, 7)]).astype(
        np.float32
    )
    key = key_of(audio / np.abs(audio).max())
    assert key is not None
    assert key.name == f"{NOTES[tonic]} major"


@pytest.mark.parametrize(("cycle", "name"), [((9, 5, 0, 7), "A minor"), ((0, 7, 9, 5), "C major")])
def test_relative_keys_are_told_by_how_their_cycles_begin(cycle, name):
    """The same four chords, A minor, F, C and G: what comes first in every four bars is at home."""
    minor = {9}
    time = np.arange(2 * RATE) / RATE

    def chord(root):
        notes = (root, root + (3 if root in minor else 4), root + 7)
        return sum(
            np.sin(2 * np.pi * 130.81 * 2 ** (note / 12) * k * time) / k for note in notes for k in (1, 2, 3)
        )

    audio = np.tile(np.concatenate([chord(root) for root in cycle]), 3).astype(np.float32)
    bars = np.arange(13) * 2.0
    key = key_of(audio / np.abs(audio).max(), cycles(bars, []))
    assert key is not None
    assert key.name == name


def test_cycles_are_counted_from_where_phrases_begin():
    bars = np.arange(18) * 2.0
    assert cycles(bars, []).tolist() == [[0, 2], [8, 10], [16, 18], [24, 26], [32, 34]]
    assert cycles(bars, [2, 10, 14])[:, 0].tolist() == [4, 12, 20, 28]
    assert cycles(bars[:1], []).shape == (0, 2)


def test_silence_has_no_key():
    assert key_of(np.zeros(2 * RATE, np.float32)) is None


def test_levels_of_bars_are_their_root_mean_squares():
    rng = np.random.default_rng(3)
    energy = rng.uniform(0, 1, 1000)
    bars = np.array([0.0, 2.5, 5.0, 9.99])
    levels = bar_levels({"drums": energy}, bars)["drums"]
    for level, (a, b) in zip(levels, ((0, 250), (250, 500), (500, 999))):
        assert abs(level - 10 * np.log10(energy[a:b].mean())) < 1e-6


def test_phrases_begin_where_stems_come_and_go():
    quiet, loud = -70.0, -15.0
    drums = np.array([quiet] * 8 + [loud] * 24 + [quiet] * 8 + [loud] * 16)
    vocals = np.array([quiet] * 16 + [loud] * 16 + [loud] * 8 + [quiet] * 16)
    found = phrases({"drums": drums, "vocals": vocals})
    assert {0, 8, 16, 32, 40} <= set(found)


def test_a_track_that_does_not_change_is_cut_evenly():
    assert set(np.diff([*phrases({"mixture": np.full(64, -12.0)}), 64])) <= {8, 16}
    assert phrases({}) == []


def test_patterns_are_the_same_every_time():
    style = Style("a test", 100, kick=(0, 2))
    assert np.array_equal(synthesise(style, 3.0).audio, synthesise(style, 3.0).audio)


def test_transposed_keys_are_those_of_the_transposed_tonic() -> None:
    for tonic, minor, by in itertools.product(range(12), (False, True), range(-13, 14)):
        higher = Key((tonic + by) % 12, minor, 1.0).camelot
        assert transposed(Key(tonic, minor, 1.0).camelot, by) == higher


@pytest.mark.parametrize(("bpm", "until"), [(120.0, 120.0), (122.5, 122.5), (120.0, 123.0)])
def test_bare_clicks_are_steady_if_they_are(bpm: float, until: float) -> None:
    """Beats that dynamic programming finds one by one lie on one line, or do not."""
    times = 0.3 + np.cumsum(60 / np.linspace(bpm, until, 56))
    clicks = np.zeros(30 * RATE, np.float32)
    clicks[np.round(times * RATE).astype(int)] = 0.9
    grid, _ = track(onsets(clicks), (bpm + until) / 2)
    assert grid.steady == (bpm == until)
    beats = grid.at(np.round(grid.beat_at(times)))
    assert np.abs(np.asarray(beats) - times).max() < (0.003 if grid.steady else 0.02)
