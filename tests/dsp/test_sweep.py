"""Sweeps against a loop over samples, two bands with the same cutoff and weights, and finite differences."""

import functools

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
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import sweep, two_bands
from djgraph.errors import DJGraphError

RATE = 44100.0
LOWEST, HIGHEST, FADE = 30.0, 18000.0, 0.2
ORDERS = pytest.mark.parametrize("order", [2, 4])
KEEPS = pytest.mark.parametrize("keeps", ["low", "high"])
FIT = {2: (1.0199856, (1.0, -0.44169657)), 4: (0.99603662, (1.0, -0.61822182, -0.12143678))}
"""Of the fit level^order·P(u): level^order, and the coefficients of P."""


def kernel(order, keeps):
    return functools.partial(
        sweep, keeps=keeps, lowest=LOWEST, highest=HIGHEST, fade=FADE, order=order, sample_rate=RATE
    )


def arguments(order, batch, channels, samples, seed=0, lanes_differ=True):
    """audio, knob, state."""
    return (
        noise(batch, channels, samples, seed=seed),
        between(0, 1, batch, channels if lanes_differ else 1, samples, seed=seed + 1),
        noise(batch, channels, order, seed=seed + 2),
    )


def cutoff_and_left(keeps, knob):
    away = (1 - knob if keeps == "low" else knob) / FADE
    return LOWEST * (HIGHEST / LOWEST) ** knob, (1 - np.minimum(away, 1)) ** 2


def sample_loop(order, keeps, audio, knob, state):
    """Each sample by solving the trapezoidal rule's equations for both integrators of each filter."""
    level, fit = FIT[order]
    half = order // 2
    audio, state = audio.numpy(), state.numpy().copy()
    cutoff, left = cutoff_and_left(keeps, np.broadcast_to(knob.numpy(), audio.shape))
    made = np.empty_like(audio)
    for row in np.ndindex(audio.shape[:-1]):
        for n in range(audio.shape[-1]):
            h_power = level * (np.pi * cutoff[(*row, n)] / RATE) ** order
            grown = 1 + sum(fit) * h_power  # the denominator at half the sample rate, over the numerator
            g = (h_power / grown) ** (1 / order)
            k = 2.0 if order == 2 else np.sqrt(2 + (2 + fit[1]) * g**2)
            x = audio[(*row, n)]
            outputs = []
            for place in range(0, order, 2):
                s1, s2 = state[(*row, slice(place, place + 2))]
                v1, v2 = np.linalg.solve([[1 + g * k, g], [-g, 1]], [s1 + g * x, s2])
                state[(*row, slice(place, place + 2))] = 2 * v1 - s1, 2 * v2 - s2
                outputs.append((x, v1, v2))
                x = x - k * v1 - v2
            high = (-1) ** half * x / grown
            first, v1, v2 = outputs[0]
            # The sum of both bands is the first filter's all-pass.
            whole = first - 2 * k * v1 if order == 4 else 2 * v1 + 2 * v2 - first
            weights = (1.0, left[(*row, n)]) if keeps == "low" else (left[(*row, n)], 1.0)
            made[(*row, n)] = weights[0] * (whole - high) + weights[1] * high
    return made, state


@ORDERS
@KEEPS
@pytest.mark.parametrize("compiled", [True, False])
def test_equals_a_loop(order, keeps, compiled):
    check_equals_a_loop(
        kernel(order, keeps),
        functools.partial(sample_loop, order, keeps),
        arguments(order, 2, 2, 60),
        compiled,
        tolerance=1e-9,
    )


@ORDERS
@KEEPS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("samples", [0, 1, 255, 257, 5000])
def test_is_two_bands_of_that_cutoff(order, keeps, dtype, samples):
    """Eight items of two channels, each with a knob of its own; the ends of knob and fade are reached."""
    audio = noise(8, 2, samples).to(dtype)
    knob = between(-0.1, 1.1, 8, 1, samples).clamp(0, 1)
    cutoff, left = (torch.as_tensor(made).to(dtype) for made in cutoff_and_left(keeps, knob.numpy()))
    weights = (1.0, left) if keeps == "low" else (left, 1.0)
    want, last = two_bands(audio, cutoff, *weights, order=order, sample_rate=RATE)
    got, state = kernel(order, keeps)(audio, knob.to(dtype))
    tolerance = 1e-11 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(state, last, rtol=tolerance, atol=tolerance)


@ORDERS
@KEEPS
def test_a_knob_that_rests_now_and_then(order, keeps):
    """What rests is computed once for each stretch: the same numbers as one that has always been at rest, or moves."""
    audio, knob, state = noise(3, 2, 1200), between(0, 1, 3, 1, 1200), noise(3, 2, order)
    knob[..., 100:900] = knob[..., 100:101]
    knob[1] = 0.25
    given = [tensor.requires_grad_() for tensor in (audio, knob, state)]
    made, last = kernel(order, keeps)(*given)
    check_both_ways_agree(kernel(order, keeps), given)
    alone, other = kernel(order, keeps)(audio[1], 0.25, state[1])
    torch.testing.assert_close(made[1], alone, rtol=0, atol=0)
    torch.testing.assert_close(last[1], other, rtol=0, atol=0)


@ORDERS
@KEEPS
def test_wide_open_it_is_an_all_pass(order, keeps):
    impulse = torch.zeros(1, 1, 2**16, dtype=torch.float64)
    impulse[..., 0] = 1
    made, _ = kernel(order, keeps)(impulse, 1.0 if keeps == "low" else 0.0)
    gain = torch.fft.rfft(made[0, 0]).abs()
    torch.testing.assert_close(gain, torch.ones_like(gain))


@ORDERS
@KEEPS
@pytest.mark.parametrize("samples", [1, 100])
def test_gradients(order, keeps, samples):
    check_gradients(kernel(order, keeps), arguments(order, 2, 2, samples), second=samples == 1)


@ORDERS
def test_gradients_of_frames(order):
    values = (noise(2, 2, 100), between(0, 1, 2, 1, 4), noise(2, 2, order))
    check_gradients(framed(kernel(order, "low"), 30), values, second=False)


@ORDERS
@KEEPS
@settings(max_examples=examples(20), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(1, 600),
    seed=st.integers(0, 1000),
    lanes_differ=st.booleans(),
)
def test_compiled_code_and_pytorch_agree(order, keeps, batch, channels, samples, seed, lanes_differ):
    check_both_ways_agree(
        kernel(order, keeps), arguments(order, batch, channels, samples, seed, lanes_differ)
    )


@ORDERS
@settings(max_examples=examples(20), deadline=None)
@given(cuts=st.lists(st.integers(2, 300), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(order, cuts):
    audio, *controls, state = arguments(order, 2, 2, sum(cuts))
    check_blocks_equal_the_whole(kernel(order, "high"), audio, controls, state, cuts)


@ORDERS
def test_silence_and_small_numbers(order):
    check_silence_and_small_numbers(kernel(order, "low"), 0.3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"keeps": "mid"}, "'low' or 'high', not 'mid'"),
        ({"order": 3}, "order 2 or 4, not 3"),
        ({"lowest": 0.0}, "above 0"),
        ({"highest": float("inf")}, "above 0"),
        ({"fade": 0.0}, "fade above 0"),
    ],
)
def test_what_it_does_not_take(change, said):
    with pytest.raises(DJGraphError, match=said):
        kernel(4, "low")(torch.zeros(1, 1, 4), 0.5, **change)
