"""Control curves: frames of control values read at any sample, with corners rounded.

Frame i of F sits at sample i·(N−1)/(F−1) of a clip of N samples; between frames the curve is a straight line.
Positions are computed in integers, so that the last sample of an hour reads the last frame exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph import simd
from djgraph.dsp.derivatives import LinearMap

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Timeline:
    """How a clip's ``frames`` of control values lie along its ``samples``.

    Frames that have positions: :class:`djgraph.dsp.placed.PlacedTimeline`, read the same way.

    The methods take ``values`` of shape ``[..., some frames]``, of which the first is frame ``first``: a stretch
    of the clip needs only the frames that :meth:`span` names.
    """

    samples: int
    frames: int

    @property
    def constant(self) -> bool:
        """One frame, or one sample: every position reads the first frame."""
        return self.frames == 1 or self.samples == 1

    def places(self) -> NDArray[np.float64]:
        """Where each frame lies, in samples; on the CPU."""
        if self.frames == 1:
            return np.zeros(1)
        return np.arange(self.frames, dtype=np.float64) * ((self.samples - 1) / (self.frames - 1))

    def span(self, start: int, stop: int, smoothing: float = 0.0) -> tuple[int, int]:
        """Frames ``(first, last + 1)`` that determine the curve on samples ``start…stop−1``."""
        if self.constant:
            return 0, 1
        reach = math.ceil(smoothing / 2)
        first = (max(start - reach, 0)) * (self.frames - 1) // (self.samples - 1)
        last = -(-min(stop - 1 + reach, self.samples - 1) * (self.frames - 1) // (self.samples - 1))
        # One frame more on each side: a corner's bend is measured against its neighbours.
        return max(first - 1, 0), min(max(last, first + 1) + 2, self.frames)

    def read(self, values: Tensor, positions: Tensor, first: int = 0) -> Tensor:
        """The curve at the given sample positions: integers in 0…samples−1, ``[points]``, ascending."""
        if self.constant:
            return values[..., :1].expand(*values.shape[:-1], positions.numel())
        scaled = positions * (self.frames - 1)
        left = torch.div(scaled, self.samples - 1, rounding_mode="floor").clamp_(max=self.frames - 2)
        weight = (scaled - left * (self.samples - 1)).to(torch.float64) / (self.samples - 1)
        return interpolate(values, left - first, weight)

    def last_frame(self, positions: Tensor) -> Tensor:
        """For each sample position the last frame at or before it: ⌊n·(F−1)/(N−1)⌋, in exact integers."""
        if self.constant:
            return torch.zeros_like(positions)
        return torch.div(positions * (self.frames - 1), self.samples - 1, rounding_mode="floor")

    def last_frames(self, start: int, stop: int, device: torch.device) -> Tensor:
        """The same for every sample ``start…stop−1``."""
        return self.last_frame(torch.arange(start, stop, device=device))

    def read_samples(
        self, values: Tensor, start: int, stop: int, smoothing: float = 0.0, first: int = 0
    ) -> Tensor:
        """The curve at every sample ``start…stop−1``, smoothed by a zero-phase box ``smoothing`` samples wide.

        The box is centred on each sample and shrinks towards the clip's ends, so that a straight line stays
        straight and the first and last values stay as they are. Returns ``[..., stop − start]``.
        """
        if self._compiled(values):
            return _Compiled(self, start, stop, smoothing / 2, first, values.shape[-1])(values)
        curve = self._lines(values, start, stop, first)
        if smoothing <= 0 or self.frames < 3 or self.samples < 3:
            return curve
        return self._round_corners(curve, values, start, stop, smoothing / 2, first)

    def _compiled(self, values: Tensor) -> bool:
        return not self.constant and simd.takes(values) and not torch.compiler.is_compiling()

    def _lines(self, values: Tensor, start: int, stop: int, first: int) -> Tensor:
        """The straight lines between frames at every sample ``start…stop−1``."""
        if self.constant:
            return values[..., :1].expand(*values.shape[:-1], stop - start)
        segments = self._segments(start, stop)
        if len(segments) > LONGEST_LOOP:
            return self.read(values, torch.arange(start, stop, device=values.device), first)
        lengths = [high - low for _, low, high in segments]
        sides = _sides(self, start, stop, values.dtype, values.device)
        return _Lines(sides, segments[0][0] - first, lengths, values.shape[-1])(values)

    def _segments(self, start: int, stop: int) -> list[tuple[int, int, int]]:
        """The samples between one frame and the next: (frame, first sample, last sample + 1)."""
        steps, length = self.frames - 1, self.samples - 1
        frame = min(start * steps // length, steps - 1)
        last = min((stop - 1) * steps // length, steps - 1)
        if last - frame >= LONGEST_LOOP:
            return [(0, 0, 0)] * (last - frame + 1)
        edges = [start, *(-(-(k * length) // steps) for k in range(frame + 1, last + 1)), stop]
        return [(frame + k, edges[k], edges[k + 1]) for k in range(len(edges) - 1)]

    def _round_corners(
        self, curve: Tensor, values: Tensor, start: int, stop: int, half: float, first: int
    ) -> Tensor:
        """The curve with each corner replaced by its average over the box.

        A straight line is its own average, so only the samples within ``half`` of a frame change. There, a bend
        of Δ per sample at distance d adds Δ·(h − |d|)²/(4h), where h is the box's half width at that sample (the
        integral of a ramp over the box, less the ramp).
        """
        spacing = (self.samples - 1) / (self.frames - 1)
        begin = max(1, math.ceil((start - half) / spacing))
        end = min(self.frames - 2, math.floor((stop - 1 + half) / spacing)) + 1
        # A few corners at a time: where frames are denser than the box, all pairs at once would not fit in memory.
        group = max(1, 2 * (stop - start) // _reach(half))
        # Small beside the curve, and so are the roundings of many additions to it.
        total = torch.zeros_like(curve)
        for low in range(begin, end, group):
            high = min(low + group, end)
            bends = values[..., low - 1 - first : high + 1 - first].diff(n=2, dim=-1) / spacing
            index, shape = _corners(self, start, stop, low, high, half, values.dtype, values.device)
            added = (bends[..., None] * shape).flatten(-2)
            total.scatter_add_(-1, index.expand(added.shape), added)
        return curve + total


LONGEST_LOOP = 128
"""Segments that are drawn one by one, which is cheaper than a lookup for every sample; more are looked up."""
LONGEST_KEPT = 1 << 19
"""Stretches of at most so many samples are prepared once and kept for the next clip of that length."""


def _remembering(function: F) -> F:
    """The function, which keeps its latest results where the stretch (its second and third argument) is short."""

    @lru_cache(maxsize=16)
    def remembered(*arguments: Any) -> Any:
        # A tensor made in inference mode could not be saved for a backward pass later.
        with torch.inference_mode(False), torch.no_grad():
            return function(*arguments)

    def choose(line: Timeline, start: int, stop: int, *others: Any) -> Any:
        made_by = remembered if stop - start <= LONGEST_KEPT else function
        return made_by(line, start, stop, *others)

    return cast(F, choose)


def _reach(half: float) -> int:
    """How many samples a corner's bend may touch."""
    return 2 * math.floor(half) + 3


@_remembering
def _sides(line: Timeline, start: int, stop: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """How much of its left and of its right frame each sample ``start…stop−1`` has, ``[2, samples]``."""
    segments = line._segments(start, stop)
    lengths = [high - low for _, low, high in segments]
    ramp = torch.arange(max(lengths), dtype=torch.float64, device=device)
    ramp = (ramp * ((line.frames - 1) / (line.samples - 1))).to(dtype)
    sides = torch.empty(2, stop - start, dtype=dtype, device=device)
    for (frame, low, _), length, right in zip(segments, lengths, sides[1].split(lengths)):
        # Exact in integers before the one division, so that nothing drifts along a long clip.
        offset = (low * (line.frames - 1) - frame * (line.samples - 1)) / (line.samples - 1)
        torch.add(ramp[:length], offset, out=right)
    torch.sub(1, sides[1], out=sides[0])
    return sides


@_remembering
def _corners(
    line: Timeline,
    start: int,
    stop: int,
    low: int,
    high: int,
    half: float,
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """For frames ``low…high−1`` the samples near each, from ``start``, and how much of its bend they get.

    ``[frames·reach]`` and ``[frames, reach]``; what lies outside ``start…stop−1`` gets nothing.
    """
    spacing = (line.samples - 1) / (line.frames - 1)
    corners = torch.arange(low, high, device=device)
    centre = torch.div(corners * (line.samples - 1), line.frames - 1, rounding_mode="floor")
    position = centre[:, None] + torch.arange(_reach(half), device=device) - math.floor(half) - 1
    distance = (position - corners.to(torch.float64)[:, None] * spacing).abs()
    width = torch.minimum(position, line.samples - 1 - position).clamp(0, None)
    width = width.to(torch.float64).clamp(max=half)
    shape = (width - distance).clamp(min=0).square() / (4 * width.clamp(min=1e-9))
    shape = torch.where((position >= start) & (position < stop), shape, 0.0).to(dtype)
    return (position - start).clamp(0, stop - start - 1).flatten(), shape


@dataclass(frozen=True)
class _Compiled(LinearMap):
    """:meth:`Timeline.read_samples` on a CPU, a curve at a time: ``[…, count]`` → ``[…, stop − start]``."""

    line: Timeline
    start: int
    stop: int
    half: float
    first: int
    count: int

    def compute(self, values: Tensor) -> Tensor:
        from djgraph.simd import curves

        flat = _rows(values)
        out = values.new_empty(len(flat), self.stop - self.start)
        curves.read(
            flat.numpy(),
            self.first,
            self.line.frames,
            self.line.samples,
            self.start,
            self.half,
            out.numpy(),
        )
        return out.view(*values.shape[:-1], self.stop - self.start)

    def adjoint(self) -> LinearMap:
        return _Collected(self)


@dataclass(frozen=True)
class _Collected(LinearMap):
    """The adjoint of compiled reading."""

    read: _Compiled

    def compute(self, values: Tensor) -> Tensor:
        from djgraph.simd import curves

        flat, read = _rows(values), self.read
        gradients = values.new_zeros(len(flat), read.count)
        curves.collect(
            flat.numpy(),
            read.first,
            read.line.frames,
            read.line.samples,
            read.start,
            read.half,
            gradients.numpy(),
        )
        return gradients.view(*values.shape[:-1], read.count)

    def adjoint(self) -> LinearMap:
        return self.read


def _rows(values: Tensor) -> Tensor:
    return values.detach().reshape(-1, values.shape[-1]).contiguous()


@dataclass(frozen=True, eq=False)
class _Lines(LinearMap):
    """Few long segments: each is one line, and its gradient two sums. ``[…, count]`` → ``[…, samples]``."""

    sides: Tensor
    first: int
    lengths: list[int]
    count: int

    def compute(self, values: Tensor) -> Tensor:
        flat = values.reshape(-1, values.shape[-1])
        curve = values.new_empty(*values.shape[:-1], self.sides.shape[1])
        pairs = flat.narrow(1, self.first, len(self.lengths) + 1).unfold(1, 2, 1).unbind(1)
        lines = curve.view(flat.shape[0], -1).split(self.lengths, 1)
        for pair, side, line in zip(pairs, self.sides.split(self.lengths, 1), lines):
            torch.mm(pair, side, out=line)
        return curve

    def adjoint(self) -> LinearMap:
        return _LinesAdjoint(self)


@dataclass(frozen=True, eq=False)
class _LinesAdjoint(LinearMap):
    lines: _Lines

    def compute(self, values: Tensor) -> Tensor:
        lines = self.lines
        flat = values.reshape(-1, values.shape[-1])
        result = values.new_zeros(flat.shape[0], lines.count)
        sums = [
            torch.mm(line, side)
            for line, side in zip(flat.split(lines.lengths, 1), lines.sides.T.split(lines.lengths, 0))
        ]
        left, right = torch.stack(sums, dim=1).unbind(-1)
        result[:, lines.first : lines.first + len(sums)] += left
        result[:, lines.first + 1 : lines.first + len(sums) + 1] += right
        return result.view(*values.shape[:-1], lines.count)

    def adjoint(self) -> LinearMap:
        return self.lines


def interpolate(values: Tensor, left: Tensor, weight: Tensor) -> Tensor:
    """values[left]·(1 − weight) + values[left + 1]·weight, ``[…, frames]`` → ``[…, points]``.

    left: ``[points]``, ascending, at most frames − 2. weight: ``[points]``, 0…1, float64. The gradient is a sum for
    each segment; it can be differentiated again.
    """
    return _Interpolated(left, weight.to(values.dtype), values.shape[-1])(values)


@dataclass(frozen=True, eq=False)
class _Interpolated(LinearMap):
    """values[left]·(1 − weight) + values[left + 1]·weight, ``[…, frames]`` → ``[…, points]``."""

    left: Tensor
    weight: Tensor
    frames: int

    def compute(self, values: Tensor) -> Tensor:
        return torch.lerp(
            values.index_select(-1, self.left), values.index_select(-1, self.left + 1), self.weight
        )

    def adjoint(self) -> LinearMap:
        return _InterpolatedAdjoint(self)


@dataclass(frozen=True, eq=False)
class _InterpolatedAdjoint(LinearMap):
    """Sums each segment's gradient.

    ``left`` ascends, so a segment's sum is a difference of cumulative sums: no scattered additions.
    """

    interpolated: _Interpolated

    def compute(self, values: Tensor) -> Tensor:
        left, weight, frames = self.interpolated.left, self.interpolated.weight, self.interpolated.frames
        bounds = torch.searchsorted(left, torch.arange(frames, device=left.device))
        right = values * weight
        result = values.new_zeros(*values.shape[:-1], frames)
        result[..., :-1] = _segment_sums(values - right, bounds)
        result[..., 1:] += _segment_sums(right, bounds)
        return result

    def adjoint(self) -> LinearMap:
        return self.interpolated


def _segment_sums(values: Tensor, bounds: Tensor) -> Tensor:
    """Sums of ``values`` between consecutive bounds along the last dimension, accumulated in double."""
    total = torch.nn.functional.pad(values.cumsum(-1, dtype=torch.float64), (1, 0))
    return total.index_select(-1, bounds).diff(dim=-1).to(values.dtype)
