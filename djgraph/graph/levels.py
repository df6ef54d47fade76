"""What gains let through for given values of columns."""

from __future__ import annotations

import math
from collections.abc import Mapping

from djgraph.graph.controls import interpolate
from djgraph.graph.ir import Blend, Column, Constant, EffectNode, Free, MacroCurve


class Levels:
    """What gains let through at most, for these values of columns; without values, of columns at their maximum and of
    curves at their highest point.
    """

    def __init__(self, columns: Mapping[str, Column], values: Mapping[str, float]) -> None:
        self._columns = columns
        self._values = values

    def of(self, node: EffectNode) -> float:
        """The level of a node with one control."""
        (binding,) = node.bindings.values()
        if isinstance(binding, Constant):
            return abs(binding.value)
        if isinstance(binding, Free):
            value = self._values.get(binding.column, self._columns[binding.column].control.max)
            return abs(value)
        if isinstance(binding, Blend):
            return sum(math.prod(map(self._curve, term)) for term in binding.terms)
        return self._curve(binding)

    def _curve(self, curve: MacroCurve) -> float:
        if curve.column not in self._values:
            return max(abs(y) for _, y in curve.points)
        return abs(interpolate(curve.points, self._values[curve.column]))
