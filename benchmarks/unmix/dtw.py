"""A baseline: places of tracks by time warping and correlation, the first two steps of Schwarz and Fourer 2021.

MFCCs of the whole track are warped onto a part of the mix (subsequence DTW, as Kim et al. 2020 do too), a line is laid
through the path, and start and rate are corrected where the waveforms of two short windows correlate best. It has no
notion of a track that is not there, of cuts, or of how sure it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from benchmarks.unmix.mixes import RATE, Array, Case
from benchmarks.unmix.scaling import resampled
from djgraph.alignment import Found, Passage

HOP = 2205
"""Samples between MFCCs: 20 a second."""
_SIZE, _BANDS, _COEFFICIENTS = 4096, 40, 13


def located(case: Case) -> dict[str, Found]:
    """Where DTW puts each track that is offered."""
    mix = case.mix.astype(np.float64).mean(0)
    heard = mfcc(mix)
    found = {}
    for name, audio in case.tracks.items():
        track = audio.astype(np.float64).mean(0)
        at, frames = warped(mfcc(track), heard)
        rate, start = _line(at * HOP, frames * HOP)
        begins, ends = float(at[0] * HOP), float(at[-1] * HOP)
        passage = Passage(begins, ends, start + rate * begins, rate, False, 0.0)
        found[name] = Found(name, (_corrected(mix, track, passage),), 1.0)
    return found


def mfcc(audio: Array) -> Array:
    """``[frames, 13]``: mel cepstra without the level, frame ``f`` around sample ``f · HOP``, each of variance 1."""
    padded = np.pad(audio, (_SIZE // 2, _SIZE))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::HOP][: len(audio) // HOP + 1]
    power = np.abs(fft.rfft(frames * np.hanning(_SIZE), axis=1)) ** 2
    bands = np.log(power @ _mel() + 1e-8)
    cepstra = fft.dct(bands, norm="ortho", axis=1)[:, 1 : 1 + _COEFFICIENTS]
    return np.asarray((cepstra - cepstra.mean(0)) / (cepstra.std(0) + 1e-9))


def warped(track: Array, mix: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cheapest path of all of the track through a part of the mix: frames of the mix, and of the track, ascending.

    Steps of 1 : 1, 1 : 2 and 2 : 1, the latter at twice the cost of the frame that they skip to.
    """
    rows, columns = len(track), len(mix)
    cost = np.sqrt(np.maximum((track**2).sum(1)[:, None] + (mix**2).sum(1)[None] - 2 * track @ mix.T, 0))
    total = np.full((rows, columns), np.inf)
    step = np.zeros((rows, columns), dtype=np.int8)
    total[0] = cost[0]
    for row in range(1, rows):
        choices = np.full((3, columns), np.inf)
        choices[0, 1:] = total[row - 1, :-1] + cost[row, 1:]
        choices[1, 2:] = total[row - 1, :-2] + 1.5 * cost[row, 2:]
        if row > 1:
            choices[2, 1:] = total[row - 2, :-1] + 2 * cost[row, 1:]
        step[row] = choices.argmin(0)
        total[row] = choices.min(0)
    row, column = rows - 1, int(np.argmin(total[-1]))
    path = [(column, row)]
    while row > 0:
        down, left = ((1, 1), (1, 2), (2, 1))[step[row, column]]
        row, column = max(row - down, 0), column - left
        path.append((column, row))
    ascending = np.array(path[::-1])
    return ascending[:, 0], ascending[:, 1]


def _line(at: Array | NDArray[np.int64], track: Array | NDArray[np.int64]) -> tuple[float, float]:
    """Slope and offset of the line that most of the path lies on: of all pairs an eighth of it apart, the median."""
    apart = max(1, len(at) // 8)
    slopes = (track[apart:] - track[:-apart]) / np.maximum(at[apart:] - at[:-apart], 1)
    rate = float(np.median(slopes))
    for _ in range(20):  # least absolute distance, by weights
        away = np.abs(track - rate * at - np.median(track - rate * at))
        weight = 1 / np.maximum(away, HOP / 4)
        x, y = at - np.average(at, weights=weight), track - np.average(track, weights=weight)
        rate = float((weight * x * y).sum() / (weight * x * x).sum())
    return rate, float(np.median(track - rate * at))


def _corrected(
    mix: Array, track: Array, passage: Passage, window: float = 6.0, reach: float = 0.4
) -> Passage:
    """Start and rate from the lags at which the waveforms correlate best, in two windows; seconds."""
    count, wide = round(window * RATE), round(reach * RATE)
    points = []
    for share in (0.25, 0.75):
        middle = passage.begins + share * (passage.ends - passage.begins)
        first = round(middle - count / 2)
        if first < 0 or first + count > len(mix):
            continue
        piece = mix[first : first + count]
        here = passage.position(first) - passage.rate * wide
        near = resampled(track[None], here, passage.rate, count + 2 * wide)[0]
        lag = int(np.argmax(signal.correlate(near, piece, "valid", "fft"))) - wide
        points.append((first, passage.position(first) + passage.rate * lag))
    if len(points) < 2:
        return passage
    (at, there), (later, beyond) = points
    rate = (beyond - there) / (later - at)
    if abs(rate / passage.rate - 1) > 0.01:  # the two do not belong together
        rate = passage.rate
    start = there + rate * (passage.begins - at)
    return Passage(passage.begins, passage.ends, start, rate, False, 0.0)


def _mel() -> Array:
    """Triangles of equal width in mel from 60 Hz to 16 kHz, ``[bins, bands]``."""
    edges = 700 * (10 ** (np.linspace(*(np.log10(1 + np.array([60, 16000]) / 700)), _BANDS + 2)) - 1)
    hertz = np.arange(_SIZE // 2 + 1) * RATE / _SIZE
    up = (hertz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    down = (edges[2:] - hertz[:, None]) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(up, down))
