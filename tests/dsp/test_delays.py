"""A modulated delay: against a loop over samples, SciPy's cubic, closed forms and finite differences."""

import numpy as np
import pytest
import torch
from delayed_reads import read
from dsp_recursions import (
    between,
    check_blocks_equal_the_whole,
    check_both_ways_agree,
    check_gradients,
    noise,
    without_compiled_code,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import Frames, delay_history, read_delay
from djgraph.errors import DJGraphError

LONGEST = 9


def arguments(batch, channels, samples, seed=0, longest=LONGEST):
    """audio, delay, past."""
    return (
        noise(batch, channels, samples, seed=seed),
        between(0, longest, batch, 1, samples, seed=seed + 1),
        noise(batch, channels, delay_history(longest), seed=seed + 2),
    )


def sample_loop(audio, delay, past):
    audio, past = audio.numpy(), past.numpy()
    delay = np.broadcast_to(delay.numpy(), audio.shape)
    line, out = np.concatenate((past, audio), -1), np.empty_like(audio)
    for place in np.ndindex(audio.shape):
        n = past.shape[-1] + place[-1]
        out[place] = read(np.append(line[place[:-1]], 0.0), n - delay[place], n)
    return out, line[..., -past.shape[-1] :]


@settings(max_examples=examples(40), deadline=None)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 3),
    samples=st.integers(0, 30),
    longest=st.integers(1, 12),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, channels, samples, longest, compiled, seed):
    given_tensors = arguments(batch, channels, samples, seed, longest)
    want = sample_loop(*given_tensors)
    if compiled:
        got = read_delay(*given_tensors)
    else:
        with without_compiled_code():
            got = read_delay(*given_tensors)
    for tensor, wanted in zip(got, want):
        np.testing.assert_allclose(tensor.numpy(), wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("delay", range(LONGEST + 1))
def test_a_whole_number_of_samples_changes_no_bit(delay, dtype):
    audio, _, past = (tensor.to(dtype) for tensor in arguments(2, 2, 40))
    line = torch.cat((past, audio), -1)
    for compiled in (True, False):
        if compiled:
            got, _ = read_delay(audio, float(delay), past)
        else:
            with without_compiled_code():
                got, _ = read_delay(audio, float(delay), past)
        assert torch.equal(got, line[..., past.shape[-1] - delay : line.shape[-1] - delay])


def test_a_parabola_is_read_exactly():
    """The slopes are right for it, and so are the cubics."""
    t = torch.arange(200, dtype=torch.float64)
    line = 0.3 * t**2 - 5 * t + 1
    delay = between(0, 10, 150, seed=3)
    got, _ = read_delay(line[50:], delay, line[:50])
    at = t[50:] - delay
    torch.testing.assert_close(got, 0.3 * at**2 - 5 * at + 1, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("delay", [0.5, 1.5, 7.25])
@pytest.mark.parametrize("frequency", [0.01, 0.05])
def test_a_sine_is_late_by_the_delay(frequency, delay):
    n = torch.arange(400, dtype=torch.float64)
    got, _ = read_delay(torch.sin(2 * np.pi * frequency * n), delay, torch.zeros(20, dtype=torch.float64))
    want = torch.sin(2 * np.pi * frequency * (n - delay))
    torch.testing.assert_close(got[30:], want[30:], rtol=0, atol=0.5 * (2 * np.pi * frequency) ** 3)


@pytest.mark.parametrize("place", [1.0, 2.0, 5.0])
def test_value_and_derivative_are_continuous_across_a_sample(place):
    audio, _, past = arguments(1, 1, 20)
    sides = []
    for delay in (place - 1e-9, place + 1e-9):
        given_delay = torch.full((1,), delay, dtype=torch.float64, requires_grad=True)
        out, _ = read_delay(audio, given_delay, past)
        (slope,) = torch.autograd.grad(out[..., 7].sum(), given_delay)
        sides.append((out.detach(), slope))
    for left, right in zip(*sides):
        torch.testing.assert_close(left, right, rtol=1e-6, atol=1e-6)


def test_frames_are_straight_lines():
    audio, _, past = arguments(2, 2, 95)
    frames = between(0, LONGEST, 2, 1, 10)
    curve = np.interp(np.arange(95), np.arange(10) * 10, frames[1, 0].numpy())
    got, _ = read_delay(audio, Frames(frames, 10), past)
    want, _ = read_delay(audio[1], torch.from_numpy(curve), past[1])
    torch.testing.assert_close(got[1], want)


@pytest.mark.parametrize("samples", [1, 7, 60])
def test_gradients(samples):
    check_gradients(read_delay, arguments(2, 2, samples), second=samples < 10)


def test_gradients_of_one_delay_for_all():
    audio, _, past = arguments(2, 2, 20)
    check_gradients(read_delay, (audio, torch.tensor([3.3], dtype=torch.float64), past), second=False)
    check_gradients(read_delay, (audio, between(0, 9, 2, 2, 1), past), second=False)


@pytest.mark.parametrize("samples", [1, 100, 3000])
def test_compiled_code_and_pytorch_agree(samples):
    check_both_ways_agree(read_delay, arguments(5, 2, samples))


@settings(max_examples=examples(15), deadline=None)
@given(cuts=st.lists(st.integers(1, 30), min_size=1, max_size=5), seed=st.integers(0, 100))
def test_blocks_equal_the_whole(cuts, seed):
    audio, delay, past = arguments(2, 2, sum(cuts), seed)
    check_blocks_equal_the_whole(read_delay, audio, (delay,), past, cuts)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("delay", [-1.0, -1e30, float("nan"), LONGEST + 0.1, 1e30, float("inf")])
def test_beyond_its_limits_a_delay_is_held_and_has_no_gradient(delay, compiled):
    audio, _, past = arguments(1, 1, 12)
    wrong = torch.full((12,), delay, dtype=torch.float64, requires_grad=True)
    limit = float(LONGEST) if delay > 0 else 0.0
    want, _ = read_delay(audio, limit, past)
    if compiled:
        got, _ = read_delay(audio, wrong, past)
    else:
        with without_compiled_code():
            got, _ = read_delay(audio, wrong, past)
    assert torch.equal(got, want)
    got.sum().backward()
    assert wrong.grad.eq(0).all()


@pytest.mark.parametrize("delay", [0.0, float(LONGEST)])
def test_at_its_limits_a_delay_has_a_gradient(delay):
    """A delay that was driven there can leave again."""
    given_tensors = (noise(1, 1, 12), torch.full((12,), delay, dtype=torch.float64), arguments(1, 1, 1)[2])
    check_both_ways_agree(read_delay, given_tensors)
    moved = given_tensors[1].requires_grad_()
    read_delay(given_tensors[0], moved, given_tensors[2])[0].square().sum().backward()
    assert moved.grad.ne(0).all()


def test_float32_audio_takes_delays_in_float64():
    """A second and a thousandth of a sample: float32 could not tell it from a second."""
    longest = 44100
    ramp = torch.arange(-longest - 2, 1000, dtype=torch.float32) / 1024
    past, audio = ramp[: longest + 2], ramp[longest + 2 :]
    delay = torch.tensor([longest - 0.001], dtype=torch.float64)
    got, _ = read_delay(audio, delay, past)
    want = (torch.arange(1000, dtype=torch.float64) - delay) / 1024
    torch.testing.assert_close(got.double(), want, rtol=1e-7, atol=0)


def test_torch_func_and_compiled_programs():
    audio, delay, past = arguments(2, 2, 12)
    want, _ = read_delay(audio, delay, past)
    vmapped, _ = torch.func.vmap(read_delay)(audio, delay, past)
    torch.testing.assert_close(vmapped, want)
    program = torch.compile(read_delay, backend="aot_eager", fullgraph=True)
    moved = delay.clone().requires_grad_()
    got, _ = program(audio, moved, past)
    torch.testing.assert_close(got, want)
    plain = delay.clone().requires_grad_()
    for leaf, out in ((moved, got), (plain, read_delay(audio, plain, past)[0])):
        out.square().sum().backward()
        assert leaf.grad.abs().sum() > 0
    torch.testing.assert_close(moved.grad, plain.grad)


def test_other_types_and_devices():
    audio, delay, past = arguments(1, 2, 12)
    got, after = read_delay(audio.bfloat16(), delay, past.bfloat16())
    want, _ = read_delay(audio.bfloat16().double(), delay, past.bfloat16().double())
    assert got.dtype == after.dtype == torch.bfloat16
    torch.testing.assert_close(got.double(), want, rtol=0.05, atol=0.05)
    assert read_delay(audio.to("meta"), delay.to("meta"), past.to("meta"))[0].shape == audio.shape


def test_what_does_not_fit_is_refused():
    audio, delay, past = arguments(2, 2, 12)
    for wrong in (
        (audio.long(), delay, past),
        (audio, delay[..., :5], past),
        (audio, torch.ones(3, 1, 12), past),
        (audio, delay, past.float()),
        (audio, delay, past[:1]),
        (audio, delay, past[..., :2]),
    ):
        with pytest.raises(DJGraphError, match="read_delay"):
            read_delay(*wrong)
