"""The limiter's kernel against a loop over samples, its two ways, blocks, and finite differences."""

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
    without_compiled_code,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import limit, limit_states
from djgraph.errors import DJGraphError

RATE = 8000.0


def kernel(ahead, hold=1):
    return functools.partial(limit, ahead=ahead, hold=hold, sample_rate=RATE)


def arguments(batch, channels, samples, ahead, hold=1, seed=0, points=None):
    """audio, peak, ceiling, release, mix, and a state of samples that came before; no peak is below its sample."""
    audio = noise(batch, channels, samples, seed=seed) * (0.02 if points else 1)
    points = points or samples
    peak = between(1, 2, batch, 1, points, seed=seed + 5) * noise(batch, 1, points, seed=seed + 6).sign()
    if points == samples:
        peak = peak * audio.abs().amax(1, keepdim=True)
    controls = (
        between(-20, 0, batch, 1, points, seed=seed + 1),
        between(1, 60, batch, 1, 1, seed=seed + 2),
        between(0, 1, batch, 1, points, seed=seed + 3),
    )
    state = between(0.1, 0.9, batch, channels, limit_states(ahead, hold), seed=seed + 4)
    held = 2 * ahead + hold - 1
    state[..., :held] *= 8  # dB
    state[..., held : held + ahead] *= 0.1  # audio
    state[..., -1] *= 8
    return audio, peak, *controls, state


def sample_loop(ahead, hold):
    first = ahead // 2 + 1
    second = ahead + 2 - first

    def run(audio, *rest):
        *controls, state = (one.numpy() for one in rest)
        x = audio.numpy()
        peak, ceiling, release, mix = (np.broadcast_to(one, x.shape) for one in controls)
        ends = np.cumsum((ahead + hold - 1, first - 1, second - 1, ahead, ahead, ahead, 1))
        lines = [list(np.moveaxis(one, -1, 0)) for one in np.split(state, ends[:-1], axis=-1)]
        needed, let_go, means, late, low, share, gone = lines
        gone, out = gone[0], np.empty_like(x)
        for n in range(x.shape[-1]):
            c = 10 ** (ceiling[..., n] / 20)
            needed.append(20 * np.log10(np.maximum(np.abs(peak[..., n]), c) / c))
            held = np.max(needed[-ahead - hold :], axis=0)
            alpha = np.exp(-1000 / (RATE * release[..., n]))
            gone = np.where(held > gone, held, alpha * gone + (1 - alpha) * held)
            let_go.append(gone)
            means.append(np.mean(let_go[-first:], axis=0))
            smooth = np.mean(means[-second:], axis=0)
            late.append(x[..., n])
            low.append(c)
            share.append(mix[..., n])
            out[..., n] = late[n] * 10 ** (-share[n] * smooth / 20)
        kept = [line[len(line) - room :] for line, room in
                zip((needed, let_go, means, late, low, share, [gone]), np.diff(ends, prepend=0))]  # fmt: skip
        return out, np.stack([row for line in kept for row in line], axis=-1)

    return run


@settings(max_examples=examples(40), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 2),
    samples=st.integers(1, 600),
    ahead=st.integers(0, 40),
    hold=st.integers(1, 3),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, channels, samples, ahead, hold, compiled, seed):
    given_tensors = arguments(batch, channels, samples, ahead, hold, seed)
    check_equals_a_loop(kernel(ahead, hold), sample_loop(ahead, hold), given_tensors, compiled)


def test_a_look_ahead_longer_than_a_tile():
    given_tensors = arguments(2, 1, 1500, 700)
    check_equals_a_loop(kernel(700), sample_loop(700, 1), given_tensors, compiled=True)


def test_in_single_precision_it_is_the_same_to_rounding():
    given_tensors = arguments(3, 2, 3000, 40)
    want = kernel(40)(*given_tensors)
    got = kernel(40)(*(tensor.float() for tensor in given_tensors))
    for single, double in zip(got, want):
        torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("ahead", [0, 5])
def test_no_samples(ahead, compiled):
    audio, *_, state = arguments(2, 2, 1, ahead)

    def run():
        return kernel(ahead)(audio[..., :0], 0.5, -6.0, 10.0, 1.0, state)

    if compiled:
        out, last = run()
    else:
        with without_compiled_code():
            out, last = run()
    assert out.shape == (2, 2, 0)
    assert torch.equal(last, state)


@pytest.mark.parametrize("ahead", [0, 1, 4])
@pytest.mark.parametrize("samples", [1, 3, 30])
def test_gradients(samples, ahead):
    check_gradients(kernel(ahead), arguments(2, 2, samples, ahead, seed=3), second=samples == 3)


def test_gradients_where_a_peak_counts_twice():
    check_gradients(kernel(3, 2), arguments(2, 1, 20, 3, 2, seed=3), second=False)


def test_gradients_of_frames():
    check_gradients(framed(kernel(4), 10), arguments(2, 1, 35, 4, points=5, seed=3), second=False)


@pytest.mark.parametrize("ahead", [0, 50])
def test_gradients_over_several_segments(ahead):
    """The backward pass records 8192 samples at a time."""
    check_both_ways_agree(kernel(ahead), arguments(1, 2, 8192 * 2 + 300, ahead))


@pytest.mark.parametrize("ahead", [0, 7, 300])
@pytest.mark.parametrize("samples", [1, 255, 256, 257, 700])
def test_both_ways_agree(samples, ahead):
    check_both_ways_agree(kernel(ahead), arguments(3, 2, samples, ahead))


@settings(max_examples=examples(20), deadline=None)
@given(
    cuts=st.lists(st.integers(1, 300), min_size=1, max_size=4),
    ahead=st.integers(0, 60),
    seed=st.integers(0, 100),
)
def test_blocks_equal_the_whole(cuts, ahead, seed):
    audio, *controls, state = arguments(2, 2, sum(cuts), ahead, seed=seed)
    check_blocks_equal_the_whole(kernel(ahead), audio, controls, state, cuts)


def test_silence_and_small_numbers():
    check_silence_and_small_numbers(
        lambda audio: (limit(audio, audio, -6.0, 10.0, ahead=0, sample_rate=RATE)[0],)
    )


def test_nothing_is_left_of_a_release():
    """Not a number too small to be normal, which is slow."""
    audio = torch.zeros(1, 20000)
    audio[..., 0] = 2.0
    _, state = limit(audio, audio, -6.0, 1.0, ahead=20, sample_rate=RATE)
    assert not state[..., :41].any()


@pytest.mark.parametrize("wrong", [{"ahead": -1}, {"ahead": 2.5}, {"hold": 0}])
def test_what_does_not_fit_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(DJGraphError, match=f"{name} has to be a whole number"):
        limit(torch.zeros(9), 0.0, -6.0, 10.0, **({"ahead": 1, "sample_rate": RATE} | wrong))
