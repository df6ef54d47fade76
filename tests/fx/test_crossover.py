"""Crossovers and isolators against Butterworth filters of SciPy's, the sum of their bands, and closed forms."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from djgraph_fx import Crossover2, Crossover3, Crossover4, Isolator, Isolator4
from djgraph_fx.isolator import PROFILES
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.signal import butter, lfilter

from djgraph.effects import Block, Environment
from djgraph.errors import EffectError

from .bench import RATE, build, noise, process, unit

CROSSOVERS = {
    Crossover2: {"frequency": 900.0},
    Crossover3: {"low": 200.0, "high": 2500.0},
    Crossover4: {"low": 120.0, "mid": 800.0, "high": 3000.0},
}
EVERY = pytest.mark.parametrize(("effect_class", "cutoffs"), CROSSOVERS.items())
ORDERS = pytest.mark.parametrize("order", [2, 4])


def bands(effect, audio, controls, cuts=None):
    """All outputs, and the last state."""
    state = effect.initial_state(*audio.shape[:2], audio)
    parts, start = {port.name: [] for port in effect.outputs}, 0
    for length in cuts or [audio.shape[-1]]:
        span = slice(start, start + length)
        outputs, state = effect.process(
            {"in": audio[..., span]},
            {name: control[..., span] for name, control in controls.items()},
            state,
            Block(start, length, RATE),
        )
        for name, part in outputs.items():
            parts[name].append(part)
        start += length
    return {name: torch.cat(part, -1) for name, part in parts.items()}, state


def held(samples, **values):
    return {name: torch.full((1, 1, samples), value, dtype=torch.float64) for name, value in values.items()}


def filtered(audio, cutoff, kind, order):
    """One side of a Linkwitz–Riley crossover; the high one of order 2 has its sign turned."""
    b, a = butter(order // 2, cutoff, kind, fs=RATE)
    made = lfilter(b, a, lfilter(b, a, audio))
    return -made if kind == "high" and order == 2 else made


def turned(audio, cutoff, order):
    """What both sides add up to: a Butterworth filter's denominator backwards over itself."""
    _, a = butter(order // 2, cutoff, fs=RATE)
    return lfilter(a[::-1], a, audio)


def wanted(audio, cutoffs, order):
    """The bands, by SciPy."""
    if len(cutoffs) == 1:
        return [filtered(audio, cutoffs[0], kind, order) for kind in ("low", "high")]
    if len(cutoffs) == 2:
        upper = filtered(audio, cutoffs[0], "high", order)
        return [
            turned(filtered(audio, cutoffs[0], "low", order), cutoffs[1], order),
            *wanted(upper, cutoffs[1:], order),
        ]
    low, high = wanted(audio, cutoffs[1:2], order)
    return [
        *(turned(band, cutoffs[2], order) for band in wanted(low, cutoffs[:1], order)),
        *(turned(band, cutoffs[0], order) for band in wanted(high, cutoffs[2:], order)),
    ]


@ORDERS
@EVERY
def test_bands_are_butterworth_filters_and_all_passes(effect_class, cutoffs, order):
    audio = noise(1, 2, 4000)
    got, _ = bands(build(effect_class, order=order), audio, held(4000, **cutoffs))
    for name, want in zip(got, wanted(audio.numpy(), list(cutoffs.values()), order)):
        np.testing.assert_allclose(got[name].numpy(), want, atol=1e-8, err_msg=name)


@ORDERS
@EVERY
def test_the_sum_is_an_all_pass(effect_class, cutoffs, order):
    impulse = torch.zeros(1, 1, 2**14, dtype=torch.float64)
    impulse[..., 0] = 1
    got, _ = bands(build(effect_class, order=order), impulse, held(2**14, **cutoffs))
    magnitude = torch.fft.rfft(sum(got.values())).abs()
    torch.testing.assert_close(magnitude, torch.ones_like(magnitude))


@ORDERS
@EVERY
def test_bands_are_in_phase_with_their_sum_far_into_their_neighbours(effect_class, cutoffs, order):
    impulse = torch.zeros(1, 1, 2**14, dtype=torch.float64)
    impulse[..., 0] = 1
    got, _ = bands(build(effect_class, order=order), impulse, held(2**14, **cutoffs))
    spectra = {name: torch.fft.rfft(band[0, 0]) for name, band in got.items()}
    total = sum(spectra.values())
    for spectrum in spectra.values():
        share = spectrum / total
        there = share.abs() > 1e-4
        torch.testing.assert_close(share[there].imag, torch.zeros_like(share[there].imag), rtol=0, atol=1e-7)
        assert (share[there].real > 0).all()


@settings(max_examples=examples(20), deadline=None)
@given(
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=5),
    effect_class=st.sampled_from(list(CROSSOVERS)),
    order=st.sampled_from([2, 4]),
)
def test_blocks_equal_the_whole_while_cutoffs_move(cuts, effect_class, order):
    samples, effect = sum(cuts), build(effect_class, order=order)
    audio = noise(2, 2, samples)
    controls = {
        name: 20 * 250 ** unit(2, 1, samples, seed=seed) for seed, name in enumerate(CROSSOVERS[effect_class])
    }
    whole, last = bands(effect, audio, controls)
    parts, state = bands(effect, audio, controls, cuts)
    for got, want in ((parts, whole), (state, last)):
        for name, tensor in want.items():
            torch.testing.assert_close(got[name], tensor, rtol=1e-10, atol=1e-10)


@ORDERS
@EVERY
def test_gradients(effect_class, cutoffs, order):
    effect, audio = build(effect_class, order=order), noise(1, 2, 8).requires_grad_()
    curves = [(20 * 200 ** unit(1, 1, 8, seed=seed)).requires_grad_() for seed in range(len(cutoffs))]

    def run(audio, *curves):
        made, state = bands(effect, audio, dict(zip(cutoffs, curves)))
        return *made.values(), *state.values()

    assert gradcheck(run, (audio, *curves))


# ---- isolators


def isolated(effect_class, gains, samples=2**14, **given_settings):
    """Magnitudes for an impulse, at RATE, and the frequencies."""
    impulse = torch.zeros(1, 1, samples, dtype=torch.float64)
    impulse[..., 0] = 1
    out, _ = process(build(effect_class, **given_settings), impulse, held(samples, **gains))
    return torch.fft.rfft(out[0, 0]).abs().numpy(), np.fft.rfftfreq(samples, 1 / RATE)


ISOLATORS = {
    Isolator: (("low", "mid", "high"), {"low": 300.0, "high": 3000.0}),
    Isolator4: (("low", "low_mid", "high_mid", "high"), {"low": 150.0, "mid": 800.0, "high": 3000.0}),
}


@ORDERS
@pytest.mark.parametrize("effect_class", ISOLATORS)
@pytest.mark.parametrize("seed", range(6))
def test_magnitudes_are_the_weighted_ones_of_the_bands(effect_class, order, seed):
    """Bands are in phase, so their magnitudes add up: 1/(1 + w^order) and w^order/(1 + w^order) at each crossover."""
    names, cutoffs = ISOLATORS[effect_class]
    gains = {name: float(g) for name, g in zip(names, np.random.default_rng(seed).uniform(-50, 12, 4))}
    if seed == 0:
        gains = dict.fromkeys(names, 0.0)
    got, frequency = isolated(effect_class, gains, **cutoffs, order=order)
    w = [
        np.tan(np.pi * np.minimum(frequency / RATE, 0.49999)) / np.tan(np.pi * c / RATE)
        for c in cutoffs.values()
    ]
    sides = [(1 / (1 + one**order), 1 / (1 + (one + 1e-30) ** -float(order))) for one in w]
    if len(sides) == 2:
        (l1, h1), (l2, h2) = sides
        shares = [l1, h1 * l2, h1 * h2]
    else:
        (l1, h1), (l2, h2), (l3, h3) = sides
        shares = [l2 * l1, l2 * h1, h2 * l3, h2 * h3]
    want = sum(10 ** (gain / 20) * share for gain, share in zip(gains.values(), shares))
    np.testing.assert_allclose(got[:-1], want[:-1], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("effect_class", ISOLATORS)
def test_a_band_at_the_lower_end_is_gone_and_all_of_them_are_silence(effect_class):
    names, cutoffs = ISOLATORS[effect_class]
    got, frequency = isolated(effect_class, dict.fromkeys(names, 0.0) | {"low": -60.0}, **cutoffs)
    first = next(iter(cutoffs.values()))
    far = frequency <= first / 4
    assert 20 * np.log10(got[far].max()) < -48
    silent, _ = isolated(effect_class, dict.fromkeys(names, -60.0), **cutoffs)
    assert not silent.any()


def test_what_is_killed_can_come_back():
    audio = noise(1, 1, 500)
    controls = {
        name: curve.requires_grad_() for name, curve in held(500, low=-60.0, mid=-60.0, high=-60.0).items()
    }
    out, _ = process(build(Isolator, high=3000), audio, controls)
    out.sum().backward()
    assert all(float(curve.grad.abs().sum()) > 0 for curve in controls.values())


def test_profiles_are_crossovers_of_their_own():
    for profile, (low, high) in PROFILES.items():
        gains = {"low": -20.0, "mid": 6.0, "high": -3.0}
        got, _ = isolated(Isolator, gains, profile=profile)
        want, _ = isolated(Isolator, gains, low=low, high=high)
        np.testing.assert_array_equal(got, want)
    assert all(low < high for low, high in PROFILES.values())


def test_crossovers_have_to_ascend_and_to_fit_the_sample_rate():
    for low, high in pairwise((4000.0, 300.0, 300.0)):
        with pytest.raises(ValidationError, match="has to be below high"):
            Isolator.Settings(low=low, high=high)
    with pytest.raises(ValidationError, match=r"mid \(7000 Hz\) has to be below high \(6000 Hz\)"):
        Isolator4.Settings(mid=7000)
    with pytest.raises(EffectError, match=r"isolator: the highest crossover is at 4000 Hz.*below 4000 Hz"):
        Isolator(Isolator.Settings(), Environment(8000))


@ORDERS
def test_crossovers_that_cross_are_held_in_order(order):
    audio = noise(1, 1, 4000, seed=5)
    low = torch.linspace(100, 8000, 4000, dtype=torch.float64)[None, None]
    high = low.flip(-1)
    three = build(Crossover3, order=order)
    crossed, _ = bands(three, audio, {"low": low, "high": high})
    ordered, _ = bands(three, audio, {"low": low, "high": torch.maximum(low, high)})
    for name in crossed:
        assert torch.equal(crossed[name], ordered[name])
    four, mid = build(Crossover4, order=order), torch.full_like(low, 1000.0)
    crossed, _ = bands(four, audio, {"low": low, "mid": mid, "high": high})
    controls = {"low": torch.minimum(low, mid), "mid": mid, "high": torch.maximum(high, mid)}
    ordered, _ = bands(four, audio, controls)
    for name in crossed:
        assert torch.equal(crossed[name], ordered[name])
