"""The engine of the CPU's vector units, through :mod:`djgraph.simd`: transforms whose size is a power of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph import simd
from djgraph.region.clip import Clip
from djgraph.region.engine import Engine, Gradients, Wanted
from djgraph.region.engines.vectors.tiling import STRETCH_NUMBERS
from djgraph.region.load import RegionLoad
from djgraph.region.schedule import RegionSchedule

if TYPE_CHECKING:
    from djgraph.region.engines.vectors.prepared import PreparedRegion

CALL, VECTOR = 2.9e-3, 65e-6
"""Seconds of a call, and of one signal's frames of 2048 samples on a vector, on one core: to choose an engine by."""
LANES = 16
"""Frames that are worked on at once in single precision; also what a smaller number of them costs."""


class Vectors(Engine):
    """Runs regions in code for the CPU's vector units, sixteen frames at a time."""

    name = "vectors"

    def takes(self, load: RegionLoad) -> bool:
        return (
            load.simd
            and load.channels <= 2
            and simd.transforms(load.transform.size)
            and load.device.type == "cpu"
            and load.dtype in (torch.float32, torch.float64)
            and simd.available()
        )

    def seconds(self, load: RegionLoad) -> float:
        # Stereo is one complex signal.
        signals = (load.strips + load.results) * load.batch
        size = load.transform.size / 2048
        return CALL + VECTOR * size * signals * -(-load.frames // LANES)

    def working_bytes(self, load: RegionLoad) -> tuple[float, float]:
        """Faders' curves (or what other effects made of the audio) and gains that are no ratios, for a stretch."""
        samples = load.frames * load.transform.hop
        places = min(STRETCH_NUMBERS / (load.strips * load.channels), load.batch * samples)
        numbers = places * (load.scaled + 2 * load.channels * load.processed)
        numbers += load.tables * load.transform.bins * places / load.transform.hop
        seeds = load.results * load.channels * places
        return numbers * load.dtype.itemsize, (2 * numbers + seeds) * load.dtype.itemsize

    def prepare(self, schedule: RegionSchedule) -> dict[torch.dtype, PreparedRegion]:
        return {}

    def prepared(self, schedule: RegionSchedule, dtype: torch.dtype) -> PreparedRegion:
        """The region, prepared for a dtype."""
        prepared_by_dtype = self.kept(schedule)
        if dtype not in prepared_by_dtype:
            from djgraph.region.engines.vectors.prepared import PreparedRegion

            prepared_by_dtype[dtype] = PreparedRegion(schedule, dtype)
        return prepared_by_dtype[dtype]

    def forward(self, clip: Clip, rows: Tensor, sources: Sequence[Tensor] | Tensor) -> Tensor:
        from djgraph.region.engines.vectors import passes

        return passes.forward(self.prepared(clip.schedule, rows.dtype), clip, rows, sources)

    def backward(
        self,
        clip: Clip,
        rows: Tensor,
        sources: Sequence[Tensor],
        gradient: Tensor,
        wanted: Wanted,
    ) -> Gradients:
        from djgraph.region.engines.vectors import passes

        prepared = self.prepared(clip.schedule, rows.dtype)
        return passes.backward(prepared, clip, rows, sources, gradient, wanted)
