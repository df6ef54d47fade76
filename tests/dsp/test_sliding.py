"""Sliding maximum and mean against SciPy, loops over samples and finite differences."""

import numpy as np
import pytest
import torch
from dsp_recursions import check_blocks_equal_the_whole, check_gradients, noise
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter1d

from djgraph.dsp import sliding_max, sliding_mean
from djgraph.errors import DJGraphError

KERNELS = pytest.mark.parametrize("kernel", [sliding_max, sliding_mean])


def sample_loop(kernel, signal, length, state):
    whole = np.concatenate((state.numpy(), signal.numpy()), axis=-1)
    windows = np.lib.stride_tricks.sliding_window_view(whole, length, axis=-1)
    return windows.max(-1) if kernel is sliding_max else windows.mean(-1)


@KERNELS
@settings(max_examples=examples(80), deadline=None)
@given(
    samples=st.integers(0, 300),
    length=st.integers(1, 130),
    rough=st.booleans(),
    followed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_windows(kernel, samples, length, rough, followed, seed):
    """``rough``: few values, so that many are equal."""
    signal, state = noise(2, 3, samples, seed=seed), noise(2, 3, length - 1, seed=seed + 1)
    if rough:
        signal, state = signal.round(), state.round()
    got, last = kernel(signal.requires_grad_(followed), length, state)
    want = sample_loop(kernel, signal.detach(), length, state) if samples else np.zeros((2, 3, 0))
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-12, atol=1e-12)
    whole = torch.cat((state, signal), dim=-1)
    assert torch.equal(last, whole[..., whole.shape[-1] - length + 1 :])


@pytest.mark.parametrize("length", [1, 2, 7, 64, 221])
def test_the_maximum_from_the_start_is_of_what_has_come(length):
    signal = noise(2, 1000, dtype=torch.float32) - 5
    got, _ = sliding_max(signal, length)
    want = maximum_filter1d(
        signal.numpy(), length, axis=-1, mode="constant", cval=-np.inf, origin=(length - 1) // 2
    )
    np.testing.assert_array_equal(got.numpy(), want)


@KERNELS
@pytest.mark.parametrize("length", [1, 2, 5, 8])
@pytest.mark.parametrize("samples", [1, 6, 20])
def test_gradients(kernel, samples, length):
    given_tensors = (noise(2, 2, samples), noise(2, 2, length - 1, seed=1))
    check_gradients(lambda signal, state: kernel(signal, length, state), given_tensors)


@settings(max_examples=examples(20), deadline=None)
@given(length=st.integers(1, 40), seed=st.integers(0, 100))
def test_each_maximum_gives_its_gradient_to_one_sample(length, seed):
    """Also where samples are equal: the gradients of the samples add up to those of the maxima."""
    signal = noise(1, 200, seed=seed).round().requires_grad_()
    made, _ = sliding_max(signal, length)
    weights = noise(1, 200, seed=seed + 1)
    (gradient,) = torch.autograd.grad((made * weights).sum(), signal)
    assert float(gradient.sum()) == pytest.approx(float(weights.sum()))
    (ones,) = torch.autograd.grad(sliding_max(signal, length)[0].sum(), signal)
    assert torch.equal(ones, ones.round())


@KERNELS
@settings(max_examples=examples(20), deadline=None)
@given(length=st.integers(1, 90), cuts=st.lists(st.integers(1, 120), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(kernel, length, cuts):
    signal, state = noise(2, 2, sum(cuts)), noise(2, 2, length - 1, seed=1)
    check_blocks_equal_the_whole(lambda x, s: kernel(x, length, s), signal, [], state, cuts)


def test_the_mean_of_zeros_is_zero_whatever_was_before():
    signal = torch.cat((1e6 * noise(1, 5000, dtype=torch.float32), torch.zeros(1, 500)), dim=-1)
    made, _ = sliding_mean(signal, 100)
    assert not made[..., -400:].any()
    assert made.dtype == torch.float32


def test_the_mean_in_single_precision_after_minutes():
    """One call of two minutes at 44.1 kHz, with an offset that a running sum in float32 would lose."""
    signal = noise(1, 120 * 44100, dtype=torch.float32) + 100
    made, _ = sliding_mean(signal, 441)
    want = signal[..., -441:].double().mean()
    assert float(made[0, -1]) == pytest.approx(float(want), abs=1e-5)


@KERNELS
def test_under_torch_compile_and_vmap(kernel):
    signal = noise(2, 2, 50)

    def run(x):
        return kernel(x, 7)[0]

    compiled = torch.compile(run, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(signal), run(signal))
    torch.testing.assert_close(torch.func.vmap(run)(signal), run(signal))


@KERNELS
@pytest.mark.parametrize(
    ("signal", "length", "state", "said"),
    [
        (torch.zeros(2, 9, dtype=torch.int64), 3, None, "floating point"),
        (torch.tensor(1.0), 3, None, "shape"),
        (torch.zeros(2, 9), 0, None, "length has to be"),
        (torch.zeros(2, 9), 2.5, None, "length has to be"),
        (torch.zeros(2, 9), 3, torch.zeros(2, 3), "state has to be"),
        (torch.zeros(2, 9), 3, torch.zeros(2, 2, dtype=torch.float64), "state has to be"),
    ],
)
def test_what_does_not_fit_is_refused(kernel, signal, length, state, said):
    with pytest.raises(DJGraphError, match=said):
        kernel(signal, length, state)
