"""The state-variable filter against a loop over samples, biquads of SciPy's, and finite differences."""

import math

import numpy as np
import pytest
import torch
from dsp_recursions import (
    between,
    check_blocks_equal_the_whole,
    check_both_ways_agree,
    check_equals_a_loop,
    check_gradients,
    check_silence_and_small_numbers,
    framed,
    noise,
    without_compiled_code,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import bilinear, freqz, lfilter

from djgraph.dsp import svf, svf_response
from djgraph.errors import DJGraphError

RATE = 8000.0


def kernel(audio, cutoff, q, low, band, high, state=None):
    return svf(audio, cutoff, q, low, band, high, state, sample_rate=RATE)


def arguments(batch, channels, samples, seed=0):
    """audio, cutoff, q, low, band, high, state."""
    return (
        noise(batch, channels, samples, seed=seed),
        between(20, 3800, batch, 1, samples, seed=seed + 1),
        between(0.3, 5, batch, channels, samples, seed=seed + 2),
        noise(1, seed=seed + 3),
        noise(batch, 1, 1, seed=seed + 4),
        noise(samples, seed=seed + 5),
        noise(batch, channels, 2, seed=seed + 6),
    )


def sample_loop(audio, *controls_and_state):
    """Zavalishin's integrators: each output is state + g·input, each state then output + g·input."""
    x = audio.numpy()
    *controls, state = (tensor.numpy() for tensor in controls_and_state)
    cutoff, q, low, band, high = (np.broadcast_to(control, x.shape) for control in controls)
    g, k = np.tan(np.pi * np.clip(cutoff / RATE, 0, 0.49)), 1 / q
    out, s1, s2 = np.empty_like(x), state[..., 0], state[..., 1]
    for n in range(x.shape[-1]):
        gn, kn = g[..., n], k[..., n]
        hp = (x[..., n] - (gn + kn) * s1 - s2) / (1 + kn * gn + gn * gn)
        bp = gn * hp + s1
        lp = gn * bp + s2
        s1, s2 = gn * hp + bp, gn * bp + lp
        out[..., n] = low[..., n] * lp + band[..., n] * kn * bp + high[..., n] * hp
    return out, np.stack((s1, s2), axis=-1)


@settings(max_examples=examples(60), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(1, 600),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, channels, samples, compiled, seed):
    given_tensors = arguments(batch, channels, samples, seed)
    check_equals_a_loop(kernel, sample_loop, given_tensors, compiled, 1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cutoff", [20.0, 1000.0, 3700.0])
@pytest.mark.parametrize("mix", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 3, 1)])
def test_with_fixed_controls_it_is_the_bilinear_transform(dtype, cutoff, mix):
    q, low, band, high = 2.0, *mix
    w = 2 * RATE * math.tan(math.pi * cutoff / RATE)
    b, a = bilinear([high, band * w / q, low * w * w], [1, w / q, w * w], RATE)
    audio = noise(2, 1, 4000, dtype=dtype)
    got, _ = kernel(audio, cutoff, q, *map(float, mix))
    tolerance = 2e-4 if dtype == torch.float32 else 1e-9
    np.testing.assert_allclose(
        got.numpy(), lfilter(b, a, audio.double().numpy()), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("samples", [1, 6, 100])
def test_gradients(samples):
    check_gradients(kernel, arguments(2, 2, samples), second=samples < 10)


def test_gradients_of_frames():
    values = (
        noise(2, 2, 100),
        between(100, 3500, 2, 1, 4),
        between(0.5, 4, 4, seed=1),
        noise(4, seed=2),
        noise(2, 2, 4, seed=3),
        noise(2, 1, 4, seed=4),
        noise(2, 2, 2, seed=5),
    )
    check_gradients(framed(kernel, 30), values, second=False)
    check_both_ways_agree(framed(kernel, 30), values)


def test_no_gradient_beyond_the_limits_of_the_cutoff():
    for way in (kernel, lambda *given: without(kernel, *given)):
        cutoff = torch.tensor([-5.0, 4000.0, 9000.0], dtype=torch.float64)[:, None, None].requires_grad_()
        made, _ = way(noise(3, 1, 50), cutoff, 1.0, 1.0, 0.5, 0.0)
        (gradient,) = torch.autograd.grad(made.square().sum(), cutoff)
        assert not gradient.any()


def without(function, *given):
    with without_compiled_code():
        return function(*given)


@pytest.mark.parametrize("samples", [1, 256, 257, 700])
def test_compiled_code_and_pytorch_agree(samples):
    check_both_ways_agree(kernel, arguments(5, 2, samples))


@settings(max_examples=examples(25), deadline=None)
@given(cuts=st.lists(st.integers(2, 300), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(cuts):
    audio, *controls, state = arguments(2, 2, sum(cuts))
    check_blocks_equal_the_whole(kernel, audio, controls, state, cuts)


def test_equal_shares_leave_the_signal_as_it_is():
    audio, cutoff, q, *_, state = arguments(3, 2, 700)
    made, _ = kernel(audio, cutoff, q, 1.0, 1.0, 1.0, state)
    torch.testing.assert_close(made, audio)


def test_a_sweep_over_the_whole_range_in_10_ms_stays_bounded():
    rate, samples = 44100, 44100
    phase = torch.arange(samples, dtype=torch.float64) / 441
    cutoff = (20 * 1000 ** (1 - (2 * (phase % 1) - 1).abs())).float()
    made, _ = svf(noise(4, 1, samples, dtype=torch.float32), cutoff, 20.0, 1.0, 0.0, 0.0, sample_rate=rate)
    assert made.isfinite().all()
    assert made.abs().max() < 50


def test_low_cutoffs_stay_where_they_are_in_single_precision():
    audio = noise(1, 1, 44100)
    want, _ = svf(audio, 20.0, 5.0, 0.0, 1.0, 0.0, sample_rate=44100)
    got, _ = svf(audio.float(), 20.0, 5.0, 0.0, 1.0, 0.0, sample_rate=44100)
    assert (got - want).norm() / want.norm() < 1e-5


def test_silence_and_small_numbers():
    check_silence_and_small_numbers(kernel, 100.0, 5.0, 1.0, 1.0, 0.0)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_sample_rate_that_is_none_is_refused(rate):
    with pytest.raises(DJGraphError, match="sample_rate"):
        svf(torch.zeros(1, 1, 4), 100.0, 1.0, 1.0, 0.0, 0.0, sample_rate=rate)


@pytest.mark.parametrize("mix", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 3, 1), (0.5, -1, 2)])
def test_the_frequency_response_is_that_of_scipys_transform(mix):
    low, band, high = mix
    at = torch.linspace(0, RATE / 2, 257, dtype=torch.float64)
    cutoff = torch.tensor([20.0, 1000.0, 3900.0], dtype=torch.float64)[:, None]
    got = svf_response(at, cutoff, 2.0, low, band, high, sample_rate=RATE)
    for row, f in zip(got, cutoff.flatten().tolist()):
        w = 2 * RATE * math.tan(math.pi * f / RATE)
        b, a = bilinear([high, band * w / 2, low * w * w], [1, w / 2, w * w], RATE)
        _, want = freqz(b, a, at.numpy() * 2 * math.pi / RATE)
        np.testing.assert_allclose(row.numpy(), want, rtol=1e-7, atol=1e-9)
