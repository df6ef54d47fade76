"""Buses that a signal reaches on several ways without a change but in level, so that it adds to itself and can clip.

What an effect changes (a reverb, a compressor) does not add up like this; a signal that comes by its strip and once
more by a send does, and is twice as loud with the send up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from djgraph.errors import Problem
from djgraph.graph.build import Built
from djgraph.graph.declare import SEND_EFFECT
from djgraph.graph.draft import PlacedPoint
from djgraph.graph.ir import (
    Blend,
    Column,
    EffectNode,
    Graph,
    MacroCurve,
    Point,
    SumNode,
    columns_of,
    sources,
)
from djgraph.graph.levels import Levels

MOST = 1.001
"""How often a signal may be in a bus, with a little room for rounding."""

MOST_SHARES = 1_000_000
"""Signals in buses that are counted; graphs with more are not looked at, they would take too long."""

MOST_VISITS = 2_000_000
"""Nodes that are visited for all positions of macros, likewise."""

POSITIONS = 17
"""Values of each macro that are tried."""

Shares = Mapping[Point, float]
"""Where a signal last was changed by more than its level → how often that signal is in another one."""


def doubled(built: Built) -> Iterator[Problem]:
    """A warning for each bus in which one signal can be more than once.

    Sends and faders are taken to be up; of macros each position is tried, the others at rest: a crossfader that sends
    a signal to two buses sends it once.
    """
    columns = {column.name: column for column in built.graph.columns}
    suspects = _too_often(built.graph, Levels(columns, {}))
    macros = [columns[name] for name in _driving_levels(built.graph)] if suspects else []
    if len(macros) * POSITIONS * len(built.graph.nodes) > MOST_VISITS:
        return
    if macros:
        at_rest = {column.name: column.control.default for column in macros}
        tried = [_too_often(built.graph, Levels(columns, at_rest | moved)) for moved in _moves(macros)]
        suspects = {
            key: max(found[key] for found in tried if key in found)
            for key in suspects
            if any(key in found for found in tried)
        }
    told: set[str] = set()
    for (bus, origin), count in suspects.items():
        if (
            bus not in told and bus.removeprefix("sum:") in built.owners
        ):  # one signal is enough to show the ways
            told.add(bus)
            yield _problem(built, bus, origin, count)


def _driving_levels(graph: Graph) -> list[str]:
    """The macros and switches that drive gains or levels of sends."""
    driven = dict[str, None]()
    for node in graph.nodes:
        if isinstance(node, EffectNode) and node.effect.type == SEND_EFFECT:
            driven |= {
                column: None
                for binding in node.bindings.values()
                if isinstance(binding, MacroCurve | Blend)
                for column in columns_of(binding)
            }
    return list(driven)


def _moves(macros: list[Column]) -> Iterator[dict[str, float]]:
    """Each macro over its range."""
    for macro in macros:
        low, high = macro.control.min, macro.control.max
        for step in range(POSITIONS):
            yield {macro.name: low + (high - low) * step / (POSITIONS - 1)}


def _too_often(graph: Graph, levels: Levels) -> dict[tuple[str, Point], float]:
    """Bus and signal → how often the signal is in it, where that is more than once and comes of this bus's sum."""
    shares: dict[Point, Shares] = {}
    found = {}
    left = MOST_SHARES
    for node in graph.nodes:
        left -= sum(len(_share(shares, point)) for _, point in sources(node))
        if left < 0:
            return {}
        if isinstance(node, SumNode):
            total: dict[Point, float] = {}
            parts = [_share(shares, point) for point in node.sources]
            for part in parts:
                for origin, count in part.items():
                    total[origin] = total.get(origin, 0.0) + count
            for origin, count in total.items():
                if count > MOST and all(part.get(origin, 0.0) <= MOST for part in parts):
                    found[node.id, origin] = count
            shares[Point(node.id)] = total
        elif isinstance(node, EffectNode) and node.effect.type == SEND_EFFECT:
            (source,), level = node.sources.values(), levels.of(node)
            out = Point(node.id, node.effect.outputs[0].name)
            shares[out] = {origin: count * level for origin, count in _share(shares, source).items()}
    return found


def _share(shares: Mapping[Point, Shares], point: Point) -> Shares:
    """What is in the signal at a point; where it is made or changed, that is itself alone."""
    return shares.get(point, {point: 1.0})


def _problem(built: Built, bus: str, origin: Point, count: float) -> Problem:
    owner = built.owners[bus.removeprefix("sum:")]
    assert owner.sum is not None
    reached = _unchanged(built.graph, origin)
    ways = [source for source in owner.sum.sources if source.point in reached]
    names = " and ".join(dict.fromkeys(_way(source) for source in ways))
    what = str(origin).removeprefix("in:").removeprefix("sum:")
    message = (
        f"bus {owner.name!r} can get {what!r} {count:.3g} times, {20 * math.log10(count):+.1f} dB: by {names}"
    )
    hint = "the same signal on several ways adds to itself and may clip; leave one way out, or turn them down"
    return ways[-1].site.problem(message, hint=hint)


def _unchanged(graph: Graph, origin: Point) -> set[Point]:
    """The points that a signal reaches without a change but in level."""
    reached = {origin}
    for node in graph.nodes:
        is_plain = isinstance(node, SumNode) or (
            isinstance(node, EffectNode) and node.effect.type == SEND_EFFECT
        )
        if is_plain and any(point in reached for _, point in sources(node)):
            reached.add(
                Point(node.id, node.effect.outputs[0].name if isinstance(node, EffectNode) else "out")
            )
    return reached


def _way(source: PlacedPoint) -> str:
    node = source.point.node
    owner, send, _ = node.partition(".send:")
    if send:
        return f"the send of {owner!r}"
    name = node.removeprefix("sum:") if node.startswith("sum:") else node.rpartition(".")[0]
    return repr(name) if not node.startswith("in:") else f"{node.removeprefix('in:')!r} as it is"
