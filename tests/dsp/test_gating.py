"""The gate's recursion against a loop over samples, its two ways, blocks, finite differences, and its surrogate."""

import functools

import numpy as np
import pytest
import torch
from dsp_recursions import (
    between,
    check_blocks_equal_the_whole,
    check_both_ways_agree,
    check_equals_a_loop,
    check_silence_and_small_numbers,
    noise,
    without_compiled_code,
)
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import decibels, follow, gate, hysteresis
from djgraph.errors import DJGraphError

RATE = 8000.0
WINDOW, SOFTNESS = 2.0, 3.0
kernel = functools.partial(gate, window=WINDOW, softness=SOFTNESS, sample_rate=RATE)
RANGES = ((-30, -10), (0, 12), (0.05, 5), (0, 6), (0.5, 40), (0, 60))
"""Of threshold, hysteresis, attack, hold, release and range."""
EXACT = (0, 4, 6, 7)
"""Arguments with an exact gradient: audio, attack, release and range."""


def arguments(batch, channels, samples, seed=0, points=None):
    """audio, heard, threshold, hysteresis, attack, hold, release, range, state."""
    points = points or samples
    controls = (
        between(low, high, batch, 1, 1 if number == 3 else points, seed=seed + 1 + number)
        for number, (low, high) in enumerate(RANGES)
    )
    loud = 10 ** between(-2.5, 0, batch, 1, points // 20 + 1, seed=seed + 9).repeat_interleave(20, -1)
    heard = noise(batch, 1, points, seed=seed + 10) * loud[..., :points]
    state = between(0, 1, batch, channels, 4, seed=seed + 11)
    state[..., 1] = state[..., 1].round()
    state[..., 2] = torch.where(state[..., 2] > 0.5, 2.0**23 - (40 * state[..., 2]).round(), 0.0)
    return 0.3 * noise(batch, channels, samples, seed=seed), heard, *controls, state


def touched(*given_tensors):
    """The kernel, for checks that take gradients of all arguments: those that have none get 0."""
    out, last = kernel(*given_tensors)
    return out + sum(0.0 * one.sum() for one in given_tensors), last


def sample_loop(audio, *rest):
    """From the formulas, a sample and a signal at a time; a deadline says until when the hold lasts."""
    *controls, state = rest
    x, after = audio.numpy(), state.numpy().copy()
    values = [np.broadcast_to(one.numpy(), x.shape) for one in controls]
    out = np.empty_like(x)

    def share(time):
        return 1 - np.exp(-1000 / (RATE * max(time, 1e-6)))

    for place in np.ndindex(*x.shape[:-1]):
        level, switch, left, opened = after[place]
        last_on = left - 2.0**23 - 1
        for n in range(x.shape[-1]):
            heard, threshold, apart, attack, hold, release, depth = (one[(*place, n)] for one in values)
            level = max(abs(heard), level - share(WINDOW) * (level - abs(heard)))
            db = 20 * np.log10(max(level, 1e-6))
            if db > threshold:
                switch = 1.0
            elif db < threshold - apart:
                switch = 0.0
            if switch:
                last_on = n
            held = float(n - last_on <= hold * RATE / 1000)
            opened += share(attack if held > opened else release) * (held - opened)
            out[(*place, n)] = x[(*place, n)] * 10 ** (-depth * (1 - opened) / 20)
        after[place] = level, switch, max(2.0**23 - (x.shape[-1] - 1 - last_on), 0), opened
    return out, after


@settings(max_examples=examples(30), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(1, 600),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, channels, samples, compiled, seed):
    check_equals_a_loop(kernel, sample_loop, arguments(batch, channels, samples, seed), compiled)


def test_in_single_precision_it_is_the_same_to_rounding():
    """But for a sample of which rounding says whether it is above a threshold."""
    given_tensors = arguments(3, 2, 3000)
    want, _ = kernel(*given_tensors)
    got, _ = kernel(*(tensor.float() for tensor in given_tensors))
    close = torch.isclose(got.double(), want, rtol=1e-3, atol=1e-5)
    assert close.double().mean() > 0.98


@pytest.mark.parametrize("compiled", [True, False])
def test_no_samples(compiled):
    audio, *rest = arguments(2, 2, 0, points=1)
    rest = [one if one.shape[-1] == 4 else one[..., :1] for one in rest]
    if compiled:
        out, last = kernel(audio, *rest)
    else:
        with without_compiled_code():
            out, last = kernel(audio, *rest)
    assert out.shape == (2, 2, 0)
    assert torch.equal(last, rest[-1])


@pytest.mark.parametrize("samples", [1, 5, 60])
def test_exact_gradients(samples):
    given_tensors = arguments(2, 2, samples)
    opened = given_tensors[-1][..., 3:]

    def run(audio, attack, release, depth, opened):
        full = [one.detach() for one in given_tensors]
        full[0], full[4], full[6], full[7] = audio, attack, release, depth
        out, last = kernel(*full[:-1], torch.cat((full[-1][..., :3], opened), dim=-1))
        return out, last[..., 3:]

    wanted = [given_tensors[k].detach().requires_grad_() for k in EXACT]
    assert gradcheck(run, (*wanted, opened.detach().requires_grad_()))


def test_the_surrogate_is_that_of_hysteresis():
    """Of what the public parts make by autograd, for both ways of the kernel."""
    audio, heard, *controls, state = arguments(2, 2, 400, seed=4)
    thresholds = [one.requires_grad_() for one in controls[:2]]
    hold = controls[3]

    def by_parts():
        level, _ = follow(heard.abs().expand_as(audio), 0.0, WINDOW, state[..., :1], sample_rate=RATE)
        switch, _ = hysteresis(
            decibels(level.square()),
            thresholds[0],
            thresholds[0] - thresholds[1],
            state[..., 1:2],
            softness=SOFTNESS,
        )
        held, since = torch.zeros_like(audio), 2.0**23 - state[..., 2]
        for n in range(audio.shape[-1]):
            since = torch.where(switch[..., n] > 0.5, 0.0, since + 1)
            held[..., n] = (since <= hold[..., 0] * RATE / 1000).double()
        target = held + (switch - switch.detach())
        share = -torch.expm1(-1000 / (RATE * torch.where(held > 0, controls[2], controls[4])))
        opened = [state[..., 3]]
        for n in range(audio.shape[-1]):
            opened.append(torch.lerp(opened[-1], target[..., n], share[..., n]))
        return audio * 10 ** (-controls[5] * (1 - torch.stack(opened[1:], -1)) / 20)

    def gradients(out):
        return torch.autograd.grad((out * noise(*out.shape, seed=8)).sum(), thresholds)

    want = gradients(by_parts())
    assert all(one.any() for one in want)
    for got, wanted in zip(gradients(kernel(audio, heard, *controls, state)[0]), want):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 700])
def test_both_ways_agree(samples):
    check_both_ways_agree(touched, arguments(3, 2, samples))


@settings(max_examples=examples(20), deadline=None)
@given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=4), seed=st.integers(0, 100))
def test_blocks_equal_the_whole(cuts, seed):
    audio, *controls, state = arguments(2, 2, sum(cuts), seed)
    check_blocks_equal_the_whole(touched, audio, controls, state, cuts)


def test_silence_and_small_numbers():
    settled = (-40.0, 6.0, 1.0, 5.0, 10.0, 40.0)
    check_silence_and_small_numbers(kernel, 0.0, *settled)
    out, state = kernel(torch.ones(1, 1, 8000), torch.zeros(1, 1, 8000), *settled, torch.ones(1, 1, 4))
    assert not state[..., [0, 1, 3]].any()  # not a number too small to be normal
    assert float(out[..., -1]) == pytest.approx(0.01)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("hold", "since"), [(1.0, 0), (1.0, 2**23), (500e3, 3_999_990), (500e3, 4_000_000)])
def test_a_hold_ends_at_its_sample_long_into_a_stream(hold, since, compiled):
    """In single precision, minutes after the switch was on."""
    state = torch.tensor([0.0, 0.0, 2.0**23 - since, 1.0])
    silence = torch.zeros(100)

    def run():
        out, last = gate(
            silence + 1, silence, -40.0, 6.0, 0.0, hold, 0.0, 40.0, state, window=0.0, sample_rate=RATE
        )
        return out, last

    if compiled:
        out, last = run()
    else:
        with without_compiled_code():
            out, last = run()
    rest = max(round(hold * RATE / 1000) - since, 0)
    assert torch.equal(out[:rest], torch.ones(rest))
    assert bool((out[rest:] < 0.0101).all())
    assert float(last[2]) == max(2**23 - since - 100, 0)


@pytest.mark.parametrize("wrong", [{"window": -1.0}, {"softness": 0.0}, {"window": float("nan")}])
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(DJGraphError, match="window has to be"):
        gate(
            torch.zeros(9),
            0.0,
            -40.0,
            6.0,
            1.0,
            5.0,
            10.0,
            40.0,
            **({"window": 1.0, "sample_rate": RATE} | wrong),
        )
