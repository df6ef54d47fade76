"""A path's runs as lines: by envelopes to a millisecond, then by waveforms to a part of a sample where they tell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from djgraph.alignment.delays import LOWEST, Delays, Line, measure
from djgraph.alignment.envelopes import envelopes, measure_envelopes
from djgraph.alignment.features import FRAMES, RATE
from djgraph.alignment.lines import Fit, fit_line
from djgraph.alignment.paths import BLOCK, Run, middle
from djgraph.alignment.signals import lowered

Array = NDArray[np.float64]
_WINDOWS = 128
"""Windows of waveforms in a passage at most."""
_PIECE = 4.0
"""Seconds of a line at least where a rate moves."""
_STEADY = 0.7
"""Share of windows that agree on one line at least, where a rate rests."""
_ALIKE = 0.02
"""How far from 1 a rate is at which pitches are as good as kept."""
_TELLS = 0.002
"""Seconds by which envelopes tell a line's place."""
_SURE = 6.0
"""Standard deviations beyond chance from which lags of waveforms are believed."""


@dataclass(frozen=True)
class Sounds:
    """A recording or track, mono at the rate of samples that are counted, and what is made of it once."""

    audio: Tensor
    sample_rate: int
    low: Tensor
    envelopes: Tensor

    @classmethod
    def of(cls, audio: Tensor, sample_rate: int, low: Tensor | None = None) -> Sounds:
        """audio: ``[samples]``; low: the same at the features' rate."""
        low = lowered(audio, sample_rate, RATE) if low is None else low
        return cls(audio, sample_rate, low, envelopes(low))


@dataclass(frozen=True)
class Stretch:
    """A line, and from which to which sample of the recording a track is on it.

    spread: of the line's position there, samples. waveform: whether waveforms agree; beyond: by how many standard
    deviations more than by chance; sign: −1 where their polarity is inverted.
    likeness: correlation of features where it is best. also: samples of the track that its line may be further on.
    """

    line: Line
    begins: float
    ends: float
    key_locked: bool
    spread: float
    waveform: bool
    beyond: float
    score: float
    sign: float = 1.0
    likeness: float = 0.0
    also: tuple[float, ...] = ()

    @property
    def length(self) -> float:
        return self.ends - self.begins


def stretches(run: Run, recording: Sounds, track: Sounds, rate: float | None) -> list[Stretch]:
    """A run as one line, or as several where its rate changes. rate: the track's elsewhere, for runs too short to
    tell it; None where that is not known."""
    samples = recording.sample_rate / FRAMES
    at, places = middle(run.blocks) * samples, run.places * samples
    half = BLOCK / 2 * samples
    line = _first_line(at, places, run.option.candidate.rate if rate is None else rate)
    begins, ends = at[0] - half, at[-1] + half
    fit, line = _by_envelopes(line, begins, ends, recording, track, rate)
    if (ends - begins) > 2 * _PIECE * recording.sample_rate and (fit is None or fit.agree.mean() < _STEADY):
        parts = [part for part in _halves(run) if len(part.blocks)]
        return [one for part in parts for one in stretches(part, recording, track, rate)]
    return [_exact(line, begins, ends, run, recording, track)]


def _halves(run: Run) -> tuple[Run, Run]:
    """Cut where two lines fit its places best."""
    count = len(run.blocks)
    edge = max(4, count // 8)
    splits = np.unique(np.linspace(edge, count - edge, 24).astype(int))
    costs = [_misfit(run, 0, split) + _misfit(run, split, count) for split in splits]
    split = int(splits[int(np.argmin(costs))])
    return tuple(  # type: ignore[return-value]  # two
        replace(run, blocks=run.blocks[part], places=run.places[part], scores=run.scores[part])
        for part in (slice(None, split), slice(split, None))
    )


def _misfit(run: Run, first: int, last: int) -> float:
    x, y = run.blocks[first:last].astype(np.float64), run.places[first:last]
    x = x - x.mean()
    slope = (x * y).sum() / max(float((x * x).sum()), 1.0)
    return float(np.abs(y - y.mean() - slope * x).sum())


def _first_line(at: Array, places: Array, rate: float) -> Line:
    """Through the places of blocks, robustly; at the rate given where there are few."""
    centre = float(at.mean())
    if len(at) >= 16:
        slope = float(np.clip(_repeated_median(at, places), 0.98 * rate, 1.02 * rate))
        rate = slope
    return Line(centre, float(np.median(places - rate * (at - centre))), rate)


def _repeated_median(at: Array, places: Array) -> float:
    chosen = np.unique(np.linspace(0, len(at) - 1, 256).astype(int))
    x, y = at[chosen], places[chosen]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = (y[:, None] - y) / (x[:, None] - x)
    np.fill_diagonal(slopes, np.nan)
    return float(np.median(np.nanmedian(slopes, axis=1)))


def _by_envelopes(
    line: Line, begins: float, ends: float, recording: Sounds, track: Sounds, rate: float | None
) -> tuple[Fit | None, Line]:
    """The line by envelopes, and how well they agree."""
    second = recording.sample_rate
    long = ends - begins
    seconds = 4.0 if long > 16 * second else 2.0 if long > 5 * second else 1.0
    fit: Fit | None = None
    for most, near in ((0.06, 0.02), (0.03, 0.008)):
        centres = np.arange(begins + seconds * second / 2, ends - seconds * second / 4, seconds * second / 4)
        if not len(centres):
            centres = np.array([(begins + ends) / 2])
        delays = measure_envelopes(
            recording.envelopes, track.envelopes, line, centres, seconds, most * second, second
        )
        free = long > 5 * second or (rate is None and long > 3 * second)
        fit = fit_line(
            delays.at,
            delays.lag,
            np.clip(delays.strength, 0, None),
            near * second,
            most * second,
            5e-3 if free else 1e-9,
            1.0,
        )
        if fit is None:
            return fit, line
        line = line.moved(fit.lag, fit.slope, fit.at)
    return fit, line


def _exact(line: Line, begins: float, ends: float, run: Run, recording: Sounds, track: Sounds) -> Stretch:
    """By waveforms, if they agree."""
    second = recording.sample_rate
    long = ends - begins
    passes = (
        (1 << 13, 0.010, 0.0012, 3000.0, 4e-4),
        (1 << 14, 0.003, 0.0002, 9000.0, 5e-5),
        (1 << 14, 0.0008, 0.00004, 16000.0, 1e-5),
    )
    scale = second / 44100
    best, fit, beyond, sign = line, None, 0.0, 1.0
    passed = 0
    alike = abs(line.rate - 1) < _ALIKE
    if alike or not run.option.candidate.key_locked:
        for size, most, near, highest, steepest in passes:
            size = round(size * scale)
            count = int(np.clip(4 * long / size, 6, _WINDOWS))
            edge = min(size / 2, 0.25 * long)
            centres = np.linspace(begins + edge, ends - edge, count).astype(np.int64)
            band = (LOWEST / second, min(highest / second, 0.45))
            delays = measure(recording.audio, track.audio, best, centres, size, round(most * second), band)
            found = fit_line(
                delays.at,
                delays.lag,
                np.abs(delays.strength),
                near * second,
                most * second,
                steepest if long > 3 * second else min(steepest, 1.0 * second / max(1.0, long) * 1e-4),
                0.002,
            )
            if found is None or found.beyond < _SURE:
                break
            fit, beyond = found, found.beyond
            passed += 1
            sign = float(np.sign(delays.strength[fit.agree].sum()) or 1.0)
            best = best.moved(fit.lag, fit.slope, fit.at)
    likeness = _likeness(run)
    if fit is None or passed < 2:
        # Near its own tempo features cannot tell how a track was played; resampled, its waveform would agree.
        locked = run.option.candidate.key_locked or alike
        spread = _TELLS * second
        return Stretch(line, begins, ends, locked, spread, False, beyond, run.score, 1.0, likeness)
    return Stretch(best, begins, ends, False, fit.spread, True, beyond, run.score, sign, likeness)


def moved_on(line: Line, samples: float) -> Line:
    """A line on which the track is so many samples of the recording further on."""
    return replace(line, start=line.start + samples * line.rate)


def settled(
    line: Line, begins: float, ends: float, recording: Sounds, track: Sounds, most: float
) -> tuple[Line, float]:
    """A line of a known rate moved to where waveforms agree, and its spread. most: samples."""
    delays = _lags(line, begins, ends, recording, track, most)
    fit = fit_line(delays.at, delays.lag, np.abs(delays.strength), max(1.0, 0.5 * most), most, 1e-12, 0.002)
    if fit is None:
        return line, most
    return line.moved(fit.lag, 0.0, fit.at), fit.spread


def strength(line: Line, begins: float, ends: float, recording: Sounds, track: Sounds, most: float) -> float:
    """How strongly waveforms agree on a line that is known to ``most`` samples: their mean correlation."""
    return float(np.abs(_lags(line, begins, ends, recording, track, most).strength).mean())


def _lags(line: Line, begins: float, ends: float, recording: Sounds, track: Sounds, most: float) -> Delays:
    size = int(min(1 << 13, max(256, (ends - begins) / 2)))
    count = int(np.clip(4 * (ends - begins) / size, 3, 24))
    edge = min(size / 2, 0.25 * (ends - begins))
    centres = np.linspace(begins + edge, ends - edge, count).astype(np.int64)
    second = recording.sample_rate
    band = (LOWEST / second, min(16000 / second, 0.45))
    return measure(recording.audio, track.audio, line, centres, size, max(2, round(most)), band)


def _likeness(run: Run) -> float:
    """Of a second or two, where it is high."""
    width = min(8, len(run.scores))
    return float(np.quantile(np.convolve(run.scores, np.ones(width) / width, "valid"), 0.9))
