"""Control curves whose frames have positions: anywhere on the time axis, at uneven distances.

Positions are whole samples. Differences between them are taken in integers, before anything becomes a float: what a
sample reads depends on the frames around it alone, not on how far from 0 it is nor on where reading began.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph import simd
from djgraph.dsp.curve import Timeline, interpolate
from djgraph.dsp.derivatives import LinearMap

NO_END = 1 << 62
"""``samples`` of a timeline whose end is not known: further away than any sample."""


@dataclass(frozen=True, eq=False)
class PlacedTimeline(Timeline):
    """Frames of control values at given samples: frame i at ``positions[i]``.

    The curve is a straight line from frame to frame, the first frame's value before it, and the last one's behind
    it. Samples and positions count from the clip's start; frames may lie before it, and behind its end.

    Only the frames near a stretch are needed to read it. They may be named with ``first``, as for any
    :class:`Timeline`, or be all that a timeline has: with those that :meth:`span` of the whole names, it reads the
    same to the last bit.
    """

    positions: Tensor
    """``[frames]``, int64, ascending, on any device."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @classmethod
    def at(cls, samples: int | None, positions: Tensor | Sequence[int]) -> PlacedTimeline:
        """Frames at these positions in a clip of ``samples``; None where its end is not known."""
        if not isinstance(positions, Tensor):
            positions = torch.tensor(list(positions), dtype=torch.int64, device="cpu")
        placed = positions.to(torch.int64)
        return cls(NO_END if samples is None else samples, placed.shape[0], placed)

    @property
    def constant(self) -> bool:
        """One frame: every sample reads it."""
        return self.frames == 1

    def places(self) -> NDArray[np.float64]:
        """Where each frame lies, in samples; on the CPU."""
        return self._host.astype(np.float64)

    def span(self, start: int, stop: int, smoothing: float = 0.0) -> tuple[int, int]:
        """Frames ``(first, last + 1)`` that determine the curve on samples ``start…stop−1``."""
        reach = math.ceil(smoothing / 2)
        first = int(np.searchsorted(self._host, start - reach, side="right")) - 1
        last = int(np.searchsorted(self._host, stop - 1 + reach, side="left"))
        first = min(max(first, 0), self.frames - 1)
        return first, min(max(last, first), self.frames - 1) + 1

    def read(self, values: Tensor, positions: Tensor, first: int = 0) -> Tensor:
        """The curve at the given samples: integers, ``[points]``, ascending."""
        count = values.shape[-1]
        if count == 1:
            return values.expand(*values.shape[:-1], positions.numel())
        if values.device.type != "cpu" or torch.compiler.is_compiling():
            return self._between(values, positions, self.last_frame(positions) - first, first)
        # The same in NumPy, whose calls cost a tenth: most often there are few positions.
        near, samples = self._host[first : first + count], positions.numpy()
        left = np.clip(np.searchsorted(near, samples, side="right") - 1, 0, count - 2)
        weight = np.clip((samples - near[left]) / np.diff(near)[left], 0, 1)
        return interpolate(values, torch.from_numpy(left), torch.from_numpy(weight))

    def read_samples(
        self, values: Tensor, start: int, stop: int, smoothing: float = 0.0, first: int = 0
    ) -> Tensor:
        """The curve at every sample ``start…stop−1``, smoothed by a zero-phase box ``smoothing`` samples wide.

        The box shrinks towards the clip's ends, as for frames at even distances. Returns ``[..., stop − start]``.
        """
        if values.shape[-1] == 1:
            return values.expand(*values.shape[:-1], stop - start)
        if simd.takes(values) and not torch.compiler.is_compiling():
            near = self._host[first : first + values.shape[-1]]
            return _Compiled(near, self.samples, start, stop, smoothing / 2)(values)
        samples = torch.arange(start, stop, device=values.device)
        frames = self.last_frames(start, stop, values.device)
        curve = self._between(values, samples, frames - first, first)
        return (
            self._round_corners(curve, values, start, stop, smoothing / 2, first) if smoothing > 0 else curve
        )

    def last_frame(self, positions: Tensor) -> Tensor:
        """For each sample the last frame at or before it; the first frame where there is none."""
        frames = torch.searchsorted(self._on(positions.device), positions, right=True) - 1
        return frames.clamp(min=0)

    def last_frames(self, start: int, stop: int, device: torch.device) -> Tensor:
        """The same for every sample ``start…stop−1``, without looking each of them up."""
        placed = self._on(device)
        begin, end = placed.new_full((1,), start), placed.new_full((1,), stop)
        edges = torch.cat((begin, placed[1:].clamp(start, stop), end))
        frames = torch.arange(self.frames, device=device)
        return frames.repeat_interleave(edges.diff(), output_size=stop - start)

    def _between(self, values: Tensor, samples: Tensor, frames: Tensor, first: int) -> Tensor:
        """The straight lines at samples of which ``frames`` says the last frame, counted from ``first``."""
        count = values.shape[-1]
        near = self._on(values.device)[first : first + count]
        left = frames.clamp(0, count - 2)
        since = samples - near.index_select(0, left)
        weight = since.to(torch.float64) / near.diff().index_select(0, left)
        return interpolate(values, left, weight.clamp_(0, 1))

    def _round_corners(
        self, curve: Tensor, values: Tensor, start: int, stop: int, half: float, first: int
    ) -> Tensor:
        """The curve with each corner replaced by its average over the box.

        A change of slope of Δ per sample at distance d adds Δ·(h − |d|)²/(4h), where h is the box's half width at
        that sample. The box's average is linear, so corners closer than the box just add up.
        """
        count = values.shape[-1]
        host, near = self._host[first : first + count], self._on(values.device)[first : first + count]
        begin = int(np.searchsorted(host, start - half, side="right"))
        end = int(np.searchsorted(host, stop - 1 + half, side="left"))
        slopes = torch.nn.functional.pad(values.diff(dim=-1) / near.diff().to(values.dtype), (1, 1))
        bends = slopes.diff(dim=-1)
        offset = torch.arange(-math.ceil(half), math.ceil(half) + 1, device=values.device)
        # A few corners at a time: where frames are denser than the box, all pairs at once would not fit in memory.
        group = max(1, 2 * (stop - start) // len(offset))
        # Small beside the curve, and so are the roundings of many additions to it.
        total = torch.zeros_like(curve)
        for low in range(begin, end, group):
            high = min(low + group, end)
            sample = near[low:high, None] + offset
            width = torch.minimum(sample, self.samples - 1 - sample).clamp(min=0)
            width = width.to(torch.float64).clamp(max=half)
            shape = (width - offset.abs()).clamp(min=0).square() / (4 * width.clamp(min=1e-9))
            shape = torch.where((sample >= start) & (sample < stop), shape, 0.0).to(values.dtype)
            added = (bends[..., low:high, None] * shape).flatten(-2)
            index = (sample - start).clamp(0, stop - start - 1).flatten()
            total = total.scatter_add(-1, index.expand(added.shape), added)
        return curve + total

    @cached_property
    def _host(self) -> NDArray[np.int64]:
        return self.positions.cpu().numpy()

    def _on(self, device: torch.device) -> Tensor:
        return self.positions.to(device)


def timeline_of(samples: int, frames: int, positions: Tensor | None) -> Timeline:
    """Frames spread evenly over a clip, or at positions."""
    return Timeline(samples, frames) if positions is None else PlacedTimeline(samples, frames, positions)


def _rows(values: Tensor) -> NDArray[np.floating]:
    """``[…, n]`` → ``[rows, n]``, each row in one piece."""
    return np.ascontiguousarray(values.detach().numpy().reshape(-1, values.shape[-1]))


@dataclass(frozen=True, eq=False)
class _Compiled(LinearMap):
    """:meth:`PlacedTimeline.read_samples` on a CPU, a curve at a time: ``[…, frames]`` → ``[…, stop − start]``."""

    positions: NDArray[np.int64]
    samples: int
    start: int
    stop: int
    half: float

    def compute(self, values: Tensor) -> Tensor:
        from djgraph.simd import placed

        curves = values.new_empty(*values.shape[:-1], self.stop - self.start)
        out = curves.numpy().reshape(-1, self.stop - self.start)
        placed.read(_rows(values), self.positions, self.samples, self.start, self.half, out)
        return curves

    def adjoint(self) -> LinearMap:
        return _Collected(self)


@dataclass(frozen=True, eq=False)
class _Collected(LinearMap):
    """The adjoint of compiled reading."""

    read: _Compiled

    def compute(self, values: Tensor) -> Tensor:
        from djgraph.simd import placed

        read = self.read
        gradients = values.new_zeros(*values.shape[:-1], len(read.positions))
        out = gradients.numpy().reshape(-1, len(read.positions))
        placed.collect(_rows(values), read.positions, read.samples, read.start, read.half, out)
        return gradients

    def adjoint(self) -> LinearMap:
        return self.read
