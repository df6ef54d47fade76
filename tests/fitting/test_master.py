"""A compressor on the whole recording: its gain against the effect's own, and fits that are not led astray by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import djgraph
from djgraph.fitting import listen
from djgraph.fitting.master import levels, turned_down

from .conftest import RATE, noise, play

HOP = 12


def compressed(
    audio: torch.Tensor, threshold: float, ratio: float, attack: float, release: float
) -> np.ndarray:
    """A feed-forward compressor, sample by sample, times in ms: what comes out."""
    x = audio.double().numpy()
    up, down = (1 - math.exp(-1000 / (time * RATE)) for time in (attack, release))
    excess, gain = 0.0, np.empty(x.shape[-1])
    for i, peak in enumerate(np.abs(x).max(0)):
        over = max(0.0, 20 * math.log10(max(peak, 1e-9)) - threshold)
        excess += (up if over > excess else down) * (over - excess)
        gain[i] = 10 ** (-(1 - 1 / ratio) * excess / 20)
    return x * gain


def test_what_is_turned_down_is_what_the_effect_turns_down() -> None:
    rows = [[-20.0, 4.0, 10.0, 100.0], [-12.0, 2.0, 5.0, 50.0]]
    amplitude = np.repeat([0.05, 0.6, 0.02, 0.9, 0.3], 1200)
    square = torch.from_numpy(amplitude * np.where(np.arange(len(amplitude)) % 8 < 4, 1, -1)).float()[None]
    level = levels(square, HOP)
    found = turned_down(level, np.array(rows), HOP * 1000 / RATE, backwards=False)
    for column, (threshold, ratio, attack, release) in enumerate(rows):
        controls = {"threshold": threshold, "ratio": ratio, "attack": attack, "release": release, "knee": 0}
        chain = [{"effect": "compressor", "controls": controls | {"makeup": 0, "mix": 1}}]
        graph = {
            "djgraph": 1,
            "name": "one",
            "sample_rate": RATE,
            "inputs": [{"name": "a", "channels": "mono"}],
            "mixer": [{"strip": "a", "input": "a", "chain": chain}],
            "outputs": ["a"],
        }
        with torch.no_grad():
            out = djgraph.compile(graph)({"a": square[None]}, torch.zeros(1, 0))[0]
        expected = -20 * (out.abs() / square.abs()).log10().double().numpy()[0]
        np.testing.assert_allclose(found[:, column], expected[HOP - 1 :: HOP], atol=0.05)


def test_what_went_in_follows_from_what_came_out() -> None:
    rng = np.random.RandomState(0)
    went_in = np.repeat(-30 + 25 * rng.random_sample(60), 20)
    rows, step = np.array([[-20.0, 3.0, 10.0, 80.0]]), 1.5
    down = turned_down(went_in, rows, step, backwards=False)
    back = turned_down(went_in - down[:, 0], rows, step, backwards=True)
    assert float(np.abs(back - down).mean()) < 0.3


@pytest.fixture(scope="module")
def beats() -> dict[str, object]:
    """Stems that hit at times of their own, so that a compressor has something to do."""

    def hits(seed: int, period: float) -> torch.Tensor:
        audio = noise(seed, 6.0, colour=0.3)
        time = torch.arange(audio.shape[-1]) / RATE
        return 3 * audio * torch.exp(-(time % period) / 0.12) + 0.1 * audio

    return {"a": {"low": hits(1, 0.5), "high": hits(2, 0.31)}, "b": hits(3, 0.73)}


@pytest.mark.slow
def test_a_compressor_on_the_recording_is_not_taken_for_moves(
    mixer: djgraph.Mixer, beats: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = mixer.layout.pack(
        {"a.low.gain": torch.linspace(1, 0.4, 40), "b.gain": torch.linspace(0.5, 1, 40)}
    )
    clean = play(mixer, beats, truth)
    target = torch.from_numpy(compressed(clean, -20, 4, 8, 120)).float()
    gains = [mixer.layout.index(name) for name in ("a.low.gain", "a.high.gain", "b.gain")]

    def off(result: djgraph.fitting.FitResult) -> float:
        return float((result.params - truth)[:, gains].abs().mean())

    found = djgraph.fit(mixer, beats, target, frames=40, steps=2, delay=0.0)
    master = found.report["master"]
    assert master["most_db"] > 3
    assert any("compressor or limiter" in note for note in found.report["notes"])
    assert djgraph.fit(mixer, beats, clean, frames=40, steps=0, delay=0.0).report["master"] is None
    monkeypatch.setattr(listen, "find_master", lambda *given: None)
    plain = djgraph.fit(mixer, beats, target, frames=40, steps=2, delay=0.0)
    assert plain.report["master"] is None
    assert off(found) < 0.05
    assert off(found) < 0.7 * off(plain)
    assert found.report["si_sdr_db"] > plain.report["si_sdr_db"] + 3
