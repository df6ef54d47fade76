"""Loop rolls: against a loop over samples, on the beat, without clicks, streams, other lengths, gradients."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Roll, SlipRoll, Stutter
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.effects import Environment

from .bench import RATE, build, clock_of, noise, process, unit
from .held import cuts_of, held, picked, steady, toggled

FADE = round(2 * RATE / 1000)
KINDS = (Roll, SlipRoll, Stutter)


def sample_loop(kind, x, values, tempo, beats, rate, longest):
    """One channel. What is heard is a list of samples as far as known, and a place in it; None is the signal."""
    fade = max(1, round(2 * rate / 1000))
    room = math.ceil(longest * rate) + 1
    out, taken = np.empty_like(x), []
    heard, left, since, length_of_fade = None, None, fade, fade
    was_on = passes = 0
    began, before, before_wanted, gain_now, left_gain = 0.0, 0.0, 0.0, 1.0, 1.0

    def known(head, ahead):
        return head[0][(head[1] + ahead) % room]

    for n, sample in enumerate(x):
        on, wanted = values["on"][n] > 0.5, values["beats"][n]
        length = wanted
        while length * 60 / tempo[n] > longest * (1 + 1e-9):
            length /= 2
        start = on and (not was_on or (kind is SlipRoll and wanted != before_wanted))
        stop = was_on and not on
        seam = False
        if start:
            began = beats[n]
        elif on:
            seam = math.floor((beats[n] - began + 1e-9) / length) > math.floor(
                (before - began + 1e-9) / length
            )
        if start or stop or seam:
            left, left_gain, since = heard, gain_now, 0
            length_of_fade = fade if left is None else min(fade, len(left[0]) - left[1])
        if start:
            taken, heard, passes = [], None, 0
        elif stop:
            heard = None
        elif seam:
            heard, passes = (taken, 0), passes + 1
        if len(taken) < 10**6:
            taken.append(sample)
        gain_now = 1.0
        if kind is Stutter and on:
            gone = (beats[n] - began) - length * math.floor((beats[n] - began + 1e-9) / length)
            late = (gone - values["gate"][n] * length) * 60000 / tempo[n] / 2
            gain_now = min(max(1 - late, 0), 1) * 10 ** (-values["decay"][n] * passes / 20)
        current = gain_now * (sample if heard is None else known(heard, 0))
        if since < length_of_fade:
            leaving = left_gain * (sample if left is None else known(left, 0))
            current = leaving + since / length_of_fade * (current - leaving)
        out[n] = sample + values["mix"][n] * (current - sample)
        if heard:
            heard = (heard[0], heard[1] + 1)
        if left:
            left = (left[0], left[1] + 1)
        since, was_on, before, before_wanted = since + 1, on, beats[n], wanted
    return out


def compare(kind, environment, longest, audio, values, clock, cuts=None):
    got, _ = process(build(kind, environment, longest=longest), audio, values, cuts, clock=clock)
    for item in range(audio.shape[0]):
        mine = {name: curve[item, 0].numpy() for name, curve in values.items()}
        for channel in range(audio.shape[1]):
            want = sample_loop(
                kind, audio[item, channel].numpy(), mine, clock.tempo[item, 0].numpy(),
                clock.beats[item, 0].numpy(), environment.sample_rate, longest,
            )  # fmt: skip
            np.testing.assert_allclose(got[item, channel].numpy(), want, rtol=0, atol=1e-9)


def moving(kind, samples, batch, seed, toggles):
    """Switches pressed and released at random, lengths that change, the rest anywhere."""
    random = np.random.default_rng(seed)
    values = steady(kind, samples, batch)
    for item in range(batch):
        values["on"][item, 0] = toggled(random, samples, toggles)
        values["beats"][item, 0] = picked(random, samples, 2.0 ** np.arange(-5, 1))
    values["mix"] = unit(batch, 1, samples, seed=seed)
    if kind is Stutter:
        values["gate"] = 0.05 + 0.95 * unit(batch, 1, samples, seed=seed + 1)
        values["decay"] = 24 * unit(batch, 1, samples, seed=seed + 2)
    return values


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=examples(40, least=2), deadline=None)
@given(
    seed=st.integers(0, 10**6),
    toggles=st.integers(0, 12),
    channels=st.sampled_from([1, 2, 4]),
    data=st.data(),
)
def test_against_a_sample_loop_in_any_blocks(kind, seed, toggles, channels, data):
    samples, environment = 700, Environment(1000)
    clock = clock_of(60 + 200 * unit(2, 1, samples, seed=seed + 3), rate=1000, beat=3.3)
    values = moving(kind, samples, 2, seed, toggles)
    compare(
        kind, environment, 0.4, noise(2, channels, samples, seed=seed), values, clock, cuts_of(data, samples)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_switched_at_every_sample(kind):
    """Nothing real does that, but nothing may break, either."""
    samples = 300
    values = moving(kind, samples, 1, 5, 0)
    values["on"] = (unit(1, 1, samples, seed=9) > 0.5).double()
    clock = clock_of(300 * torch.ones(1, 1, samples, dtype=torch.float64), rate=1000)
    compare(kind, Environment(1000), 0.1, noise(1, 2, samples), values, clock, [1] * 100 + [200])


@pytest.mark.parametrize("beat", [0.0, 36000.0])
def test_passes_are_the_first_one_on_the_grid_of_beats(beat):
    """120 BPM, half a beat: sample for sample the slice, but for the 2 ms behind each seam."""
    samples, start, period = 3 * RATE, 1000, 0.25 * RATE
    audio = noise(1, 2, samples, dtype=torch.float32)
    values = steady(Roll, samples, dtype=torch.float32) | {"on": held(samples, (start, 2 * RATE)).float()}
    clock = clock_of(torch.full((1, 1, samples), 120.0, dtype=torch.float64), beat=beat)
    out, _ = process(build(Roll), audio, values, clock=clock)
    assert torch.equal(out[..., : start + int(period)], audio[..., : start + int(period)])
    for number in range(1, 6):
        seam = start + math.ceil(number * period)
        got = out[..., seam + FADE : seam + int(period)]
        assert torch.equal(got, audio[..., start + FADE : start + int(period)])
    assert torch.equal(out[..., 2 * RATE + FADE :], audio[..., 2 * RATE + FADE :])


def test_seams_follow_the_tempo():
    """From 120 to 90 BPM while held: each pass begins with the slice, where the clock has its multiple."""
    samples = 3 * RATE
    tempo = torch.linspace(120, 90, samples, dtype=torch.float64)[None, None]
    clock, audio = clock_of(tempo), noise(1, 1, samples)
    values = steady(Roll, samples, beats=0.5) | {"on": held(samples, (0, samples))}
    out, _ = process(build(Roll), audio, values, clock=clock)
    beats = clock.beats[0, 0]
    for number in range(1, 7):
        seam = int((beats >= 0.5 * number - 1e-9).nonzero()[0, 0])
        span = slice(seam + FADE, seam + RATE // 5)
        assert torch.equal(out[0, 0, span], audio[0, 0, FADE : RATE // 5])


@pytest.mark.parametrize("kind", KINDS)
def test_no_click(kind):
    """A slow sine through many seams and a release: no step is larger than its fades make it."""
    samples = 2 * RATE
    audio = torch.sin(2 * np.pi * 50 / RATE * torch.arange(samples, dtype=torch.float64))[None, None]
    values = steady(kind, samples, beats=0.125) | {"on": held(samples, (777, 15000), (16001, 20000))}
    clock = clock_of(torch.full((1, 1, samples), 133.0, dtype=torch.float64))
    out, _ = process(build(kind), audio, values, clock=clock)
    assert out[0, 0].diff().abs().max() < 2 * np.pi * 50 / RATE + 2 / FADE


@pytest.mark.parametrize("kind", KINDS)
def test_another_length_while_it_is_held(kind):
    """From half a beat to a quarter: what is repeated begins at the switch (roll), or at the change (slip roll)."""
    samples, change = 2 * RATE, RATE
    audio = noise(1, 1, samples)
    values = steady(kind, samples, beats=0.5) | {"on": held(samples, (0, samples))}
    values["beats"][..., change:] = 0.25
    if kind is Stutter:
        values["gate"] = torch.ones_like(values["gate"])
    clock = clock_of(torch.full((1, 1, samples), 120.0, dtype=torch.float64))
    out, _ = process(build(kind), audio, values, clock=clock)
    quarter = math.ceil(0.125 * RATE)
    source = change if kind is SlipRoll else 0
    for number in (1, 2, 3):
        seam = change + math.ceil(number * 0.125 * RATE)
        got = out[0, 0, seam + FADE : seam + quarter - 1]
        assert torch.equal(got, audio[0, 0, source + FADE : source + quarter - 1])


def test_a_length_beyond_the_longest_is_halved():
    """4 beats of 60 BPM are 4 s; 1 s is the most: passes of 1 beat."""
    samples = 4 * RATE
    audio = noise(1, 1, samples)
    values = steady(Roll, samples, beats=4.0) | {"on": held(samples, (0, samples))}
    clock = clock_of(torch.full((1, 1, samples), 60.0, dtype=torch.float64))
    out, _ = process(build(Roll, longest=1), audio, values, clock=clock)
    for second in (1, 2, 3):
        assert torch.equal(out[0, 0, second * RATE + FADE : (second + 1) * RATE], audio[0, 0, FADE:RATE])


def test_repeats_of_a_stutter_decay_and_are_gated():
    samples, period = 2 * RATE, RATE // 4
    audio = torch.ones(1, 1, samples, dtype=torch.float64)
    values = steady(Stutter, samples, beats=0.5, gate=0.5, decay=6.0) | {"on": held(samples, (0, samples))}
    clock = clock_of(torch.full((1, 1, samples), 120.0, dtype=torch.float64))
    out, _ = process(build(Stutter), audio, values, clock=clock)
    for number in range(7):
        middle = number * period + period // 4
        assert float(out[0, 0, middle]) == pytest.approx(10 ** (-6 * number / 20))
        assert float(out[0, 0, middle + period // 2]) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_off_changes_no_bit(kind):
    audio = noise(2, 2, 900, dtype=torch.float32)
    values = {name: value.float() for name, value in moving(kind, 900, 2, 3, 0).items()}
    clock = clock_of(torch.full((2, 1, 900), 120.0, dtype=torch.float64))
    assert torch.equal(process(build(kind), audio, values, [1, 500, 399], clock=clock)[0], audio)
    values["on"], values["mix"] = torch.ones_like(values["on"]), torch.zeros_like(values["mix"])
    assert torch.equal(process(build(kind), audio, values, clock=clock)[0], audio)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    """Of the audio and of all controls with a gradient, through seams, a release and a block's end."""
    environment, samples = Environment(1000), 120
    values = moving(kind, samples, 1, 4, 0) | {"on": held(samples, (10, 90))}
    values["beats"] = torch.full((1, 1, samples), 1 / 16, dtype=torch.float64)
    clock = clock_of(torch.full((1, 1, samples), 150.0, dtype=torch.float64), rate=1000)
    names = [control.id for control in kind.controls if control.gradient == "exact"]

    def run(audio, *curves):
        given = {**values, **dict(zip(names, curves))}
        return process(build(kind, environment, longest=0.3), audio, given, [50, 70], clock=clock)[0]

    leaves = (noise(1, 2, samples), *(values[name] for name in names))
    assert gradcheck(run, [leaf.clone().requires_grad_() for leaf in leaves])
