"""Loops that can give back more than they get, so that what is in them grows without end."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from djgraph.effects import Environment
from djgraph.errors import EffectError, Problem
from djgraph.graph.build import Built
from djgraph.graph.conflicts import use_of
from djgraph.graph.declare import SEND_EFFECT
from djgraph.graph.draft import EffectDraft
from djgraph.graph.ir import (
    Blend,
    Column,
    EffectNode,
    FeedbackNode,
    Graph,
    MacroCurve,
    Node,
    Point,
    SumNode,
)
from djgraph.graph.levels import Levels
from djgraph.graph.loops import Loop, loops

MOST = 1.001
"""How much of what goes into a loop may come round, with a little room for rounding."""

MOST_WAYS = 200
"""Ways back of a loop that is looked at: the work grows with their cube."""

FEW_WAYS = 16
"""Ways back of a loop that is looked at for each frequency by itself; in larger ones effects count as their peaks."""

MOST_POSITIONS = 256
"""Positions of shared columns that a loop is tried in; where there are more, each gain is taken at its own highest."""

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
        nodes = sorted(loop.nodes, key=lambda node: place[node.id])
        peaks = _peaks(loop, built, columns, peak)
        positions = [peaks | _levels(loop, columns, where) for where in _positions(loop)]
        rounds = [_largest(loop, nodes, gains) for gains in positions]
        found, gains = max(zip(rounds, positions), key=lambda one: float(one[0].max()))
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


def _largest(loop: Loop, nodes: Sequence[Node], gains: Mapping[str, Gain]) -> Gain:
    """The largest eigenvalue of the gains from each way back to each, for each frequency."""
    rows = [_round(loop, nodes, way, gains) for way in loop.ways]
    bins = max(one.shape[0] for row in rows for one in row)
    matrix = np.stack([np.stack([np.broadcast_to(one, bins) for one in row], -1) for row in rows], -2)
    if len(loop.ways) > FEW_WAYS:
        matrix = matrix.max(0, keepdims=True)
    largest: Gain = np.abs(np.linalg.eigvals(matrix)).max(-1)
    return largest


def _positions(loop: Loop) -> Iterator[Mapping[str, float]]:
    """Where columns are tried that several gains of a loop follow: a macro or a switch has one position in all of them,
    and opens one way as it closes another. Tried are the points of their curves, and between them."""
    points: dict[str, set[float]] = {}
    seen: Counter[str] = Counter()
    for node in loop.effects:
        if node.effect.type == SEND_EFFECT:
            curves = list(_curves(node))
            seen.update({curve.column for curve in curves})
            for curve in curves:
                points.setdefault(curve.column, set()).update(x for x, _ in curve.points)
    places = {
        name: sorted({*xs, *(0.5 * (a + b) for a, b in pairwise(sorted(xs)))})
        for name, xs in points.items()
        if seen[name] > 1
    }
    if math.prod(map(len, places.values())) > MOST_POSITIONS:
        places = {}
    return (dict(zip(places, xs)) for xs in product(*places.values()))


def _curves(node: EffectNode) -> Iterator[MacroCurve]:
    (binding,) = node.bindings.values()
    if isinstance(binding, MacroCurve):
        yield binding
    elif isinstance(binding, Blend):
        yield from (curve for term in binding.terms for curve in term)


def _levels(loop: Loop, columns: Mapping[str, Column], where: Mapping[str, float]) -> dict[str, Gain]:
    """By gain of the loop, how much it lets through at most with columns in those positions."""
    levels = Levels(columns, where)
    return {node.id: np.array([levels.of(node)]) for node in loop.effects if node.effect.type == SEND_EFFECT}


def _peaks(
    loop: Loop,
    built: Built,
    columns: Mapping[str, Column],
    peak: Callable[[EffectNode], Gain | None],
) -> dict[str, Gain]:
    """By effect of the loop that is no gain, how much it lets through at most."""
    drafts = {
        draft.id: draft
        for owner in built.owners.values()
        for draft in owner.chain
        if isinstance(draft, EffectDraft) and not draft.is_route
    }
    gains: dict[str, Gain] = {}
    for node in loop.effects:
        draft = drafts.get(node.id)
        if node.effect.type == SEND_EFFECT:
            continue
        if draft is not None and _limits(draft, node, columns, built.graph.environment):
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
