"""The grid of a control with a step or choices: which values it may take, one at a time and in plain numbers.

:class:`djgraph.layout.Grid` does the same for tensors.
"""

from __future__ import annotations

import math
from typing import Protocol

ROUNDING = 1e-6
"""How far a number may be off its grid, in steps or as a share of the range, and still be meant to lie on it."""


class Gridded(Protocol):
    """What of a :class:`djgraph.effects.Control` says its grid: its range, and a step from ``min`` on or choices."""

    @property
    def min(self) -> float: ...

    @property
    def max(self) -> float: ...

    @property
    def step(self) -> float | None: ...

    @property
    def choices(self) -> tuple[float, ...]: ...

    @property
    def held(self) -> bool: ...


def size(control: Gridded) -> int:
    """How many values the control may take."""
    if control.choices:
        return len(control.choices)
    assert control.step
    # The allowance keeps 1/0.1 from holding 9 steps; nine digits are finer than any step one can mean.
    return math.floor((control.max - control.min) / control.step + 1e-9) + 1


def value(control: Gridded, index: int) -> float:
    """The value of that number, from 0: a choice as declared, or so many steps from the minimum."""
    if control.choices:
        return float(control.choices[index])
    assert control.step
    return min(control.min + index * control.step, control.max)


def neighbours(control: Gridded, wanted: float) -> tuple[float, ...]:
    """The allowed values below and above a number, nearest first; one where it lies beyond the ends or on the grid."""
    if control.choices:
        near = sorted(map(float, control.choices), key=lambda choice: abs(choice - wanted))
        other = next((c for c in near[1:] if (c - wanted) * (near[0] - wanted) < 0), None)
    else:
        assert control.step
        steps, last = (wanted - control.min) / control.step, size(control) - 1
        below = min(max(math.floor(steps), 0), last)
        near = [value(control, below), value(control, min(below + 1, last))]
        near.sort(key=lambda one: abs(one - wanted))
        other = near[1] if (near[1] - wanted) * (near[0] - wanted) < 0 else None
    return (near[0],) if other is None or allows(control, wanted, near[0]) else (near[0], other)


def allows(control: Gridded, wanted: float, nearest: float | None = None) -> bool:
    """Whether a control may take a value, up to rounding; any in its range where it has no grid."""
    if not control.held:
        return True
    if nearest is None:
        nearest = neighbours(control, wanted)[0]
    unit = control.max - control.min if control.choices else control.step
    assert unit
    return abs(wanted - nearest) <= ROUNDING * unit


def off_grid(control: Gridded, wanted: float) -> str | None:
    """What is wrong with a value that the control may not take, in words; None where nothing is."""
    if allows(control, wanted):
        return None
    near = " and ".join(f"{one:g}" for one in sorted(neighbours(control, wanted)))
    return f"{wanted:g}, none of the values that it may take ({written(control)}); the nearest: {near}"


def written(control: Gridded) -> str:
    """The grid in words: ``1, 2, 4``, or ``0, 0.5, … 8``."""
    if not control.choices and size(control) > 6:
        first = f"{value(control, 0):g}, {value(control, 1):g}, {value(control, 2):g}"
        return f"{first}, … {value(control, size(control) - 1):g}"
    shown = [f"{value(control, index):g}" for index in range(min(size(control), 12))]
    return ", ".join(shown) + (", …" if size(control) > 12 else "")
