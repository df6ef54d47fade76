"""A region's forward and backward pass on the vector units: hands a clip to :mod:`djgraph.simd`, stretch by stretch.

Controls, the code of effects before the transform, and gains that are no ratios are PyTorch's work, on stretches of
some seconds; everything else on a tile is one call without Python in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.region.clip import Clip, Stretch
from djgraph.region.engine import Gradients, Wanted
from djgraph.region.engines.vectors import addresses
from djgraph.region.engines.vectors.feed import Feed
from djgraph.region.engines.vectors.masks import GainTables, RatioWeights
from djgraph.region.engines.vectors.prepared import PreparedRegion
from djgraph.region.engines.vectors.tiling import STRETCH_NUMBERS
from djgraph.region.lent import ClipControls, Lent, StretchControls
from djgraph.region.recorded import WeightTotals
from djgraph.simd import program, rows


def forward(
    prepared: PreparedRegion, clip: Clip, bank_rows: Tensor, sources: Sequence[Tensor] | Tensor
) -> Tensor:
    """The region's results, ``[results, batch, channels, samples]``; bank_rows: ``[rows, batch, frames]``."""
    schedule = clip.schedule
    begin, end = clip.out
    out = bank_rows.new_empty(len(schedule.results), clip.batch, schedule.channels, end - begin)
    targets = [addresses.target(result, addresses.SYNTHESIS, origin=begin) for result in out]
    call = _Call(prepared, clip, bank_rows, [Lent(addresses.dense(one), False) for one in sources], False)
    weights = RatioWeights(call.prepared, clip, call.controls, bank_rows)
    left: list[program.Overlap] = []
    for stretch in call.stretches():
        feed, tables = call.feed(stretch), GainTables(call.prepared, clip, call.controls, stretch)
        signals = call.signals(feed.sources, targets, weights, tables)
        left += program.run(call.prepared.forward, signals, call.jobs(stretch), call.step)
    if left:
        program.finish(signals, left)
    clip.windows(bank_rows).correct_(out)
    return out


def backward(
    prepared: PreparedRegion,
    clip: Clip,
    bank_rows: Tensor,
    sources: Sequence[Tensor],
    gradient: Tensor,
    wanted: Wanted,
) -> Gradients:
    """Gradients of the bank's rows, of the sources and of the effects' own weights."""
    schedule = clip.schedule
    lent = [Lent(addresses.dense(one), want) for one, want in zip(sources, wanted.sources)]
    call, learnt = _Call(prepared, clip, bank_rows, lent, wanted.rows), WeightTotals(wanted.weights)
    row_total = torch.zeros_like(bank_rows) if wanted.rows else None
    with torch.set_grad_enabled(wanted.some):
        ratios = RatioWeights(call.prepared, clip, call.controls, bank_rows)
    chains = prepared.wanted_chains(learnt, wanted.rows)
    for stretch in call.stretches():
        with torch.set_grad_enabled(wanted.some):
            feed = call.feed(stretch, row_total)
            tables = GainTables(call.prepared, clip, call.controls, stretch)
        seeds, held = call.seeds(stretch, gradient)
        run = call.prepared.backward(chains, [target is not None for target in feed.targets])
        targets = [target for target in feed.targets if target is not None]
        signals = call.signals([*feed.sources, *seeds], targets, ratios, tables)
        program.finish(signals, program.run(run, signals, call.jobs(stretch), call.step))
        del held  # the tables had addresses only
        feed.back.give_back(learnt)
        tables.back.give_back(learnt)
    ratios.give_back(learnt)
    if row_total is not None:
        call.controls.add_gradients(schedule, row_total)
    return row_total, [source.total for source in lent], learnt.totals


class _Call:
    """One pass over a clip, forward or backward."""

    def __init__(
        self,
        prepared: PreparedRegion,
        clip: Clip,
        bank_rows: Tensor,
        sources: Sequence[Lent],
        rows_wanted: bool,
    ) -> None:
        self.prepared = prepared
        self.clip, self._rows, self._sources, self._rows_wanted = clip, bank_rows, sources, rows_wanted
        self.step = min(clip.frames_per_tile or self.prepared.lanes, self.prepared.lanes)
        self.controls = ClipControls(clip, bank_rows, rows_wanted)
        windows = clip.windows(bank_rows)
        synthesis = windows.synthesis / clip.schedule.transform.size
        self._windows = torch.stack((windows.analysis, synthesis, windows.analysis)).numpy()

    def stretches(self) -> Iterator[Stretch]:
        """Frames and items of the clip whose faders and tables fit in memory at a time."""
        clip, schedule = self.clip, self.clip.schedule
        numbers = schedule.strips * schedule.channels * schedule.transform.hop
        frames = 4 * self.step
        if not clip.frames_per_tile:
            frames = max(STRETCH_NUMBERS // numbers // self.step * self.step, frames)
        items = max(1, STRETCH_NUMBERS // (numbers * min(frames, clip.frames - clip.first)))
        for low in range(0, clip.batch, items):
            some = slice(low, min(low + items, clip.batch))
            for first in range(clip.first, clip.frames, frames):
                tile = clip.tile(some, first, min(first + frames, clip.frames), self._rows.device)
                yield Stretch((tile,))

    def jobs(self, stretch: Stretch) -> list[program.Job]:
        """Items, and parts of them where there are fewer items than threads."""
        (tile,) = stretch.tiles
        size, hop = self.clip.schedule.transform.size, self.clip.schedule.transform.hop
        edges = [tile.first, tile.last]
        parts = -(-torch.get_num_threads() // tile.count)
        if parts > 1 and self.step == self.prepared.lanes:
            tiles = -(-tile.frames // self.step)
            cuts = sorted({tile.first + self.step * (tiles * part // parts) for part in range(1, parts)})
            # What is mirrored at the clip's ends must not be written by two jobs at once.
            edges[1:1] = [
                cut for cut in cuts if cut > tile.first and size < cut * hop <= self.clip.samples - 2 * size
            ]
        return [
            program.Job(item, low, high, high == self.clip.frames)
            for item in range(tile.items.start, tile.items.stop)
            for low, high in pairwise(edges)
        ]

    def feed(self, stretch: Stretch, row_total: Tensor | None = None) -> Feed:
        """The strips' audio on a stretch; row_total: where gradients of what its effects read are added."""
        controls = StretchControls(self.clip, stretch, self._rows, self._rows_wanted)
        return Feed(self.clip.schedule, stretch, controls, self._sources, row_total, self.clip.origin)

    def seeds(self, stretch: Stretch, gradient: Tensor) -> tuple[list[list[int]], list[Tensor]]:
        """The results' gradients as sources, times what the results were multiplied with near the clip's ends.

        And the tensors that the sources have addresses of.
        """
        gradient = addresses.dense(gradient)
        factor = self.clip.windows(self._rows).correct(
            self._rows.new_ones(stretch.hi - stretch.lo), stretch.lo
        )
        sources = []
        for result in gradient:
            row = addresses.source(result, addresses.SYNTHESIS, mirrored=False, origin=self.clip.out[0])
            row[rows.FACTOR] = factor.data_ptr() - stretch.lo * factor.element_size()
            sources.append(row)
        return sources, [gradient, factor]

    def signals(
        self,
        sources: Sequence[list[int]],
        targets: Sequence[list[int]],
        weights: RatioWeights,
        tables: GainTables,
    ) -> program.Signals:
        prepared = self.prepared
        return program.Signals(
            samples=self.clip.samples,
            hop=self.clip.schedule.transform.hop,
            windows=self._windows,
            sources=_table(sources, rows.SOURCE_COLUMNS),
            targets=_table(targets, rows.TARGET_COLUMNS),
            weights=weights.values.numpy(),
            totals=weights.totals.numpy(),
            curves=prepared.curves,
            chains=prepared.chains,
            factors=tables.factors,
        )


def _table(entries: Sequence[list[int]], columns: int) -> NDArray:
    return np.array(entries, np.int64).reshape(-1, columns)
