"""Lags of waveforms and envelopes, against delays that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from djgraph.alignment.delays import Line, measure, played
from djgraph.alignment.envelopes import envelopes, measure_envelopes
from djgraph.alignment.features import RATE
from djgraph.dsp import read_material


def _noise(samples: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal(samples).astype(np.float32))


@pytest.mark.parametrize("delay", [0.0, 3.0, -17.37, 41.5])
def test_a_delay_is_measured_to_a_hundredth_of_a_sample(delay: float) -> None:
    track = _noise(40_000)
    position = torch.arange(40_000, dtype=torch.float64) - delay
    recording = read_material(track[None], position)[0] + 0.5 * _noise(40_000, 1)
    found = measure(recording, track, Line(0, 0, 1), np.array([12_000, 20_000]), 8192, 100, (0.002, 0.4))
    assert found.lag == pytest.approx([delay, delay], abs=0.02)
    assert (found.strength > 0.6).all()


def test_inverted_polarity_is_a_negative_strength() -> None:
    track = _noise(20_000)
    found = measure(-track, track, Line(0, 0, 1), np.array([10_000]), 4096, 50, (0.002, 0.4))
    assert found.lag[0] == pytest.approx(0, abs=1e-3)
    assert found.strength[0] < -0.9


def test_a_moved_line_is_where_the_recording_is() -> None:
    """A recording that lags a line by a + b·n is that line at n − a − b·n."""
    line = Line(1000.0, 250.0, 1.2)
    moved = line.moved(7.0, 0.01, 3000.0)
    n = np.array([1000.0, 3000.0, 9000.0])
    assert moved.position(n) == pytest.approx(line.position(n - (7.0 + 0.01 * (n - 3000.0))))


def test_what_is_played_is_silent_beyond_the_track() -> None:
    track = torch.ones(1000)
    out = played(track, Line(0, 0, 1), -500, 2000)
    assert not out[:450].any()
    assert not out[1550:].any()
    assert out[600:1400].mean() == pytest.approx(1, abs=1e-3)


def test_envelopes_tell_a_delay_whatever_the_waveform_is() -> None:
    rng = np.random.default_rng(2)
    beats = np.zeros(RATE * 8, np.float32)
    beats[rng.integers(0, len(beats), 60)] = 1
    decay = np.exp(-np.arange(2000) / 300).astype(np.float32)
    level = np.convolve(beats, decay)[: len(beats)]
    delay = 137  # samples at RATE, 12.4 ms
    track = torch.from_numpy(level) * _noise(len(level), 3)
    other = torch.from_numpy(np.roll(level, delay)) * _noise(len(level), 4)
    found = measure_envelopes(
        envelopes(other), envelopes(track), Line(0, 0, 1), np.array([4.0 * RATE]), 4.0, 0.05 * RATE, RATE
    )
    assert found.lag[0] == pytest.approx(delay, abs=0.002 * RATE)
