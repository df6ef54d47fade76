"""Tremolo: the level against a sample loop, phase from the rate and from the clock."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Tremolo
from effort import gradcheck

import djgraph
from djgraph.errors import InputError

from .bench import RATE, build, clock_of, noise, process, unit

SAMPLES = 400


def controls(samples=SAMPLES, batch=2):
    choices = torch.tensor([0.125, 0.25, 1.0], dtype=torch.float64)
    return {
        "depth": unit(batch, 1, samples),
        "rate": 0.5 + 19 * unit(batch, 1, samples, seed=2),
        "beats": choices[(unit(batch, 1, samples, seed=3) * 3).long()],
    }


def changing_tempo(samples=SAMPLES, batch=2):
    return clock_of(80 + 100 * unit(batch, 1, samples, seed=4), beat=7.3)


def swing(shape, phase):
    phase %= 1.0
    return math.sin(math.pi * phase) ** 2 if shape == "sine" else 1 - abs(2 * phase - 1)


@pytest.mark.parametrize("sync", ["hz", "beats"])
@pytest.mark.parametrize("shape", ["sine", "triangle"])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_against_a_sample_loop(sync, shape, channels):
    audio, values, clock = noise(2, channels, SAMPLES), controls(), changing_tempo()
    effect = build(Tremolo, sync=sync, shape=shape, spread=0.6)
    out, _ = process(effect, audio, values, clock=clock)
    for item in range(2):
        travelled = 0.0
        for n in range(SAMPLES):
            phase = travelled
            if sync == "beats":
                phase = float(clock.beats[item, 0, n]) / float(values["beats"][item, 0, n])
            for channel in range(channels):
                ahead = 0.6 * channel / max(1, channels - 1)
                level = 1 - float(values["depth"][item, 0, n]) * swing(shape, phase + ahead)
                want = level * float(audio[item, channel, n])
                assert float(out[item, channel, n]) == pytest.approx(want, abs=1e-11)
            travelled += float(values["rate"][item, 0, n]) / RATE


@pytest.mark.parametrize("sync", ["hz", "beats"])
def test_streamed_equals_whole(sync):
    audio, values, clock = noise(2, 2, SAMPLES), controls(), changing_tempo()
    effect = build(Tremolo, sync=sync, spread=0.5)
    whole, _ = process(effect, audio, values, clock=clock)
    parts, _ = process(effect, audio, values, cuts=[1, 130, 1, 268], clock=clock)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sync", ["hz", "beats"])
def test_no_depth_is_bit_exact(sync):
    audio = noise(2, 2, SAMPLES, dtype=torch.float32)
    values = {name: control.float() for name, control in controls().items()}
    values["depth"] = torch.zeros(2, 1, SAMPLES)
    assert torch.equal(process(build(Tremolo, sync=sync), audio, values, clock=changing_tempo())[0], audio)


def test_in_beats_the_level_is_lowest_half_a_cycle_after_the_beat():
    """At 120 BPM a cycle of one beat is half a second, whichever hour it is."""
    samples = RATE
    hour = 2.0 * 3600
    clock = clock_of(torch.full((1, 1, samples), 120.0, dtype=torch.float64), beat=hour)
    values = {name: torch.ones(1, 1, samples) for name in ("depth", "rate", "beats")}
    out, _ = process(build(Tremolo, sync="beats"), torch.ones(1, 1, samples), values, clock=clock)
    n = np.arange(samples)
    np.testing.assert_allclose(out[0, 0].numpy(), np.cos(np.pi * 2 * n / RATE) ** 2, atol=1e-6)


def test_spread_of_half_a_cycle_is_an_autopan():
    """Left and right swing against each other: with full depth their levels add up to 1."""
    values = controls(batch=1)
    values["depth"] = torch.ones(1, 1, SAMPLES, dtype=torch.float64)
    out, _ = process(build(Tremolo, spread=0.5), torch.ones(1, 2, SAMPLES, dtype=torch.float64), values)
    torch.testing.assert_close(out.sum(1), torch.ones(1, SAMPLES, dtype=torch.float64))


def test_only_beats_needs_a_clock():
    assert not build(Tremolo).uses_clock
    assert build(Tremolo, sync="beats").uses_clock


def test_in_a_mixer_only_beats_asks_for_a_tempo():
    chain = [{"effect": "tremolo", "settings": {"sync": "beats"}, "controls": {"depth": 1}}]
    head = {"djgraph": 1, "name": "swing", "inputs": [{"name": "a"}], "outputs": ["m"]}

    def mixer(chain):
        return djgraph.compile(
            {**head, "mixer": [{"strip": "a", "input": "a", "chain": chain, "to": "m"}, {"bus": "m"}]}
        )

    assert not mixer(["tremolo"]).compiled.uses_clock
    synced, ones = mixer(chain), torch.ones(1, 1, RATE)
    params = synced.layout.default.float()[None, None]
    with pytest.raises(InputError, match="tempo"):
        synced({"a": ones}, params)
    out = synced({"a": ones}, params, tempo=120.0)
    n = np.arange(RATE)
    np.testing.assert_allclose(out[0, 0].numpy(), np.cos(2 * np.pi * n / 44100) ** 2, atol=1e-5)


def test_gradients():
    effect, values = build(Tremolo, spread=0.25), controls(6, 1)

    def run(audio, depth, rate):
        return process(effect, audio, {**values, "depth": depth, "rate": rate})[0]

    leaves = (noise(1, 2, 6), values["depth"], values["rate"])
    assert gradcheck(run, [leaf.clone().requires_grad_() for leaf in leaves])
