"""Reverb: the response by its statistics, the effect against direct convolution."""

import copy
import pickle

import numpy as np
import pytest
import scipy.signal
import torch
from djgraph_fx import Reverb
from djgraph_fx.room import noise_response
from effort import examples, few, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from djgraph.effects import Environment

from .bench import build, noise, process, unit

FULL = Environment(44100)
SHORT = {"decay_time": 0.004, "pre_delay": 1.0}  # 44 + 11 samples


def reverberation_time(response, rate):
    """RT60 by Schroeder's backward integration, a line through −5…−35 dB, ISO 3382's T30."""
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    level = 10 * np.log10(energy / energy[0])
    inside = (level <= -5) & (level >= -35)
    slope, _ = np.polyfit(np.flatnonzero(inside) / rate, level[inside], 1)
    return -60 / slope


def band(response, low, high, rate=44100):
    return scipy.signal.sosfilt(scipy.signal.butter(4, [low, high], "band", fs=rate, output="sos"), response)


@pytest.mark.parametrize("decay_time", [0.3, 1.5, 4.0])
def test_decay_time_without_damping(decay_time):
    response = build(Reverb, FULL, decay_time=decay_time, damping=0).response(2).numpy()
    for channel in response:
        assert reverberation_time(channel, 44100) == pytest.approx(decay_time, rel=0.04)


@pytest.mark.parametrize("damping", few([0.5, 1.0], 1))
@pytest.mark.parametrize("centre", [125.0, 1000.0, 4000.0, 12000.0])
def test_damping_shortens_high_frequencies(damping, centre):
    response = build(Reverb, FULL, damping=damping).response(8).numpy()
    want = 1.5 * (1 - 0.9 * damping / (1 + (2000 / centre) ** 2))
    narrow = band(response, centre / 1.06, centre * 1.06)
    got = reverberation_time(np.sqrt((narrow**2).sum(axis=0)), 44100)
    assert got == pytest.approx(want, rel=0.1)


@pytest.mark.parametrize("damping", few([0.0, 0.5, 1.0], 2))
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_unit_energy_and_decorrelated(damping, channels):
    response = build(Reverb, FULL, damping=damping).response(channels).numpy()
    products = response @ response.T
    np.testing.assert_allclose(np.diag(products), 1, rtol=1e-12)
    assert np.abs(products - np.eye(channels)).max() < 0.05


def test_a_channel_is_the_same_however_many_there_are():
    effect = build(Reverb, FULL)
    assert torch.equal(effect.response(1), effect.response(3)[:1])


def test_white_noise_keeps_its_level():
    effect = build(Reverb, decay_time=0.2)
    audio = noise(1, 2, 60000)
    out, _ = process(effect, audio, {"mix": torch.ones(1, 1, 60000, dtype=torch.float64)})
    assert out[..., 5000:].square().mean().sqrt().item() == pytest.approx(1, rel=0.02)


def test_the_noise_is_pcg64_and_stays_what_it_is():
    response = noise_response(44100, 0, 1000, 0.0, 7, 2).numpy()
    for channel in range(2):
        uniform = np.random.Generator(np.random.PCG64(np.random.SeedSequence([7, channel]))).random(1000)
        want = (2 * uniform - 1) * np.exp(-np.log(1000) * np.arange(1000) / 1000)
        np.testing.assert_allclose(response[channel], want / np.linalg.norm(want), atol=1e-12)
    np.testing.assert_allclose(response[0, :3] / response[0, 0], RATIOS, atol=1e-12)


RATIOS = [1.0, 3.1534268275589703, 2.1735651031239747]
"""First samples for seed 7, so that another NumPy that drew otherwise would be noticed."""


def test_seeds_and_channels_differ_and_repeat():
    one, again, other = (build(Reverb, FULL, seed=seed).response(2) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert abs((one[0] @ other[0]).item()) < 0.05
    assert abs((one[0] @ one[1]).item()) < 0.05


def test_pre_delay_is_silent_and_the_tail_ends_on_time():
    effect = build(Reverb, **SHORT)
    audio = torch.zeros(1, 2, 100, dtype=torch.float64)
    audio[..., 5] = 1
    out, _ = process(effect, audio, {"mix": torch.ones(1, 1, 100, dtype=torch.float64)})
    assert effect.tail() == 54
    assert out[..., : 5 + 11].abs().max() < 1e-15
    assert (out[..., 5 + 11].abs() > 1e-3).all()
    assert (out[..., 5 + 54].abs() > 1e-8).all()
    assert out[..., 5 + 54 + 1 :].abs().max() < 1e-15


@pytest.mark.parametrize("samples", [1, 2, 54, 55, 56, 300])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_equals_direct_convolution(samples, channels):
    effect = build(Reverb, **SHORT)
    audio, mix = noise(2, channels, samples), unit(2, 1, samples)
    out, _ = process(effect, audio, {"mix": mix})
    response = effect.response(channels).numpy()
    for item in range(2):
        for channel in range(channels):
            dry = audio[item, channel].numpy()
            wet = scipy.signal.convolve(dry, response[channel], method="direct")[:samples]
            m = mix[item, 0].numpy()
            np.testing.assert_allclose(out[item, channel].numpy(), (1 - m) * dry + m * wet, atol=1e-13)


@settings(max_examples=examples(25), deadline=None)
@given(cuts=st.lists(st.integers(1, 90), min_size=1, max_size=6))
def test_blocks_equal_the_whole(cuts):
    effect = build(Reverb, **SHORT)
    samples = sum(cuts)
    audio, controls = noise(2, 2, samples), {"mix": unit(2, 1, samples)}
    whole, last = process(effect, audio, controls)
    streamed, state = process(effect, audio, controls, cuts)
    torch.testing.assert_close(streamed, whole, rtol=1e-12, atol=1e-12)
    assert torch.equal(state["past"], last["past"])


def test_neutral_is_bit_exact():
    audio = noise(2, 2, 500, dtype=torch.float32)
    assert torch.equal(process(build(Reverb, **SHORT), audio, {"mix": torch.zeros(2, 1, 500)})[0], audio)


def test_single_and_half_precision():
    effect = build(Reverb, **SHORT)
    audio, mix = noise(1, 2, 200), unit(1, 1, 200)
    want, _ = process(effect, audio, {"mix": mix})
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.bfloat16, 5e-2)):
        got, state = process(effect, audio.to(dtype), {"mix": mix.to(dtype)}, [150, 50])
        assert got.dtype == state["past"].dtype == dtype
        torch.testing.assert_close(got.double(), want, rtol=0, atol=tolerance)


def test_gradients():
    effect = build(Reverb, Environment(1000), decay_time=0.004, pre_delay=1)
    arguments = (noise(2, 2, 9).requires_grad_(), unit(2, 1, 9).requires_grad_())
    assert gradcheck(lambda x, m: process(effect, x, {"mix": m}, [2, 6, 1])[0], arguments)


def test_the_mix_finds_its_way_in_from_neutral():
    mix = torch.zeros(1, 1, 100, dtype=torch.float64, requires_grad=True)
    process(build(Reverb, **SHORT), noise(1, 2, 100), {"mix": mix})[0].square().sum().backward()
    assert (mix.grad != 0).all()


def test_spectra_are_kept_but_not_pickled():
    effect = build(Reverb, decay_time=1.0)
    audio, mix = noise(1, 2, 300), unit(1, 1, 300)
    want, _ = process(effect, audio, {"mix": mix})
    (spectrum,) = effect._response._spectra.values()
    process(effect, audio, {"mix": mix})
    assert [kept is spectrum for kept in effect._response._spectra.values()] == [True]
    assert len(pickle.dumps(effect)) < 10_000
    for twin in (copy.deepcopy(effect), pickle.loads(pickle.dumps(effect))):
        assert torch.equal(process(twin, audio, {"mix": mix})[0], want)


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(0)
    np.random.seed(0)
    noise_response.cache_clear()
    build(Reverb).response(2)
    after = (torch.rand(1).item(), np.random.rand())
    torch.manual_seed(0)
    np.random.seed(0)
    assert (torch.rand(1).item(), np.random.rand()) == after


def test_settings_are_checked():
    for wrong in ({"decay_time": 0}, {"damping": 1.1}, {"pre_delay": -1}, {"seed": -1}, {"seed": 0.5}):
        with pytest.raises(ValidationError):
            Reverb.Settings(**wrong)
