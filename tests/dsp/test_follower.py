"""Attack and release against loops over samples, their definition by a step, and finite differences."""

import functools
import math

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
    without_compiled_code,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import follow

RATE = 8000.0
KINDS = pytest.mark.parametrize("decoupled", [False, True], ids=["branching", "decoupled"])


def kernel(decoupled):
    return functools.partial(follow, sample_rate=RATE, decoupled=decoupled)


def arguments(decoupled, batch, channels, samples, seed=0):
    """level, attack, release, state."""
    return (
        noise(batch, channels, samples, seed=seed).abs(),
        between(0.05, 5, batch, 1, samples, seed=seed + 1),
        between(0.5, 100, batch, channels, 1, seed=seed + 2),
        noise(batch, channels, 1 + decoupled, seed=seed + 3).abs(),
    )


def sample_loop(decoupled, level, attack, release, state):
    x, state = level.numpy(), state.numpy()
    alphas = (np.exp(-1000 / (RATE * np.maximum(time.numpy(), 1e-6))) for time in (attack, release))
    rise, fall = (np.broadcast_to(alpha, x.shape) for alpha in alphas)
    out = np.empty_like(x)
    p, y = state[..., 0], state[..., -1]
    for n in range(x.shape[-1]):
        xn, up, down = x[..., n], rise[..., n], fall[..., n]
        if decoupled:
            p = np.maximum(xn, down * p + (1 - down) * xn)
            y = up * y + (1 - up) * p
        else:
            alpha = np.where(xn > y, up, down)
            y = alpha * y + (1 - alpha) * xn
        out[..., n] = y
    return out, np.stack((p, y), axis=-1) if decoupled else y[..., None]


@KINDS
@settings(max_examples=examples(50), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(1, 600),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(decoupled, batch, channels, samples, compiled, seed):
    given_tensors = arguments(decoupled, batch, channels, samples, seed)
    want = sample_loop(decoupled, *given_tensors)
    if compiled:
        got = kernel(decoupled)(*given_tensors)
    else:
        with without_compiled_code():
            got = kernel(decoupled)(*given_tensors)
    for tensor, wanted in zip(got, want):
        np.testing.assert_allclose(tensor.numpy(), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("time", [1.0, 50.0, 1000.0])
def test_times_are_those_of_a_step(dtype, time):
    """63 % of the way up after the attack, and of the way down after the release."""
    rate, samples = 44000, round(44 * time)
    up, state = follow(torch.ones(1, 1, samples, dtype=dtype), time, 1e9, sample_rate=rate)
    assert up[0, 0, -1].item() == pytest.approx(1 - 1 / math.e, rel=1e-3)
    down, _ = follow(
        torch.zeros(1, 1, samples, dtype=dtype), 1e9, time, torch.ones_like(state), sample_rate=rate
    )
    assert down[0, 0, -1].item() == pytest.approx(1 / math.e, rel=1e-3)


@KINDS
def test_no_time_is_at_once(decoupled):
    level, _, _, state = arguments(decoupled, 2, 2, 100)
    got, _ = kernel(decoupled)(level, 0.0, 0.0, state)
    torch.testing.assert_close(got, level)


@KINDS
@pytest.mark.parametrize("samples", [1, 6, 100])
def test_gradients(decoupled, samples):
    check_gradients(kernel(decoupled), arguments(decoupled, 2, 2, samples), second=samples < 10)


@KINDS
def test_gradients_of_frames(decoupled):
    values = (
        noise(2, 2, 100).abs(),
        between(0.1, 5, 2, 1, 4),
        between(1, 50, 4),
        noise(2, 2, 1 + decoupled).abs(),
    )
    check_gradients(framed(kernel(decoupled), 30), values, second=False)


@KINDS
def test_a_time_of_0_has_no_gradient_and_no_nan(decoupled):
    for way in (kernel(decoupled), functools.partial(without, kernel(decoupled))):
        times = torch.zeros(2, 1, requires_grad=True)
        attack, release = times.unbind()
        made, _ = way(noise(1, 1, 100, dtype=torch.float32), attack, release)
        (gradient,) = torch.autograd.grad(made.square().sum(), times)
        assert not gradient.any()


def without(function, *given):
    with without_compiled_code():
        return function(*given)


@KINDS
@pytest.mark.parametrize("samples", [1, 256, 257, 700])
def test_compiled_code_and_pytorch_agree(decoupled, samples):
    check_both_ways_agree(kernel(decoupled), arguments(decoupled, 5, 2, samples))


@KINDS
@settings(max_examples=examples(20), deadline=None)
@given(cuts=st.lists(st.integers(2, 300), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(decoupled, cuts):
    level, *controls, state = arguments(decoupled, 2, 2, sum(cuts))
    check_blocks_equal_the_whole(kernel(decoupled), level, controls, state, cuts)


@KINDS
def test_single_precision_follows_double(decoupled):
    level = noise(3, 1, 20000).abs()
    want, _ = kernel(decoupled)(level, 1.0, 500.0)
    got, _ = kernel(decoupled)(level.float(), 1.0, 500.0)
    torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=1e-4)


@KINDS
def test_silence_and_small_numbers(decoupled):
    check_silence_and_small_numbers(kernel(decoupled), 1.0, 10.0)
