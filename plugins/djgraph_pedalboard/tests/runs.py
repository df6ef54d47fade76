"""Runs an effect and, beside it, Pedalboard itself."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from djgraph.effects import Block, Environment

RATE = 44100


def noise(samples=6000, level=0.3, channels=2, batch=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return level * torch.randn(batch, channels, samples, generator=generator)


def make(cls, settings=None, rate=RATE):
    return cls(cls.Settings(**(settings or {})), Environment(rate))


def resting(effect, values, batch, samples, dtype=torch.float32):
    """Every control at one value; the mix at 1 where it is not given."""
    values = {"mix": 1.0, **values}
    return {
        control.id: torch.full((batch, 1, samples), values.get(control.id, control.default), dtype=dtype)
        for control in effect.controls
    }


def run(effect, sound, controls, cuts=None):
    """The output in blocks between the cuts, each with the state of the one before, without the latency."""
    lag, samples = effect.latency(), sound.shape[-1]
    sound = torch.nn.functional.pad(sound, (0, lag))
    controls = {
        name: torch.cat((one, one[..., -1:].expand(*one.shape[:-1], lag)), -1)
        for name, one in controls.items()
    }
    state = effect.initial_state(sound.shape[0], sound.shape[1], sound)
    pieces = []
    for start, stop in pairwise([0, *(cuts or ()), samples + lag]):
        given = {name: values[..., start:stop] for name, values in controls.items()}
        block = Block(start, stop - start, effect.environment.sample_rate)
        out, state = effect.process({"in": sound[..., start:stop]}, given, state, block)
        pieces.append(out["out"])
    return torch.cat(pieces, -1)[..., lag:]


def directly(plugin, sound, rate=RATE):
    """What Pedalboard makes of a clip in one call: ``[channels, samples]``, for each item of a batch its own plugin."""
    return torch.from_numpy(np.stack([plugin().process(one.numpy(), rate, reset=True) for one in sound]))
