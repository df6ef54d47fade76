"""Gate, expander, ducker, de-esser, transient shaper, leveler: loops over samples, static curves, times by a step."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import DeEsser, Ducker, Expander, Gate, Leveler, Transient
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import bilinear, lfilter

from djgraph.losses import loudness

from .bench import RATE, build, noise, process, unit

EFFECTS = [Gate, Expander, Ducker, DeEsser, Transient, Leveler]
EACH = pytest.mark.parametrize("effect_class", EFFECTS, ids=lambda cls: cls.type)


def constant(effect_class, samples, dtype=torch.float64, **values):
    neutral = {control.id: control.neutral for control in effect_class.controls} | values
    return {name: torch.full((1, 1, samples), float(v), dtype=dtype) for name, v in neutral.items()}


def moving(effect_class, batch, samples, seed=0):
    """Every control somewhere in its range, at every sample."""
    made = {}
    for number, control in enumerate(effect_class.controls):
        place = 0.05 + 0.9 * unit(batch, 1, samples, seed=seed + number)
        log = control.scale == "log"
        made[control.id] = (
            control.min * (control.max / control.min) ** place
            if log
            else control.min + (control.max - control.min) * place
        )
    return made


def bursts(batch, channels, samples, seed=0):
    """Noise that comes and goes by 60 dB."""
    level = 10 ** (-3 * unit(batch, 1, samples // 50 + 1, seed=seed + 50))
    return noise(batch, channels, samples, seed=seed) * level.repeat_interleave(50, -1)[..., :samples]


def alpha(time):
    return math.exp(-1000 / (max(time, 1e-6) * RATE))


def followed(state, target, attack, release):
    a = alpha(attack if target > state else release)
    return a * state + (1 - a) * target


def decibels(amplitude):
    return 20 * math.log10(max(amplitude, 1e-6))


def bent(over, knee):
    knee += 1e-3
    return over if over > knee / 2 else max(over + knee / 2, 0) ** 2 / (2 * knee)


def ramped(over, knee):
    u = min(max(over / knee, 0), 1)
    return u * u * (3 - 2 * u)


def gains(effect_class, heard, controls):
    """The gain at each sample, one sample at a time, from the formulas of docs/effects.md; ``heard``: amplitudes."""
    out, at = [], {name: values[0, 0].tolist() for name, values in controls.items()}
    level = state = switch = 0.0
    since, risen, fallen = 1e9, -60.0, -60.0
    for n, amplitude in enumerate(heard):
        c = {name: values[n] for name, values in at.items()}
        if effect_class is Gate:
            level = followed(level, amplitude, 0, 10)
            rise, fall = c["threshold"], c["threshold"] - c["hysteresis"]
            db = decibels(level)
            switch = 1.0 if db > rise else 0.0 if db < fall else switch
            since = 0 if switch else since + 1
            held = float(since <= c["hold"] * RATE / 1000)
            state = followed(state, held, c["attack"], c["release"])
            out.append(10 ** (-c["range"] * (1 - state) / 20))
        elif effect_class is Expander:
            below = bent(c["threshold"] - decibels(amplitude), c["knee"])
            below = min(below, c["range"] / max(c["ratio"] - 1, 1e-3))
            state = followed(state, below, c["release"], c["attack"])
            out.append(10 ** (-(c["ratio"] - 1) * state / 20))
        elif effect_class is Transient:
            level = followed(level, amplitude, 0, 30)
            db = 20 * math.log10(max(level, 1e-3))
            risen, fallen = followed(risen, db, 20, 0), followed(fallen, db, 0, 200)
            shares = [(apart**2) / (apart**2 + 36) for apart in (db - risen, fallen - db)]
            out.append(10 ** ((c["attack"] * shares[0] + c["sustain"] * shares[1]) / 20))
        else:
            level = followed(level, amplitude, 0, 50 if effect_class is Ducker else 5)
            share = ramped(decibels(level) - c["threshold"], c["knee"])
            state = followed(state, share, c["attack"], c["release"])
            out.append(10 ** (-c["depth"] * state / 20))
    return np.array(out)


@pytest.mark.parametrize("effect_class", [Gate, Expander, Ducker, Transient], ids=lambda cls: cls.type)
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_equals_a_loop_over_samples(effect_class, channels):
    audio, controls = bursts(1, channels, 600), moving(effect_class, 1, 600)
    out, _ = process(build(effect_class), audio, controls)
    want = audio[0].numpy() * gains(effect_class, audio[0].abs().amax(0).tolist(), controls)
    np.testing.assert_allclose(out[0].numpy(), want, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("effect_class", [Gate, Expander, Ducker], ids=lambda cls: cls.type)
@pytest.mark.parametrize(("channels", "others"), [(2, 1), (1, 2), (2, 3)])
def test_a_sidechain_of_another_channel_count(effect_class, channels, others):
    audio, heard, controls = noise(1, channels, 300), bursts(1, others, 300), moving(effect_class, 1, 300)
    out, _ = process(build(effect_class), audio, controls, [100, 200], sidechain=heard)
    want = audio[0].numpy() * gains(effect_class, heard[0].abs().amax(0).tolist(), controls)
    np.testing.assert_allclose(out[0].numpy(), want, rtol=1e-8, atol=1e-12)


@pytest.mark.slow
def test_the_deesser_equals_a_loop_behind_scipys_highpass():
    """With the highpass by the bilinear transform of the analogue one, and the shelf by Zavalishin's integrators."""
    frequency, samples = 2500.0, 600
    audio, controls = bursts(1, 2, samples), moving(DeEsser, 1, samples)
    controls["frequency"] = torch.full_like(controls["depth"], frequency)
    warped = 2 * RATE * math.tan(math.pi * frequency / RATE)
    b, a = bilinear([1, 0, 0], [1, warped * 2**0.5, warped**2], RATE)
    highs = lfilter(b, a, audio[0].numpy())
    root = np.sqrt(gains(DeEsser, np.abs(highs).max(0).tolist(), controls))
    want, first, second = audio[0].numpy().copy(), np.zeros(2), np.zeros(2)
    for n in range(samples):
        g, k, x = math.tan(math.pi * frequency / RATE) * math.sqrt(root[n]), 2**0.5, audio[0, :, n].numpy()
        high = (x - (g + k) * first - second) / (1 + k * g + g * g)
        band = g * high + first
        first, second = g * high + band, second + 2 * g * band
        want[:, n] += (root[n] - 1) * k * band + (root[n] ** 2 - 1) * high
    out, _ = process(build(DeEsser), audio, controls)
    np.testing.assert_allclose(out[0].numpy(), want, rtol=1e-7, atol=1e-9)


def power_loop(audio, target, time, limit, amount, gate=-60.0):
    """The leveler's gain in dB at each sample of a mono signal; weighted by the standard's analogue filters."""
    from djgraph.losses.lufs import k_weighted

    weighted = k_weighted(audio, RATE)[0, 0].numpy()
    fast = slow = share = 0.0
    out = []
    for x in weighted:
        fast = alpha(100) * fast + (1 - alpha(100)) * x * x
        if -0.691 + 10 * math.log10(max(fast, 1e-30)) > gate:
            a = alpha(1000 * time)
            slow, share = a * slow + (1 - a) * x * x, a * share + (1 - a)
        average = slow + (1 - share) * 10 ** ((target + 0.691) / 10)
        missing = 10 * math.log10(10 ** ((target + 0.691) / 10) / average)
        out.append(amount * min(max(missing, -limit), limit))
    return np.array(out)


@pytest.mark.parametrize("limit", [3.0, 24.0])
def test_the_leveler_equals_a_loop_over_samples(limit):
    audio = bursts(1, 1, 4000) * 0.1
    values = {"target": -20.0, "time": 0.3, "range": limit, "amount": 0.7}
    out, _ = process(build(Leveler), audio, constant(Leveler, 4000, **values))
    want = audio[0, 0].numpy() * 10 ** (power_loop(audio, -20.0, 0.3, limit, 0.7) / 20)
    np.testing.assert_allclose(out[0, 0].numpy(), want, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("level", [0.02, 0.3])
def test_the_leveler_reaches_its_target(channels, level):
    """Measured by the integrated loudness of the losses, in LUFS."""
    samples = 12 * RATE
    audio = level * noise(1, channels, samples)
    controls = constant(Leveler, samples, target=-18, time=1, range=24, amount=1)
    out, _ = process(build(Leveler), audio, controls)
    assert float(loudness(out[..., -4 * RATE :], RATE)) == pytest.approx(-18, abs=0.1)
    assert abs(float(loudness(audio, RATE)) + 18) > 1


def test_the_leveler_waits_in_a_pause():
    samples = 4 * RATE
    audio = 0.02 * noise(1, 1, samples)
    audio[..., samples // 2 :] *= 1e-4
    controls = constant(Leveler, samples, target=-18, time=1, range=24, amount=1)
    out, _ = process(build(Leveler), audio, controls)
    gain = (out / audio)[0, 0]
    late = gain[samples // 2 + RATE :]
    assert float(late.max() / late.min()) == pytest.approx(1, abs=1e-6)
    assert float(late[0]) > 1.5


def test_gate_times_by_a_step():
    """Closed by 40 dB: after the attack 63 % of them are back, after hold and release 63 % are gone."""
    quiet, loud, samples = 1000, 3000, 9000
    audio = torch.full((1, 1, samples), 1e-4, dtype=torch.float64)
    audio[..., quiet:loud] = 0.5
    values = {"range": 40, "attack": 20, "hold": 50, "release": 100}
    out, _ = process(build(Gate, window=0.1), audio, constant(Gate, samples, **values))
    reduction = -20 * torch.log10(out / audio)[0, 0].numpy()
    assert reduction[quiet - 1] == pytest.approx(40, abs=1e-9)
    assert reduction[quiet + round(0.02 * RATE) - 1] == pytest.approx(40 / math.e, rel=0.01)
    # The window of 0.1 ms lets the level fall from −6 to −46 dB within ten samples.
    closing = loud + round(0.05 * RATE)
    assert reduction[closing - 1] == pytest.approx(0, abs=1e-3)
    assert reduction[closing + round(0.1 * RATE) + 5] == pytest.approx(40 * (1 - 1 / math.e), rel=0.01)


def test_a_gate_stays_open_between_its_thresholds():
    samples = 6000
    level = torch.full((1, 1, samples), 10 ** (-43 / 20), dtype=torch.float64)
    level[..., 2000:2500] = 10 ** (-30 / 20)
    values = {"range": 60, "threshold": -40, "hysteresis": 6, "hold": 0, "attack": 0.05, "release": 1}
    out, _ = process(build(Gate), level, constant(Gate, samples, **values))
    reduction = -20 * torch.log10(out / level)[0, 0]
    assert float(reduction[1999]) == pytest.approx(60)
    assert float(reduction[5999]) == pytest.approx(0, abs=1e-6)
    out, _ = process(build(Gate), level, constant(Gate, samples, **values | {"hysteresis": 1}))
    assert float(-20 * torch.log10(out / level)[0, 0, 5999]) == pytest.approx(60)


def test_expander_and_ducker_times_by_a_step():
    step, samples = 2000, 6000
    audio = torch.full((1, 1, samples), 1.0, dtype=torch.float64)
    audio[..., step:] = 1e-2
    values = {"threshold": -20, "ratio": 2, "knee": 0, "range": 80, "attack": 10, "release": 50}
    out, _ = process(build(Expander), audio, constant(Expander, samples, **values))
    reduction = -20 * torch.log10(out / audio)[0, 0]
    assert float(reduction[step + round(0.05 * RATE) - 1]) == pytest.approx(20 * (1 - 1 / math.e), rel=0.005)
    out, _ = process(build(Expander), audio.flip(-1), constant(Expander, samples, **values))
    reduction = -20 * torch.log10(out / audio.flip(-1))[0, 0]
    turned = samples - step
    assert float(reduction[turned + round(0.01 * RATE) - 1]) == pytest.approx(20 / math.e, rel=0.01)
    values = {"depth": 12, "attack": 20, "release": 100}
    out, _ = process(
        build(Ducker, window=0.1), audio, constant(Ducker, samples, **values), sidechain=audio - 1e-2
    )
    reduction = -20 * torch.log10(out / audio)[0, 0]
    assert float(reduction[round(0.02 * RATE) - 1]) == pytest.approx(12 * (1 - 1 / math.e), rel=0.01)
    assert float(reduction[step - 1]) == pytest.approx(12, rel=1e-3)
    assert float(reduction[step + round(0.1 * RATE) + 8]) == pytest.approx(12 / math.e, rel=0.02)


@pytest.mark.parametrize("level", [-70.0, -50.0, -41.0, -40.0, -39.0, -10.0])
@pytest.mark.parametrize("ratio", [1.0, 1.5, 4.0])
@pytest.mark.parametrize("knee", [0.0, 12.0])
def test_the_static_curve_of_the_expander(level, ratio, knee):
    audio = torch.full((1, 1, RATE), 10 ** (level / 20), dtype=torch.float64)
    values = {"threshold": -40, "ratio": ratio, "knee": knee, "range": 20, "attack": 1, "release": 1}
    out, _ = process(build(Expander), audio, constant(Expander, RATE, **values))
    want = level - min((ratio - 1) * bent(-40 - level, knee), 20)
    assert 20 * math.log10(float(out[0, 0, -1])) == pytest.approx(want, abs=1e-3)


@pytest.mark.parametrize(("attack", "sustain"), [(12.0, 0.0), (-12.0, 0.0), (0.0, 12.0), (0.0, -12.0)])
def test_the_transient_shaper_moves_attacks_and_decays(attack, sustain):
    """A struck note: a sine that begins at once and dies away."""
    n = torch.arange(RATE, dtype=torch.float64)
    note = (torch.sin(2 * math.pi * 440 * n / RATE) * torch.exp(-n / (0.15 * RATE)))[None, None] * 0.5
    audio = torch.cat((torch.zeros(1, 1, 500, dtype=torch.float64), note), -1)
    out, _ = process(build(Transient), audio, constant(Transient, RATE + 500, attack=attack, sustain=sustain))

    def change(start, stop):
        return 10 * math.log10(
            float(out[..., start:stop].square().sum() / audio[..., start:stop].square().sum())
        )

    onset, later = change(505, 600), change(500 + RATE // 5, 500 + RATE // 2)
    assert onset * math.copysign(1, attack or sustain) > (6 if attack else -0.5)
    assert later * math.copysign(1, attack or sustain) > (6 if sustain else -0.5)
    assert abs(later if attack else onset) < 1


def test_the_transient_shaper_leaves_a_steady_tone():
    n = torch.arange(2 * RATE, dtype=torch.float64)
    tone = 0.3 * torch.sin(2 * math.pi * 220 * n / RATE)[None, None]
    out, _ = process(build(Transient), tone, constant(Transient, 2 * RATE, attack=24, sustain=24))
    late = slice(RATE, None)
    changed = 10 * math.log10(float(out[..., late].square().sum() / tone[..., late].square().sum()))
    assert abs(changed) < 0.3


def test_the_deesser_is_bristow_johnsons_shelf_and_nowhere_louder():
    n = torch.arange(RATE, dtype=torch.float64)
    a = 10 ** (-12 / 40)
    for frequency in (5000, 3000, 2000, 1200, 200):
        s = 1j * math.tan(math.pi * frequency / RATE) / math.tan(math.pi * 2000 / RATE)
        damped = math.sqrt(2 * a) * s
        want = 20 * math.log10(abs(a * (a * s * s + damped + 1) / (s * s + damped + a)))
        tone = 0.5 * torch.sin(2 * math.pi * frequency * n / RATE)[None, None]
        values = {"frequency": 2000, "threshold": -60, "depth": 12, "release": 500}
        out, _ = process(build(DeEsser), tone, constant(DeEsser, RATE, **values))
        late = slice(RATE // 2, None)
        changed = 10 * math.log10(float(out[..., late].square().sum() / tone[..., late].square().sum()))
        assert changed == pytest.approx(want, abs=0.02)
        assert changed < 0.01


@EACH
def test_neutral_is_the_signal_bit_for_bit(effect_class):
    audio = bursts(1, 2, 2000).float()
    out, _ = process(build(effect_class), audio, constant(effect_class, 2000, torch.float32))
    assert torch.equal(out, audio)


@EACH
@settings(max_examples=examples(15), deadline=None)
@given(cuts=st.lists(st.integers(1, 200), min_size=1, max_size=6))
def test_blocks_equal_the_whole(effect_class, cuts):
    samples = sum(cuts)
    audio, controls = bursts(2, 2, samples), moving(effect_class, 2, samples)
    heard = bursts(2, 1, samples, seed=3)
    whole, last = process(build(effect_class), audio, controls, sidechain=heard)
    streamed, state = process(build(effect_class), audio, controls, cuts, sidechain=heard)
    torch.testing.assert_close(streamed, whole, rtol=1e-10, atol=1e-12)
    for name, tensor in state.items():
        torch.testing.assert_close(tensor, last[name], rtol=1e-9, atol=1e-11)


@pytest.mark.slow
@EACH
def test_gradients(effect_class):
    effect = build(effect_class)
    exact = {control.id for control in effect_class.controls if control.gradient == "exact"}
    audio, heard = bursts(1, 2, 24, seed=5).requires_grad_(), bursts(1, 1, 24, seed=6).requires_grad_()
    controls = moving(effect_class, 1, 24, seed=7)
    free = {name: values.requires_grad_() for name, values in controls.items() if name in exact}

    def run(audio, heard, *others):
        given_controls = controls | dict(zip(free, others))
        return process(effect, audio, given_controls, [9, 15], sidechain=heard)[0]

    if len(effect_class.inputs) == 1:
        heard = heard.detach()
    assert gradcheck(run, (audio, heard, *free.values()))


def test_thresholds_of_a_gate_learn_by_their_surrogate():
    """A gate that is shut on a signal of −40 dB wants a lower threshold."""
    audio = torch.full((1, 1, 500), 1e-2, dtype=torch.float64)
    controls = constant(Gate, 500, threshold=-38, range=40)
    threshold = controls["threshold"].requires_grad_()
    out, _ = process(build(Gate), audio, controls)
    (slope,) = torch.autograd.grad(out.sum(), threshold)
    assert float(slope.sum()) < 0


@EACH
def test_silence_one_sample_and_range_ends(effect_class):
    for samples in (1, 300):
        for end in ("min", "max"):
            values = {control.id: getattr(control, end) for control in effect_class.controls}
            controls = constant(effect_class, samples, **values)
            controls = {name: tensor.requires_grad_() for name, tensor in controls.items()}
            audio = torch.zeros(1, 2, samples, dtype=torch.float64, requires_grad=True)
            out, _ = process(build(effect_class), audio, controls)
            out.sum().backward()
            assert not out.any()
            given_tensors = (audio, *controls.values())
            assert all(t.grad is None or bool(t.grad.isfinite().all()) for t in given_tensors)
