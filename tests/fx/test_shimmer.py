"""Shimmer: what comes back is an interval away each time, the loop is bounded, blocks are the whole."""

import itertools

import pytest
import torch
from djgraph_fx import Fdn, Shimmer
from effort import examples, few, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import delay_loop
from djgraph.effects import Block, Environment

from .bench import RATE, build, noise, process, unit


def steady(samples, dtype=torch.float64, **values):
    given_values = {control.id: control.default for control in Shimmer.controls} | values
    return {name: torch.full((1, 1, samples), value, dtype=dtype) for name, value in given_values.items()}


def moving(samples, batch=2):
    values = {}
    for number, control in enumerate(Shimmer.controls):
        u = unit(batch, 1, samples, seed=20 + number)
        if control.scale == "log":
            values[control.id] = control.min * (control.max / control.min) ** u
        else:
            values[control.id] = control.min + (control.max - control.min) * u
    return values


def room_values(values):
    return {control.id: values[control.id] for control in Fdn.controls}


def test_without_shimmer_it_is_the_room():
    audio, values = noise(2, 2, 3000), moving(3000)
    values["shimmer"] = torch.zeros(2, 1, 3000, dtype=torch.float64)
    want, _ = process(build(Fdn), audio, room_values(values))
    torch.testing.assert_close(process(build(Shimmer), audio, values)[0], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("interval", [-12, 7, 12])
@pytest.mark.parametrize("generation", [1, 2])
def test_each_time_round_it_is_an_interval_away(interval, generation):
    """A burst of a tone: the loop alone, in the window of time in which that generation sounds."""
    effect = build(Shimmer, Environment(44100), interval=interval)
    ratio, samples = 2 ** (interval / 12), 60000
    hertz = 400.0 / (ratio if interval < 0 else 1)
    time = torch.arange(samples, dtype=torch.float64) / 44100
    audio = (torch.sin(2 * torch.pi * hertz * time))[None, None]
    # Without feedback one generation; what comes out of it goes in again.
    for _ in range(generation):
        past = effect.initial_state(1, 1, audio)["rising"]
        heads = effect.heads(Block(0, samples, 44100, None), audio.device)
        audio, _, _ = delay_loop(audio, heads, 0.0, past, shortest=effect.shortest)
    spectrum = torch.fft.rfft(
        audio[0, 0, 20000:] * torch.hann_window(samples - 20000, dtype=torch.float64)
    ).abs()
    peak = int(spectrum.argmax()) * 44100 / (samples - 20000)
    assert peak == pytest.approx(hertz * ratio**generation, rel=0.02)
    bins = torch.arange(len(spectrum)) * 44100 / (samples - 20000)
    near = (bins - hertz * ratio**generation).abs() < 60
    assert spectrum[near].square().sum() > 0.9 * spectrum.square().sum()


def test_the_room_hears_all_generations():
    values = steady(44100, mix=1.0, shimmer=0.8, damping=0.0, decay=1.0)
    tone = torch.sin(2 * torch.pi * 300 / 44100 * torch.arange(44100, dtype=torch.float64))[None, None]
    out, _ = process(build(Shimmer, Environment(44100)), tone, values)
    spectrum = torch.fft.rfft(out[0, 0, 22050:] * torch.hann_window(22050, dtype=torch.float64)).abs()
    levels = [
        float(spectrum[hertz // 2 - 12 : hertz // 2 + 13].norm()) for hertz in (300, 600, 1200, 450, 2000)
    ]
    assert min(levels[:3]) > 5 * max(levels[3:])


@pytest.mark.parametrize("interval", few([-12, 7, 12], 2))
def test_heads_are_seamless(interval):
    """Gains add up to 1, a head is silent where it jumps, and delays stay within the history."""
    effect = build(Shimmer, interval=interval)
    (d0, g0), (d1, g1) = effect.heads(Block(3, 5 * effect.period, RATE, None), torch.device("cpu"))
    torch.testing.assert_close(g0 + g1, torch.ones_like(g0))
    for delay, gain in ((d0, g0), (d1, g1)):
        jumps = delay.diff().abs() > 1.5
        assert jumps.sum() >= 4
        assert gain[1:][jumps].max() < 1e-3
        assert delay.min() >= effect.shortest
        assert delay.max() <= effect.shortest + abs(effect.way)
    later = effect.heads(Block(10**9 * effect.period + 3, 100, RATE, None), torch.device("cpu"))
    torch.testing.assert_close(later[0][0], d0[:100], rtol=0, atol=1e-9)


@settings(max_examples=examples(10), deadline=None)
@given(cuts=st.lists(st.integers(1, 500), min_size=1, max_size=6), interval=st.sampled_from([-12, 7, 12]))
def test_blocks_equal_the_whole(cuts, interval):
    samples = sum(cuts)
    effect = build(Shimmer, size=5, interval=interval, window=40)
    audio, values = noise(2, 2, samples), moving(samples)
    whole, last = process(effect, audio, values)
    parts, state = process(effect, audio, values, cuts)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-9)
    for name, tensor in last.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=1e-9)


def test_neutral_is_bit_exact():
    audio = noise(2, 2, 500, dtype=torch.float32)
    values = {name: value.float() for name, value in moving(500).items()} | {"mix": torch.zeros(2, 1, 500)}
    assert torch.equal(process(build(Shimmer), audio, values)[0], audio)


@pytest.mark.parametrize("interval", [-12, 7, 12])
def test_it_is_bounded_at_the_ends_of_its_range(interval):
    samples = 8 * RATE
    for audio, decay in itertools.product(
        (noise(1, 2, samples), torch.ones(1, 2, samples).double()), (0.1, 30.0)
    ):
        values = steady(samples, mix=1.0, shimmer=0.9, tone=20000.0, decay=decay, damping=0.0)
        out, _ = process(build(Shimmer, interval=interval), audio, values)
        assert out.abs().max() < 60


def test_gradients():
    effect = build(Shimmer, Environment(400), size=5, window=40)
    values = {name: curve[:1, :, :20] for name, curve in moving(20).items()}

    def run(audio, *curves):
        return process(effect, audio, dict(zip(values, curves)), [7, 13])[0]

    assert gradcheck(run, [leaf.clone().requires_grad_() for leaf in (noise(1, 2, 20), *values.values())])
