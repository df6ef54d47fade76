"""What hands have played, as points of lanes: few, within an error, in place of what lay there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.automation import TempoMap
from djgraph.automation.curves import FRAMES_PER_SECOND
from djgraph.automation.shapes import is_straight, progress
from djgraph.effects.control import Control
from djgraph.layout.units import units_of
from djgraph.playing import Run
from djgraph.studio.project import LanePoint

Array = NDArray[np.float64]
ERROR = 0.002
"""How far a thinned curve may be off, as a share of a control's travel."""
SAME = 1e-6
"""Of the travel: values that are one."""


class Ways:
    """How far along a control's travel values lie."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def __call__(self, values: Array) -> Array:
        """Positions 0…1 of plain values."""
        c = self._control
        if c.scale == "linear":
            return (values - c.min) / (c.max - c.min)
        inside = torch.from_numpy(np.clip(values, c.min, c.max).reshape(-1, 1))
        made: Array = units_of([c]).to_unit(inside).numpy().reshape(-1)
        return made


def thin(at: Array, values: Array, error: float, ways: Ways) -> list[int]:
    """Indices of the points that are kept: straight lines between their values are nowhere further off than ``error``,
    as a share of the travel, on any of the ascending places ``at``. The first and the last are kept.

    As by D. Douglas and T. Peucker, "Algorithms for the reduction of the number of points required to represent a
    digitized line", 1973, with distances along the value axis.
    """
    kept = {0, len(at) - 1}
    where = ways(values)
    stack = [(0, len(at) - 1)]
    while stack:
        first, last = stack.pop()
        if last - first < 2:
            continue
        span = at[last] - at[first]
        share = (at[first + 1 : last] - at[first]) / span if span > 0 else np.zeros(last - first - 1)
        line = values[first] + share * (values[last] - values[first])
        off = np.abs(ways(line) - where[first + 1 : last])
        worst = int(off.argmax())
        if off[worst] > error:
            middle = first + 1 + worst
            kept.add(middle)
            stack += [(first, middle), (middle, last)]
    return sorted(kept)


def value_at(points: Sequence[LanePoint], beat: float, held: bool) -> float:
    """What a lane says at a beat; at a jump, what it says behind it. held: of a control with steps or choices."""
    last = _last(points, beat)
    if last < 0:
        return points[0].value
    here = points[last]
    if last + 1 == len(points) or held:
        return here.value
    there = points[last + 1]
    share = np.array([(beat - here.at) / (there.at - here.at)])
    return here.value + float(progress(here.shape, share, here.bend)[0]) * (there.value - here.value)


def recorded(
    base: Sequence[LanePoint],
    run: Run,
    control: Control,
    clock: TempoMap,
    sample_rate: float,
    error: float = ERROR,
) -> tuple[LanePoint, ...]:
    """A lane with a run in place of what it said meanwhile.

    base: the lane's points, none where the control rested. error: of the thinned curve, as a share of the travel; with
    0 the lane says on every frame what was heard. Curved ways into which the run cuts become lines at the renderer's
    frames, since half of a curve is no curve of that shape.
    """
    held, ways = control.held, Ways(control)
    at, values = _cut(run, held)
    beats = clock.beats(at / sample_rate)
    if held:
        keep = [i for i in range(len(values)) if i == 0 or values[i] != values[i - 1]]
        if run.end is not None and keep[-1] != len(values) - 1:
            keep.append(len(values) - 1)
    else:
        keep = thin(beats, values, error, ways)
    shape = "hold" if held else "linear"
    played = [_point(beats[i], values[i], shape) for i in keep]
    if not base:
        return tuple(played)
    line = _Line(base, clock, sample_rate, held)
    begin, end = played[0].at, played[-1].at

    def same(one: float, other: float) -> bool:
        return bool(np.abs(np.diff(ways(np.array([one, other]))))[0] <= SAME)

    head = [p for p in base if p.at < begin]
    if head and (way := line.curved(len(head) - 1, head[-1].at, begin)) is not None:
        head = [*head[:-1], *_thinned(*way, error, ways)[:-1]]
    if not same(left := line.value(begin), played[0].value):
        head.append(_point(begin, left, shape))
    right, last = line.value(end), _last(base, end)
    tail = [p for p in base if p.at > end]
    stays = held or (last >= 0 and base[last].shape == "hold")
    resumed = [_point(end, right, "hold" if stays else "linear")]
    if tail and last >= 0 and (way := line.curved(last, end, tail[0].at)) is not None:
        resumed = _thinned(*way, error, ways)[:-1]
    if same(right, played[-1].value):
        played.pop()
    return tuple([*head, *played, *resumed, *tail])


class _Line:
    """A lane as the renderer plays it: curved ways in straight lines between its frames."""

    def __init__(self, points: Sequence[LanePoint], clock: TempoMap, sample_rate: float, held: bool) -> None:
        self._points, self._clock, self._rate, self._held = points, clock, sample_rate, held

    def value(self, beat: float) -> float:
        """On a beat; at a jump, behind it."""
        last = _last(self._points, beat)
        if last >= 0 and (way := self.curved(last, self._points[last].at, None)) is not None:
            return float(np.interp(self._clock.seconds(beat), self._clock.when(way[0]), way[1]))
        return value_at(self._points, beat, self._held)

    def curved(self, index: int, begin: float, end: float | None) -> tuple[Array, Array] | None:
        """Beats and values of the way behind a point between two beats; None of one that is straight. end: None for all
        of it."""
        here = self._points[index]
        if self._held or index + 1 == len(self._points) or is_straight(here.shape, here.bend):
            return None
        there = self._points[index + 1]
        if there.at <= here.at:
            return None
        first, last = (self._clock.seconds(beat) for beat in (here.at, there.at))
        frames = self._clock.beats(_frames(first, last, self._rate) / self._rate)
        frames = frames[(frames > here.at) & (frames < there.at)]
        beats = np.concatenate(([here.at], frames, [there.at]))
        share = (beats - here.at) / (there.at - here.at)
        values = here.value + progress(here.shape, share, here.bend) * (there.value - here.value)
        if end is None:
            return beats, values
        inside = beats[(beats > begin) & (beats < end)]
        wanted = np.concatenate(([begin], inside, [end]))
        seconds = self._clock.when(wanted)
        return wanted, np.interp(seconds, self._clock.when(beats), values)


def _thinned(beats: Array, values: Array, error: float, ways: Ways) -> list[LanePoint]:
    return [_point(beats[i], values[i], "linear") for i in thin(beats, values, error, ways)]


def _frames(first: float, last: float, sample_rate: float) -> Array:
    """The samples of the renderer's frames of curved ways between two seconds."""
    indices = np.arange(int(first * FRAMES_PER_SECOND), int(last * FRAMES_PER_SECOND) + 2)
    frames: Array = np.round(indices * (sample_rate / FRAMES_PER_SECOND))
    return frames


def _cut(run: Run, held: bool) -> tuple[Array, Array]:
    """Samples and values until the run's end, which gets a point of its own."""
    at, values = np.array(run.samples, np.float64), np.array(run.values, np.float64)
    if run.end is None:
        return at, values
    end = max(float(run.end), at[0])
    inside = at < end
    if held or inside.all() or not inside.any():
        value = values[inside][-1] if inside.any() else values[0]
    else:
        value = np.interp(end, at, values)
    return np.append(at[inside], end), np.append(values[inside], value)


def _last(points: Sequence[LanePoint], beat: float) -> int:
    """The index of the last point at or before a beat; −1 before the first."""
    return int(np.searchsorted([p.at for p in points], beat, side="right")) - 1


def _point(beat: float, value: float, shape: str) -> LanePoint:
    return LanePoint.model_validate(
        {"at": max(0.0, round(float(beat), 9)), "value": float(value), "shape": shape}
    )
