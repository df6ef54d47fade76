"""Gain: a product."""

import numpy as np
import torch
from djgraph_fx import Gain
from effort import gradcheck

from .bench import build, noise, process, unit


def test_multiplies_every_channel_by_the_curve():
    audio, gain = noise(2, 3, 50), unit(2, 1, 50)
    out, state = process(build(Gain), audio, {"gain": gain})
    for item in range(2):
        for channel in range(3):
            want = audio[item, channel].numpy() * gain[item, 0].numpy()
            np.testing.assert_array_equal(out[item, channel].numpy(), want)
    assert state == {}


def test_neutral_is_bit_exact_and_zero_is_silence():
    audio = noise(2, 2, 50, dtype=torch.float32)
    assert torch.equal(process(build(Gain), audio, {"gain": torch.ones(2, 1, 50)})[0], audio)
    assert not process(build(Gain), audio, {"gain": torch.zeros(2, 1, 50)})[0].any()


def test_gradients():
    effect = build(Gain)
    arguments = (noise(2, 2, 5).requires_grad_(), unit(2, 1, 5).requires_grad_())
    assert gradcheck(lambda x, g: process(effect, x, {"gain": g})[0], arguments)


def test_runs_on_any_stretch():
    assert Gain.memoryless
    assert build(Gain).tail() == 0
