"""Runs one effect, whole or in blocks, on made-up signals."""

import numpy as np
import torch

from djgraph.effects import Block, Clock, Environment, Transform

RATE = 11025
SMALL = Environment(RATE, Transform(256, 64))


def build(effect_class, environment=SMALL, **settings):
    return effect_class(effect_class.Settings(**settings), environment)


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def unit(*shape, seed=1, dtype=torch.float64):
    """Values in 0…1."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def process(effect, audio, controls, cuts=None, state=None, clock=None, sidechain=None):
    """The output, and the last state; ``cuts`` are block lengths that add up to the signal's.

    sidechain: what a second input gets; the audio where left out.
    """
    sources = {
        port.name: audio if port.name == "in" or sidechain is None else sidechain for port in effect.inputs
    }
    batch, channels, samples = audio.shape
    state = effect.initial_state(batch, channels, audio) if state is None else state
    parts, start = [], 0
    for length in cuts or [samples]:
        span = slice(start, start + length)
        outputs, state = effect.process(
            {name: source[..., span] for name, source in sources.items()},
            {name: control[..., span] for name, control in controls.items()},
            state,
            Block(start, length, effect.environment.sample_rate, clock and at(clock, span)),
        )
        parts.append(outputs["out"])
        start += length
    return torch.cat(parts, dim=-1), state


def clock_of(tempo, rate=RATE, beat=0.0):
    """A clock from a tempo at every sample, ``[batch, 1, samples]``; it begins at that beat."""
    step = tempo / 60 / rate
    return Clock(tempo, beat + step.cumsum(-1) - step)


def at(clock, span):
    """The part of a clock that belongs to a block."""
    return Clock(clock.tempo[..., span], clock.beats[..., span])


def mask(effect, dtype=torch.float64, **values):
    """The gain for constant controls, ``[bins]`` as NumPy."""
    controls = {name: torch.full((1, 1, 1), value, dtype=dtype) for name, value in values.items()}
    return effect.mask(controls)[0, 0].numpy()


def measured_gain(effect, frequency, **values):
    """Level of a sine after an STFT, the effect's gain and the inverse, relative to before; by its RMS."""
    rate, transform = effect.environment.sample_rate, effect.environment.transform
    sine = np.sin(2 * np.pi * frequency * np.arange(rate) / rate)
    settings = {
        "n_fft": transform.size,
        "hop_length": transform.hop,
        "window": torch.hann_window(transform.size, dtype=torch.float64),
    }
    spectrum = torch.stft(torch.from_numpy(sine), **settings, return_complex=True)
    gain = torch.from_numpy(mask(effect, **values))
    result = torch.istft(spectrum * gain[:, None], **settings, length=rate).numpy()
    middle = slice(rate // 4, 3 * rate // 4)
    return np.sqrt(np.mean(result[middle] ** 2) / np.mean(sine[middle] ** 2))
