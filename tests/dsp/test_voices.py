"""Voices through delays that swing: against a loop over samples by SciPy's cubic, read_delay, finite differences."""

import math

import numpy as np
import pytest
import torch
from delayed_reads import read
from dsp_recursions import (
    between,
    check_both_ways_agree,
    check_compiled_programs,
    check_gradients,
    check_silence_and_small_numbers,
    noise,
    without_compiled_code,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import Frames, delay_history, read_delay, swinging_voices
from djgraph.errors import DJGraphError

LONGEST = 9


def arguments(batch, channels, samples, seed=0, line=False):
    """audio, cycle, delay, depth, past, mix. A line of a cycle has two numbers."""
    return (
        noise(batch, channels, samples, seed=seed),
        between(-3, 3, batch, channels, 2 if line else samples, seed=seed + 1),
        between(0, LONGEST / 2, batch, 1, samples, seed=seed + 2),
        between(0, LONGEST / 2, batch, 1, 1, seed=seed + 3),
        noise(batch, channels, delay_history(LONGEST), seed=seed + 4),
        between(0, 1, 1, channels, samples, seed=seed + 5),
    )


def kernel(voices, shape="sine", line=False):
    def run(audio, cycle, delay, depth, past, mix):
        curve = Frames(cycle, max(1, audio.shape[-1])) if line else cycle
        return swinging_voices(audio, curve, delay, depth, past, mix=mix, voices=voices, shape=shape)

    return run


def sample_loop(voices, shape, line, audio, cycle, delay, depth, past, mix):
    x, before = audio.numpy(), past.numpy()
    if line:
        rise = (cycle[..., 1:] - cycle[..., :1]) / max(1, x.shape[-1])
        cycle = cycle[..., :1] + rise * torch.arange(x.shape[-1])
    curves = [np.broadcast_to(one.numpy(), x.shape) for one in (cycle, delay, depth, mix)]
    held, out = np.concatenate((before, x), -1), np.empty_like(x)
    for place in np.ndindex(x.shape):
        turn, shortest, width, share = (one[place] for one in curves)
        n, wet = before.shape[-1] + place[-1], 0.0
        for voice in range(voices):
            phase = (turn + voice / voices) % 1
            s = min(2 * phase, 2 - 2 * phase) if shape == "triangle" else math.sin(math.pi * phase) ** 2
            wet += read(np.append(held[place[:-1]], 0.0), n - shortest - width * s, n)
        out[place] = (1 - share) * x[place] + share * wet / math.sqrt(voices)
    return out, held[..., -before.shape[-1] :]


@settings(max_examples=examples(40), deadline=None)
@given(
    channels=st.integers(1, 3),
    samples=st.integers(0, 30),
    voices=st.integers(1, 4),
    shape=st.sampled_from(["sine", "triangle"]),
    line=st.booleans(),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(channels, samples, voices, shape, line, compiled, seed):
    given_tensors = arguments(2, channels, samples, seed, line)
    want = sample_loop(voices, shape, line, *given_tensors)
    if compiled:
        got = kernel(voices, shape, line)(*given_tensors)
    else:
        with without_compiled_code():
            got = kernel(voices, shape, line)(*given_tensors)
    for tensor, wanted in zip(got, want):
        np.testing.assert_allclose(tensor.numpy(), wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_voice_at_rest_is_read_delay(dtype):
    audio, past = noise(2, 2, 700).to(dtype), noise(2, 2, 42).to(dtype)
    for delay in (0.0, 0.25, 1.0, 3.0, 17.3, 40.0, 99.0):
        got, after = swinging_voices(audio, 0.25, delay, 0.0, past)
        want, past_after = read_delay(audio, delay, past)
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)
        assert torch.equal(after, past_after)
        if delay == int(delay):
            assert torch.equal(got, want)


def test_float32_is_near_float64():
    """Long delays, and a curve at each sample of two stretches and a bit."""
    samples, past = 600, noise(1, 2, delay_history(2400))
    audio, cycle = noise(1, 2, samples), between(0, 9, 1, 2, samples)
    exact, _ = swinging_voices(audio, cycle, 1000.3, 1300.0, past, mix=0.7, voices=3)
    single, _ = swinging_voices(audio.float(), cycle, 1000.3, 1300.0, past.float(), mix=0.7, voices=3)
    torch.testing.assert_close(single, exact.float(), rtol=0, atol=2e-6)


def test_what_is_not_mixed_in_changes_no_bit():
    audio, cycle, delay, depth, past, _ = (one.float() for one in arguments(2, 2, 300))
    assert torch.equal(swinging_voices(audio, cycle, delay, depth, past, mix=0.0, voices=3)[0], audio)


@pytest.mark.parametrize("line", [False, True])
@pytest.mark.parametrize("shape", ["sine", "triangle"])
def test_gradients(shape, line):
    check_gradients(kernel(2, shape, line), arguments(2, 2, 6, line=line), second=not line)


@pytest.mark.parametrize("samples", [0, 1, 256, 600])
@pytest.mark.parametrize("line", [False, True])
def test_compiled_code_and_pytorch_agree(samples, line):
    check_both_ways_agree(kernel(3, line=line), arguments(2, 2, samples, line=line))


def test_delays_beyond_the_limits_are_held_and_have_no_gradient():
    audio, past = noise(1, 1, 4), noise(1, 1, delay_history(LONGEST))
    delay = torch.tensor([-1.0, 3.5, 20.0, math.nan], dtype=torch.float64, requires_grad=True)
    got, _ = swinging_voices(audio, 0.0, delay, 1.0, past)
    want, _ = read_delay(audio, torch.tensor([0.0, 3.5, 9.0, 0.0], dtype=torch.float64), past)
    torch.testing.assert_close(got, want)
    got.sum().backward()
    assert (delay.grad != 0).tolist() == [False, True, False, False]


@settings(max_examples=examples(15), deadline=None)
@given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_blocks_equal_the_whole(cuts, seed):
    given_tensors = [one.requires_grad_() for one in arguments(2, 2, sum(cuts), seed)]
    audio, cycle, delay, depth, past, mix = given_tensors
    whole = kernel(3)(*given_tensors)
    parts, start = [], 0
    for cut in cuts:
        here = slice(start, start + cut)
        out, past = kernel(3)(
            audio[..., here], cycle[..., here], delay[..., here], depth, past, mix[..., here]
        )
        parts.append(out)
        start += cut
    streamed = torch.cat(parts, -1), past
    weights = [noise(*one.shape, seed=seed + k) for k, one in enumerate(whole)]

    def gradients(results):
        return torch.autograd.grad(sum((r * w).sum() for r, w in zip(results, weights)), given_tensors)

    for got, want in zip((*streamed, *gradients(streamed)), (*whole, *gradients(whole))):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-10)


def test_silence_stays_silence():
    check_silence_and_small_numbers(
        lambda audio: swinging_voices(audio, 0.3, 5.0, 3.0, torch.zeros(1, 1, 12), mix=0.5, voices=3)
    )


def test_compiled_programs():
    check_compiled_programs(kernel(3), arguments(2, 2, 12))


def test_what_does_not_fit_is_refused():
    audio, cycle, delay, depth, past, _ = arguments(2, 2, 12)
    for wrong in (
        lambda: swinging_voices(audio, cycle[..., :5], delay, depth, past),
        lambda: swinging_voices(audio, cycle, delay, depth, past.float()),
        lambda: swinging_voices(audio, cycle, delay, depth, past, mix=torch.ones(3)),
        lambda: swinging_voices(audio, cycle, delay, depth, past, voices=0),
        lambda: swinging_voices(audio, cycle, delay, depth, past, shape="square"),
    ):
        with pytest.raises(DJGraphError, match="swinging_voices"):
            wrong()
