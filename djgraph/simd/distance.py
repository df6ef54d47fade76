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

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.simd import compare, fft, rows
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
    numbers: NDArray  # [measures, 4]: floor², and the weights
    banks: NDArray  # [measures, bins]: the first band that a bin is in, −1 where bins are compared
    shares: NDArray  # [measures, bins, 2]: of it and of the next
    bands: NDArray  # [measures]: how many
    counts: NDArray  # [measures]: values that means are taken of

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
        return cls(
            size, frames, samples, spectrum.window.astype(dtype), tables, numbers, banks, shares, bands, bands * frames
        )  # fmt: skip

    def run(
        self, mix: Tensor, target: Tensor | None, held: NDArray | None, gradient: Tensor | None
    ) -> NDArray:
        """The values of one or two channels, ``[channels, samples]``; writes their gradients to ``gradient``."""
        dtype = self.window.dtype
        lanes, many, size = width(dtype.itemsize), len(self.numbers), self.size
        hop, stride = size // 4, lanes + 3
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
        bins, most = size // 2 + 1, int(self.bands.max())
        room = size * lanes + PADDING
        scratch = torch.empty(
            (2 if many == 1 else 3) * 2 * room + 2 * bins * lanes + 4 * (most + 1) * lanes,
            dtype=mix.dtype,
            device="cpu",
        ).numpy()
        frames_room = np.zeros((2 * (many + 1) + 2, hop * stride), dtype)
        totals = np.zeros((many, 2, SUMS))
        _entry()(
            sources, targets, self.window, self.tables.first, self.tables.second, self.tables.factors,
            self.tables.starts, self.numbers, self.banks, self.shares, self.bands,
            np.ascontiguousarray(self.numbers[:, 2:] / self.counts[:, None].astype(dtype)),
            np.array([0.5, 1.0], dtype), np.empty((0, 0, 0, 0), dtype) if held is None else held, scratch, frames_room,
            np.zeros(hop * stride, dtype), np.zeros((2 * SUMS, lanes), dtype), totals,
            self.frames, self.samples, target is not None, gradient is not None, lanes,
        )  # fmt: skip
        apart, norm, logs, differences = np.moveaxis(totals, -1, 0)  # [measures, 2] each
        weights, counts = self.numbers.astype(float), self.counts[:, None]
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


@part
def _run(
    sources, targets, window, first_places, second_places, twiddles, starts, numbers, banks, shares, bands, means,
    units, held, scratch, frames_room, line, sums, totals, frames, samples, with_target, with_gradient, lanes,
):  # fmt: skip
    size, bins, many = len(window), len(first_places), len(numbers)
    hop, stride = size // 4, lanes + 3
    room = size * lanes + PADDING
    slots = 2 if many == 1 else 3
    re, im = scratch[: slots * room], scratch[slots * room : 2 * slots * room]
    own = scratch[2 * slots * room : 2 * slots * room + 2 * bins * lanes]
    work = scratch[2 * slots * room + 2 * bins * lanes :]
    in_re, in_im = frames_room[2 * many + 2], frames_room[2 * many + 3]
    rest = 0 if many == 1 else 2 * room  # where the terms other than the quotient go
    keep = len(held) > 0
    flat_numbers, flat_means, flat_sums = numbers.reshape(-1), means.reshape(-1), sums.reshape(-1)
    for block in range(-(-frames // lanes)):
        frame = block * lanes
        valid = min(lanes, frames - frame)
        start, covered = frame * hop - size // 2, (valid - 1) * hop + size
        wanted = held[block].reshape(-1) if keep else own
        for source in range(2):  # the target's first, whose spectrum is not needed any longer than this
            if source == 0 and not with_target:
                continue
            rows.read(in_re, in_im, line, stride, hop, lanes, start, covered, samples, 0, sources, source)
            rows.to_frames(in_re, stride, hop, window, re, 0, size, lanes, valid)
            rows.to_frames(in_im, stride, hop, window, im, 0, size, lanes, valid)
            fft.forward(re, im, 0, size, lanes, twiddles, starts)
            if source == 0:
                compare.powers(re, im, wanted, first_places, second_places, units, lanes)
        if many > 1:
            re[rest : rest + size * lanes] = 0
            im[rest : rest + size * lanes] = 0
        for t in range(many + 1):
            if t < many:
                sums[:] = 0
                if banks[t, 0] < 0:
                    compare.bins(
                        re, im, wanted, room, rest, many > 1, flat_numbers, flat_means, t, flat_sums, first_places,
                        second_places, units, with_gradient, lanes,
                    )  # fmt: skip
                else:
                    compare.bands(
                        re, im, wanted, room, rest, many > 1, flat_numbers, flat_means, t, flat_sums, first_places,
                        second_places, units, banks[t], shares[t].reshape(-1), bands[t], work, with_gradient, lanes,
                    )  # fmt: skip
                for channel in range(2):
                    for kind in range(SUMS):
                        for lane in range(valid):
                            totals[t, channel, kind] += sums[SUMS * channel + kind, lane]
            if with_gradient and (t == many or numbers[t, 1] > 0):
                _back(
                    re, im, room if t < many else rest, size, lanes, twiddles, starts, window, frames_room[2 * t],
                    frames_room[2 * t + 1], line, stride, hop, start, covered, valid, frame + lanes >= frames, samples,
                    targets, t, sources,
                )  # fmt: skip


@part
def _back(
    re, im, at, size, lanes, twiddles, starts, window, x, y, line, stride, hop, start, covered, valid, last, samples,
    targets, t, sources,
):  # fmt: skip
    """The gradient of frames from that of their spectra, added up to that of the signals."""
    fft.backward(re, im, at, size, lanes, twiddles, starts)
    rows.from_frames(re, at, size, lanes, window, x, stride, hop)
    rows.from_frames(im, at, size, lanes, window, y, stride, hop)
    done = covered if last else valid * hop
    rows.write(x, y, line, stride, hop, lanes, start, done, samples, 0, targets, t, sources, False)
    rows.move_up(x, stride, hop, valid)
    rows.move_up(y, stride, hop, valid)


@lru_cache(maxsize=1)
def _entry() -> Callable[..., None]:
    version = stamp()

    @kept
    def run(*arguments):
        version  # noqa: B018
        _run(*arguments)

    return run
