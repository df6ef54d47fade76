"""Frames of control values held until the next one: what switches and choices do between frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.dsp.curve import Timeline, _segment_sums
from djgraph.dsp.derivatives import LinearMap


def hold(timeline: Timeline, values: Tensor, positions: Tensor, first: int = 0) -> Tensor:
    """At each sample position the value of the last frame at or before it.

    values: ``[…, some frames]``, of which the first is frame ``first``. positions: integers, ``[points]``, ascending;
    in 0…samples−1 where frames are spread evenly: there frame i of F lies at i·(N−1)/(F−1). Returns ``[…, points]``.
    The gradient of a frame is the sum over the samples that read it; it can be differentiated again, forwards and by
    ``torch.func`` too.
    """
    if timeline.constant:
        return values[..., :1].expand(*values.shape[:-1], positions.numel())
    return hold_frames(values, timeline.last_frame(positions) - first)


def hold_samples(timeline: Timeline, values: Tensor, start: int, stop: int, first: int = 0) -> Tensor:
    """:func:`hold` at every sample ``start…stop−1``."""
    if timeline.constant:
        return values[..., :1].expand(*values.shape[:-1], stop - start)
    return hold_frames(values, timeline.last_frames(start, stop, values.device) - first)


def hold_frames(values: Tensor, index: Tensor) -> Tensor:
    """``values[…, index]``, where ``index``, ``[points]``, ascends: ``[…, frames]`` → ``[…, points]``."""
    return _Hold(index, values.shape[-1])(values)


@dataclass(frozen=True, eq=False)
class _Hold(LinearMap):
    """values[index]; ``index`` ascends. ``[…, frames]`` → ``[…, points]``."""

    index: Tensor
    frames: int

    def compute(self, values: Tensor) -> Tensor:
        return values.index_select(-1, self.index)

    def adjoint(self) -> LinearMap:
        return _Collect(self)


@dataclass(frozen=True, eq=False)
class _Collect(LinearMap):
    """Sums of stretches: no scattered additions."""

    held: _Hold

    def compute(self, values: Tensor) -> Tensor:
        index = self.held.index
        bounds = torch.searchsorted(index, torch.arange(self.held.frames + 1, device=index.device))
        return _segment_sums(values, bounds)

    def adjoint(self) -> LinearMap:
        return self.held
