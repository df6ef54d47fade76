"""The tiled spectral region: window, transform, gains, sums, inverse transform, a cache-sized tile at a time.

Only the region's inputs are kept for the backward pass, which walks the tiles again. The linear part is its own
adjoint: the gradient of a windowed forward transform, a real gain and a windowed inverse transform is the same
chain with the gradient as its signal. So only the effects' own code (gains, memoryless effects before the
transform) runs under autograd, on one tile at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.curve import Timeline
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.operators import operator
from djgraph.dsp.placed import PlacedTimeline, timeline_of
from djgraph.host.weights import Weights
from djgraph.region.engines.operators.adjoint import adjoint
from djgraph.region.engines.operators.tilework import TileWork
from djgraph.region.lent import ClipControls, Lent, StretchControls
from djgraph.region.plain import mix_plainly
from djgraph.region.schedule import REGIONS, RegionSchedule
from djgraph.region.tiles import Clip


class TiledRegion(Operation):
    """``(rows, sources…, weights…)`` → ``[results, batch, channels, samples]``, on one clip."""

    def __init__(self, clip: Clip, weights: Weights) -> None:
        self.clip, self._weights, self._count = clip, weights, len(clip.schedule.reads)

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor]:
        rows, sources, weights = self._parts(tensors)
        with self._weights.holding(weights):
            if _vectorised(self.clip.schedule, rows):
                from djgraph.region.engines import vectors

                return (vectors.forward(self.clip, rows, sources),)
            return (_forward(self.clip, rows, sources),)

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> list[Tensor | None]:
        rows, sources, given = self._parts(tensors)
        for_rows, for_sources, for_weights = needed[0], needed[1 : 1 + self._count], needed[1 + self._count :]
        weights = [_leaf(weight) if need else weight for weight, need in zip(given, for_weights)]
        learned = [weight for weight, need in zip(weights, for_weights) if need]
        with self._weights.holding(weights):
            arguments = (self.clip, rows, sources, gradients[0], for_rows, for_sources, learned)
            if _vectorised(self.clip.schedule, rows):
                from djgraph.region.engines import vectors

                row_total, source_totals, weight_totals = vectors.backward(*arguments)
            else:
                row_total, source_totals, weight_totals = _backward(*arguments)
        totals = iter(weight_totals)
        return [row_total, *source_totals, *(next(totals) if need else None for need in for_weights)]

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor]:
        rows, sources, weights = self._parts(tensors)
        with self._weights.holding(weights):
            return (mix_plainly(self.clip, rows, sources),)

    def _parts(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
        return tensors[0], tensors[1 : 1 + self._count], tensors[1 + self._count :]


def _leaf(weight: Tensor) -> Tensor:
    """The weight itself, or, where it was computed, a leaf in its place."""
    return weight if weight.is_leaf and weight.requires_grad else weight.detach().requires_grad_()


def _forward(clip: Clip, rows: Tensor, sources: Sequence[Tensor]) -> Tensor:
    """The region's results by PyTorch's operators."""
    schedule = clip.schedule
    out = rows.new_zeros(len(schedule.results), clip.batch, schedule.channels, clip.samples)
    windows, lent = clip.windows(rows), [Lent(source, False) for source in sources]
    frame_controls = ClipControls(clip, rows, False)
    with clip.workspace(rows.device) as workspace:
        for stretch in clip.stretches(rows.device):
            controls = StretchControls(clip, stretch, rows, False)
            for tile in stretch.tiles:
                work = TileWork(clip, tile, windows, workspace)
                gains, frames = work.gains(frame_controls), work.strips(work.audio(lent, controls))
                work.write(out, work.mix(work.analyse(frames, windows.analysis), gains))
    windows.correct_(out)
    return out


def _backward(
    clip: Clip,
    rows: Tensor,
    sources: Sequence[Tensor],
    gradient: Tensor,
    rows_wanted: bool,
    sources_wanted: Sequence[bool],
    weights: Sequence[Tensor],
) -> tuple[Tensor | None, list[Tensor | None], list[Tensor]]:
    """Gradients of the bank's rows, of the sources and of the effects' own weights by PyTorch's operators."""
    windows = clip.windows(rows)
    lent = [Lent(source, wanted) for source, wanted in zip(sources, sources_wanted)]
    weight_totals = [torch.zeros_like(weight) for weight in weights]
    row_total = torch.zeros_like(rows) if rows_wanted else None
    frame_controls = ClipControls(clip, rows, rows_wanted)
    with clip.workspace(rows.device) as workspace:
        for stretch in clip.stretches(rows.device):
            controls = StretchControls(clip, stretch, rows, rows_wanted)
            for tile in stretch.tiles:
                with torch.enable_grad():
                    work = TileWork(clip, tile, windows, workspace)
                    audio = work.audio(lent, controls)
                    gains = work.gains(frame_controls)
                ends = [end for end in (*gains, audio) if end.requires_grad]
                if not ends or not (work.leaves or weights):
                    continue
                starts = _starts(work, audio, gains, gradient)
                found = torch.autograd.grad(ends, [*work.leaves, *weights], starts, allow_unused=True)
                work.give_back(found[: len(work.leaves)])
                for total, part in zip(weight_totals, found[len(work.leaves) :]):
                    if part is not None:
                        total += part
            if row_total is not None:
                controls.add_gradients(row_total)
    if row_total is not None:
        frame_controls.add_gradients(clip.schedule, row_total)
    return row_total, [source.total for source in lent], weight_totals


def _vectorised(schedule: RegionSchedule, rows: Tensor) -> bool:
    """Whether compiled code for the CPU's vector units does the work, in place of PyTorch's operators."""
    return (
        schedule.simd
        and schedule.channels <= 2
        and simd.transforms(schedule.transform.size)
        and simd.takes(rows)
    )


def run_region(
    schedule: RegionSchedule,
    timeline: Timeline,
    rows: Tensor,
    sources: Sequence[Tensor],
    frames_per_tile: int | None = None,
) -> Tensor:
    """The region's results, ``[results, batch, channels, samples]``; rows: ``[rows, batch, frames]`` of the bank.

    As one operator inside what torch.compile traces.
    """
    batch = rows.shape[1]
    if torch.compiler.is_compiling():
        placed = [timeline.positions] if isinstance(timeline, PlacedTimeline) else []
        numbers = [
            schedule.handle,
            timeline.samples,
            timeline.frames,
            batch,
            frames_per_tile or 0,
            len(placed),
        ]
        learned = {id(w): w for module in schedule.modules for w in module.parameters()}
        (made,) = _region_operator([rows, *sources, *learned.values(), *placed], numbers, schedule.owner)
        return made
    clip, weights = Clip(schedule, timeline, batch, frames_per_tile), Weights(schedule.modules)
    (made,) = TiledRegion(clip, weights)(rows, *sources, *weights.tensors)
    return made


def _arrange(tensors: list[Tensor], numbers: list[int]) -> tuple[Operation, list[Tensor]]:
    handle, samples, frames, batch, per_tile, placed = numbers
    schedule = REGIONS[handle]
    timeline = timeline_of(samples, frames, tensors[-1] if placed else None)
    clip = Clip(schedule, timeline, batch, per_tile or None)
    return TiledRegion(clip, Weights(schedule.modules)), tensors[: len(tensors) - placed]


def _like(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
    schedule = REGIONS[numbers[0]]
    return [tensors[0].new_empty(len(schedule.results), numbers[3], schedule.channels, numbers[1])]


_region_operator = operator("region", _arrange, _like)


@torch.no_grad()
def _starts(work: TileWork, audio: Tensor, gains: list[Tensor], gradient: Tensor) -> list[Tensor]:
    """Gradients of a tile's gains and audio, those that are wanted, in this order."""
    windows = work.windows
    seeds = work.analyse(work.seeds(gradient), windows.seeds)
    need_gains = any(gain.requires_grad for gain in gains)
    spectra = work.analyse(work.strips(audio), windows.analysis) if need_gains else None
    totals = [torch.empty_like(gain) if gain.requires_grad else None for gain in gains]
    for_audio = adjoint(work.schedule, spectra, seeds, gains, totals, audio.requires_grad, work.workspace)
    starts = [total for total in totals if total is not None]
    if for_audio is not None:
        starts.append(work.audio_gradient(for_audio))
    return starts
