"""A spectral region as one differentiable operation: window, transform, gains, sums, inverse transform.

Only its inputs are kept for the backward pass, which an engine runs as it ran the forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.curve import Timeline
from djgraph.dsp.derivatives import Operation, unwatched
from djgraph.dsp.operators import operator
from djgraph.dsp.placed import PlacedTimeline, timeline_of
from djgraph.host.weights import Weights
from djgraph.region.clip import Clip
from djgraph.region.engine import Engine, Wanted
from djgraph.region.engines import choose
from djgraph.region.plain import mix_plainly
from djgraph.region.schedule import REGIONS, RegionSchedule


class RegionOperation(Operation):
    """``(rows, sources…, weights…)`` → ``[results, batch, channels, samples]``, on one clip by one engine.

    A source of a batch of one is every item's.
    """

    def __init__(self, clip: Clip, weights: Weights, engine: Engine) -> None:
        self.clip, self._weights, self._engine = clip, weights, engine
        self._count = len(clip.schedule.reads)

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor]:
        rows, sources, weights = self._parts(tensors)
        with self._weights.holding(weights):
            return (self._engine.forward(self.clip, rows, _spread(sources, self.clip.batch)),)

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
            row_total, source_totals, weight_totals = self._engine.backward(
                self.clip,
                rows,
                _spread(sources, self.clip.batch),
                gradients[0],
                Wanted(for_rows, for_sources, learned, [len(source) == 1 for source in sources]),
            )
        source_totals = [
            total.sum(0, keepdim=True) if total is not None and len(total) > len(source) else total
            for total, source in zip(source_totals, sources)
        ]
        totals = iter(weight_totals)
        return [row_total, *source_totals, *(next(totals) if need else None for need in for_weights)]

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor]:
        rows, sources, weights = self._parts(tensors)
        with self._weights.holding(weights):
            return (mix_plainly(self.clip, rows, _spread(sources, self.clip.batch)),)

    def _parts(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
        return tensors[0], tensors[1 : 1 + self._count], tensors[1 + self._count :]


def _spread(sources: Sequence[Tensor], batch: int) -> list[Tensor]:
    """Sources of a batch of one for all items, without copies."""
    return [source.expand(batch, -1, -1) if len(source) < batch else source for source in sources]


def _leaf(weight: Tensor) -> Tensor:
    """The weight itself, or, where it was computed, a leaf in its place."""
    return weight if weight.is_leaf and weight.requires_grad else weight.detach().requires_grad_()


def run_region(
    schedule: RegionSchedule,
    timeline: Timeline,
    rows: Tensor,
    sources: Sequence[Tensor],
    frames_per_tile: int | None = None,
) -> Tensor:
    """The region's results, ``[results, batch, channels, samples]``; rows: ``[rows, batch, frames]`` of the bank.

    sources: also of a batch of one, for all. As one operator inside what torch.compile traces.
    """
    batch = rows.shape[1]
    if torch.compiler.is_compiling():
        sources = _spread(sources, batch)
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
        (values,) = _region_operator([rows, *sources, *learned.values(), *placed], numbers, schedule.owner)
        return values
    return run_clip(Clip(schedule, timeline, batch, frames_per_tile), rows, sources)


def run_clip(clip: Clip, rows: Tensor, sources: Sequence[Tensor] | Tensor) -> Tensor:
    """The same for a clip, or a section of one: of that, what its own frames add to the samples of ``clip.out``.

    sources: also as one tensor, ``[strips, batch, channels, samples]``.
    """
    engine = choose(clip.load(rows, _shared(clip, sources)))
    if unwatched():
        return engine.forward(
            clip, rows, sources if isinstance(sources, Tensor) else _spread(sources, clip.batch)
        )
    weights = Weights(clip.schedule.modules)
    (values,) = RegionOperation(clip, weights, engine)(rows, *sources, *weights.tensors)
    return values


def _shared(clip: Clip, sources: Sequence[Tensor] | Tensor) -> bool:
    """Whether all items of the batch read the same sources: those of a batch of one, spread to it."""
    if clip.batch == 1 or clip.section is not None or isinstance(sources, Tensor):
        return False
    return all(len(source) == 1 or source.stride(0) == 0 for source in sources)


def _arrange(tensors: list[Tensor], numbers: list[int]) -> tuple[Operation, list[Tensor]]:
    handle, samples, frames, batch, per_tile, placed = numbers
    schedule = REGIONS[handle]
    timeline = timeline_of(samples, frames, tensors[-1] if placed else None)
    clip = Clip(schedule, timeline, batch, per_tile or None)
    operation = RegionOperation(clip, Weights(schedule.modules), choose(clip.load(tensors[0])))
    return operation, tensors[: len(tensors) - placed]


def _like(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
    schedule = REGIONS[numbers[0]]
    return [tensors[0].new_empty(len(schedule.results), numbers[3], schedule.channels, numbers[1])]


_region_operator = operator("region", _arrange, _like)
