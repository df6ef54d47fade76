"""Runs a program on tiles of a clip: transforms, gains and sums of signals whose frames lie on lanes.

A program is a table of operations on slots; a slot holds one complex signal's frames or spectra, as many frames as a
vector has lanes. What a region computes is one program, and its backward pass is another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.simd import fft, gains, rows
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, store, width
from djgraph.simd.threads import in_threads

# Operations, each with its arguments:
ANALYSE = 0  # source, slot: windowed frames of the source, transformed
SYNTHESISE = 1  # target, slot: transformed back, windowed, overlapped and added; the slot's content is lost
SCALE = 2  # chain, from slot, to slot, whether it is added to what is there
ADD = 3  # from slot, to slot, whether it is added to what is there
GRADIENT = 4  # chain, slot with what it was applied to, slot with the gradient of what came out
OPERATION_COLUMNS = 5


@dataclass(frozen=True)
class MachineCode:
    """A program as a table. operations: ``[operations, OPERATION_COLUMNS]``; slots, targets: how many there are."""

    operations: NDArray
    slots: int
    targets: int
    chain: int
    """Factors of the longest chain."""


@dataclass(frozen=True)
class Signals:
    """What a program works on, in tables of addresses: whoever makes them keeps the tensors alive.

    windows: ``[windows, size]``; sources, targets: columns as in :mod:`djgraph.simd.rows`; weights, totals:
    ``[rows, items, frames]`` with a vector's length of frames behind the last; curves: ``[rows, bins]`` in the order
    of ``fft.Tables.bins``; chains: the first factor of each, and one number more; factors: as in
    :mod:`djgraph.simd.gains`.
    """

    samples: int
    hop: int
    windows: NDArray
    sources: NDArray
    targets: NDArray
    weights: NDArray
    totals: NDArray
    curves: NDArray
    chains: NDArray
    factors: NDArray


@dataclass(frozen=True)
class Job:
    """Frames ``first…last−1`` of one batch item; ``final``: the clip ends there."""

    item: int
    first: int
    last: int
    final: bool


class Overlap:
    """What a job's last frames add to the samples behind them, which the next job writes."""

    def __init__(self, job: Job, re: NDArray, im: NDArray) -> None:
        self.job, self.re, self.im = job, re, im


def run(program: MachineCode, signals: Signals, jobs: Sequence[Job], step: int) -> list[Overlap]:
    """Runs the program on every job, on as many threads as PyTorch uses.

    Returns each job's overlap tail; :func:`finish` adds it after the neighbouring job has written.
    """

    def work(job: Job) -> Overlap | None:
        return _run_job(program, signals, job, step)

    made = in_threads(work, jobs)
    return [overlap for overlap in made if overlap is not None]


def finish(signals: Signals, overlaps: Sequence[Overlap]) -> None:
    """Adds what jobs left over at their ends."""
    size = signals.windows.shape[1]
    for overlap in overlaps:
        line, lanes = np.empty_like(overlap.re[0]), width(overlap.re.itemsize)
        _entries().finish(
            overlap.re, overlap.im, line, lanes, signals.targets, signals.sources, signals.samples, signals.hop, size,
            overlap.job.item, overlap.job.last,
        )  # fmt: skip


def _run_job(program: MachineCode, signals: Signals, job: Job, step: int) -> Overlap | None:
    dtype = signals.windows.dtype
    lanes, size = width(dtype.itemsize), signals.windows.shape[1]
    tables = fft.tables(size, dtype.name)
    stride = rows_stride(size, signals.hop, lanes)
    shape = (max(program.targets, 1), signals.hop * stride)
    re, im = np.zeros(shape, dtype), np.zeros(shape, dtype)
    memory = [
        torch.empty(count, dtype=getattr(torch, dtype.name), device="cpu").numpy()
        for count in (
            *2 * (program.slots * (size * lanes + _PADDING),),
            gains.work_size(program.chain, lanes),
        )
    ]
    _entries().run(
        program.operations, signals.sources, signals.targets, signals.windows, signals.weights, signals.totals,
        signals.curves, signals.chains, signals.factors, tables.bins, tables.first, tables.second, tables.factors,
        tables.starts, *memory, re, im, *np.zeros((3, signals.hop * stride), dtype),
        signals.samples, signals.hop, job.item, job.first, job.last, job.final, min(step, lanes), lanes,
    )  # fmt: skip
    return None if job.final or not program.targets else Overlap(job, re, im)


def rows_stride(size: int, hop: int, lanes: int) -> int:
    """Hops that a vector's frames cover."""
    return lanes + -(-size // hop) - 1


_PADDING = 256
"""Numbers between slots, so that not all of their places share the same few lines of the cache."""


@part
def _run(
    operations, sources, targets, windows, weights, totals, curves, chains, factors, order, first_places,
    second_places, twiddles, starts, re, im, work, out_re, out_im, in_re, in_im, line,
    samples, hop, item, first, last, final, step, lanes,
):  # fmt: skip
    size = windows.shape[1]
    room = size * lanes + _PADDING
    stride = len(in_re) // hop
    row_step, item_step = weights.shape[1] * weights.shape[2], weights.shape[2]
    flat_weights, flat_totals, flat_curves = weights.reshape(-1), totals.reshape(-1), curves.reshape(-1)
    for frame in range(first, last, step):
        valid = min(step, last - frame)
        start, covered = frame * hop - size // 2, (valid - 1) * hop + size
        for o in range(len(operations)):
            kind, a, b = operations[o, 0], operations[o, 1], operations[o, 2]
            c, d = operations[o, 3], operations[o, 4]
            if kind == ANALYSE:
                rows.read(in_re, in_im, line, stride, hop, lanes, start, covered, samples, item, sources, a)
                window = windows[sources[a, rows.WINDOW]]
                rows.to_frames(in_re, stride, hop, window, re, b * room, size, lanes, valid)
                rows.to_frames(in_im, stride, hop, window, im, b * room, size, lanes, valid)
                fft.forward(re, im, b * room, size, lanes, twiddles, starts)
            elif kind == SYNTHESISE:
                fft.backward(re, im, b * room, size, lanes, twiddles, starts)
                window = windows[targets[a, rows.TO_WINDOW]]
                x, y = out_re[a], out_im[a]
                rows.from_frames(re, b * room, size, lanes, window, x, stride, hop)
                rows.from_frames(im, b * room, size, lanes, window, y, stride, hop)
                # What later frames add to is kept for them.
                done = covered if final and frame + step >= last else valid * hop
                added = targets[a, rows.FOLDED] != 0
                rows.write(
                    x, y, line, stride, hop, lanes, start, done, samples, item, targets, a, sources, added
                )
                rows.move_up(x, stride, hop, valid)
                rows.move_up(y, stride, hop, valid)
            elif kind == SCALE:
                gains.apply(
                    re, im, b * room, c * room, d, chains[a], chains[a + 1], factors, flat_weights, row_step,
                    item_step, item, frame, valid, flat_curves, order, first_places, second_places, work, lanes,
                )  # fmt: skip
            elif kind == ADD:
                _add(re, a * room, b * room, c, size * lanes, lanes)
                _add(im, a * room, b * room, c, size * lanes, lanes)
            else:
                gains.gradients(
                    re, im, b * room, c * room, chains[a], chains[a + 1], factors, flat_weights, flat_totals, row_step,
                    item_step, item, frame, valid, flat_curves, order, first_places, second_places, work, lanes,
                )  # fmt: skip


@part
def _add(values, here, there, added, count, lanes):
    for i in range(0, count, lanes):
        value = load(values, here + i)
        if added:
            value = value + load(values, there + i)
        store(values, there + i, value)


@part
def _finish(re, im, line, lanes, targets, sources, samples, hop, size, item, last):
    stride = re.shape[1] // hop
    start, covered = last * hop - size // 2, size - hop
    for t in range(len(targets)):
        rows.write(
            re[t], im[t], line, stride, hop, lanes, start, covered, samples, item, targets, t, sources, True
        )


@dataclass(frozen=True)
class _Entries:
    run: Callable[..., None]
    finish: Callable[..., None]


@lru_cache(maxsize=1)
def _entries() -> _Entries:
    @kept
    def run(*arguments):
        _run(*arguments)

    @kept
    def finish(*arguments):
        _finish(*arguments)

    return _Entries(run, finish)
