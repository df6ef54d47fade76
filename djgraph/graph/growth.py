"""Loops that can give back more than they get, so that what is in them grows without end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from djgraph.effects import Environment
from djgraph.errors import EffectError, Problem
from djgraph.graph.build import Built
from djgraph.graph.conflicts import use_of
from djgraph.graph.declare import SEND_EFFECT
from djgraph.graph.draft import EffectDraft
from djgraph.graph.ir import Column, EffectNode, FeedbackNode, Graph, Node, Point, SumNode
from djgraph.graph.levels import Levels
from djgraph.graph.loops import Loop, loops

MOST = 1.001
"""How much of what goes into a loop may come round, with a little room for rounding."""

MOST_WAYS = 200
"""Ways back of a loop that is looked at: the work grows with their cube."""

FEW_WAYS = 16
"""Ways back of a loop that is looked at for each frequency by itself; in larger ones effects count as their peaks."""

Gain = NDArray[np.float64]
"""A factor of the amplitude for each frequency, or one for all: ``[bins]`` or ``[1]``."""

_SAME = np.ones(1)


def growing(built: Built, graph: Graph, peak: Callable[[EffectNode], Gain | None]) -> Iterator[Problem]:
    """A warning for each loop that can grow, at the first send that closes it.

    graph: as it is run. peak: how much louder an effect makes each frequency at most, None where that is not known:
    such effects are taken to leave levels as they are. Levels and faders are taken to be up, macros where they let most
    through. What limits its output stops all growth. Of the gains from each way back to each, which are not negative,
    the largest eigenvalue says whether what goes round grows, whatever the delays: 1 keeps it as it is. Raises
    EffectError where an effect fails to tell.
    """
    columns = {column.name: column for column in built.graph.columns}
    sites = {back.id: back.site for owner in built.owners.values() for back in owner.feedback.values()}
    place = {node.id: index for index, node in enumerate(graph.nodes)}
    for loop in loops(graph):
        if len(loop.ways) > MOST_WAYS:
            continue
        gains = _gains(loop, built, columns, peak)
        nodes = sorted(loop.nodes, key=lambda node: place[node.id])
        rows = [_round(loop, nodes, way, gains) for way in loop.ways]
        bins = max(one.shape[0] for row in rows for one in row)
        matrix = np.stack([np.stack([np.broadcast_to(one, bins) for one in row], -1) for row in rows], -2)
        if len(loop.ways) > FEW_WAYS:
            matrix = matrix.max(0, keepdims=True)
        found = np.abs(np.linalg.eigvals(matrix)).max(-1)
        gain = float(found.max())
        if gain <= MOST:
            continue
        message = f"this loop can grow without end: it can give back {gain:.3g} times what goes round"
        if found.max() > 1.01 * found.min():
            message += f", at {_hertz(int(found.argmax()), built.graph.environment)}"
        hint = "give a send in it a smaller level, as `level: {max: 0.9}`"
        louder = [name for name, one in gains.items() if one.max() > MOST]
        if louder:
            hint += f", or less to what amplifies in it: {', '.join(louder[:3])}"
            hint += f" and {len(louder) - 3} more" if len(louder) > 3 else ""
        yield sites[loop.ways[0].id].problem(message, "feedback", key=True, hint=hint)


def _gains(
    loop: Loop,
    built: Built,
    columns: Mapping[str, Column],
    peak: Callable[[EffectNode], Gain | None],
) -> dict[str, Gain]:
    """By effect of the loop, how much it lets through at most."""
    drafts = {
        draft.id: draft
        for owner in built.owners.values()
        for draft in owner.chain
        if isinstance(draft, EffectDraft) and not draft.is_route
    }
    levels = Levels(columns, {})
    gains: dict[str, Gain] = {}
    for node in loop.effects:
        draft = drafts.get(node.id)
        if node.effect.type == SEND_EFFECT:
            gains[node.id] = np.array([levels.of(node)])
        elif draft is not None and _limits(draft, node, columns, built.graph.environment):
            gains[node.id] = np.zeros(1)
        else:
            known = peak(node)
            gains[node.id] = _SAME if known is None else known
    return gains


def _limits(
    draft: EffectDraft, node: EffectNode, columns: Mapping[str, Column], environment: Environment
) -> bool:
    assert draft.effect is not None
    try:
        return bool(draft.effect.limits(use_of(draft, node.channels, columns), environment))
    except Exception as error:
        raise EffectError(
            f"effect {draft.effect.type!r} failed in limits(): {type(error).__name__}: {error}, "
            f"for {draft.id!r} {draft.site.where()}"
        ) from error


def _round(loop: Loop, nodes: Sequence[Node], start: FeedbackNode, gains: Mapping[str, Gain]) -> list[Gain]:
    """How much of what comes back on one way gets to the beginning of each. nodes: those of the loop, in an order in
    which only the ways back read what comes later."""
    nothing = np.zeros(1)
    carried: dict[Point, Gain] = {Point(start.id): _SAME}
    for node in nodes:
        if isinstance(node, SumNode):
            carried[Point(node.id)] = sum((carried.get(point, nothing) for point in node.sources), nothing)
        elif isinstance(node, EffectNode):
            through = [node.sources[port.name] for port in node.effect.inputs if not port.apart]
            came = [carried[point] for point in through if point in carried]
            gain = gains[node.id] * (np.maximum.reduce(np.broadcast_arrays(*came)) if came else nothing)
            carried |= {Point(node.id, port.name): gain for port in node.effect.outputs}
    return [carried.get(way.source, nothing) for way in loop.ways]


def _hertz(bin_: int, environment: Environment) -> str:
    return f"{bin_ * environment.sample_rate / environment.transform.size:.3g} Hz"
