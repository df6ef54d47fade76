"""Brake and spinback: against a loop over samples, pitch and stop, what lies too far back, streams, gradients."""

import math

import numpy as np
import pytest
import torch
from delayed_reads import read
from djgraph_fx import Brake, Spinback
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.effects import Environment

from .bench import RATE, build, noise, process, unit
from .held import cuts_of, held, steady, toggled

KINDS = (Brake, Spinback)


def sample_loop(kind, x, values, rate, curve, longest):
    """One channel, from the definition: a place in the record, and how fast it turns."""
    fade, room = max(1, round(2 * rate / 1000)), 3000
    line = np.concatenate((np.zeros(room), x))
    out, released, was_on = np.empty_like(x), fade, False
    turned = late = 0.0
    for n in range(len(x)):
        on = values["on"][n] > 0.5
        if on and not was_on:
            turned = 0.0
        else:
            turned += 1000 / (values["time"][n] * rate)
        speed = max(1 - turned, 0) ** curve * (1 if kind is Brake else -values["speed"][n])
        late = 0.0 if on and not was_on else late + 1 - speed
        released = 0 if was_on and not on else released + 1
        level = min(abs(speed), 1) * min(max((longest * rate - late) / fade, 0), 1)
        heard = level * read(line, room + n - min(late, longest * rate), room + n) if level else 0.0
        share = 0.0 if on else min(released / fade, 1)
        out[n] = x[n] + values["mix"][n] * (1 - share) * (heard - x[n])
        was_on = on
    return out


def moving(kind, samples, seed, toggles, batch=2):
    random = np.random.default_rng(seed)
    values = steady(kind, samples, batch)
    for item in range(batch):
        values["on"][item, 0] = toggled(random, samples, toggles)
    values["mix"] = unit(batch, 1, samples, seed=seed)
    values["time"] = 50 * 8 ** unit(batch, 1, samples, seed=seed + 1)
    if kind is Spinback:
        values["speed"] = 0.5 * 16 ** unit(batch, 1, samples, seed=seed + 2)
    return values


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=examples(40, least=2), deadline=None)
@given(
    seed=st.integers(0, 10**6),
    toggles=st.integers(0, 8),
    channels=st.sampled_from([1, 2, 4]),
    curve=st.sampled_from([0.5, 1.0, 2.5]),
    data=st.data(),
)
def test_against_a_sample_loop_in_any_blocks(kind, seed, toggles, channels, curve, data):
    samples = 600
    values, audio = moving(kind, samples, seed, toggles), noise(2, channels, samples, seed=seed)
    effect = build(kind, Environment(1000), curve=curve, longest=0.3)
    got, _ = process(effect, audio, values, cuts_of(data, samples))
    for item in range(2):
        mine = {name: curve[item, 0].numpy() for name, curve in values.items()}
        for channel in range(channels):
            want = sample_loop(kind, audio[item, channel].numpy(), mine, 1000, curve, 0.3)
            np.testing.assert_allclose(got[item, channel].numpy(), want, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("curve", "halfway"), [(1.0, 0.5), (2.0, 0.25)])
def test_a_brake_lowers_pitch_and_level_to_silence(curve, halfway):
    """A sine of 1000 Hz: its frequency is the rate, and so is its level."""
    samples, start, time = 3 * RATE, RATE // 2, 1.0
    audio = torch.sin(2 * np.pi * 1000 / RATE * torch.arange(samples, dtype=torch.float64))[None, None]
    values = steady(Brake, samples, time=1000 * time) | {"on": held(samples, (start, samples))}
    out, _ = process(build(Brake, curve=curve), audio, values)
    middle = start + RATE // 2
    around = out[0, 0, middle - 500 : middle + 500].numpy()
    crossings = np.flatnonzero(np.diff(np.sign(around)) > 0)
    frequency = RATE * (len(crossings) - 1) / (crossings[-1] - crossings[0])
    assert frequency == pytest.approx(1000 * halfway, rel=0.03)
    assert np.abs(around[450:550]).max() == pytest.approx(halfway, rel=0.05)
    assert not out[0, 0, start + RATE :].any()
    assert torch.equal(out[..., :start], audio[..., :start])


def test_a_spinback_plays_backwards():
    """A pulse before the switch is heard again after it, when the place has gone back as far."""
    samples, start = 2 * RATE, RATE
    audio = torch.zeros(1, 1, samples, dtype=torch.float64)
    audio[..., start - 2000] = 1
    values = steady(Spinback, samples, time=1000.0, speed=2.0) | {"on": held(samples, (start, samples))}
    out, _ = process(build(Spinback), audio, values)
    t = 1 - math.sqrt(1 - 2000 / RATE)  # the place is −2·(t − t²/2) seconds from the switch
    assert int(out[0, 0, start:].abs().argmax()) == pytest.approx(t * RATE, abs=3)


def test_what_is_too_far_back_is_silent_without_a_click():
    samples = 2 * RATE
    audio = torch.sin(2 * np.pi * 50 / RATE * torch.arange(samples, dtype=torch.float64))[None, None]
    values = steady(Spinback, samples, time=4000.0, speed=3.0) | {"on": held(samples, (RATE, samples))}
    out, _ = process(build(Spinback, longest=0.5), audio, values)
    assert not out[0, 0, RATE + RATE // 4 :].any()
    assert out[0, 0].diff().abs().max() < 3 * 2 * np.pi * 50 / RATE + 4 / round(2 * RATE / 1000)


@pytest.mark.parametrize("kind", KINDS)
def test_released_it_is_the_signal_where_it_would_have_been(kind):
    samples = RATE
    audio = noise(1, 2, samples, dtype=torch.float32)
    values = steady(kind, samples, dtype=torch.float32) | {"on": held(samples, (1000, 5000)).float()}
    out, _ = process(build(kind), audio, values)
    assert torch.equal(out[..., 5000 + 22 :], audio[..., 5000 + 22 :])
    assert torch.equal(out[..., :1000], audio[..., :1000])


@pytest.mark.parametrize("kind", KINDS)
def test_off_changes_no_bit(kind):
    audio = noise(2, 2, 900, dtype=torch.float32)
    values = {name: value.float() for name, value in moving(kind, 900, 3, 0).items()}
    assert torch.equal(process(build(kind), audio, values, [1, 500, 399])[0], audio)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("curve", [0.5, 1.0])
def test_gradients(kind, curve):
    """Of time and speed too: through the places that are read, and through the level."""
    samples = 80
    values = moving(kind, samples, 4, 0, 1) | {"on": held(samples, (10, 70))}
    names = [control.id for control in kind.controls if control.gradient == "exact"]

    def run(audio, *curves):
        given = {**values, **dict(zip(names, curves))}
        return process(build(kind, Environment(1000), curve=curve), audio, given, [50, 30])[0]

    leaves = (noise(1, 2, samples), *(values[name] for name in names))
    assert gradcheck(run, [leaf.clone().requires_grad_() for leaf in leaves])
