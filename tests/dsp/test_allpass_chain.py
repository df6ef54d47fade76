"""Chains of all-passes: against a loop over samples, first_order, SciPy, finite differences."""

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
    noise,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import Frames, allpass_chain, first_order
from djgraph.errors import DJGraphError


def kernel(stages):
    return lambda audio, a, mix, state: allpass_chain(audio, a, state, stages=stages, mix=mix)


def arguments(batch, channels, samples, stages, seed=0):
    return (
        noise(batch, channels, samples, seed=seed),
        between(-0.95, 0.95, batch, 1, samples, seed=seed + 1),
        between(0, 1, 1, channels, 1, seed=seed + 2),
        noise(batch, channels, stages + 1, seed=seed + 3),
    )


def sample_loop(audio, a, mix, state):
    """Each stage over all samples, in the order of its difference equation."""
    x = audio.numpy()
    a, share = (np.broadcast_to(one.numpy(), x.shape) for one in (a, mix))
    after, made = state.numpy().copy(), np.empty_like(x)
    for place in np.ndindex(x.shape[:-1]):
        signal, last = x[place], after[place]
        for stage in range(len(last) - 1):
            out, came, went = np.empty_like(signal), last[stage], last[stage + 1]
            for n, now in enumerate(signal):
                went = a[place][n] * now + came - a[place][n] * went
                came, out[n] = now, went
            last[stage] = came
            signal = out
        if len(signal):
            last[-1] = signal[-1]
        made[place] = (1 - share[place]) * x[place] + share[place] * signal
    return made, after


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


@pytest.mark.parametrize("stages", [1, 4, 12])
def test_at_rest_it_is_the_filter(stages):
    a, audio = -0.6, noise(600)
    top, bottom = np.ones(1), np.ones(1)
    for _ in range(stages):
        top, bottom = np.polymul(top, [a, 1]), np.polymul(bottom, [1, a])
    got, _ = allpass_chain(audio, a, stages=stages)
    want = scipy.signal.lfilter(top, bottom, audio.numpy())
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-6, atol=1e-6)


def test_a_chain_is_first_order_after_first_order():
    audio, a = noise(3, 2, 700), between(-0.99, 0.99, 3, 1, 700)
    want = audio
    for _ in range(5):
        want, _ = first_order(want, a, 1.0, a)
    torch.testing.assert_close(allpass_chain(audio, a, stages=5)[0], want, rtol=1e-9, atol=1e-9)
    single, _ = allpass_chain(audio.float(), a, stages=5)
    torch.testing.assert_close(single, want.float(), rtol=0, atol=1e-6)


def test_frames_are_straight_lines():
    audio, a, mix = noise(2, 2, 95), between(-0.9, 0.9, 2, 1, 10), between(0, 1, 2, 1, 10, seed=1)
    got, _ = allpass_chain(audio, Frames(a, 10), stages=3, mix=Frames(mix, 10))
    at = np.arange(95)
    curves = [torch.from_numpy(np.interp(at, np.arange(10) * 10, one[1, 0].numpy())) for one in (a, mix)]
    want, _ = allpass_chain(audio[1], curves[0], stages=3, mix=curves[1])
    torch.testing.assert_close(got[1], want)


@pytest.mark.parametrize("samples", [1, 6, 12])
def test_gradients(samples):
    check_gradients(kernel(3), arguments(2, 2, samples, 3), second=samples == 6)


def test_gradients_of_constants():
    audio, *_, state = arguments(2, 2, 15, 4)
    constants = [torch.tensor([value], dtype=torch.float64) for value in (-0.7, 0.8)]
    check_gradients(kernel(4), (audio, *constants, state), second=False)


@pytest.mark.parametrize("samples", [1, 256, 600])
def test_compiled_code_and_pytorch_agree(samples):
    check_both_ways_agree(kernel(4), arguments(2, 2, samples, 4))


@settings(max_examples=examples(15), deadline=None)
@given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_blocks_equal_the_whole(cuts, seed):
    audio, a, mix, state = arguments(2, 2, sum(cuts), 4, seed)
    check_blocks_equal_the_whole(kernel(4), audio, (a, mix), state, cuts)


def test_what_is_not_mixed_in_changes_no_bit():
    audio = noise(2, 2, 300, dtype=torch.float32)
    assert torch.equal(allpass_chain(audio, -0.5, stages=4, mix=0.0)[0], audio)


def test_silence_stays_silence_and_a_tail_ends_in_it():
    check_silence_and_small_numbers(lambda audio: allpass_chain(audio, -0.5, stages=4, mix=0.5))
    audio = torch.zeros(1, 20000)
    audio[..., 0] = 1e-3
    out, state = allpass_chain(audio, -0.9, stages=4)
    assert out.any()
    assert not state.any()


def test_compiled_programs():
    check_compiled_programs(kernel(3), arguments(2, 2, 12, 3))


def test_what_does_not_fit_is_refused():
    audio, a, mix, state = arguments(2, 2, 12, 3)
    for wrong, stages in (
        ((audio, a[..., :5], mix, state), 3),
        ((audio, a, mix, state), 4),
        ((audio, a, mix, state.float()), 3),
        ((audio, a, mix, state), 0),
        ((audio.long(), a, mix, state), 3),
    ):
        with pytest.raises(DJGraphError, match="allpass_chain"):
            kernel(stages)(*wrong)
