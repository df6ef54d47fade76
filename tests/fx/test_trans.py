"""Trans: the gate against a sample loop, edges, and tempos that change."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Trans
from effort import gradcheck

from .bench import RATE, build, clock_of, noise, process, unit

SAMPLES = 4000


def controls(samples=SAMPLES, batch=2):
    choices = torch.tensor([0.125, 0.25, 0.5], dtype=torch.float64)
    return {
        "depth": unit(batch, 1, samples),
        "duty": 0.05 + 0.9 * unit(batch, 1, samples, seed=2),
        "beats": choices[(unit(batch, 1, samples, seed=3) * 3).long()],
    }


def steady(samples, depth=1.0, duty=0.5, beats=0.5):
    given = {"depth": depth, "duty": duty, "beats": beats}
    return {name: torch.full((1, 1, samples), value, dtype=torch.float64) for name, value in given.items()}


def gate(beat, tempo, period, duty, edge):
    """How far it is open: rises in the ``edge`` ms before a multiple of the period, falls after duty of it."""
    position = beat % period
    milliseconds = 60000 / tempo
    if position <= duty * period:
        return 1.0
    after = (position - duty * period) * milliseconds / edge
    before = (period - position) * milliseconds / edge
    return math.sin(math.pi / 2 * max(0.0, 1 - min(after, before))) ** 2


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("edge", [0.1, 5.0, 50.0])
def test_against_a_sample_loop(channels, edge):
    samples = 600
    audio, values = noise(2, channels, samples), controls(samples)
    clock = clock_of(80 + 100 * unit(2, 1, samples, seed=4), beat=7.3)
    out, _ = process(build(Trans, edge=edge), audio, values, clock=clock)
    for item in range(2):
        for n in range(samples):
            depth, duty, period = (float(values[name][item, 0, n]) for name in ("depth", "duty", "beats"))
            beat, tempo = float(clock.beats[item, 0, n]), float(clock.tempo[item, 0, n])
            level = 1 - depth * (1 - gate(beat, tempo, period, duty, edge))
            np.testing.assert_allclose(out[item, :, n].numpy(), level * audio[item, :, n].numpy(), atol=1e-9)


def test_opens_and_closes_on_the_sample_under_tempo_changes():
    """100 BPM, then 150, then a ramp: where the gate is fully open follows from the beats alone."""
    samples = 3 * RATE
    tempo = torch.cat(
        (
            torch.full((RATE,), 100.0),
            torch.full((RATE,), 150.0),
            torch.linspace(150.0, 90.0, RATE),
        )
    ).double()[None, None]
    clock = clock_of(tempo)
    out, _ = process(build(Trans), torch.ones(1, 1, samples).double(), steady(samples), clock=clock)
    opened = out[0, 0] > 1 - 1e-12
    position = clock.beats[0, 0] % 0.5
    sure = ((position - 0.25).abs() > 1e-6) & (position > 1e-6) & (position < 0.5 - 1e-6)
    assert torch.equal(opened[sure], (position < 0.25)[sure])
    assert not out[0, 0][(position > 0.35) & (position < 0.45)].any()


def test_edges_are_as_long_as_declared():
    """120 BPM, 10 ms: half open 5 ms after the open part ends and 5 ms before the next begins."""
    rate, edge = 10000, 10.0
    clock = clock_of(torch.full((1, 1, rate), 120.0).double(), rate=rate)
    out, _ = process(build(Trans, edge=edge), torch.ones(1, 1, rate).double(), steady(rate), clock=clock)
    level = out[0, 0]  # a cycle is 0.25 s, open for 0.125 s
    assert float(level[1250 + 50]) == pytest.approx(0.5, abs=1e-9)
    assert float(level[2500 - 50]) == pytest.approx(0.5, abs=1e-9)
    assert float(level[1250 + 100]) == pytest.approx(0, abs=1e-9)
    assert float(level[2500 - 100]) == pytest.approx(0, abs=1e-9)
    assert float(level[2500]) == pytest.approx(1, abs=1e-9)
    assert float(level.diff().abs().max()) < math.pi / 2 / 100 + 1e-9


def test_streamed_equals_whole_bit_for_bit():
    audio, values = noise(2, 2, SAMPLES), controls()
    clock = clock_of(120 + 10 * unit(2, 1, SAMPLES, seed=4))
    whole, _ = process(build(Trans), audio, values, clock=clock)
    parts, state = process(build(Trans), audio, values, cuts=[1, 1300, 1, 2698], clock=clock)
    assert torch.equal(parts, whole)
    assert state == {}


def test_no_depth_is_bit_exact():
    audio = noise(2, 2, SAMPLES, dtype=torch.float32)
    values = {name: control.float() for name, control in controls().items()}
    values["depth"] = torch.zeros(2, 1, SAMPLES)
    clock = clock_of(torch.full((2, 1, SAMPLES), 174.0).double())
    assert torch.equal(process(build(Trans), audio, values, clock=clock)[0], audio)


def test_gradients():
    """Of duty too: through the falling edge, which lies within these samples."""
    clock = clock_of(torch.full((1, 1, 40), 120.0).double(), beat=0.245)
    values = steady(40, depth=0.8)

    def run(audio, depth, duty):
        return process(build(Trans, edge=5), audio, {**values, "depth": depth, "duty": duty}, clock=clock)[0]

    leaves = [one.clone().requires_grad_() for one in (noise(1, 2, 40), values["depth"], values["duty"])]
    assert gradcheck(run, leaves)
    (slope,) = torch.autograd.grad(run(*leaves).square().sum(), leaves[2])
    assert (slope > 0).any()
