"""Runs a program on tiles of a clip: transforms, gains and sums of signals whose frames lie on lanes.

A program is a table of operations on slots; a slot holds one complex signal's frames or spectra, as many frames as a
vector has lanes. What a region computes is one program, and its backward pass is another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.simd import fft, gains, rows, windowed
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

    windows, sources, targets: as :class:`djgraph.simd.rows.Audio`; chains (their starts), factors, weights, totals,
    curves: as :class:`djgraph.simd.gains.Chains`.
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


class Job(NamedTuple):
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

    return [overlap for overlap in in_threads(work, jobs) if overlap is not None]


def finish(signals: Signals, overlaps: Sequence[Overlap]) -> None:
    """Adds what jobs left over at their ends."""
    for overlap in overlaps:
        lanes = width(overlap.re.itemsize)
        _entries().finish(
            _audio(signals),
            _tiling(signals, lanes),
            overlap.job,
            overlap.re,
            overlap.im,
            np.empty_like(overlap.re[0]),
        )


def _audio(signals: Signals) -> rows.Audio:
    return rows.Audio(signals.sources, signals.targets, signals.windows)


def _tiling(signals: Signals, lanes: int) -> rows.Tiling:
    return rows.Tiling.of(signals.samples, signals.windows.shape[1], signals.hop, lanes)


class _Memory(NamedTuple):
    """What a job works in: slots, the rows of the source that is read, and the rows of each target."""

    slots: fft.Slots
    read: rows.Rows
    re: NDArray
    im: NDArray


def _run_job(program: MachineCode, signals: Signals, job: Job, step: int) -> Overlap | None:
    dtype = signals.windows.dtype
    lanes = width(dtype.itemsize)
    tiling = _tiling(signals, lanes)
    tables = fft.tables(tiling.size, dtype.name)

    def room(count: int) -> NDArray:
        return torch.empty(count, dtype=getattr(torch, dtype.name), device="cpu").numpy()

    hops = signals.hop * tiling.stride
    shape = (max(program.targets, 1), hops)
    count = program.slots * (tiling.size * lanes + _PADDING)
    memory = _Memory(
        fft.Slots(room(count), room(count)),
        rows.Rows(*np.zeros((3, hops), dtype)),
        np.zeros(shape, dtype),
        np.zeros(shape, dtype),
    )
    work = room(gains.work_size(program.chain, lanes))
    chains = gains.Chains(
        signals.chains, signals.factors, signals.weights, signals.totals, signals.curves, work
    )
    _entries().run(program.operations, _audio(signals), chains, tables, tiling, job, min(step, lanes), memory)
    return None if job.final or not program.targets else Overlap(job, memory.re, memory.im)


_PADDING = 256
"""Numbers between slots, so that not all of their places share the same few lines of the cache."""


@part
def _run(operations, audio, chains, tables, tiling, job, step, memory):
    slots, lanes = memory.slots, tiling.lanes
    length = tiling.size * lanes
    room = length + _PADDING
    for frame in range(job.first, job.last, step):
        ends = job.final and frame + step >= job.last
        frames = rows.Frames(job.item, frame, min(step, job.last - frame), ends)
        for o in range(len(operations)):
            kind, a, b = operations[o, 0], operations[o, 1], operations[o, 2]
            c, d = operations[o, 3], operations[o, 4]
            if kind == ANALYSE:
                windowed.analyse(slots, b * room, memory.read, tiling, frames, tables, audio, a)
            elif kind == SYNTHESISE:
                kept_rows = rows.Rows(memory.re[a], memory.im[a], memory.read.line)
                windowed.synthesise(slots, b * room, kept_rows, tiling, frames, tables, audio, a)
            elif kind == SCALE:
                gains.apply(slots, b * room, c * room, d, chains, a, frames, tables, lanes)
            elif kind == ADD:
                add(slots.re, b * room, a * room, c, length, lanes)
                add(slots.im, b * room, a * room, c, length, lanes)
            else:
                gains.gradients(slots, b * room, c * room, chains, a, frames, tables, lanes)


@part
def add(values, there, here, added, count, lanes):
    """What is ``here`` to what is ``there``, or in its place."""
    for i in range(0, count, lanes):
        value = load(values, here + i)
        if added:
            value = value + load(values, there + i)
        store(values, there + i, value)


@part
def _finish(audio, tiling, job, re, im, line):
    frames = rows.Frames(job.item, job.last, 0, False)
    for t in range(len(audio.targets)):
        tail = rows.Rows(re[t], im[t], line)
        rows.write(tail, tiling, frames, tiling.size - tiling.hop, audio, t, True)


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
