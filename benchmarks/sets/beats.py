"""Drums of both tracks against the mix's clock, through every transition of a set.

Each deck is played by itself, as the mixer gets it. Near each beat of the mix its drums are looked at, and where a drum
begins there, its first sample is found by the AIC picker of seismology (Maeda 1985): the cut at which what is before
and what is behind are most unlike, as two noises of different power.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from djgraph.sets import PlayedTrack, SetPlan
from djgraph.sets.play import deck_of

Array = NDArray[np.float64]
AROUND = 0.04
"""Seconds before and after a beat in which a drum is looked for."""
NEAR = 0.012
"""Seconds around the steepest rise in which its beginning is."""
RISES = 12.0
"""dB by which a drum is louder than what is before it."""

FLOOR = 1e-3
"""Of the mean power around a drum's beginning, what counts as silence: filters ring before what they pass."""


@dataclass(frozen=True)
class Side:
    """A track in a transition. beats: of the mix, at which a drum begins. late: seconds after the clock, ``[beats]``.
    looked: beats at which one was looked for."""

    track: str
    beats: Array
    late: Array
    looked: int


@dataclass(frozen=True)
class Between:
    """A transition: what leaves, and what enters."""

    begins: float
    ends: float
    leaving: Side
    entering: Side

    def both(self) -> tuple[Array, Array]:
        """Beats at which both have a drum, and by how much the one that enters is later, in seconds."""
        beats, a, b = np.intersect1d(self.leaving.beats, self.entering.beats, return_indices=True)
        return beats, self.entering.late[b] - self.leaving.late[a]


def measure(plan: SetPlan) -> list[Between]:
    """Every transition of a set that takes time."""
    found = []
    for one in plan.transitions:
        if one.length:
            sides = [_side(plan, plan.tracks[n], one.begin, one.end) for n in (one.leaving, one.entering)]
            found.append(Between(plan.second(one.begin), plan.second(one.end), *sides))
    return found


def _side(plan: SetPlan, track: PlayedTrack, begin: float, end: float) -> Side:
    rate = plan.sample_rate
    first = round((plan.second(begin) - 1) * rate)
    deck = deck_of(plan, track)
    samples = round((plan.second(end) + 1) * rate) - first
    stems = deck.read(first, samples)
    drums = stems["drums"] if "drums" in stems else sum(stems.values())
    signal = np.asarray(drums, np.float64)
    beats = np.arange(math.ceil(begin), math.floor(end) + 1)
    found, late = [], []
    for beat in beats.tolist():
        clock = plan.second(beat) * rate - first
        at = onset(signal, clock, rate)
        if at is not None:
            found.append(float(beat))
            late.append((at - clock) / rate)
    return Side(track.title, np.array(found), np.array(late), len(beats))


def onset(signal: Array, near: float, rate: int) -> float | None:
    """The sample at which a drum begins within :data:`AROUND` of a sample; None where none does. signal:
    ``[channels, samples]``."""
    low = round(near - AROUND * rate) - round(NEAR * rate)
    piece = signal[:, max(0, low) : round(near + (AROUND + NEAR) * rate)]
    # What rings on is low; what begins is heard in every band, and most of all in the difference of samples.
    steep = np.diff(piece, axis=-1)
    power = (steep**2).sum(0)
    short = max(2, round(0.004 * rate))
    total = np.concatenate(([0.0], np.cumsum(power)))
    middle = np.arange(short, len(power) - short)
    if not len(middle) or not power.max():
        return None
    before, after = (total[middle] - total[middle - short]), (total[middle + short] - total[middle])
    rise = after / (before + 1e-4 * after.max() + 1e-20)
    loud = after > 0.1 * after.max()
    best = int(middle[np.argmax(np.where(loud, rise, 0.0))])
    if 10 * math.log10(max(float(rise.max()), 1e-12)) < RISES:
        return None
    begin = max(0, best - round(NEAR * rate))
    return max(0, low) + begin + _picked(steep[:, begin : best + round(NEAR * rate) // 3]) + 1.0


def _picked(signal: Array) -> int:
    """The first sample of what comes behind the cut that the AIC finds."""
    count = signal.shape[1]
    power = np.cumsum((signal**2).sum(0))
    cuts = np.arange(4, count - 4)
    floor = FLOOR * power[-1] / count + 1e-30
    before = power[cuts - 1] / cuts + floor
    after = (power[-1] - power[cuts - 1]) / (count - cuts) + floor
    return int(cuts[np.argmin(cuts * np.log(before) + (count - cuts) * np.log(after))])


def table(found: Sequence[Between], beyond: float) -> str:
    """For people: medians of how late each is, and of distances the middle, the 95 % and the worst, in ms."""
    lines = [f"{'':<32}{'drums':>9}{'late':>9}{'median':>9}{'95 %':>9}{'worst':>9}   ms"]
    for number, one in enumerate(found, 1):
        clock = f"{int(one.begins) // 60}:{int(one.begins) % 60:02}"
        lines.append(f"{number}. at {clock}, {one.ends - one.begins:.1f} s")
        for side in (one.leaving, one.entering):
            lines.append(_row(f"   {side.track}, to the clock", side.late, f"{len(side.late)}/{side.looked}"))
        apart = one.both()[1]
        lines.append(_row("   one to the other", apart, str(len(apart))))
        for side in (one.leaving, one.entering):
            lines += [
                f"      {side.track}: beat {beat:g}, {1e3 * late:+.2f} ms"
                for beat, late in zip(side.beats.tolist(), side.late.tolist())
                if abs(late) * 1e3 > beyond
            ]
    return "\n".join(lines)


def _row(name: str, late: Array, count: str) -> str:
    if not len(late):
        return f"{name:<32}{count:>9}"
    ms = 1e3 * late
    middle, most = np.quantile(np.abs(ms), (0.5, 0.95))
    return f"{name:<32}{count:>9}{np.median(ms):>+9.2f}{middle:>9.2f}{most:>9.2f}{np.abs(ms).max():>9.2f}"


def data_of(found: Sequence[Between]) -> list[dict[str, Any]]:
    """The same as plain data, every drum of it."""
    return [
        {
            "begins": one.begins,
            "ends": one.ends,
            **{
                name: {
                    "track": side.track,
                    "beats": side.beats.tolist(),
                    "late_ms": (1e3 * side.late).tolist(),
                }
                for name, side in (("leaving", one.leaving), ("entering", one.entering))
            },
            "apart_ms": (1e3 * one.both()[1]).tolist(),
        }
        for one in found
    ]
