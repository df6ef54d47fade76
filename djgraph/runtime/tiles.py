"""Cuts a clip into tiles of frames that fit the cache, and keeps what all tiles share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from djgraph.dsp import stft
from djgraph.dsp.curve import Timeline
from djgraph.runtime.schedule import RegionSchedule

ROW_FRAMES = 1024
"""Transforms in flight on a CPU: 16 signals × 64 frames was the fastest tile measured."""
BUNCH = 256
"""Transforms of a tile that are worked on at once on a CPU: their spectra fit a core's own cache."""
ROW_FRAMES_GPU = 1 << 17
MIN_FRAMES, MAX_FRAMES = 16, 256
KEPT = 16
"""Envelopes that a schedule keeps: those of a few lengths of clips."""


@dataclass(frozen=True)
class Tile:
    """Frames ``first…last−1`` of batch items ``low…high−1`` of a clip.

    The frames cover the padded stretch ``start…stop−1``; ``lo…hi−1`` are the clip's own samples that this
    stretch reads, through ``index`` where it is reflected at an edge.
    """

    low: int
    high: int
    first: int
    last: int
    start: int
    stop: int
    lo: int
    hi: int
    index: Tensor | None

    @property
    def items(self) -> slice:
        return slice(self.low, self.high)


class Workspace:
    """Buffers that are used again for every tile: fresh memory costs as much as the work done in it.

    A buffer holds until its name is asked for again.
    """

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, torch.dtype], Tensor] = {}

    def take(self, name: str, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Uninitialised memory of that shape."""
        size = math.prod(shape)
        buffer = self._buffers.get((name, dtype))
        if buffer is None or buffer.numel() < size:
            buffer = self._buffers[name, dtype] = torch.empty(size, dtype=dtype, device=device)
        return buffer[:size].view(shape)

    def like(self, name: str, tensor: Tensor) -> Tensor:
        return self.take(name, tensor.shape, tensor.dtype, tensor.device)


@dataclass(frozen=True)
class Clip:
    """One call of a region: how long, how many, how cut; window and envelopes are computed once for all tiles."""

    schedule: RegionSchedule
    timeline: Timeline
    batch: int
    frames_per_tile: int | None
    workspace: Workspace = field(default_factory=Workspace, repr=False)
    _windows: list[Tensor] = field(default_factory=list, repr=False)

    @property
    def samples(self) -> int:
        return self.timeline.samples

    @property
    def frames(self) -> int:
        return self.schedule.transform.frames(self.samples)

    def tiles(self, device: torch.device) -> Iterator[Tile]:
        transform, samples = self.schedule.transform, self.samples
        signals = self.schedule.strips * self.schedule.channels
        budget = ROW_FRAMES if device.type == "cpu" else ROW_FRAMES_GPU
        per_tile = self.frames_per_tile or min(max(budget // signals, MIN_FRAMES), MAX_FRAMES)
        items = max(1, budget // (signals * per_tile))
        for low in range(0, self.batch, items):
            for first in range(0, self.frames, per_tile):
                last = min(first + per_tile, self.frames)
                start = first * transform.hop - transform.size // 2
                stop = start + (last - first - 1) * transform.hop + transform.size
                lo, hi, index = start, stop, None
                if start < 0 or stop > samples:
                    index = stft.reflect_index(torch.arange(start, stop), samples)
                    lo, hi = int(index.min()), int(index.max()) + 1
                    index = (index - lo).to(device)
                yield Tile(low, min(low + items, self.batch), first, last, start, stop, lo, hi, index)

    def frames_per_bunch(self, items: int, device: torch.device) -> int:
        signals = self.schedule.strips * self.schedule.channels * items
        return max(1, (BUNCH if device.type == "cpu" else ROW_FRAMES_GPU) // signals)

    def inside(self, tile: Tile) -> tuple[int, int]:
        """The part of a tile's padded stretch that lies inside the clip."""
        return max(tile.start, 0), min(tile.stop, self.samples)

    def window(self, like: Tensor) -> Tensor:
        if not self._windows:
            self._windows.append(stft.window(self.schedule.transform.size, like))
        return self._windows[0]

    def envelope(self, tile: Tile, like: Tensor) -> Tensor:
        """One over the overlap-added squared window, on the part inside the clip.

        The schedule keeps them for the next call.
        """
        size, hop = self.schedule.transform.size, self.schedule.transform.hop
        start, stop = self.inside(tile)
        # Away from the clip's ends every tile of one length has the same envelope: tiles begin on a hop.
        away = tile.start >= size // 2 and tile.stop <= (self.frames - 1) * hop - size // 2
        place = (0, 0) if away else (start, self.frames)
        key = (*place, stop - start, like.dtype, like.device)
        kept = self.schedule.envelopes
        if key not in kept:
            if len(kept) >= KEPT:
                kept.clear()
            with torch.inference_mode(False):
                total = stft.squared_window_sum(size, hop, self.frames, start, stop, torch.empty_like(like))
                kept[key] = total.reciprocal()
        return kept[key]
