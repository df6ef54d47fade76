"""A feedback delay network: against a loop over samples, its transfer function, energy, decay, finite differences."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import torch
from dsp_recursions import (
    between,
    check_both_ways_agree,
    check_compiled_programs,
    check_gradients,
    noise,
    without_compiled_code,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import fdn
from djgraph.errors import DJGraphError

RATE, CORNER = 1000, 150.0
DELAYS = {1: (5,), 2: (3, 4), 4: (2, 5, 7, 9), 8: (2, 3, 5, 7, 11, 13, 17, 19)}


def arguments(batch, lines, samples, seed=0, corner=CORNER):
    """audio, low, high, past, filters"""
    return (
        noise(batch, lines, samples, seed=seed),
        between(0, 300, batch, samples, seed=seed + 1),
        between(0, 900, batch, samples, seed=seed + 2),
        noise(batch, lines, max(DELAYS[lines]), seed=seed + 3),
        noise(batch, lines, seed=seed + 4),
    )


def kernel(lines, corner=CORNER):
    return lambda *given: fdn(*given, delays=DELAYS[lines], corner=corner, sample_rate=RATE)


def shelf(delay, low, high, corner=CORNER):
    """Numerator and denominator of one line's filter: (gπ·s + g0·a)/(s + a) by the bilinear transform."""
    g0, gpi = (10 ** (-delay * loss / RATE / 20) for loss in (low, high))
    a = math.tan(math.pi * corner / RATE) * math.sqrt(gpi / g0)
    return np.array([gpi + g0 * a, g0 * a - gpi]) / (1 + a), np.array([1, (a - 1) / (1 + a)])


def sample_loop(audio, low, high, past, filters):
    x, (batch, lines, samples) = audio.numpy(), audio.shape
    delays, room = DELAYS[lines], past.shape[-1]
    matrix = scipy.linalg.hadamard(lines) / math.sqrt(lines)
    line = np.concatenate((past.numpy(), np.zeros_like(x)), -1)
    wet, states = np.zeros_like(x), filters.numpy().copy()
    for b, n in np.ndindex(batch, samples):
        for k, delay in enumerate(delays):
            (b0, b1), (_, a1) = shelf(delay, float(low[b, n]), float(high[b, n]))
            u, s = line[b, k, room + n - delay], states[b, k]
            c = math.sqrt(1 - a1 * a1)  # the state of the normalised all-pass; its output is a1·u + c·s
            half = (b1 - b0 * a1) / c / c  # what the filter adds to a constant times the input
            wet[b, k, n] = b0 * u + half * c * s
            states[b, k] = c * u - a1 * s
        line[b, :, room + n] = x[b, :, n] + matrix @ wet[b, :, n]
    return wet, line[..., samples:], states


@settings(max_examples=examples(40), deadline=None)
@given(
    batch=st.integers(1, 2),
    lines=st.sampled_from(sorted(DELAYS)),
    samples=st.integers(0, 40),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, lines, samples, compiled, seed):
    given_tensors = arguments(batch, lines, samples, seed)
    want = sample_loop(*given_tensors)
    if compiled:
        got = kernel(lines)(*given_tensors)
    else:
        with without_compiled_code():
            got = kernel(lines)(*given_tensors)
    for tensor, wanted in zip(got, want):
        np.testing.assert_allclose(tensor.numpy(), wanted, rtol=1e-9, atol=1e-9)


def test_the_response_is_the_transfer_function():
    """(1 − F·Z·H)⁻¹·F·Z on the unit circle, F the shelves, Z the delays: from line 1 to all lines."""
    lines, low, high, samples = 4, 250.0, 900.0, 4096
    audio = torch.zeros(lines, samples, dtype=torch.float64)
    audio[0, 0] = 1
    past = torch.zeros(lines, max(DELAYS[lines]), dtype=torch.float64)
    wet, _, _ = kernel(lines)(audio, low, high, past)
    got = np.fft.rfft(wet.numpy())
    z = np.exp(2j * np.pi * np.arange(samples // 2 + 1) / samples)
    loop = []
    for delay in DELAYS[lines]:
        b, a = shelf(delay, low, high)
        loop.append(np.polyval(b[::-1], 1 / z) / np.polyval(a[::-1], 1 / z) * z**-delay)
    matrix = scipy.linalg.hadamard(lines) / math.sqrt(lines)
    for bin, ends in enumerate(np.transpose(loop)):
        fz = np.diag(ends)
        want = np.linalg.solve(np.eye(lines) - fz @ matrix, fz[:, 0])
        np.testing.assert_allclose(got[:, bin], want, atol=1e-8)


@pytest.mark.parametrize("corner", [1.0, 150.0, 499.0])
@pytest.mark.parametrize("delay", [1, 19, 4000])
def test_a_line_loses_what_was_asked_for(delay, corner):
    """In decibels per second: low at 0 Hz, high at half the rate, the mean of both at the corner."""
    low, high = 20.0, 60.0
    b, a = shelf(delay, low, high, corner)
    for frequency, loss in ((0, low), (corner, (low + high) / 2), (RATE / 2, high)):
        z = np.exp(-2j * np.pi * frequency / RATE)
        gain = abs((b[0] + b[1] * z) / (a[0] + a[1] * z))
        assert 20 * math.log10(gain) == pytest.approx(-loss * delay / RATE, abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_loss_no_energy_is_lost(dtype):
    """Of what is in the lines, where the filters are at rest: thousands of times round."""
    past = noise(8, 19, seed=3).to(dtype)
    silence = torch.zeros(8, 60000, dtype=dtype)
    held = torch.stack([past[k, 19 - d :].square().sum() for k, d in enumerate(DELAYS[8])]).sum()
    _, after, _ = kernel(8)(silence, 0.0, 0.0, past)
    left = torch.stack([after[k, 19 - d :].square().sum() for k, d in enumerate(DELAYS[8])]).sum()
    assert float(left / held) == pytest.approx(1, abs=1e-3 if dtype is torch.float32 else 1e-9)


@settings(max_examples=examples(30), deadline=None)
@given(low=st.floats(0, 600), high=st.floats(0, 6000), corner=st.floats(1, 499), seed=st.integers(0, 1000))
def test_at_rest_energy_only_falls(low, high, corner, seed):
    """A Lyapunov function: the lines' energy and, weighted by what the shelf takes away, that of its states."""
    past, filters = noise(4, 9, seed=seed), noise(4, seed=seed + 1)
    delays = torch.tensor(DELAYS[4], dtype=torch.float64)
    # Where highs last longer than lows the filter is the same with both exchanged.
    weight = (1 - torch.exp(-delays * abs(high - low) * math.log(10) / 20 / RATE)) / 2
    levels = []
    for _ in range(12):
        lines = sum(past[k, 9 - d :].square().sum() for k, d in enumerate(DELAYS[4]))
        levels.append(float(lines + (weight * filters.square()).sum()))
        silence = torch.zeros(4, 3, dtype=torch.float64)
        _, past, filters = kernel(4, corner)(silence, low, high, past, filters)
    for before, after in itertools.pairwise(levels):
        assert after <= before * (1 + 1e-12)


def test_it_stays_bounded_while_losses_jump():
    losses = 600 * (between(0, 1, 40000) > 0.5)
    past = noise(8, 19)
    wet, _, _ = kernel(8)(torch.zeros(8, 40000, dtype=torch.float64), losses, 3 * losses.flip(0), past)
    assert wet.abs().max() < 10 * past.abs().max()


@pytest.mark.parametrize("samples", [1, 9, 20])
def test_gradients(samples):
    check_gradients(kernel(4), arguments(2, 4, samples), second=samples == 9)


def test_gradients_of_constants():
    audio, _, _, past, filters = arguments(2, 4, 15)
    # Both alike, too: there the shelf is a constant, and its own states have no say.
    for low, high in ((20.0, 90.0), (30.0, 30.0), (0.0, 0.0), (90.0, 20.0)):
        given_tensors = [torch.tensor([one], dtype=torch.float64) for one in (low, high)]
        check_gradients(kernel(4), (audio, *given_tensors, past, filters), second=False)


@pytest.mark.parametrize("samples", [1, 40, 700])
def test_compiled_code_and_pytorch_agree(samples):
    check_both_ways_agree(kernel(8), arguments(3, 8, samples))


def test_long_delays_run_in_stretches():
    """Longer ones than a stretch of compiled code; PyTorch's operations take another one."""
    delays = (601, 769, 1009, 300)
    audio, low, high = noise(2, 4, 2000), between(0, 60, 2, 2000), between(0, 600, 2, 2000)
    past = noise(2, 4, 1009)
    check_both_ways_agree(
        lambda *given: fdn(*given, delays=delays, corner=CORNER, sample_rate=RATE), (audio, low, high, past)
    )


@settings(max_examples=examples(15), deadline=None)
@given(cuts=st.lists(st.integers(1, 30), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_blocks_equal_the_whole(cuts, seed):
    given_tensors = [one.requires_grad_() for one in arguments(2, 4, sum(cuts), seed=seed)]
    audio, low, high, past, filters = given_tensors
    whole = kernel(4)(*given_tensors)
    parts, start = [], 0
    for cut in cuts:
        span = slice(start, start + cut)
        wet, past, filters = kernel(4)(audio[..., span], low[..., span], high[..., span], past, filters)
        parts.append(wet)
        start += cut
    streamed = torch.cat(parts, -1), past, filters
    weights = [noise(*one.shape, seed=seed + k) for k, one in enumerate(whole)]

    def gradients(results):
        return torch.autograd.grad(sum((r * w).sum() for r, w in zip(results, weights)), given_tensors)

    for got, want in zip(streamed, whole):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
    for got, want in zip(gradients(streamed), gradients(whole)):
        torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tail_ends_in_exact_silence(dtype):
    """Denormal numbers would circle for ever."""
    audio = torch.zeros(4, 20000, dtype=dtype)
    audio[:, 0] = 1e-3
    past = torch.zeros(4, 9, dtype=dtype)
    wet, after, filters = kernel(4)(audio, 200.0, 300.0, past)
    assert wet[..., :1000].abs().max() > 0
    assert not after.any()
    assert not filters.any()


def test_compiled_programs():
    check_compiled_programs(kernel(4), arguments(2, 4, 12))


def test_meta_tensors_have_the_shapes():
    given_tensors = arguments(2, 4, 12)
    for got, want in zip(kernel(4)(*(one.to("meta") for one in given_tensors)), kernel(4)(*given_tensors)):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)


def test_what_does_not_fit_is_refused():
    audio, low, high, past, filters = arguments(2, 4, 12)
    good = {"delays": DELAYS[4], "corner": CORNER, "sample_rate": RATE}
    for wrong, options in (
        ((audio[:, :3], low, high, past), {}),
        ((audio[:, :3], low, high, past[:, :3]), {"delays": (2, 3, 5)}),
        ((audio, low, high, past[..., 1:]), {}),
        ((audio, low, high, past.float()), {}),
        ((audio, low, high, past, filters.float()), {}),
        ((audio, low[:, :5], high, past), {}),
        ((audio[0, 0], low[0], high[0], past[0, 0]), {}),
        ((audio, low, high, past), {"delays": (0, 3, 5, 9)}),
        ((audio, low, high, past), {"corner": 0.0}),
        ((audio, low, high, past), {"corner": 500.0}),
    ):
        with pytest.raises(DJGraphError, match="fdn"):
            fdn(*wrong, **(good | options))
