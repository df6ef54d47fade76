"""Start and rate of passages are found to a fraction of a sample, from where they nearly are."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from djgraph.alignment import Found, Passage
from djgraph.decks import Warp
from djgraph.effects import Transform
from djgraph.fitting.bands import bands_of
from djgraph.graph import load
from djgraph.unmixing.material import materials, nested, played
from djgraph.unmixing.refine import refine, straight

RATE = 16000

GRAPH = {
    "djgraph": 1,
    "name": "two",
    "sample_rate": RATE,
    "transform": {"size": 1024, "hop": 256},
    "inputs": [{"name": "a", "stems": ["low", "high"]}, {"name": "b"}],
    "mixer": [
        {"strip": "a.low", "input": "a.low", "chain": ["gain"], "to": "master"},
        {"strip": "a.high", "input": "a.high", "chain": ["gain"], "to": "master"},
        {"strip": "b", "input": "b", "chain": ["gain"], "to": "master"},
        {"bus": "master"},
    ],
    "outputs": ["master"],
}


def music(seed: int, seconds: float, pole: float) -> torch.Tensor:
    """Noise of some colour whose loudness changes, ``[2, samples]``: no two moments are alike."""
    random = np.random.RandomState(seed)
    samples = round(seconds * RATE)
    noise = lfilter([1 - abs(pole)], [1, -pole], random.standard_normal((2, samples)))
    knots = np.arange(0, samples + 4000, 2000)
    loud = np.interp(np.arange(samples), knots, random.rand(len(knots)))
    return torch.from_numpy(0.2 * noise * (0.2 + loud[None])).float()


def sinc_read(audio: torch.Tensor, position: np.ndarray) -> np.ndarray:
    """Audio ``[2, samples]`` between samples, by the interpolation formula over 200 samples to either side."""
    x = np.pad(audio.double().numpy(), ((0, 0), (400, 400)))
    whole = np.floor(position).astype(int)
    out = np.zeros((len(x), len(position)))
    for k in range(-200, 201):
        at = whole + k
        weight = np.sinc(position - at) * np.cos(np.clip((position - at) / 201, -1, 1) * math.pi / 2) ** 2
        out += np.where(
            (at >= 0) & (at < audio.shape[1]), x[:, np.clip(at + 400, 0, x.shape[1] - 1)] * weight, 0
        )
    return out


@pytest.mark.slow
def test_a_millisecond_and_a_rate_are_found_to_a_hundredth_of_a_sample() -> None:
    stems = {"a": {"low": music(1, 9.0, 0.9), "high": music(2, 9.0, -0.5)}, "b": music(3, 9.0, 0.5)}
    graph = load(GRAPH)
    tracks = materials(graph, stems)
    samples = 8 * RATE

    def passage(begins: float, ends: float, start: float, rate: float) -> Passage:
        return Passage(begins * RATE, ends * RATE, start * RATE, rate, False, 16.0)

    true = Warp.of(
        samples,
        RATE,
        [
            Found("a", (passage(0.0, 6.0, 0.512341, 0.98765),), 1.0),
            Found("b", (passage(1.0, 4.5, 0.123457, 0.97531), passage(4.5, 8.0, 5.1, 0.97531)), 1.0),
        ],
    )
    n = np.arange(samples)
    mix = np.zeros((2, samples))
    for name, found in true.tracks.items():
        for one in found.passages:
            here = (n >= one.begins) & (n < one.ends)
            position = one.start + one.rate * (n[here] - one.begins)
            fade = np.linspace(1.0, 0.1, here.sum())
            sources = stems[name].values() if isinstance(stems[name], dict) else [stems[name]]
            for number, audio in enumerate(sources):
                mix[:, here] += (fade if number == 0 else 0.5) * sinc_read(audio, position)
    target = torch.from_numpy(mix).float()
    off = true
    for name, found in true.tracks.items():
        moved = [
            dataclasses.replace(one, start=one.start + sign * 0.001 * RATE, rate=one.rate * (1 + sign * 1e-5))
            for one, sign in zip(found.passages, (1, -1))
        ]
        off = off.with_passages(name, moved)
    found = refine(tracks, off, target, bands_of(RATE, Transform(1024, 256)))
    assert found.refined
    for name in true.tracks:
        for one, known in zip(found.tracks[name].passages, true.tracks[name].passages):
            middle = (known.begins + known.ends) / 2
            assert abs(one.position(middle) - known.position(middle)) < 0.01
            assert abs(one.rate / known.rate - 1) < 3e-7
            assert one.spread < 0.1
    audio = played(tracks, found, target)
    assert audio["a"]["low"].shape == (2, samples)


def test_a_line_through_evidence_is_found_between_steps() -> None:
    """Cells' evidence is a parabola around a line that is known; some say something else altogether."""
    middle = torch.linspace(0, 1e6, 40, dtype=torch.float64)
    delays = torch.arange(-20, 21, dtype=torch.float64) * 0.5
    true = 1.234 + 3e-6 * (middle - 5e5)
    true[::9] = -7.0
    evidence = -((delays - true[:, None]) ** 2).clamp(max=4.0)
    line = straight(evidence, middle, delays)
    assert line is not None
    assert line.delay == pytest.approx(1.234, abs=1e-3)
    assert line.slope == pytest.approx(3e-6, rel=1e-3)
    assert line.applied(Passage(0.0, 1e6, 0.0, 1.0, False, 0.0)).rate == pytest.approx(1 - 3e-6)


def test_silence_says_nothing() -> None:
    flat = torch.zeros(5, 21, dtype=torch.float64)
    assert straight(flat, torch.arange(5.0, dtype=torch.float64), torch.linspace(-1, 1, 21).double()) is None


def test_signals_are_nested_by_input() -> None:
    one = torch.zeros(1, 1)
    assert set(nested({"a.low": one, "a.high": one, "b": one})["a"]) == {"low", "high"}
