"""What a graph changes in a control's declaration, checked against the effect's own; and macros' declarations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from djgraph.effects import Control
from djgraph.effects.grid import neighbours, off_grid
from djgraph.effects.units import did_you_mean_value
from djgraph.errors import Problem
from djgraph.language.parts import Knob, Override
from djgraph.language.quantity import Quantity
from djgraph.language.site import Site
from djgraph.language.source import Source

TOLERANCE = 1e-9
LONGEST_CURVE = 1000
"""Most points of a curve that macros in a row make."""

Points = tuple[tuple[float, float], ...]


def in_units(override: Override, control: Control, site: Site) -> tuple[Override, list[Problem]]:
    """What a graph changes, with quantities (``180 Hz``) as plain numbers in the control's unit."""
    changes: dict[str, float] = {}
    problems: list[Problem] = []
    for key in ("default", "min", "max", "neutral", "value"):
        given: Any = getattr(override, key)
        if isinstance(given, Quantity):
            place = site if key == "value" and not isinstance(site.written(), dict) else site.below(key)
            changes[key], more = plain(control, given, place)
            problems += more
    return (override.model_copy(update=changes) if changes else override), problems


def plain(control: Control, given: Quantity, site: Site) -> tuple[float, list[Problem]]:
    """A quantity as a plain number of the control; its default where it fits none, which is a problem."""
    number = given.plain(control.unit, control.amplitude)
    if number is not None and math.isfinite(number):
        # 375 ms is 0.375 s, and not what multiplying by 0.001 gives.
        return float(f"{number:.12g}"), []
    message = f"{given} does not fit {control.id}, which goes {_from_to(control)}"
    hint = "a plain number is taken as it is"
    if control.unit == "ratio":
        hint = "decibels and % fit it" if control.amplitude else "it has no unit: a plain number, or %"
    return control.default, [site.problem(message, hint=hint)]


def in_units_of(
    driven: Control, points: Sequence[tuple[float, float]], site: Site
) -> tuple[Points, list[Problem]]:
    """A curve's points with plain numbers for y."""
    result, problems = [], []
    for index, (x, y) in enumerate(points):
        given: Any = y
        if isinstance(given, Quantity):
            y, more = plain(driven, given, site.below(index, 1))
            problems += more
        result.append((x, y))
    return tuple(result), problems


def straight(macro: Control, driven: Control) -> Points:
    """The curve that is meant where none is given: over both ranges, from end to end."""
    return (macro.min, driven.min), (macro.max, driven.max)


def composed(inner: Points, outer: Points) -> Points:
    """``outer`` after ``inner``: straight lines again, with points where either has one."""
    points = []
    for (x0, u0), (x1, u1) in pairwise(inner):
        points.append((x0, interpolate(outer, u0)))
        between = [(u, y) for u, y in outer if min(u0, u1) < u < max(u0, u1)]
        for u, y in between if u0 < u1 else reversed(between):
            points.append((x0 + (x1 - x0) * (u - u0) / (u1 - u0), y))
    points.append((inner[-1][0], interpolate(outer, inner[-1][1])))
    # Points so near that rounding puts them at one x are one.
    return tuple(point for point, after in pairwise([*points, (math.inf, 0.0)]) if point[0] < after[0])


def constant(control: Control, value: float, site: Site) -> list[Problem]:
    """What is wrong with fixing a control at ``value``."""
    return _in_range(control, value, "", site)


def narrowed(control: Control, override: Override, site: Site) -> tuple[Control, list[Problem]]:
    """The declaration with the range that a graph gives it, which is never wider than the effect's."""
    problems = []
    for key, value in (("min", override.min), ("max", override.max)):
        if value is not None and not control.min <= value <= control.max:
            message = f"{key} {value:g} would widen the range of {control.id}, {_range(control)}"
            hint = did_you_mean_value(control, value) or "a graph can only make it narrower"
            problems.append(site.problem(message, key, hint=hint))
    low = control.min if override.min is None else override.min
    high = control.max if override.max is None else override.max
    if not problems and not low < high:
        key = "max" if override.max is not None else "min"
        problems.append(site.problem(f"the range {low:g} … {high:g} is empty", key))
    if problems:
        return control, problems
    choices = tuple(choice for choice in control.choices if low <= choice <= high)
    if control.choices and not choices:
        message = f"the range {low:g} … {high:g} holds none of the values that {control.id} may take"
        return control, [site.problem(message, allowed=[f"{choice:g}" for choice in control.choices])]
    if not control.choices and override.min is not None and (fault := off_grid(control, low)):
        return control, [site.problem(f"min is {fault}", "min", hint="steps are counted from the minimum")]
    return control.replace(min=low, max=high, choices=choices), []


def overridden(
    control: Control, override: Override, prefix: str, site: Site
) -> tuple[Control, list[Problem]]:
    """The declaration after a graph's overrides.

    prefix: the owner's name and a dot, put before aliases, which then are whole column names. A control whose
    range the graph narrows so that its neutral value lies outside has no neutral value any more.
    """
    changed, problems = narrowed(control, override, site)
    if problems:
        return control, problems
    default, neutral = control.default, control.neutral
    if override.default is not None:
        default = override.default
        problems += _in_range(changed, default, "default ", site.below("default"))
    elif not changed.min <= default <= changed.max:
        message = f"the default of {control.id}, {default:g}, is outside {_range(changed)}"
        problems.append(site.problem(message, hint="give a `default` in the narrower range"))
    elif fault := off_grid(changed, default):
        problems.append(site.problem(f"the default of {control.id} is {fault}", hint="give a `default`"))
    if override.neutral is not None:
        neutral = override.neutral
        problems += _in_range(changed, neutral, "neutral ", site.below("neutral"))
    elif neutral is not None and not changed.min <= neutral <= changed.max:
        neutral = None
    changed = changed.replace(
        default=default,
        neutral=neutral,
        label=override.label or control.label,
        description=override.description or control.description,
        aliases=tuple(prefix + alias for alias in override.aliases) or control.aliases,
    )
    return changed, problems


def range_in_words(control: Control, low: float, high: float) -> str:
    """What a graph says of a control so that it goes from ``low`` to ``high``; empty where that is no range of it."""
    changed, problems = narrowed(control, Override(min=low, max=high), Site(Source({})))
    if problems:
        return ""
    words = [
        f"{key}: {now:g}"
        for key, now, before in (("min", low, control.min), ("max", high, control.max))
        if now != before
    ]
    if not low <= control.default <= high or off_grid(changed, control.default):
        nearest = min(max(control.default, low), high)
        words.append(f"default: {neighbours(changed, nearest)[0] if changed.held else nearest:g}")
    return ", ".join(words)


def knob(name: str, model: Knob, aliases: Sequence[str], site: Site) -> tuple[Control, list[Problem]]:
    """The declaration of a macro's column; without a ``default`` it rests at neutral, or else at its minimum."""
    problems: list[Problem] = []
    if not model.min < model.max:
        problems.append(site.problem(f"the range {model.min:g} … {model.max:g} is empty", "max"))
    default = model.default
    if default is None:
        default = model.min if model.neutral is None else model.neutral
    control = Control(
        model.min,
        model.max,
        model.neutral,
        label=model.label or name.replace("_", " ").replace(".", " ").capitalize(),
        description=model.description or "",
        aliases=tuple(aliases),
        id=name,
        default=default,
    )
    if not problems:
        for key, value in (("default", model.default), ("neutral", model.neutral)):
            if value is not None:
                problems += _in_range(control, value, f"{key} ", site.below(key))
    return control, problems


def curve(
    macro: Control, driven: Control, points: Sequence[tuple[float, float]], site: Site
) -> list[Problem]:
    """What is wrong with the curve through which a macro drives a control."""
    problems = places(macro, points, site)
    for index, (_, y) in enumerate(points):
        if not driven.min <= y <= driven.max:
            message = f"{y:g} is outside the range of {driven.id}, {_range(driven)}"
            problems.append(site.problem(message, index, hint=did_you_mean_value(driven, y)))
    if not problems and macro.neutral is not None and driven.neutral is not None:
        value = interpolate(points, macro.neutral)
        if abs(value - driven.neutral) > TOLERANCE * max(1.0, abs(driven.neutral)):
            message = (
                f"the macro is said to be neutral at {macro.neutral:g}, but there the curve gives {value:g}, "
                f"and {driven.id} is neutral at {driven.neutral:g}"
            )
            problems.append(site.problem(message, key=True))
    return problems


def places(macro: Control, points: Sequence[tuple[float, Any]], site: Site) -> list[Problem]:
    """What is wrong with the x of a curve, whatever the macro drives by it."""
    if not macro.min < macro.max:
        return []  # a problem of the macro, noted already
    if len(points) < 2:
        return [site.problem("a curve has at least two points [x, y]")]
    problems = []
    for index, ((x, _), (following, _)) in enumerate(pairwise(points)):
        if not x < following:
            message = f"x does not ascend: {following:g} comes after {x:g}"
            problems.append(site.problem(message, index + 1))
    ends = ((0, points[0][0], macro.min, "begin"), (len(points) - 1, points[-1][0], macro.max, "end"))
    for index, x, limit, verb in ends:
        if x != limit:
            message = f"the curve does not {verb} at {limit:g}, where the macro's range does"
            problems.append(site.problem(message, index))
    return problems


def interpolate(points: Sequence[tuple[float, float]], x: float) -> float:
    """The curve at ``x``: straight lines between points of ascending x."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def finest(rates: Iterable[str]) -> str:
    """The rate at which a column must be known when controls of these rates read it."""
    return min(rates, key=("sample", "frame", "clip").index)


def _in_range(control: Control, value: float, what: str, site: Site) -> list[Problem]:
    if not control.min <= value <= control.max:
        message = f"{what}{value:g} is outside the range of {control.id}, {_range(control)}"
        return [site.problem(message, hint=did_you_mean_value(control, value))]
    if control.choices and value not in control.choices:
        allowed = [f"{choice:g}" for choice in control.choices]
        return [site.problem(f"{what}{value:g} is not one of the choices of {control.id}", allowed=allowed)]
    if fault := off_grid(control, value):
        return [site.problem(f"{what or 'the value '}of {control.id} is {fault}")]
    return []


def _from_to(control: Control) -> str:
    unit = "without a unit" if control.unit == "ratio" else f"in {control.unit}"
    return f"from {control.min:g} to {control.max:g} {unit}"


def _range(control: Control) -> str:
    unit = "" if control.unit == "ratio" else f" {control.unit}"
    return f"{control.min:g} … {control.max:g}{unit}"
