"""Keeps the C library from giving a call's memory back to the system, only to ask for it again in the next."""

from __future__ import annotations

import functools

import torch

LARGEST = 32 * 2**20 - 2**16
"""The largest block after whose release glibc raises its thresholds (DEFAULT_MMAP_THRESHOLD_MAX, less a margin)."""


@functools.cache
def keep_freed_memory() -> None:
    """Once per process; a forward pass of 10 s of eight stems took 10 to 20 % less time (docs/benchmarks.md).

    glibc maps large blocks afresh, zeroed page by page, and trims its heap, both from sizes on that follow the
    largest mapped block that was released so far (mallopt(3), "dynamic mmap threshold"). So one block is taken and
    released, without a page of it being touched: from then on up to 64 MB of free memory stay with the process.
    With another C library nothing happens.
    """
    torch.empty(LARGEST, dtype=torch.uint8, device="cpu")
