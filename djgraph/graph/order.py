"""Fourth step of building: refuse circles and put nodes in order."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from djgraph.errors import Problem
from djgraph.graph.draft import EffectDraft, InputDraft, NodeDraft, PlacedPoint, SumDraft


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
    names = [spoken(nodes[start]) for start, _ in edges]
    # Point at the text that leads back to something earlier: that is where the circle closes.
    start, end = max(edge for edge in edges if edge[1] <= edge[0])
    closing = next(source for source in sources(nodes[end]) if source.point.node == nodes[start].id)
    hint = "a graph has no feedback; an effect such as a delay keeps its own inside"
    if len(names) == 1 and isinstance(node := nodes[end], EffectDraft):
        hint = f"`{node.owner}@input` is the signal before the chain"
    return closing.site.problem(
        f"the signal goes round in a circle: {' → '.join([*names, names[0]])}", hint=hint
    )


def spoken(node: NodeDraft) -> str:
    return node.id.removeprefix("sum:")
