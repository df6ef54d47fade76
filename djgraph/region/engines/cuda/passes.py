"""A region's forward and backward pass on a GPU: large tiles, batched transforms, one kernel for all gains and sums.

As everywhere only the region's inputs are kept for the backward pass, which walks the tiles again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from djgraph.dsp.resident import resident
from djgraph.gpu.mix import gpu_mix, gpu_mix_backward
from djgraph.region.clip import Clip, Stretch
from djgraph.region.engine import Gradients, Wanted
from djgraph.region.engines.cuda.gains import GainTables, RatioWeights
from djgraph.region.engines.cuda.terms import PreparedRegion, Terms
from djgraph.region.engines.cuda.tiling import stretches
from djgraph.region.lent import ClipControls, Lent, StretchControls
from djgraph.region.recorded import WeightTotals
from djgraph.region.tilework import TileWork
from djgraph.region.workspace import Workspace


def forward(
    prepared: PreparedRegion,
    clip: Clip,
    rows: Tensor,
    sources: Sequence[Tensor] | Tensor,
    tile: tuple[int, int],
) -> Tensor:
    """The region's results; tile: frames and items of one."""
    call = _Call(prepared, clip, rows, [Lent(source, False) for source in sources], False, tile)
    out = rows.new_zeros(
        len(clip.schedule.results), clip.batch, clip.schedule.channels, clip.out[1] - clip.out[0]
    )
    weights = RatioWeights(prepared, clip, call.controls, rows)
    terms, ends, factors = call.tables(prepared.by_result)
    for stretch in call.stretches():
        work, audio, _ = call.begin(stretch)
        tables = GainTables(prepared, work, call.controls, rows)
        spectra = work.analyse(work.strips(audio), call.windows.analysis)
        here = call.frames_of(weights.values, stretch)
        work.write(out, gpu_mix(spectra, terms, ends, factors, here, call.curves, tables.values))
    call.windows.correct_(out)
    return out


def backward(
    prepared: PreparedRegion,
    clip: Clip,
    rows: Tensor,
    sources: Sequence[Tensor],
    gradient: Tensor,
    wanted: Wanted,
    tile: tuple[int, int],
) -> Gradients:
    """Gradients of the bank's rows, of the sources and of the effects' own weights."""
    lent = [Lent(source, want) for source, want in zip(sources, wanted.sources)]
    learnt = WeightTotals(wanted.weights)
    call = _Call(prepared, clip, rows, lent, wanted.rows, tile)
    row_total = torch.zeros_like(rows) if wanted.rows else None
    with torch.enable_grad():
        weights = RatioWeights(prepared, clip, call.controls, rows)
    gains = any(
        learnt.of(group.group.module)
        or (wanted.rows and not group.group.constant and bool(group.group.controls))
        for group in prepared.groups
    )
    terms, ends, factors = call.tables(prepared.by_strip)
    size = clip.schedule.transform.size
    for stretch in call.stretches():
        with torch.enable_grad():
            work, audio, controls = call.begin(stretch)
            tables = GainTables(prepared, work, call.controls, rows)
        with torch.no_grad():
            seeds = work.analyse(work.seeds(gradient), call.windows.seeds)
            spectra = work.analyse(work.strips(audio), call.windows.analysis) if gains else seeds
            back = gpu_mix_backward(
                spectra, seeds, terms, ends, factors,
                call.frames_of(weights.values, stretch), call.curves, tables.values,
                call.frames_of(weights.totals, stretch), tables.totals, size, gains, audio.requires_grad,
            )  # fmt: skip
            if audio.requires_grad:
                work.back.made(audio, work.audio_gradient(back))
        if tables.made is not None:
            work.back.made(tables.made, tables.totals)
        work.back.give_back(learnt)
        if row_total is not None:
            controls.add_gradients(row_total)
    weights.give_back(learnt)
    if row_total is not None:
        call.controls.add_gradients(clip.schedule, row_total)
    return row_total, [source.total for source in lent], learnt.totals


class _Call:
    """One pass over a clip, forward or backward."""

    def __init__(
        self,
        prepared: PreparedRegion,
        clip: Clip,
        rows: Tensor,
        sources: Sequence[Lent],
        rows_wanted: bool,
        tile: tuple[int, int],
    ) -> None:
        self._clip, self._rows, self._sources = clip, rows, sources
        self._rows_wanted, self._tile = rows_wanted, tile
        self.windows = clip.windows(rows)
        self.controls = ClipControls(clip, rows, rows_wanted)
        self.curves = resident(prepared.curves, rows.device, rows.dtype)

    def stretches(self) -> Iterator[Stretch]:
        return stretches(self._clip, *self._tile, self._rows.device)

    def begin(self, stretch: Stretch) -> tuple[TileWork, Tensor, StretchControls]:
        """A tile, its strips behind the effects before the transform, and what these read."""
        controls = StretchControls(self._clip, stretch, self._rows, self._rows_wanted)
        work = TileWork(self._clip, stretch.tiles[0], self.windows, Workspace())
        return work, work.audio(self._sources, controls), controls

    def tables(self, terms: Terms) -> tuple[Tensor, Tensor, Tensor]:
        """Terms, where they begin, and their factors, on the device."""
        device = self._rows.device
        return resident(terms.table, device), resident(terms.ends, device), resident(terms.gains, device)

    def frames_of(self, weights: Tensor, stretch: Stretch) -> Tensor:
        """The part of ``[rows, batch, frames]`` that belongs to a tile."""
        (tile,) = stretch.tiles
        return weights[:, tile.items, tile.first : tile.last]
