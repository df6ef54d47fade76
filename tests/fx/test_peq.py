"""The parametric equaliser against RBJ's cookbook by SciPy, a loop over samples, in blocks, and swept."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Peq
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, lfilter, sosfilt

from .bench import RATE, build, noise, process, unit

NEUTRAL = {control.id: control.neutral for control in Peq.controls}


def cookbook(kind, frequency, gain, q, rate=RATE):
    """R. Bristow-Johnson's coefficients."""
    a = 10 ** (gain / 40)
    w = 2 * math.pi * frequency / rate
    cos, alpha = math.cos(w), math.sin(w) / (2 * q)
    if kind == "bell":
        return [1 + alpha * a, -2 * cos, 1 - alpha * a], [1 + alpha / a, -2 * cos, 1 - alpha / a]
    sign, root = (1, 2 * math.sqrt(a) * alpha) if kind == "low_shelf" else (-1, 2 * math.sqrt(a) * alpha)
    b = [
        a * (a + 1 - sign * (a - 1) * cos + root),
        sign * 2 * a * (a - 1 - sign * (a + 1) * cos),
        a * (a + 1 - sign * (a - 1) * cos - root),
    ]
    return b, [
        a + 1 + sign * (a - 1) * cos + root,
        -2 * sign * (a - 1 + sign * (a + 1) * cos),
        a + 1 + sign * (a - 1) * cos - root,
    ]


def constant(samples, batch=1, dtype=torch.float64, **values):
    """All controls at rest but for those given."""
    return {
        name: torch.full((batch, 1, samples), value, dtype=dtype)
        for name, value in (NEUTRAL | values).items()
    }


def moving(batch, samples, seed=0):
    """Every control anywhere in its range, at every sample."""
    made = {}
    for number, control in enumerate(Peq.controls):
        place = unit(batch, 1, samples, seed=seed + number)
        if control.scale == "log":
            made[control.id] = control.min * (control.max / control.min) ** place
        else:
            made[control.id] = control.min + (control.max - control.min) * place
    return made


BANDS = [
    ("low", "low_shelf", {}),
    ("low", "bell", {"low": "bell"}),
    *((f"bell{n}", "bell", {}) for n in (1, 2, 3, 4)),
    ("high", "high_shelf", {}),
    ("high", "bell", {"high": "bell"}),
]


@pytest.mark.parametrize("frequency", [40.0, 900.0, 4800.0])
@pytest.mark.parametrize(("gain", "q"), [(12.0, 0.7), (-24.0, 3.0), (24.0, 0.3), (-6.0, 4.0)])
@pytest.mark.parametrize(("band", "kind", "setting"), BANDS)
def test_each_band_is_the_cookbook_s(band, kind, setting, gain, q, frequency):
    audio = noise(1, 2, 3000)
    values = {f"{band}_frequency": frequency, f"{band}_gain": gain, f"{band}_q": q}
    out, _ = process(build(Peq, **setting), audio, constant(3000, **values))
    want = lfilter(*cookbook(kind, frequency, gain, q), audio.numpy())
    np.testing.assert_allclose(out.numpy(), want, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("slope", [12, 24])
@pytest.mark.parametrize(
    ("control", "kind", "cutoff"),
    [("low_cut", "high", 80.0), ("low_cut", "high", 20.0), ("high_cut", "low", 3000.0)],
)
def test_cuts_are_butterworth_filters(slope, control, kind, cutoff):
    audio = noise(1, 2, 3000)
    out, _ = process(build(Peq, slope=slope), audio, constant(3000, **{control: cutoff}))
    want = sosfilt(butter(slope // 6, cutoff, kind, fs=RATE, output="sos"), audio.numpy())
    np.testing.assert_allclose(out.numpy(), want, rtol=1e-7, atol=1e-8)


def test_bands_are_in_series():
    """All at once are all of the cookbook's filters one after another."""
    audio, values, want = noise(1, 2, 2000), {}, None
    want = audio.numpy()
    for number, (band, kind, setting) in enumerate(BANDS):
        if setting:
            continue
        frequency, gain, q = 80.0 * 1.9**number, (-1) ** number * (4.0 + number), 0.5 + number / 4
        values |= {f"{band}_frequency": frequency, f"{band}_gain": gain, f"{band}_q": q}
        want = lfilter(*cookbook(kind, frequency, gain, q), want)
    out, _ = process(build(Peq), audio, constant(2000, **values))
    np.testing.assert_allclose(out.numpy(), want, rtol=1e-7, atol=1e-7)


def sample_loop(audio, frequency, gain, q):
    """A bell whose controls move, by Simper's integrators."""
    first = second = 0.0
    out = np.empty_like(audio)
    for n, x in enumerate(audio):
        a = 10 ** (gain[n] / 40)
        g, k = math.tan(math.pi * min(frequency[n] / RATE, 0.49)), 1 / (q[n] * a)
        v3 = x - second
        v1 = (first + g * v3) / (1 + g * (g + k))
        v2 = second + g * v1
        first, second = 2 * v1 - first, 2 * v2 - second
        out[n] = x + k * (a * a - 1) * v1
    return out


def test_a_moving_bell_equals_a_loop_over_samples():
    audio, values = noise(1, 1, 500), moving(1, 500)
    controls = constant(500) | {name: values[name] for name in values if name.startswith("bell2")}
    out, _ = process(build(Peq), audio, controls)
    curves = (controls[f"bell2_{name}"][0, 0].numpy() for name in ("frequency", "gain", "q"))
    np.testing.assert_allclose(out[0, 0].numpy(), sample_loop(audio[0, 0].numpy(), *curves), atol=1e-9)


@pytest.mark.parametrize("slope", [12, 24])
def test_gains_of_0_are_the_signal_bit_for_bit_wherever_the_bands_are(slope):
    audio, controls = noise(2, 2, 600, dtype=torch.float32), moving(2, 600)
    controls |= {name: curve for name, curve in constant(600, 2).items() if "gain" in name or "cut" in name}
    out, _ = process(
        build(Peq, slope=slope), audio, {name: curve.float() for name, curve in controls.items()}
    )
    assert torch.equal(out, audio)


@pytest.mark.parametrize(
    ("control", "off", "on"), [("low_cut", 10.0, 20.0), ("high_cut", 20000.0, 10000 * 2**0.5)]
)
def test_cuts_fade_in(control, off, on):
    audio, taken = noise(1, 1, 2000), []
    for share in (0.0, 0.2, 0.6, 1.0):
        value = off * (on / off) ** share
        out, _ = process(build(Peq), audio, constant(2000, **{control: value}))
        taken.append(float((out - audio).square().sum()))
    assert taken[0] == 0
    assert taken == sorted(taken)


@settings(max_examples=examples(20), deadline=None)
@given(
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=5),
    slope=st.sampled_from([12, 24]),
    kinds=st.tuples(st.sampled_from(["shelf", "bell"]), st.sampled_from(["shelf", "bell"])),
)
def test_blocks_equal_the_whole(cuts, slope, kinds):
    samples = sum(cuts)
    effect = build(Peq, slope=slope, low=kinds[0], high=kinds[1])
    audio, controls = noise(2, 2, samples), moving(2, samples)
    whole, last = process(effect, audio, controls)
    streamed, state = process(effect, audio, controls, cuts)
    torch.testing.assert_close(streamed, whole, rtol=1e-8, atol=1e-8)
    for name, tensor in last.items():
        torch.testing.assert_close(state[name], tensor, rtol=1e-8, atol=1e-8)


def test_gradients():
    effect, audio = build(Peq, slope=24), noise(1, 2, 6).requires_grad_()
    controls = {name: curve.requires_grad_() for name, curve in moving(1, 6).items()}
    controls["low_gain"] = torch.zeros(1, 1, 6, dtype=torch.float64).requires_grad_()

    def run(audio, *curves):
        return process(effect, audio, dict(zip(controls, curves)))[0]

    assert gradcheck(run, (audio, *controls.values()))


def test_a_sweep_of_narrow_bells_over_the_whole_range_in_10_ms_stays_bounded():
    sweep = RATE // 100
    there = torch.linspace(0, 1, sweep, dtype=torch.float64)
    position = torch.cat([there, 1 - there]).repeat(60)[None, None]
    controls = constant(position.shape[-1])
    for n in (1, 2, 3, 4):
        controls[f"bell{n}_frequency"] = 20 * 1000**position
        controls[f"bell{n}_q"] = torch.full_like(position, 20.0)
        controls[f"bell{n}_gain"] = torch.full_like(position, 6.0 if n % 2 else -6.0)
    audio = noise(1, 1, position.shape[-1])
    out, _ = process(build(Peq), audio, controls)
    assert float(out.abs().max()) < 10 * float(audio.abs().max())
