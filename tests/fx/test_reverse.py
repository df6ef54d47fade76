"""Reverse: against a loop over samples, chunks on the beat, without clicks, streams, gradients."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Reverse
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.effects import Environment

from .bench import RATE, build, clock_of, noise, process, unit
from .held import cuts_of, held, picked, steady, toggled

FADE = round(2 * RATE / 1000)


def sample_loop(x, values, tempo, beats, rate, longest):
    """One channel. What is heard is the place of a sample that goes back, or None: the signal itself."""
    fade = max(1, round(2 * rate / 1000))
    most = 2 * (math.ceil(longest * rate) + fade) + 1
    out = np.empty_like(x)
    heard = left = None
    since, was_on, began, before = fade, False, 0.0, 0.0

    def read(place, n):
        place = n if place is None else max(place, n - most)
        return x[place] if place >= 0 else 0.0

    for n in range(len(x)):
        on, length = values["on"][n] > 0.5, values["beats"][n]
        while length * 60 / tempo[n] > longest * (1 + 1e-9):
            length /= 2
        event = on != was_on
        if on and not was_on:
            began = beats[n]
        elif on:
            event = math.floor((beats[n] - began + 1e-9) / length) > math.floor(
                (before - began + 1e-9) / length
            )
        if event:
            left, since, heard = heard, 0, (n - 1 if on else None)
        current = read(heard, n)
        if since < fade:
            leaving = read(left, n)
            current = leaving + since / fade * (current - leaving)
        out[n] = x[n] + values["mix"][n] * (current - x[n])
        heard, left = (None if place is None else place - 1 for place in (heard, left))
        since, was_on, before = since + 1, on, beats[n]
    return out


@settings(max_examples=examples(40, least=2), deadline=None)
@given(
    seed=st.integers(0, 10**6),
    toggles=st.integers(0, 12),
    channels=st.sampled_from([1, 2, 4]),
    data=st.data(),
)
def test_against_a_sample_loop_in_any_blocks(seed, toggles, channels, data):
    samples, environment, random = 700, Environment(1000), np.random.default_rng(seed)
    values = steady(Reverse, samples, 2)
    for item in range(2):
        values["on"][item, 0] = toggled(random, samples, toggles)
        values["beats"][item, 0] = picked(random, samples, 2.0 ** np.arange(-5, 1))
    values["mix"] = unit(2, 1, samples, seed=seed)
    audio = noise(2, channels, samples, seed=seed)
    clock = clock_of(60 + 200 * unit(2, 1, samples, seed=seed + 3), rate=1000, beat=3.3)
    effect = build(Reverse, environment, longest=0.2)
    got, _ = process(effect, audio, values, cuts_of(data, samples), clock=clock)
    for item in range(2):
        mine = {name: curve[item, 0].numpy() for name, curve in values.items()}
        for channel in range(channels):
            want = sample_loop(
                audio[item, channel].numpy(), mine, clock.tempo[item, 0].numpy(), clock.beats[item, 0].numpy(),
                1000, 0.2,
            )  # fmt: skip
            np.testing.assert_allclose(got[item, channel].numpy(), want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("beat", [0.0, 36000.0])
def test_each_chunk_is_the_one_before_it_turned_round(beat):
    samples, start, period = 5 * RATE, RATE, 6615  # a beat at 100 BPM
    stop = start + 4 * period
    audio = noise(1, 2, samples, dtype=torch.float32)
    values = steady(Reverse, samples, dtype=torch.float32, beats=1.0)
    values["on"] = held(samples, (start, stop)).float()
    clock = clock_of(torch.full((1, 1, samples), 100.0, dtype=torch.float64), beat=beat)
    out, _ = process(build(Reverse), audio, values, clock=clock)
    assert torch.equal(out[..., :start], audio[..., :start])
    for begin in range(start, stop, period):
        got, turned = out[..., begin : begin + period], audio[..., begin - period : begin].flip(-1)
        assert torch.equal(got[..., FADE:], turned[..., FADE:])
    assert torch.equal(out[..., stop + FADE :], audio[..., stop + FADE :])


def test_no_click():
    samples = 2 * RATE
    audio = torch.sin(2 * np.pi * 50 / RATE * torch.arange(samples, dtype=torch.float64))[None, None]
    values = steady(Reverse, samples, beats=0.125) | {"on": held(samples, (777, 15000), (16001, 20000))}
    clock = clock_of(torch.full((1, 1, samples), 133.0, dtype=torch.float64))
    out, _ = process(build(Reverse), audio, values, clock=clock)
    assert out[0, 0].diff().abs().max() < 2 * np.pi * 50 / RATE + 2 / FADE


def test_off_changes_no_bit():
    audio = noise(2, 2, 900, dtype=torch.float32)
    values = steady(Reverse, 900, 2, torch.float32) | {"mix": unit(2, 1, 900, dtype=torch.float32)}
    clock = clock_of(torch.full((2, 1, 900), 120.0, dtype=torch.float64))
    assert torch.equal(process(build(Reverse), audio, values, [1, 500, 399], clock=clock)[0], audio)


def test_gradients():
    environment, samples = Environment(1000), 120
    values = steady(Reverse, samples, beats=1 / 16) | {"on": held(samples, (30, 90))}
    clock = clock_of(torch.full((1, 1, samples), 150.0, dtype=torch.float64), rate=1000)

    def run(audio, mix):
        given = {**values, "mix": mix}
        return process(build(Reverse, environment, longest=0.3), audio, given, [50, 70], clock=clock)[0]

    leaves = (noise(1, 2, samples), unit(1, 1, samples))
    assert gradcheck(run, [leaf.clone().requires_grad_() for leaf in leaves])
