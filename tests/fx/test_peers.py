"""Against other programs, where they compute the same thing; skipped where they are not installed."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Peq

from djgraph.dsp import first_order, follow
from djgraph.effects import Environment

from .bench import noise, process

RATE = 44100


def of_pedalboard(name, audio, **settings):
    pedalboard = pytest.importorskip("pedalboard", reason="pip install 'djgraph[bench]'")
    board = pedalboard.Pedalboard([getattr(pedalboard, name)(**settings)])
    return torch.from_numpy(board(audio.numpy(), RATE))


def test_follow_smooths_gains_as_torchcomp_does():
    core = pytest.importorskip("torchcomp.core", reason="pip install 'djgraph[bench]'")
    gain = noise(3, 2000).abs().clamp(0.05, 1).sqrt()
    down, up = 3.0, 40.0
    shares = [torch.full((3,), 1 - math.exp(-1000 / (ms * RATE)), dtype=torch.float64) for ms in (down, up)]
    expected = core.compressor_core(gain, torch.ones(3, dtype=torch.float64), *shares)
    # Of a gain, turning down is the attack.
    smoothed, _ = follow(gain, up, down, torch.ones(3, 1, dtype=torch.float64), sample_rate=RATE)
    torch.testing.assert_close(smoothed, expected, rtol=1e-10, atol=1e-12)


def test_gradients_of_follow_are_torchcomps():
    core = pytest.importorskip("torchcomp.core", reason="pip install 'djgraph[bench]'")
    weights, found = noise(2, 1500, seed=3), []
    shares = [torch.full((2,), 1 - math.exp(-1000 / (ms * RATE)), dtype=torch.float64) for ms in (3.0, 40.0)]
    rest = torch.ones(2, 1, dtype=torch.float64)
    for smooth in (
        lambda gain: core.compressor_core(gain, rest[:, 0], *shares),
        lambda gain: follow(gain, 40.0, 3.0, rest, sample_rate=RATE)[0],
    ):
        gain = noise(2, 1500).abs().clamp(0.05, 1).requires_grad_()
        (smooth(gain) * weights).sum().backward()
        # torchcomp takes the wrong side at the first sample, where the gain begins to fall from its state.
        found.append(gain.grad[:, 1:])
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("frequency", "gain", "q"), [(300.0, 9.0, 0.7), (3000.0, -12.0, 2.0), (9000.0, 6.0, 1.0)]
)
def test_bells_are_pedalboards(frequency, gain, q):
    audio = 0.1 * noise(1, 8000, dtype=torch.float32)
    expected = of_pedalboard("PeakFilter", audio, cutoff_frequency_hz=frequency, gain_db=gain, q=q)
    effect = Peq(Peq.Settings(), Environment(RATE))
    controls = {
        control.id: torch.full((1, 1, 8000), float(control.neutral), dtype=torch.float64)
        for control in effect.controls
    }
    for name, value in {"frequency": frequency, "gain": gain, "q": q}.items():
        controls[f"bell2_{name}"].fill_(value)
    found, _ = process(effect, audio[None].double(), controls)
    np.testing.assert_allclose(found[0], expected, atol=2e-4)


@pytest.mark.parametrize(("name", "sign"), [("LowpassFilter", 1.0), ("HighpassFilter", -1.0)])
def test_first_order_filters_are_pedalboards(name, sign):
    audio = 0.1 * noise(2, 4000, dtype=torch.float32)
    expected = of_pedalboard(name, audio, cutoff_frequency_hz=1200.0)
    # The bilinear transform of 1/(1 + s) and of s/(1 + s).
    turn = math.tan(math.pi * 1200 / RATE)
    front = (turn if sign > 0 else 1.0) / (1 + turn)
    found, _ = first_order(audio.double(), front, sign * front, (turn - 1) / (turn + 1))
    np.testing.assert_allclose(found, expected, atol=2e-5)
