"""The level of a mix over time: loudness that falls into a hole or jumps, and peaks beyond full scale."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.arguments import real
from djgraph.dsp.loudness import OFFSET
from djgraph.losses.windows import (
    HOP,
    Columns,
    mix_of,
    moving_max,
    moving_mean,
    odd,
    peaks,
    power_of,
    powers,
    reduced,
)

SHORT = 3.0
"""Seconds of the short-term loudness of EBU Tech 3341."""
QUIET = -70.0
"""LUFS of silence."""
WIDEST = 16.0
"""Seconds that a hole may be wide; what is wider is a quiet part."""
HOLE, JUMP = 4.0, 5.4
"""LU that are let pass. Two tracks that are not alike fall by 3 dB where a linear fade has both at a half; more than
5.4 dB below what came before is beyond what listeners put up with (J. Riedmiller et al., 2003; ATSC A/85)."""


def loudness_hole(
    mix: Tensor, sample_rate: float, *, allowed: float = HOLE, reduction: str = "mean"
) -> Tensor:
    """How far the loudness of a mix falls into holes, in LU, beyond ``allowed``: the mean over time of what
    :func:`holes` finds in :func:`short_term`. 0 for a mix that has none.

    mix: ``[batch, channels, samples]``, from 0.4 s. Returns a scalar, or ``[batch]`` with ``reduction="none"``.
    Raises InputError for other shapes.
    """
    real(allowed, "allowed", 0)
    return reduced((holes(_loudness(mix, sample_rate)) - allowed).clamp(min=0).mean(-1), reduction)


def loudness_jump(
    mix: Tensor, sample_rate: float, *, allowed: float = JUMP, reduction: str = "mean"
) -> Tensor:
    """How far the loudness of a mix jumps up or down, in LU, beyond ``allowed``: the mean over time of the magnitude of
    :func:`jumps`, where holes are filled: their edges are no jumps. Arguments and errors as for
    :func:`loudness_hole`."""
    real(allowed, "allowed", 0)
    loudness = _loudness(mix, sample_rate)
    step = jumps(loudness + holes(loudness))
    return reduced((step.abs() - allowed).clamp(min=0).mean(-1), reduction)


def clipping(mix: Tensor, sample_rate: float, *, ceiling_db: float = 0.0, reduction: str = "mean") -> Tensor:
    """By how many dB a mix is beyond a ceiling: the mean over windows of 400 ms of the excess of the largest true peak
    in each (ITU-R BS.1770-5, annex 2). 0 for a mix that stays below.

    ceiling_db: dB of full scale; −1 is what EBU R 128 asks for. Otherwise as :func:`loudness_hole`.
    """
    real(ceiling_db, "ceiling_db")
    excess = decibels(peaks(mix_of(mix, sample_rate), sample_rate).square()) - ceiling_db
    return reduced(excess.clamp(min=0).mean(-1), reduction)


def short_term(weighted: Tensor) -> Tensor:
    """Loudness in LUFS over the 3 s around each window, of powers ``[…, windows]``: as the short-term loudness of EBU
    Tech 3341, but for the ends of what is averaged, which are not rectangular, and for silence, which is −70 LUFS."""
    quiet = power_of(QUIET - OFFSET)
    return OFFSET + 10 * (moving_mean(weighted, odd(SHORT)) + quiet).log10()


def holes(loudness: Tensor) -> Tensor:
    """How deep each window of ``[…, windows]`` lies in a hole, in LU.

    What is missing to the morphological closing (J. Serra, 1982) by 16 s: to the quieter of the loudest within 16 s to
    either side together. A beginning and an end in silence are no holes.
    """
    wide = odd(WIDEST)
    outside = torch.nn.functional.pad(loudness, (wide, wide), value=QUIET)
    closed = -moving_max(-moving_max(outside, wide), wide)
    return closed[..., wide:-wide] - loudness


def jumps(loudness: Tensor) -> Tensor:
    """By how much the 3 s after each window are louder than the 3 s before, in LU; 0 at the ends, which have none."""
    half = round(SHORT / HOP / 2)
    if loudness.shape[-1] <= 2 * half:
        return 0 * loudness
    change = loudness[..., 2 * half :] - loudness[..., : -2 * half]
    return torch.nn.functional.pad(change, (half, half))


def decibels(power: Tensor) -> Tensor:
    """A power in dB of full scale, at least −120, where its gradient is 0."""
    return 10 * power.clamp(min=1e-12).log10()


def _loudness(mix: Tensor, sample_rate: float) -> Tensor:
    return short_term(powers(mix_of(mix, sample_rate), sample_rate)[:, Columns.weighted])
