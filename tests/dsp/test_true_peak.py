"""True peaks against SciPy's convolution, oversampled sines, blocks and finite differences."""

import math
from importlib import import_module

import numpy as np
import pytest
import torch
from dsp_recursions import check_blocks_equal_the_whole, check_gradients, noise
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import upfirdn

from djgraph.dsp import true_peak
from djgraph.dsp.true_peak import DELAY, interpolator
from djgraph.errors import DJGraphError


def taps():
    """All 48 in order."""
    phases = interpolator(torch.float64, torch.device("cpu"))[:, 0].flip(1)
    return phases.T.reshape(-1).numpy()


def test_the_filter_is_symmetric_and_interpolates_a_constant():
    assert len(taps()) == 48
    np.testing.assert_array_equal(taps(), taps()[::-1])
    assert taps().reshape(12, 4).sum(0) == pytest.approx(np.ones(4), abs=0.04)


@settings(max_examples=examples(20), deadline=None)
@given(samples=st.integers(1, 80), seed=st.integers(0, 100))
def test_equals_scipys_oversampling(samples, seed):
    audio = noise(2, samples, seed=seed)
    got, _ = true_peak(audio)
    for row in range(2):
        between = np.abs(upfirdn(taps(), audio[row].numpy(), up=4))
        padded = np.zeros(4 * samples)
        padded[: min(len(between), 4 * samples)] = between[: 4 * samples]
        np.testing.assert_allclose(got[row].numpy(), padded.reshape(-1, 4).max(1), atol=1e-12)


@pytest.mark.parametrize("frequency", [0.01, 0.1, 0.24, 0.25, 0.4])
@pytest.mark.parametrize("phase", [0.0, 0.3, math.pi / 4])
def test_sines_between_their_samples(frequency, phase):
    """Where it says that they are: at n − 5.875 and so on, to the filter's own ripple."""
    n = torch.arange(400, dtype=torch.float64)
    got, _ = true_peak(torch.sin(2 * math.pi * frequency * n + phase))
    places = (n - DELAY)[:, None] + (torch.arange(4) + 0.5) / 4
    want = torch.sin(2 * math.pi * frequency * places + phase).abs().amax(1)
    torch.testing.assert_close(got[20:], want[20:], rtol=0, atol=0.05)


def test_stretches_of_a_long_signal_join(monkeypatch):
    audio = noise(3, 2000).requires_grad_()
    want = true_peak(audio)[0]
    (slope,) = torch.autograd.grad(want.square().sum(), audio)
    monkeypatch.setattr(import_module("djgraph.dsp.true_peak"), "POINTS_AT_ONCE", 1)
    got = true_peak(audio)[0]
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(torch.autograd.grad(got.square().sum(), audio)[0], slope)


def test_gradients_and_blocks():
    def kernel(audio, state):
        return true_peak(audio, state)

    check_gradients(kernel, (noise(2, 2, 20), noise(2, 2, 11, seed=1)))
    audio, state = noise(2, 2, 90), noise(2, 2, 11, seed=1)
    check_blocks_equal_the_whole(kernel, audio, [], state, [1, 1, 5, 40, 43])


def test_no_samples_and_what_does_not_fit():
    assert true_peak(torch.zeros(2, 0))[0].shape == (2, 0)
    with pytest.raises(DJGraphError, match="floating point"):
        true_peak(torch.zeros(4, dtype=torch.int16))
    with pytest.raises(DJGraphError, match="state has to be"):
        true_peak(torch.zeros(2, 4), torch.zeros(2, 12))
