"""How PyTorch's operators get a region: stretches of a clip, and tiles of frames that fit the cache."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from djgraph.region.clip import Clip, Stretch

ROW_FRAMES = 1024
"""Transforms in flight on a CPU: fewer cost more in calls than they save in the caches."""
ROW_FRAMES_GPU = 1 << 17
MIN_FRAMES, MAX_FRAMES = 8, 256
STRETCH_FRAMES = 256
"""Frames whose per-sample controls are read at once."""


def tiling(signals: int, device: torch.device, frames_per_tile: int | None) -> tuple[int, int]:
    """Frames and batch items of a tile; signals: strips times channels."""
    budget = ROW_FRAMES if device.type == "cpu" else ROW_FRAMES_GPU
    per_tile = frames_per_tile or min(max(budget // signals, MIN_FRAMES), MAX_FRAMES)
    return per_tile, max(1, budget // (signals * per_tile))


def stretches(clip: Clip, device: torch.device) -> Iterator[Stretch]:
    signals = clip.schedule.strips * clip.schedule.channels
    per_tile, items = tiling(signals, device, clip.frames_per_tile)
    step = max(1, STRETCH_FRAMES // per_tile) * per_tile
    for low in range(0, clip.batch, items):
        some = slice(low, min(low + items, clip.batch))
        for first in range(clip.first, clip.frames, step):
            last = min(first + step, clip.frames)
            tiles = (
                clip.tile(some, start, min(start + per_tile, last), device)
                for start in range(first, last, per_tile)
            )
            yield Stretch(tuple(tiles))
