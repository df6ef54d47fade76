"""Decks of the language with key lock: pitch stays, stems stay together, blocks and cuts change nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from djgraph_fx import Deck
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

import djgraph
from djgraph.dsp import read_material, stretch
from djgraph.effects import Block, Environment, Markers, Material

RATE = 8000
FRAME = 1024
"""Samples of a frame at that rate."""


class Memory(Material):
    def __init__(self, audio, widths, markers=None):
        self.audio, self.widths, self.markers = audio, widths, markers
        self.channels, self.samples = audio.shape[-2:]

    def read(self, position, rate):
        return read_material(self.audio, position, rate)


def noise(channels, samples, seed=0, dtype=torch.float32):
    return (0.1 * torch.randn(channels, samples, generator=torch.Generator().manual_seed(seed))).to(dtype)


def wander(samples, low=0.8, high=1.25):
    return low + (high - low) * (0.5 + 0.5 * torch.sin(torch.arange(samples) / 1700))


def play(audio, rate, cuts=(), start=0.0, widths=None, markers=None, locked=True):
    """rate: of each sample. Returns ``[channels, samples]``."""
    effect = Deck(Deck.Settings(key_lock=locked), Environment(RATE))
    material = Memory(audio, widths or (len(audio),), markers)
    state, parts = effect.initial_state(1, audio[None]), []
    rate = rate.to(audio.dtype)[None, None]
    begin = torch.as_tensor(start, dtype=audio.dtype).view(1, 1, 1)
    for a, b in itertools.pairwise([0, *cuts, rate.shape[-1]]):
        controls = {"start": begin.expand(-1, -1, b - a), "rate": rate[..., a:b]}
        sound, state = effect.process(material, controls, state, Block(a, b - a, RATE))
        parts.append(sound[0])
    return torch.cat(parts, -1)


@pytest.mark.parametrize("speed", [0.5, 0.84, 1.2, 2.7, 4.0])
def test_a_tone_keeps_its_frequency_and_level(speed):
    """One phase for two seconds, found by least squares: what is left then is 35 dB below the tone."""
    at = np.arange(2 * RATE) / RATE
    tone = torch.from_numpy(0.3 * np.sin(2 * np.pi * 441.3 * np.arange(10 * RATE) / RATE))[None]
    x = play(tone, torch.full((2 * RATE + FRAME,), speed).double())[0, FRAME:].numpy()
    waves = np.stack((np.cos(2 * np.pi * 441.3 * at), np.sin(2 * np.pi * 441.3 * at)), 1)
    found = np.linalg.lstsq(waves, x, rcond=None)[0]
    assert np.hypot(*found) == pytest.approx(0.3, abs=1e-3)
    assert ((x - waves @ found) ** 2).mean() < 10 ** (-35 / 10) * (x**2).mean()


@pytest.mark.parametrize("speed", [0.9, 1.2])
def test_at_one_rate_it_is_the_stretch_of_the_whole(speed):
    audio = noise(2, 9000, dtype=torch.float64)
    rate = torch.full((6000,), speed, dtype=torch.float64)
    position = 100 + speed * torch.arange(6000, dtype=torch.float64)
    wanted = stretch(audio, position, guide=torch.eye(2).double(), sample_rate=RATE)
    torch.testing.assert_close(play(audio, rate, start=100 / RATE), wanted, rtol=0, atol=1e-9)


def test_clicks_fall_where_they_do_without():
    """Through a rate that moves by a third in a second: the middle of each click's energy, within 2 ms."""
    track = torch.zeros(1, 40_000)
    track[0, 900::1800] = 1
    rate = wander(24_000, 0.9, 1.15)
    locked, plain = (play(track, rate, locked=one)[0].double() for one in (True, False))
    peaks = [n for n in range(1000, 23_000) if plain[n] > 0.3 and plain[n] == plain[n - 300 : n + 300].max()]
    middles = []
    for x in (locked, plain):
        energy = torch.stack([x[n - 300 : n + 300].square() for n in peaks])
        middles.append((energy * torch.arange(600)).sum(1) / energy.sum(1))
    assert len(peaks) == 12
    assert float((middles[0] - middles[1]).abs().max()) < 0.002 * RATE


@settings(max_examples=examples(12), deadline=None)
@given(st.lists(st.integers(1, 5999), max_size=6, unique=True), st.sampled_from([(0.8, 1.25), (0.3, 3.9)]))
def test_blocks_are_the_whole_bit_for_bit(cuts, ends):
    audio, rate = noise(3, 20_000), wander(6000, *ends)
    whole = play(audio, rate, widths=(2, 1))
    assert torch.equal(play(audio, rate, sorted(cuts), widths=(2, 1)), whole)


@pytest.mark.slow
def test_minutes_of_blocks_are_the_whole_bit_for_bit():
    audio, rate = noise(1, 200 * RATE), wander(180 * RATE)
    cuts = range(441, 180 * RATE, 441)
    assert torch.equal(play(audio, rate, cuts), play(audio, rate))


def test_stems_stay_together_to_the_sample():
    """Of stems that are alike all are the same, and a sum of stretched stems is the stretched sum."""
    one, other, rate = noise(2, 12_000), noise(2, 12_000, seed=1), wander(8000)
    alike = play(torch.cat((one, 0.5 * one)), rate, widths=(2, 2))
    assert torch.equal(0.5 * alike[:2], alike[2:])
    apart = play(torch.cat((one, other)), rate, widths=(2, 2))
    together = play(one + other, rate, widths=(2,))
    torch.testing.assert_close(apart[:2] + apart[2:], together, rtol=0, atol=2e-6)


def test_at_rest_and_behind_a_jump_it_is_the_track_bit_for_bit():
    audio = noise(2, 12_000)
    assert torch.equal(play(audio, torch.ones(5000), cuts=(7, 1024)), audio[:, :5000])
    markers = Markers(*torch.tensor([[0.0, 3000], [100, 7000], [1, 1]]).double())
    out = play(audio, torch.ones(5000), markers=markers)
    assert torch.equal(out[:, : 3000 - FRAME // 4], audio[:, 100 : 3100 - FRAME // 4])
    assert torch.equal(out[:, 3000 + FRAME :], audio[:, 7000 + FRAME : 9000])


def test_a_moving_rate_leaves_its_own_tempo_without_a_seam():
    tone = torch.sin(2 * torch.pi * 333 * torch.arange(30_000).double() / RATE)[None]
    rate = 1 + 0.1 * ((torch.arange(16_000).double() - 6000) / 8000).clamp(0, 1)
    x = play(tone, rate)[0]
    assert torch.equal(x[:6000], tone[0, :6000])
    assert float(x.diff().abs().max()) < 1.02 * 2 * np.pi * 333 / RATE
    assert float(x.unfold(0, 100, 50).abs().amax(-1).min()) > 0.97


def test_gradients_in_material_are_exact_once_the_phases_are_known():
    """Phases do not change with the level, so by Euler's theorem the gradient along the material is the output."""
    audio = noise(2, 5000, dtype=torch.float64).requires_grad_()
    weight = noise(2, 3000, seed=5, dtype=torch.float64)
    total = (play(audio, wander(3000)) * weight).sum()
    (slope,) = torch.autograd.grad(total, audio)
    assert float((slope * audio).sum().detach()) == pytest.approx(float(total.detach()), rel=1e-9)


def test_gradients_in_start_and_rate_are_those_of_a_turntable_at_rest():
    slopes = []
    for locked in (True, False):
        start, rate = (
            torch.tensor(0.05, dtype=torch.float64).requires_grad_(),
            torch.ones(3000).double().requires_grad_(),
        )
        wave = torch.sin(torch.arange(6000).double() / 9)[None]
        weight = torch.cos(torch.arange(3000).double() / 9 + 0.4)
        total = (play(wave, rate, start=start, locked=locked)[0] * weight).sum()
        slopes.append([float(one.sum()) for one in torch.autograd.grad(total, (start, rate))])
    assert slopes[0] == pytest.approx(slopes[1], rel=0.01)


def test_gradients_pass_through_blocks():
    slopes = []
    for cuts in ((), (5, 1500, 2048)):
        audio = noise(1, 5000, dtype=torch.float64).requires_grad_()
        rate = wander(3000).double().requires_grad_()
        play(audio, rate, cuts).square().sum().backward()
        slopes.append((audio.grad, rate.grad))
    for got, want in zip(*slopes):
        assert float(want.abs().max()) > 0
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12)


def test_in_a_graph():
    """The layout is that of a deck without; a stream of the mixer plays what the whole does."""
    document = {
        "djgraph": 1,
        "name": "locked",
        "sample_rate": RATE,
        "inputs": [{"name": "a", "stems": ["x", "y"], "source": {"effect": "deck"}}],
        "mixer": [
            {"strip": "x", "input": "a.x", "to": "m"},
            {"strip": "y", "input": "a.y", "to": "m"},
            {"bus": "m"},
        ],
        "outputs": ["m"],
    }
    plain = djgraph.compile(djgraph.load(document))
    document["inputs"][0]["source"]["settings"] = {"key_lock": True}
    mixer = djgraph.compile(djgraph.load(document))
    assert mixer.layout.names == plain.layout.names
    track = {"x": noise(2, 9000)[None], "y": noise(1, 9000, seed=1)[None]}
    params = mixer.layout.default.repeat(2, 1)
    params[:, mixer.layout.index("a.rate")] = torch.tensor([0.9, 1.2])
    whole = mixer({"a": track}, params, samples=5000)
    stream = mixer.stream(score=(params, torch.tensor([0, 4999])), material={"a": track})
    blocks = [stream(samples=n) for n in (100, 2900, 2000)]
    assert stream.latency == 0
    assert torch.equal(torch.cat(blocks, -1), whole)
    assert not torch.allclose(whole, plain({"a": track}, params, samples=5000), atol=1e-3)
