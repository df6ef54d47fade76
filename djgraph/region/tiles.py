"""Cuts a clip into stretches, and those into tiles of frames that fit the cache; keeps what all of them share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.dsp import stft
from djgraph.dsp.curve import Timeline
from djgraph.region.schedule import RegionSchedule

ROW_FRAMES = 1024
"""Transforms in flight on a CPU: fewer cost more in calls than they save in the caches."""
ROW_FRAMES_GPU = 1 << 17
MIN_FRAMES, MAX_FRAMES = 8, 256
STRETCH_FRAMES = 256
"""Frames whose per-sample controls are read at once."""
KEPT = 16
"""Lengths of clips whose windows a schedule keeps."""


@dataclass(frozen=True)
class Tile:
    """Frames ``first…last−1`` of batch items ``items`` of a clip.

    The frames cover the padded stretch ``start…stop−1``. Of the clip's own samples that is ``inside``; ``before``
    and ``after`` it the clip is mirrored, and these say where, counted from ``lo``. ``lo…hi−1`` are all samples of
    the clip that are read.
    """

    items: slice
    first: int
    last: int
    start: int
    stop: int
    lo: int
    hi: int
    inside: tuple[int, int]
    before: Tensor | None
    after: Tensor | None

    @property
    def frames(self) -> int:
        return self.last - self.first

    @property
    def mirrored(self) -> bool:
        return self.before is not None or self.after is not None

    @property
    def count(self) -> int:
        """Batch items."""
        return self.items.stop - self.items.start


@dataclass(frozen=True)
class Stretch:
    """Tiles in a row that read the per-sample controls of samples ``lo…hi−1``."""

    tiles: tuple[Tile, ...]

    @property
    def items(self) -> slice:
        return self.tiles[0].items

    @property
    def lo(self) -> int:
        return min(tile.lo for tile in self.tiles)

    @property
    def hi(self) -> int:
        return max(tile.hi for tile in self.tiles)


class Workspace:
    """Buffers that are used again for every tile: fresh memory costs as much as the work done in it.

    A buffer holds until its name is asked for again. A schedule keeps its workspaces from one call to the next, on a
    CPU only (PyTorch keeps a GPU's memory itself); calls that run at the same time each have their own.
    """

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, torch.dtype], Tensor] = {}

    def take(self, name: str, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Uninitialised memory of that shape."""
        size = math.prod(shape)
        buffer = self._buffers.get((name, dtype))
        if buffer is None or buffer.numel() < size or buffer.device != device:
            with torch.inference_mode(False):
                buffer = self._buffers[name, dtype] = torch.empty(size, dtype=dtype, device=device)
        return buffer[:size].view(shape)

    def like(self, name: str, tensor: Tensor) -> Tensor:
        return self.take(name, tensor.shape, tensor.dtype, tensor.device)


@dataclass(frozen=True)
class Windows:
    """The windows of a clip's transforms.

    ``synthesis`` is the window over the overlap-added squared window, which repeats every hop where all frames
    are there; near the clip's ends some are missing, and ``ends`` are the stretches of samples whose result
    has to be multiplied by a factor: (first, last + 1, factors). ``seeds`` and ``back`` are the windows of the
    backward pass: that of the results' gradient times 2/size, and that of the audio's gradient, which undoes it.
    """

    analysis: Tensor
    synthesis: Tensor
    seeds: Tensor
    back: Tensor
    ends: tuple[tuple[int, int, Tensor], ...]

    def correct(self, audio: Tensor, start: int = 0) -> Tensor:
        """Audio on the clip's samples from ``start`` on, times the factors; a copy where there are any."""
        stop = start + audio.shape[-1]
        own = False
        for low, high, factors in self.ends:
            first, last = max(low, start), min(high, stop)
            if first < last:
                audio, own = audio if own else audio.clone(), True
                audio[..., first - start : last - start] *= factors[first - low : last - low]
        return audio

    def correct_(self, audio: Tensor) -> None:
        """The same for a whole clip, in place."""
        for low, high, factors in self.ends:
            audio[..., low:high] *= factors


@dataclass(frozen=True)
class Clip:
    """One call of a region: how long, how many, how cut."""

    schedule: RegionSchedule
    timeline: Timeline
    batch: int
    frames_per_tile: int | None

    @contextmanager
    def workspace(self, device: torch.device) -> Iterator[Workspace]:
        spare = self.schedule.workspaces if device.type == "cpu" else []
        workspace = spare.pop() if spare else Workspace()
        try:
            yield workspace
        finally:
            spare.append(workspace)

    @property
    def samples(self) -> int:
        return self.timeline.samples

    @property
    def frames(self) -> int:
        return self.schedule.transform.frames(self.samples)

    def stretches(self, device: torch.device) -> Iterator[Stretch]:
        signals = self.schedule.strips * self.schedule.channels
        budget = ROW_FRAMES if device.type == "cpu" else ROW_FRAMES_GPU
        per_tile = self.frames_per_tile or min(max(budget // signals, MIN_FRAMES), MAX_FRAMES)
        items = max(1, budget // (signals * per_tile))
        step = max(1, STRETCH_FRAMES // per_tile) * per_tile
        for low in range(0, self.batch, items):
            some = slice(low, min(low + items, self.batch))
            for first in range(0, self.frames, step):
                last = min(first + step, self.frames)
                tiles = (
                    self.tile(some, start, min(start + per_tile, last), device)
                    for start in range(first, last, per_tile)
                )
                yield Stretch(tuple(tiles))

    def tile(self, items: slice, first: int, last: int, device: torch.device) -> Tile:
        """Frames ``first…last−1`` of some items."""
        transform, samples = self.schedule.transform, self.samples
        start = first * transform.hop - transform.size // 2
        stop = start + (last - first - 1) * transform.hop + transform.size
        inside = max(start, 0), min(stop, samples)
        outer = [
            stft.reflect_index(torch.arange(*span, device="cpu"), samples)
            for span in ((start, inside[0]), (inside[1], stop))
        ]
        lo = min(inside[0], *(int(index.min()) for index in outer if len(index)), samples)
        hi = max(inside[1], *(int(index.max()) + 1 for index in outer if len(index)), 0)
        before, after = ((index - lo).to(device) if len(index) else None for index in outer)
        return Tile(items, first, last, start, stop, lo, hi, inside, before, after)

    def windows(self, like: Tensor) -> Windows:
        """The schedule keeps them for the next call."""
        key, kept = (self.samples, like.dtype, like.device), self.schedule.windows
        if key not in kept:
            if len(kept) >= KEPT:
                kept.clear()
            with torch.inference_mode(False), torch.no_grad():
                kept[key] = self._make_windows(torch.empty(0, dtype=like.dtype, device=like.device))
        return kept[key]

    def _make_windows(self, like: Tensor) -> Windows:
        size, hop = self.schedule.transform.size, self.schedule.transform.hop
        window = stft.window(size, like)
        # Away from the ends the sum at padded position q is that of all windows, which repeats every hop.
        parts = -(-size // hop)
        padded = torch.nn.functional.pad(window.square(), (0, parts * hop - size))
        period = padded.view(parts, hop).sum(0)
        synthesis = window / period.repeat(parts)[:size]
        head = min(size - size // 2, self.samples)
        tail = max(head, self.frames * hop - size // 2)
        ends = []
        for low, high in ((0, head), (tail, self.samples)):
            if low < high:
                total = stft.squared_window_sum(size, hop, self.frames, low, high, like)
                position = (torch.arange(low, high, device=like.device) + size // 2) % hop
                ends.append((low, high, period[position] / total))
        return Windows(window, synthesis, synthesis * (2 / size), window * (size / 2), tuple(ends))
