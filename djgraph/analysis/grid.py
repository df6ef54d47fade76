"""A track's beat grid: which beat sounds when."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from djgraph.errors import InputError, shorten

Array = NDArray[np.float64]
LIMIT = 100_000
"""Anchors of a grid."""
EARLY = 0.02
"""Seconds before a track's beginning at which its first beat may lie: a cut that is a little late."""
TEMPOS = (20.0, 400.0)
"""BPM that a grid may have anywhere."""


@dataclass(frozen=True)
class Grid:
    """Anchors between which, and beyond which, the tempo is constant.

    seconds, beats: of at least two anchors, both ascending, in float64. Beat 0 is the first at or after the track's
    beginning, or up to :data:`EARLY` before it. meter: beats in a bar. downbeat: the number, below ``meter``, of the
    first beat that begins a bar. Raises InputError for anything else, and for a tempo outside :data:`TEMPOS`.
    """

    seconds: tuple[float, ...]
    beats: tuple[float, ...]
    meter: int = 4
    downbeat: int = 0

    def __post_init__(self) -> None:
        if not 2 <= len(self.seconds) == len(self.beats) <= LIMIT:
            raise InputError(
                f"a grid has {len(self.seconds)} seconds and {len(self.beats)} beats; expected as many of each, "
                f"2 to {LIMIT}"
            )
        for name, values in (("seconds", self.seconds), ("beats", self.beats)):
            if not all(map(math.isfinite, values)) or any(b <= a for a, b in itertools.pairwise(values)):
                raise InputError(
                    f"a grid's {name} are {shorten(list(map(str, values)), 6)}; expected ascending numbers"
                )
        if not (1 <= self.meter <= 16 and 0 <= self.downbeat < self.meter):
            raise InputError(
                f"a grid has {self.meter} beats in a bar, the first bar at beat {self.downbeat}; expected 1 to 16, and "
                "a first bar below that"
            )
        low, high = min(self._tempos()), max(self._tempos())
        if low < TEMPOS[0] or high > TEMPOS[1]:
            raise InputError(
                f"a grid runs at {low:g} to {high:g} BPM; expected {TEMPOS[0]:g} to {TEMPOS[1]:g}"
            )

    @classmethod
    def at_tempo(cls, tempo: float, first: float = 0.0, meter: int = 4, downbeat: int = 0) -> Grid:
        """One tempo in BPM. first: seconds of beat 0."""
        if not (math.isfinite(tempo) and tempo > 0):
            raise InputError(f"tempo is {tempo}; expected beats a minute above 0")
        return cls((first, first + 60 / tempo), (0.0, 1.0), meter, downbeat)

    @classmethod
    def from_beats(cls, times: Sequence[float], meter: int = 4, downbeat: int = 0) -> Grid:
        """Every beat's second, ascending; the first of them is beat 0."""
        return cls(tuple(map(float, times)), tuple(map(float, range(len(times)))), meter, downbeat)

    def from_zero(self) -> Grid:
        """The same grid with beats counted from the first one of the track."""
        first = math.ceil(float(self.beat_at(-EARLY)))
        beats = tuple(beat - first for beat in self.beats)
        return dataclasses.replace(self, beats=beats, downbeat=(self.downbeat - first) % self.meter)

    def _tempos(self) -> list[float]:
        pairs = zip(itertools.pairwise(self.seconds), itertools.pairwise(self.beats))
        return [60 * (v - u) / (b - a) for (a, b), (u, v) in pairs]

    @property
    def tempo(self) -> float:
        """BPM: the mean over all beats."""
        return 60 * (self.beats[-1] - self.beats[0]) / (self.seconds[-1] - self.seconds[0])

    @property
    def slowest(self) -> float:
        """BPM: the lowest anywhere."""
        return min(self._tempos())

    @property
    def steady(self) -> bool:
        """Whether the tempo is one, to a hundredth of a per cent."""
        tempos = self._tempos()
        return max(tempos) / min(tempos) < 1.0001

    def at(self, beats: Array | float) -> Array:
        """Seconds of beats; whole numbers or not, any shape."""
        return _straight(np.asarray(beats, np.float64), np.array(self.beats), np.array(self.seconds))

    def beat_at(self, seconds: Array | float) -> Array:
        """Beats at seconds, the inverse of :meth:`at`."""
        return _straight(np.asarray(seconds, np.float64), np.array(self.seconds), np.array(self.beats))

    def beats_until(self, seconds: float) -> Array:
        """Seconds of every beat from 0 on that begins before ``seconds``."""
        last = math.ceil(float(self.beat_at(seconds)) - 1e-9)
        return self.at(np.arange(max(0, last), dtype=np.float64))

    def bars_until(self, seconds: float) -> Array:
        """Seconds of every bar line from the first on, and of the one that ends the last bar that has begun before
        ``seconds``."""
        beats = len(self.beats_until(seconds))
        bars = max(0, -(-(beats - self.downbeat) // self.meter))
        return self.at(self.downbeat + self.meter * np.arange(bars + 1, dtype=np.float64))


def _straight(at: Array, xs: Array, ys: Array) -> Array:
    out: Array = np.interp(at, xs, ys)
    first = (ys[1] - ys[0]) / (xs[1] - xs[0])
    last = (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])
    out = np.where(at < xs[0], ys[0] + (at - xs[0]) * first, out)
    return np.where(at > xs[-1], ys[-1] + (at - xs[-1]) * last, out)
