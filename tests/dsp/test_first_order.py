"""Filters of first order against a loop over samples, SciPy and finite differences."""

import numpy as np
import pytest
import torch
from dsp_recursions import (
    between,
    check_blocks_equal_the_whole,
    check_both_ways_agree,
    check_equals_a_loop,
    check_gradients,
    drawn,
    framed,
    noise,
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from djgraph.dsp import Frames, first_order
from djgraph.errors import DJGraphError


def arguments(batch, channels, samples, seed=0):
    """audio, b0, b1, a1, state: every kind of shape of a control."""
    return (
        noise(batch, channels, samples, seed=seed),
        noise(1, seed=seed + 1),
        noise(batch, 1, samples, seed=seed + 2),
        between(-0.95, 0.95, batch, channels, samples, seed=seed + 3),
        noise(batch, channels, 2, seed=seed + 4),
    )


def sample_loop(audio, b0, b1, a1, state):
    audio, state = audio.numpy(), state.numpy()
    b0, b1, a1 = (np.broadcast_to(tensor.numpy(), audio.shape) for tensor in (b0, b1, a1))
    out, x, y = np.empty_like(audio), state[..., 0], state[..., 1]
    for n in range(audio.shape[-1]):
        y = b0[..., n] * audio[..., n] + b1[..., n] * x - a1[..., n] * y
        x = audio[..., n]
        out[..., n] = y
    return out, np.stack((x, y), axis=-1)


@settings(max_examples=examples(60), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(0, 600),
    compiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_samples(batch, channels, samples, compiled, seed):
    given_tensors = arguments(batch, channels, samples, seed)
    check_equals_a_loop(first_order, sample_loop, given_tensors, compiled)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_scipy(dtype):
    audio = noise(3, 2, 5000, dtype=dtype)
    filtered, _ = first_order(audio, 0.2, 0.3, -0.9)
    want = lfilter([0.2, 0.3], [1, -0.9], audio.double().numpy())
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(filtered.numpy(), want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("hop", "samples"), [(1, 5), (10, 150), (64, 100), (64, 128), (100, 20)])
def test_frames_are_straight_lines_and_the_last_one_is_held(hop, samples):
    frames = 1 + samples // hop
    a1 = between(-0.9, 0.9, 2, 1, frames)
    audio = noise(2, 2, samples)
    got, _ = first_order(audio, 1.0, 0.0, Frames(a1, hop))
    want, _ = first_order(audio, 1.0, 0.0, torch.from_numpy(drawn(a1, hop, samples)))
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("samples", [1, 7, 150])
def test_gradients(samples):
    check_gradients(first_order, arguments(2, 2, samples), second=samples < 10)


def test_gradients_of_frames():
    kernel = framed(first_order, 30)
    given_tensors = (noise(2, 2, 100), noise(4), noise(2, 1, 4), between(-0.9, 0.9, 2, 2, 4), noise(2, 2, 2))
    check_gradients(kernel, given_tensors, second=False)
    check_both_ways_agree(kernel, given_tensors)


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 700])
def test_compiled_code_and_pytorch_agree(samples):
    check_both_ways_agree(first_order, arguments(5, 2, samples))


@settings(max_examples=examples(25), deadline=None)
@given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(cuts):
    audio, *controls, state = arguments(2, 2, sum(cuts))
    check_blocks_equal_the_whole(first_order, audio, controls, state, cuts)


def test_rows_do_not_depend_on_each_other():
    audio, *controls, state = arguments(19, 1, 300)
    whole, _ = first_order(audio, *controls, state)
    for item in (0, 8, 18):
        one = [c if c.ndim == 1 else c[item : item + 1] for c in controls]
        alone, _ = first_order(audio[item : item + 1], *one, state[item : item + 1])
        assert torch.equal(alone, whole[item : item + 1])


def test_silence_stays_silence_and_small_numbers_stay_finite():
    silent, last = first_order(torch.zeros(1, 1, 1000), 1.0, 0.5, -0.99)
    assert not silent.any()
    assert not last.any()
    tiny, _ = first_order(torch.full((1, 1, 1000), 1e-42), 1.0, 0.5, -0.99)
    assert tiny.isfinite().all()


def test_the_backward_pass_may_run_twice_and_leaves_its_arguments():
    given_tensors = [tensor.requires_grad_() for tensor in arguments(2, 2, 200)]
    before = [tensor.detach().clone() for tensor in given_tensors]
    total = sum(made.sum() for made in first_order(*given_tensors))
    first = torch.autograd.grad(total, given_tensors, retain_graph=True)
    second = torch.autograd.grad(total, given_tensors)
    assert all(map(torch.equal, first, second))
    assert all(map(torch.equal, given_tensors, before))


def test_under_torch_compile():
    given_tensors = [tensor.requires_grad_() for tensor in arguments(2, 2, 150)]
    compiled = torch.compile(first_order, backend="aot_eager", fullgraph=True)
    got, want = compiled(*given_tensors), first_order(*given_tensors)
    for ours, theirs in zip(got, want):
        torch.testing.assert_close(ours, theirs)
    ours, theirs = (torch.autograd.grad(sum(m.sum() for m in made), given_tensors) for made in (got, want))
    for mine, other in zip(ours, theirs):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize(
    ("controls", "state", "said"),
    [
        ((torch.ones(3), 0.0, 0.0), None, "b0 of shape"),
        ((1.0, torch.ones(3, 1, 1), 0.0), None, "b1 of shape"),
        ((1.0, 0.0, 0.0), torch.zeros(2, 1, 3), "state has to be"),
        ((1.0, 0.0, 0.0), torch.zeros(2, 1, 2, dtype=torch.float64), "state has to be"),
    ],
)
def test_what_does_not_fit_is_refused(controls, state, said):
    with pytest.raises(DJGraphError, match=said):
        first_order(torch.zeros(2, 1, 10), *controls, state)


def test_frames_without_a_hop_are_refused():
    with pytest.raises(DJGraphError, match="hop"):
        Frames(torch.zeros(3), 0)


@pytest.mark.parametrize("gradients", [False, True])
def test_no_samples(gradients):
    audio = noise(2, 1, 0).requires_grad_(gradients)
    state = noise(2, 1, 2)
    filtered, last = first_order(audio, 0.5, 0.1, -0.9, state)
    assert filtered.shape == audio.shape
    assert torch.equal(last, state)
    if gradients:
        (gradient,) = torch.autograd.grad(filtered.sum() + last.sum(), audio)
        assert gradient.shape == audio.shape
