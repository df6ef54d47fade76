"""The oscillator against loops over samples, and what it aliases against the naive wave."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from djgraph_fx import Oscillator

from djgraph.effects import Block, Environment

RATE = 44100


def run(wave, frequency, samples, cuts=()):
    effect = Oscillator(Oscillator.Settings(wave=wave), Environment(RATE))
    curve = torch.as_tensor(frequency, dtype=torch.float64).expand(1, 1, samples)
    state, parts, edges = effect.initial_state(1, 1, curve), [], [0, *cuts, samples]
    for begin, end in itertools.pairwise(edges):
        now = {"level": torch.ones_like(curve[..., begin:end]), "frequency": curve[..., begin:end]}
        out, state = effect.process({}, now, state, Block(begin, end - begin, RATE))
        parts.append(out["out"][0, 0])
    return torch.cat(parts).numpy()


def naive(wave, cycle):
    return {
        "sine": math.sin(2 * math.pi * cycle),
        "saw": 2 * cycle - 1,
        "square": 1.0 if cycle < 0.5 else -1.0,
        "triangle": 4 * cycle if cycle < 0.25 else 2 - 4 * cycle if cycle < 0.75 else 4 * cycle - 4,
    }[wave]


def rounded(wave, cycle, step):
    """The naive wave, and near each step or corner the polynomial that rounds it off."""
    value = naive(wave, cycle)
    jumps = {"saw": [(0.0, -2)], "square": [(0.0, 2), (0.5, -2)]}.get(wave, [])
    bends = {"triangle": [(0.25, -8), (0.75, 8)]}.get(wave, [])
    for place, height in jumps:
        away = ((cycle - place + 0.5) % 1 - 0.5) / step
        if abs(away) < 1:
            value += height / 2 * (-((away - 1) ** 2) if away >= 0 else (away + 1) ** 2)
    for place, slope in bends:
        away = ((cycle - place + 0.5) % 1 - 0.5) / step
        if abs(away) < 1:
            value += slope * step * (1 - abs(away)) ** 3 / 6
    return value


@pytest.mark.parametrize("wave", ["sine", "triangle", "saw", "square"])
def test_against_a_loop(wave):
    frequency = np.random.default_rng(1).uniform(100, 9000, 500)
    wanted, cycle = [], 0.0
    for each in frequency:
        wanted.append(rounded(wave, cycle, each / RATE))
        cycle = (cycle + each / RATE) % 1
    for cuts in ((), (1, 60, 61, 333)):
        np.testing.assert_allclose(run(wave, frequency, 500, cuts), wanted, atol=1e-9)


@pytest.mark.parametrize(("wave", "better"), [("triangle", 15), ("saw", 15), ("square", 15)])
def test_it_aliases_less_than_the_naive_wave(wave, better):
    """Energy below 10 kHz that is no harmonic: folded back from above half the sample rate."""
    tone, samples = 1617, RATE
    window = np.hanning(samples)
    levels = []
    for sound in (run(wave, tone, samples), [naive(wave, (n * tone / RATE) % 1) for n in range(samples)]):
        power = np.abs(np.fft.rfft(np.asarray(sound) * window)) ** 2
        harmonics = [k for n in range(1, 7) for k in range(n * tone - 3, n * tone + 4)]
        power[harmonics] = 0
        levels.append(10 * np.log10(power[4:10_000].sum()))
    assert levels[0] < levels[1] - better
