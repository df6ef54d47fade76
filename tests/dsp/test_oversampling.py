"""Oversampling and decimation against SciPy's FIR filters, their own magnitudes, and each other."""

import numpy as np
import pytest
import torch
from dsp_recursions import noise
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import firwin, freqz, upfirdn

from djgraph.dsp import decimate, oversample
from djgraph.dsp.oversampling import BETA, HALF
from djgraph.errors import DJGraphError

FACTORS = pytest.mark.parametrize("factor", [2, 4, 8])


def taps(factor):
    """By SciPy, whose gain is 1 at 0 Hz instead of in the middle tap."""
    made = firwin(2 * HALF * factor + 1, 1 / factor, window=("kaiser", BETA))
    return made / made[HALF * factor]


@FACTORS
@pytest.mark.parametrize("samples", [1, 63, 64, 65, 300])
def test_equals_insertion_of_zeros_and_a_filter(factor, samples):
    audio = noise(2, 3, samples)
    got, _ = oversample(audio, factor)
    want = upfirdn(taps(factor), audio.numpy(), up=factor)[..., : samples * factor]
    np.testing.assert_allclose(got.numpy(), want, atol=1e-12)


@FACTORS
@pytest.mark.parametrize("samples", [1, 63, 64, 65, 300])
def test_decimation_equals_a_filter_and_every_factor_th_sample(factor, samples):
    audio = noise(2, 3, samples * factor)
    got, _ = decimate(audio, factor)
    want = upfirdn(taps(factor) / factor, audio.numpy(), down=factor)[..., :samples]
    np.testing.assert_allclose(got.numpy(), want, atol=1e-12)


@FACTORS
def test_pass_band_and_stop_band(factor):
    """What the docs say: flat to 0.001 dB up to 0.454 of the lower rate, 90 dB down from 0.546 on."""
    impulse = torch.zeros(1, 256, dtype=torch.float64)
    impulse[0, 0] = 1
    response, _ = oversample(impulse, factor)
    frequency, gain = freqz(response[0].numpy() / factor, worN=2**15, fs=factor)
    level = 20 * np.log10(np.abs(gain) + 1e-12)
    assert np.abs(level[frequency <= 0.454]).max() < 0.001
    assert level[frequency >= 0.546].max() < -89.8
    assert level[np.argmin(np.abs(frequency - 0.5))] == pytest.approx(-6.02, abs=0.01)


@FACTORS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_signal_s_samples_stay_bit_for_bit(factor, dtype):
    audio = noise(2, 200, dtype=dtype)
    made, _ = oversample(audio, factor)
    assert torch.equal(made[:, HALF * factor :: factor], audio[:, : 200 - HALF])


@FACTORS
@pytest.mark.parametrize("frequency", [0.01, 0.2, 0.45])
def test_there_and_back_is_a_delay(factor, frequency):
    sine = torch.sin(2 * torch.pi * frequency * torch.arange(1000, dtype=torch.float64))[None]
    back, _ = decimate(oversample(sine, factor)[0], factor)
    torch.testing.assert_close(back[:, 300:], sine[:, 300 - 2 * HALF : -2 * HALF], rtol=0, atol=2e-4)


@FACTORS
@settings(max_examples=examples(30), deadline=None)
@given(cuts=st.lists(st.integers(0, 150), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(factor, cuts):
    samples = sum(cuts)
    low, high = noise(2, samples).requires_grad_(), noise(2, samples * factor, seed=1).requires_grad_()
    for function, signal, step in ((oversample, low, 1), (decimate, high, factor)):
        length = 2 * HALF * step
        state = noise(2, length, seed=2).requires_grad_()
        whole, last = function(signal, factor, state)
        parts, carried, start = [], state, 0
        for cut in cuts:
            made, carried = function(signal[:, start * step : (start + cut) * step], factor, carried)
            parts.append(made)
            start += cut
        streamed = torch.cat(parts, -1)
        torch.testing.assert_close(streamed, whole, rtol=1e-12, atol=1e-12)
        assert torch.equal(carried, last)
        weight, behind = noise(*whole.shape, seed=3), noise(2, length, seed=4)
        wanted, got = (
            torch.autograd.grad((out * weight).sum() + (state_out * behind).sum(), (signal, state))
            for out, state_out in ((whole, last), (streamed, carried))
        )
        for one, other in zip(got, wanted):
            torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@FACTORS
def test_gradients(factor):
    low, high = noise(2, 3).requires_grad_(), noise(2, 2 * factor, seed=1).requires_grad_()
    states = [noise(2, 2 * HALF * step, seed=2).requires_grad_() for step in (1, factor)]
    for function, signal, state in ((oversample, low, states[0]), (decimate, high, states[1])):

        def run(audio, before, function=function):
            return function(audio, factor, before)

        assert gradcheck(run, (signal, state))


def test_what_does_not_fit_is_refused():
    audio = torch.zeros(1, 12)
    for function in (oversample, decimate):
        with pytest.raises(DJGraphError, match="factor of 2, 4 or 8, not 3"):
            function(audio, 3)
        with pytest.raises(DJGraphError, match=r"state has to be torch.float32 .* of shape \[1, "):
            function(audio, 4, torch.zeros(1, 5))
        with pytest.raises(DJGraphError, match="floating point"):
            function(torch.zeros(1, 12, dtype=torch.int64), 4)
    with pytest.raises(DJGraphError, match="13 samples are no multiple of the factor 4"):
        decimate(torch.zeros(1, 13), 4)
