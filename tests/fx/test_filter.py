"""Resonant filters: against a loop over samples, analogue prototypes by SciPy, in blocks, and swept."""

import numpy as np
import pytest
import scipy.signal
import torch
from djgraph_fx import Filter, FilterKnob
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from .bench import RATE, build, noise, process, unit

KINDS = ("lowpass", "highpass", "bandpass", "notch")
BUTTERWORTH = 0.5**0.5


def sample_loop(audio, cutoff, q, rate=RATE):
    """LP, BP·k and HP of one channel by Zavalishin's zero-delay feedback, one sample at a time."""
    first = second = 0.0
    parts = np.zeros((3, len(audio)))
    for n, x in enumerate(audio):
        g, k = np.tan(np.pi * min(cutoff[n] / rate, 0.49)), 1 / q[n]
        high = (x - (k + g) * first - second) / (1 + g * (g + k))
        band, low = first + g * high, second + g * (first + g * high)
        first, second = 2 * band - first, 2 * low - second
        parts[:, n] = low, k * band, high
    return parts


def wanted(kind, audio, cutoff, q, mix):
    low, band, high = sample_loop(audio, cutoff, q)
    filtered = {"lowpass": low, "highpass": high, "bandpass": band, "notch": low + high}[kind]
    return (1 - mix) * audio + mix * filtered


def curves(batch, samples, seed=0):
    """Cutoffs from 20 Hz to beyond half the sample rate, resonances of 0.5 to 20."""
    return {
        "cutoff": 20 * 400 ** unit(batch, 1, samples, seed=seed),
        "q": 0.5 * 40 ** unit(batch, 1, samples, seed=seed + 1),
        "mix": unit(batch, 1, samples, seed=seed + 2),
    }


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("samples", [1, 2, 200])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_a_loop_over_samples(kind, samples, channels):
    audio, controls = noise(2, channels, samples), curves(2, samples)
    out, _ = process(build(Filter, kind=kind), audio, controls)
    for item in range(2):
        for channel in range(channels):
            given_curves = (curve[item, 0].numpy() for curve in controls.values())
            want = wanted(kind, audio[item, channel].numpy(), *given_curves)
            np.testing.assert_allclose(out[item, channel].numpy(), want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("q", [0.5, BUTTERWORTH, 8.0])
@pytest.mark.parametrize("kind", KINDS)
def test_is_the_analogue_filter_through_the_bilinear_transform(kind, q):
    cutoff, samples = 700.0, 4000
    warped = 2 * RATE * np.tan(np.pi * cutoff / RATE)
    numerator = {
        "lowpass": [warped**2],
        "highpass": [1, 0, 0],
        "bandpass": [warped / q, 0],
        "notch": [1, 0, warped**2],
    }[kind]
    b, a = scipy.signal.bilinear(numerator, [1, warped / q, warped**2], RATE)
    audio = noise(1, 1, samples)
    constant = {"cutoff": cutoff, "q": q, "mix": 1.0}
    controls = {
        name: torch.full((1, 1, samples), value, dtype=torch.float64) for name, value in constant.items()
    }
    out, _ = process(build(Filter, kind=kind), audio, controls)
    want = scipy.signal.lfilter(b, a, audio[0, 0].numpy())
    np.testing.assert_allclose(out[0, 0].numpy(), want, rtol=1e-9, atol=1e-10)


@settings(max_examples=examples(25), deadline=None)
@given(cuts=st.lists(st.integers(1, 200), min_size=1, max_size=6), kind=st.sampled_from(KINDS))
def test_blocks_equal_the_whole(cuts, kind):
    effect, samples = build(Filter, kind=kind), sum(cuts)
    audio, controls = noise(2, 2, samples), curves(2, samples)
    whole, last = process(effect, audio, controls)
    streamed, state = process(effect, audio, controls, cuts)
    torch.testing.assert_close(streamed, whole, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(state["integrators"], last["integrators"], rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_mix_0_is_the_signal_bit_for_bit(kind):
    audio, controls = noise(1, 2, 500, dtype=torch.float32), curves(1, 500)
    controls = {name: curve.float() for name, curve in controls.items()} | {"mix": torch.zeros(1, 1, 500)}
    out, _ = process(build(Filter, kind=kind), audio, controls)
    assert torch.equal(out, audio)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_of_the_whole_range_in_10_ms_stays_bounded(kind):
    """And in single precision as exact as the loop in double."""
    sweep = RATE // 100
    position = torch.cat([torch.linspace(0, 1, sweep), torch.linspace(1, 0, sweep)]).repeat(100)[None, None]
    samples = position.shape[-1]
    controls = {
        "cutoff": 20 * 1000.0**position,
        "q": torch.full_like(position, 20.0),
        "mix": torch.ones_like(position),
    }
    audio = noise(1, 1, samples, dtype=torch.float32)
    out, _ = process(build(Filter, kind=kind), audio, controls)
    constants = (controls[name][0, 0].double().numpy() for name in ("cutoff", "q", "mix"))
    want = wanted(kind, audio[0, 0].double().numpy(), *constants)
    assert float(out.abs().max()) < 20 * float(audio.abs().max())
    np.testing.assert_allclose(out[0, 0].numpy(), want, atol=1e-3)


def knob_controls(knob, samples, q=BUTTERWORTH):
    values = {"knob": knob, "q": q}
    return {name: torch.full((1, 1, samples), value, dtype=torch.float64) for name, value in values.items()}


@pytest.mark.parametrize("q", [BUTTERWORTH, 6.0])
@pytest.mark.parametrize("knob", [-1.0, -0.5, -0.1, -0.05, -0.01, 0.02, 0.07, 0.1, 0.4, 1.0])
def test_the_knob_is_a_lowpass_or_a_highpass(knob, q):
    """Of what that takes away, 1 − (1 − |knob|/0.1)² within 0.1 of the middle."""
    audio, lowest, highest = noise(1, 2, 800), 30.0, 15000.0
    travel = 1 + knob if knob < 0 else knob
    cutoff = lowest * (highest / lowest) ** travel
    alone = {"cutoff": cutoff, "q": q, "mix": 1.0}
    controls = {name: torch.full((1, 1, 800), value, dtype=torch.float64) for name, value in alone.items()}
    filtered, _ = process(build(Filter, kind="lowpass" if knob < 0 else "highpass"), audio, controls)
    share = 1 - max(0.0, 1 - abs(knob) / 0.1) ** 2
    out, _ = process(build(FilterKnob), audio, knob_controls(knob, 800, q))
    torch.testing.assert_close(out, (1 - share) * audio + share * filtered, rtol=1e-12, atol=1e-12)


def test_the_middle_of_the_knob_is_the_signal_bit_for_bit():
    audio = noise(1, 2, 300, dtype=torch.float32)
    controls = {name: curve.float() for name, curve in knob_controls(0.0, 300, 20.0).items()}
    out, _ = process(build(FilterKnob), audio, controls)
    assert torch.equal(out, audio)


def test_what_the_knob_takes_away_fades_in_around_the_middle():
    audio = noise(1, 1, 2000)
    taken = []
    for knob in (0.0, 0.02, 0.05, 0.1):
        out, _ = process(build(FilterKnob), audio, knob_controls(knob, 2000))
        taken.append(float((out - audio).square().sum()))
    assert taken[0] == 0
    assert taken == sorted(taken)


def test_a_knob_at_rest_can_leave_the_middle():
    audio, controls = noise(1, 1, 400), knob_controls(0.0, 400)
    controls["knob"].requires_grad_()
    out, _ = process(build(FilterKnob), audio, controls)
    out.square().sum().backward()
    assert float(controls["knob"].grad.abs().sum()) > 0


def test_gradients_of_the_knob_on_both_sides_of_the_middle():
    effect, audio = build(FilterKnob), noise(1, 2, 24).requires_grad_()
    sides = torch.where(unit(1, 1, 24) > 0.5, 1.0, -1.0)
    knob = (sides * (0.01 + 0.98 * unit(1, 1, 24, seed=3))).requires_grad_()
    q, first = (0.6 + 5 * unit(1, 1, 24, seed=4)).requires_grad_(), noise(1, 2, 2, 2).requires_grad_()

    def run(audio, knob, q, first):
        out, state = process(effect, audio, {"knob": knob, "q": q}, [10, 14], {"integrators": first})
        return out, state["integrators"]

    assert gradcheck(run, (audio, knob, q, first))
