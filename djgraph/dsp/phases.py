"""By how much the phases of a sound turn when it is played at another tempo and its pitch is kept.

Sound is cut into frames, and each frame is put where it belongs in the new time. For frames to fit one another their
phases have to go on as the frequencies in them say, and within a frame as the moments of its sounds say: the gradient
of the phase in time and in frequency. It is integrated from the loudest bins on, each bin from the louder of its
neighbours, the frame before and the bins beside it (Z. Průša and N. Holighaus, "Phase vocoder done right", EUSIPCO
2017). All signals of a track turn by the same angles, those of their cross-spectra added up, so that a sum of stretched
signals is the stretched sum, and left and right, or stems, keep their phases to one another.
"""

from __future__ import annotations

import heapq
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph import simd

LEVELS = 8
"""Steps in which the powers of bins are told apart, for each factor of two: 0.4 dB."""
DEPTH = 33 * LEVELS
"""Steps below the loudest bin, 100 dB, at which a bin goes on by itself."""
SAME = 1e-6
"""Rates nearer to 1 than this do not move sounds within a frame."""


def phase_turns(
    spectra: Tensor,
    places: Tensor,
    rate: Tensor,
    hop: int,
    turn: Tensor,
    starts: int = 0,
    sooner: Tensor | None = None,
) -> Tensor:
    """The angles by which the bins of frames are to be turned.

    spectra: ``[signals, frames + 1, bins]``, complex: of the frame before and of the frames, as ``rfft`` of samples
    whose first comes first gives them. places: the sample of the track that is at the middle, ``[frames + 1]``, int64.
    rate: the track's for each frame, ``[frames]``, float64. hop: samples from frame to frame as they are played.
    turn: of the frame before, ``[bins]``, float64. starts: this many of the frames do not turn; behind them all begins
    anew. sooner: spectra of the track ``hop`` samples before each of the frames, ``[signals, frames, bins]``: where
    frames lie further apart in the track than a third of their length, frequencies are told by these.

    Returns ``[frames, bins]``, float64, in ±π. Exactly 0 as long as the rate is 1 and the places are ``hop`` apart.
    """
    bins = spectra.shape[-1]
    power = spectra.real.square().add_(spectra.imag.square()).sum(0)
    across = (spectra[:, 1:] * spectra[:, :-1].conj()).sum(0)
    # Seen from the middle of the frame every other bin has the other sign.
    beside = -(spectra[:, 1:, 1:] * spectra[:, 1:, :-1].conj()).sum(0)
    step = places.diff()[:, None].to(torch.float64)
    centre = torch.arange(bins, dtype=torch.float64, device="cpu") * (math.pi / (bins - 1))
    # The frequency in a bin: its centre's, and what the phase has gained on that, which is told up to full turns.
    if sooner is None:
        gained = _held(across.angle().to(torch.float64) - step * centre)
        advance = (hop - step) * (centre + gained / torch.where(step == 0, 1.0, step))
    else:
        within = (spectra[:, 1:] * sooner.conj()).sum(0).angle().to(torch.float64)
        advance = hop * centre + _held(within - hop * centre) - across.angle().to(torch.float64)
    slower = 1 / rate[:, None] - 1
    tilt = torch.zeros_like(advance)
    tilt[:, :-1] = torch.where(slower.abs() < SAME, 0.0, slower) * beside.angle().to(torch.float64)
    out = torch.empty(len(advance) + 1, bins, dtype=torch.float64, device="cpu")
    out[0] = turn
    if starts:
        out[: starts + 1] = 0.0
    # Of a float32 that is no less than 0, the first bits are the power of two, and the next ones eighths of it.
    level = power.to(torch.float32).view(torch.int32) >> (23 - LEVELS.bit_length() + 1)
    arrays = [one[starts:].numpy() for one in (level, advance, tilt)]
    _run(arrays[0], arrays[1], arrays[2], out[starts:].numpy())
    return out[1:]


def _held(angle: Tensor) -> Tensor:
    """Without its full turns."""
    return angle - 2 * math.pi * (angle / (2 * math.pi)).round()


def _run(level: NDArray, advance: NDArray, tilt: NDArray, turn: NDArray) -> None:
    if simd.available():
        from djgraph.simd.phases import run

        run(level, advance, tilt, turn, DEPTH)
    else:
        plain_turns(level, advance, tilt, turn)


def plain_turns(level: NDArray, advance: NDArray, tilt: NDArray, turn: NDArray) -> None:
    """What compiled code does, in Python. level: ``[frames + 1, bins]``. Fills all rows of ``turn``, ``[frames + 1,
    bins]``, but the first."""
    bins, none = level.shape[1], np.zeros(1, level.dtype)
    for n in range(len(advance)):
        before, now, new = level[n], level[n + 1], turn[n + 1]
        silent = before.max() <= now.max() - DEPTH
        new[:] = 0.0 if silent else turn[n] + advance[n]
        quiet = max(before.max() - DEPTH, now.max() - DEPTH, none[0])
        waits = now > quiet
        # What is loudest comes first; of what is equally loud, what was put there last.
        heap = [
            (-max(int((now if silent else before)[m]), int(quiet) + 1), -m, m) for m in np.flatnonzero(waits)
        ]
        heapq.heapify(heap)
        count = bins
        while waits.any():
            _, _, item = heapq.heappop(heap)
            m = item % bins
            if item < bins and waits[m]:
                waits[m] = False
                heapq.heappush(heap, (-int(now[m]), -(count := count + 1), m + bins))
            if item < bins:
                continue
            for other in (m + 1, m - 1):
                if 0 <= other < bins and waits[other]:
                    new[other] = new[m] + (tilt[n, m] if other > m else -tilt[n, other])
                    waits[other] = False
                    heapq.heappush(heap, (-int(now[other]), -(count := count + 1), other + bins))
        new -= 2 * np.pi * np.rint(new / (2 * np.pi))
