"""An automation on one layout and clip: which columns, which seconds, which values, and all that does not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from djgraph.automation.curves import Curve, CurveSet, First, Tempo
from djgraph.automation.model import ORDINAL
from djgraph.automation.times import Moment, NoTempo, Ruler, TempoMap
from djgraph.effects.control import Control
from djgraph.effects.grid import neighbours, off_grid
from djgraph.effects.units import did_you_mean_value
from djgraph.errors import AutomationError, InputError, LayoutError, Problem, option, shorten
from djgraph.language.fold import in_file_order
from djgraph.layout import ParameterLayout
from djgraph.layout.faders import NAMES, find_faders, find_tracks, no_fade, too_few

Array = NDArray[np.float64]
Some = TypeVar("Some", bound=CurveSet)


@dataclass(frozen=True)
class Bound:
    """A curve on a layout: ``columns`` that it moves, ``values`` ``[points, columns]``, ``seconds`` ``[points]``.

    held: which columns, ``[columns]``, keep each value until the next point, for they have a step or choices.
    in_beats: which ways from one point to the next, ``[points - 1]``, go evenly in beats of ``tempo``, a tempo that
    changes; otherwise, and with a steady tempo, they go evenly in seconds.
    """

    curve: Curve
    columns: tuple[int, ...]
    values: Array
    seconds: Array
    held: NDArray[np.bool_]
    in_beats: NDArray[np.bool_]
    tempo: TempoMap | None = None

    def share(self, way: int, where: Array, places: Array, rate: float) -> Array:
        """How much of the time from one point to the next has passed at places between them, 0…1.

        where: the points' places, ``[points]``. rate: places a second.
        """
        ends = where[way : way + 2]
        if self.tempo is not None and self.in_beats[way]:
            ends, places = self.tempo.beats(ends / rate), self.tempo.beats(places / rate)
        share: Array = (places - ends[0]) / (ends[1] - ends[0])
        return share


def bind(
    auto: CurveSet,
    layout: ParameterLayout,
    duration: float | None,
    tempo: Tempo | None = None,
    *,
    times: Literal["all", "tempo", "none"] = "all",
) -> list[Bound]:
    """The automation's curves in order. Raises AutomationError that holds every problem.

    times: which of their problems count; only with all of them are the seconds right. duration None: of 1,
    where all times are shares of the clip; else InputError.
    """
    if duration is not None and not (math.isfinite(duration) and duration > 0):
        raise InputError(f"duration is {duration}; expected seconds above 0")
    if duration is None and times == "all" and any(map(_has_length, _moments(auto))):
        raise InputError(
            "the automation has times in seconds or beats: give the clip's duration=, in seconds"
        )
    problems: list[Problem] = []
    chosen = list(_choose(auto, _Names(layout), problems))
    problems += _collisions(layout, chosen)
    bounds = []
    ruler = Ruler(
        1.0 if duration is None else float(duration),
        auto.tempo if tempo is None else TempoMap(tempo),
        auto.beats_per_bar,
        auto.span,
    )
    late: list[Problem] = []
    span_fits = times == "none" or _check_span(auto, ruler, problems, late)
    for curve, columns in chosen:
        values = _values(layout, curve, columns, problems)
        timed = times != "none" and span_fits
        seconds = _seconds(curve, ruler, problems, late) if timed else np.zeros(len(curve.points))
        held = np.array([layout.columns[column].control.held for column in columns], dtype=bool)
        pairs = zip(curve.points, curve.points[1:])
        in_beats = np.array([ruler.in_beats(here.at, there.at) for here, there in pairs], dtype=bool)
        changing = ruler.tempo if ruler.tempo is not None and len(ruler.tempo.points) > 1 else None
        bounds.append(Bound(curve, tuple(columns), values, seconds, held, in_beats, changing))
    if times == "all":
        problems += late
    if problems:
        raise AutomationError(*in_file_order(problems))
    return bounds


def resolve(auto: Some, layout: ParameterLayout) -> Some:
    """See :meth:`Automation.resolve`."""
    curves = []
    taken: set[int] = set()
    for bound in reversed(bind(auto, layout, None, times="none")):
        alike: dict[tuple[float, ...], list[int]] = {}
        for i, column in enumerate(bound.columns):
            if column not in taken:  # a later curve counts for it
                alike.setdefault(tuple(bound.values[:, i].tolist()), []).append(column)
        taken.update(bound.columns)
        for values, columns in reversed(alike.items()):
            points = tuple(replace(point, value=v) for point, v in zip(bound.curve.points, values))
            names = tuple(layout.names[column] for column in columns)
            curves.append(Curve(names, points, site=bound.curve.site))
    return replace(auto, curves=tuple(reversed(curves)))


class _Missing(Exception):
    """The layout lacks what a curve names."""

    def __init__(self, message: str, allowed: Sequence[str] = (), name: str | None = None) -> None:
        super().__init__(message)
        self.message, self.allowed, self.name = message, allowed, name


class _Names:
    """Finds the columns that a curve names."""

    def __init__(self, layout: ParameterLayout) -> None:
        self.layout = layout
        self.faders = find_faders(layout)
        self.tracks = find_tracks(layout)

    def columns(self, curve: Curve) -> list[int]:
        """The curve's columns, each once. Raises _Missing."""
        find = self._fader if curve.fader else self._control
        return list(dict.fromkeys(column for target in curve.targets for column in find(target)))

    def _control(self, target: str) -> list[int]:
        texts = self._ordinal(target)
        columns: list[int] = []
        lacks = []
        for text in texts:
            try:
                columns += self._one(target, text)
            except _Missing as lack:
                lacks.append(lack)
        if len(lacks) == len(texts):
            raise lacks[0]
        return columns

    def _one(self, target: str, text: str) -> list[int]:
        try:
            return self.layout.select(text) if "*" in text else [self.layout.index(text)]
        except LayoutError as error:
            if "old name of more than one" in str(error):
                raise _Missing(str(error)) from None
        if "*" in text:
            message = f"no control matches {_named(target, text)}"
            raise _Missing(message, self.layout.similar_patterns(text) or self.layout.names, text)
        if (instead := self.layout.instead(text)) is not None:
            raise _Missing(f"{instead}, so it has no column of its own")
        raise _Missing(f"there is no control {_named(target, text)}", self.layout.names, text)

    def _fader(self, target: str) -> list[int]:
        text = self._ordinal(target)[0]
        head, dot, stem = target.partition(".")
        if ORDINAL.match(head):
            track = self.tracks[int(head[0]) - 1]
            columns, stems = track.columns, track.stems
        else:
            if head not in self.faders:
                raise _Missing(f"there is no track {head!r} with a fader", tuple(self.faders), head)
            columns, stems = self.faders[head].columns, self.faders[head].stems
        if not dot:
            return columns
        expression = stem.split("*")
        columns = [column for name, column in stems.items() if _matches(name, expression)]
        if not columns:
            names = tuple(f"{text.partition('.')[0]}.{name}" for name in stems)
            kinds = " or ".join(f"{text}.{kind}" for kind in NAMES)
            raise _Missing(f"there is no stem with a fader {_named(target, text)} ({kinds})", names, text)
        return columns

    def _ordinal(self, target: str) -> list[str]:
        """The target with the names of the track that an ordinal stands for: one, as a rule."""
        head, dot, rest = target.partition(".")
        match = ORDINAL.match(head)
        if match is None:
            return [target]
        index = int(match[1]) - 1
        if index >= len(self.tracks):
            names = [name for track in self.tracks for name in track.names]
            what = (
                too_few(self.layout, names)
                if index < 2
                else f"there are {len(self.tracks)}: {shorten(names)}"
            )
            raise _Missing(f"the graph has no {head} track with a fader: {what}")
        return [name + dot + rest for name in self.tracks[index].names]


def _matches(name: str, parts: Sequence[str]) -> bool:
    return re.fullmatch(".*".join(map(re.escape, parts)), name) is not None


def _named(target: str, text: str) -> str:
    return repr(target) if target == text else f"{text!r} ({target})"


def _choose(auto: CurveSet, names: _Names, problems: list[Problem]) -> Iterable[tuple[Curve, list[int]]]:
    """The curves that count on this layout, with their columns."""
    for item in auto.curves:
        missing = []
        for curve in item.curves if isinstance(item, First) else (item,):
            try:
                columns = names.columns(curve)
            except _Missing as lack:
                missing.append((curve, lack))
                continue
            yield curve, columns
            break
        else:
            if any(curve.optional for curve, _ in missing):
                continue
            curve, first = missing[0]
            if len(missing) == 1:
                key = "fader" if curve.fader else "control"
                problems.append(
                    curve.site.problem(first.message, key, allowed=first.allowed, name=first.name)
                )
            else:
                what = "; ".join(other.message for _, other in missing)
                message = f"the graph has none of the {len(missing)} alternatives: {what}"
                problems.append(item.site.problem(message, allowed=first.allowed, name=first.name))


def _collisions(layout: ParameterLayout, chosen: Sequence[tuple[Curve, list[int]]]) -> Iterable[Problem]:
    seen: dict[frozenset[int], Curve] = {}
    for curve, columns in chosen:
        other = seen.setdefault(frozenset(columns), curve)
        if other is not curve:
            names = shorten([layout.names[column] for column in columns], 4)
            hint = "give each control one curve; a pattern may be followed by a curve for a part of what it matches"
            yield curve.site.problem(f"two curves are for the same control: {names}", hint=hint)


def _values(layout: ParameterLayout, curve: Curve, columns: Sequence[int], problems: list[Problem]) -> Array:
    """Values ``[points, columns]``; words become each control's own numbers."""
    controls = [layout.columns[column].control for column in columns]
    values = np.array(
        [[_number(point.value, c) for c in controls] for point in curve.points], dtype=np.float64
    )
    for j in range(len(curve.points)):
        outside = [i for i, c in enumerate(controls) if not c.min <= values[j, i] <= c.max]
        if outside:
            first = outside[0]
            c, name = controls[first], layout.names[columns[first]]
            more = f" (and {len(outside) - 1} more)" if len(outside) > 1 else ""
            message = (
                f"{values[j, first]:g} is out of the range of {name}{more}: {c.min:g} … {c.max:g} {c.unit}"
            )
            hint = did_you_mean_value(c, float(values[j, first]))
            problems.append(at_point(curve, j, "value", message, hint))
        elif fault := next(filter(None, map(off_grid, controls, values[j].tolist())), None):
            which = next(i for i, c in enumerate(controls) if off_grid(c, values[j, i]))
            problems.append(at_point(curve, j, "value", f"{layout.names[columns[which]]} is {fault}"))
    for i, column in enumerate(columns):
        if curve.fader and (fault := no_fade(layout, column)) is not None:
            problems.append(curve.site.problem(fault, "fader"))
        if controls[i].rate == "clip" and len(set(values[:, i])) > 1:
            message = f"{layout.names[column]} is read once, at the start of a clip, so it cannot move"
            problems.append(curve.site.problem(message, "control", hint="give it one value"))
            break
    return values


def _number(value: float | str, control: Control) -> float:
    if not isinstance(value, str):
        return float(value)
    if value == "neutral":
        return float(control.default if control.neutral is None else control.neutral)
    end = float(getattr(control, value))
    return neighbours(control, end)[0] if control.held else end  # the last step may end below the maximum


def _seconds(curve: Curve, ruler: Ruler, problems: list[Problem], late: list[Problem]) -> Array:
    """The seconds of a curve's points; ``late`` gets the problems that hang on the clip's duration."""
    seconds: list[float] = []
    slack = 1e-9 * max(1.0, ruler.duration)
    for j, point in enumerate(curve.points):
        try:
            second = ruler.second(point.at)
        except NoTempo:
            problems.append(
                at_point(curve, j, "at", f"the time {point.at} needs a tempo", hint=_needs_tempo())
            )
            break
        if seconds and second < seconds[-1] - slack:
            before = curve.points[j - 1].at
            message = (
                f"time runs backwards: {point.at} ({second:g} s) comes after {before} ({seconds[-1]:g} s) "
                f"in the curve of {curve}"
            )
            late.append(at_point(curve, j, "at", message))
            break
        seconds.append(max(second, seconds[-1]) if seconds else second)
    return np.array(seconds, dtype=np.float64)


def _check_span(auto: CurveSet, ruler: Ruler, problems: list[Problem], late: list[Problem]) -> bool:
    if auto.span is None:
        return True
    key, value = "start", str(auto.span.start)
    try:
        start = ruler.start
        key, value = "length", str(auto.span.length)
        end = ruler.end
    except NoTempo:
        problems.append(
            auto.site.problem(f"the {key} {value} needs a tempo", "span", key, hint=_needs_tempo())
        )
        return False
    slack = 1e-9 * max(1.0, ruler.duration)
    where = f"it goes from {start:g} s to {end:g} s, and the clip from 0 s to {ruler.duration:g} s"
    if start < -slack or end > ruler.duration + slack:
        key = "start" if start < -slack or start > ruler.duration else "length"
        late.append(auto.site.problem(f"the automation does not fit the clip: {where}", "span", key))
        return False
    if end < start - slack:
        late.append(auto.site.problem(f"the automation ends before it begins: {where}", "span", "length"))
        return False
    return True


def _needs_tempo() -> str:
    return f"give {option('tempo')}, or `tempo:` in the file"


def at_point(curve: Curve, index: int, key: str, message: str, hint: str | None = None) -> Problem:
    """A problem with one point, which may be written as a list, as a mapping, or as the curve's one value."""
    written = curve.site.written()
    points = written.get("points") if isinstance(written, dict) else None
    if not isinstance(points, list) or index >= len(points):
        return curve.site.problem(message, "value", hint=hint)
    part = key if isinstance(points[index], dict) else ("at", "value").index(key)
    return curve.site.problem(message, "points", index, part, hint=hint)


def _moments(auto: CurveSet) -> Iterable[Moment]:
    if auto.span is not None:
        yield auto.span.start
        yield auto.span.length
    for curve in auto.every_curve():
        if len(curve.points) > 1:  # a single value needs no time
            yield from (point.at for point in curve.points)


def _has_length(moment: Moment) -> bool:
    return any(term.unit != "%" and term.amount for term in moment.terms)
