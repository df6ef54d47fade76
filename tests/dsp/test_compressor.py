"""The compressor's recursion against a loop over samples, its two ways, blocks, and finite differences."""

import functools
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
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import compress

RATE = 8000.0
kernel = functools.partial(compress, sample_rate=RATE)
RANGES = ((-40, -5), (1, 20), (0, 24), (0.05, 5), (0.5, 100), (-12, 12), (0, 1))


def arguments(batch, channels, samples, seed=0, points=None):
    """audio, power, threshold, ratio, knee, attack, release, makeup, mix, state."""
    points = points or samples
    controls = (
        between(low, high, batch, 1, 1 if number == 4 else points, seed=seed + 1 + number)
        for number, (low, high) in enumerate(RANGES)
    )
    return (
        0.3 * noise(batch, channels, samples, seed=seed),
        between(1e-4, 1, batch, 1, points, seed=seed + 10) ** 2,
        *controls,
        noise(batch, channels, 1, seed=seed + 12).abs(),
    )


def sample_loop(audio, power, *rest):
    """From the formulas, a sample at a time."""
    *controls, state = rest
    x = audio.numpy()
    values = [np.broadcast_to(one.numpy(), x.shape) for one in (power, *controls)]
    out, y = np.empty_like(x), state.numpy()[..., 0]
    for n in range(x.shape[-1]):
        p, threshold, ratio, knee, attack, release, makeup, mix = (one[..., n] for one in values)
        over, width = 10 * np.log10(np.maximum(p, 1e-12)) - threshold, knee + 1e-3
        bent = np.where(
            2 * over < -width, 0, np.where(2 * over > width, over, (over + width / 2) ** 2 / (2 * width))
        )
        alpha = np.exp(-1000 / (RATE * np.where(bent > y, attack, release)))
        y = alpha * y + (1 - alpha) * bent
        gain = 10 ** ((makeup - y * (1 - 1 / ratio)) / 20)
        out[..., n] = (1 - mix) * x[..., n] + mix * x[..., n] * gain
    return out, y[..., None]


@settings(max_examples=examples(30), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(1, 600),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, channels, samples, compiled, seed):
    given_tensors = arguments(batch, channels, samples, seed)
    check_equals_a_loop(kernel, sample_loop, given_tensors, compiled)


def test_in_single_precision_it_is_the_same_to_rounding():
    given_tensors = arguments(3, 2, 3000)
    want = kernel(*given_tensors)
    got = kernel(*(tensor.float() for tensor in given_tensors))
    for single, double in zip(got, want):
        torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
def test_without_a_ratio_it_is_the_signal(mix):
    audio = noise(2, 2, 300, dtype=torch.float32)
    out, state = kernel(audio, audio.square(), -40.0, 1.0, 6.0, 1.0, 10.0, 0.0, mix)
    assert torch.equal(out, audio)
    assert (state > 0).all()


def test_a_level_at_rest_is_turned_down_by_the_static_curve():
    level, threshold, ratio = -6.0, -26.0, 4.0
    audio = torch.full((1, 1, 4000), 10 ** (level / 20), dtype=torch.float64)
    out, _ = kernel(audio, audio.square(), threshold, ratio, 0.0, 1.0, 10.0)
    assert 20 * math.log10(out[0, 0, -1]) == pytest.approx(threshold + (level - threshold) / ratio, abs=1e-3)


@pytest.mark.parametrize("samples", [1, 5, 60])
def test_gradients(samples):
    check_gradients(kernel, arguments(2, 2, samples), second=samples == 5)


def test_gradients_of_frames():
    check_gradients(framed(kernel, 20), arguments(2, 1, 50, points=4), second=False)


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 700])
def test_both_ways_agree(samples):
    check_both_ways_agree(kernel, arguments(3, 2, samples))


@settings(max_examples=examples(20), deadline=None)
@given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=4), seed=st.integers(0, 100))
def test_blocks_equal_the_whole(cuts, seed):
    audio, *controls, state = arguments(2, 2, sum(cuts), seed)
    check_blocks_equal_the_whole(kernel, audio, controls, state, cuts)


def test_silence_and_small_numbers():
    check_silence_and_small_numbers(kernel, 0.0, -20.0, 4.0, 6.0, 1.0, 10.0)


def test_a_power_of_nothing_has_a_gradient_of_nothing():
    power = torch.zeros(1, 1, 300, requires_grad=True)
    out, _ = kernel(torch.ones(1, 1, 300), power, -200.0, 4.0, 6.0, 1.0, 10.0)
    out.sum().backward()
    assert torch.equal(power.grad, torch.zeros_like(power))
