"""How far the spectra of two signals are apart, and the gradient of that, in one pass over the signals.

Sixteen or eight frames of two channels are transformed as one complex signal, taken apart bin by bin, compared with the
target's, and what comes of it is transformed back at once: nothing is kept but three sums for each channel and, for the
gradient, two signals. The quotient ‖N − M‖ / ‖N‖ has a gradient of one factor, known at the end, times a signal that is
not; so that signal and the other terms' are kept apart until then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.simd import compare, fft, rows, windowed
from djgraph.simd.compare import SUMS
from djgraph.simd.jit import kept, part, stamp
from djgraph.simd.lanes import width
from djgraph.simd.threads import in_threads


@dataclass(frozen=True)
class Measure:
    """One way to compare the spectra of one transform.

    floor: added to the power of every bin. convergence, log, linear: weights. filters: ``[bands, bins]``, of which at
    most two that follow each other reach any bin; None to compare bins.
    """

    floor: float
    convergence: float
    log: float
    linear: float
    filters: Tensor | None = None


@dataclass(frozen=True)
class Spectrum:
    """A transform of ``size`` samples with hops of a quarter, and what is measured on it."""

    size: int
    window: NDArray
    measures: tuple[Measure, ...]


def powers(signals: Tensor, size: int) -> Tensor:
    """Room for the powers of ``[items, channels, samples]`` at one size, as :func:`measure` fills and reads it."""
    lanes = width(signals.element_size())
    blocks = -(-_frames(signals.shape[-1], size) // lanes)
    pairs = signals.shape[0] * -(-signals.shape[1] // 2)
    return signals.new_empty(pairs, blocks, size // 2 + 1, 2, lanes)


def measure(
    mix: Tensor,
    target: Tensor | None,
    spectra: Sequence[Spectrum],
    kept_powers: Sequence[Tensor] | None,
    want_gradient: bool,
) -> tuple[Tensor, Tensor | None]:
    """The weighted sum of all measures of each channel, ``[items, channels]``, and its gradient by the mix.

    mix, target: ``[items, channels, samples]``, contiguous, alike. kept_powers: of the target, from :func:`powers`, one
    for each of the spectra; read where there is no target, else filled.
    """
    items, channels, samples = mix.shape
    pairs = -(-channels // 2)
    values = np.zeros((len(spectra), items, 2 * pairs))
    gradients = [torch.empty_like(mix) for _ in spectra] if want_gradient else []
    plans = [_Plan.of(spectrum, samples, mix) for spectrum in spectra]

    def work(job: tuple[int, int, int]) -> None:
        which, item, pair = job
        held = None
        if kept_powers is not None:
            room = kept_powers[which]  # one target may be that of all items
            held = room[(item * pairs + pair) % len(room)].numpy()
        values[which, item, 2 * pair : 2 * pair + 2] = plans[which].run(
            mix[item, 2 * pair :],
            None if target is None else target[item, 2 * pair :],
            held,
            gradients[which][item, 2 * pair :] if want_gradient else None,
        )

    # The longest jobs first, so that threads end together.
    order = sorted(range(len(spectra)), key=lambda which: -spectra[which].size)
    in_threads(
        work, [(which, item, pair) for which in order for item in range(items) for pair in range(pairs)]
    )
    total = torch.from_numpy(values.sum(0)[:, :channels]).to(mix.dtype)
    if not want_gradient:
        return total, None
    first, *others = gradients
    for other in others:
        first.add_(other)
    return total, first


def _frames(samples: int, size: int) -> int:
    return 1 + max(samples, size) // (size // 4)


@dataclass(frozen=True)
class _Plan:
    """A transform and its measures as the compiled code wants them."""

    size: int
    frames: int
    samples: int
    window: NDArray
    tables: fft.Tables
    measures: compare.Measures

    @classmethod
    def of(cls, spectrum: Spectrum, samples: int, like: Tensor) -> _Plan:
        size, dtype = spectrum.size, str(like.dtype).removeprefix("torch.")
        tables = fft.tables(size, dtype)
        bins, frames, many = size // 2 + 1, _frames(samples, size), len(spectrum.measures)
        numbers = np.array(
            [(m.floor**2, m.convergence, m.log, m.linear) for m in spectrum.measures], dtype=dtype
        )
        banks, shares = np.full((many, bins), -1), np.zeros((many, bins, 2), dtype=dtype)
        bands = np.full(many, bins)
        for index, one in enumerate(spectrum.measures):
            if one.filters is not None:
                weights = np.pad(one.filters.double().numpy(), ((0, 1), (0, 0)))
                first = (weights != 0).argmax(0)
                at = np.arange(bins)
                two = np.stack((weights[first, at], weights[np.minimum(first + 1, len(weights) - 1), at]), -1)
                banks[index], shares[index] = first[tables.bins], two[tables.bins]
                bands[index] = len(weights) - 1
        counts = (bands * frames).astype(dtype)[:, None]  # of values that means are taken of
        measures = compare.Measures(
            numbers, numbers[:, 2:] / counts, banks, shares, bands, np.array([0.5, 1.0], dtype)
        )
        return cls(size, frames, samples, spectrum.window.astype(dtype), tables, measures)

    def run(
        self, mix: Tensor, target: Tensor | None, held: NDArray | None, gradient: Tensor | None
    ) -> NDArray:
        """The values of one or two channels, ``[channels, samples]``; writes their gradients to ``gradient``."""
        dtype = self.window.dtype
        lanes, many, size = width(dtype.itemsize), len(self.measures.bands), self.size
        tiling = rows.Tiling.of(self.samples, size, size // 4, lanes)
        sources = np.zeros((2, rows.SOURCE_COLUMNS), dtype=np.int64)
        targets = np.zeros((many + 1, rows.TARGET_COLUMNS), dtype=np.int64)
        targets[:, rows.SOURCE] = -1
        for row, signal in zip(sources, (target, mix)):
            if signal is not None:
                row[[rows.LEFT, rows.RIGHT]] = _addresses(signal)
        parts = torch.empty(
            (many + 1, 2, self.samples if gradient is not None else 0), dtype=mix.dtype, device="cpu"
        )
        if gradient is not None:
            for row, signal in zip(targets, parts):
                row[[rows.TO_LEFT, rows.TO_RIGHT]] = _addresses(signal[: len(gradient[:2])])
        bins, most, hops = size // 2 + 1, int(self.measures.bands.max()), tiling.hop * tiling.stride

        def room(count: int) -> NDArray:
            return torch.empty(count, dtype=mix.dtype, device="cpu").numpy()

        slots = (2 if many == 1 else 3) * (size * lanes + PADDING)
        memory = _Memory(
            fft.Slots(room(slots), room(slots)),
            rows.Rows(*np.zeros((3, hops), dtype)),
            np.zeros((many + 1, hops), dtype),
            np.zeros((many + 1, hops), dtype),
            np.empty((0, 0, 0, 0), dtype) if held is None else held,
            room(2 * bins * lanes),
            room(4 * (most + 1) * lanes),
            np.zeros((2 * SUMS, lanes), dtype),
        )
        totals = np.zeros((many, 2, SUMS))
        wanted = _Wanted(self.frames, target is not None, gradient is not None)
        audio = rows.Audio(sources, targets, self.window[None])
        _entry()(audio, tiling, self.tables, self.measures, wanted, memory, totals)
        apart, norm, logs, differences = np.moveaxis(totals, -1, 0)  # [measures, 2] each
        weights, counts = self.measures.numbers.astype(float), self.measures.bands[:, None] * self.frames
        values = np.where(np.isfinite(apart), weights[:, 1, None] * np.sqrt(apart / norm), np.nan)
        values += (weights[:, 2, None] * logs + weights[:, 3, None] * differences) / counts
        if gradient is not None:
            square = apart * norm
            known = np.divide(
                weights[:, 1, None], np.sqrt(square), out=np.zeros_like(square), where=square > 0
            )
            for channel, into in enumerate(gradient[:2]):
                into.copy_(parts[many, channel])
                for index in range(many):
                    if weights[index, 1]:
                        into.add_(parts[index, channel], alpha=float(known[index, channel]))
        return values.sum(0)


def _addresses(signal: Tensor) -> tuple[int, int]:
    return signal[0].data_ptr(), signal[1].data_ptr() if len(signal) > 1 else 0


PADDING = 256
"""Numbers between slots, so that not all of their places share the same few lines of the cache."""


class _Wanted(NamedTuple):
    """How many frames there are, and whether the target's are read and the mix's gradient is written."""

    frames: int
    target: bool
    gradient: bool


class _Memory(NamedTuple):
    """What the compiled code works in.

    read: rows of the signal that is read; re, im: rows of each target. held: kept powers of the target, ``[blocks,
    bins, 2, lanes]``, or none; powers: those of one block. work: for bands. sums: of one block and one measure.
    """

    slots: fft.Slots
    read: rows.Rows
    re: NDArray
    im: NDArray
    held: NDArray
    powers: NDArray
    work: NDArray
    sums: NDArray


@part
def _run(audio, tiling, tables, measures, wanted, memory, totals):
    slots, sums, lanes = memory.slots, memory.sums, tiling.lanes
    length, many = tiling.size * lanes, len(measures.bands)
    room = length + PADDING
    # A literal has a type of its own, so what it is handed to would be compiled once more for it.
    start = int(np.int64(0))
    rest = 0 if many == 1 else 2 * room  # where the terms other than the quotient go
    for block in range(-(-wanted.frames // lanes)):
        first = block * lanes
        frames = rows.Frames(start, first, min(lanes, wanted.frames - first), first + lanes >= wanted.frames)
        powers = memory.held[block].reshape(-1) if len(memory.held) else memory.powers
        for source in range(2):  # the target's spectrum first, which is not needed any longer than this
            if source == 1 or wanted.target:
                windowed.analyse(slots, start, memory.read, tiling, frames, tables, audio, source)
                if source == 0:
                    compare.powers(slots, powers, tables, measures.units, lanes)
        if many > 1:
            slots.re[rest : rest + length] = 0
            slots.im[rest : rest + length] = 0
        compared = compare.Compared(slots.re, slots.im, powers, room, rest, memory.work)
        for t in range(many + 1):
            if t < many:
                sums[:] = 0
                if measures.banks[t, 0] < 0:
                    compare.bins(compared, measures, t, tables, sums, wanted.gradient, lanes)
                else:
                    compare.bands(compared, measures, t, tables, sums, wanted.gradient, lanes)
                for channel in range(2):
                    for kind in range(SUMS):
                        for lane in range(frames.valid):
                            totals[t, channel, kind] += sums[SUMS * channel + kind, lane]
            if wanted.gradient and (t == many or measures.numbers[t, 1] > 0):
                at = room if t < many else rest
                kept_rows = rows.Rows(memory.re[t], memory.im[t], memory.read.line)
                windowed.synthesise(slots, at, kept_rows, tiling, frames, tables, audio, t)


@lru_cache(maxsize=1)
def _entry() -> Callable[..., None]:
    version = stamp()

    @kept
    def run(*arguments):
        version  # noqa: B018
        _run(*arguments)

    return run
