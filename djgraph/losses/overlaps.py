"""Two at once: basses or voices of several tracks that sound at the same time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.losses.windows import Columns, moving_mean, odd, power_of, reduced, track_powers, tracks_of

GATHERED = 1.0
"""Seconds over which powers are averaged: notes that alternate within a beat are at once, too."""
FLOOR_DB = -50.0
"""dB of full scale at which a part begins to count: what separation leaves of stems that are silent lies below."""


def bass_overlap(tracks: Sequence[Tensor], sample_rate: float, *, reduction: str = "mean") -> Tensor:
    """How far several basses sound at once: 0 for one at a time, 1 for two that are equally loud all the time.

    tracks: of each track what its bass adds to the mix, ``[batch, channels, samples]`` and alike (all of the track
    where it has no stems): what of it lies below 150 Hz counts. The mean over windows of 400 ms of :func:`together`.
    Returns a scalar, or ``[batch]`` with ``reduction="none"``. Differentiable, also where all are silent.

    Raises InputError for shapes that are not alike, fewer than two tracks, and clips below 0.4 s.
    """
    audio = tracks_of(tracks, sample_rate)
    return reduced(together(track_powers(audio, sample_rate)[..., Columns.low, :]).mean(-1), reduction)


def vocal_overlap(tracks: Sequence[Tensor], sample_rate: float, *, reduction: str = "mean") -> Tensor:
    """How far several voices sound at once: as :func:`bass_overlap`, of the vocals, by their power as
    ITU-R BS.1770-5 weights it."""
    audio = tracks_of(tracks, sample_rate)
    return reduced(together(track_powers(audio, sample_rate)[..., Columns.weighted, :]).mean(-1), reduction)


def together(levels: Tensor, floor_db: float = FLOOR_DB) -> Tensor:
    """Powers ``[batch, tracks, windows]`` → ``4·Σ_{i<j} P_i·P_j / (ΣP + floor)²``, ``[batch, windows]``.

    P are averaged over 1 s. Of two tracks it is 1 where they are equally loud, ``1/cosh²(D·ln 10/20)`` where one is D
    dB weaker (0.33 at 10 dB, 0.04 at 20 dB), and 0 where one is silent; of n equally loud ones 2·(n − 1)/n.
    """
    return pairs(levels, floor_db).sum(1)


def pairs(levels: Tensor, floor_db: float = FLOOR_DB) -> Tensor:
    """The terms of :func:`together`, ``[batch, pairs, windows]``, in the order of :func:`pairs_of`."""
    first, second = pairs_of(levels.shape[1])
    levels = moving_mean(levels, odd(GATHERED))
    whole = levels.sum(1, keepdim=True) + power_of(floor_db)
    return 4 * (levels[:, first] / whole) * (levels[:, second] / whole)


def pairs_of(tracks: int) -> tuple[list[int], list[int]]:
    """Every two of so many tracks: the numbers of the first ones and of the second ones."""
    upper = torch.triu_indices(tracks, tracks, 1, device="cpu")
    return upper[0].tolist(), upper[1].tolist()
