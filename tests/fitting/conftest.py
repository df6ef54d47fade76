"""A small mixer and noise to play through it: what most tests of fitting need."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import djgraph

RATE = 8000

GAIN = {"effect": "gain", "controls": {"gain": {"as": "gain"}}}

SMALL = {
    "djgraph": 1,
    "name": "small",
    "sample_rate": RATE,
    "transform": {"size": 256, "hop": 64},
    "inputs": [{"name": "a", "stems": ["low", "high"]}, {"name": "b"}],
    "mixer": [
        {
            "for": {"stem": "a.stems"},
            "do": [
                {
                    "strip": "a.$stem",
                    "input": "a.$stem",
                    "chain": [GAIN, {"effect": "eq3", "settings": {"low": 300, "high": 2000}}],
                    "to": "master",
                }
            ],
        },
        {"strip": "b", "input": "b", "chain": [GAIN, "lowpass", "highpass"], "to": "master"},
        {"bus": "master"},
    ],
    "outputs": ["master"],
}


def noise(seed: int, seconds: float = 1.5, channels: int = 2, colour: float = 0.0) -> Tensor:
    """Noise whose spectrum falls by ``colour`` powers of frequency; repeatable."""
    samples = round(seconds * RATE)
    white = np.random.RandomState(seed).standard_normal((channels, samples))
    spectrum = np.fft.rfft(white)
    spectrum *= np.maximum(np.arange(spectrum.shape[1]), 1.0) ** -colour
    audio = np.fft.irfft(spectrum, samples)
    return torch.from_numpy(0.1 * audio / audio.std()).float()


@pytest.fixture(scope="session")
def mixer() -> djgraph.Mixer:
    return djgraph.compile(SMALL)


@pytest.fixture(scope="session")
def stems() -> dict[str, object]:
    return {"a": {"low": noise(1, colour=0.7), "high": noise(2)}, "b": noise(3, colour=0.3)}


def play(mixer: djgraph.Mixer, stems: dict, params: Tensor) -> Tensor:
    """The mix, ``[channels, samples]``."""
    batch = {
        k: {s: x[None] for s, x in v.items()} if isinstance(v, dict) else v[None] for k, v in stems.items()
    }
    with torch.no_grad():
        return mixer(batch, params)[0]
