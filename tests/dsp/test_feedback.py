"""The feedback delay against a loop over samples, and its gradients against finite differences."""

import numpy as np
import pytest
import torch
from effort import examples, few, gradcheck, gradgradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp.feedback import feedback_delay, feedback_delay_in_place


def signals(batch, channels, samples, delay, seed=0):
    """audio, feedback, mix, past input, past output; float64."""
    random = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    return (
        noise(batch, channels, samples),
        torch.tanh(noise(batch, 1, samples)),
        torch.sigmoid(noise(batch, 1, samples)),
        noise(batch, channels, delay),
        noise(batch, channels, delay),
    )


def sample_loop(audio, feedback, mix, past_input, past_output):
    """The definition, one sample at a time."""
    audio, feedback, mix, past_input, past_output = (
        tensor.detach().numpy() for tensor in (audio, feedback, mix, past_input, past_output)
    )
    delay = past_input.shape[-1]
    x = np.concatenate([past_input, audio], axis=-1)
    y = np.concatenate([past_output, np.zeros_like(audio)], axis=-1)
    for n in range(delay, x.shape[-1]):
        y[..., n] = x[..., n - delay] + feedback[..., n - delay] * y[..., n - delay]
    return (1 - mix) * audio + mix * y[..., delay:], x[..., -delay:], y[..., -delay:]


@settings(max_examples=examples(60), deadline=None)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 3),
    samples=st.integers(0, 40),
    delay=st.integers(1, 17),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, channels, samples, delay, seed):
    given_signals = signals(batch, channels, samples, delay, seed)
    got = feedback_delay(*given_signals)
    for tensor, want in zip(got, sample_loop(*given_signals)):
        np.testing.assert_allclose(tensor.numpy(), want, rtol=1e-12, atol=1e-12)


@settings(max_examples=examples(60), deadline=None)
@given(
    batch=st.integers(1, 3),
    delay=st.integers(1, 17),
    cuts=st.lists(st.integers(1, 17), min_size=1, max_size=8),
    start=st.integers(0, 40),
    constant=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_ring_buffers_equal_a_loop_over_samples(batch, delay, cuts, start, constant, seed):
    cuts = [min(length, delay) for length in cuts]
    audio, feedback, mix, past_input, past_output = signals(batch, 2, sum(cuts), delay, seed)
    if constant:
        feedback = feedback[..., :1].expand_as(feedback)
    want, last_input, last_output = sample_loop(audio, feedback, mix, past_input, past_output)
    # Sample n of the clip lies at n modulo the delay.
    rings = [past.roll(start, -1) for past in (past_input, past_output)]
    outputs, position = [], 0
    for length in cuts:
        piece = slice(position, position + length)
        gain = feedback[..., :1] if constant else feedback[..., piece]
        place = (start + position) % delay
        outputs.append(feedback_delay_in_place(audio[..., piece], gain, mix[..., piece], *rings, place))
        position += length
    np.testing.assert_allclose(torch.cat(outputs, -1).numpy(), want, rtol=1e-12, atol=1e-12)
    for ring, last in zip(rings, (last_input, last_output)):
        straight = ring.roll(-(start + position), -1)
        np.testing.assert_allclose(straight.numpy(), last, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("delay", "samples"), few([(3, 7), (4, 8), (5, 5), (4, 3), (2, 1), (1, 6), (3, 0)], 3)
)
def test_gradients_of_every_argument(delay, samples):
    arguments = [tensor.requires_grad_() for tensor in signals(2, 2, samples, delay)]
    assert gradcheck(feedback_delay, arguments)


@pytest.mark.parametrize("wanted", range(5))
def test_gradient_of_one_argument_alone(wanted):
    arguments = list(signals(2, 2, 7, 3))
    arguments[wanted].requires_grad_()
    assert gradcheck(feedback_delay, arguments)


@settings(max_examples=examples(25), deadline=None)
@given(cuts=st.lists(st.integers(1, 12), min_size=1, max_size=6), delay=st.integers(1, 9))
def test_blocks_equal_the_whole_with_gradients(cuts, delay):
    samples = sum(cuts)
    arguments = [tensor.requires_grad_() for tensor in signals(2, 2, samples, delay)]
    audio, feedback, mix, past_input, past_output = arguments
    whole = feedback_delay(*arguments)
    parts, start = [], 0
    for cut in cuts:
        span = slice(start, start + cut)
        part, past_input, past_output = feedback_delay(
            audio[..., span], feedback[..., span], mix[..., span], past_input, past_output
        )
        parts.append(part)
        start += cut
    streamed = (torch.cat(parts, dim=-1), past_input, past_output)
    weights = [torch.randn_like(tensor) for tensor in whole]

    def gradients(outputs):
        total = sum((tensor * weight).sum() for tensor, weight in zip(outputs, weights))
        return torch.autograd.grad(total, arguments)

    for got, want in zip(streamed, whole):
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    for got, want in zip(gradients(streamed), gradients(whole)):
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def test_an_impulse_comes_back_as_powers_of_the_feedback():
    audio = torch.zeros(1, 1, 50, dtype=torch.float64)
    audio[..., 0] = 1
    past = torch.zeros(1, 1, 10, dtype=torch.float64)
    half, one = torch.tensor(0.5, dtype=torch.float64), torch.ones((), dtype=torch.float64)
    wet, _, _ = feedback_delay(audio, half, one, past, past)
    want = torch.zeros(50, dtype=torch.float64)
    want[10::10] = 0.5 ** torch.arange(4)
    assert torch.equal(wet[0, 0], want)


def test_dry_is_bit_exact_and_histories_own_their_memory():
    audio, feedback, _, past_input, past_output = (t.float() for t in signals(2, 2, 33, 7))
    out, next_input, next_output = feedback_delay(audio, feedback, torch.zeros(()), past_input, past_output)
    assert torch.equal(out, audio)
    for history in (next_input, next_output):
        assert history.untyped_storage().nbytes() == history.numel() * history.element_size()


def test_only_the_arguments_are_kept_for_the_backward_pass():
    arguments = [tensor.requires_grad_() for tensor in signals(1, 2, 1000, 10)]
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()) or t, lambda t: t):
        feedback_delay(*arguments)
    assert {tensor.data_ptr() for tensor in arguments} >= set(kept)


@pytest.mark.parametrize(("delay", "samples"), few([(2, 5), (4, 3)], 1))
def test_second_derivatives(delay, samples):
    arguments = [tensor.requires_grad_() for tensor in signals(1, 2, samples, delay)]
    assert gradgradcheck(feedback_delay, arguments)


def test_second_derivatives_where_one_argument_comes_from_another():
    audio, feedback, *rest = signals(1, 1, 5, 2)
    feedback.requires_grad_()
    assert gradgradcheck(lambda g: feedback_delay(audio * g.sin(), g, *rest), [feedback])
