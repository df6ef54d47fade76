"""Phases against exact fractions, a loop over samples and finite differences."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from dsp_recursions import between
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import Frames, cycles, phase
from djgraph.dsp.frames import at_samples
from djgraph.errors import DJGraphError

RATE = 44100


def apart(a, b):
    """Distance of phases in cycles: 0 and 1 are the same."""
    away = (a - b).remainder(1)
    return torch.minimum(away, 1 - away)


@settings(max_examples=examples(25), deadline=None)
@given(samples=st.integers(0, 50), seed=st.integers(0, 100))
def test_equals_a_loop_over_samples(samples, seed):
    rate, start = between(-30000, 30000, 2, 3, samples, seed=seed), between(0, 1, 2, 3, 1, seed=seed + 1)
    got, last = phase(rate, samples, start, sample_rate=RATE, offset=0.25)
    for place in np.ndindex(2, 3):
        travelled = float(start[place][0])
        for n in range(samples):
            assert 0 <= float(got[place][n]) < 1
            assert float(apart(got[place][n], torch.tensor(travelled + 0.25, dtype=torch.float64))) < 1e-12
            travelled += float(rate[place][n]) / RATE
        assert float(apart(last[place][0], torch.tensor(travelled, dtype=torch.float64))) < 1e-12


@pytest.mark.parametrize("block", [512, 44100, 1 << 20])
def test_ten_minutes_are_exact(block):
    """Against exact fractions: a rate that no float holds well, in short blocks and in long ones."""
    rate, samples = 19.7, 600 * RATE
    state, start = None, 0
    blocks = samples // block if block > 1000 else 2000
    for _ in range(blocks):
        got, state = phase(rate, block, state, sample_rate=RATE)
        start += block
    want = Fraction(rate) / RATE * (start - 1) % 1
    assert abs(float(got[-1]) - float(want)) < 3e-8


def test_an_hour_in_one_call_is_exact():
    """The phase of the last samples, and not just the sum of roundings, at the fastest rate of an oscillator."""
    samples = 60 * 60 * 4000
    got, state = phase(20.3, samples, sample_rate=4000)
    want = Fraction(20.3) / 4000 * (samples - 1) % 1
    assert abs(float(got[-1]) - float(want)) < 1e-7
    assert float(apart(state[0], torch.tensor(float(Fraction(20.3) / 4000 * samples % 1)))) < 1e-7


@settings(max_examples=examples(10), deadline=None)
@given(cuts=st.lists(st.integers(1, 70000), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_blocks_equal_the_whole(cuts, seed):
    rate = between(0, 20, 1, 1, sum(cuts), seed=seed)
    whole, last = phase(rate, sum(cuts), sample_rate=RATE)
    parts, start, state = [], 0, None
    for cut in cuts:
        part, state = phase(rate[..., start : start + cut], cut, state, sample_rate=RATE)
        parts.append(part)
        start += cut
    assert float(apart(torch.cat(parts, -1), whole).max()) < 1e-10
    assert float(apart(state, last).max()) < 1e-10


def test_a_number_a_tensor_of_one_and_frames():
    want, _ = phase(torch.full((50,), 3.0), 50, sample_rate=RATE)
    for rate in (3.0, torch.tensor([3.0]), Frames(torch.tensor([3.0, 3.0]), 25)):
        assert torch.equal(phase(rate, 50, sample_rate=RATE)[0], want)
    ramp, _ = phase(Frames(torch.tensor([0.0, 10.0], dtype=torch.float64), 10), 20, sample_rate=100)
    line = np.interp(np.arange(20), [0, 10], [0, 10])
    np.testing.assert_allclose(ramp.numpy(), (np.cumsum(line) - line) / 100 % 1, atol=1e-12)


def test_gradients():
    rate, start = between(1, 20, 2, 1, 9).requires_grad_(), between(0.2, 0.3, 2, 1, 1).requires_grad_()
    offset = between(0.1, 0.2, 3, 1).requires_grad_()

    def run(rate, start, offset):
        wave, last = phase(rate, 9, start, sample_rate=100, offset=offset)
        return torch.cos(2 * math.pi * wave), last

    assert gradcheck(run, (rate, start, offset))


def test_gradients_of_a_long_sum():
    """The derivative of the sum of phases: each rate moves all samples after it."""
    samples = (1 << 16) + 100
    rate = torch.ones(1, 1, samples, dtype=torch.float64, requires_grad=True)
    wave, last = phase(rate, samples, sample_rate=1.0)
    (wave.sum() + last.sum()).backward()
    torch.testing.assert_close(rate.grad[0, 0], samples - torch.arange(samples, dtype=torch.float64))


def test_a_rate_of_other_size_is_refused():
    with pytest.raises(DJGraphError, match="phase: rate of shape"):
        phase(torch.ones(3), 4, sample_rate=RATE)


@settings(max_examples=examples(25), deadline=None)
@given(
    samples=st.integers(0, 50),
    seed=st.integers(0, 100),
    resting=st.sampled_from(["tensor", "view", "number"]),
)
def test_cycles_of_a_rate_that_rests_are_a_line(samples, seed, resting):
    rate, start = between(-30, 30, 2, 1, 1, seed=seed), between(0, 1, 2, 1, 1, seed=seed + 1)
    offset = torch.tensor([[0.0], [0.3]], dtype=torch.float64)
    given_rate = {"tensor": rate, "view": rate.expand(2, 1, samples), "number": 7.5}[resting]
    line, last = cycles(given_rate, samples, start, sample_rate=RATE, offset=offset)
    want, want_last = phase(given_rate, samples, start, sample_rate=RATE, offset=offset)
    assert isinstance(line, Frames) or not samples
    got = at_samples(line.values, line.hop, samples) if isinstance(line, Frames) else line
    assert (got.shape, last.shape) == (want.shape, want_last.shape)
    assert not samples or float(apart(got, want).max()) < 1e-12
    assert float(apart(last, want_last).max()) < 1e-12


def test_cycles_of_a_rate_that_moves_are_the_phase():
    rate, start = between(-30, 30, 2, 1, 40), between(0, 1, 2, 1, 1)
    for given_rate in (rate, Frames(rate, 3)):
        for got, want in zip(
            cycles(given_rate, 40, start, sample_rate=RATE), phase(given_rate, 40, start, sample_rate=RATE)
        ):
            assert torch.equal(got, want)


def test_gradients_of_a_line():
    rate, start = between(1, 20, 2, 1, 1).requires_grad_(), between(0.2, 0.3, 2, 1, 1).requires_grad_()

    def run(rate, start):
        line, last = cycles(rate, 9, start, sample_rate=100, offset=0.2)
        return line.values, last

    assert torch.autograd.gradcheck(run, (rate, start))
