"""The size of one call of a region."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from djgraph.effects import Transform


@dataclass(frozen=True)
class RegionLoad:
    """The size of one call of a region, which engines are chosen and costed by.

    scaled: strips behind amplitudes alone. processed: strips behind other memoryless effects. nodes: masks. tables:
    masks that are no ratios. frames: STFT frames of one clip. simd: the caller allows compiled code. shared: all
    items of the batch have the same sources, in one piece of memory. paths: ways from strips to results.
    """

    strips: int
    scaled: int
    processed: int
    nodes: int
    tables: int
    results: int
    channels: int
    transform: Transform
    batch: int
    frames: int
    dtype: torch.dtype
    device: torch.device
    frames_per_tile: int | None = None
    simd: bool = True
    paths: int = 1
    shared: bool = False

    @property
    def signals(self) -> int:
        """Signals that are transformed for each item of the batch, there and back."""
        return (self.strips + self.results) * self.channels
