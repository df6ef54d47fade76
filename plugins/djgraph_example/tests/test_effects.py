"""The plugin's effects keep the contract, and sound as they say."""

from __future__ import annotations

import math

import pytest
import torch
from djgraph_example import Tilt, Tremolo
from djgraph_example.tilt import TiltTwin

from djgraph.effects import Block, Environment
from djgraph.effects.checks import parametrize_with_checks
from djgraph.plugins import Registry


@parametrize_with_checks(
    [
        *(Tilt, (Tilt, {"pivot": 3000.0}), (Tilt, {"pivot": 12000.0})),
        *(TiltTwin, (TiltTwin, {"pivot": 3000.0})),
        *(Tremolo, (Tremolo, {"spread": 0.25})),
    ]
)
def test_contract(check):
    check()


def test_hooks():
    import djgraph_example

    registry = Registry()
    registry.register(djgraph_example)
    assert registry.effect("example_tilt") is Tilt
    assert registry.effect("example_tremolo") is Tremolo
    assert registry.graph("wobble").title == "Wobble"


@pytest.mark.parametrize(
    ("frequency", "decibels"), [(0.0, -6.0), (1000.0, 0.0), (2000.0, 3.6), (500.0, -3.6)]
)
def test_tilt_gain(frequency, decibels):
    """With the pivot at 1 kHz, an octave off is 3/5 of the way: (4 − 1)/(4 + 1)."""
    environment = Environment(48000)  # 2000 Hz is not on a bin: read between the two beside it
    effect = Tilt(Tilt.Settings(pivot=1000.0), environment)
    mask = effect.mask({"tilt": torch.full((1, 1, 1), 6.0, dtype=torch.float64)})[0, 0]
    position = frequency / (48000 / 2048)
    low, high = math.floor(position), math.ceil(position)
    got = mask[low] + (mask[high] - mask[low]) * (position - low)
    assert 20 * math.log10(got) == pytest.approx(decibels, abs=0.01)


def test_tremolo_against_a_sample_loop():
    """Each channel, its phase added up sample by sample."""
    generator = torch.Generator().manual_seed(3)
    samples, sample_rate, spread = 600, 1000, 0.25
    audio = torch.randn(1, 2, samples, generator=generator, dtype=torch.float64)
    rate = 0.5 + 10 * torch.rand(1, 1, samples, generator=generator, dtype=torch.float64)
    depth = torch.rand(1, 1, samples, generator=generator, dtype=torch.float64)
    effect = Tremolo(Tremolo.Settings(spread=spread), Environment(sample_rate))
    state = effect.initial_state(1, 2, audio)
    out, _ = effect.process(
        {"in": audio}, {"rate": rate, "depth": depth}, state, Block(0, samples, sample_rate)
    )
    for channel, ahead in enumerate((0.0, spread)):
        phase = ahead
        for n in range(samples):
            gain = 1 - float(depth[0, 0, n]) * math.sin(math.pi * phase) ** 2
            assert float(out["out"][0, channel, n]) == pytest.approx(
                float(audio[0, channel, n]) * gain, abs=1e-12
            )
            phase += float(rate[0, 0, n]) / sample_rate


def test_tremolo_swings_on_exactly_for_minutes():
    """Against the phase in closed form: a steady rate that float32 cannot hold, in blocks of 4096."""
    rate, seconds, sample_rate, size = 3.7, 300, 44100, 4096
    effect = Tremolo(Tremolo.Settings(), Environment(sample_rate))
    ones = torch.ones(1, 1, size)
    controls = {"rate": ones * rate, "depth": ones}
    state = effect.initial_state(1, 1, ones)
    start = 0
    while start < seconds * sample_rate:
        block, state = effect.process({"in": ones}, controls, state, Block(start, size, sample_rate))
        start += size
    n = torch.arange(start - size, start, dtype=torch.float64)
    phase = float(torch.tensor(rate)) * n / sample_rate
    wanted = (1 + torch.cos(2 * torch.pi * phase)) / 2
    assert (block["out"][0, 0] - wanted).abs().max() < 1e-6
