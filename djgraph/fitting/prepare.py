"""Inputs and target as the fit needs them: shapes, channels, rates; clear errors for what cannot be used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import whole
from djgraph.errors import InputError
from djgraph.graph.ir import Graph
from djgraph.runtime.inputs import prepare_audio

SILENT = 1e-5
"""RMS below which a target counts as silent (−100 dBFS)."""
LONGEST_SHORTFALL = 0.05
"""Least part of the stems' length that a target has to cover."""

OFFSET = 1e-4
"""Mean of a target from which it counts as a DC offset (−80 dBFS)."""
LONGEST_DELAY = 1e6
"""Seconds either way."""
MOST_LEVEL_DB = 100.0
"""Decibels either way."""
MOST_LEVEL = 10 ** (MOST_LEVEL_DB / 20)
MOST_FRAMES = 1000
"""Control frames a second."""


@dataclass(frozen=True)
class Prepared:
    """inputs: for the mixer, ``[1, channels, samples]``. sources: every input node's audio, folded to the channels
    that are compared, ``[channels, samples]``. target: ``[channels, any]`` at the graph's rate, without the DC offset
    of which ``offset`` is the largest. told_by: :meth:`sounds` of what this was made of, if it was made of other."""

    inputs: dict[str, Any]
    sources: list[Tensor]
    target: Tensor
    samples: int
    channels: int
    offset: float = 0.0
    told_by: list[float] | None = None

    def sounds(self) -> list[float]:
        """What tells this material from other: samples of the stems and of the target, RMS of the target and of each
        source."""
        if self.told_by is not None:
            return self.told_by
        levels = [float(x.double().square().mean().sqrt()) for x in (self.target, *self.sources)]
        return [float(self.samples), float(self.target.shape[-1]), *levels]


def check_options(
    frames: int | None, steps: int, tolerance: float, delay: float | None, level: float | None
) -> None:
    """Raises InputError for numbers that :func:`djgraph.fit` cannot work with."""
    if frames is not None:
        whole(frames, "frames", 1)
    whole(steps, "steps", 0)
    if not 0 <= tolerance < math.inf:
        raise InputError(f"tolerance is {tolerance}; expected a share of the loss, from 0")
    if delay is not None and not abs(delay) <= LONGEST_DELAY:
        raise InputError(f"delay is {delay}; expected seconds, at most {LONGEST_DELAY:g} either way")
    if level is not None and not 1 / MOST_LEVEL <= level <= MOST_LEVEL:
        raise InputError(
            f"level is {level}; expected a ratio from {1 / MOST_LEVEL:g} to {MOST_LEVEL:g} "
            f"(±{MOST_LEVEL_DB:g} dB), 1 for a target as loud as the mix"
        )


def prepare(
    graph: Graph, inputs: Mapping[str, Any], target: Tensor, target_rate: int | None, out_channels: int
) -> Prepared:
    """Checks and brings everything to one shape, and to float32.

    inputs: as for a mixer, but one clip: each ``[channels, samples]``, ``[samples]`` or with a batch of one.
    target: the same. Raises InputError for a silent target, one that is not finite, a batch, a wrong shape.
    """
    batched = {
        name: {stem: _clip(x, f"{name}.{stem}")[None].float() for stem, x in value.items()}
        if isinstance(value, Mapping)
        else _clip(value, name)[None].float()
        for name, value in inputs.items()
    }
    if graph.sources:
        names = ", ".join(graph.sources)
        raise InputError(
            f"graph {graph.name} plays {names} by itself, and a fit finds where tracks lie: leave `source` out of its "
            "inputs, fit with --warp find, and play what was found with djgraph render --warp"
        )
    audio, _, samples = prepare_audio(graph, batched)
    assert samples is not None
    clip = _clip(target, "the target")
    if not bool(torch.isfinite(clip).all()):
        raise InputError("the target holds NaN or infinity")
    if float(clip.double().square().mean().sqrt()) < SILENT:
        raise InputError("the target is silent (below -100 dBFS): there is nothing to fit")
    rate = graph.sample_rate
    if target_rate is not None and target_rate != rate:
        from djgraph.audio import resample

        clip = resample(clip, target_rate, rate)
    if clip.shape[-1] < LONGEST_SHORTFALL * samples:
        raise InputError(
            f"the target lasts {clip.shape[-1] / rate:.2f} s, the stems {samples / rate:.2f} s: "
            "too little of the mix to fit; cut the stems to the part that is in the target"
        )
    channels = min(len(clip), out_channels)
    sources = [fold(signal[0].float(), channels) for signal in audio.values()]
    wanted = fold(clip.float(), channels)
    means = wanted.double().mean(-1, keepdim=True)
    # What a sound card adds, and no stem has: a fit would look for it in the bass.
    own = sum(float(signal.double().mean(-1).abs().max()) for signal in sources)
    largest = means.flatten()[int(means.abs().argmax())].item()
    if abs(largest) > max(OFFSET, 2 * own):
        return Prepared(batched, sources, (wanted - means).float(), samples, channels, largest)
    return Prepared(batched, sources, wanted, samples, channels)


def fold(audio: Tensor, channels: int) -> Tensor:
    """``[any, samples]`` as so many channels: the mean for mono, else as it is."""
    return audio.mean(0, keepdim=True) if channels == 1 and len(audio) > 1 else audio


def _clip(audio: Tensor, what: str) -> Tensor:
    if not isinstance(audio, Tensor):
        raise InputError(f"{what} must be a tensor [channels, samples], not {type(audio).__name__}")
    if not audio.is_floating_point():
        raise InputError(f"{what} must be floating point (full scale ±1), not {audio.dtype}")
    if audio.ndim == 3 and audio.shape[0] == 1:
        audio = audio[0]
    if audio.ndim == 1:
        audio = audio[None]
    if audio.ndim != 2 or not 1 <= audio.shape[0] <= 2 or not audio.shape[1]:
        raise InputError(
            f"{what} must be one clip, [channels, samples] with 1 or 2 channels, but has the shape {list(audio.shape)}"
        )
    audio = audio.detach().cpu()
    return audio.clone() if audio.is_inference() else audio  # which no gradient can pass
