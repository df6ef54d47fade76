"""Crush: against a loop over samples, its step, what it holds, and the gradients that it declares."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Crush
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from .bench import RATE, build, noise, process, unit


def held(samples, **values):
    values = {"bits": 16.0, "rate": 48000.0, "mix": 1.0} | values
    return {name: torch.full((1, 1, samples), value, dtype=torch.float64) for name, value in values.items()}


def moving(batch, samples, seed=0):
    return {
        "bits": 1 + 15 * unit(batch, 1, samples, seed=seed),
        "rate": 100 * 480 ** unit(batch, 1, samples, seed=seed + 1),
        "mix": unit(batch, 1, samples, seed=seed + 2),
    }


def sample_loop(audio, bits, rate, mix):
    """One channel; a phase in exact integers."""
    cycle, last, out = 2**31, 0.0, np.empty_like(audio)
    steps = [min(cycle, round(r * (cycle / RATE))) for r in rate]
    phase = cycle - steps[0] + steps[0] // 2
    for n, x in enumerate(audio):
        phase += steps[n]
        if phase >= cycle:
            phase -= cycle
            step = 2 ** (1 - bits[n])
            last = step * np.round(x / step)
        out[n] = (1 - mix[n]) * x + mix[n] * last
    return out


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("samples", [1, 2, 400])
def test_equals_a_loop_over_samples(samples, channels):
    audio, controls = noise(2, channels, samples), moving(2, samples)
    out, _ = process(build(Crush), audio, controls)
    for item in range(2):
        curves = [curve[item, 0].numpy() for curve in controls.values()]
        for channel in range(channels):
            want = sample_loop(audio[item, channel].numpy(), *curves)
            np.testing.assert_allclose(out[item, channel].numpy(), want, atol=1e-12)


@settings(max_examples=examples(40), deadline=None)
@given(
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=6),
    rate=st.sampled_from([RATE, RATE / 2, RATE / 3, RATE / 7, 100.0, 48000.0]),
)
def test_blocks_equal_the_whole_also_where_the_rate_divides(cuts, rate):
    samples = sum(cuts)
    audio, controls = noise(2, 2, samples), moving(2, samples)
    controls["rate"] = torch.full_like(controls["rate"], rate)
    whole, last = process(build(Crush), audio, controls)
    streamed, state = process(build(Crush), audio, controls, cuts)
    torch.testing.assert_close(streamed, whole, rtol=1e-12, atol=1e-12)
    assert torch.equal(state["phase"], last["phase"])
    torch.testing.assert_close(state["held"], last["held"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_a_rate_that_divides_holds_every_nth_sample(every):
    audio = noise(1, 2, 420)
    out, _ = process(build(Crush), audio, held(420, rate=RATE / every))
    want = audio[..., ::every].repeat_interleave(every, -1)[..., :420]
    torch.testing.assert_close(out, want, rtol=0, atol=2.0**-16)


@pytest.mark.parametrize(("bits", "levels"), [(1.0, {-1.0, 0.0, 1.0}), (2.0, {-1.0, -0.5, 0.0, 0.5, 1.0})])
def test_bits_are_steps(bits, levels):
    audio = torch.linspace(-1, 1, 501, dtype=torch.float64)[None, None]
    out, _ = process(build(Crush), audio, held(501, bits=bits))
    assert set(out.flatten().tolist()) == levels
    assert float((out - audio).abs().max()) <= 2 ** (1 - bits) / 2


def test_silence_stays_silent_and_no_mix_is_the_signal():
    silent, _ = process(build(Crush), torch.zeros(1, 1, 100).double(), held(100, bits=1.0, rate=300.0))
    assert not silent.any()
    audio, controls = noise(1, 2, 300, dtype=torch.float32), moving(1, 300)
    controls = {name: curve.float() for name, curve in controls.items()} | {"mix": torch.zeros(1, 1, 300)}
    assert torch.equal(process(build(Crush), audio, controls)[0], audio)


def test_an_hour_in_it_still_takes_the_right_samples():
    """The phase of a third of the rate: in floating point it would drift."""
    audio, effect = noise(1, 1, 600), build(Crush)
    step = round(2**31 / 3)
    phase = (2**31 - step + step // 2 + 3600 * RATE * step) % 2**31
    state = {
        "phase": torch.full((1, 1, 1), float(phase), dtype=torch.float64),
        "held": torch.zeros(1, 1, 1).double(),
    }
    out, _ = process(effect, audio, held(600, rate=RATE / 3), state=state)
    changes = np.flatnonzero(np.abs(np.diff(out[0, 0].numpy())) > 1e-9) + 1
    assert set(np.diff(changes)) == {3}


def test_declared_gradients():
    declared = {control.id: control.gradient for control in Crush.controls}
    assert declared == {"bits": "surrogate", "rate": "none", "mix": "exact"}


def test_the_gradient_of_the_audio_is_that_of_the_sample_that_is_heard():
    audio = noise(1, 1, 12).requires_grad_()
    out, _ = process(build(Crush), audio, held(12, rate=RATE / 3, bits=3.0, mix=0.25))
    weights = torch.arange(1.0, 13.0, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((out * weights).sum(), audio)
    want = 0.75 * weights
    want[::3] += 0.25 * weights.reshape(4, 3).sum(-1)
    torch.testing.assert_close(gradient[0, 0], want)


def test_the_gradient_of_bits_is_the_straight_through_one():
    audio, controls = noise(1, 1, 50), held(50)
    controls["bits"] = (2 + 6 * unit(1, 1, 50)).requires_grad_()
    out, _ = process(build(Crush), audio, controls)
    (gradient,) = torch.autograd.grad(out.sum(), controls["bits"])
    step = 2 ** (1 - controls["bits"].detach())
    want = (torch.round(audio / step) - audio / step) * -math.log(2) * step
    torch.testing.assert_close(gradient, want)


def test_no_gradient_of_the_rate():
    audio, controls = noise(1, 1, 50), moving(1, 50)
    controls["rate"].requires_grad_()
    out, _ = process(build(Crush), audio, controls)
    assert not out.requires_grad
