"""Delay: against a loop over samples, in blocks, its settings and its gradients."""

import numpy as np
import pytest
import torch
from djgraph_fx import Delay
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from djgraph.effects import Environment

from .bench import RATE, build, noise, process, unit


def sample_loop(audio, mix, feedback, delay, max_feedback):
    """One channel, one sample at a time."""
    wet = np.zeros(len(audio))
    for n in range(delay, len(audio)):
        wet[n] = audio[n - delay] + max_feedback * feedback[n] * wet[n - delay]
    return [(1 - m) * x + m * y for x, y, m in zip(audio, wet, mix)]


@pytest.mark.parametrize("samples", [1, 10, 22, 23, 100, 115])
@pytest.mark.parametrize("max_feedback", [0.0, 0.7, 0.99])
def test_equals_a_loop_over_samples(samples, max_feedback):
    effect = build(Delay, time=2.0, max_feedback=max_feedback)
    audio, mix, feedback = noise(2, 2, samples), unit(2, 1, samples), unit(2, 1, samples, seed=2)
    out, _ = process(effect, audio, {"mix": mix, "feedback": feedback})
    for item in range(2):
        for channel in range(2):
            curves = (audio[item, channel], mix[item, 0], feedback[item, 0])
            want = sample_loop(*(curve.numpy() for curve in curves), 22, max_feedback)
            np.testing.assert_allclose(out[item, channel].numpy(), want, rtol=1e-12, atol=1e-12)


def test_default_is_a_dotted_eighth_at_120_bpm():
    assert build(Delay, Environment(44100)).samples == round(0.375 * 44100) == round(44100 * 60 / 120 * 0.75)


def test_at_least_one_sample():
    assert build(Delay, Environment(400), time=1).samples == 1


@settings(max_examples=examples(25), deadline=None)
@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_blocks_equal_the_whole(cuts):
    effect = build(Delay, time=2.0)
    samples = sum(cuts)
    audio = noise(2, 2, samples)
    controls = {"mix": unit(2, 1, samples), "feedback": unit(2, 1, samples, seed=2)}
    whole, last = process(effect, audio, controls)
    streamed, state = process(effect, audio, controls, cuts)
    torch.testing.assert_close(streamed, whole, rtol=1e-12, atol=1e-12)
    for name, tensor in state.items():
        torch.testing.assert_close(tensor, last[name], rtol=1e-12, atol=1e-12)


def test_neutral_is_bit_exact_whatever_the_feedback():
    audio = noise(2, 2, 500, dtype=torch.float32)
    controls = {"mix": torch.zeros(2, 1, 500), "feedback": unit(2, 1, 500, dtype=torch.float32)}
    assert torch.equal(process(build(Delay, time=2.0), audio, controls)[0], audio)


def test_tail():
    assert build(Delay, max_feedback=0).tail() == round(0.375 * RATE)
    assert build(Delay).tail() is None


def test_without_feedback_there_is_one_echo():
    audio = torch.zeros(1, 1, 100, dtype=torch.float64)
    audio[..., 3] = 1
    controls = {
        "mix": torch.ones(1, 1, 100, dtype=torch.float64),
        "feedback": torch.zeros(1, 1, 100, dtype=torch.float64),
    }
    out, _ = process(build(Delay, time=2.0), audio, controls)
    assert out[0, 0].nonzero().flatten().tolist() == [25]


@pytest.mark.slow
def test_gradients():
    effect = build(Delay, Environment(1000), time=3)
    controls = [unit(2, 1, 10).requires_grad_(), unit(2, 1, 10, seed=2).requires_grad_()]
    arguments = (noise(2, 2, 10).requires_grad_(), *controls)
    assert gradcheck(lambda x, m, f: process(effect, x, {"mix": m, "feedback": f}, [2, 7, 1])[0], arguments)


def test_the_mix_finds_its_way_in_from_neutral():
    mix = torch.zeros(1, 1, 100, dtype=torch.float64, requires_grad=True)
    out, _ = process(
        build(Delay, time=2.0), noise(1, 2, 100), {"mix": mix, "feedback": torch.zeros_like(mix)}
    )
    out.square().sum().backward()
    assert (mix.grad[..., 22:] != 0).all()


def test_settings_are_checked():
    for wrong in ({"time": 0.5}, {"time": 20000}, {"max_feedback": 1}, {"max_feedback": -0.1}, {"tiem": 3}):
        with pytest.raises(ValidationError):
            Delay.Settings(**wrong)
