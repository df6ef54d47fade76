"""One call of a region: a clip or a section of one, its tiles of frames, and its windows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.dsp import stft
from djgraph.dsp.curve import Timeline
from djgraph.region.load import RegionLoad
from djgraph.region.schedule import RegionSchedule

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


@dataclass(frozen=True)
class Windows:
    """The windows of a clip's transforms.

    ``synthesis`` is the window over the overlap-added squared window, which repeats every hop where all frames
    are there; near the clip's ends some are missing, and ``ends`` are the stretches of samples whose result
    has to be multiplied by a factor: (first, last + 1, factors). ``seeds`` and ``back`` are the windows of the
    backward pass: that of the results' gradient times 2/size, and that of the audio's gradient, which undoes it.
    Of a section of a clip there are no ``ends``: a stream multiplies by them when it hands samples out.
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
class Section:
    """Frames ``first…last−1`` of a clip, whose audio is given from sample ``origin`` on.

    samples: the clip's length, or any number behind all samples that these frames read while nobody knows it yet.
    """

    first: int
    last: int
    origin: int
    samples: int


@dataclass(frozen=True)
class Clip:
    """One call of a region: how long, how many, and which part of it where it is not the whole.

    A stream calls a region section by section and adds up what overlaps; a whole clip is the section that has all
    frames.
    """

    schedule: RegionSchedule
    timeline: Timeline
    batch: int
    frames_per_tile: int | None = None
    section: Section | None = None

    @property
    def samples(self) -> int:
        """Of the whole clip."""
        return self.timeline.samples if self.section is None else self.section.samples

    @property
    def first(self) -> int:
        """The first frame."""
        return 0 if self.section is None else self.section.first

    @property
    def frames(self) -> int:
        """The frame after the last: how many there are where the first is 0."""
        return self.schedule.transform.frames(self.samples) if self.section is None else self.section.last

    @property
    def origin(self) -> int:
        """The sample that the sources begin with."""
        return 0 if self.section is None else self.section.origin

    @property
    def out(self) -> tuple[int, int]:
        """The samples that the results cover: the first, and the one after the last."""
        if self.section is None:
            return 0, self.samples
        size, hop = self.schedule.transform.size, self.schedule.transform.hop
        start = self.first * hop - size // 2
        return max(start, 0), min((self.frames - 1) * hop - size // 2 + size, self.samples)

    def load(self, like: Tensor, shared: bool = False) -> RegionLoad:
        """The call's size, for tensors like this; shared: its sources are the same for all items."""
        schedule = self.schedule
        return RegionLoad(
            strips=schedule.strips,
            scaled=schedule.scaled,
            processed=schedule.processed,
            nodes=sum(group.nodes for group in schedule.masks),
            tables=schedule.tables,
            results=len(schedule.results),
            channels=schedule.channels,
            transform=schedule.transform,
            batch=self.batch,
            frames=self.frames - self.first,
            dtype=like.dtype,
            device=like.device,
            frames_per_tile=self.frames_per_tile,
            simd=schedule.simd,
            paths=schedule.paths,
            shared=shared,
        )

    def tile(self, items: slice, first: int, last: int, device: torch.device) -> Tile:
        """Frames ``first…last−1`` of some items."""
        transform, samples = self.schedule.transform, self.samples
        start = first * transform.hop - transform.size // 2
        stop = start + (last - first - 1) * transform.hop + transform.size
        inside = max(start, 0), min(stop, samples)
        outer = ((start, inside[0]), (inside[1], stop))
        reached = [stft.reflected_span(*span, samples) for span in outer if span[0] < span[1]]
        lo = min(inside[0], *(low for low, _ in reached), samples)
        hi = max(inside[1], *(high for _, high in reached), 0)
        before, after = (
            stft.reflect_index(torch.arange(*span, device=device), samples) - lo
            if span[0] < span[1]
            else None
            for span in outer
        )
        return Tile(items, first, last, start, stop, lo, hi, inside, before, after)

    def windows(self, like: Tensor) -> Windows:
        """The schedule keeps them for the next call."""
        samples = self.samples if self.section is None else None
        key, kept = (samples, like.dtype, like.device), self.schedule.windows
        cached: Windows | None = kept.get(key)
        if cached is None:
            with torch.inference_mode(False), torch.no_grad():
                cached = self._make_windows(torch.empty(0, dtype=like.dtype, device=like.device))
            if len(kept) >= KEPT:  # another thread may look it up at any time
                kept.clear()
            kept[key] = cached
        return cached

    def _make_windows(self, like: Tensor) -> Windows:
        size, hop = self.schedule.transform.size, self.schedule.transform.hop
        window = stft.window(size, like)
        # Away from the ends the sum at padded position q is that of all windows, which repeats every hop.
        parts = -(-size // hop)
        padded = torch.nn.functional.pad(window.square(), (0, parts * hop - size))
        period = padded.view(parts, hop).sum(0)
        synthesis = window / period.repeat(parts)[:size]
        ends = []
        if self.section is None:
            head = min(size - size // 2, self.samples)
            tail = max(head, self.frames * hop - size // 2)
            for low, high in ((0, head), (tail, self.samples)):
                if low < high:
                    ends.append((low, high, end_factors(size, hop, self.frames, low, high, like)))
        return Windows(window, synthesis, synthesis * (2 / size), window * (size / 2), tuple(ends))


def end_factors(size: int, hop: int, frames: int, low: int, high: int, like: Tensor) -> Tensor:
    """What samples ``low…high−1`` of a clip of so many frames are multiplied by where some frames are missing.

    The synthesis window divides by the sum of all squared windows, which repeats every hop; near the clip's ends the
    sum is smaller. ``[high − low]``.
    """
    position = (torch.arange(low, high, device=like.device) + size // 2) % hop
    period = stft.window(size, like).square()
    parts = -(-size // hop)
    period = torch.nn.functional.pad(period, (0, parts * hop - size)).view(parts, hop).sum(0)
    return period[position] / stft.squared_window_sum(size, hop, frames, low, high, like)
