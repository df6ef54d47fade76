"""What gains let through for given values of columns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from itertools import product

from djgraph.graph.controls import interpolate
from djgraph.graph.ir import Blend, Column, Constant, EffectNode, Free, MacroCurve

MOST_PLACES = 4096
"""Positions of columns that are tried together; where there are more, each term is taken at its highest."""


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
            return self._blend(binding)
        return self._curve(binding)

    def _blend(self, blend: Blend) -> float:
        """The most that terms add up to. A column in several of them has one position in all: one solo opens its term
        and closes the other. Between the points of curves a sum of products is nowhere higher than at one of them."""
        places: dict[str, set[float]] = {}
        seen = Counter(name for term in blend.terms for name in {curve.column for curve in term})
        for curve in (curve for term in blend.terms for curve in term):
            if seen[curve.column] > 1 and curve.column not in self._values:
                places.setdefault(curve.column, set()).update(x for x, _ in curve.points)
        if math.prod(map(len, places.values())) > MOST_PLACES:
            return sum(math.prod(map(self._curve, term)) for term in blend.terms)
        return max(
            sum(
                math.prod(
                    _at(curve, where) if curve.column in where else self._curve(curve) for curve in term
                )
                for term in blend.terms
            )
            for where in (dict(zip(places, xs)) for xs in product(*places.values()))
        )

    def _curve(self, curve: MacroCurve) -> float:
        if curve.column not in self._values:
            return max(abs(y) for _, y in curve.points)
        return _at(curve, self._values)


def _at(curve: MacroCurve, values: Mapping[str, float]) -> float:
    return abs(interpolate(curve.points, values[curve.column]))
