"""Lanes of automation: what one control of a channel does, as straight lines and steps over beats."""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from djgraph.errors import InputError

Array = NDArray[np.float64]

TOLERANCE = 0.001
"""Share of a control's range by which a lane may differ from what it was made of."""
HALVINGS = 14
"""How often a line that is curved in another unit is halved at most: a second into 60 µs."""


@dataclass(frozen=True)
class LanePoint:
    """A breakpoint. beat: of the mix. shape: how the value goes on to the next one, ``linear`` in beats or ``hold``."""

    beat: float
    value: float
    shape: str = "linear"


@dataclass(frozen=True)
class Lane:
    """What a control does. Before its first point and after the last their values hold.

    name: the control's. unit: ``amplitude`` (a factor, 1 lets a signal pass as it is), ``dB``, ``Hz``, ``s``, ``ms``,
    ``beats``, ``ratio`` or another of djgraph's. low, high: the control's range. points: beats ascend; where two are on
    one beat, the value jumps there from the first to the second. Raises InputError for anything else.
    """

    name: str
    unit: str
    low: float
    high: float
    points: tuple[LanePoint, ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise InputError(f"lane {self.name} has no points")
        beats = [point.beat for point in self.points]
        if any(b < a for a, b in pairwise(beats)) or any(a == c for a, c in zip(beats, beats[2:])):
            raise InputError(f"lane {self.name}: its beats do not ascend")
        if not all(math.isfinite(x) for point in self.points for x in (point.beat, point.value)):
            raise InputError(f"lane {self.name}: beats and values have to be finite")
        if any(point.shape not in ("linear", "hold") for point in self.points):
            raise InputError(f"lane {self.name}: a point goes on linear or hold")

    @classmethod
    def constant(cls, name: str, unit: str, low: float, high: float, value: float) -> Lane:
        """A control that does not move."""
        return cls(name, unit, low, high, (LanePoint(0.0, value, "hold"),))

    @property
    def moves(self) -> bool:
        """Whether its value is ever another."""
        return any(point.value != self.points[0].value for point in self.points)

    @property
    def first(self) -> float:
        """The value at its beginning."""
        return self.points[0].value

    def at(self, beats: Array | float) -> Array:
        """Values at beats, any shape; at a jump what is there from then on."""
        where = np.asarray(beats, np.float64)
        xs = np.array([point.beat for point in self.points])
        ys = np.array([point.value for point in self.points])
        held = np.array([point.shape == "hold" for point in self.points])
        i = np.clip(np.searchsorted(xs, where, side="right") - 1, 0, len(xs) - 1)
        following = np.minimum(i + 1, len(xs) - 1)
        length = xs[following] - xs[i]
        share = np.divide(where - xs[i], length, out=np.zeros_like(where), where=length > 0)
        share = np.where(held[i] | (where <= xs[0]) | (i == following), 0.0, np.clip(share, 0, 1))
        out: Array = ys[i] + (ys[following] - ys[i]) * share
        return out

    def said_as(
        self,
        unit: str,
        low: float,
        high: float,
        function: Callable[[Array], Array],
        tolerance: float,
    ) -> Lane:
        """The same in another unit. function: values of this unit → the other. Lines that are curved there are
        approached by straight ones, to within ``tolerance``."""
        points: list[LanePoint] = []
        values = function(np.array([point.value for point in self.points])).tolist()
        for here, there, value in zip(self.points, self.points[1:], values):
            if here.shape == "hold" or here.value == there.value or here.beat == there.beat:
                points.append(LanePoint(here.beat, value, here.shape))
                continue
            shares = _shares(lambda u: function(here.value + (there.value - here.value) * u), tolerance / 2)  # noqa: B023
            ys = function(here.value + (there.value - here.value) * shares)
            xs = here.beat + (there.beat - here.beat) * shares
            points += [LanePoint(float(xs[i]), float(ys[i])) for i in needed(xs, ys, tolerance / 2)[:-1]]
        points.append(LanePoint(self.points[-1].beat, values[-1], self.points[-1].shape))
        return Lane(self.name, unit, low, high, tuple(points))

    def scaled(self, steps: list[tuple[float, float]]) -> Lane:
        """Values multiplied by what is a factor from a beat on: pairs (beat, factor), ascending; the first one's counts
        before it, too."""
        if not steps or all(factor == 1 for _, factor in steps):
            return self
        starts = [beat for beat, _ in steps]
        beats = sorted({point.beat for point in self.points} | set(starts))
        made: list[LanePoint] = []
        end: float | None = None
        for beat, following in zip(beats, [*beats[1:], math.inf]):
            factor = steps[max(bisect.bisect_right(starts, beat) - 1, 0)][1]
            shape, value, last = self._way(beat, following)
            if end is not None and end != value * factor and made[-1].shape == "linear":
                made.append(LanePoint(beat, end, "hold"))
            made.append(LanePoint(beat, value * factor, shape))
            end = last * factor
        high = max(self.high, max(point.value for point in made))
        return Lane(self.name, self.unit, self.low, high, tuple(made))

    def _way(self, beat: float, following: float) -> tuple[str, float, float]:
        """How the lane goes between two beats without a breakpoint between: shape, first value, value it arrives at."""
        i = bisect.bisect_right(self.points, beat, key=lambda point: point.beat) - 1
        if i < 0:
            return "hold", self.first, self.first
        here = self.points[i]
        if i == len(self.points) - 1 or here.shape == "hold":
            return "hold", here.value, here.value
        there = self.points[i + 1]
        slope = (there.value - here.value) / (there.beat - here.beat)
        value = here.value + (beat - here.beat) * slope
        return (
            "linear",
            value,
            there.value if following == there.beat else here.value + (following - here.beat) * slope,
        )


def traced(beats: Array, values: Array, tolerance: float, step: float) -> tuple[LanePoint, ...]:
    """Points of a lane through samples of a control, of which straight lines are left out that say nothing new.

    beats, values: ``[samples]``, beats ascending; between two samples the value goes straight. tolerance: what the lane
    may differ at each sample. step: beats; a change within less is a jump.
    """
    changed = np.abs(np.diff(values)) > 0
    if not changed.any():
        return (LanePoint(float(beats[0]), float(values[0]), "hold"),)
    jumps = np.flatnonzero((np.diff(beats) <= step) & (np.abs(np.diff(values)) > tolerance))
    points: list[LanePoint] = []
    for first, last in pairwise([0, *(jumps + 1).tolist(), len(beats)]):
        xs, ys = beats[first:last], values[first:last]
        kept = needed(xs, ys, tolerance)
        if last < len(beats) and len(kept) == 2 and ys[0] == ys[-1]:
            kept = kept[:1]  # held up to the jump
        elif last < len(beats) and len(kept) > 2 and ys[kept[-2]] == ys[kept[-1]]:
            kept = kept[:-1]
        run = [LanePoint(float(xs[i]), float(ys[i])) for i in kept]
        if last < len(beats):
            run[-1] = dataclasses.replace(run[-1], shape="hold")
        points += run
    if len(points) > 1 and points[-1].value == points[-2].value:
        points.pop()  # the last value holds
    return tuple(points)


def _shares(curve: Callable[[Array], Array], tolerance: float) -> Array:
    """Where to look at a curve over 0…1 so that straight lines between are within ``tolerance`` of it: what is not is
    halved, again and again."""
    shares = np.linspace(0, 1, 9)
    for _ in range(HALVINGS - 3):
        middles = (shares[1:] + shares[:-1]) / 2
        values = curve(shares)
        far = np.abs(curve(middles) - (values[1:] + values[:-1]) / 2) > tolerance
        if not far.any():
            break
        shares = np.sort(np.concatenate([shares, middles[far]]))
    return shares


def needed(xs: Array, ys: Array, tolerance: float) -> list[int]:
    """Which samples to keep so that straight lines between them pass all others within ``tolerance``. xs ascend; where
    two are equal, there is a step.

    A line goes on for as long as there are slopes by which it passes all samples so far (J. Sklansky and V. Gonzalez,
    "Fast polygonal approximation of digitized curves", Pattern Recognition 12(5), 1980), and ends at the last sample
    that it can go to itself.
    """
    if len(xs) <= 2:
        return list(range(len(xs)))
    # What equals both neighbours says nothing.
    flat = np.concatenate([[True], (ys[1:-1] != ys[:-2]) | (ys[1:-1] != ys[2:]), [True]])
    places = np.flatnonzero(flat).tolist()
    x, y = xs[places].tolist(), ys[places].tolist()
    taken = [0]
    i = 0
    while i < len(x) - 1:
        low, high, end = -math.inf, math.inf, i + 1
        for j in range(i + 1, len(x)):
            wide = x[j] - x[i]
            if wide <= 0:  # a step: no line goes through it
                break
            slope = (y[j] - y[i]) / wide
            if low <= slope <= high:
                end = j
            low = max(low, (y[j] - tolerance - y[i]) / wide)
            high = min(high, (y[j] + tolerance - y[i]) / wide)
            if low > high:
                break
        taken.append(end)
        i = end
    return [places[k] for k in taken]
