"""Distortions behind faders: the curve that is found against the one that was there, and where the faders stood."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from djgraph.fitting import alone
from djgraph.fitting.alone import BLOCK, products
from djgraph.fitting.behind import find_behind
from djgraph.fitting.bending import STEPS, Bent, Curve, bent_products, find_curve
from djgraph.fitting.distorted import Distorted
from djgraph.fitting.prepare import Prepared

RATE = 44100


def tones(seconds: float, seed: int) -> np.ndarray:
    """Noise without sharp edges, every 0.3 s at another level, ``[1, samples]``."""
    random = np.random.RandomState(seed)
    levels = np.repeat(random.uniform(-15, 0, int(np.ceil(seconds / 0.3))), round(0.3 * RATE))
    noise = np.convolve(random.standard_normal(round(seconds * RATE)), np.hanning(9), "same") * 0.1
    return (noise * 10 ** (levels[: len(noise)] / 20))[None]


def bend(audio: np.ndarray) -> np.ndarray:
    return np.tanh(6 * audio + 0.1) - np.tanh(0.1)


def test_a_curve_is_found_from_what_is_heard_of_it() -> None:
    audio = tones(4.0, 1)
    heard = 0.3 * bend(audio)
    places = np.arange(audio.shape[1] // BLOCK)
    curve = find_curve(torch.from_numpy(audio), torch.from_numpy(heard), places, RATE)
    assert curve is not None
    assert curve.left < 0.05 * curve.linear
    off = curve(0.5 * audio) - 0.3 * bend(0.5 * audio)
    assert (off**2).mean() < 0.01 * (0.3 * bend(0.5 * audio)).var()


def test_amounts_lie_on_lines_between_steps() -> None:
    fader = np.array([0.0, 0.2, 0.59, 1.0])
    amounts, slopes = Bent().amounts(fader, 1.0)
    assert np.allclose(amounts @ STEPS[1:], fader)
    assert np.allclose(slopes @ STEPS[1:], 1.0)


def test_a_curve_without_bends_is_a_gain() -> None:
    curve = Curve(np.array([0.5]), np.array([0.7, 0.0]), np.zeros(2), 0.9, 0.0, 0.0)
    audio = tones(0.1, 2)
    assert np.allclose(curve(audio), 0.7 * audio)


def test_what_is_heard_at_all_gains_is_the_same_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    knots = np.array([-0.2, 0.3])
    curve = Curve(knots, np.array([1.0, -0.5, -0.4]), np.array([-0.3, 0.2, 0.1]), 0.99, 0.0, 0.0)
    audio = torch.from_numpy(tones(1.5, 6)).float()
    valid = torch.ones(audio.shape[1])
    whole = bent_products([curve], [audio], 0.5 * audio, valid)
    made = [torch.from_numpy(curve(step * audio.double().numpy())).float() for step in STEPS[1:]]
    torch.testing.assert_close(whole, products(made, 0.5 * audio, valid))
    monkeypatch.setattr(alone, "CHUNK", 12)  # the low pass is begun anew for each, and has forgotten that
    pieces = bent_products([curve], [audio], 0.5 * audio, valid)
    torch.testing.assert_close(pieces, whole, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_faders_are_found_in_front_of_a_distortion() -> None:
    seconds = 16.0
    at = np.arange(round(seconds * RATE)) / RATE
    into = np.clip((at - 6) / 4, 0, 1)
    tracks, faders = [tones(seconds, 3), tones(seconds, 4)], [1 - into, into]
    mix = 0.3 * sum(bend(track * fader) for track, fader in zip(tracks, faders))
    sources = [torch.from_numpy(one).float() for one in tracks]
    target = torch.from_numpy(mix).float()
    inputs = {name: one[None] for name, one in zip("ab", sources)}
    material = Prepared(inputs, sources, target, target.shape[1], 1)
    found = find_behind(material, ["a", "b"], target, torch.ones(target.shape[1]), RATE, None)
    assert isinstance(found, Distorted)
    for name, track, fader in zip("ab", tracks, faders):
        made = found.sounds[name].double().numpy() * fader * found.level
        true = 0.3 * bend(track * fader)
        assert ((made - true) ** 2).mean() < 0.01 * true.var()
    assert set(found.described()) == {"a", "b"}
    assert 0 < found.slopes["a"] < 1
