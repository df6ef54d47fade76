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

from djgraph.dsp import stft
from djgraph.dsp.curve import Timeline
from djgraph.dsp.operators import operator
from djgraph.runtime.adjoint import adjoint
from djgraph.runtime.schedule import REGIONS, RegionSchedule
from djgraph.runtime.tiles import Clip
from djgraph.runtime.tilework import TileWork, bunch


class TiledRegion(torch.autograd.Function):
    """``(clip, rows, number of sources, sources…, weights…)`` → ``[results, batch, channels, samples]``."""

    @staticmethod
    def forward(clip: Clip, rows: Tensor, count: int, *tensors: Tensor) -> Tensor:
        schedule = clip.schedule
        out = rows.new_zeros(len(schedule.results), clip.batch, schedule.channels, clip.samples)
        for tile in clip.tiles(rows.device):
            work = TileWork(clip, tile, rows)
            pieces = [source[tile.items, :, tile.lo : tile.hi] for source in tensors[:count]]
            frames, gains, made = work.strips(work.audio(pieces)), work.gains(), work.made(len(out))
            for few in work.bunches():
                spectra = work.analyse(frames[..., few, :])
                work.synthesise(work.mix(spectra, bunch(gains, few)), made[..., few, :])
            work.write(out, made)
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
        sources, needs = tensors[:count], ctx.needs_input_grad[3:]
        totals = [torch.zeros_like(tensor) if need else None for tensor, need in zip(tensors, needs)]
        row_total = torch.zeros_like(rows) if ctx.needs_input_grad[1] else None
        # The effects' own weights, which a compiled program may hand over under other names.
        weights = [weight for weight, need in zip(clip.schedule.weights(), needs[count:]) if need]
        for tile in clip.tiles(rows.device):
            pieces = [source[tile.items, :, tile.lo : tile.hi].detach() for source in sources]
            for piece, need in zip(pieces, needs):
                piece.requires_grad_(need)
            with torch.enable_grad():
                work = TileWork(clip, tile, rows, row_total is not None)
                audio = work.audio(pieces)
                gains = work.gains()
            leaves = [*work.leaves, *(piece for piece in pieces if piece.requires_grad), *weights]
            ends = [gain for gain in (*gains, audio) if gain.requires_grad]
            if not ends:
                continue
            found = iter(
                torch.autograd.grad(ends, leaves, _starts(work, audio, gains, gradient), allow_unused=True)
            )
            if row_total is not None:
                work.add_row_gradients(row_total, next(found), next(found))
            for place, total in enumerate(totals):
                part = next(found) if total is not None else None
                if total is None or part is None:
                    continue
                if place < count:
                    total[tile.items, :, tile.lo : tile.hi] += part
                else:
                    total += part
        return None, row_total, None, *totals


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
        (made,) = _region_operator([rows, *sources, *weights], numbers)
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
    strips, seeds = work.strips(audio), work.seeds(gradient)
    totals = [
        torch.empty(gain.shape, dtype=gain.dtype, device=gain.device) if gain.requires_grad else None
        for gain in gains
    ]
    made = work.made(len(audio)) if audio.requires_grad else None
    for few in work.bunches():
        spectra_gradient = adjoint(
            work.schedule,
            work.analyse(strips[..., few, :]),
            work.analyse(seeds[..., few, :]),
            bunch(gains, few),
            bunch(totals, few),
            made is not None,
            work.workspace,
        )
        if made is not None and spectra_gradient is not None:
            work.synthesise(spectra_gradient, made[..., few, :])
    starts = [total for total in totals if total is not None]
    if made is not None:
        padded = stft.overlap_add(made, work.schedule.transform.hop)
        index = work.tile.index
        if index is not None:  # samples that were mirrored get the gradients of all their images
            folded = padded.new_zeros(*padded.shape[:-1], work.tile.hi - work.tile.lo)
            padded = folded.scatter_add_(-1, index.expand(padded.shape), padded)
        starts.append(padded)
    return starts
