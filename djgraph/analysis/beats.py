"""When: every beat of a track, as one line where the tempo is constant, as many where it is not."""

from __future__ import annotations

import itertools

import numpy as np

from djgraph.analysis.grid import EARLY, Grid
from djgraph.analysis.onsets import FINE, FRAMES, Array, Onsets
from djgraph.errors import InputError

_BINS = 96  # of a folded beat
_NEAR = _BINS // 6
_SPAN = 16  # beats that are looked at together
_REACH = 0.03  # relative: how far a local tempo may lie from the track's
_WEIGHTS = np.array([1.0, 0.8, 0.2])
"""What counts on a beat: kicks and snares more than hats, which are as often between."""
_CONSTANT = 0.02
"""Seconds: windows whose beats lie within this of one line, but for a tenth of them, belong to one line."""
_SAME = 0.002
"""Seconds within which beats that were tracked one by one lie on one line, if they do, but for a tenth of them."""
_RISE = 0.004
"""Seconds from the steepest rise in the fine envelope to the first sample of a sound; measured on clicks and kicks."""


def track(heard: Onsets, tempo: float) -> tuple[Grid, float]:
    """Beats at about ``tempo`` BPM, and 0 … 1, how much of the onsets lies on them. Beat 0 is the first at or after the
    track's beginning, or up to :data:`EARLY` before it; where bars begin is not known yet."""
    from scipy.ndimage import gaussian_filter1d

    envelope = gaussian_filter1d(_WEIGHTS @ heard.bands, 0.012 * FRAMES)
    period = _one_period(envelope, 60 / tempo)
    line = _line(heard, envelope, period)
    if _is_straight(envelope, line[0]):
        return line
    bent = _bent(heard, envelope, period)
    return line if bent is None else _straightened(bent, envelope, heard.seconds)


def _straightened(bent: tuple[Grid, float], envelope: Array, seconds: float) -> tuple[Grid, float]:
    """One line where the beats that were tracked lie on it, but for a tenth: where little sounds, or it is not clear,
    windows may be led astray, and single beats are not."""
    numbers, beats = np.array(bent[0].beats), np.array(bent[0].seconds)
    kept = np.ones(len(beats), bool)
    for _ in range(4):
        slope, start = np.polyfit(numbers[kept], beats[kept], 1)
        off = np.abs(beats - start - slope * numbers)
        kept = off <= max(_SAME, float(np.median(off)))
    if np.quantile(off, 0.9) > _SAME:
        return bent
    phase, period = _rounded(float(start), float(slope), seconds)
    first = phase - np.floor((phase + EARLY) / period) * period
    return Grid.at_tempo(60 / period, first), _on_beats(envelope, first, period)


def _wrap(x: Array) -> Array:
    return x - np.round(x)


def _fold(envelope: Array, period: float, first: float = 0) -> Array:
    """Mean of an envelope by its place in a beat, ``[_BINS]``. first: the frame at which it begins;
    frame 0 is on a beat."""
    at = (np.arange(len(envelope)) + first) / FRAMES / period
    where = ((at - np.floor(at)) * _BINS).astype(int) % _BINS
    total = np.bincount(where, envelope, _BINS)
    count = np.bincount(where, minlength=_BINS)
    return total / np.maximum(count, 1)


def _sharpness(profile: Array) -> float:
    mean = profile.mean()
    return float(np.square(profile / mean - 1).mean()) if mean > 0 else 0.0


def _one_period(envelope: Array, guess: float) -> float:
    """The period, near a guess, at which the whole envelope folds to the sharpest profile."""
    length = len(envelope) / FRAMES
    reach, best = _REACH, guess
    step = min(0.1 * guess / max(length, 4 * guess), 0.002)
    while True:
        periods = best * (1 + np.arange(-reach, reach + step / 2, step))
        best = float(periods[np.argmax([_sharpness(_fold(envelope, p)) for p in periods])])
        if step * length < 0.002 * guess:
            return best
        reach, step = 2 * step, step / 4


def _phase(bands: Array, period: float) -> float:
    """Seconds, below one period, at which beats begin: where most of what counts on a beat is."""
    from scipy.ndimage import gaussian_filter1d

    profiles = np.array([_fold(band, period) for band in bands])
    profiles = gaussian_filter1d(profiles, 0.018 / period * _BINS, axis=1, mode="wrap")
    score = _WEIGHTS @ profiles
    return float(score.argmax() / _BINS * period)


def _line(heard: Onsets, envelope: Array, period: float) -> tuple[Grid, float]:
    """One tempo for the whole track, refined to the fine envelope."""
    phase = _phase(heard.strong, period)
    phase, period = _rounded(*_refined(heard.fine, phase, period, heard.seconds), heard.seconds)
    first = phase - np.floor((phase + EARLY) / period) * period
    return Grid.at_tempo(60 / period, first), _on_beats(envelope, first, period)


def _refined(fine: Array, phase: float, period: float, seconds: float) -> tuple[float, float]:
    """Phase and period by the fine envelope's rises near the beats: their weighted line of least squares."""
    count = int((seconds - phase) / period) + 1
    reach = int(0.03 * FINE)
    for _ in range(3):
        beats = np.arange(count)
        at = np.round((phase + beats * period - _RISE) * FINE).astype(int)
        kept = (at >= reach) & (at < len(fine) - reach)
        if kept.sum() < 4:
            return phase, period
        beats, at = beats[kept], at[kept]
        around = fine[at[:, None] + np.arange(-reach, reach + 1)]
        peak = around.argmax(1)
        weight = around.max(1) - np.median(around, axis=1)
        weight = np.where((peak > 0) & (peak < 2 * reach), np.maximum(weight, 0), 0)
        if (weight > 0).sum() < 4:
            return phase, period
        time = (at - reach + peak) / FINE + _RISE
        # Robustly: what lies far from the line counts little (a few rounds of reweighting).
        factor = np.ones_like(weight)
        for _ in range(5):
            slope, start = np.polyfit(beats, time, 1, w=np.sqrt(weight * factor) + 1e-9)
            factor = 1 / (1 + (np.abs(time - start - slope * beats) / 0.004) ** 2)
        if abs(slope / period - 1) > 0.01 or abs(start - phase) > 0.05:
            return phase, period
        phase, period = float(start), float(slope)
        reach = max(3, int(0.012 * FINE))
    return phase, period


def _rounded(phase: float, period: float, seconds: float) -> tuple[float, float]:
    """A tempo in whole BPM, as most music made by machines has, where no beat moves by more than 2 ms for it."""
    tempo = round(60 / period)
    middle = phase + round((seconds / 2 - phase) / period) * period
    if tempo and abs(60 / tempo / period - 1) * seconds / 2 < 0.002:
        beats = round((middle - phase) / period)
        return middle - beats * 60 / tempo, 60 / tempo
    return phase, period


def _is_straight(envelope: Array, line: Grid) -> bool:
    """Whether beats lie on one line all through: by windows of 16 beats, in each of which they are
    looked for up to a sixth of a beat from it."""
    from scipy.ndimage import gaussian_filter1d

    period = float(line.seconds[1] - line.seconds[0])
    size = int(_SPAN * period * FRAMES)
    offsets, clear = [], []
    for start in range(0, len(envelope) - size + 1, max(1, size // 2)):
        profile = _fold(envelope[start : start + size], period, start - line.seconds[0] * FRAMES)
        profile = np.roll(gaussian_filter1d(profile, 0.018 / period * _BINS, mode="wrap"), _NEAR)
        near = profile[: 2 * _NEAR + 1]
        at = int(near.argmax())
        offsets.append((at - _NEAR) / _BINS * period)
        clear.append(near.max() - near.mean() if 0 < at < 2 * _NEAR else 0.0)
    if len(offsets) < 2:
        return True
    weight = np.array(clear)
    known = weight > 0.5 * np.median(weight[weight > 0]) if weight.any() else weight > 0
    return not known.any() or float(np.quantile(np.abs(np.array(offsets)[known]), 0.9)) < _CONSTANT


def _bent(heard: Onsets, envelope: Array, period: float) -> tuple[Grid, float] | None:
    """A tempo that changes: dynamic programming over onsets, then a smooth line through the beats that it finds. None
    where that is no grid: too few beats, or tempos that none has."""
    beats = _tracked(envelope, period)
    if len(beats) < 4:
        return None
    beats = _sharp(heard.fine, beats)
    # Numbers of beats: a gap of two periods is two beats.
    gaps = np.maximum(1, np.round(np.diff(beats) / np.median(np.diff(beats)))).astype(int)
    numbers = np.concatenate([[0], np.cumsum(gaps)]).astype(np.float64)
    smooth = _smoothed(numbers, beats)
    pace = np.median(np.diff(smooth[:5]) / np.diff(numbers[:5]))
    before = int(np.floor((smooth[0] + EARLY) / pace))
    on = float(
        np.mean(np.interp(smooth, np.arange(len(envelope)) / FRAMES, envelope)) / max(envelope.max(), 1e-9)
    )
    try:
        return Grid(tuple(map(float, smooth)), tuple(map(float, numbers + before))), min(1.0, 2 * on)
    except InputError:
        return None


def _tracked(envelope: Array, period: float, tightness: float = 400.0) -> Array:
    """Seconds of beats that lie on onsets at about a period, by dynamic programming: each beat earns its onset, less
    ``tightness`` times the square of the logarithm of its distance from the one before over the period (Ellis, "Beat
    Tracking by Dynamic Programming", J. New Music Research 36, 2007)."""
    spread = float(envelope.std())
    if spread <= 0:
        return np.zeros(0)
    onset = envelope / spread
    frames = period * FRAMES
    before = np.arange(-round(2 * frames), -max(1, round(frames / 2)) + 1)
    cost = -tightness * np.log(-before / frames) ** 2
    total, back = onset.copy(), np.full(len(onset), -1)
    for at in range(len(onset)):
        first = at + before[0]
        if first < 0:
            continue  # within two periods of the beginning any beat may be the first
        scores = total[first : at + before[-1] + 1] + cost
        best = int(scores.argmax())
        if scores[best] > 0:
            total[at], back[at] = onset[at] + scores[best], first + best
    last = max(0, len(onset) - round(1.5 * frames))
    place = last + int(total[last:].argmax())
    out = []
    while place >= 0:
        out.append(place)
        place = int(back[place])
    return np.array(out[::-1], np.float64) / FRAMES


def _sharp(fine: Array, beats: Array) -> Array:
    """Beats moved to the steepest rise within 30 ms, where one stands out."""
    reach = int(0.03 * FINE)
    out = beats.copy()
    for i, beat in enumerate(beats):
        at = round((beat - _RISE) * FINE)
        if at < reach or at >= len(fine) - reach:
            continue
        around = fine[at - reach : at + reach + 1]
        peak = int(around.argmax())
        if 0 < peak < 2 * reach and around[peak] > 3 * np.median(around):
            out[i] = (at - reach + peak) / FINE + _RISE
    return out


def _smoothed(numbers: Array, beats: Array) -> Array:
    """Local straight lines through nine beats, robustly: a player's imprecision, and beats that were misheard, go."""
    out = beats.copy()
    for i in range(len(beats)):
        low, high = max(0, i - 4), min(len(beats), i + 5)
        x, y = numbers[low:high] - numbers[i], beats[low:high]
        slopes = [(b - a) / (v - u) for (u, a), (v, b) in itertools.combinations(zip(x, y), 2)]
        slope = float(np.median(slopes))
        out[i] = float(np.median(y - slope * x))
    return out


def _on_beats(envelope: Array, first: float, period: float) -> float:
    """How much of an envelope lies within an eighth of a beat of a beat: 0 by chance, 1 if all does."""
    at = np.arange(len(envelope)) / FRAMES
    near = np.abs(_wrap((at - first) / period)) < 1 / 8
    total = float(envelope.sum())
    return float(np.clip((envelope[near].sum() / total - 0.25) / 0.5, 0, 1)) if total > 0 else 0.0
