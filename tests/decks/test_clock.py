"""One clock for a mix: where decks, automations, effects and recipes see a beat, under ramps of the tempo."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from djgraph.analysis import Grid
from djgraph.automation import TempoMap, tempo_frames
from djgraph.decks import Deck, MemoryMaterial, Place, place
from djgraph.decks.clock import NEAR
from djgraph.dsp import warp_positions
from djgraph.errors import InputError
from djgraph.runtime.clock import make_clock

RATE = 44100
RAMPS = {
    "steady": TempoMap(126),
    "steps": TempoMap([(0, 120), (16, 131), (24, 118.5)]),
    "per beat": TempoMap([(4, 124, "per_beat"), (36, 130)]),
    "per second": TempoMap([(0, 130, "per_second"), (30, 119)]),
    "steep": TempoMap([(2, 90, "per_beat"), (10, 150, "per_second"), (18, 100)]),
}


@pytest.mark.parametrize("name", RAMPS)
def test_markers_are_the_integral_of_the_tempo(name):
    """A position is the integral of the tempo, by quadrature here: within a thousandth of a sample."""
    tempo, where = RAMPS[name], Place(Grid.at_tempo(127, 0.31), RAMPS[name], 3.0, 2.0)
    clip, track = where.markers(RATE, 40.0)
    for second in np.linspace(1.3, 17.0, 60):
        n = round(second * RATE)
        steps = [entry for entry in tempo.entries if 0 < entry < n / RATE]
        beats = quad(tempo.bpm, 0, n / RATE, points=steps or None, epsabs=1e-11, epsrel=1e-13)[0] / 60
        position, rate = warp_positions(clip, track, 1, first=n)
        assert abs(float(position) - (0.31 + (2.0 + beats - 3.0) * 60 / 127) * RATE) < 1.01 * NEAR
        assert float(rate) == pytest.approx(tempo.bpm(n / RATE) / 127, rel=1e-4)


@pytest.mark.parametrize("name", RAMPS)
def test_effects_count_the_beats_that_decks_play(name):
    """The clock that effects are handed says, on the sample of each beat, that beat: to a sample."""
    tempo, samples = RAMPS[name], 20 * RATE
    bpm, positions = tempo_frames(tempo, samples, RATE)
    clock = make_clock(bpm, 1, samples, RATE, torch.zeros(1), positions)
    beats = clock.beats[0, 0]
    for beat in range(math.floor(tempo.beat(19.9))):
        at = tempo.seconds(beat) * RATE
        near = int(at)
        counted = float(beats[near] + (at - near) * (beats[near + 1] - beats[near]))
        assert abs(counted - beat) * 60 / tempo.bpm(at / RATE) * RATE < 0.5


@pytest.mark.parametrize("name", RAMPS)
def test_clicks_of_a_track_fall_on_beats_of_the_clock(name):
    rate, tempo = 8000, RAMPS[name]
    grid = Grid.at_tempo(117, 0.2, 4, 1)
    time = np.arange(24 * rate) / rate
    audio = sum(np.exp(-0.5 * ((time - beat) / 0.004) ** 2) for beat in grid.beats_until(23.9))
    deck = Deck(
        MemoryMaterial({"x": torch.from_numpy(audio.astype(np.float32))[None]}), place(grid, tempo, 4.0), rate
    )
    x = deck.read(0, deck.samples)["x"][0].double().numpy()
    at = np.flatnonzero((x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:]) & (x[1:-1] > 0.5)) + 1
    a, b, c = np.log(x[at - 1]), np.log(x[at]), np.log(x[at + 1])
    beats = tempo.beats((at + 0.5 * (a - c) / (a - 2 * b + c)) / rate)
    assert len(beats) > 30
    # A burst under a ramp is a little askew: its top lies where its own tempo says, to a tenth of a millisecond.
    np.testing.assert_allclose(beats, np.round(beats), atol=2e-4)


@given(
    st.lists(
        st.tuples(
            st.floats(0.5, 30), st.floats(95, 150), st.sampled_from(("hold", "per_beat", "per_second"))
        ),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.integers(1, 3000), min_size=1, max_size=8),
    st.integers(0, 100_000),
)
def test_blocks_under_ramps_are_the_whole(entries, cuts, first):
    beat, points = 0.0, []
    for step, bpm, ramp in entries:
        points.append((beat, bpm, ramp))
        beat += step
    torch.manual_seed(0)
    deck = Deck(
        MemoryMaterial({"x": torch.randn(1, 120_000)}), place(Grid.at_tempo(121, 0.1), TempoMap(points)), 8000
    )
    whole = deck.read(first, sum(cuts))["x"]
    parts = []
    for cut in cuts:
        parts.append(deck.read(first, cut)["x"])
        first += cut
    assert torch.equal(torch.cat(parts, -1), whole)


def test_an_hour_of_a_ramp_does_not_drift():
    """120 to 130 BPM over an hour and more: the last beat is where the logarithm says, the markers to the sample."""
    beats = 7500.0
    tempo = TempoMap([(0, 120, "per_beat"), (beats, 130)])
    seconds = 60 * beats * math.log(130 / 120) / 10
    assert tempo.seconds(beats) == pytest.approx(seconds, abs=1e-9)
    clip, track = Place(Grid.at_tempo(125, 0.25), tempo, 0.0, 0.0).markers(RATE, 3700.0)
    at = round(seconds * RATE) - 1000
    position, rate = warp_positions(clip, track, 1000, first=at)
    exact = (0.25 + tempo.beats(np.arange(at, at + 1000) / RATE) * 60 / 125) * RATE
    assert np.abs(position.numpy() - exact).max() < 1.01 * NEAR
    assert rate[-1] == pytest.approx(130 / 125, rel=1e-6)
    assert len(clip) < 60_000


def test_a_ramp_changes_the_rate_by_less_than_is_heard():
    """At 124 to 130 BPM in 32 beats the rate takes steps of less than 0.005 %, a tenth of a cent."""
    clip, track = place(Grid.at_tempo(126), TempoMap([(0, 124, "per_beat"), (32, 130)])).markers(RATE)
    rates = track.diff() / clip.diff()
    assert float(rates.diff().abs().max()) < 5e-5
    assert float(rates[0]) == pytest.approx(124 / 126, rel=1e-4)
    assert float(rates[-2]) == pytest.approx(130 / 126, rel=1e-4)


def test_what_a_track_cannot_follow():
    ramp = TempoMap([(0, 120, "per_beat"), (64, 600)])
    where = place(Grid.at_tempo(120), ramp)
    assert where.rates(1.0)[1] < 1.2
    with pytest.raises(InputError, match="times as fast to follow"):
        where.rates(60.0)
    wild = TempoMap([(n, 100 + n % 2 * 50, "per_beat") for n in range(4000)])
    with pytest.raises(InputError, match="too much for a track"):
        place(Grid.at_tempo(120), wild).markers(RATE)


def test_the_map_is_its_own_inverse():
    for tempo in RAMPS.values():
        beats = np.linspace(-4, 60, 777)
        np.testing.assert_allclose(tempo.beats(tempo.when(beats)), beats, atol=1e-9)
        assert tempo.when(beats)[5] == tempo.seconds(float(beats[5]))
        low, high = (f(x for *_, a, b in tempo.stretches(1.0, 37.0) for x in (a, b)) for f in (min, max))
        seen = [tempo.bpm(s) for s in np.linspace(tempo.seconds(1.0), tempo.seconds(37.0), 5000)]
        assert min(seen) - 0.1 < low <= min(seen) + 1e-9
        assert max(seen) - 1e-9 <= high < max(seen) + 0.1
