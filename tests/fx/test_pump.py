"""Pump: against a sample loop, on the beat however the tempo moves, its gradients."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Pump
from effort import gradcheck

from .bench import RATE, at, build, clock_of, noise, process, unit

SAMPLES = 600


def moving(samples, batch=2):
    choices = torch.tensor([0.125, 0.25, 0.5], dtype=torch.float64)
    return {
        "depth": 40 * unit(batch, 1, samples),
        "hold": 0.9 * unit(batch, 1, samples, seed=2),
        "release": 0.05 + 0.95 * unit(batch, 1, samples, seed=3),
        "beats": choices[(unit(batch, 1, samples, seed=4) * 3).long()],
    }


def down(beat, tempo, period, hold, release, edge):
    position = beat / period - math.floor(beat / period)
    back = min(max((position - hold) / ((1 - hold) * release), 0), 1)
    milliseconds = (1 - position) * period * 60000 / tempo
    ahead = math.cos(math.pi / 2 * min(milliseconds / edge, 1)) ** 2
    return 1 - back * back * (3 - 2 * back) * (1 - ahead)


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("edge", [0.1, 5.0, 50.0])
def test_against_a_sample_loop(channels, edge):
    audio, values = noise(2, channels, SAMPLES), moving(SAMPLES)
    clock = clock_of(80 + 100 * unit(2, 1, SAMPLES, seed=5), beat=7.3)
    out, _ = process(build(Pump, edge=edge), audio, values, clock=clock)
    for item in range(2):
        for n in range(SAMPLES):
            depth, hold, release, period = (float(values[name][item, 0, n]) for name in values)
            beat, tempo = float(clock.beats[item, 0, n]), float(clock.tempo[item, 0, n])
            gain = 10 ** (-depth * down(beat, tempo, period, hold, release, edge) / 20)
            np.testing.assert_allclose(out[item, :, n].numpy(), gain * audio[item, :, n].numpy(), atol=1e-9)


def test_it_is_down_on_the_sample_of_each_beat_when_the_tempo_moves():
    samples = 3 * RATE
    tempo = torch.linspace(90, 170, samples, dtype=torch.float64)[None, None]
    clock, audio = clock_of(tempo), torch.ones(1, 1, samples, dtype=torch.float64)
    values = {"depth": 20.0, "hold": 0.0, "release": 0.5, "beats": 1.0}
    controls = {name: torch.full_like(audio, value) for name, value in values.items()}
    out, _ = process(build(Pump), audio, controls, clock=clock)
    reduction = -20 * torch.log10(out)[0, 0]
    beats = clock.beats[0, 0]
    first = (beats.floor()[1:] > beats.floor()[:-1]).nonzero()[:, 0]
    for n in first[:-1].tolist():
        assert float(reduction[n : n + 2].max()) == pytest.approx(20, abs=0.05)
        half = int((beats >= beats[n].round() + 0.55).nonzero()[0, 0])
        assert float(reduction[half]) == pytest.approx(0, abs=1e-9)


def test_no_depth_is_the_signal_bit_for_bit_and_blocks_are_the_whole():
    audio = noise(2, 2, SAMPLES, dtype=torch.float32)
    clock = clock_of(torch.full((2, 1, SAMPLES), 120.0, dtype=torch.float64))
    values = {name: value.float() for name, value in moving(SAMPLES).items()}
    whole, _ = process(build(Pump), audio, values, clock=clock)
    parts, _ = process(build(Pump), audio, values, [1, 200, 399], clock=clock)
    torch.testing.assert_close(parts, whole, rtol=1e-6, atol=1e-6)
    values["depth"] = torch.zeros_like(values["depth"])
    assert torch.equal(process(build(Pump), audio, values, clock=clock)[0], audio)


def test_gradients():
    audio, values = noise(1, 2, 40).requires_grad_(), moving(40, batch=1)
    clock = at(clock_of(torch.full((1, 1, 9000), 130.0, dtype=torch.float64)), slice(3000, 3040))
    names = ("depth", "hold", "release")

    def run(audio, *others):
        return process(build(Pump), audio, values | dict(zip(names, others)), clock=clock)[0]

    assert gradcheck(run, (audio, *(values[name].requires_grad_() for name in names)))
