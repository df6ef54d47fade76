"""Two bands against the analogue magnitudes, a direct form of SciPy's, their sum, and finite differences."""

import functools

import numpy as np
import pytest
import torch
from dsp_recursions import (
    between,
    check_blocks_equal_the_whole,
    check_both_ways_agree,
    check_gradients,
    check_silence_and_small_numbers,
    framed,
    noise,
    without_compiled_code,
)
from effort import examples, few
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from djgraph.dsp import two_bands
from djgraph.errors import DJGraphError

RATE = 44100.0
ORDERS = pytest.mark.parametrize("order", [2, 4])
FIT = {2: (1.0199856, (1.0, -0.44169657)), 4: (0.99603662, (1.0, -0.61822182, -0.12143678))}
"""What P is made of: level^order, and its coefficients by powers of u."""


def kernel(order):
    return functools.partial(two_bands, order=order, sample_rate=RATE)


def arguments(order, batch, channels, samples, seed=0):
    """audio, cutoff, low, high, state."""
    return (
        noise(batch, channels, samples, seed=seed),
        between(20, 21000, batch, 1, samples, seed=seed + 1),
        between(-1, 2, batch, 1, samples, seed=seed + 2),
        between(-1, 2, batch, channels, samples, seed=seed + 3),
        noise(batch, channels, order, seed=seed + 4),
    )


def responses(order, cutoff, low, high, size=2**17):
    impulse = torch.zeros(1, 1, size, dtype=torch.float64)
    impulse[..., 0] = 1
    made, _ = kernel(order)(impulse, cutoff, low, high)
    return torch.fft.rfft(made[0, 0])


@ORDERS
@pytest.mark.parametrize("cutoff", few([20.0, 150.0, 1000.0, 5000.0, 10000.0, 16000.0, 20000.0, 30000.0], 3))
def test_magnitudes_are_the_analogue_ones(order, cutoff):
    bound = {2: 0.18, 4: 0.04}[order]
    frequencies = torch.fft.rfftfreq(2**17, 1 / RATE).double()
    heard = (frequencies >= 20) & (frequencies <= 16000)
    ratio = (frequencies / cutoff) ** order
    for low, high in ((1.0, 0.0), (0.0, 1.0), (1.0, 0.3), (0.1, 2.0)):
        want = (low + high * ratio) / (1 + ratio)
        got = responses(order, cutoff, low, high).abs()
        judged = heard & (want > 10 ** (-30 / 20))
        if judged.any():
            off = 20 * torch.log10(got[judged] / want[judged]).abs().max()
            assert off < bound


@ORDERS
@pytest.mark.parametrize("cutoff", [150.0, 5000.0, 20000.0])
def test_the_two_are_in_phase_and_add_up_to_an_all_pass(order, cutoff):
    both, low = responses(order, cutoff, 1.0, 1.0), responses(order, cutoff, 1.0, 0.0)
    torch.testing.assert_close(both.abs(), torch.ones_like(both.abs()))
    share = low / both
    assert share.imag.abs().max() < 1e-9
    assert share.real.min() > -1e-9


@ORDERS
@pytest.mark.parametrize("cutoff", [300.0, 6000.0, 19000.0])
def test_it_is_the_filter_whose_denominator_has_its_magnitude(order, cutoff):
    """The roots of u^n + h^order·P(u) inside the unit circle, found by NumPy: a direct form of the whole filter."""
    level, fit = FIT[order]
    half = order // 2
    h = np.pi * cutoff / RATE
    u = np.polynomial.Polynomial([0.5, -0.25])  # of z + 1/z
    above = u**half
    below = h**order * level * np.polynomial.Polynomial(fit)(u)
    roots = [np.roots([1, -pair, 1]) for pair in (above + below).roots()]
    poles = [min(pair, key=abs) for pair in roots]
    a = np.real(np.poly(poles))
    gain = np.sqrt((above + below)(2.0)) / a.sum()  # at z = 1
    # The numerator: u^n with the delay of half the order is (−1)^n·(1 − z⁻¹)^order/4^n.
    high = (-1) ** half * np.poly([1.0] * order) / 4**half / gain**2
    audio = noise(1, 1, 2000)
    made, _ = kernel(order)(audio, cutoff, 0.0, 1.0)
    want = lfilter(high, np.convolve(a, a), audio.numpy())
    np.testing.assert_allclose(made.numpy(), want, rtol=1e-6, atol=1e-8)


@ORDERS
@pytest.mark.parametrize("samples", [1, 6, 100])
def test_gradients(order, samples):
    check_gradients(kernel(order), arguments(order, 2, 2, samples), second=samples == 1)


@ORDERS
def test_gradients_of_frames(order):
    values = (
        noise(2, 2, 100),
        between(100, 15000, 2, 1, 4),
        between(0, 1, 2, 1, 4),
        between(0, 1, 2, 1, 4),
        noise(2, 2, order),
    )
    check_gradients(framed(kernel(order), 30), values, second=False)


@ORDERS
@settings(max_examples=examples(30), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(1, 600),
    seed=st.integers(0, 1000),
)
def test_compiled_code_and_pytorch_agree(order, batch, channels, samples, seed):
    check_both_ways_agree(kernel(order), arguments(order, batch, channels, samples, seed))


@ORDERS
@settings(max_examples=examples(20), deadline=None)
@given(cuts=st.lists(st.integers(2, 300), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(order, cuts):
    audio, *controls, state = arguments(order, 2, 2, sum(cuts))
    check_blocks_equal_the_whole(kernel(order), audio, controls, state, cuts)


@ORDERS
def test_a_cutoff_jumping_over_its_whole_range_stays_bounded(order):
    audio = noise(1, 1, 20000).clamp(-1, 1)
    cutoff = torch.where(torch.arange(20000, dtype=torch.float64) // 37 % 2 == 0, 20.0, 20000.0)
    made, _ = kernel(order)(audio, cutoff, 1.0, 0.0)
    assert made.abs().max() < 3


@ORDERS
def test_a_cutoff_below_zero_is_zero_without_gradient(order):
    cutoff = torch.tensor([-5.0], dtype=torch.float64, requires_grad=True)
    audio = noise(1, 1, 50)
    made, _ = kernel(order)(audio, cutoff, 1.0, 1.0)
    made.sum().backward()
    assert cutoff.grad == 0
    torch.testing.assert_close(made, kernel(order)(audio, 0.0, 1.0, 1.0)[0])
    with without_compiled_code():
        torch.testing.assert_close(made, kernel(order)(audio, -5.0, 1.0, 1.0)[0])


@ORDERS
def test_silence_and_small_numbers(order):
    check_silence_and_small_numbers(kernel(order), 100.0, 1.0, 0.5)


def test_other_orders_are_refused():
    with pytest.raises(DJGraphError, match="order 2 or 4"):
        two_bands(torch.zeros(1, 1, 4), 100.0, 1.0, 1.0, order=3, sample_rate=RATE)
