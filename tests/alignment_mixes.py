"""Mixes of which it is known where each track lies: the demo's tracks, resampled along lines."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from djgraph.demo import demo_tracks
from djgraph.dsp import read_material

RATE = 22050


@functools.cache
def track(name: str, seconds: float = 20.0) -> Tensor:
    """``[samples]`` of one of the demo's tracks."""
    return torch.stack([audio.mean(0) for audio in demo_tracks(RATE, seconds)[name].values()]).sum(0)


def play(audio: Tensor, lines: list[tuple[float, float, float, float]], samples: int) -> Tensor:
    """lines: from and to which sample of the recording, from which of the track on, at which rate."""
    out = torch.zeros(samples, dtype=torch.float32, device="cpu")
    for begins, ends, start, rate in lines:
        first, last = math.ceil(begins), min(samples, math.floor(ends))
        at = torch.arange(first, last, dtype=torch.float64, device="cpu")
        out[first:last] += read_material(audio[None], start + rate * (at - begins), rate)[0]
    return out


def fade(audio: Tensor, up: int, down: int) -> Tensor:
    """Linear fades at both ends, in samples."""
    out = audio.clone()
    if up:
        out[:up] *= torch.linspace(0, 1, up, dtype=torch.float32, device="cpu")
    if down:
        out[-down:] *= torch.linspace(1, 0, down, dtype=torch.float32, device="cpu")
    return out
