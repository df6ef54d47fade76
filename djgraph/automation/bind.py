"""An automation on one layout and clip: which columns, which seconds, which values, and all that does not fit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from djgraph.automation.curves import Curve, CurveSet, First, Tempo
from djgraph.automation.model import WORDS
from djgraph.automation.targets import Missing, Targets, Unclear
from djgraph.automation.times import Moment, NoTempo, Ruler, TempoMap
from djgraph.effects.control import Control
from djgraph.effects.grid import neighbours, off_grid
from djgraph.effects.roles import Measure
from djgraph.effects.units import did_you_mean_value
from djgraph.errors import AutomationError, InputError, Problem, option, shorten
from djgraph.language.fold import in_file_order
from djgraph.language.words import describe
from djgraph.layout import ParameterLayout, measures
from djgraph.layout.faders import no_fade

Array = NDArray[np.float64]
Some = TypeVar("Some", bound=CurveSet)


@dataclass(frozen=True)
class Bound:
    """A curve on a layout: ``columns`` that it moves, ``values`` ``[points, columns]``, ``seconds`` ``[points]``.

    controls: the columns' declarations. The values are said in the curve's measure, in which they go from point to
    point; :meth:`plain` makes the controls' own of them.
    held: which columns, ``[columns]``, keep each value until the next point, for they have a step or choices.
    in_beats: which ways from one point to the next, ``[points - 1]``, go evenly in beats of ``tempo``, a tempo that
    changes; otherwise, and with a steady tempo, they go evenly in seconds.
    """

    curve: Curve
    columns: tuple[int, ...]
    controls: tuple[Control, ...]
    values: Array
    seconds: Array
    held: NDArray[np.bool_]
    in_beats: NDArray[np.bool_]
    tempo: TempoMap | None = None

    @property
    def straight(self) -> NDArray[np.bool_]:
        """For which columns, ``[columns]``, a straight line in the curve's measure is one in plain units."""
        return np.array([measures.is_straight(c, self.curve.measure) for c in self.controls], dtype=bool)

    def plain(self, values: Array) -> Array:
        """Values ``[…, columns]`` in the controls' plain units, within their ranges."""
        if self.curve.measure == "plain":
            return values
        made = [_plain(c, self.curve, values[..., i]) for i, c in enumerate(self.controls)]
        return np.stack([np.clip(x, c.min, c.max) for x, c in zip(made, self.controls)], -1)

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
    chosen = list(_choose(auto, Targets(layout), problems))
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
        controls = tuple(layout.columns[column].control for column in columns)
        held = np.array([control.held for control in controls], dtype=bool)
        pairs = zip(curve.points, curve.points[1:])
        in_beats = np.array([ruler.in_beats(here.at, there.at) for here, there in pairs], dtype=bool)
        changing = ruler.tempo if ruler.tempo is not None and len(ruler.tempo.points) > 1 else None
        bounds.append(Bound(curve, tuple(columns), controls, values, seconds, held, in_beats, changing))
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
        alike: dict[tuple[bool, tuple[float, ...]], list[int]] = {}
        plain, straight = bound.plain(bound.values), bound.straight | (len(bound.values) == 1)
        for i, column in enumerate(bound.columns):
            if column not in taken:  # a later curve counts for it
                course = plain[:, i] if straight[i] else bound.values[:, i]
                alike.setdefault((bool(straight[i]), tuple(course.tolist())), []).append(column)
        taken.update(bound.columns)
        for (is_plain, values), columns in reversed(alike.items()):
            points = tuple(replace(point, value=v) for point, v in zip(bound.curve.points, values))
            names = tuple(layout.names[column] for column in columns)
            unit = "" if is_plain else bound.curve.measure
            curves.append(Curve(names, points, unit=unit, site=bound.curve.site))
    return replace(auto, curves=tuple(reversed(curves)))


def _choose(auto: CurveSet, targets: Targets, problems: list[Problem]) -> Iterable[tuple[Curve, list[int]]]:
    """The curves that count on this layout, with their columns."""
    for item in auto.curves:
        missing = []
        for curve in item.curves if isinstance(item, First) else (item,):
            try:
                columns = targets.columns(curve)
            except Unclear as fault:
                problems.append(_lack(curve, fault))
                break
            except Missing as lack:
                missing.append((curve, lack))
                continue
            yield curve, columns
            break
        else:
            if any(curve.optional for curve, _ in missing):
                continue
            curve, first = missing[0]
            if len(missing) == 1:
                problems.append(_lack(curve, first))
            else:
                what = "; ".join(other.message for _, other in missing)
                message = f"the graph has none of the {len(missing)} alternatives: {what}"
                problem = item.site.problem(message, allowed=first.allowed, name=first.name, hint=first.hint)
                problems.append(problem)


def _lack(curve: Curve, lack: Missing) -> Problem:
    key = "role" if curve.role else "fader" if curve.fader else "control"
    if lack.key is not None and lack.key in curve.site.written():
        key = lack.key
    return curve.site.problem(lack.message, key, allowed=lack.allowed, name=lack.name, hint=lack.hint)


def _collisions(layout: ParameterLayout, chosen: Sequence[tuple[Curve, list[int]]]) -> Iterable[Problem]:
    seen: dict[frozenset[int], Curve] = {}
    for curve, columns in chosen:
        other = seen.setdefault(frozenset(columns), curve)
        if other is not curve:
            names = shorten([layout.names[column] for column in columns], 4)
            hint = "give each control one curve; a pattern may be followed by a curve for a part of what it matches"
            yield curve.site.problem(f"two curves are for the same control: {names}", hint=hint)


def _values(layout: ParameterLayout, curve: Curve, columns: Sequence[int], problems: list[Problem]) -> Array:
    """Values ``[points, columns]`` in the curve's measure; words become each control's own numbers."""
    controls, names = [layout.columns[column].control for column in columns], layout.names
    if unknown := list(_unknown_words(layout, curve, columns)):
        problems += unknown
        return np.zeros((len(curve.points), len(columns)))
    values = np.array(
        [[_number(point.value, c, curve.measure) for c in controls] for point in curve.points],
        dtype=np.float64,
    )
    for column, control in zip(columns, controls):
        if not measures.fits(control, curve.measure):
            message = f"{names[column]} is in {control.unit}, so its values cannot be said as amplitudes"
            problems.append(curve.site.problem(message, *_measure_key(curve)))
            return values
    plain = np.stack([_plain(c, curve, values[:, i]) for i, c in enumerate(controls)], -1)
    for j in range(len(curve.points)):
        outside = [
            i
            for i, c in enumerate(controls)
            if not c.min <= plain[j, i] <= c.max or (curve.measure == "amplitude" and values[j, i] < 0)
        ]
        if outside:
            first = outside[0]
            c, name = controls[first], names[columns[first]]
            more = f" (and {len(outside) - 1} more)" if len(outside) > 1 else ""
            value, made = values[j, first], plain[j, first]
            said = f"{value:g}" if value == made or value < 0 else f"{value:g}, which is {made:.4g} {c.unit},"
            message = f"{said} is out of the range of {name}{more}: {c.min:g} … {c.max:g} {c.unit}"
            hint = did_you_mean_value(c, float(value)) if curve.measure == "plain" else None
            problems.append(at_point(curve, j, "value", message, hint))
        elif fault := next(filter(None, map(off_grid, controls, plain[j].tolist())), None):
            which = next(i for i, c in enumerate(controls) if off_grid(c, plain[j, i]))
            problems.append(at_point(curve, j, "value", f"{names[columns[which]]} is {fault}"))
    for i, column in enumerate(columns):
        if curve.is_fade and (fault := no_fade(layout, column)) is not None:
            problems.append(curve.site.problem(fault, "fader" if curve.fader else "role"))
        if controls[i].rate == "clip" and len(set(values[:, i])) > 1:
            message = f"{names[column]} is read once, at the start of a clip, so it cannot move"
            problems.append(curve.site.problem(message, "control", hint="give it one value"))
            break
    return values


def _unknown_words(layout: ParameterLayout, curve: Curve, columns: Sequence[int]) -> Iterable[Problem]:
    """Words that a control has no value for: one of all controls', or a position of its own."""
    for j, point in enumerate(curve.points):
        if not isinstance(point.value, str) or point.value in WORDS:
            continue
        for column in columns:
            names = layout.columns[column].control.names
            if point.value not in names:
                message = f"expected a number, got {describe(point.value)}"
                if names:
                    message = f"{layout.names[column]} has no position {point.value!r}"
                allowed = tuple(dict.fromkeys((*names, *WORDS)))
                yield at_point(curve, j, "value", message, allowed=allowed, name=point.value)
                break


def _plain(control: Control, curve: Curve, values: Array) -> Array:
    return measures.plain(control, curve.measure, values)


def _measure_key(curve: Curve) -> tuple[str, ...]:
    return ("unit",) if curve.unit else ("role",) if curve.role else ()


def _number(value: float | str, control: Control, measure: Measure) -> float:
    """A value in a measure; words, which are known, are plain values of the control's own."""
    if not isinstance(value, str):
        return float(value)
    if value not in WORDS:
        own = control.min + control.names.index(value)
    elif value == "neutral":
        own = float(control.default if control.neutral is None else control.neutral)
    else:
        end = float(getattr(control, value))
        own = neighbours(control, end)[0] if control.held else end  # the last step may end below the maximum
    return measures.said(control, measure, own)


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


def at_point(
    curve: Curve,
    index: int,
    key: str,
    message: str,
    hint: str | None = None,
    *,
    allowed: Sequence[str] = (),
    name: str | None = None,
) -> Problem:
    """A problem with one point, which may be written as a list, as a mapping, or as the curve's one value."""
    written = curve.site.written()
    points = written.get("points") if isinstance(written, dict) else None
    if not isinstance(points, list) or index >= len(points):
        return curve.site.problem(message, "value", hint=hint, allowed=allowed, name=name)
    part = key if isinstance(points[index], dict) else ("at", "value").index(key)
    return curve.site.problem(message, "points", index, part, hint=hint, allowed=allowed, name=name)


def _moments(auto: CurveSet) -> Iterable[Moment]:
    if auto.span is not None:
        yield auto.span.start
        yield auto.span.length
    for curve in auto.every_curve():
        if len(curve.points) > 1:  # a single value needs no time
            yield from (point.at for point in curve.points)


def _has_length(moment: Moment) -> bool:
    return any(term.unit != "%" and term.amount for term in moment.terms)
