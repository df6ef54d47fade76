"""The recursion of two states: against a loop over samples, SciPy, a rotation, and finite differences."""

import math

import numpy as np
import pytest
import scipy.signal
import torch
from dsp_recursions import (
    between,
    check_blocks_equal_the_whole,
    check_both_ways_agree,
    check_compiled_programs,
    check_equals_a_loop,
    check_gradients,
    check_silence_and_small_numbers,
    drawn,
    noise,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import Frames, matrix_recursion, svf
from djgraph.errors import DJGraphError


def kernel(drive, a, b, c, d, state):
    return matrix_recursion(drive, ((a, b), (c, d)), state)


def arguments(batch, channels, samples, seed=0):
    return (
        noise(batch, channels, 2, samples, seed=seed),
        *(between(-0.6, 0.6, batch, 1, samples, seed=seed + k) for k in range(1, 5)),
        noise(batch, channels, 2, seed=seed + 5),
    )


def sample_loop(drive, a, b, c, d, state):
    u, s = drive.numpy(), state.numpy()
    matrix = np.moveaxis(np.array([[a.numpy(), b.numpy()], [c.numpy(), d.numpy()]]), (0, 1), (-3, -2))
    made = np.empty_like(u)
    for n in range(u.shape[-1]):
        s = (matrix[..., n] @ s[..., None])[..., 0] + u[..., n]
        made[..., n] = s
    return made, s


@settings(max_examples=examples(30), deadline=None)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 9),
    samples=st.integers(0, 600),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, channels, samples, compiled, seed):
    given_tensors = arguments(batch, channels, samples, seed)
    check_equals_a_loop(kernel, sample_loop, given_tensors, compiled)


def test_a_filter_of_second_order_is_one():
    """In the controllable form of its transfer function, against SciPy."""
    b, a = scipy.signal.butter(2, 0.1)
    x = noise(3, 500)
    drive = torch.stack((x, torch.zeros_like(x)), dim=-2)
    states, _ = matrix_recursion(drive, ((-a[1], -a[2]), (1.0, 0.0)))
    s1, s2 = states.unbind(-2)
    s3 = torch.nn.functional.pad(s2, (1, 0))[..., :-1]
    np.testing.assert_allclose(
        (b[0] * s1 + b[1] * s2 + b[2] * s3).numpy(), scipy.signal.lfilter(b, a, x.numpy()), atol=1e-12
    )


def test_a_rotation_is_an_oscillator():
    angle = 0.3
    c, s = math.cos(angle), math.sin(angle)
    states, last = matrix_recursion(
        torch.zeros(2, 1000, dtype=torch.float64), ((c, -s), (s, c)), torch.tensor([1.0, 0.0]).double()
    )
    phase = angle * torch.arange(1, 1001, dtype=torch.float64)
    torch.testing.assert_close(states, torch.stack((phase.cos(), phase.sin())), rtol=0, atol=1e-12)
    torch.testing.assert_close(last, states[:, -1])


@pytest.mark.parametrize("samples", [1, 7, 300])
def test_gradients(samples):
    check_gradients(kernel, arguments(2, 2, samples), second=samples == 7)


def test_gradients_of_constants_and_frames():
    drive, *_, state = arguments(2, 2, 30)
    constants = [torch.tensor([value], dtype=torch.float64) for value in (0.5, -0.3, 0.2, 0.4)]
    check_gradients(kernel, (drive, *constants, state), second=False)
    frames = [between(-0.5, 0.5, 1, 1, 4, seed=k) for k in range(4)]
    check_gradients(
        lambda u, a, b, c, d, s: kernel(u, *(Frames(one, 10) for one in (a, b, c, d)), s),
        (drive, *frames, state),
        second=False,
    )
    got, _ = kernel(drive, *(Frames(one, 10) for one in frames), state)
    want, _ = sample_loop(drive, *(torch.from_numpy(drawn(one, 10, 30)) for one in frames), state)
    np.testing.assert_allclose(got.numpy(), want, atol=1e-12)


@pytest.mark.parametrize("samples", [1, 40, 700])
def test_compiled_code_and_pytorch_agree(samples):
    check_both_ways_agree(kernel, arguments(3, 3, samples))


@settings(max_examples=examples(15), deadline=None)
@given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_blocks_equal_the_whole(cuts, seed):
    drive, *entries, state = arguments(2, 2, sum(cuts), seed)
    check_blocks_equal_the_whole(kernel, drive, entries, state, cuts)


def test_matrices_that_lengthen_nothing_keep_it_bounded():
    """Rotations by any angle, at every sample another one: the energy is that of the start."""
    angle = between(-3, 3, 100000)
    c, s = angle.cos(), angle.sin()
    drive = torch.zeros(2, 100000, dtype=torch.float64)
    states, _ = matrix_recursion(drive, ((c, -s), (s, c)), torch.tensor([3.0, 4.0], dtype=torch.float64))
    torch.testing.assert_close(states.norm(dim=0), torch.full((100000,), 5.0, dtype=torch.float64))


def test_silence_and_small_numbers():
    check_silence_and_small_numbers(lambda x: kernel(torch.stack((x, x), dim=-2), 0.9, -0.1, 0.1, 0.9, None))


def test_compiled_programs():
    check_compiled_programs(kernel, arguments(2, 2, 12))


def test_what_does_not_fit_is_refused():
    drive, a, b, c, d, state = arguments(2, 2, 12)
    for wrong in (
        (drive[:, :, :1], ((a, b), (c, d)), state),
        (drive[0, 0, 0], ((a, b), (c, d))),
        (drive, ((a, b),), state),
        (drive, ((a, b), (c,)), state),
        (drive, ((a, b[..., :5]), (c, d)), state),
        (drive, ((a, b), (c, d)), state[..., :1]),
        (drive, ((a, b), (c, d)), state.float()),
        (drive.long(), ((a, b), (c, d))),
    ):
        with pytest.raises(DJGraphError, match="matrix_recursion"):
            matrix_recursion(*wrong)


def test_the_state_variable_filter_is_one():
    """By Zavalishin's equations: the states of the trapezoidal integrators."""
    cutoff, q, rate = 900.0, 2.0, 44100
    x = noise(1, 400)
    g, k = math.tan(math.pi * cutoff / rate), 1 / q
    d = 1 / (1 + g * (g + k))
    matrix = ((2 * d - 1, -2 * g * d), (2 * g * d, 1 - 2 * g * g * d))
    drive = torch.stack((2 * g * d * x, 2 * g * g * d * x), dim=-2)
    states, _ = matrix_recursion(drive, matrix)
    before = torch.nn.functional.pad(states, (1, 0))[..., :-1]
    low = g * d * before[:, 0] + d * (1 + g * k) * before[:, 1] + g * g * d * x
    want, _ = svf(x, cutoff, q, 1.0, 0.0, 0.0, sample_rate=rate)
    torch.testing.assert_close(low, want, rtol=0, atol=1e-10)
