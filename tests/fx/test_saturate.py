"""Saturate: means of the curve against numerical integration, identity, aliases, gradients."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from djgraph_fx import Saturate
from effort import gradcheck, gradgradcheck
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from .bench import RATE, build, noise, process, unit

CURVES = {
    "tanh": math.tanh,
    "cubic": lambda v: (lambda w: w - 4 / 27 * w**3)(max(-1.5, min(1.5, v))),
    "hard": lambda v: max(-1.0, min(1.0, v)),
    "fold": math.sin,
}
KNEES = {"tanh": (), "cubic": (-1.5, 1.5), "hard": (-1.0, 1.0), "fold": ()}
KINDS = pytest.mark.parametrize("kind", CURVES)


def mean(kind, a, b):
    """Of the curve between a and b, by adaptive quadrature from knee to knee."""
    if a == b:
        return CURVES[kind](a)
    low, high = min(a, b), max(a, b)
    ends = [low, *(knee for knee in KNEES[kind] if low < knee < high), high]
    parts = (quad(CURVES[kind], *span, epsabs=1e-13, limit=500)[0] for span in pairwise(ends))
    return sum(parts) / (high - low)


def wet(kind, *inputs, **kwargs):
    """Outputs for inputs ``[samples]`` with mix 1 and 0 dB."""
    audio = torch.tensor(inputs, dtype=torch.float64, **kwargs)[None, None]
    controls = {"drive": torch.zeros_like(audio), "mix": torch.ones_like(audio)}
    return audio, process(build(Saturate, kind=kind), audio, controls)[0][0, 0]


@KINDS
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_against_a_sample_loop(kind, channels):
    samples = 60
    audio = noise(2, channels, samples)
    drive, mix = 36 * unit(2, 1, samples), unit(2, 1, samples, seed=2)
    out, _ = process(build(Saturate, kind=kind), audio, {"drive": drive, "mix": mix})
    for item in range(2):
        for channel in range(channels):
            before = 0.0
            for n in range(samples):
                x, m = float(audio[item, channel, n]), float(mix[item, 0, n])
                driven = 10 ** (float(drive[item, 0, n]) / 20) * x
                want = (1 - m) * x + m * mean(kind, before, driven)
                assert float(out[item, channel, n]) == pytest.approx(want, abs=1e-9)
                before = driven


@KINDS
@given(st.floats(-3, 3), st.sampled_from([1, -1]), st.floats(-14, 0.5).map(lambda exponent: 10.0**exponent))
def test_inputs_at_any_distance(kind, a, sign, distance):
    """Series and quotient join, and neither loses digits, wherever the knees are."""
    b = a + sign * distance
    _, out = wet(kind, a, b)
    assert float(out[1]) == pytest.approx(mean(kind, a, b), abs=3e-7 if distance < 1e-6 else 1e-11)


@KINDS
def test_equal_inputs_give_the_curve(kind):
    """A constant input from its second sample on: the mean over no distance."""
    for level in (0.0, 1e-30, 0.3, 1.0, 1.5, -40.0):
        assert float(wet(kind, level, level)[1][1]) == pytest.approx(CURVES[kind](level), abs=1e-15)


@pytest.mark.parametrize("kind", ["tanh", "cubic", "hard"])
def test_loud_inputs_saturate_at_one(kind):
    _, out = wet(kind, 1e9, 1e9 + 1, 2e9, -3e9, -3e9)
    np.testing.assert_allclose(out[[1, 2, 4]].numpy(), [1, 1, -1], atol=1e-12)
    assert float(out[3]) == pytest.approx(-0.2, abs=1e-8)


@KINDS
def test_no_mix_is_bit_exact_whatever_the_drive(kind):
    audio = noise(2, 2, 200, dtype=torch.float32)
    controls = {"drive": 36 * unit(2, 1, 200, dtype=torch.float32), "mix": torch.zeros(2, 1, 200)}
    assert torch.equal(process(build(Saturate, kind=kind), audio, controls)[0], audio)


@KINDS
def test_streamed_equals_whole_bit_for_bit(kind):
    audio = noise(2, 2, 300, dtype=torch.float32)
    controls = {"drive": 36 * unit(2, 1, 300, dtype=torch.float32), "mix": torch.ones(2, 1, 300)}
    whole, state = process(build(Saturate, kind=kind), audio, controls)
    parts, other = process(build(Saturate, kind=kind), audio, controls, cuts=[1, 130, 1, 168])
    assert torch.equal(parts, whole)
    assert torch.equal(state["driven"], other["driven"])


@KINDS
def test_it_is_half_a_sample_late(kind):
    """Faint inputs pass the linear part of the curve: the mean of this sample and the one before."""
    audio = 1e-7 * noise(1, 1, 200)
    controls = {"drive": torch.zeros(1, 1, 200), "mix": torch.ones(1, 1, 200)}
    out, _ = process(build(Saturate, kind=kind), audio, controls)
    before = torch.nn.functional.pad(audio, (1, 0))[..., :-1]
    torch.testing.assert_close(out, (audio + before) / 2, rtol=1e-9, atol=1e-20)


@KINDS
def test_gradients(kind):
    """With equal and nearly equal neighbours among the inputs, away from the knees."""
    audio = torch.tensor([[[0.3, 0.3, 0.3 + 1e-5, -0.8, -0.8, 2.2, 2.2, 0.0, 0.0, 1.9]]]).double()
    drive, mix = torch.full((1, 1, 10), 1.0).double(), unit(1, 1, 10)
    effect = build(Saturate, kind=kind)

    def run(audio, drive, mix):
        return process(effect, audio, {"drive": drive, "mix": mix})[0]

    assert gradcheck(run, [leaf.requires_grad_() for leaf in (audio, drive, mix)])


def test_second_derivatives():
    audio = noise(1, 1, 8).requires_grad_()
    drive = torch.full((1, 1, 8), 6.0).double().requires_grad_()
    effect, mix = build(Saturate), torch.ones(1, 1, 8)
    assert gradgradcheck(lambda x, d: process(effect, x, {"drive": d, "mix": mix})[0], (audio, drive))


@pytest.mark.parametrize("kind", ["tanh", "cubic", "hard"])
@pytest.mark.parametrize("drive", [12.0, 24.0])
def test_aliases_are_below_those_of_the_curve_alone(kind, drive):
    """Sines in steps over a decade: energy off the harmonics, up to a quarter of the Nyquist frequency and in all."""
    size, below = 8192, 8192 // 8
    effect, curve = build(Saturate, kind=kind), np.vectorize(CURVES[kind])
    alias = np.zeros((2, 2))
    for frequency in np.geomspace(RATE / 88.2, RATE / 8.82, 12):
        bin_number = round(frequency * size / RATE) | 1  # odd: no alias falls on a harmonic
        sine = np.sin(2 * np.pi * bin_number * np.arange(2 * size) / size)
        audio = torch.from_numpy(sine)[None, None]
        controls = {"drive": torch.full_like(audio, drive), "mix": torch.ones_like(audio)}
        out = process(effect, audio, controls)[0][0, 0, size:].numpy()
        for row, signal in enumerate((curve(10 ** (drive / 20) * sine[size:]), out)):
            power = np.abs(np.fft.rfft(signal)) ** 2
            power[::bin_number] = 0
            alias[row] += power[:below].sum(), power.sum()
    lower, all_of_it = 10 * np.log10(alias[0] / alias[1])
    assert lower > 20
    assert all_of_it > 5


def oversampled(kind, factor, audio, controls, cuts=None):
    return process(build(Saturate, kind=kind, oversampling=factor), audio, controls, cuts)


@KINDS
@pytest.mark.parametrize("drive", [6.0, 12.0, 24.0])
@pytest.mark.parametrize(("factor", "wanted"), [(4, 59.0), (8, 73.0)])
def test_aliases_of_the_oversampled_curve(kind, drive, factor, wanted):
    """Sines of 500 Hz to 5 kHz, full scale, at 44.1 kHz: each one's aliases up to 20 kHz below all it makes."""
    rate, size = 44100, 16384
    for frequency in np.geomspace(500, 5000, 5):
        bin_number = round(frequency * size / rate) | 1
        sine = np.sin(2 * np.pi * bin_number * np.arange(2 * size) / size)
        audio = torch.from_numpy(sine)[None, None]
        controls = {"drive": torch.full_like(audio, drive), "mix": torch.ones_like(audio)}
        out = oversampled(kind, factor, audio, controls)[0][0, 0, size:].numpy()
        power = np.abs(np.fft.rfft(out)) ** 2
        total = power.sum()
        power[::bin_number] = 0
        assert 10 * np.log10(total / power[: int(20000 / rate * size)].sum()) > wanted


@KINDS
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_oversampled_curve_is_that_of_the_analogue_signal(kind, factor):
    """A slow sine, half a sample of the higher rate and the declared latency late; corners are rounded."""
    time = torch.arange(600, dtype=torch.float64)
    audio = torch.sin(2 * torch.pi * 0.01 * time)[None, None]
    controls = {"drive": torch.full_like(audio, 6.0), "mix": torch.ones_like(audio)}
    out, _ = oversampled(kind, factor, audio, controls)
    late = time - build(Saturate, oversampling=factor).latency() - 0.5 / factor
    driven = 10 ** (6 / 20) * torch.sin(2 * torch.pi * 0.01 * late)
    want = torch.tensor([CURVES[kind](float(v)) for v in driven], dtype=torch.float64)
    torch.testing.assert_close(out[0, 0, 200:], want[200:], rtol=0, atol=0.01)


@KINDS
@pytest.mark.parametrize("factor", [2, 8])
def test_the_oversampled_one_is_late_by_its_latency_and_else_the_signal_bit_for_bit(kind, factor):
    audio = noise(2, 2, 300, dtype=torch.float32)
    controls = {"drive": 36 * unit(2, 1, 300, dtype=torch.float32), "mix": torch.zeros(2, 1, 300)}
    out, _ = oversampled(kind, factor, audio, controls)
    lag = build(Saturate, oversampling=factor).latency()
    assert lag == 64
    assert torch.equal(out[..., lag:], audio[..., :-lag])
    assert not out[..., :lag].any()


def test_the_oversampled_mix_moves_with_the_signal():
    """Where mix is 0 the output is the signal of that place."""
    audio, mix = noise(1, 1, 400), torch.zeros(1, 1, 400, dtype=torch.float64)
    mix[..., 150:] = 1
    out, _ = oversampled("hard", 4, audio, {"drive": torch.zeros_like(mix) + 20, "mix": mix})
    wet, _ = oversampled("hard", 4, audio, {"drive": torch.zeros_like(mix) + 20, "mix": torch.ones_like(mix)})
    assert torch.equal(out[..., 64:214], audio[..., :150])
    torch.testing.assert_close(out[..., 214:], wet[..., 214:])


@KINDS
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_oversampled_in_blocks(kind, factor):
    audio, controls = noise(2, 2, 300), {"drive": 36 * unit(2, 1, 300), "mix": unit(2, 1, 300, seed=2)}
    whole, last = oversampled(kind, factor, audio, controls)
    parts, state = oversampled(kind, factor, audio, controls, [1, 130, 1, 60, 108])
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-10)
    for name, tensor in last.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=1e-10)


def test_gradients_through_the_oversampled_curve():
    audio = noise(1, 2, 9).requires_grad_()
    drive, mix = (12 * unit(1, 1, 9)).requires_grad_(), unit(1, 1, 9, seed=3).requires_grad_()
    effect = build(Saturate, oversampling=2)
    state = {name: 0.1 * noise(*t.shape) for name, t in effect.initial_state(1, 2, audio).items()}

    def run(audio, drive, mix):
        return process(effect, audio, {"drive": drive, "mix": mix}, state=state)[0]

    assert gradcheck(run, (audio, drive, mix))
