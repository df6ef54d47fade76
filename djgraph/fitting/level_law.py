"""What a compressor behind a fader does to a track: a gain that follows the level of what comes out of the fader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HOP = 64
"""Samples in which the follower's level is taken as constant."""
PARTS = 8
"""Groups of like peaks in a hop: what is above the level pulls it up, what is below lets it fall."""
QUIET = -90.0
"""dB that count as silence."""
ATTACKS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
RELEASES = (30.0, 100.0, 300.0, 1000.0, 3000.0)
"""ms that are tried first."""
KNEES = (0.05, 0.3, 0.6)
"""Shares of the moments below the thresholds that are tried, beside none."""
KNEE_COSTS = 0.003
"""Share of what moves that a threshold has to explain: it is one more number to choose."""
LONGEST_AHEAD = 0.3
"""Seconds by which a compressor may hear ahead."""
LEAST = 4.0
"""Seconds that have to be heard alone."""
MOVES = 0.1
"""dB by which a gain has to move for a law to be looked for."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LevelLaw:
    """A compressor's settings.

    slope: decibels by which the gain falls for each of the level (``1 − 1/ratio``). threshold: dB of what comes out of
    the fader, below which it does nothing; −inf where none was seen. attack, release: ms. ahead: seconds. decibels:
    whether the level is smoothed in dB, or as amplitude. offset: dB of gain at the threshold (at :data:`QUIET` without
    one). explained: share of the gain's moves that the law explains, 0…1.
    """

    slope: float
    threshold: float
    attack: float
    release: float
    ahead: float
    decibels: bool
    offset: float
    explained: float

    def level(self, peaks: Array, fader: Array, rate: int) -> Array:
        """dB by hop of what is heard behind the fader ``[hops]``. peaks: :func:`peaks_of` the track."""
        times = np.array([[self.attack, self.release]])
        return shifted(follow(peaks, fader, self.decibels, times, rate)[:, 0], self.ahead, rate)

    def gain(self, level: Array) -> Array:
        """dB for levels in dB."""
        return self.offset - self.slope * np.maximum(level - max(self.threshold, QUIET), 0.0)

    def described(self) -> dict[str, float | str | None]:
        """For the report."""
        return {
            "effect": "compressor",
            "ratio": round(1 / max(1 - self.slope, 1e-2), 2),
            "threshold_db": None if self.threshold <= QUIET else round(self.threshold, 1),
            "attack_ms": round(self.attack, 1),
            "release_ms": round(self.release, 1),
            "ahead_ms": round(1000 * self.ahead, 1),
            "explained": round(self.explained, 4),
        }


@dataclass(frozen=True)
class Moves:
    """How the gain of a track moved where nothing else was heard.

    peaks: :func:`peaks_of` the track. fader: its gain by hop. places: the blocks. gains: dB in these, without the
    fader's. basis: orthonormal columns ``[places, any]`` that no law has to explain.
    """

    peaks: Array
    fader: Array
    places: NDArray[np.int64]
    gains: Array
    basis: Array


def peaks_of(audio: Tensor) -> Array:
    """The loudest channel of ``[channels, samples]``, hop by hop in groups of like loudness: ``[hops, parts]``."""
    loud = audio.abs().amax(0)
    loud = torch.nn.functional.pad(loud, (0, -len(loud) % HOP)).unflatten(0, (-1, HOP))
    grouped = loud.sort(1).values.unflatten(1, (PARTS, -1)).mean(2)
    found: Array = grouped.double().numpy()
    return found


def follow(peaks: Array, fader: Array, decibels: bool, times: Array, rate: int) -> Array:
    """The level in dB of ``[hops, parts]`` of peaks behind ``fader [hops]``: ``[hops, pairs]``.

    times: attack and release in ms, ``[pairs, 2]``: one pole each way, towards what is above the level and what is
    below it. decibels: the level is smoothed in dB.
    """
    from djgraph.simd.loudness_follower import follow as followed

    step = 1000 * HOP / rate
    up, down = 1 - np.exp(-step / times.T)
    floor = 10 ** (QUIET / 20)
    out = np.empty((len(peaks), len(times)))
    if decibels:
        loud = 20 * np.log10(np.maximum(peaks * fader[:, None], floor))
        followed(loud, np.ones(len(peaks)), up, down, QUIET, out)
        return out
    followed(peaks, fader, up, down, 0.0, out)
    return np.asarray(20 * np.log10(np.maximum(out, floor)))


def shifted(level: Array, ahead: float, rate: int) -> Array:
    """The level ``ahead`` seconds later."""
    hops = round(ahead * rate / HOP)
    return level if hops == 0 else np.concatenate((level[hops:], np.repeat(level[-1:], hops, 0)))


def find_law(tracks: Sequence[Moves], block: int, rate: int, near: LevelLaw | None = None) -> LevelLaw | None:
    """The law that explains best how the gains of tracks moved, each at its own level.

    block: samples. near: settings from which better ones are looked for; all are tried where it is left out. None where
    nothing moves, or too little is heard. How well the law does is for the caller to judge.
    """
    if sum(len(one.places) for one in tracks) * block < LEAST * rate:
        return None
    wanted = np.concatenate([without(one.gains[:, None], one.basis)[:, 0] for one in tracks])
    power = float(wanted @ wanted)
    if power < len(wanted) * MOVES**2:
        return None
    per, most = block // HOP, round(LONGEST_AHEAD * rate / HOP)

    def attempt(decibels: bool, times: Array, aheads: NDArray[np.int64]) -> LevelLaw:
        totals = []
        for one in tracks:
            levels = follow(one.peaks, one.fader, decibels, times, rate)
            totals.append(np.concatenate((np.zeros((1, len(times))), levels.cumsum(0))))
        best = LevelLaw(0.0, -np.inf, 1.0, 1.0, 0.0, decibels, 0.0, -1.0)
        for ahead in aheads:
            means = []
            for one, total in zip(tracks, totals):
                first = np.clip(one.places * per + ahead, 0, len(total) - 2)
                last = np.clip(first + per, first + 1, len(total) - 1)
                means.append((total[last] - total[first]) / (last - first)[:, None])
            for share in (None, *KNEES):
                threshold = (
                    np.full(len(times), QUIET)
                    if share is None
                    else np.quantile(np.concatenate(means), share, 0)
                )
                bare = np.concatenate(
                    [without(np.maximum(mean - threshold, 0), one.basis) for one, mean in zip(tracks, means)]
                )
                size = (bare * bare).sum(0) + 1e-9
                slope = -(bare * wanted[:, None]).sum(0) / size
                kept = slope**2 * size / power * (slope > 0) - (0.0 if share is None else KNEE_COSTS)
                at = int(kept.argmax())
                if kept[at] > best.explained:
                    best = replace(
                        best,
                        slope=float(slope[at]),
                        threshold=-np.inf if share is None else float(threshold[at]),
                        attack=float(times[at, 0]),
                        release=float(times[at, 1]),
                        ahead=float(ahead * HOP / rate),
                        explained=float(kept[at]),
                    )
        return best

    if near is None:
        times = np.array([(a, r) for a in ATTACKS for r in RELEASES if r >= a])
        aheads = np.unique(np.linspace(0, most, 13).round().astype(np.int64))
        found = max((attempt(kind, times, aheads) for kind in (False, True)), key=lambda one: one.explained)
    else:
        found = replace(near, explained=-1.0)
    for spread in (1.0, 0.5, 0.25, 0.12, 0.06) if near is None else (0.5, 0.25, 0.12, 0.06, 0.03):
        moves = spread * np.array([-1.0, 0.0, 1.0])
        times = np.array([(found.attack * 1.8**a, found.release * 1.8**r) for a in moves for r in moves])
        ahead, step = round(found.ahead * rate / HOP), max(1, round(spread * most / 12))
        aheads = np.unique(np.clip([ahead - step, ahead, ahead + step], 0, most))
        found = max(found, attempt(found.decibels, times, aheads), key=lambda one: one.explained)
    return found if found.slope > 0 else None


def offset_of(law: LevelLaw, one: Moves, block: int, rate: int) -> tuple[float, float]:
    """dB of the gain at the threshold, and the share of the moves that the law explains of this track."""
    level = law.level(one.peaks, one.fader, rate)
    per = block // HOP
    total = np.concatenate(([0.0], level.cumsum()))
    first = np.clip(one.places * per, 0, len(level) - 1)
    last = np.clip(first + per, first + 1, len(level))
    made = replace(law, offset=0.0).gain((total[last] - total[first]) / (last - first))
    off = one.gains - made
    bare, left = without(one.gains[:, None], one.basis), without(off[:, None], one.basis)
    return float(np.median(off)), 1 - float((left**2).sum() / max((bare**2).sum(), 1e-12))


def slow(seconds: Array, spacing: float) -> Array:
    """An orthonormal basis of slow curves at moments, ``[moments, curves]``: straight lines through knots."""
    knots = np.arange(seconds[0], seconds[-1] + 2 * spacing, spacing)
    hats = np.maximum(0, 1 - np.abs(seconds[:, None] - knots) / spacing)
    basis, sizes, _ = np.linalg.svd(hats, full_matrices=False)
    found: Array = basis[:, sizes > 1e-6 * sizes[0]]
    return found


def without(columns: Array, basis: Array) -> Array:
    """The columns without what a basis has of them."""
    found: Array = columns - basis @ (basis.T @ columns)
    return found
