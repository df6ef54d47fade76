"""Sweeps and impulses through compiled graphs of one effect: what comes out is what the formula says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.signal
import torch

import djgraph

RATE = 44100


def through(effect: str, controls: dict[str, float], audio: np.ndarray, **settings: Any) -> np.ndarray:
    """A mono signal through one effect with constant controls, in double precision."""
    document = {
        "djgraph": 1,
        "name": "one",
        "inputs": [{"name": "in", "channels": "mono"}],
        "mixer": [
            {
                "strip": "s",
                "input": "in",
                "chain": [{"effect": effect, "settings": settings, "controls": controls}],
            }
        ],
        "outputs": ["s"],
    }
    mixer = djgraph.compile(document)
    made = mixer({"in": torch.from_numpy(audio)[None, None]}, torch.zeros(1, 0, dtype=torch.float64))
    return made[0, 0].numpy()


def sweep(seconds: float = 6.0, low: float = 100.0, high: float = 18000.0) -> tuple[np.ndarray, np.ndarray]:
    """An exponential sine sweep and its frequency at every sample."""
    time = np.arange(int(seconds * RATE)) / RATE
    rate = np.log(high / low) / seconds
    return np.sin(2 * np.pi * low / rate * (np.exp(rate * time) - 1)), low * np.exp(rate * time)


def measured_gain(effect: str, controls: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Envelope out over envelope in along a sweep, away from its ends."""
    audio, frequency = sweep()
    envelope = np.abs(scipy.signal.hilbert(through(effect, controls, audio)))
    middle = slice(RATE // 2, -RATE // 2)
    return frequency[middle], envelope[middle]


def cutoff(position: float) -> float:
    return 20.0 * 1000.0**position


@pytest.mark.parametrize("position", [0.45, 0.6, 0.85])
@pytest.mark.parametrize(("effect", "sign"), [("lowpass", 4.0), ("highpass", -4.0)])
def test_sweep_through_a_filter(effect: str, sign: float, position: float) -> None:
    if effect == "highpass" and position > 0.8:
        position = 0.3
    frequency, gain = measured_gain(effect, {"cutoff": position})
    expected = 1 / (1 + (frequency / cutoff(position)) ** sign)
    # Decibels where there is something to hear; a 2048-point window smears what is 60 dB down.
    audible = expected > 1e-2
    error = 20 * np.log10(gain[audible] / expected[audible])
    assert np.abs(error).max() < 0.5


@pytest.mark.parametrize("bands", [(0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0), (2.0, 0.5, 1.5)])
def test_sweep_through_the_equaliser(bands: tuple[float, float, float]) -> None:
    low, mid, high = bands
    frequency, gain = measured_gain("eq3", {"low": low, "mid": mid, "high": high})
    share_low = 1 / (1 + (frequency / 300) ** 4)
    share_high = 1 / (1 + (frequency / 4000) ** -4)
    expected = low * share_low + mid * (1 - share_low - share_high) + high * share_high
    assert np.abs(gain - expected).max() < 0.02


def test_impulse_through_the_delay() -> None:
    impulse = np.zeros(RATE)
    impulse[0] = 1
    made = through("delay", {"mix": 1.0, "feedback": 1.0}, impulse, time=100, max_feedback=0.5)
    taps = {4410 * (k + 1): 0.5**k for k in range(9)}
    assert np.flatnonzero(np.abs(made) > 1e-12).tolist() == list(taps)
    np.testing.assert_allclose(made[list(taps)], list(taps.values()))


def test_impulse_through_the_reverb_decays_as_it_says() -> None:
    impulse = np.zeros(2 * RATE)
    impulse[0] = 1
    made = through("reverb", {"mix": 1.0}, impulse, decay_time=1.0, damping=0.0, pre_delay=30)
    assert np.abs(made[: int(0.03 * RATE)]).max() < 1e-12
    # Schroeder's backward integral: from −5 to −25 dB, times three, is the decay time.
    energy = np.cumsum(made[::-1] ** 2)[::-1]
    level = 10 * np.log10(energy / energy[0] + 1e-30)
    start, stop = np.argmax(level < -5), np.argmax(level < -25)
    assert 3 * (stop - start) / RATE == pytest.approx(1.0, rel=0.08)
    assert np.sum(made**2) == pytest.approx(1.0, rel=1e-6)
