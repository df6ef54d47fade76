"""Mixes whose tracks, places, rates and gains are known, to be un-mixed: what a case is, and how it is put together.

Offline, seeded: one series, seed and number give the same samples every time. :mod:`benchmarks.unmix.series` says what
there is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.unmix.scaling import resampled, vocoder, wsola
from benchmarks.unmix.sound import high_pass, three_bands
from djgraph.alignment import Found, Passage

Array = NDArray[np.float64]
RATE = 44100
FRAMES_PER_SECOND = 20
"""Of the known curves: frame ``f`` is at sample ``f · RATE / FRAMES_PER_SECOND``."""
Points = Sequence[tuple[float, float]]
"""A curve of straight lines: samples of the mix, and values there; constant beyond both ends."""


@dataclass(frozen=True)
class Truth:
    """What was done.

    found: of every track offered; those that are not in the mix have no passages. A passage's ``spread`` is what the
    method of stretching leaves open, else 0. order: those that are, in the order in which they enter. gains: of the
    fader, by track, ``[frames]``, 0…1, at :data:`FRAMES_PER_SECOND`; 0 where the track does not play. heard: gain of
    least squares, frame by frame, of what sounds of the track in the mix on the track as it lies there, before
    ``level``: what a compressor behind the fader leaves of its moves. bands: gains of low, mid and high,
    ``[3, frames]``, of those whose EQ was touched. level: dB of the whole mix against its parts. repeats: samples after
    which a track repeats exactly, of those that do: a start that is off by as much sounds the same.
    """

    found: dict[str, Found]
    order: tuple[str, ...]
    gains: dict[str, Array]
    heard: dict[str, Array]
    bands: dict[str, Array]
    level: float
    repeats: dict[str, float]

    def cuts(self, track: str) -> tuple[float, ...]:
        """Samples of the mix at which a track jumps or changes its rate."""
        return tuple(passage.begins for passage in self.found[track].passages[1:])


@dataclass(frozen=True)
class Case:
    """A mix and what it was made of.

    scaling: ``none``, ``resample``, ``stretch`` or ``vocoder``. effect: what was done to it. mix: ``[2, samples]``,
    float32, at :data:`RATE`. tracks: those offered, in an order that says nothing, ``[2, samples]`` each, whole.
    """

    name: str
    series: str
    scaling: str
    effect: str
    mix: NDArray[np.float32]
    tracks: dict[str, NDArray[np.float32]]
    truth: Truth

    @property
    def digest(self) -> str:
        """Of mix and tracks, by which two runs can be told to have had the same."""
        found = hashlib.sha256(np.ascontiguousarray(self.mix).tobytes())
        for audio in self.tracks.values():
            found.update(np.ascontiguousarray(audio).tobytes())
        return found.hexdigest()[:16]


@dataclass(frozen=True)
class Part:
    """What one track does in a mix.

    passages: without gaps. fader: 0…1. after: what is done to the track behind the fader. eq: three curves of gains.
    cutoff: of a high pass, Hz.
    """

    track: str
    passages: tuple[Passage, ...]
    fader: Points
    after: Callable[[Array], Array] | None = None
    eq: tuple[Points, Points, Points] | None = None
    cutoff: Points | None = None


def assemble(
    name: str,
    series: str,
    scaling: str,
    effect: str,
    tracks: Mapping[str, NDArray[np.float32]],
    parts: Sequence[Part],
    master: Callable[[Array], Array] | None = None,
    level: float = 0.0,
    repeats: Mapping[str, float] | None = None,
    drift: float = 0.0,
) -> Case:
    """Put a mix together. master: what is done to the sum. level: dB of the sum. drift: parts per one by which the
    recorder's clock is slow, so that every track seems faster."""
    samples = max(int(np.ceil(part.passages[-1].ends)) for part in parts)
    frames = int(np.ceil(samples / RATE * FRAMES_PER_SECOND)) + 1
    total = np.zeros((2, samples))
    found = {track: Found(track, (), 1.0) for track in tracks}
    gains = {track: np.zeros(frames) for track in tracks}
    heard = {track: np.zeros(frames) for track in tracks}
    bands: dict[str, Array] = {}
    for part in parts:
        dry, passages = lie(tracks[part.track].astype(np.float64), part.passages, scaling)
        begin = round(passages[0].begins)
        at = np.arange(begin, begin + dry.shape[1])
        wet = dry * curve(part.fader, at)
        if part.eq is not None:
            wet = three_bands(wet, np.stack([curve(points, at) for points in part.eq]))
        if part.cutoff is not None:
            wet = high_pass(wet, curve(part.cutoff, at))
        if part.after is not None:
            wet = part.after(wet)
        total[:, begin : begin + dry.shape[1]] += wet
        moments = np.arange(frames) * RATE / FRAMES_PER_SECOND
        inside = (moments >= passages[0].begins) & (moments < passages[-1].ends)
        found[part.track] = Found(part.track, passages, 1.0)
        gains[part.track] = curve(part.fader, moments) * inside
        heard[part.track] = _sounding(dry, wet, begin, frames)
        if part.eq is not None:
            bands[part.track] = np.stack([curve(points, moments) for points in part.eq])
    total *= 10 ** (level / 20)
    if master is not None:
        total = master(total)
    if drift:
        total = resampled(total, 0.0, 1 + drift, int(samples / (1 + drift)))
        found = {track: _drifted(one, drift) for track, one in found.items()}
    order = tuple(sorted((t for t in found if found[t].passages), key=lambda t: found[t].passages[0].begins))
    truth = Truth(found, order, gains, heard, bands, level, dict(repeats or {}))
    return Case(name, series, scaling, effect, total.astype(np.float32), dict(tracks), truth)


def lie(audio: Array, passages: Sequence[Passage], scaling: str) -> tuple[Array, tuple[Passage, ...]]:
    """A track as it lies in a mix, from the first passage's begin to the last one's end, and its passages, with the
    spread that stretching leaves."""
    pieces, known = [], []
    for passage in passages:
        count = round(passage.ends) - round(passage.begins)
        # Samples of the mix are whole: what sounds at the first one.
        start = passage.position(round(passage.begins))
        spread = 0.0
        if scaling == "stretch":
            piece, spread = wsola(audio, start, passage.rate, count)
        elif scaling == "vocoder":
            piece = vocoder(audio, start, passage.rate, count)
        else:
            piece = resampled(audio, start, passage.rate, count)
        pieces.append(piece)
        known.append(
            Passage(passage.begins, passage.ends, passage.start, passage.rate, passage.key_locked, spread)
        )
    return np.concatenate(pieces, 1), tuple(known)


def curve(points: Points, at: Array | NDArray[np.int64]) -> Array:
    """A curve's values at samples of the mix."""
    return np.interp(at, [place for place, _ in points], [value for _, value in points])


def _sounding(dry: Array, wet: Array, begin: int, frames: int) -> Array:
    """Frame by frame the gain of least squares of ``wet`` on ``dry``, over two frames' time."""
    step = RATE // FRAMES_PER_SECOND
    cross, power = np.zeros(frames * step), np.zeros(frames * step)
    end = min(begin + dry.shape[1], len(cross))
    cross[begin:end] = (dry * wet).sum(0)[: end - begin]
    power[begin:end] = (dry**2).sum(0)[: end - begin]
    over, under = (np.convolve(one.reshape(frames, step).sum(1), [1, 1])[:frames] for one in (cross, power))
    return np.where(under > 1e-9, over / np.maximum(under, 1e-12), 0.0)


def _drifted(found: Found, drift: float) -> Found:
    passages = tuple(
        Passage(
            one.begins / (1 + drift),
            one.ends / (1 + drift),
            one.start,
            one.rate * (1 + drift),
            one.key_locked,
            one.spread,
        )
        for one in found.passages
    )
    return Found(found.track, passages, found.confidence)
