"""Stems in a page: FLAC in base64, as exact as 24 bits are."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from djgraph.errors import InputError

Bits = Literal[16, 24]
MOST_CHANNELS = 8
"""Of a FLAC file."""


@dataclass(frozen=True)
class Stem:
    """One stem in a page. flac: a file in base64; gain: what its samples are multiplied by, above 1 only where the stem
    was louder than full scale. exact: whether no sample was rounded."""

    input: str
    stem: str | None
    flac: str
    gain: float
    bits: int
    exact: bool


def stem_of(
    input: str, stem: str | None, audio: NDArray[np.float32], rate: int, bits: Bits | None = None
) -> Stem:
    """A stem ``[channels, samples]``, finite, as FLAC of 16 or 24 bits; left out, of as few as change no sample, or 24.

    Raises InputError for more channels than FLAC has.
    """
    import soundfile

    if audio.shape[0] > MOST_CHANNELS:
        raise InputError(
            f"{input} has {audio.shape[0]} channels, and FLAC up to {MOST_CHANNELS}: leave it out of the page"
        )
    wide = audio.astype(np.float64).T
    peak = float(np.abs(wide).max()) if wide.size else 0.0
    gain = peak * (1 + 2.0**-22) if peak > 1 - 2.0**-23 else 1.0
    scaled = wide / gain
    chosen, exact = 24, False
    for one in (16, 24):
        if gain == 1 and (bits is None or bits >= one) and _fits(scaled, one):
            chosen, exact = one, True
            break
    if not exact and bits is not None:
        chosen = bits
    whole = np.round(scaled * 2.0 ** (chosen - 1)).clip(-(2 ** (chosen - 1)), 2 ** (chosen - 1) - 1)
    numbers = whole.astype(np.int32) << (32 - chosen)
    file = io.BytesIO()
    soundfile.write(file, numbers, rate, format="FLAC", subtype=f"PCM_{chosen}")
    return Stem(input, stem, base64.b64encode(file.getvalue()).decode("ascii"), gain, chosen, exact)


def _fits(audio: NDArray[np.float64], bits: int) -> bool:
    """Whether every sample is one of so many bits."""
    scaled = audio * 2.0 ** (bits - 1)
    return bool(
        np.array_equal(scaled, np.round(scaled)) and (not scaled.size or scaled.max() < 2 ** (bits - 1))
    )
