"""What of a track is heard beside others: masked by them, or cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from djgraph.arguments import real
from djgraph.losses.levels import decibels
from djgraph.losses.overlaps import FLOOR_DB
from djgraph.losses.precision import as_it_is
from djgraph.losses.windows import (
    Columns,
    moving_mean,
    odd,
    power_of,
    powers,
    reduced,
    track_powers,
    tracks_of,
)

RANGE_DB = 15.0
"""A band is heard entirely this far above what masks it, and not at all this far below (ANSI S3.5-1997)."""
QUIET_DB = -70.0
"""dB of full scale that mask every band: the room."""
LOUDNESS = 0.23
"""Loudness grows as this power of intensity (E. Zwicker)."""
AUDIBLE = 0.1
"""Audibility from which a track counts as heard: 12 dB below the others in all bands."""
GATHERED = 1.0
"""Seconds over which cancellation is averaged: by chance, what is not alike cancels and adds in turn."""


def inaudible(
    tracks: Sequence[Tensor], sample_rate: float, *, least: float = AUDIBLE, reduction: str = "mean"
) -> Tensor:
    """How far tracks play without being heard: 0 where each is heard or silent, 1 for one of two that never is and is
    far from silent; the sum over the tracks.

    tracks: what each track adds to the mix, ``[batch, channels, samples]`` and alike. The mean over windows of 400 ms
    of ``Σ_k P_k/(P_k + floor)·max(0, 1 − A_k/least)``: P as ITU-R BS.1770-5 weights it, floor −50 dB of full scale, A
    of :func:`audibility`. Returns and raises as :func:`djgraph.losses.bass_overlap`.
    """
    real(least, "least", 1e-3, 1)
    banded = track_powers(tracks_of(tracks, sample_rate), sample_rate)
    heard = audibility(banded[..., Columns(sample_rate).barks, :])
    level = banded[..., Columns.weighted, :]
    missed = level / (level + power_of(FLOOR_DB)) * (1 - heard / least).clamp(min=0)
    return reduced(missed.sum(1).mean(-1), reduction)


def audibility(barks: Tensor) -> Tensor:
    """Powers in bands of a Bark ``[batch, tracks, bands, windows]`` → how far each track is heard beside the others,
    0 … 1, ``[batch, tracks, windows]``.

    ``Σ_b w_b·min(max((S_b + 15)/30, 0), 1)``, the audibility function of the Speech Intelligibility Index (ANSI
    S3.5-1997), where S is by how many dB the track is above the others and a room of −70 dB of full scale; the others
    spread to other bands as M. R. Schroeder et al. have it (JASA 66, 1979, eq. 1). The weights are the track's own
    loudness by band, power^0.23, and add up to 1. 0 where it is silent.
    """
    tracks, bands = barks.shape[1:3]
    others = 1 - torch.eye(tracks, dtype=barks.dtype, device=barks.device)
    spreading = _spreading(bands).to(barks.device, barks.dtype)
    with as_it_is(barks):
        masking = torch.einsum("ij,ab,njbw->niaw", others, spreading, barks) + power_of(QUIET_DB)
    above = decibels(barks) - decibels(masking)
    share = ((above + RANGE_DB) / (2 * RANGE_DB)).clamp(0, 1)
    room = power_of(QUIET_DB)
    own = (barks + room) ** LOUDNESS - room**LOUDNESS
    return (own * share).sum(2) / (own.sum(2) + 1e-9)


def cancellation(tracks: Sequence[Tensor], sample_rate: float, *, reduction: str = "mean") -> Tensor:
    """The share of the tracks' power that cancels where they meet: 0 … 1.

    tracks: as for :func:`inaudible`. The mean over windows of 400 ms of :func:`cancelled`. Tracks that have nothing in
    common keep it near 0, by chance not always at 0. Returns and raises as :func:`djgraph.losses.bass_overlap`.
    """
    audio = tracks_of(tracks, sample_rate)
    barks = Columns(sample_rate).barks
    parts = track_powers(audio, sample_rate)[..., barks, :]
    whole = powers(audio.sum(1), sample_rate)[:, barks]
    return reduced(cancelled(parts, whole).mean(-1), reduction)


def cancelled(parts: Tensor, whole: Tensor) -> Tensor:
    """``Σ_b max(0, ΣP_b − 2·W_b) / (Σ_b ΣP_b + floor)``, ``[batch, windows]``.

    parts: powers of the tracks in bands of a Bark, ``[batch, tracks, bands, windows]``; whole: of their sum,
    ``[batch, bands, windows]``; both are averaged over 1 s. So a band counts from where it is 3 dB weaker than its
    parts would be if they had nothing in common. For one track beside its own inverse at g times the amplitude it is
    ``max(0, 1 − 2·(1 − g)²/(1 + g²))``. floor: −50 dB of full scale.
    """
    expected, came = (moving_mean(x, odd(GATHERED)) for x in (parts.sum(1), whole))
    return (expected - 2 * came).clamp(min=0).sum(1) / (expected.sum(1) + power_of(FLOOR_DB))


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _spreading(bands: int) -> Tensor:
    """How strongly each band ``[masked, masking]`` reaches into another. float64, CPU."""
    band = torch.arange(bands, dtype=torch.float64, device="cpu")
    away = band[:, None] - band + 0.474
    level = 15.81 + 7.5 * away - 17.5 * (1 + away.square()).sqrt()
    return 10 ** (level / 10)
