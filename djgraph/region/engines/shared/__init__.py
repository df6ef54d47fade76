"""The engine for one set of stems and many candidates: their transforms are made once for all.

It runs on the CPU's vector units, forward and backward. What it cannot share is left to the
vectors engine, call by call.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from djgraph.region.clip import Clip
from djgraph.region.engine import Gradients, Wanted
from djgraph.region.engines.vectors import LANES, Vectors
from djgraph.region.load import RegionLoad

CANDIDATE, ONCE = 0.6, 4.0
"""What a candidate costs, and what is shared, in items of the vectors engine: to choose an engine by."""


class Shared(Vectors):
    """Runs regions whose sources are the same for all items of a batch, sixteen items at a time."""

    name = "shared"

    def takes(self, load: RegionLoad) -> bool:
        return load.shared and not (load.tables or load.processed) and super().takes(load)

    def seconds(self, load: RegionLoad) -> float:
        # Lanes without a candidate cost as much as those with one.
        lanes = LANES * 4 // load.dtype.itemsize
        filled = lanes * -(-load.batch // lanes)
        return super().seconds(load) * (CANDIDATE * filled + ONCE) / load.batch

    def working_bytes(self, load: RegionLoad) -> tuple[float, float]:
        """Sixteen frames of the strips' spectra, of three hats each, and what the vectors engine takes on the way
        back."""
        spectra = float(LANES * load.strips * 3 * 2 * load.transform.size * load.dtype.itemsize)
        return spectra, super().working_bytes(load)[1]

    def forward(self, clip: Clip, rows: Tensor, sources: Sequence[Tensor] | Tensor) -> Tensor:
        from djgraph.region.engines.shared import hats, passes

        found = hats.hats_of(clip)
        if found is None:
            return super().forward(clip, rows, sources)
        return passes.forward(self.prepared(clip.schedule, rows.dtype), clip, rows, list(sources), found)

    def backward(
        self,
        clip: Clip,
        rows: Tensor,
        sources: Sequence[Tensor],
        gradient: Tensor,
        wanted: Wanted,
    ) -> Gradients:
        from djgraph.region.engines.shared import back, hats

        found = hats.hats_of(clip)
        # A tensor that holds one sound many times has a gradient for each time.
        if found is None or wanted.apart:
            return super().backward(clip, rows, sources, gradient, wanted)
        prepared = self.prepared(clip.schedule, rows.dtype)
        return back.backward(prepared, clip, rows, sources, gradient, wanted, found)
