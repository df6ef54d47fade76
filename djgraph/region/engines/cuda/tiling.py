"""How a GPU gets a region: tiles as large as its free memory allows, whole clips if it can be."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from djgraph.region.clip import Clip, Stretch
from djgraph.region.load import RegionLoad

SHARE = 4
"""A tile takes at most one part in so many of the memory that is free."""
UNKNOWN = 1 << 30
"""Bytes of a tile where nobody can say how much memory is free."""
LONGEST = 1 << 16
"""Frames of a tile at most, so that a grid of programs for them is one that every device has."""


def free_bytes(device: torch.device) -> int:
    """Memory of a device for one tile: what is free there, and what PyTorch holds and does not use."""
    if device.type != "cuda" or not torch.cuda.is_available():
        return UNKNOWN
    free, _ = torch.cuda.mem_get_info(device)
    return (free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)) // SHARE


def frame_bytes(load: RegionLoad, backward: bool = True) -> float:
    """What one frame of one item takes: audio, windowed frames, spectra, gains that are no ratios; and once more, with
    the results' gradients, for a backward pass."""
    transform, strips, results = load.transform, load.strips * load.channels, load.results * load.channels
    spectral = transform.size + 2 * transform.bins
    numbers = strips * (transform.hop + spectral) + results * spectral + load.tables * transform.bins
    return float(numbers * load.dtype.itemsize * (2 if backward else 1))


def tiling(load: RegionLoad, free: int) -> tuple[int, int]:
    """Frames and batch items of a tile."""
    places = max(int(free / frame_bytes(load)), 8)
    frames = load.frames_per_tile or min(load.frames, places, LONGEST)
    return frames, max(1, min(load.batch, places // frames))


def stretches(clip: Clip, frames: int, items: int, device: torch.device) -> Iterator[Stretch]:
    """Tiles, each a stretch of its own."""
    for low in range(0, clip.batch, items):
        some = slice(low, min(low + items, clip.batch))
        for first in range(clip.first, clip.frames, frames):
            yield Stretch((clip.tile(some, first, min(first + frames, clip.frames), device),))
