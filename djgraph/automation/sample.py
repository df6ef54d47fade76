"""Params → an Automation with few breakpoints, and a promise of how far it may be off."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from djgraph.arguments import is_real, shown
from djgraph.automation.automation import Automation
from djgraph.automation.curves import Curve, Point
from djgraph.automation.times import Moment, Term
from djgraph.errors import InputError, LayoutError
from djgraph.layout import ParameterLayout

Array = NDArray[np.float64]

ROUNDING = 2.0**-22
"""What a value may lose in float32, as a share of itself."""
ERROR = 0.01
"""Largest error of a sampled curve where none is given, in plain units."""


def from_params(
    layout: ParameterLayout,
    params: Tensor,
    duration: float,
    error: float | Mapping[str, float] = ERROR,
    *,
    name: str = "automation",
    title: str = "",
    description: str = "",
) -> Automation:
    """The course of params as straight lines between few breakpoints.

    params: ``[frames, controls]``, or with a batch of one. duration: of the clip, in seconds. error: how far a
    curve may be from the params at any frame, in each control's plain units: a number, or a mapping of name or
    pattern → number (0.01 for controls that it leaves out; of several patterns the last counts). With 0, every
    corner is kept.

    Rendered for the same layout, frames and duration, the automation is nowhere further off than ``error``
    (params out of range are clamped first, and those of controls with a step or choices snapped, as a mixer does).
    Controls that stay at their default, within the error, are left out; controls that move alike share a curve.
    A control with a step or choices gets a point of shape ``hold`` wherever it changes.

    Breakpoints are chosen as by D. Douglas and T. Peucker, "Algorithms for the reduction of the number of
    points required to represent a digitized line", 1973, with distances measured along the value axis.

    Raises InputError for wrong shapes, values that are not finite, a duration or an error that cannot be;
    LayoutError for unknown names.
    """
    if not isinstance(layout, ParameterLayout):
        raise InputError(f"layout: expected a ParameterLayout, got {shown(layout)}")
    layout.check(params)
    if params.ndim == 3:
        if params.shape[0] != 1:
            message = f"params hold a batch of {params.shape[0]}; an automation is one clip: params[i]"
            raise InputError(message)
        params = params[0]
    if not (is_real(duration) and duration > 0):
        raise InputError(f"duration is {shown(duration)}; expected seconds above 0")
    errors = _errors(layout, error)
    values = layout.snap(params.detach().cpu().double()).numpy()
    frames = len(values)
    step = duration / max(frames - 1, 1)
    # Rendering takes a breakpoint within 1e-6 of a frame for that frame, so times may be rounded a little.
    digits = max(0, math.ceil(-math.log10(step * 1e-7)))
    alike: dict[tuple[str, tuple[tuple[int, float], ...]], list[str]] = {}
    for column, its_error in zip(layout, errors):
        control = column.control
        course = np.clip(values[:, layout.index(column.name)], control.min, control.max)
        if np.abs(course - control.default).max() <= its_error:
            continue
        if control.held:
            changes = [0, *(np.flatnonzero(np.diff(course)) + 1).tolist()]
            alike.setdefault(("hold", tuple((i, float(course[i])) for i in changes)), []).append(column.name)
            continue
        tidy = np.clip(_tidy(course, its_error), control.min, control.max)
        # What rendering in float32 rounds is kept back from the error.
        strict = max(its_error - ROUNDING * float(np.abs(course).max()), 0.0)
        corners = tuple((i, float(tidy[i])) for i in simplify(course, strict, tidy))
        alike.setdefault(("linear", corners), []).append(column.name)
    curves = []
    for (shape, corners), names in alike.items():
        if len(corners) == 1 or all(value == corners[0][1] for _, value in corners):
            points = [Point(Moment((Term(0.0),)), corners[0][1])]
        else:
            seconds = [round(i * step, digits) for i, _ in corners]
            points = [Point(Moment((Term(s),)), value, shape) for s, (_, value) in zip(seconds, corners)]
        curves.append(Curve(tuple(names), tuple(points)))
    return Automation(tuple(curves), name, title, description)


def simplify(values: Array, error: float, kept: Array | None = None) -> list[int]:
    """Indices of the corners: lines between ``kept`` values there are within ``error`` of all ``values``.

    values: ``[frames]``. kept: what is written down for each frame, within error of it; the values where left
    out. The first and the last frame are always corners.
    """
    kept = values if kept is None else kept
    corners = {0, len(values) - 1}
    stack = [(0, len(values) - 1)]
    while stack:
        first, last = stack.pop()
        if last - first < 2:
            continue
        inside = np.arange(first + 1, last)
        line = kept[first] + (inside - first) * ((kept[last] - kept[first]) / (last - first))
        off = np.abs(line - values[first + 1 : last])
        worst = int(off.argmax())
        if off[worst] > error:
            middle = first + 1 + worst
            corners.add(middle)
            stack += [(first, middle), (middle, last)]
    return sorted(corners)


def _tidy(values: Array, error: float) -> Array:
    """The values with fewer digits, off by a twentieth of the error at most."""
    return np.round(values, max(0, math.ceil(-math.log10(error / 10)))) if error > 0 else values


def _errors(layout: ParameterLayout, error: float | Mapping[str, float]) -> list[float]:
    errors = [ERROR] * len(layout)
    for pattern, value in error.items() if isinstance(error, Mapping) else [("**", error)]:
        if not is_real(value) or value < 0:
            raise InputError(f"error is {shown(value)}; expected a number from 0, in plain units")
        try:
            columns = layout.select(pattern) if "*" in pattern else [layout.index(pattern)]
        except LayoutError as problem:
            if pattern == "**":  # a layout without controls
                continue
            raise LayoutError(f"error: {problem}") from None
        for column in columns:
            errors[column] = float(value)
    return errors
