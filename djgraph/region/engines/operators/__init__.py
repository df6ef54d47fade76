"""The engine of PyTorch's operators: any device, any transform."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from djgraph.region.clip import Clip
from djgraph.region.engine import Engine, Gradients, Wanted
from djgraph.region.engines.operators import passes
from djgraph.region.engines.operators.tiling import tiling
from djgraph.region.load import RegionLoad
from djgraph.region.schedule import RegionSchedule
from djgraph.region.workspace import Workspace, borrowed

CALL, FRAME = 1.9e-3, 23e-6
"""Seconds of a call, and of a frame of 2048 samples, on one core: to choose an engine by."""


class Operators(Engine):
    """Runs regions by PyTorch's operators on cache-sized tiles."""

    name = "operators"

    def takes(self, load: RegionLoad) -> bool:
        return True

    def seconds(self, load: RegionLoad) -> float:
        size = load.transform.size / 2048
        return CALL + FRAME * size * load.signals * load.batch * load.frames

    def working_bytes(self, load: RegionLoad) -> tuple[float, float]:
        """A tile: audio, windowed frames, spectra, gains, the results' frames."""
        signals, transform = load.strips * load.channels, load.transform
        frames, items = tiling(signals, load.device, load.frames_per_tile)
        items, frames = min(items, load.batch), min(frames, load.frames)
        stretch = (frames - 1) * transform.hop + transform.size
        spectral = signals * (transform.size + 2 * transform.bins) + load.nodes * transform.bins
        spectral += load.results * load.channels * transform.size
        tile = float(items * (signals * stretch + frames * spectral) * load.dtype.itemsize)
        return tile, 2 * tile

    def prepare(self, schedule: RegionSchedule) -> list[Workspace]:
        return []

    def forward(self, clip: Clip, rows: Tensor, sources: Sequence[Tensor] | Tensor) -> Tensor:
        with borrowed(self.kept(clip.schedule), rows.device) as workspace:
            return passes.forward(clip, rows, sources, workspace)

    def backward(
        self,
        clip: Clip,
        rows: Tensor,
        sources: Sequence[Tensor],
        gradient: Tensor,
        wanted: Wanted,
    ) -> Gradients:
        with borrowed(self.kept(clip.schedule), rows.device) as workspace:
            return passes.backward(clip, rows, sources, gradient, wanted, workspace)
