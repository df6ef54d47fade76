"""A region's backward pass for candidates that share their sources: no candidate has a strip transformed for itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.region.clip import Clip
from djgraph.region.engine import Gradients, Wanted
from djgraph.region.engines.shared.chunks import Chunk, Chunks
from djgraph.region.engines.shared.hats import MOST, Hats, faders_of, filled, weights_of
from djgraph.region.engines.shared.programs import backward_program, reads_strips
from djgraph.region.engines.vectors.masks import RatioWeights
from djgraph.region.engines.vectors.prepared import PreparedRegion
from djgraph.region.lent import ClipControls
from djgraph.region.recorded import WeightTotals
from djgraph.simd import fft, gains
from djgraph.simd.candidates import PADDING, Spectra
from djgraph.simd.candidates_back import Seeds, Sums, entries
from djgraph.simd.program import MachineCode
from djgraph.simd.threads import in_threads


def backward(
    prepared: PreparedRegion,
    clip: Clip,
    bank_rows: Tensor,
    sources: Sequence[Tensor],
    gradient: Tensor,
    wanted: Wanted,
    hats: Hats,
) -> Gradients:
    """Gradients of the bank's rows, of the sources (each for all candidates together) and of the effects' weights."""
    learnt = WeightTotals(wanted.weights)
    controls = ClipControls(clip, bank_rows, wanted.rows)
    with torch.set_grad_enabled(wanted.some):
        ratios = RatioWeights(prepared, clip, controls, bank_rows)
    work = _Back(prepared, clip, bank_rows, sources, hats)
    code = work.program(prepared.wanted_chains(learnt, wanted.rows), wanted)
    of_ratios, of_faders, totals = work.run(code, ratios.values, gradient, wanted)
    if len(ratios.totals):
        ratios.totals[..., : clip.frames] += of_ratios[..., : clip.batch].mT
    ratios.give_back(learnt)
    row_total = None
    if wanted.rows:
        row_total = torch.zeros_like(bank_rows)
        moved = [strip for strip, row in enumerate(hats.faders) if row >= 0]
        index = torch.tensor([hats.faders[strip] for strip in moved], dtype=torch.int64, device="cpu")
        row_total.index_add_(0, index, of_faders[moved, :, : clip.batch].mT.to(bank_rows.dtype))
        controls.add_gradients(clip.schedule, row_total)
    return row_total, totals, learnt.totals


class _Back:
    def __init__(
        self, prepared: PreparedRegion, clip: Clip, rows: Tensor, sources: Sequence[Tensor], hats: Hats
    ) -> None:
        self.prepared, self.clip, self.hats, self._rows = prepared, clip, hats, rows
        self.chunks = Chunks(prepared, clip, rows, sources, hats)

    def program(self, chains: Sequence[bool], wanted: Wanted) -> MachineCode:
        faders = [wanted.rows and row >= 0 for row in self.hats.faders]
        return backward_program(self.prepared.flow, chains, wanted.sources, faders)

    def run(
        self, code: MachineCode, ratios: Tensor, gradient: Tensor, wanted: Wanted
    ) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        """The gradients of the ratios' weights, ``[rows, frames, candidates]``, of the faders,
        ``[strips, control frames, candidates]`` (both with what fills the lanes), and of the sources."""
        chunks, clip, prepared, lanes = self.chunks, self.clip, self.prepared, self.prepared.lanes
        turned = filled(ratios[..., : clip.frames].mT, chunks.fill).contiguous()
        of_ratios, faders = torch.zeros_like(turned), faders_of(self.hats, self._rows, chunks.fill)
        # Few control frames sum up many frames: in double precision.
        of_faders = torch.zeros_like(faders, dtype=torch.float64)
        totals = [
            torch.zeros_like(source[:1]) if want else None
            for source, want in zip(chunks.sources, wanted.sources)
        ]
        shared = [(strip, total) for strip, total in enumerate(totals) if total is not None]
        numbers = np.array([strip for strip, _ in shared], np.int64)
        reads = reads_strips(code.operations, len(totals))
        seeds = self._seeds(gradient)
        shares = [self._memory(code, *seeds) for _ in chunks.blocks]
        threads = min(torch.get_num_threads(), len(chunks.blocks))
        edges = [len(chunks.blocks) * part // threads for part in range(threads + 1)]
        for chunk in chunks.each():
            spectra = chunk.transformed() if reads else chunk.nothing()
            weights = weights_of(self.hats, faders, chunk.first, chunk.last)

            def work(
                part: tuple[int, int],
                chunk: Chunk = chunk,
                spectra: Spectra = spectra,
                weights: Tensor = weights,
            ) -> tuple[NDArray, NDArray]:
                re, im = chunk.gradients(len(shared))
                for number in range(*part):
                    block = chunk.block(number)
                    mine = slice(block.candidate, block.candidate + lanes)
                    given = weights[..., mine].contiguous()
                    moved = torch.zeros_like(given)
                    *memory, room, square = shares[number]
                    entries().run(
                        code.operations,
                        spectra,
                        given.numpy().reshape(-1),
                        gains.Chains(
                            prepared.chains,
                            prepared.factors,
                            turned.numpy(),
                            of_ratios.numpy(),
                            prepared.curves,
                            room,
                        ),
                        chunks.tables,
                        chunks.tiling,
                        tuple(memory),
                        Sums(moved.numpy().reshape(-1), re, im, numbers, square),
                        block,
                    )
                    self._give(chunk, moved, of_faders[..., mine])
                return re, im

            parts = in_threads(work, list(pairwise(edges)))
            if shared:
                (re, im), *others = parts
                for other_re, other_im in others:
                    re += other_re
                    im += other_im
                chunk.transform_back(re, im, shared)
        return of_ratios, of_faders, totals

    def _give(self, chunk: Chunk, moved: Tensor, total: Tensor) -> None:
        """From gradients of weights, ``[frames, strips, hats, lanes]``, to those of faders, ``[strips, control frames,
        lanes]``."""
        moved = moved.to(total.dtype)
        steady = torch.tensor(self.hats.steady, device="cpu")
        total[steady, 0] += moved[:, steady, 0].sum(0)
        places = torch.from_numpy(chunk.heard[:, None] + np.arange(self.hats.count)).flatten()
        total[~steady] = total[~steady].index_add(1, places, moved[:, ~steady].transpose(0, 1).flatten(1, 2))

    def _seeds(self, gradient: Tensor) -> tuple[NDArray, NDArray, NDArray]:
        """The results' gradients, what they are multiplied by near the clip's ends, and their window."""
        clip, windows = self.clip, self.clip.windows(self._rows)
        factor = windows.correct(self._rows.new_ones(clip.samples))
        synthesis = windows.synthesis / clip.schedule.transform.size
        return gradient.detach().contiguous().view(-1).numpy(), factor.numpy(), synthesis.numpy()

    def _memory(
        self, code: MachineCode, values: NDArray, factor: NDArray, window: NDArray
    ) -> tuple[fft.Slots, Seeds, NDArray, NDArray]:
        """What a block of candidates works in: slots, what it reads, and room for gains and for a square."""
        chunks, schedule = self.chunks, self.clip.schedule
        size, lanes = chunks.tiling.size, chunks.tiling.lanes
        count = code.slots * (size * lanes + PADDING)
        rings = np.zeros((2, len(schedule.results) * size * lanes), self.prepared.numbers)
        seeds = Seeds(values, factor, self.clip.batch, schedule.channels, window, *rings)
        # Hats' products stand behind what gains need.
        work = gains.work_size(code.chain, lanes) + MOST * gains.BLOCK * lanes
        slots = fft.Slots(chunks.room(count), chunks.room(count))
        return slots, seeds, chunks.room(work), chunks.room(lanes * lanes)
