"""Recursions on a GPU: operators that launch the kernels of :mod:`djgraph.gpu.scan_kernels`."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.gpu import on_device_of

BLOCK = 1024
"""Samples of a chunk, which a program joins in parallel."""
PROGRAMS = 512
"""Programs that keep a large GPU busy; fewer signals are cut into segments until there are as many."""
CHUNKS = 4
"""Chunks of a segment at least: a segment costs a pass more over its numbers."""
LANES = 32
"""Signals side by side where samples are taken one by one."""


@torch.library.custom_op("djgraph::gpu_scan", mutates_args=())
def gpu_scan(matrices: Tensor, drive: Tensor, initial: Tensor, backwards: bool) -> Tensor:
    """``s[n] = A[n]·s[n−1] + u[n]``; backwards ``s[n] = A[n+1]ᵀ·s[n+1] + u[n]``, from ``initial`` behind the end.

    matrices: ``[signals, k, k, samples]``, k = 1 or 2, any strides. drive: ``[signals, k, samples]``. initial:
    ``[signals, k]``. Returns ``[signals, k, samples]``.
    """
    signals, size, samples = drive.shape
    states = torch.empty((signals, size, samples), dtype=drive.dtype, device=drive.device)
    if signals and samples:
        if backwards:
            matrices = matrices.transpose(1, 2)
        with on_device_of(drive):
            _scan(matrices, drive, initial, states, backwards)
    return states


@gpu_scan.register_fake
def _(matrices: Tensor, drive: Tensor, initial: Tensor, backwards: bool) -> Tensor:
    return torch.empty(drive.shape, dtype=drive.dtype, device=drive.device)


def _scan(matrices: Tensor, drive: Tensor, initial: Tensor, states: Tensor, backwards: bool) -> None:
    signals, size, samples = drive.shape
    block = min(BLOCK, max(16, 1 << (samples - 1).bit_length()))
    blocks = -(-samples // block)
    segments = max(1, min(PROGRAMS // signals, blocks // CHUNKS))
    chunks = -(-blocks // segments)
    segments = -(-blocks // chunks)
    starts = initial.unsqueeze(-1)
    if segments > 1:
        # What each segment makes of any state, then the states between them, by the same kernel.
        totals = drive.new_empty(signals, segments, size * size + size)
        _launch(matrices, drive, starts, states, totals, chunks, segments, block, backwards, True)
        across, reached = totals.movedim(1, -1).split((size * size, size), dim=1)
        starts = drive.new_empty(signals, size, segments + 1)
        starts[..., 0] = initial
        _scan(across.unflatten(1, (size, size)), reached, initial, starts[..., 1:], False)
    _launch(matrices, drive, starts, states, states, chunks, segments, block, backwards, False)


def _launch(
    matrices: Tensor,
    drive: Tensor,
    starts: Tensor,
    states: Tensor,
    totals: Tensor,
    chunks: int,
    segments: int,
    block: int,
    backwards: bool,
    only_totals: bool,
) -> None:
    from djgraph.gpu import scan_kernels

    grid, samples = (drive.shape[0], segments), drive.shape[-1]
    fixed = {"BACKWARDS": backwards, "TOTALS": only_totals, "BLOCK": block, "num_warps": 4}
    tensors = (matrices, drive, starts, states, totals, samples, chunks, segments)
    if drive.shape[1] == 1:
        strides = [one.stride(place) for one in (matrices, drive, starts, states) for place in (0, -1)]
        scan_kernels.scan_one[grid](*tensors, *strides, **fixed)
        return
    strides = [*matrices.stride(), *drive.stride(), *starts.stride(), *states.stride()]
    scan_kernels.scan_two[grid](*tensors, *strides, **fixed)


@torch.library.custom_op("djgraph::gpu_branch", mutates_args=())
def gpu_branch(level: Tensor, rise: Tensor, fall: Tensor, initial: Tensor) -> Tensor:
    """Where x[n] > y[n−1], with ``y[n] = y[n−1] + share·(x[n] − y[n−1])``, the share being ``rise`` there, else
    ``fall``. All ``[signals, samples]``, contiguous; initial: ``[signals]``. Returns booleans."""
    signals, samples = level.shape
    rising = torch.empty((signals, samples), dtype=torch.bool, device=level.device)
    if signals and samples:
        from djgraph.gpu import scan_kernels

        grid = (-(-signals // LANES),)
        with on_device_of(level):
            scan_kernels.branch[grid](
                level, rise, fall, initial, rising, signals, samples, LANES=LANES, num_warps=1
            )
    return rising


@gpu_branch.register_fake
def _(level: Tensor, rise: Tensor, fall: Tensor, initial: Tensor) -> Tensor:
    return torch.empty(level.shape, dtype=torch.bool, device=level.device)
