"""Three bands against two_bands in a tree, the analogue magnitudes, their sum, and finite differences."""

import functools

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
)
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.dsp import three_bands, two_bands
from djgraph.errors import DJGraphError

RATE = 44100.0
CROSSOVERS = (300.0, 4000.0)
kernel = functools.partial(three_bands, crossovers=CROSSOVERS, sample_rate=RATE)


def arguments(batch, channels, samples, seed=0):
    """audio, low, mid, high, state."""
    weights = (between(-1, 2, batch, 1, samples, seed=seed + k) for k in (1, 2, 3))
    return (
        noise(batch, channels, samples, seed=seed),
        *weights,
        noise(batch, channels, 10, seed=seed + 4),
    )


def response(low, mid, high, crossovers=CROSSOVERS, size=2**16):
    impulse = torch.zeros(1, 1, size, dtype=torch.float64)
    impulse[..., 0] = 1
    made, _ = three_bands(impulse, low, mid, high, crossovers=crossovers, sample_rate=RATE)
    return torch.fft.rfft(made[0, 0])


@pytest.mark.parametrize("crossovers", [(300.0, 4000.0), (1000.0, 1500.0), (50.0, 18000.0)])
@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.3, 2.0, 0.7)])
def test_magnitudes_are_the_analogue_ones(crossovers, weights):
    frequencies = torch.fft.rfftfreq(2**16, 1 / RATE).double()
    r, s = ((frequencies / crossover) ** 4 for crossover in crossovers)
    bands = (1 / (1 + r), r / (1 + r) - s / (1 + s), s / (1 + s))
    want = sum(weight * band for weight, band in zip(weights, bands))
    got = response(*weights, crossovers).abs()
    judged = (frequencies >= 20) & (frequencies <= 16000) & (want > 10 ** (-30 / 20))
    assert (20 * torch.log10(got[judged] / want[judged])).abs().max() < 0.04


def test_the_bands_are_in_phase_and_add_up_to_an_all_pass():
    whole = response(1.0, 1.0, 1.0)
    torch.testing.assert_close(whole.abs(), torch.ones_like(whole.abs()))
    for band in (response(1.0, 0.0, 0.0), response(0.0, 1.0, 0.0), response(0.0, 0.0, 1.0)):
        assert (band / whole).imag.abs().max() < 1e-7


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_a_tree_of_two_bands(dtype):
    audio = noise(3, 2, 3000, dtype=dtype)
    low, mid, high = (between(0, 2, 3, 1, 3000, seed=seed).to(dtype) for seed in (1, 2, 3))
    first = functools.partial(two_bands, cutoff=CROSSOVERS[0], sample_rate=RATE)
    second = functools.partial(two_bands, cutoff=CROSSOVERS[1], sample_rate=RATE)
    below, whole = first(audio, low=1.0, high=0.0)[0], first(audio, low=1.0, high=1.0)[0]
    rest, _ = second(whole, low=mid, high=high)
    want = rest + (low - mid) * second(below, low=1.0, high=1.0)[0]
    got, _ = kernel(audio, low, mid, high)
    tolerance = 2e-5 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("samples", [1, 6, 70])
def test_gradients(samples):
    check_gradients(kernel, arguments(2, 2, samples), second=samples == 1)


def test_gradients_of_frames():
    weights = [between(0, 2, 2, 1, 4, seed=seed) for seed in (1, 2, 3)]
    check_gradients(framed(kernel, 30), (noise(2, 2, 100), *weights, noise(2, 2, 10)), second=False)


@settings(max_examples=examples(30), deadline=None)
@given(
    batch=st.integers(1, 11),
    channels=st.integers(1, 3),
    samples=st.integers(1, 600),
    seed=st.integers(0, 1000),
)
def test_compiled_code_and_pytorch_agree(batch, channels, samples, seed):
    check_both_ways_agree(kernel, arguments(batch, channels, samples, seed))


@settings(max_examples=examples(20), deadline=None)
@given(cuts=st.lists(st.integers(2, 300), min_size=1, max_size=6))
def test_blocks_equal_the_whole_with_gradients(cuts):
    audio, *weights, state = arguments(2, 2, sum(cuts))
    check_blocks_equal_the_whole(kernel, audio, weights, state, cuts)


def test_silence_and_small_numbers():
    check_silence_and_small_numbers(kernel, 1.0, 0.5, 0.0)


@pytest.mark.parametrize("crossovers", [(0.0, 4000.0), (300.0, float("inf"))])
def test_crossovers_are_frequencies(crossovers):
    with pytest.raises(DJGraphError, match="crossovers in Hz above 0"):
        three_bands(torch.zeros(1, 1, 4), 1.0, 1.0, 1.0, crossovers=crossovers, sample_rate=RATE)
