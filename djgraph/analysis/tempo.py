"""How fast: which beat and bar explain best when sounds begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from djgraph.analysis.onsets import FRAMES, Array

TEMPOS = (58.0, 200.0)
"""BPM that are looked for unless asked otherwise."""
_STEPS = 500
_LEVELS = {4: (1, 2, 4, 8), 3: (1, 3, 3, 6)}
"""Beats after which music repeats, by the beats of a bar: a beat, half a bar, a bar, two."""
_WEIGHTS = np.array([0.4, 0.2, 0.25, 0.15])
_USUAL, _SPREAD = 122.0, 0.8
"""What tempo is usual: a normal distribution of its logarithm. Wide: it decides between octaves alone."""
_THREE = 0.92
"""How much less usual three beats in a bar are."""
_DOUBLE = 0.5
"""A tempo below 100 is doubled where music sounds faster, and twice as fast explains this share of what it does."""
_PLAYED, _BAR = 0.46, 0.75
"""How regular the parts of a beat have to be, and the bars, for music to be twice as fast: see _sounds_faster."""
_WINDOW, _HOP, _LONGEST = 12.0, 4.0, 8.0  # seconds


@dataclass(frozen=True)
class Pulse:
    """tempo: BPM, to about a per cent. meter: beats in a bar, 3 or 4. confidence: 0 … 1, how much better it explains
    the onsets than the next tempo that is no multiple of it."""

    tempo: float
    meter: int
    confidence: float


def pulse(bands: Array, low: float = TEMPOS[0], high: float = TEMPOS[1]) -> Pulse | None:
    """The tempo of onsets ``[bands, frames]``; None where nothing repeats (silence, or too short)."""
    repeats_by_band = [_repeats(row) for row in (*bands, bands.sum(0))]
    repeats = np.mean(repeats_by_band, axis=0)
    if not repeats[1:].any():
        return None
    tempos = np.geomspace(low, high, _STEPS)
    usual = np.exp(-0.5 * (np.log(tempos / _USUAL) / _SPREAD) ** 2)
    scores = {
        meter: usual * (_WEIGHTS @ _levels(repeats, tempos, beats)) * (1.0 if meter == 4 else _THREE)
        for meter, beats in _LEVELS.items()
    }
    best = np.maximum(scores[4], scores[3])
    at = int(best.argmax())
    if best[at] <= 0:
        return None
    meter = 4 if scores[4][at] >= scores[3][at] else 3
    if tempos[at] < 100 and 2 * tempos[at] <= high and meter == 4:
        near = np.flatnonzero(np.abs(np.log(tempos / (2 * tempos[at]))) < 0.02)
        twice = int(near[scores[4][near].argmax()]) if near.size else at
        if scores[4][twice] > _DOUBLE * best[at] and _sounds_faster(repeats_by_band, 60 / tempos[at]):
            at = twice
    ratio = np.abs(np.log2(tempos / tempos[at]))
    apart = np.abs(ratio - np.round(ratio)) > 0.05
    rival = float(best[apart].max()) if apart.any() else 0.0
    return Pulse(float(tempos[at]), meter, float(np.clip(2 * (1 - max(rival, 0) / best[at]), 0, 1)))


def _sounds_faster(repeats: Sequence[Array], beat: float) -> bool:
    """Whether music with a beat of so many seconds is rather twice as fast: drum and bass, not hip hop.

    Kicks and bass then come round after two of these beats, which are a bar; and what fills it is there: hats on
    eighths of the faster beat, or kicks on each of its beats. repeats: of the bands, low, middle and high, first.
    """
    low, _, high, *_ = (_at(row, beat) for row in repeats)
    return low(2) > _BAR and max(high(1 / 4), low(1 / 2)) > _PLAYED


def _at(repeats: Array, beat: float) -> Callable[[float], float]:
    """The largest repetition within 1.2 % of so many beats."""

    def after(beats: float) -> float:
        lag = beats * beat * FRAMES
        reach = max(1, round(0.012 * lag))
        return float(repeats[max(0, round(lag) - reach) : round(lag) + reach + 1].max(initial=0.0))

    return after


def _repeats(envelope: Array) -> Array:
    """How alike an envelope is to itself some frames later, 1 at once: the mean over windows, so that a tempo that
    drifts through the track stays sharp."""
    longest = min(int(_LONGEST * FRAMES), max(2, len(envelope)))
    size, hop = int(_WINDOW * FRAMES), int(_HOP * FRAMES)
    total = np.zeros(longest)
    starts = range(0, max(1, len(envelope) - size + 1), hop)
    for start in starts:
        part = envelope[start : start + size]
        part = part - part.mean()
        length = 1 << (2 * len(part)).bit_length()
        products = np.fft.irfft(np.abs(np.fft.rfft(part, length)) ** 2)[:longest]
        if products[0] > 0:
            overlap = np.maximum(1 - np.arange(longest) / len(part), 0.25)
            total += products / products[0] / overlap
    return total / len(starts)


def _levels(repeats: Array, tempos: Array, beats: tuple[int, ...]) -> Array:
    """``[levels, tempos]``: the largest repetition within 1.2 % of so many beats."""
    from scipy.ndimage import maximum_filter1d

    out = np.zeros((len(beats), len(tempos)))
    for row, count in enumerate(beats):
        lags = count * 60 / tempos * FRAMES
        reach = np.maximum(1, 0.012 * lags)
        for size in np.unique(np.ceil(reach).astype(int)):
            highest = maximum_filter1d(repeats, 2 * size + 1)
            here = np.ceil(reach).astype(int) == size
            nearest = np.round(lags[here]).astype(int)
            out[row, here] = np.where(
                nearest < len(repeats), highest[np.minimum(nearest, len(repeats) - 1)], 0
            )
    return out
