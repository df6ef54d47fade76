"""The feedback delay network as an effect: a loop over samples, decay times, levels, freeze, channels, range ends."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import torch
from delayed_reads import read
from djgraph_fx import Fdn
from djgraph_fx.fdn import line_lengths
from effort import examples, few, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.effects import Environment

from .bench import RATE, build, noise, process, unit
from .test_reverb import band, reverberation_time

FULL = Environment(44100)


def steady(samples, dtype=torch.float64, **values):
    given_values = {control.id: control.default for control in Fdn.controls} | values
    return {name: torch.full((1, 1, samples), value, dtype=dtype) for name, value in given_values.items()}


def moving(samples, batch=2):
    """Every control at random."""
    values = {}
    for number, control in enumerate(Fdn.controls):
        u = unit(batch, 1, samples, seed=20 + number)
        if control.scale == "log":
            values[control.id] = control.min * (control.max / control.min) ** u
        else:
            values[control.id] = control.min + (control.max - control.min) * u
    return values


def responses(seconds, channels=1, environment=FULL, **options):
    """``[batch of one channel each, channels, samples]``: what an impulse in each channel makes."""
    values = {name: options.pop(name) for name in list(options) if any(c.id == name for c in Fdn.controls)}
    samples = round(seconds * environment.sample_rate)
    audio = torch.zeros(channels, channels, samples, dtype=torch.float64)
    audio[range(channels), range(channels), 0] = 1
    effect = build(Fdn, environment, **options)
    return process(effect, audio, steady(samples, mix=1.0, **values))[0].numpy()


def scrambled(lines):
    """The signs of Golay, Rudin and Shapiro, by their recursion."""
    signs = [1]
    for n in range(1, lines):
        half = signs[n // 2]
        signs.append(half if n % 2 == 0 or n // 2 % 2 == 0 else -half)
    return np.array(signs)


def sample_loop(effect, signal, values, channels):
    """One item, ``[channels, samples]``; all of it but the last two filters, which SciPy has none of."""
    delays, rate = effect.delays, RATE
    lines, samples = len(delays), signal.shape[-1]
    room, longest = max(delays), int(0.2 * rate) + 3
    matrix = scipy.linalg.hadamard(lines) / math.sqrt(lines)
    before = np.concatenate((np.zeros((channels, longest)), signal), -1)
    line, wet = np.zeros((lines, room + samples)), np.zeros((channels, samples))
    u_before, y_before = np.zeros(lines), np.zeros(lines)
    corner = math.tan(math.pi * min(2000, 0.45 * rate) / rate)
    way = np.mean(delays) / rate
    for n in range(samples):
        low = 60 / values["decay"][n]
        high = low / (1 - 0.9 * values["damping"][n])
        kept = 1 - values["freeze"][n]
        level = math.sqrt(lines * (1 - 10 ** (-low * way / 10))) * kept
        delay = values["predelay"][n] / 1000 * rate
        x = [level * read(before[c], longest + n - delay, longest + n) for c in range(channels)]
        ends = np.zeros(lines)
        for k, d in enumerate(delays):
            g0, gpi = (10 ** (-d * loss * kept / rate / 20) for loss in (low, high))
            a = corner * math.sqrt(gpi / g0)
            u = line[k, room + n - d]
            ends[k] = ((gpi + g0 * a) * u + (g0 * a - gpi) * u_before[k] - (a - 1) * y_before[k]) / (1 + a)
            u_before[k], y_before[k] = u, ends[k]
        enter = sum(matrix[c % lines] * x[c] * scrambled(lines) for c in range(channels))
        line[:, room + n] = enter + matrix @ ends
        wet[:, n] = [matrix[3 * c % lines] @ ends for c in range(channels)]
    return wet


@pytest.mark.parametrize(
    ("lines", "channels"), few([(lines, channels) for lines in (8, 16) for channels in (1, 2, 4, 9)], 2)
)
def test_against_a_sample_loop(lines, channels):
    """Direct form, so damping and decay rest; cuts stand open or are SciPy's."""
    effect, samples = build(Fdn, lines=lines, size=6), 500
    audio, values = noise(2, channels, samples), moving(samples)
    for name in ("decay", "damping", "freeze"):
        values[name] = values[name][..., :1].expand(2, 1, samples)
    values["low_cut"], values["high_cut"] = (torch.full((2, 1, samples), hertz) for hertz in (300.0, 900.0))
    out, _ = process(effect, audio, {name: value.double() for name, value in values.items()})
    for item in range(2):
        mine = {name: value[item, 0].numpy() for name, value in values.items()}
        wet = sample_loop(effect, audio[item].numpy(), mine, channels)
        for hertz, kind in ((300.0, "high"), (900.0, "low")):
            wet = scipy.signal.sosfilt(scipy.signal.butter(2, hertz, kind, fs=RATE, output="sos"), wet)
        want = (1 - mine["mix"]) * audio[item].numpy() + mine["mix"] * wet
        np.testing.assert_allclose(out[item].numpy(), want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("decay", [0.4, 1.5, 5.0])
@pytest.mark.parametrize("size", few([20.0, 40.0, 80.0], 1))
def test_decay_time(decay, size):
    response = responses(min(1.2 * decay + 0.3, 4.0), decay=decay, damping=0.0, size=size)[0, 0]
    assert reverberation_time(response, 44100) == pytest.approx(decay, rel=0.08)


@pytest.mark.parametrize("centre", [125.0, 2000.0, 15000.0])
@pytest.mark.parametrize("damping", few([0.3, 0.8], 1))
def test_damping_shortens_high_frequencies(damping, centre):
    """Low, at the corner, high: the losses of lows and highs, and their mean at the corner."""
    response = responses(3.0, decay=2.0, damping=damping, size=30.0, lines=16)[0, 0]
    low, high = 60 / 2.0, 60 / 2.0 / (1 - 0.9 * damping)
    want = 60 / {125.0: low, 2000.0: (low + high) / 2, 15000.0: high}[centre]
    got = reverberation_time(band(response, centre / 1.1, centre * 1.1), 44100)
    assert got == pytest.approx(want, rel=0.15)


@pytest.mark.parametrize("decay", [0.8, 3.0])
def test_white_noise_keeps_its_level(decay):
    """But for what a line's own length takes of it; both channels, which are no copies of each other."""
    response = responses(6.0 if decay > 1 else 2.0, channels=2, decay=decay, damping=0.0)
    way = np.mean(build(Fdn, FULL).delays) / 44100
    energies = (response**2).sum((0, 2)) / 2
    assert 10 * np.log10(energies) == pytest.approx(-60 * way / decay, abs=1.0)
    left, right = response.sum(0)
    assert abs(left @ right) < 0.3 * math.sqrt((left @ left) * (right @ right))


def test_lines_have_no_common_divisor():
    for lines, mean in itertools.product((8, 16), (2.5, 40.0, 1764.0, 19200.0)):
        lengths = line_lengths(lines, mean)
        assert all(math.gcd(a, b) == 1 for a, b in itertools.combinations(lengths, 2))
        if mean > 1000:
            assert np.exp(np.mean(np.log(lengths))) == pytest.approx(mean, rel=0.02)


def test_freeze_holds_what_sounds_and_lets_nothing_in():
    samples = 12 * RATE
    audio = noise(1, 2, samples, dtype=torch.float32)
    audio[..., RATE : 3 * RATE] = 0
    values = steady(samples, torch.float32, mix=1.0, decay=1.0, damping=0.8)
    values["freeze"][..., RATE:] = 1.0
    out, _ = process(build(Fdn), audio, values)
    early, late = (out[..., at * RATE : (at + 2) * RATE].square().mean().sqrt() for at in (2, 10))
    assert float(early) > 0.1
    assert float(late / early) == pytest.approx(1, abs=0.03)
    silent = audio.clone()
    silent[..., 3 * RATE :] = 0
    assert torch.equal(process(build(Fdn), silent, values)[0], out)


def test_predelay_comes_before_the_first_line():
    effect = build(Fdn, FULL)
    for milliseconds in (0.0, 50.0):
        out = responses(0.2, predelay=milliseconds)[0, 0]
        first = round(milliseconds * 44.1) + min(effect.delays)
        assert not out[: first - 3].any()
        assert out[first - 3 : first + 3].any()


@settings(max_examples=examples(15), deadline=None)
@given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=6), lines=st.sampled_from([8, 16]))
def test_blocks_equal_the_whole(cuts, lines):
    samples = sum(cuts)
    effect = build(Fdn, lines=lines, size=5)
    audio, values = noise(2, 2, samples), moving(samples)
    whole, last = process(effect, audio, values)
    parts, state = process(effect, audio, values, cuts)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-10)
    for name, tensor in last.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=1e-10)


def test_neutral_is_bit_exact():
    audio = noise(2, 2, 500, dtype=torch.float32)
    values = {name: value.float() for name, value in moving(500).items()} | {"mix": torch.zeros(2, 1, 500)}
    assert torch.equal(process(build(Fdn), audio, values)[0], audio)


@pytest.mark.parametrize("lines", [8, 16])
@pytest.mark.parametrize("size", [5.0, 200.0])
def test_it_is_bounded_and_finite_at_the_ends_of_its_range(lines, size):
    """All corners of decay, damping and freeze, and controls that jump between them."""
    samples = 3 * RATE
    audio = noise(1, 2, samples)
    corners = list(itertools.product((0.1, 30.0), (0.0, 1.0), (0.0, 1.0)))
    jumps = [
        corners[k] for k in torch.randint(8, (samples // 50,), generator=torch.Generator().manual_seed(3))
    ]
    jumping = torch.tensor(jumps, dtype=torch.float64).T.repeat_interleave(50, -1)
    rests = [torch.tensor(one, dtype=torch.float64)[:, None].expand(3, samples) for one in corners]
    for controls in (
        *rests,
        torch.nn.functional.pad(jumping[None], (0, samples - jumping.shape[-1]), "replicate")[0],
    ):
        values = steady(samples, mix=1.0) | {
            name: one[None, None].clone().requires_grad_()
            for name, one in zip(("decay", "damping", "freeze"), controls)
        }
        out, _ = process(build(Fdn, lines=lines, size=size), audio, values)
        assert out.abs().max() < 40
        out.square().mean().backward()
        assert all(value.grad.isfinite().all() for value in values.values() if value.requires_grad)


def test_silence_stays_silence():
    audio = torch.zeros(1, 2, 3000)
    out, state = process(build(Fdn), audio, steady(3000, torch.float32, mix=1.0))
    assert not out.any()
    assert not any(tensor.any() for tensor in state.values())


def test_gradients():
    effect = build(Fdn, Environment(400), size=5)
    values = {name: curve[:1, :, :25] for name, curve in moving(25).items()}

    def run(audio, *curves):
        return process(effect, audio, dict(zip(values, curves)), [7, 18])[0]

    leaves = (noise(1, 2, 25), *values.values())
    assert gradcheck(run, [leaf.clone().requires_grad_() for leaf in leaves])
