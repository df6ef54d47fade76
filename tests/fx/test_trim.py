"""Trim: decibels, which end in silence."""

import numpy as np
import pytest
import torch
from djgraph_fx import Trim
from effort import gradcheck, gradgradcheck

import djgraph

from .bench import build, noise, process, unit


def formula(gain):
    """The amplitude by its formula, one number at a time."""
    fade = 1.0 if gain >= -50 else ((gain + 60) / 10) * (2 - (gain + 60) / 10)
    return 10 ** (gain / 20) * fade


def amplitude(gain, dtype=torch.float64):
    return build(Trim).amplitude({"gain": torch.tensor([[[gain]]], dtype=dtype)}).item()


def test_multiplies_every_channel_by_the_formula():
    audio, gain = noise(2, 4, 200), -60 + 84 * unit(2, 1, 200)
    out, state = process(build(Trim), audio, {"gain": gain})
    want = audio.numpy() * np.vectorize(formula)(gain.numpy())
    np.testing.assert_allclose(out.numpy(), want, rtol=1e-12)
    assert state == {}


@pytest.mark.parametrize("decibels", [-50.0, -20.0, -6.0, 12.0, 24.0])
def test_is_true_to_its_unit_from_50_dB_below(decibels):
    assert 20 * np.log10(amplitude(decibels)) == pytest.approx(decibels, abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neutral_is_bit_exact_and_the_lower_end_is_silence(dtype):
    audio, trim = noise(2, 2, 50, dtype=dtype), build(Trim)
    assert torch.equal(process(trim, audio, {"gain": torch.zeros(2, 1, 50, dtype=dtype)})[0], audio)
    assert not process(trim, audio, {"gain": torch.full((2, 1, 50), -60, dtype=dtype)})[0].any()


def test_rises_all_along_without_a_kink():
    gain = torch.linspace(-60, 24, 8401, dtype=torch.float64).requires_grad_()
    made = build(Trim).amplitude({"gain": gain})
    (slope,) = torch.autograd.grad(made.sum(), gain)
    assert (made.diff() > 0).all()
    assert (slope > 0).all()
    near = slope[(gain > -50.02) & (gain < -49.98)]
    assert near.max() - near.min() < 0.01 * near.max()


def test_the_gradient_leads_out_of_silence():
    gain = torch.full((1, 1, 1), -60.0, requires_grad=True)
    build(Trim).amplitude({"gain": gain}).sum().backward()
    assert gain.grad.item() == pytest.approx(10 ** (-60 / 20) * 2 / 10, rel=1e-5)


def test_gradients():
    effect = build(Trim)
    arguments = (noise(2, 2, 6).requires_grad_(), (-60 + 84 * unit(2, 1, 6)).requires_grad_())
    assert gradcheck(lambda x, g: process(effect, x, {"gain": g})[0], arguments)
    assert gradgradcheck(lambda x, g: process(effect, x, {"gain": g})[0], arguments)


def test_blocks_equal_the_whole():
    effect, audio, gain = (
        build(Trim),
        noise(1, 2, 100, dtype=torch.float32),
        -60 + 84 * unit(1, 1, 100).float(),
    )
    whole, blocks = (process(effect, audio, {"gain": gain}, cuts)[0] for cuts in (None, [1, 30, 69]))
    torch.testing.assert_close(blocks, whole, rtol=1e-6, atol=0)


def test_a_smoothed_fade_in_a_mixer_ends_in_exact_silence_that_has_a_gradient():
    mixer = djgraph.compile(
        {
            "djgraph": 1,
            "name": "one",
            "inputs": [{"name": "in"}],
            "mixer": [{"strip": "s", "input": "in", "chain": ["trim"]}],
            "outputs": ["s"],
        }
    )
    params = torch.tensor([[[0.0], [-60.0], [-60.0]]], requires_grad=True)
    out = mixer({"in": torch.ones(1, 2, 3000)}, params, positions=torch.tensor([0, 1000, 2999]))
    assert out.min() == 0
    assert not out[..., 1200:].any()
    (gradient,) = torch.autograd.grad(out.sum(), params)
    assert (gradient > 0).all()
