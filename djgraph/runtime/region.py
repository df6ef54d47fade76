"""The tiled spectral region: window, transform, gains, sums, inverse transform, a cache-sized tile at a time.

Only the region's inputs are kept for the backward pass, which walks the tiles again. The linear part is its own
adjoint: the gradient of a windowed forward transform, a real gain and a windowed inverse transform is the same
chain with the gradient as its signal. So only the effects' own code (gains, memoryless effects before the
transform) runs under autograd, on one tile at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from djgraph import simd
from djgraph.dsp.curve import Timeline
from djgraph.dsp.operators import operator
from djgraph.runtime.adjoint import adjoint
from djgraph.runtime.lent import ClipControls, Lent, StretchControls
from djgraph.runtime.schedule import REGIONS, RegionSchedule
from djgraph.runtime.tiles import Clip
from djgraph.runtime.tilework import TileWork


class TiledRegion(torch.autograd.Function):
    """``(clip, rows, number of sources, sources…, weights…)`` → ``[results, batch, channels, samples]``."""

    @staticmethod
    def forward(clip: Clip, rows: Tensor, count: int, *tensors: Tensor) -> Tensor:
        schedule = clip.schedule
        if _vectorised(schedule, rows):
            from djgraph.runtime import vectors

            return vectors.forward(clip, rows, tensors[:count])
        out = rows.new_zeros(len(schedule.results), clip.batch, schedule.channels, clip.samples)
        windows, sources = clip.windows(rows), [Lent(source, False) for source in tensors[:count]]
        frame_controls = ClipControls(clip, rows, False)
        with clip.workspace(rows.device) as workspace:
            for stretch in clip.stretches(rows.device):
                controls = StretchControls(clip, stretch, rows, False)
                for tile in stretch.tiles:
                    work = TileWork(clip, tile, windows, workspace)
                    gains, frames = work.gains(frame_controls), work.strips(work.audio(sources, controls))
                    work.write(out, work.mix(work.analyse(frames, windows.analysis), gains))
        windows.correct_(out)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor | None) -> None:
        ctx.clip, rows, ctx.count, *tensors = inputs
        ctx.save_for_backward(rows, *tensors)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        clip, count = ctx.clip, ctx.count
        rows, *tensors = ctx.saved_tensors
        rows_wanted, wanted = ctx.needs_input_grad[1], ctx.needs_input_grad[3:]
        # The effects' own weights, which a compiled program may hand over under other names.
        weights = [weight for weight, need in zip(clip.schedule.weights(), wanted[count:]) if need]
        if _vectorised(clip.schedule, rows):
            from djgraph.runtime import vectors

            row_total, source_totals, weight_totals = vectors.backward(
                clip, rows, tensors[:count], gradient, rows_wanted, wanted[:count], weights
            )
            by_weight = iter(weight_totals)
            for_weights = [next(by_weight) if need else None for need in wanted[count:]]
            return None, row_total, None, *source_totals, *for_weights
        windows = clip.windows(rows)
        sources = [Lent(source, need) for source, need in zip(tensors[:count], wanted)]
        weight_totals = [torch.zeros_like(weight) for weight in weights]
        row_total = torch.zeros_like(rows) if rows_wanted else None
        frame_controls = ClipControls(clip, rows, rows_wanted)
        with clip.workspace(rows.device) as workspace:
            for stretch in clip.stretches(rows.device):
                controls = StretchControls(clip, stretch, rows, rows_wanted)
                for tile in stretch.tiles:
                    with torch.enable_grad():
                        work = TileWork(clip, tile, windows, workspace)
                        audio = work.audio(sources, controls)
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
        by_weight = iter(weight_totals)
        for_weights = [next(by_weight) if need else None for need in wanted[count:]]
        return None, row_total, None, *(source.total for source in sources), *for_weights


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
    weights, batch = schedule.weights(), rows.shape[1]
    if torch.compiler.is_compiling():
        numbers = [
            schedule.handle,
            timeline.samples,
            timeline.frames,
            batch,
            frames_per_tile or 0,
            len(sources),
        ]
        (made,) = _region_operator([rows, *sources, *weights], numbers, schedule.owner)
        return made
    clip = Clip(schedule, timeline, batch, frames_per_tile)
    return TiledRegion.apply(clip, rows, len(sources), *sources, *weights)


def _arrange(tensors: list[Tensor], numbers: list[int]) -> tuple[Any, ...]:
    handle, samples, frames, batch, per_tile, count = numbers
    clip = Clip(REGIONS[handle], Timeline(samples, frames), batch, per_tile or None)
    rows, *others = tensors
    return clip, rows, count, *others


def _like(tensors: list[Tensor], numbers: list[int]) -> list[Tensor]:
    schedule = REGIONS[numbers[0]]
    return [tensors[0].new_empty(len(schedule.results), numbers[3], schedule.channels, numbers[1])]


_region_operator = operator("region", TiledRegion, _arrange, _like)


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
