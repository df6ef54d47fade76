"""How much louder an effect can make a sound, by its own account of its gain."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.effects import Control
from djgraph.graph.conflicts import span
from djgraph.graph.ir import Column, EffectNode
from djgraph.host.calls import EffectCall

MOST_POINTS = 600
"""Settings of all controls that are tried together; where there were more, each control is moved by itself."""


def peak(call: EffectCall, columns: Mapping[str, Column]) -> NDArray[np.float64] | None:
    """The most that a node's gain is at each frequency, ``[bins]``, or ``[1]`` where it is one number; None where the
    effect tells none.

    columns: by name. Controls are tried at both ends of what the graph lets them be and in the middle, all together.
    Raises EffectError where the effect fails.
    """
    (node,) = call.nodes
    values = [_places(control, node, columns) for control in node.effect.controls]
    points = _points(values)
    controls = {
        control.id: torch.tensor([row[place] for row in points], dtype=torch.float64, device="cpu")[
            None, :, None
        ]
        for place, control in enumerate(node.effect.controls)
    }
    with torch.no_grad():
        gain = call.magnitude(controls, 1, len(points), call.module.environment.transform.bins)
    return None if gain is None else gain[0].amax(0).numpy()


def _places(control: Control, node: EffectNode, columns: Mapping[str, Column]) -> tuple[float, ...]:
    low, high, rest = span(node.bindings[control.id], columns)
    if control.choices or control.step:
        middle = rest
    elif control.scale == "log" and low > 0:
        middle = math.sqrt(low * high)
    else:
        middle = (low + high) / 2
    return tuple(dict.fromkeys((high, low, middle)))


def _points(values: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    if math.prod(map(len, values)) <= MOST_POINTS:
        return list(itertools.product(*values))
    corners = [tuple(one[min(place, len(one) - 1)] for one in values) for place in range(3)]
    moved = [
        (*corner[:index], value, *corner[index + 1 :])
        for corner in corners
        for index, one in enumerate(values)
        for value in one
    ]
    return list(dict.fromkeys(corners + moved))
