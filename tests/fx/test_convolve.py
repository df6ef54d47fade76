"""Convolution with a sound file: against SciPy, levels, sample rates, streams. Reading files: test_sound_file."""

import numpy as np
import pytest
import scipy.signal
import torch
from djgraph_fx import Convolve
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from djgraph.audio import SoundFile
from djgraph.effects import Environment

from .bench import RATE, build, noise, process, unit


def sound(samples=40, channels=2, rate=RATE, seed=0):
    return SoundFile("made.wav", rate, noise(channels, samples, seed=seed, dtype=torch.float32))


@pytest.mark.parametrize("samples", [1, 39, 300])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("sides", [1, 2])
def test_equals_direct_convolution(samples, channels, sides):
    file = sound(channels=sides)
    effect = build(Convolve, file=file, level="file", pre_delay=1.0)
    audio, mix = noise(2, channels, samples), unit(2, 1, samples)
    out, _ = process(effect, audio, {"mix": mix})
    for item in range(2):
        for channel in range(channels):
            dry, m = audio[item, channel].numpy(), mix[item, 0].numpy()
            response = np.r_[np.zeros(11), file.audio[channel % sides].double().numpy()]
            wet = scipy.signal.convolve(dry, response, method="direct")[:samples]
            np.testing.assert_allclose(out[item, channel].numpy(), (1 - m) * dry + m * wet, atol=1e-12)


def test_without_a_file_it_changes_nothing():
    audio = noise(2, 2, 300)
    out, _ = process(build(Convolve), audio, {"mix": torch.ones(1, 1, 300, dtype=torch.float64)})
    torch.testing.assert_close(out, audio, rtol=0, atol=1e-12)
    assert build(Convolve).tail() == 0


def test_energy_keeps_the_level_of_white_noise():
    effect = build(Convolve, file=sound(500))
    audio = noise(1, 2, 60000)
    out, _ = process(effect, audio, {"mix": torch.ones(1, 1, 60000, dtype=torch.float64)})
    assert out[..., 500:].square().mean().sqrt().item() == pytest.approx(1, rel=0.02)
    left, right = effect.response(2).square().sum(-1)
    want = sound(500).audio.double().square().sum(-1)
    assert float(left / right) == pytest.approx(float(want[0] / want[1]))  # the balance of the sides stays


@pytest.mark.parametrize("level", ["file", "energy"])
@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_at_another_rate_it_is_the_same_filter(rate, level):
    """A lowpassed click: the gain at low frequencies is that of the file's own rate."""
    response = scipy.signal.firwin(201, 1000, fs=RATE)
    file = SoundFile("click.wav", RATE, torch.tensor(response, dtype=torch.float32)[None])
    here, there = (
        build(Convolve, Environment(r), file=file, level=level).response(1)[0] for r in (RATE, rate)
    )
    place = 100 * torch.arange(10)
    gains = [
        (torch.exp(-2j * torch.pi * place[:, None] * torch.arange(len(h)) / r) * h).sum(-1).abs()
        for h, r in ((here, RATE), (there, rate))
    ]
    scale = 1.0 if level == "file" else (RATE / rate) ** 0.5
    torch.testing.assert_close(gains[1] * scale, gains[0], rtol=0.01, atol=0.01)


@settings(max_examples=examples(20), deadline=None)
@given(cuts=st.lists(st.integers(1, 2500), min_size=1, max_size=6))
def test_blocks_equal_the_whole(cuts):
    effect = build(Convolve, file=sound(3000))
    samples = sum(cuts)
    audio, controls = noise(2, 2, samples), {"mix": unit(2, 1, samples)}
    whole, _ = process(effect, audio, controls)
    streamed, _ = process(effect, audio, controls, cuts)
    torch.testing.assert_close(streamed, whole, rtol=0, atol=1e-10)


def test_neutral_is_bit_exact():
    audio = noise(2, 2, 500, dtype=torch.float32)
    out, _ = process(build(Convolve, file=sound()), audio, {"mix": torch.zeros(2, 1, 500)})
    assert torch.equal(out, audio)


def test_gradients():
    effect = build(Convolve, file=sound(5))
    arguments = (noise(2, 2, 9).requires_grad_(), unit(2, 1, 9).requires_grad_())
    assert gradcheck(lambda x, m: process(effect, x, {"mix": m}, [2, 6, 1])[0], arguments)


def test_silence_is_no_response():
    with pytest.raises(ValidationError, match=r"made\.wav is silent"):
        Convolve.Settings(file=SoundFile("made.wav", RATE, torch.zeros(1, 10)))
