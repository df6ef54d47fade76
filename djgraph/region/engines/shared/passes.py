"""A region's forward pass for candidates that share their sources: what is shared is transformed once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from djgraph.region.clip import Clip
from djgraph.region.engines.shared.chunks import Chunk, Chunks
from djgraph.region.engines.shared.hats import Hats, faders_of, filled, weights_of
from djgraph.region.engines.shared.programs import fused
from djgraph.region.engines.vectors.masks import RatioWeights
from djgraph.region.engines.vectors.prepared import PreparedRegion
from djgraph.region.lent import ClipControls
from djgraph.simd import fft, gains
from djgraph.simd.candidates import PADDING, Output, Spectra, entries
from djgraph.simd.threads import in_threads


def forward(
    prepared: PreparedRegion, clip: Clip, bank_rows: Tensor, sources: Sequence[Tensor], hats: Hats
) -> Tensor:
    """The region's results, ``[results, batch, channels, samples]``, as those of the vectors engine."""
    schedule, lanes = clip.schedule, prepared.lanes
    out = bank_rows.new_empty(len(schedule.results), clip.batch, schedule.channels, clip.samples)
    controls = ClipControls(clip, bank_rows, False)
    ratios = RatioWeights(prepared, clip, controls, bank_rows).values[..., : clip.frames]
    chunks = Chunks(prepared, clip, bank_rows, sources, hats)
    # Lanes behind the last candidate repeat it: nothing there divides by zero.
    turned = filled(ratios.mT, chunks.fill).contiguous().numpy()
    faders = faders_of(hats, bank_rows, chunks.fill)
    operations = fused(prepared.forward.operations)
    synthesis = (clip.windows(bank_rows).synthesis / schedule.transform.size).numpy()
    shares = [_memory(prepared, chunks, out.view(-1).numpy(), synthesis) for _ in chunks.blocks]
    for chunk in chunks.each():
        spectra = chunk.transformed()
        weights = weights_of(hats, faders, chunk.first, chunk.last)

        def work(
            number: int, chunk: Chunk = chunk, spectra: Spectra = spectra, weights: Tensor = weights
        ) -> None:
            slots, output, room = shares[number]
            block = chunk.block(number)
            mine = weights[..., block.candidate : block.candidate + lanes].contiguous().numpy().reshape(-1)
            entries().run(
                operations,
                spectra,
                mine,
                gains.Chains(prepared.chains, prepared.factors, turned, turned[:0], prepared.curves, room),
                chunks.tables,
                chunks.tiling,
                slots,
                output,
                block,
            )

        in_threads(work, range(len(chunks.blocks)))
    clip.windows(bank_rows).correct_(out)
    return out


def _memory(
    prepared: PreparedRegion, chunks: Chunks, values: NDArray, synthesis: NDArray
) -> tuple[fft.Slots, Output, NDArray]:
    """What a block of candidates works in: slots, where it goes, and room for gains."""
    size, lanes, code = chunks.tiling.size, chunks.tiling.lanes, prepared.forward
    count = code.slots * (size * lanes + PADDING)
    sums = np.zeros((2, max(code.targets, 1) * size * lanes), prepared.numbers)
    output = Output(values, chunks.clip.batch, chunks.clip.schedule.channels, synthesis, sums[0], sums[1])
    slots = fft.Slots(chunks.room(count), chunks.room(count))
    return slots, output, chunks.room(gains.work_size(code.chain, lanes))
