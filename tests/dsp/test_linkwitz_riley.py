"""Crossovers against Butterworth filters of SciPy's in second-order sections, their own sum, and finite differences."""

import functools

import numpy as np
import pytest
import torch
from dsp_recursions import (
    between,
    check_blocks_equal_the_whole,
    check_both_ways_agree,
    check_gradients,
    check_silence_and_small_numbers,
    framed,
    noise,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, lfilter

from djgraph.dsp import linkwitz_riley, svf
from djgraph.errors import DJGraphError

RATE = 8000.0
ORDERS = pytest.mark.parametrize("order", [2, 4])


def kernel(order):
    return functools.partial(linkwitz_riley, order=order, sample_rate=RATE)


def arguments(order, batch, channels, samples, seed=0):
    """audio, cutoff, state."""
    return (
        noise(batch, channels, samples, seed=seed),
        between(20, 3800, batch, 1, samples, seed=seed + 1),
        noise(batch, channels, order, seed=seed + 2),
    )


@ORDERS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cutoff", [30.0, 1000.0, 3700.0])
def test_bands_are_butterworth_filters_twice(order, dtype, cutoff):
    audio = noise(3, 2, 3000, dtype=dtype)
    low, high, _ = kernel(order)(audio, cutoff)
    for band, kind in ((low, "low"), (high, "high")):
        b, a = butter(order // 2, cutoff, kind, fs=RATE)
        want = lfilter(b, a, lfilter(b, a, audio.double().numpy()))
        want = -want if kind == "high" and order == 2 else want
        tolerance = 1e-4 if dtype == torch.float32 else 1e-8
        np.testing.assert_allclose(band.numpy(), want, rtol=tolerance, atol=tolerance)


@ORDERS
def test_bands_add_up_to_an_all_pass_also_while_the_cutoff_moves(order):
    audio, cutoff, _ = arguments(order, 2, 2, 1000)
    low, high, _ = kernel(order)(audio, cutoff)
    if order == 4:
        want, _ = svf(audio, cutoff, 0.5**0.5, 1.0, -1.0, 1.0, sample_rate=RATE)
    else:
        want, _ = svf(audio, cutoff, 0.5, 1.0, 0.0, -1.0, sample_rate=RATE)
    torch.testing.assert_close(low + high, want)
    impulse = torch.zeros(1, 1, 16384, dtype=torch.float64)
    impulse[..., 0] = 1
    low, high, _ = kernel(order)(impulse, 700.0)
    magnitude = torch.fft.rfft(low + high).abs()
    torch.testing.assert_close(magnitude, torch.ones_like(magnitude))


@ORDERS
def test_the_low_band_of_a_moving_cutoff_is_state_variable_filters(order):
    audio, cutoff, _ = arguments(order, 3, 1, 500)
    low, _, _ = kernel(order)(audio, cutoff)
    want, q = audio, 0.5 if order == 2 else 0.5**0.5
    for _ in range(order // 2):
        want, _ = svf(want, cutoff, q, 1.0, 0.0, 0.0, sample_rate=RATE)
    torch.testing.assert_close(low, want)


@ORDERS
@pytest.mark.parametrize("samples", [1, 6, 100])
def test_gradients(order, samples):
    check_gradients(kernel(order), arguments(order, 2, 2, samples), second=samples == 1)


@ORDERS
def test_gradients_of_frames(order):
    values = (noise(2, 2, 100), between(100, 3500, 2, 1, 4), noise(2, 2, order))
    check_gradients(framed(kernel(order), 30), values, second=False)


@ORDERS
@settings(max_examples=examples(30), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(1, 600),
    seed=st.integers(0, 1000),
)
def test_compiled_code_and_pytorch_agree(order, batch, channels, samples, seed):
    check_both_ways_agree(kernel(order), arguments(order, batch, channels, samples, seed))


@ORDERS
@settings(max_examples=examples(20), deadline=None)
@given(cuts=st.lists(st.integers(2, 300), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(order, cuts):
    audio, cutoff, state = arguments(order, 2, 2, sum(cuts))
    check_blocks_equal_the_whole(kernel(order), audio, [cutoff], state, cuts)


@ORDERS
def test_silence_and_small_numbers(order):
    check_silence_and_small_numbers(kernel(order), 100.0)


def test_other_orders_are_refused():
    with pytest.raises(DJGraphError, match="order 2 or 4"):
        linkwitz_riley(torch.zeros(1, 1, 4), 100.0, order=3, sample_rate=RATE)
