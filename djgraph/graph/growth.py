"""Loops that can give back more than they get, by their levels alone, so that what is in them grows without end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from djgraph.errors import Problem
from djgraph.graph.build import Built
from djgraph.graph.declare import SEND_EFFECT
from djgraph.graph.ir import EffectNode, FeedbackNode, Point, SumNode
from djgraph.graph.levels import Levels
from djgraph.graph.loops import Loop, loops

MOST = 1.001
"""How much of what goes into a loop may come round, with a little room for rounding."""

MOST_WAYS = 200
"""Ways back of a loop that is looked at: the work grows with their cube."""


def growing(built: Built) -> Iterator[Problem]:
    """A warning for each loop that can grow, at the first send that closes it.

    Levels and faders are taken to be up, macros where they let most through, and other effects to leave levels as they
    are. Of the gains from each way back to each, which are not negative, the largest eigenvalue says whether what goes
    round grows, whatever the delays: 1 keeps it as it is.
    """
    levels = Levels({column.name: column for column in built.graph.columns}, {})
    sites = {back.id: back.site for owner in built.owners.values() for back in owner.feedback.values()}
    for loop in loops(built.graph):
        if len(loop.ways) > MOST_WAYS:
            continue
        gains = np.array([_round(loop, way, levels) for way in loop.ways])
        gain = float(np.abs(np.linalg.eigvals(gains)).max())
        if gain > MOST:
            site = sites[loop.ways[0].id]
            message = f"this loop can grow without end: it can give back {gain:.3g} times what goes round"
            hint = "give a send in it a smaller level, as `level: {max: 0.9}`"
            yield site.problem(message, "feedback", key=True, hint=hint)


def _round(loop: Loop, start: FeedbackNode, levels: Levels) -> list[float]:
    """How much of what comes back on one way gets to the beginning of each."""
    carried = {Point(start.id): 1.0}
    for node in loop.nodes:
        if isinstance(node, SumNode):
            carried[Point(node.id)] = sum(carried.get(point, 0.0) for point in node.sources)
        elif isinstance(node, EffectNode):
            through = [node.sources[port.name] for port in node.effect.inputs if not port.apart]
            gain = max((carried.get(point, 0.0) for point in through), default=0.0)
            if node.effect.type == SEND_EFFECT:
                gain *= levels.of(node)
            carried |= {Point(node.id, port.name): gain for port in node.effect.outputs}
    return [carried.get(way.source, 0.0) for way in loop.ways]
