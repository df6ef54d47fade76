"""Fourth step of building: refuse circles, put nodes in order, and count channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import networkx as nx

from djgraph.errors import Problem
from djgraph.graph.draft import EffectDraft, InputDraft, NodeDraft, PlacedPoint, SumDraft

WORDS = {1: "mono", 2: "stereo"}


def sources(node: NodeDraft) -> Sequence[PlacedPoint]:
    """What a node reads."""
    if isinstance(node, InputDraft):
        return ()
    return node.sources if isinstance(node, SumDraft) else tuple(node.sources.values())


def ordered(nodes: Sequence[NodeDraft]) -> tuple[list[NodeDraft], list[Problem]]:
    """The nodes so that each comes after what it reads, and in document order as far as that allows.

    A signal that goes round in a circle is a problem; each is reported once, with its nodes.
    """
    place = {node.id: index for index, node in enumerate(nodes)}
    graph = nx.DiGraph()
    graph.add_nodes_from(place.values())
    graph.add_edges_from(
        (place[source.point.node], place[node.id]) for node in nodes for source in sources(node)
    )
    if not nx.is_directed_acyclic_graph(graph):
        return [], [_circle(graph, part, nodes) for part in _circular(graph)]
    return [nodes[index] for index in nx.lexicographical_topological_sort(graph)], []


def _circular(graph: nx.DiGraph) -> list[set[int]]:
    parts = nx.strongly_connected_components(graph)
    return [part for part in parts if len(part) > 1 or any(graph.has_edge(node, node) for node in part)]


def _circle(graph: nx.DiGraph, part: set[int], nodes: Sequence[NodeDraft]) -> Problem:
    edges = nx.find_cycle(graph.subgraph(sorted(part)), source=min(part))
    names = [_spoken(nodes[start]) for start, _ in edges]
    # Point at the text that leads back to something earlier: that is where the circle closes.
    start, end = max(edge for edge in edges if edge[1] <= edge[0])
    closing = next(source for source in sources(nodes[end]) if source.point.node == nodes[start].id)
    hint = "a graph has no feedback; an effect such as a delay keeps its own inside"
    if len(names) == 1 and isinstance(node := nodes[end], EffectDraft):
        hint = f"`{node.owner}@input` is the signal before the chain"
    return closing.site.problem(
        f"the signal goes round in a circle: {' → '.join([*names, names[0]])}", hint=hint
    )


def _spoken(node: NodeDraft) -> str:
    return node.id.removeprefix("sum:")


def channels(nodes: Sequence[NodeDraft]) -> tuple[dict[str, int], list[Problem]]:
    """Each node's channel count, from nodes in order; and the places where counts do not agree."""
    counts: dict[str, int] = {}
    by_id: dict[str, NodeDraft] = {}
    problems: list[Problem] = []
    for node in nodes:
        by_id[node.id] = node
        if isinstance(node, InputDraft):
            counts[node.id] = node.channels
        elif isinstance(node, SumDraft):
            carried = [(source, _carried(source, by_id, counts)) for source in node.sources]
            problems += _disagreement(carried, f"bus {_spoken(node)!r} sums", by_id)
            counts[node.id] = max((count for _, count in carried), default=2)
        else:
            counts[node.id] = _count(node, by_id, counts, problems)
    return counts, problems


def _count(
    node: EffectDraft, by_id: Mapping[str, NodeDraft], counts: Mapping[str, int], problems: list[Problem]
) -> int:
    assert node.effect is not None
    shared: list[tuple[PlacedPoint, int]] = []
    for port in node.effect.inputs:
        source = node.sources[port.name]
        count = _carried(source, by_id, counts)
        if port.apart:
            continue
        if port.channels is None:
            shared.append((source, count))
        elif count not in (port.channels, 1):  # mono is spread
            message = (
                f"port {port.name!r} of {node.effect.type} takes {_word(port.channels)}, "
                f"and {_spoken(by_id[source.point.node])!r} is {_word(count)}"
            )
            site = node.site if port is node.effect.inputs[0] else source.site
            problems.append(site.problem(message))
    problems += _disagreement(shared, f"{node.id!r} reads", by_id)
    if shared:
        return max(count for _, count in shared)
    declared = [
        port.channels for port in (*node.effect.inputs, *node.effect.outputs) if port.channels is not None
    ]
    return declared[0] if declared else 2


def _carried(source: PlacedPoint, by_id: Mapping[str, NodeDraft], counts: Mapping[str, int]) -> int:
    node = by_id[source.point.node]
    if isinstance(node, EffectDraft):
        assert node.effect is not None
        declared = next(port.channels for port in node.effect.outputs if port.name == source.point.port)
        if declared is not None:
            return declared
    return counts[node.id]


def _disagreement(
    carried: Sequence[tuple[PlacedPoint, int]], what: str, by_id: Mapping[str, NodeDraft]
) -> list[Problem]:
    wide = [(source, count) for source, count in carried if count != 1]  # mono is spread
    other = next(((source, count) for source, count in wide if count != wide[0][1]), None)
    if other is None:
        return []
    first, then = (
        f"{_spoken(by_id[source.point.node])!r} ({_word(count)})" for source, count in (wide[0], other)
    )
    message = f"{what} signals of different channel counts: {first} and {then}"
    return [other[0].site.problem(message, hint="only mono goes with any other count")]


def _word(count: int) -> str:
    return WORDS.get(count, f"{count} channels")
