"""The sampler against a loop over samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from djgraph_fx import Sampler

from djgraph.dsp import read_material
from djgraph.effects import Block, Environment, Material

RATE, SAMPLES = 8000, 400


class Memory(Material):
    def __init__(self, audio):
        self.audio, self.samples, self.channels = audio, audio.shape[-1], audio.shape[0]

    def read(self, position, rate):
        return read_material(self.audio, position, rate)


def made(seed):
    draw = np.random.default_rng(seed)
    trigger = np.repeat(draw.integers(0, 2, 40), 10).astype(float)
    return {
        "trigger": trigger,
        "rate": draw.uniform(0.5, 2, SAMPLES),
        "start": np.repeat(draw.uniform(0, 0.01, 8), 50),
    }


def oracle(audio, controls, mode, fade):
    """Voices one by one: [place, when it began to fade or None], the last two of them."""
    out, voices, held = np.zeros((len(audio), SAMPLES)), [], 0.0
    for n in range(SAMPLES):
        trigger = controls["trigger"][n]
        if trigger < held and mode == "gate" and voices and voices[-1][1] is None:
            voices[-1][1] = n
        if trigger > held:
            if voices and voices[-1][1] is None:
                voices[-1][1] = n
            voices = [*voices[-1:], [controls["start"][n] * RATE, None]]
        held = trigger
        for voice in voices:
            level = 1.0 if voice[1] is None else max(0.0, 1 - (n - voice[1]) / fade)
            place = torch.tensor([voice[0]], dtype=torch.float64)
            rate = torch.tensor([controls["rate"][n]], dtype=torch.float64)
            out[:, n] += level * read_material(torch.from_numpy(audio), place, rate)[:, 0].numpy()
            voice[0] += controls["rate"][n]
    return out


def run(effect, audio, controls, cuts=()):
    material, like = Memory(torch.from_numpy(audio)), torch.zeros(1, 2, 1, dtype=torch.float64)
    state, parts = effect.initial_state(1, like), []
    edges = [0, *cuts, SAMPLES]
    for begin, end in itertools.pairwise(edges):
        now = {name: torch.from_numpy(one[None, None, begin:end].copy()) for name, one in controls.items()}
        sound, state = effect.process(material, now, state, Block(begin, end - begin, RATE))
        parts.append(sound[0])
    return torch.cat(parts, -1).numpy()


@pytest.mark.parametrize("mode", ["shot", "gate"])
@pytest.mark.parametrize("seed", [0, 1])
def test_against_a_loop(mode, seed):
    audio = np.random.default_rng(9).standard_normal((2, 300))
    controls = made(seed)
    effect = Sampler(Sampler.Settings(mode=mode, fade=1.5), Environment(RATE))
    wanted = oracle(audio, controls, mode, 0.0015 * RATE)
    assert np.abs(wanted).max() > 1
    for cuts in ((), (1, 2, 37, 38, 200, 399)):
        np.testing.assert_allclose(run(effect, audio, controls, cuts), wanted, atol=1e-9)


def test_a_shot_is_the_sound_from_its_sample_on():
    audio = np.random.default_rng(3).standard_normal((2, 120)).astype(np.float32).astype(np.float64)
    controls = {"trigger": np.zeros(SAMPLES), "rate": np.ones(SAMPLES), "start": np.zeros(SAMPLES)}
    controls["trigger"][77] = 1
    out = run(Sampler(Sampler.Settings(), Environment(RATE)), audio, controls)
    assert not out[:, :77].any()
    np.testing.assert_array_equal(out[:, 77:197], audio)
    assert not out[:, 197:].any()
