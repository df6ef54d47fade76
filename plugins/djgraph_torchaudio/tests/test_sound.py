"""Each effect sounds as torchaudio's function, in one call and in blocks; and controls that move, as a sample loop."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torchaudio.functional as F
from djgraph_torchaudio import EFFECTS, biquads, emphasis, shaping

from djgraph.effects import Block, Environment

RATE, HOP = 44100, 512
SAMPLES = 5 * HOP + 77
BLOCKS = (0, HOP, 3 * HOP, 4 * HOP, SAMPLES)


def noise(level=0.03, channels=2, batch=2, samples=SAMPLES, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return level * torch.randn(batch, channels, samples, generator=generator, dtype=torch.float64)


def make(cls, settings=None, rate=RATE):
    return cls(cls.Settings(**(settings or {})), Environment(rate))


def constant(effect, values, batch=2, samples=SAMPLES):
    """Controls that rest, in the shapes in which an effect gets them; the mix at 1 where it is not given."""
    values = {"mix": 1.0, **values}
    points = {"sample": samples, "frame": 1 + samples // HOP, "clip": 1}
    return {
        control.id: torch.full(
            (batch, 1, points[control.rate]), values.get(control.id, control.default), dtype=torch.float64
        )
        for control in effect.controls
    }


def run(effect, sound, controls, cuts=(0, SAMPLES)):
    """The output in blocks between the cuts, each with the state of the one before."""
    rates = {control.id: control.rate for control in effect.controls}
    state = effect.initial_state(sound.shape[0], sound.shape[1], sound)
    pieces = []
    for start, stop in pairwise(cuts):
        spans = {
            "sample": slice(start, stop),
            "frame": slice(start // HOP, start // HOP + 1 + (stop - start) // HOP),
            "clip": slice(None),
        }
        given = {name: values[..., spans[rates[name]]] for name, values in controls.items()}
        block = Block(start, stop - start, effect.environment.sample_rate)
        out, state = effect.process({"in": sound[..., start:stop]}, given, state, block)
        pieces.append(out["out"])
    return torch.cat(pieces, -1)


CASES = [
    (biquads.Lowpass, {"cutoff_freq": 900.0, "q": 1.5}, {}, F.lowpass_biquad),
    (biquads.Highpass, {"cutoff_freq": 900.0, "q": 1.5}, {}, F.highpass_biquad),
    (biquads.Allpass, {"central_freq": 2000.0, "q": 0.9}, {}, F.allpass_biquad),
    (biquads.Bandreject, {"central_freq": 2000.0, "q": 0.9}, {}, F.bandreject_biquad),
    (biquads.Bandpass, {"central_freq": 2000.0, "q": 0.9}, {}, F.bandpass_biquad),
    (biquads.Bandpass, {"central_freq": 2000.0, "q": 0.9}, {"const_skirt_gain": True}, F.bandpass_biquad),
    (biquads.Band, {"central_freq": 2000.0, "q": 0.9}, {}, F.band_biquad),
    (biquads.Band, {"central_freq": 2000.0, "q": 0.9}, {"noise": True}, F.band_biquad),
    (biquads.Bass, {"gain": 5.0, "central_freq": 130.0, "q": 0.6}, {}, F.bass_biquad),
    (biquads.Treble, {"gain": -7.0, "central_freq": 2500.0, "q": 0.6}, {}, F.treble_biquad),
    (biquads.Equalizer, {"gain": 9.0, "center_freq": 700.0, "q": 2.0}, {}, F.equalizer_biquad),
    (biquads.Riaa, {}, {}, F.riaa_biquad),
    (biquads.Deemph, {}, {}, F.deemph_biquad),
    (emphasis.Preemphasis, {"coeff": 0.97}, {}, F.preemphasis),
    (emphasis.Deemphasis, {"coeff": 0.9}, {}, F.deemphasis),
    (shaping.Gain, {"gain_db": -7.0}, {}, F.gain),
    (shaping.Contrast, {"enhancement_amount": 60.0}, {}, F.contrast),
    (shaping.DCShift, {"shift": -0.25}, {}, F.dcshift),
    (shaping.Overdrive, {"gain": 25.0, "colour": 35.0}, {}, F.overdrive),
]


def test_every_effect_is_compared():
    others = {emphasis.LFilter, shaping.MuLaw}  # below
    assert {case[0] for case in CASES} | others == set(EFFECTS)


@pytest.mark.parametrize(
    ("cls", "values", "settings", "function"), CASES, ids=[f"{c[0].type}-{len(c[2])}" for c in CASES]
)
def test_sounds_as_torchaudio(cls, values, settings, function):
    """Signals are quiet: torchaudio clips the outputs of its filters at full scale, an effect in a mixer does not."""
    effect, sound = make(cls, settings), noise()
    controls = constant(effect, values)
    rate = (RATE,) if "biquad" in cls.type else ()
    arguments = {"Q" if name == "q" else name: value for name, value in values.items()}
    expected = function(sound.clone(), *rate, **arguments, **settings)
    assert float(expected.abs().max()) < 1
    whole = run(effect, sound, controls)
    assert float((whole - expected).abs().max()) < 1e-12
    assert float((run(effect, sound, controls, BLOCKS) - expected).abs().max()) < 1e-12
    single = run(effect, sound.float(), {name: one.float() for name, one in controls.items()}, BLOCKS)
    assert single.dtype == torch.float32
    assert float((single - expected).abs().max()) < 1e-5


@pytest.mark.parametrize("order", [1, 2, 5])
def test_lfilter_of_any_order_sounds_as_torchaudio(order):
    poles = 0.8 * np.exp(1j * np.linspace(0.4, 2.6, order))
    a = np.real(np.convolve(np.poly(poles), np.poly(poles.conj())))
    b = np.linspace(0.3, -0.2, len(a))
    effect = make(emphasis.LFilter, {"b_coeffs": tuple(b), "a_coeffs": tuple(2 * a)})
    sound = noise()
    expected = F.lfilter(sound, torch.tensor(2 * a), torch.tensor(b), clamp=False)
    cuts = (0, 1, 2, 3, 100, SAMPLES)  # without controls per frame blocks begin anywhere
    for places in ((0, SAMPLES), cuts):
        got = run(effect, sound, constant(effect, {}), places)
        assert float((got - expected).abs().max()) < 1e-11


@pytest.mark.parametrize("levels", [2, 16, 256])
def test_mu_law_is_there_and_back(levels):
    effect, sound = make(shaping.MuLaw, {"quantization_channels": levels}), noise(0.3)
    expected = F.mu_law_decoding(F.mu_law_encoding(sound, levels), levels)
    got = run(effect, sound, constant(effect, {}), BLOCKS)
    assert float((got - expected).abs().max()) < 1e-12
    assert len(set(got.flatten().tolist())) <= levels + 2


def test_a_filter_moves_from_hop_to_hop_as_a_sample_loop():
    """The lowpass with a cutoff and a Q for each frame: RBJ's coefficients, and y by its definition, in NumPy."""
    effect = make(biquads.Lowpass)
    generator = torch.Generator().manual_seed(2)
    sound, frames = noise(batch=2), 1 + SAMPLES // HOP
    controls = constant(effect, {})
    controls["cutoff_freq"] = 100 * 60 ** torch.rand(2, 1, frames, generator=generator, dtype=torch.float64)
    controls["q"] = 0.5 + 4 * torch.rand(2, 1, frames, generator=generator, dtype=torch.float64)
    for cuts in ((0, SAMPLES), BLOCKS):
        got = run(effect, sound, controls, cuts).numpy()
        for item in range(2):
            for channel in range(2):
                x = np.concatenate((np.zeros(2), sound[item, channel].numpy()))
                y = np.zeros_like(x)
                for n in range(2, len(x)):
                    frame = (n - 2) // HOP
                    w = 2 * math.pi * float(controls["cutoff_freq"][item, 0, frame]) / RATE
                    alpha = math.sin(w) / 2 / float(controls["q"][item, 0, frame])
                    side, a0 = (1 - math.cos(w)) / 2, 1 + alpha
                    fed = side * (x[n] + 2 * x[n - 1] + x[n - 2])
                    y[n] = (fed + 2 * math.cos(w) * y[n - 1] - (1 - alpha) * y[n - 2]) / a0
                assert np.abs(got[item, channel] - y[2:]).max() < 1e-12


def test_gradients_are_those_of_torchaudio():
    """Of a control that rests, the sum over its frames is torchaudio's gradient of its one number."""
    effect, sound = make(biquads.Equalizer), noise(batch=1)
    weight = noise(1.0, batch=1, seed=5)
    values = {"gain": 6.0, "center_freq": 800.0, "q": 1.2}
    controls = {name: one.requires_grad_() for name, one in constant(effect, values, 1).items()}
    mine = torch.autograd.grad((run(effect, sound, controls) * weight).sum(), list(controls.values()))
    theirs = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in values.items()
    }
    out = F.equalizer_biquad(sound, RATE, theirs["center_freq"], theirs["gain"], theirs["q"])
    expected = dict(zip(theirs, torch.autograd.grad((out * weight).sum(), list(theirs.values()))))
    for name, gradient in zip(controls, mine):
        assert float(gradient.sum()) == pytest.approx(float(expected[name]), rel=1e-8)


def test_overdrive_has_the_gradient_that_torchaudio_loses():
    sound = noise(0.1, batch=1, samples=600).requires_grad_()
    with pytest.raises(RuntimeError):
        F.overdrive(sound * 1.0, 30.0, 10.0).sum().backward()
    effect = make(shaping.Overdrive)
    controls = constant(effect, {"gain": 30.0, "colour": 10.0}, 1, 600)
    out = run(effect, sound, controls, (0, 600))
    (gradient,) = torch.autograd.grad(out.sum(), sound)
    step, direction = 1e-6, noise(1.0, batch=1, samples=600, seed=9)
    with torch.no_grad():
        up, down = (F.overdrive((sound + sign * step * direction), 30.0, 10.0).sum() for sign in (1, -1))
    assert float((gradient * direction).sum()) == pytest.approx(float(up - down) / (2 * step), rel=1e-5)
