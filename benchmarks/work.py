"""The work that is measured: its sizes, random stems, random smooth controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from djgraph import Graph, ParameterLayout

Inputs = dict[str, dict[str, Tensor]]
"""Stems ``[batch, 2, samples]`` by track and name."""

SAMPLE_RATE = 44100


@dataclass(frozen=True)
class Scale:
    """How much work a run does. The defaults are the work that the bars are about."""

    seconds: float = 10.0
    frames: int = 64
    threads: int = 2
    rounds: int = 9
    slow_rounds: int = 5  # for programs of several seconds
    memory_runs: int = 3
    many_stems: int = 64
    length_factor: int = 30
    clips: int = 16
    clip_seconds: float = 5.0
    step_clips: int = 8
    step_seconds: float = 4.0
    nodes: tuple[int, ...] = (125, 250, 500, 1000, 2000)

    def work(self) -> tuple[object, ...]:
        """What is computed, without how often and with how many threads."""
        return (
            *(self.seconds, self.frames, self.many_stems, self.length_factor),
            *(self.clips, self.clip_seconds, self.step_clips, self.step_seconds, self.nodes),
        )

    @property
    def samples(self) -> int:
        return round(self.seconds * SAMPLE_RATE)

    def samples_of(self, seconds: float) -> int:
        return round(seconds * SAMPLE_RATE)


FULL = Scale()
QUICK = Scale(
    seconds=2.0,
    frames=16,
    rounds=3,
    slow_rounds=3,
    memory_runs=1,
    length_factor=5,
    clips=4,
    clip_seconds=1.0,
    step_clips=2,
    step_seconds=1.0,
    nodes=(125, 250, 500),
)
"""To see that everything runs, and roughly where it stands; its numbers are no results."""


def make_stems(
    graph: Graph, samples: int, *, batch: int = 1, dtype: torch.dtype = torch.float32, seed: int = 0
) -> Inputs:
    """White noise at −20 dB of full scale for every stereo stem of a graph."""
    generator = torch.Generator().manual_seed(seed)
    return {
        track: {
            stem: 0.1 * torch.randn(batch, 2, samples, dtype=dtype, generator=generator)
            for stem in stems or ()
        }
        for track, stems in graph.inputs.items()
    }


def make_params(
    layout: ParameterLayout,
    frames: int,
    *,
    batch: int = 1,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Tensor:
    """Random smooth controls ``[batch, frames, controls]``: a random position every eight frames, lines between."""
    generator = torch.Generator().manual_seed(seed + 1)
    anchors = torch.rand(batch, len(layout), max(2, frames // 8 + 1), dtype=dtype, generator=generator)
    positions = F.interpolate(anchors, frames, mode="linear", align_corners=True).transpose(1, 2)
    return layout.from_unit(positions).to(dtype)


def tensors(inputs: Mapping[str, Mapping[str, Tensor]]) -> list[Tensor]:
    return [tensor for stems in inputs.values() for tensor in stems.values()]


def size_in_bytes(inputs: Mapping[str, Mapping[str, Tensor]]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors(inputs))


def items(inputs: Inputs, index: int) -> Inputs:
    """One item of a batch, as a batch of one."""
    return {
        track: {stem: audio[index : index + 1] for stem, audio in stems.items()}
        for track, stems in inputs.items()
    }
