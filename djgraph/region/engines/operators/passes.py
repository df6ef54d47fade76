"""A region's forward and backward pass by PyTorch's operators, tile by tile.

Only the region's inputs are kept for the backward pass, which walks the tiles again. The linear part is its own
adjoint: the gradient of a windowed forward transform, a real gain and a windowed inverse transform is the same
chain with the gradient as its signal. So only the effects' own code (gains, memoryless effects before the
transform) runs under autograd, on one tile at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.region.clip import Clip
from djgraph.region.engine import Gradients, Wanted
from djgraph.region.engines.operators.adjoint import adjoint
from djgraph.region.engines.operators.tiling import stretches
from djgraph.region.lent import ClipControls, Lent, StretchControls
from djgraph.region.plain import mix_plainly
from djgraph.region.recorded import WeightTotals
from djgraph.region.tilework import TileWork
from djgraph.region.workspace import Workspace

FEW = 8
"""Frames of all items that arranging tiles takes longer for than working on all at once."""


def forward(clip: Clip, rows: Tensor, sources: Sequence[Tensor] | Tensor, workspace: Workspace) -> Tensor:
    """The region's results by PyTorch's operators."""
    schedule = clip.schedule
    if clip.batch * (clip.frames - clip.first) <= FEW:
        return mix_plainly(clip, rows, sources)
    out = rows.new_zeros(len(schedule.results), clip.batch, schedule.channels, clip.out[1] - clip.out[0])
    windows, lent = clip.windows(rows), [Lent(source, False) for source in sources]
    frame_controls = ClipControls(clip, rows, False)
    for stretch in stretches(clip, rows.device):
        controls = StretchControls(clip, stretch, rows, False)
        for tile in stretch.tiles:
            work = TileWork(clip, tile, windows, workspace)
            gains, frames = work.gains(frame_controls), work.strips(work.audio(lent, controls))
            work.write(out, work.mix(work.analyse(frames, windows.analysis), gains))
    windows.correct_(out)
    return out


def backward(
    clip: Clip,
    rows: Tensor,
    sources: Sequence[Tensor],
    gradient: Tensor,
    wanted: Wanted,
    workspace: Workspace,
) -> Gradients:
    """Gradients of the bank's rows, of the sources and of the effects' own weights by PyTorch's operators."""
    windows = clip.windows(rows)
    lent = [Lent(source, want) for source, want in zip(sources, wanted.sources)]
    learnt = WeightTotals(wanted.weights)
    row_total = torch.zeros_like(rows) if wanted.rows else None
    frame_controls = ClipControls(clip, rows, wanted.rows)
    for stretch in stretches(clip, rows.device):
        controls = StretchControls(clip, stretch, rows, wanted.rows)
        for tile in stretch.tiles:
            with torch.enable_grad():
                work = TileWork(clip, tile, windows, workspace)
                audio = work.audio(lent, controls)
                gains = work.gains(frame_controls)
            ends = [end for end in (*gains, audio) if end.requires_grad]
            if not ends or not (work.back.leaves or learnt.tensors):
                continue
            for end, start in zip(ends, _starts(work, audio, gains, gradient)):
                work.back.made(end, start)
            work.back.give_back(learnt)
        if row_total is not None:
            controls.add_gradients(row_total)
    if row_total is not None:
        frame_controls.add_gradients(clip.schedule, row_total)
    return row_total, [source.total for source in lent], learnt.totals


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
