"""All-passes in a loop without delay: against a loop over samples, SciPy, energy, finite differences."""

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
    noise,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import allpass_loop
from djgraph.errors import DJGraphError


def kernel(stages):
    return lambda audio, a, feedback, state: allpass_loop(audio, a, feedback, state, stages=stages)


def arguments(batch, channels, samples, stages, seed=0):
    return (
        noise(batch, channels, samples, seed=seed),
        between(-0.95, 0.95, batch, 1, samples, seed=seed + 1),
        between(-0.95, 0.95, batch, channels, samples, seed=seed + 2),
        noise(batch, channels, stages, seed=seed + 3),
    )


def sample_loop(audio, a, feedback, state):
    """The equation is solved by trying 0 and 1: what comes out is linear in what is fed back."""
    x, states = audio.numpy(), state.numpy().copy()
    a, f = (np.broadcast_to(one.numpy(), x.shape) for one in (a, feedback))
    made = np.empty_like(x)
    for place in np.ndindex(x.shape[:-1]):
        s = states[place]
        for n in range(x.shape[-1]):
            an, cn = a[place][n], np.sqrt(1 - a[place][n] ** 2)

            def chain(u, s=s, an=an, cn=cn):
                after = []
                for one in s:
                    u, last = an * u + cn * one, cn * u - an * one
                    after.append(last)
                return u, after

            without, slope = chain(x[place][n])[0], chain(1.0)[0] - chain(0.0)[0]
            y = without / (1 - f[place][n] * slope)
            made[place][n], s = chain(x[place][n] + f[place][n] * y)
        states[place] = s
    return made, states


@settings(max_examples=examples(30), deadline=None)
@given(
    channels=st.integers(1, 3),
    samples=st.integers(0, 40),
    stages=st.integers(1, 6),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(channels, samples, stages, compiled, seed):
    check_equals_a_loop(
        kernel(stages), sample_loop, arguments(2, channels, samples, stages, seed), compiled, 1e-9
    )


@pytest.mark.parametrize("feedback", [-0.9, 0.0, 0.9])
@pytest.mark.parametrize("stages", [1, 4, 12])
def test_at_rest_it_is_the_filter(stages, feedback):
    """A/(1 − f·A), by SciPy: numerator a + z⁻¹ to the power of the stages, denominator 1 + a·z⁻¹ likewise."""
    a, audio = -0.6, noise(600)
    top, bottom = np.ones(1), np.ones(1)
    for _ in range(stages):
        top, bottom = np.polymul(top, [a, 1]), np.polymul(bottom, [1, a])
    got, _ = allpass_loop(audio, a, feedback, stages=stages)
    want = scipy.signal.lfilter(top, bottom - feedback * top, audio.numpy())
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-6)


def test_energy_of_the_states_only_falls_however_it_moves():
    state = noise(3, 6)
    for k in range(200):
        before = state.square().sum(-1)
        a, f = between(-0.999, 0.999, 3, 1, seed=k), between(-0.999, 0.999, 3, 1, seed=1000 + k)
        _, state = allpass_loop(torch.zeros(3, 1, dtype=torch.float64), a, f, state, stages=6)
        assert (state.square().sum(-1) <= before * (1 + 1e-12)).all()


@pytest.mark.slow
@pytest.mark.parametrize("samples", [1, 6, 12])
def test_gradients(samples):
    check_gradients(kernel(3), arguments(2, 2, samples, 3), second=samples == 6)


def test_gradients_of_constants():
    audio, *_, state = arguments(2, 2, 15, 4)
    for a in (0.0, -0.7):
        constants = [torch.tensor([value], dtype=torch.float64) for value in (a, 0.8)]
        check_gradients(kernel(4), (audio, *constants, state), second=False)


@pytest.mark.parametrize("samples", [1, 256, 600])
def test_compiled_code_and_pytorch_agree(samples):
    check_both_ways_agree(kernel(4), arguments(2, 2, samples, 4))


@settings(max_examples=examples(15), deadline=None)
@given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_blocks_equal_the_whole(cuts, seed):
    audio, *controls, state = arguments(2, 2, sum(cuts), 4, seed)
    check_blocks_equal_the_whole(kernel(4), audio, controls, state, cuts)


def test_a_tail_ends_in_exact_silence():
    audio = torch.zeros(1, 20000)
    audio[..., 0] = 1e-3
    out, state = allpass_loop(audio, -0.5, 0.9, stages=4)
    assert out.any()
    assert not state.any()


def test_compiled_programs():
    check_compiled_programs(kernel(3), arguments(2, 2, 12, 3))


def test_what_does_not_fit_is_refused():
    audio, a, feedback, state = arguments(2, 2, 12, 3)
    for wrong, stages in (
        ((audio, a[..., :5], feedback, state), 3),
        ((audio, a, feedback, state), 4),
        ((audio, a, feedback, state.float()), 3),
        ((audio, a, feedback, state), 0),
        ((audio.long(), a, feedback, state), 3),
    ):
        with pytest.raises(DJGraphError, match="allpass_loop"):
            allpass_loop(*wrong, stages=stages)
