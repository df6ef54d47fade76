"""Tilt, all-pass and ladder: against closed forms by SciPy and loops over samples, in blocks, swept."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Allpass, Ladder, Tilt
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import bilinear, lfilter

from .bench import RATE, build, noise, process, unit


def held(samples, dtype=torch.float64, **values):
    return {name: torch.full((1, 1, samples), value, dtype=dtype) for name, value in values.items()}


def moving(effect_class, batch, samples, seed=0):
    """Every control anywhere in its range, at every sample."""
    made = {}
    for number, control in enumerate(effect_class.controls):
        place = unit(batch, 1, samples, seed=seed + number)
        if control.scale == "log":
            made[control.id] = control.min * (control.max / control.min) ** place
        else:
            made[control.id] = control.min + (control.max - control.min) * place
    return made


def analogue(numerator, denominator, hertz):
    """Polynomials of s in units of a frequency, through the bilinear transform that keeps it in place."""
    w = 2 * RATE * math.tan(math.pi * hertz / RATE)
    scaled = [[c / w ** (len(p) - 1 - k) for k, c in enumerate(p)] for p in (numerator, denominator)]
    return bilinear(*scaled, RATE)


VARIANTS = [
    (Tilt, {}),
    (Allpass, {}),
    (Allpass, {"order": 1, "stages": 5}),
    (Ladder, {}),
    (Ladder, {"kind": "highpass", "level": True}),
]


@pytest.mark.parametrize("pivot", [100.0, 800.0, 4000.0])
@pytest.mark.parametrize("tilt", [-12.0, -3.0, 6.0, 12.0])
def test_tilt_is_a_zero_and_a_pole(tilt, pivot):
    audio, g = noise(1, 2, 3000), 10 ** (tilt / 20)
    out, _ = process(build(Tilt), audio, held(3000, tilt=tilt, pivot=pivot))
    want = lfilter(*analogue([g, 1], [1, g], pivot), audio.numpy())
    np.testing.assert_allclose(out.numpy(), want, atol=1e-10)


@pytest.mark.parametrize("tilt", [-12.0, 6.0])
def test_tilt_turns_treble_and_bass_about_its_pivot(tilt):
    impulse = torch.zeros(1, 1, RATE, dtype=torch.float64)
    impulse[..., 0] = 1
    out, _ = process(build(Tilt), impulse, held(RATE, tilt=tilt, pivot=800.0))
    level = 20 * torch.fft.rfft(out[0, 0]).abs().log10()  # a number for each Hz
    assert float(level[800]) == pytest.approx(0, abs=1e-6)
    assert float(level[0]) == pytest.approx(-tilt, abs=1e-6)
    assert float(level[-1]) == pytest.approx(tilt, abs=0.02)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("stages", [1, 3])
@pytest.mark.parametrize("mix", [0.5, 1.0])
def test_allpass_is_its_closed_form(order, stages, mix):
    audio, q = noise(1, 2, 2000), 2.0
    out, _ = process(
        build(Allpass, order=order, stages=stages), audio, held(2000, frequency=700.0, q=q, mix=mix)
    )
    b, a = analogue(*(([-1, 1], [1, 1]) if order == 1 else ([1, -1 / q, 1], [1, 1 / q, 1])), 700.0)
    want = audio.numpy()
    for _ in range(stages):
        want = lfilter(b, a, want)
    np.testing.assert_allclose(out.numpy(), (1 - mix) * audio.numpy() + mix * want, atol=1e-9)


def test_half_an_allpass_is_a_notch():
    impulse = torch.zeros(1, 1, RATE, dtype=torch.float64)
    impulse[..., 0] = 1
    out, _ = process(build(Allpass), impulse, held(RATE, frequency=1000.0, q=1.0, mix=0.5))
    assert float(torch.fft.rfft(out[0, 0]).abs()[1000]) < 1e-6


def ladder_loop(audio, cutoff, resonance):
    """Four filters of first order by the topology-preserving transform, feedback without delay (Zavalishin, ch. 5)."""
    g, k = math.tan(math.pi * cutoff / RATE), 4 * (0.98 * resonance) ** 4
    share = g / (1 + g)
    states, out = [0.0] * 4, np.empty_like(audio)
    for n, x in enumerate(audio):
        rest = sum(share ** (3 - i) * s for i, s in enumerate(states)) / (1 + g)
        value = (x - k * rest) / (1 + k * share**4)
        for i, s in enumerate(states):
            v = share * (value - s)
            value = v + s
            states[i] = value + v
        out[n] = value
    return out


@pytest.mark.parametrize("cutoff", [50.0, 900.0, 3000.0])
@pytest.mark.parametrize("resonance", [0.0, 0.3, 0.7, 1.0])
def test_the_ladder_is_the_one_with_feedback_without_delay(resonance, cutoff):
    audio = noise(1, 1, 1500)
    controls = held(1500, cutoff=cutoff, resonance=resonance, mix=1.0)
    out, _ = process(build(Ladder), audio, controls)
    want = ladder_loop(audio[0, 0].numpy(), cutoff, resonance)
    np.testing.assert_allclose(out[0, 0].numpy(), want, atol=1e-9)
    kept, _ = process(build(Ladder, level=True), audio, controls)
    k = 4 * (0.98 * resonance) ** 4
    np.testing.assert_allclose(kept[0, 0].numpy(), (1 + k) * want, atol=1e-8)


@pytest.mark.parametrize("resonance", [0.0, 0.6, 1.0])
def test_the_highpass_ladder_has_1_over_s(resonance):
    audio, k = noise(1, 1, 1500), 4 * (0.98 * resonance) ** 4
    out, _ = process(
        build(Ladder, kind="highpass"), audio, held(1500, cutoff=900.0, resonance=resonance, mix=1.0)
    )
    want = lfilter(*analogue([1, 0, 0, 0, 0], [1 + k, 4, 6, 4, 1], 900.0), audio.numpy())
    np.testing.assert_allclose(out.numpy(), want, atol=1e-8)


@pytest.mark.parametrize(("effect_class", "given_settings"), VARIANTS)
def test_neutral_is_the_signal_bit_for_bit(effect_class, given_settings):
    audio, controls = noise(2, 2, 400, dtype=torch.float32), moving(effect_class, 2, 400)
    controls["tilt" if effect_class is Tilt else "mix"].zero_()
    out, _ = process(
        build(effect_class, **given_settings), audio, {name: c.float() for name, c in controls.items()}
    )
    assert torch.equal(out, audio)


@settings(max_examples=examples(25), deadline=None)
@given(cuts=st.lists(st.integers(1, 200), min_size=1, max_size=5), variant=st.sampled_from(VARIANTS))
def test_blocks_equal_the_whole(cuts, variant):
    effect_class, given_settings = variant
    effect, samples = build(effect_class, **given_settings), sum(cuts)
    audio, controls = noise(2, 2, samples), moving(effect_class, 2, samples)
    whole, last = process(effect, audio, controls)
    streamed, state = process(effect, audio, controls, cuts)
    torch.testing.assert_close(streamed, whole, rtol=1e-9, atol=1e-9)
    for name, tensor in last.items():
        torch.testing.assert_close(state[name], tensor, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("effect_class", "given_settings"), VARIANTS)
def test_gradients_also_without_resonance(effect_class, given_settings):
    effect, audio = build(effect_class, **given_settings), noise(1, 2, 7).requires_grad_()
    controls = moving(effect_class, 1, 7)
    if "cutoff" in controls:  # below half the sample rate, where svf() holds it
        controls["cutoff"].clamp_(max=0.4 * RATE)
        controls["resonance"][..., :3] = 0
    controls = {name: curve.requires_grad_() for name, curve in controls.items()}

    def run(audio, *curves):
        out, state = process(effect, audio, dict(zip(controls, curves)))
        return out, *state.values()

    assert gradcheck(run, (audio, *controls.values()))


@pytest.mark.parametrize("kind", ["lowpass", "highpass"])
def test_a_sweep_of_the_ladder_over_its_whole_range_in_10_ms_stays_bounded(kind):
    there = torch.linspace(0, 1, RATE // 100, dtype=torch.float64)
    position = torch.cat([there, 1 - there]).repeat(60)[None, None]
    controls = held(position.shape[-1], resonance=1.0, mix=1.0) | {"cutoff": 20 * 1000**position}
    audio = noise(1, 1, position.shape[-1])
    out, _ = process(build(Ladder, kind=kind, level=True), audio, controls)
    assert float(out.abs().max()) < 60 * float(audio.abs().max())
