"""The engine of GPUs: PyTorch's batched transforms, and Triton's kernels for gains and sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from djgraph import gpu
from djgraph.region.clip import Clip
from djgraph.region.engine import Engine, Gradients, Wanted
from djgraph.region.engines.cuda.tiling import frame_bytes, free_bytes, tiling
from djgraph.region.load import RegionLoad
from djgraph.region.schedule import RegionSchedule

if TYPE_CHECKING:
    from djgraph.region.engines.cuda.terms import PreparedRegion

CALL, FRAME = 0.5e-3, 1e-6
"""Seconds of a call, and of a frame of 2048 samples: only to be chosen before PyTorch's operators, not measured."""
PATHS = 4096
"""Ways from strips to results at most: each is a term, whose gains are computed by itself."""


class Kept:
    """What is kept for a region: its tables, and the tiles of calls that were."""

    def __init__(self, schedule: RegionSchedule) -> None:
        from djgraph.region.engines.cuda.terms import PreparedRegion

        self.prepared: PreparedRegion = PreparedRegion(schedule)
        self.tiles: dict[Any, tuple[int, int]] = {}


class Cuda(Engine):
    """Runs regions on GPUs: tiles as large as memory allows, all gains and sums of one in one kernel."""

    name = "cuda"

    def takes(self, load: RegionLoad) -> bool:
        return (
            load.device.type == "cuda"
            and load.dtype in (torch.float32, torch.float64)
            and load.paths <= PATHS
            and gpu.available()
        )

    def seconds(self, load: RegionLoad) -> float:
        return CALL + FRAME * load.transform.size / 2048 * load.signals * load.batch * load.frames

    def working_bytes(self, load: RegionLoad) -> tuple[float, float]:
        frames, items = tiling(load, free_bytes(load.device))
        places = min(frames, load.frames) * min(items, load.batch)
        return places * frame_bytes(load, False), places * frame_bytes(load)

    def prepare(self, schedule: RegionSchedule) -> Kept:
        return Kept(schedule)

    def forward(self, clip: Clip, rows: Tensor, sources: Sequence[Tensor] | Tensor) -> Tensor:
        from djgraph.region.engines.cuda import passes

        kept: Kept = self.kept(clip.schedule)
        return passes.forward(kept.prepared, clip, rows, sources, self._tile(kept, clip, rows))

    def backward(
        self,
        clip: Clip,
        rows: Tensor,
        sources: Sequence[Tensor],
        gradient: Tensor,
        wanted: Wanted,
    ) -> Gradients:
        from djgraph.region.engines.cuda import passes

        kept: Kept = self.kept(clip.schedule)
        tile = self._tile(kept, clip, rows)
        return passes.backward(kept.prepared, clip, rows, sources, gradient, wanted, tile)

    def _tile(self, kept: Kept, clip: Clip, rows: Tensor) -> tuple[int, int]:
        """Frames and items: the same for calls of one size, so that they make the same tensors again and the driver is
        not asked again, which no CUDA graph could record."""
        load = clip.load(rows)
        key = (load.batch, load.frames, load.dtype, load.device, load.frames_per_tile)
        if key not in kept.tiles:
            kept.tiles[key] = tiling(load, free_bytes(rows.device))
        return kept.tiles[key]
