"""A feedback delay that moves: against a loop over samples, SciPy, delays of whole samples, and finite differences."""

import numpy as np
import pytest
import scipy.signal
import torch
from delayed_reads import read
from dsp_recursions import (
    between,
    check_both_ways_agree,
    check_compiled_programs,
    check_gradients,
    noise,
    without_compiled_code,
)
from effort import examples, few
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import delay_history, delay_loop, first_order
from djgraph.dsp.feedback import feedback_delay
from djgraph.errors import DJGraphError
from djgraph.inspection.meter import Meter

LONGEST, RATE = 9, 1000


def arguments(batch, channels, samples, heads=1, shortest=1, seed=0):
    """audio, past, filters, feedback, lowpass, highpass, and delay and gain of each head."""
    return (
        noise(batch, channels, samples, seed=seed),
        noise(batch, channels, delay_history(LONGEST), seed=seed + 1),
        noise(batch, channels, 2, seed=seed + 2),
        between(-0.9, 0.9, batch, 1, samples, seed=seed + 3),
        between(50, 400, batch, 1, samples, seed=seed + 4),
        between(1, 50, batch, channels, samples, seed=seed + 5),
        *(
            curve
            for head in range(heads)
            for curve in (
                between(shortest, LONGEST, batch, 1, samples, seed=seed + 6 + 2 * head),
                between(-0.5, 0.5, batch, 1, samples, seed=seed + 7 + 2 * head),
            )
        ),
    )


def kernel(shortest=1, crossed=False, saturated=False):
    def run(audio, past, filters, feedback, lowpass, highpass, *heads):
        return delay_loop(
            audio,
            list(zip(heads[::2], heads[1::2])),
            feedback,
            past,
            filters,
            shortest=shortest,
            lowpass=lowpass,
            highpass=highpass,
            sample_rate=RATE,
            crossed=crossed,
            saturated=saturated,
        )

    return run


def sample_loop(
    audio, past, filters, feedback, lowpass, highpass, *heads, shortest, crossed, saturated=False
):
    x = audio.numpy()
    room, (batch, channels, samples) = past.shape[-1], x.shape
    feedback, lowpass, highpass, *heads = (
        np.broadcast_to(one.numpy(), x.shape) for one in (feedback, lowpass, highpass, *heads)
    )
    line = np.concatenate((past.numpy(), np.zeros_like(x)), -1)
    low, high = (filters[..., k].numpy().copy() for k in (0, 1))
    wet = np.zeros_like(x)
    order = [c ^ 1 if crossed and c ^ 1 < channels else c for c in range(channels)]
    for n in range(samples):
        for b, c in np.ndindex(batch, channels):
            y = sum(
                gain[b, c, n] * read(line[b, c], room + n - delay[b, c, n], room + n - shortest)
                for delay, gain in zip(heads[::2], heads[1::2])
            )
            low[b, c] += (1 - np.exp(-2 * np.pi * lowpass[b, c, n] / RATE)) * (y - low[b, c])
            high[b, c] += (1 - np.exp(-2 * np.pi * highpass[b, c, n] / RATE)) * (low[b, c] - high[b, c])
            wet[b, c, n] = low[b, c] - high[b, c]
        back = np.tanh(wet[:, order, n]) if saturated else wet[:, order, n]
        line[..., room + n] = x[..., n] + feedback[..., n] * back
    return wet, line[..., samples:], np.stack((low, high), -1)


@settings(max_examples=examples(40), deadline=None)
@given(
    batch=st.integers(1, 2),
    channels=st.integers(1, 3),
    samples=st.integers(0, 30),
    heads=st.integers(1, 3),
    shortest=st.integers(1, 7),
    crossed=st.booleans(),
    saturated=st.booleans(),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(
    batch, channels, samples, heads, shortest, crossed, saturated, compiled, seed
):
    given_tensors = arguments(batch, channels, samples, heads, shortest, seed)
    want = sample_loop(*given_tensors, shortest=shortest, crossed=crossed, saturated=saturated)
    if compiled:
        got = kernel(shortest, crossed, saturated)(*given_tensors)
    else:
        with without_compiled_code():
            got = kernel(shortest, crossed, saturated)(*given_tensors)
    for tensor, wanted in zip(got, want):
        np.testing.assert_allclose(tensor.numpy(), wanted, rtol=1e-7, atol=1e-7)


def test_whole_delays_without_filters_are_the_feedback_delay():
    audio, feedback = noise(2, 2, 100), between(-0.9, 0.9, 2, 1, 100)
    past = torch.zeros(2, 2, delay_history(7), dtype=torch.float64)
    wet, _, _ = delay_loop(audio, [(7.0, 1.0)], feedback, past, shortest=3)
    silence = torch.zeros(2, 2, 7, dtype=torch.float64)
    # There the gain is that of the time at which an echo is heard, here that of the time at which it is sent back.
    later = torch.cat((feedback[..., :7], feedback[..., :-7]), -1)
    want, _, _ = feedback_delay(audio, later, torch.ones((), dtype=torch.float64), silence, silence)
    torch.testing.assert_close(wet, want)


def test_the_filters_are_those_of_first_order():
    """One echo of an impulse, against SciPy."""
    audio = torch.zeros(1, 1, 300, dtype=torch.float64)
    audio[..., 0] = 1
    past = torch.zeros(1, 1, delay_history(5), dtype=torch.float64)
    wet, _, _ = delay_loop(audio, [(5.0, 1.0)], 0.0, past, lowpass=100.0, highpass=20.0, sample_rate=RATE)
    low, high = (1 - np.exp(-2 * np.pi * cutoff / RATE) for cutoff in (100, 20))
    b = np.polymul([low], [1 - high, high - 1])
    a = np.polymul([1, low - 1], [1, high - 1])
    want = scipy.signal.lfilter(b, a, np.r_[np.zeros(5), audio[0, 0, :-5].numpy()])
    np.testing.assert_allclose(wet[0, 0].numpy(), want, atol=1e-12)


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("samples", [1, 5, 25])
def test_gradients(samples, crossed):
    given_tensors = arguments(1, 3, samples, heads=2, shortest=2)
    check_gradients(kernel(2, crossed), given_tensors, second=samples == 5)


@pytest.mark.parametrize("crossed", few([True, False], 1))
def test_gradients_where_it_is_saturated(crossed):
    check_gradients(kernel(2, crossed, saturated=True), arguments(1, 3, 9, heads=2, shortest=2))
    with without_compiled_code():
        check_gradients(kernel(2, crossed, saturated=True), arguments(1, 3, 9, heads=2, shortest=2))


def test_a_saturated_loop_sounds_on_and_stays_bounded():
    """Feedback of 1.2: after a click it goes on at the level at which tanh makes up for it, and never above."""
    audio, past = torch.zeros(1, 1, 20000, dtype=torch.float64), torch.zeros(1, 1, delay_history(50)).double()
    audio[..., 0] = 1000
    wet, _, _ = delay_loop(audio, [(50.0, 1.0)], 1.2, past, saturated=True)
    assert wet[..., 51:].abs().max() <= 1.2
    level = wet[0, 0, -50:].abs().max()
    assert float(1.2 * torch.tanh(level)) == pytest.approx(float(level), rel=1e-6)


def test_gradients_of_constants():
    audio, past, filters, *_ = arguments(2, 2, 15)
    constants = [torch.tensor([value], dtype=torch.float64) for value in (0.5, 100.0, 10.0, 4.3, 0.9)]
    check_gradients(kernel(), (audio, past, filters, *constants), second=False)


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("samples", [1, 40, 400])
def test_compiled_code_and_pytorch_agree(samples, crossed):
    check_both_ways_agree(kernel(3, crossed), arguments(3, 2, samples, heads=2, shortest=3))


@settings(max_examples=examples(15), deadline=None)
@given(cuts=st.lists(st.integers(1, 30), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_blocks_equal_the_whole(cuts, seed):
    given_tensors = [one.requires_grad_() for one in arguments(2, 2, sum(cuts), seed=seed)]
    audio, past, filters, *curves = given_tensors
    whole = kernel()(*given_tensors)
    parts, start = [], 0
    for cut in cuts:
        span = slice(start, start + cut)
        wet, past, filters = kernel()(audio[..., span], past, filters, *(c[..., span] for c in curves))
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


@pytest.mark.parametrize("delay", [float("nan"), -5.0, 0.2, 1e30, float("inf")])
def test_beyond_its_limits_a_delay_is_held(delay):
    audio, past, filters, feedback, *_ = arguments(1, 1, 12)
    wrong = torch.full((12,), delay, dtype=torch.float64, requires_grad=True)
    limit = float(LONGEST) if delay > 1 else 2.0
    want, _, _ = delay_loop(audio, [(limit, 1.0)], feedback, past, filters, shortest=2)
    got, _, _ = delay_loop(audio, [(wrong, 1.0)], feedback, past, filters, shortest=2)
    assert torch.equal(got, want)
    got.sum().backward()
    assert wrong.grad.eq(0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tail_ends_in_exact_silence(dtype):
    """Denormal numbers would circle for ever: half the smallest number times 0.9 is the smallest number again."""
    audio = torch.zeros(1, 1, 40000, dtype=dtype)
    audio[..., 0] = 1e-3
    past = torch.zeros(1, 1, delay_history(10), dtype=dtype)
    wet, after, filters = delay_loop(
        audio, [(10.0, 1.0)], 0.98, past, lowpass=400.0, highpass=10.0, sample_rate=RATE
    )
    assert wet[..., :5000].abs().max() > 0
    assert not after.any()
    assert not filters.any()


def test_it_stays_bounded_however_a_delay_moves():
    audio = noise(1, 2, 20000)
    past = torch.zeros(1, 2, delay_history(200), dtype=torch.float64)
    n = torch.arange(20000, dtype=torch.float64)
    for delay in (
        100 + 99 * torch.sin(n / 50),
        100 + 99 * torch.sign(torch.sin(n / 30)),
        between(1, 200, 1, 1, 20000),
        1 + (n * 0.9) % 199,
    ):
        for feedback in (-0.95, 0.95):
            wet, _, _ = delay_loop(audio, [(delay, 1.0)], feedback, past)
            assert wet.abs().max() < 200


def test_compiled_programs():
    check_compiled_programs(kernel(2), arguments(2, 2, 12))


def test_meta_tensors_have_the_shapes():
    given_tensors = arguments(2, 2, 12)
    for got, want in zip(kernel(2)(*(one.to("meta") for one in given_tensors)), kernel(2)(*given_tensors)):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)


def test_a_flanger_is_a_comb_filter():
    """A delay that rests, with feedback: 1/(1 − g·z⁻ᴰ), by SciPy."""
    audio = noise(200)
    past = torch.zeros(delay_history(6), dtype=torch.float64)
    wet, _, _ = delay_loop(audio, [(6.0, 1.0)], 0.7, past)
    b, a = np.r_[np.zeros(6), 1], np.r_[1, np.zeros(5), -0.7]
    np.testing.assert_allclose(wet.numpy(), scipy.signal.lfilter(b, a, audio.numpy()), atol=1e-12)
    comb, _ = first_order(audio[::6], 1.0, 0.0, -0.7)
    torch.testing.assert_close(wet[6::6], comb[: len(wet[6::6])])


def test_what_does_not_fit_is_refused():
    audio, past, filters, feedback, *_ = arguments(2, 2, 12)
    head = [(3.0, 1.0)]
    for wrong, options in (
        ((audio, [], feedback, past), {}),
        ((audio, head, feedback[..., :5], past), {}),
        ((audio, head, feedback, past.float()), {}),
        ((audio, head, feedback, past, filters.float()), {}),
        ((audio, head, feedback, past, filters[:1]), {}),
        ((audio, head, feedback, past), {"shortest": 0}),
        ((audio, head, feedback, past), {"shortest": 10}),
        ((audio, head, feedback, past), {"lowpass": 100.0}),
        ((audio[0, 0], head, 0.5, past[0, 0]), {"crossed": True}),
    ):
        with pytest.raises(DJGraphError, match="delay_loop"):
            delay_loop(*wrong, **options)


def test_without_data_it_is_one_operation():
    """For counting, as ``explain`` does: not a stretch for every shortest delay."""
    audio = torch.empty(1, 2, 3000, device="meta", requires_grad=True)
    past = torch.empty(1, 2, delay_history(1000), device="meta")
    filters = torch.empty(1, 2, 2, dtype=torch.float64, device="meta")
    with Meter() as meter:
        wet, after, last = delay_loop(audio, [(500.0, 1.0)], 0.5, past, filters, shortest=2)
        forward = meter.flops
        wet.sum().backward()
    assert (wet.shape, after.shape, last.shape) == (audio.shape, past.shape, filters.shape)
    assert audio.grad.shape == audio.shape
    assert 33 <= forward / 6000 < 40
    assert 90 <= (meter.flops - forward) / 6000 < 100
