"""Frames that fit on the lanes: what all candidates share of them, transformed, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.region.clip import Clip
from djgraph.region.engines.shared.hats import Hats
from djgraph.region.engines.vectors import addresses
from djgraph.region.engines.vectors.prepared import PreparedRegion
from djgraph.simd import candidates, candidates_back, fft, rows
from djgraph.simd.candidates import PADDING, Block, Spectra
from djgraph.simd.rows import Audio, Frames, Rows, Tiling
from djgraph.simd.threads import in_threads


class Chunks:
    """What the chunks of one pass share: the tiling, the strips and their hats."""

    def __init__(
        self, prepared: PreparedRegion, clip: Clip, like: Tensor, sources: Sequence[Tensor], hats: Hats
    ) -> None:
        self.clip, self.hats, self.numbers, self.like = clip, hats, prepared.numbers, like
        self.sources = [addresses.dense(source) for source in sources]
        transform = clip.schedule.transform
        self.tiling = Tiling.of(clip.samples, transform.size, transform.hop, prepared.lanes)
        self.tables = fft.tables(transform.size, prepared.numbers.name)
        self.window = clip.windows(like).analysis[None].numpy()
        self.counts = np.array([1 if steady else hats.count for steady in hats.steady], np.int64)
        lanes = prepared.lanes
        self.blocks = [(low, min(lanes, clip.batch - low)) for low in range(0, clip.batch, lanes)]
        self.fill = -clip.batch % lanes
        """Lanes behind the last candidate."""

    def room(self, count: int) -> NDArray:
        numbers: NDArray = torch.empty(count, dtype=self.like.dtype, device="cpu").numpy()
        return numbers

    def slot(self) -> fft.Slots:
        length = self.tiling.size * self.tiling.lanes + PADDING
        return fft.Slots(self.room(length), self.room(length))

    def each(self) -> Iterator[Chunk]:
        for first in range(0, self.clip.frames, self.tiling.lanes):
            yield Chunk(self, first, min(first + self.tiling.lanes, self.clip.frames))


class Chunk:
    """Frames ``first…last−1``."""

    def __init__(self, chunks: Chunks, first: int, last: int) -> None:
        self._chunks, self.first, self.last = chunks, first, last
        hats, clip = chunks.hats, chunks.clip
        self.heard = hats.first[first:last]
        self._tile = clip.tile(slice(0, 1), first, last, chunks.like.device)
        self._begin, self._end = int(self.heard.min()), int(self.heard.max()) + hats.count
        self._curves = self._hat_curves()
        self._frames = Frames(0, first, last - first, last == clip.frames)

    def block(self, number: int) -> Block:
        """The candidates of a block on these frames."""
        candidate, valid = self._chunks.blocks[number]
        return Block(candidate, valid, self.first, self.last, self._frames.ends)

    def _hat_curves(self) -> Tensor:
        """The hats of control frames ``begin…end−1`` at the samples that are read, ``[hats, samples]``."""
        clip, tile, smoothing = self._chunks.clip, self._tile, self._chunks.clip.schedule.smoothing
        low, high = clip.timeline.span(tile.lo, tile.hi, smoothing)
        low, high = min(low, self._begin), max(high, self._end)
        each = torch.eye(high - low, dtype=self._chunks.like.dtype, device="cpu")
        each = each[self._begin - low : self._end - low]
        return clip.timeline.read_samples(each, tile.lo, tile.hi, smoothing, low).contiguous()

    def _hats(self, strip: int) -> range:
        return range(1) if self._chunks.hats.steady[strip] else range(self._begin, self._end)

    def _source(self, strip: int, hat: int) -> list[int]:
        """A strip times a hat."""
        row = addresses.source(self._chunks.sources[strip], 0)
        if not self._chunks.hats.steady[strip]:
            curve = self._curves[hat - self._begin]
            row[rows.FACTOR] = curve.data_ptr() - self._tile.lo * curve.element_size()
        return row

    def _places(self, strip: int, hat: int, place: int, strips: int) -> NDArray:
        """Where the spectra of a strip times a hat stand on each lane, −1 where they do not, among so many strips of
        which it is number ``place``."""
        chunks, frames = self._chunks, np.arange(self.last - self.first)
        count, size = chunks.hats.count, chunks.tiling.size
        here = np.zeros_like(frames) if chunks.hats.steady[strip] else hat - self.heard
        lane = np.full(chunks.tiling.lanes, -1)
        found = ((frames * strips + place) * count + here) * size
        lane[: len(frames)] = np.where((here >= 0) & (here < count), found, -1)
        return lane

    def _numbers(self, strips: int) -> int:
        """How many numbers the spectra of so many strips have."""
        return (self.last - self.first) * strips * self._chunks.hats.count * self._chunks.tiling.size

    def nothing(self) -> Spectra:
        """In place of spectra that nobody reads."""
        return Spectra(
            self._chunks.room(0), self._chunks.room(0), self._chunks.counts, self._chunks.hats.count
        )

    def transformed(self) -> Spectra:
        """All strips times all hats."""
        chunks, strips = self._chunks, len(self._chunks.sources)
        total = self._numbers(strips)
        spectra = Spectra(chunks.room(total), chunks.room(total), chunks.counts, chunks.hats.count)

        def work(strip: int) -> None:
            hats = self._hats(strip)
            tiling, size = chunks.tiling, chunks.tiling.size
            candidates.entries().analyse(
                Audio(
                    _table([self._source(strip, hat) for hat in hats], rows.SOURCE_COLUMNS),
                    _table([], rows.TARGET_COLUMNS),
                    chunks.window,
                ),
                chunks.tables,
                tiling,
                self._frames,
                chunks.slot(),
                Rows(*np.zeros((3, tiling.hop * tiling.stride), chunks.numbers)),
                chunks.room(size * tiling.lanes),
                spectra,
                np.array([self._places(strip, hat, strip, strips) for hat in hats]),
            )

        in_threads(work, range(strips))
        return spectra

    def gradients(self, strips: int) -> tuple[NDArray, NDArray]:
        """Zeros for the gradients of the spectra of so many strips."""
        re, im = np.zeros((2, self._numbers(strips)), self._chunks.numbers)
        return re, im

    def transform_back(self, re: NDArray, im: NDArray, totals: Sequence[tuple[int, Tensor]]) -> None:
        """From gradients of spectra to those of the audio; totals: strips that want one, and where it is added."""
        chunks = self._chunks

        def work(place: int) -> None:
            strip, total = totals[place]
            hats, tiling = self._hats(strip), chunks.tiling
            sources, targets = [self._source(strip, hat) for hat in hats], []
            for number, source in enumerate(sources):
                target = addresses.target(total, 0, folded=True)
                target[rows.SOURCE] = number if source[rows.FACTOR] else -1
                targets.append(target)
            candidates_back.entries().synthesise(
                fft.Slots(re, im),
                np.array([self._places(strip, hat, place, len(totals)) for hat in hats]),
                chunks.slot(),
                Rows(*np.zeros((3, tiling.hop * tiling.stride), chunks.numbers)),
                chunks.room(tiling.size * tiling.lanes),
                tiling,
                self._frames,
                chunks.tables,
                Audio(
                    _table(sources, rows.SOURCE_COLUMNS), _table(targets, rows.TARGET_COLUMNS), chunks.window
                ),
            )

        in_threads(work, range(len(totals)))


def _table(entries: Sequence[list[int]], columns: int) -> NDArray:
    return np.array(entries, np.int64).reshape(-1, columns)
