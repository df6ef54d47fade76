"""Noise: against SplitMix64 in Python's integers and SciPy's filters, its statistics, blocks, an hour in."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Noise
from djgraph_fx.noise import white
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import bilinear, lfilter

from djgraph.effects import Block

from .bench import RATE, build, noise, process, unit

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


def splitmix(state):
    z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def by_hand(seed, channel, place):
    key = splitmix((channel * GOLDEN + (seed + 1) * GOLDEN**2) & MASK)
    return (splitmix((key + (place + 1) * GOLDEN) & MASK) >> 40) / 2**23 - 1


def held(samples, dtype=torch.float64, **values):
    values = {"level": 1.0, "cutoff": 1000.0, "q": 0.5**0.5} | values
    return {name: torch.full((1, 1, samples), value, dtype=dtype) for name, value in values.items()}


@given(
    seed=st.integers(0, 2**31 - 1),
    channels=st.integers(1, 3),
    start=st.integers(0, 10**10),
    samples=st.integers(1, 5),
)
def test_is_splitmix64(seed, channels, start, samples):
    got = white(seed, channels, start, samples, torch.zeros(1, dtype=torch.float64))
    want = [[by_hand(seed, c, start + n) for n in range(samples)] for c in range(channels)]
    assert got.tolist() == want
    assert white(seed, channels, start, samples, torch.zeros(1)).tolist() == want


def test_the_generator_is_the_known_one():
    """The first numbers of SplitMix64 from the state 1234567, as published with its reference code."""
    assert [splitmix((1234567 + n * GOLDEN) & MASK) for n in (1, 2, 3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_it_is_white_evenly_spread_and_its_channels_and_seeds_have_nothing_in_common():
    signals = torch.cat([white(seed, 2, 0, 2**17, torch.zeros(1, dtype=torch.float64)) for seed in (0, 1)])
    assert signals.abs().max() <= 1
    assert (signals.mean(-1).abs() < 0.01).all()
    torch.testing.assert_close(signals.std(-1), torch.full((4,), 3**-0.5).double(), rtol=0.01, atol=0)
    shares = torch.stack([torch.histc(one, 32, -1, 1) for one in signals]) / 2**12
    assert (shares - 1).abs().max() < 0.1
    together = torch.corrcoef(signals) - torch.eye(4, dtype=torch.float64)
    assert together.abs().max() < 0.02
    power = torch.fft.rfft(signals).abs().square()[:, 1:].unflatten(1, (64, -1)).mean(-1)
    assert (power / power.mean() - 1).abs().max() < 0.2


@pytest.mark.parametrize("kind", ["lowpass", "bandpass", "highpass", "white"])
def test_it_is_mixed_into_the_signal_through_its_filter(kind):
    audio, q = noise(2, 2, 800), 3.0
    out, _ = process(build(Noise, kind=kind, seed=7), audio, held(800, level=0.3, cutoff=900.0, q=q))
    wanted = white(7, 2, 0, 800, audio).numpy()
    if kind != "white":
        w = 2 * RATE * math.tan(math.pi * 900 / RATE)
        numerator = {"lowpass": [w * w], "bandpass": [w / q, 0], "highpass": [1, 0, 0]}[kind]
        wanted = lfilter(*bilinear(numerator, [1, w / q, w * w], RATE), wanted)
    np.testing.assert_allclose((out - audio).numpy(), np.broadcast_to(0.3 * wanted, (2, 2, 800)), atol=1e-9)


def test_mono_noise_is_the_same_on_all_channels():
    out, _ = process(build(Noise, mono=True), torch.zeros(1, 3, 200).double(), held(200))
    assert torch.equal(out[:, 0], out[:, 1])
    assert torch.equal(out[:, 0], out[:, 2])
    one, _ = process(build(Noise), torch.zeros(1, 1, 200).double(), held(200))
    assert torch.equal(out[:, :1], one)


def test_level_0_is_the_signal_bit_for_bit():
    audio = noise(1, 2, 300, dtype=torch.float32)
    out, _ = process(build(Noise), audio, held(300, torch.float32, level=0.0))
    assert torch.equal(out, audio)


@settings(max_examples=examples(20), deadline=None)
@given(
    cuts=st.lists(st.integers(1, 300), min_size=1, max_size=5),
    kind=st.sampled_from(["lowpass", "bandpass", "highpass", "white"]),
    mono=st.booleans(),
)
def test_blocks_equal_the_whole(cuts, kind, mono):
    samples, effect = sum(cuts), build(Noise, kind=kind, mono=mono)
    audio = noise(2, 2, samples)
    controls = {
        "level": unit(2, 1, samples),
        "cutoff": 20 * 400 ** unit(2, 1, samples, seed=2),
        "q": 0.5 * 40 ** unit(2, 1, samples, seed=3),
    }
    whole, last = process(effect, audio, controls)
    streamed, state = process(effect, audio, controls, cuts)
    torch.testing.assert_close(streamed, whole, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(state["integrators"], last["integrators"], rtol=1e-10, atol=1e-10)


def test_an_hour_in_it_is_the_noise_of_that_place():
    effect, start = build(Noise, kind="white"), 3600 * 44100
    silence = torch.zeros(1, 2, 64)
    out, _ = effect.process(
        {"in": silence},
        held(64, torch.float32),
        effect.initial_state(1, 2, silence),
        Block(start, 64, RATE),
    )
    assert out["out"][0].tolist() == [[by_hand(0, c, start + n) for n in range(64)] for c in range(2)]


def test_no_global_random_state_is_read():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one, _ = process(build(Noise), torch.zeros(1, 1, 50).double(), held(50))
    torch.manual_seed(2)
    two, _ = process(build(Noise), torch.zeros(1, 1, 50).double(), held(50))
    assert torch.equal(one, two)
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_gradients():
    effect, audio = build(Noise), noise(1, 2, 10).requires_grad_()
    curves = [
        c.requires_grad_()
        for c in (unit(1, 1, 10), 100 * 40 ** unit(1, 1, 10, seed=2), 0.6 + 4 * unit(1, 1, 10, seed=3))
    ]

    def run(audio, *curves):
        return process(effect, audio, dict(zip(("level", "cutoff", "q"), curves)))[0]

    assert gradcheck(run, (audio, *curves))
