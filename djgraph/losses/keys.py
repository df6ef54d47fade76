"""Keys that clash: how far two tracks that sound together lie apart on the circle of fifths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from djgraph.losses.overlaps import FLOOR_DB, pairs, pairs_of
from djgraph.losses.precision import as_it_is
from djgraph.losses.windows import Columns, moving_mean, odd, reduced, track_powers, tracks_of

# Krumhansl, "Cognitive Foundations of Musical Pitch" (1990), table 2.1: how well each note fits after a key's chords.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
NOTES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SECONDS = 8.0
"""Over which notes are gathered for a key: four bars at 120 BPM, as long as chords usually take to come round."""
SHARPNESS = 0.05
"""Correlation by which a key has to be ahead of another to be e times as likely."""
EVEN = 0.1
"""Pitch classes that differ by less than this share of their mean tell no key."""
NEAR, FAR = 1, 6
"""Steps of the wheel up to which keys go together, and from which they clash entirely."""


def key_clash(tracks: Sequence[Tensor], sample_rate: float, *, reduction: str = "mean") -> Tensor:
    """How far the keys of tracks that sound at once clash: 0 … 1.

    tracks: of each track what has pitch in it (all but drums) adds to the mix, ``[batch, channels, samples]`` and
    alike. The mean over windows of 400 ms of :func:`djgraph.losses.overlaps.together`, of the power of all
    pitch classes, times :func:`apart` of the notes in the 8 s around. A key that is not clear counts less: noise
    clashes with nothing. Tuning is taken to be 440 Hz. Returns and raises as :func:`djgraph.losses.bass_overlap`;
    a clip shorter than 8 s has one key.
    """
    audio = tracks_of(tracks, sample_rate)
    chroma = track_powers(audio, sample_rate)[..., Columns(sample_rate).chroma, :]
    return reduced(clashes(chroma).mean(-1), reduction)


def clashes(chroma: Tensor) -> Tensor:
    """Powers of pitch classes ``[batch, tracks, 12, windows]`` → ``[batch, windows]``, as :func:`key_clash` says."""
    return (pairs(chroma.sum(2), FLOOR_DB) * apart(keys(chroma))).sum(1)


def keys(chroma: Tensor) -> Tensor:
    """How likely each of the 24 keys is, ``[batch, tracks, 24, windows]``: the major ones from C on, then the minor.

    Powers of pitch classes are averaged over 8 s; their roots are correlated with Krumhansl's profiles, and what comes
    of it, ρ, is ``softmax(ρ / 0.05)``. Notes that are spread evenly make no correlation.
    """
    gathered = moving_mean(chroma, odd(SECONDS))
    present = (gathered + 1e-12).sqrt()
    mean = present.mean(2, keepdim=True)
    apart_from = present - mean
    size = (apart_from.square().sum(2, keepdim=True) + (12 * EVEN**2) * mean.square() + 1e-12).sqrt()
    profiles = _profiles().to(chroma.device, chroma.dtype)
    with as_it_is(chroma):
        fits = torch.einsum("kc,btcw->btkw", profiles, apart_from / size)
    return torch.softmax(fits / SHARPNESS, 2)


def apart(likely: Tensor) -> Tensor:
    """Of every two tracks, ``[batch, tracks, 24, windows]`` → ``[batch, pairs, windows]``: how far their keys clash.

    ``c_a·c_b·Σ p_a·p_b·min(max((d − 1)/5, 0), 1)``: d are steps on Camelot's wheel, of which one is no clash; c is how
    clear a key is, 1 − entropy/ln 24.
    """
    first, second = pairs_of(likely.shape[1])
    clear = 1 + torch.special.xlogy(likely, likely).sum(2) / math.log(24)
    steps = wheel().to(likely.device, likely.dtype)
    far = ((steps - NEAR) / (FAR - NEAR)).clamp(0, 1)
    with as_it_is(likely):
        expected = torch.einsum("btkw,kj,btjw->btw", likely[:, first], far, likely[:, second])
    return clear[:, first] * clear[:, second] * expected


@lru_cache(maxsize=1)
@torch.inference_mode(False)
def _profiles() -> Tensor:
    """``[24, 12]``, each without its mean and of length 1. float64, CPU."""
    rows = torch.tensor(
        [profile[-k:] + profile[:-k] for profile in (MAJOR, MINOR) for k in range(12)],
        dtype=torch.float64,
        device="cpu",
    )
    rows = rows - rows.mean(1, keepdim=True)
    return rows / rows.norm(dim=1, keepdim=True)


@lru_cache(maxsize=1)
@torch.inference_mode(False)
def wheel() -> Tensor:
    """Steps from key to key on Camelot's wheel, ``[24, 24]``: fifths, and one for major to minor. float64, CPU."""
    tonic = torch.arange(24, device="cpu") % 12
    minor = torch.arange(24, device="cpu") // 12
    place = (tonic + 3 * minor) * 7 % 12
    around = (place[:, None] - place).abs()
    around = torch.minimum(around, 12 - around)
    return (around + (minor[:, None] != minor)).double()
