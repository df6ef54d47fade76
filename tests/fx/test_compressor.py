"""The compressor: against a loop over samples, its static curve, its times by a step, in blocks and late."""

import numpy as np
import pytest
import torch
from djgraph_fx import Compressor
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from .bench import RATE, build, noise, process, unit

RANGES = {
    "threshold": (-50, 0),
    "ratio": (1, 20),
    "knee": (0, 24),
    "attack": (0.05, 50),
    "release": (1, 300),
    "makeup": (-12, 12),
    "mix": (0, 1),
}


def moving(batch, samples, seed=0):
    return {
        name: low + (high - low) * unit(batch, 1, samples, seed=seed + number)
        for number, (name, (low, high)) in enumerate(RANGES.items())
    }


def constant(samples, **values):
    given_values = {name: control.neutral for name, control in controls_of().items()} | values
    return {
        name: torch.full((1, 1, samples), float(v), dtype=torch.float64) for name, v in given_values.items()
    }


def controls_of():
    return {control.id: control for control in Compressor.controls}


def curve(level, threshold, ratio, knee):
    """What comes out of what level, in dB: Giannoulis et al. 2012, eq. 4."""
    over = level - threshold
    if 2 * over < -knee:
        return level
    if 2 * abs(over) <= knee:
        return level + (1 / ratio - 1) * (over + knee / 2) ** 2 / (2 * knee)
    return threshold + over / ratio


def sample_loop(audio, controls, detector="peak", window=10.0, linked=True, sidechain=None):
    """``[channels, samples]``, one sample at a time, from the formulas."""
    channels, samples = audio.shape
    heard = audio if sidechain is None else sidechain
    if len(heard) != channels:
        heard = np.broadcast_to(np.abs(heard).max(0), audio.shape)
    out, state, power = np.zeros_like(audio), np.zeros(channels), np.zeros(channels)
    for n in range(samples):
        c = {name: values[n] for name, values in controls.items()}
        pole = np.exp(-1000 / (window * RATE))
        power = pole * power + (1 - pole) * heard[:, n] ** 2 if detector == "rms" else heard[:, n] ** 2
        measured = np.full(channels, power.max()) if linked else power
        for channel in range(channels):
            level = 10 * np.log10(max(measured[channel], 1e-12))
            target = level - curve(level, c["threshold"], np.inf, c["knee"] + 1e-3)
            time = c["attack"] if target > state[channel] else c["release"]
            alpha = np.exp(-1000 / (time * RATE))
            state[channel] = alpha * state[channel] + (1 - alpha) * target
            reduction = state[channel] * (1 - 1 / c["ratio"])
            wet = audio[channel, n] * 10 ** ((c["makeup"] - reduction) / 20)
            out[channel, n] = (1 - c["mix"]) * audio[channel, n] + c["mix"] * wet
    return out


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("detector", ["peak", "rms"])
@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("samples", [1, 300])
def test_equals_a_loop_over_samples(samples, channels, detector, linked):
    audio, controls = noise(2, channels, samples), moving(2, samples)
    out, _ = process(build(Compressor, detector=detector, linked=linked), audio, controls)
    for item in range(2):
        given_curves = {name: values[item, 0].numpy() for name, values in controls.items()}
        want = sample_loop(audio[item].numpy(), given_curves, detector, linked=linked)
        np.testing.assert_allclose(out[item].numpy(), want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("detector", ["peak", "rms"])
@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("others", [1, 2, 3])
def test_a_sidechain_of_any_channel_count_equals_a_loop_over_samples(others, channels, detector, linked):
    audio, heard, controls = noise(1, channels, 200), noise(1, others, 200, seed=9), moving(1, 200)
    effect = build(Compressor, detector=detector, linked=linked)
    out, _ = process(effect, audio, controls, [90, 110], sidechain=heard)
    curves = {name: values[0, 0].numpy() for name, values in controls.items()}
    want = sample_loop(audio[0].numpy(), curves, detector, linked=linked, sidechain=heard[0].numpy())
    np.testing.assert_allclose(out[0].numpy(), want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 20.0])
@pytest.mark.parametrize("knee", [0.0, 12.0])
@pytest.mark.parametrize("level", [-60.0, -31.0, -30.0, -20.0, -12.0, 0.0])
def test_the_static_curve(level, knee, ratio):
    samples = RATE
    audio = torch.full((1, 1, samples), 10 ** (level / 20), dtype=torch.float64)
    controls = constant(samples, threshold=-20, ratio=ratio, knee=knee, attack=1, release=1)
    out, _ = process(build(Compressor), audio, controls)
    got = 20 * np.log10(float(out[0, 0, -1]))
    assert got == pytest.approx(curve(level, -20, ratio, max(knee, 1e-3)), abs=1e-3)


def test_attack_and_release_are_the_times_in_which_63_percent_are_done():
    loud, samples = 2000, 6000
    audio = torch.ones(1, 1, samples, dtype=torch.float64)
    audio[..., loud:] = 1e-4
    attack, release = 20.0, 80.0
    controls = constant(samples, threshold=-20, ratio=20, knee=0, attack=attack, release=release)
    out, _ = process(build(Compressor), audio, controls)
    reduction = -20 * torch.log10(out / audio)[0, 0].numpy()
    full = 20 * (1 - 1 / 20)
    done = round(attack * RATE / 1000)
    assert reduction[done - 1] == pytest.approx(full * (1 - np.exp(-1)), rel=0.005)
    assert reduction[loud - 1] == pytest.approx(full, rel=1e-3)
    done = round(release * RATE / 1000)
    assert reduction[loud + done - 1] == pytest.approx(full * np.exp(-1), rel=0.005)


@pytest.mark.parametrize("samples", [1, 400])
def test_ratio_1_is_the_signal_bit_for_bit(samples):
    audio = noise(1, 2, samples, dtype=torch.float32)
    controls = {name: values.float() for name, values in constant(samples, threshold=-60).items()}
    out, _ = process(build(Compressor), audio, controls)
    assert torch.equal(out, audio)


@settings(max_examples=examples(20), deadline=None)
@given(
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=6),
    detector=st.sampled_from(["peak", "rms"]),
    linked=st.booleans(),
)
def test_blocks_equal_the_whole(cuts, detector, linked):
    effect, samples = build(Compressor, detector=detector, linked=linked), sum(cuts)
    audio, controls = noise(2, 2, samples), moving(2, samples)
    whole, last = process(effect, audio, controls)
    streamed, state = process(effect, audio, controls, cuts)
    torch.testing.assert_close(streamed, whole, rtol=1e-11, atol=1e-11)
    for name, tensor in state.items():
        torch.testing.assert_close(tensor, last[name], rtol=1e-11, atol=1e-11)


@pytest.mark.slow
def test_an_hour_of_state_is_as_good_as_none():
    """Blocks of a second in single precision: the state forgets what it has been through."""
    effect, audio = build(Compressor, detector="rms"), noise(1, 1, RATE, dtype=torch.float32)
    values = {"threshold": -30, "ratio": 4, "release": 50}
    controls = {name: tensor.float() for name, tensor in constant(RATE, **values).items()}
    state = effect.initial_state(1, 1, audio)
    with torch.no_grad():
        loud = 100 * noise(1, 1, RATE, seed=1, dtype=torch.float32)
        for _ in range(3600):
            _, state = process(effect, loud, controls, state=state)
        old, _ = process(effect, audio, controls, state=state)
        new, _ = process(effect, audio, controls)
    torch.testing.assert_close(old[..., RATE // 2 :], new[..., RATE // 2 :], rtol=1e-4, atol=1e-5)


def test_linked_channels_keep_their_balance():
    audio, controls = noise(1, 2, 500), constant(500, threshold=-30, ratio=10)
    audio[:, 1] = 0.25 * audio[:, 0]
    out, _ = process(build(Compressor), audio, controls)
    torch.testing.assert_close(out[:, 1], 0.25 * out[:, 0])


def test_silence_and_its_gradients():
    audio = torch.zeros(1, 2, 200, dtype=torch.float64, requires_grad=True)
    controls = {
        name: values.requires_grad_() for name, values in constant(200, threshold=-30, ratio=4).items()
    }
    out, _ = process(build(Compressor), audio, controls)
    out.sum().backward()
    assert not out.any()
    assert all(bool(tensor.grad.isfinite().all()) for tensor in (audio, *controls.values()))


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("detector", ["peak", "rms"])
def test_gradients(detector, linked):
    effect, samples = build(Compressor, detector=detector, linked=linked), 20
    names = list(RANGES)
    audio = noise(1, 2, samples, seed=5).requires_grad_()
    controls = [values.requires_grad_() for values in moving(1, samples, seed=6).values()]
    first = {"excess": 3 * unit(1, 1 if linked else 2, 1, seed=7)}
    if detector == "rms":
        first["power"] = unit(1, 2, 2, seed=8)
    states = [tensor.requires_grad_() for tensor in first.values()]

    def run(audio, *others):
        given_controls = dict(zip(names, others[: len(names)]))
        state = dict(zip(first, others[len(names) :]))
        out, last = process(effect, audio, given_controls, [7, 13], state)
        return out, *last.values()

    assert gradcheck(run, (audio, *controls, *states))
