"""Slopes by finite differences, whose step is chosen by agreement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

FIRST = (1e-5, 1e-6)
"""Steps that are tried first; where they agree, no others are."""
OTHERS = (1e-4, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12)
RATIO = 10.0
"""Of one step to the next one."""
AGREED = 1e-5
"""What the first two may differ by, relative to the slope."""
ROUNDING = 4e-16
"""Rounding error of a value in double precision, relative to the size of what it is a sum of."""

Values = Callable[[Tensor], tuple[Tensor, float]]
"""Distances along a line, [count] → the values there, and the size of what they are sums of."""


@dataclass(frozen=True)
class Slope:
    """A slope, and by how much it is off at most if the two steps that it was found with tell."""

    value: float
    error: float


def slope_by_differences(values: Values, one_sided: bool = False) -> Slope:
    """The slope at distance 0 of a function along a line.

    Differences with ever smaller steps agree once no corner lies within the step and curvature no longer counts, and
    disagree again where rounding outweighs them. Neighbours are extrapolated after Richardson, and the two that agree
    best are believed: which they are depends on the function alone, not on the gradient it is compared with.

    one_sided: only distances from 0 up, for the end of a range.
    """
    tried = _differences(values, FIRST, one_sided)
    slope = _best(tried)
    if slope.error <= AGREED * abs(slope.value):
        return slope
    return _best(sorted([*tried, *_differences(values, OTHERS, one_sided)], reverse=True))


def _differences(values: Values, steps: Sequence[float], one_sided: bool) -> list[tuple[float, float, float]]:
    """For each step: step, difference quotient of second order, its rounding error."""
    places, weights = ((0.0, 1.0, 2.0), (-1.5, 2.0, -0.5)) if one_sided else ((-1.0, 1.0), (-0.5, 0.5))
    distances = torch.tensor(
        [step * place for step in steps for place in places], dtype=torch.float64, device="cpu"
    )
    found, size = values(distances)
    quotients = found.view(len(steps), len(places)) @ found.new_tensor(weights)
    return [(step, float(q) / step, ROUNDING * size / step) for step, q in zip(steps, quotients)]


def _best(tried: Sequence[tuple[float, float, float]]) -> Slope:
    square = RATIO**2
    slopes = []
    for (_, large, _), (_, small, rounding) in pairwise(tried):
        slopes.append(Slope((square * small - large) / (square - 1), abs(small - large) + rounding))
    return min(slopes, key=lambda slope: slope.error if slope.error == slope.error else float("inf"))
