"""What a graph changes in a control's declaration, checked against the effect's own; and macros' declarations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from djgraph.effects import Control
from djgraph.effects.grid import off_grid
from djgraph.effects.units import did_you_mean_value
from djgraph.errors import Problem
from djgraph.language.parts import Knob, Override
from djgraph.language.site import Site

TOLERANCE = 1e-9


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


def _range(control: Control) -> str:
    unit = "" if control.unit == "ratio" else f" {control.unit}"
    return f"{control.min:g} … {control.max:g}{unit}"
