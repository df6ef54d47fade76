"""Fourth step of building: refuse circles and put nodes in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import networkx as nx

from djgraph.errors import Problem
from djgraph.graph.draft import EffectDraft, FeedbackDraft, InputDraft, NodeDraft, PlacedPoint, SumDraft


def sources(node: NodeDraft) -> Sequence[PlacedPoint]:
    """What a node reads; the past is not told."""
    if isinstance(node, (InputDraft, FeedbackDraft)):
        return ()
    return node.sources if isinstance(node, SumDraft) else tuple(node.sources.values())


def ordered(nodes: Sequence[NodeDraft]) -> tuple[list[NodeDraft], list[Problem]]:
    """The nodes so that each comes after what it reads, and in document order as far as that allows.

    A signal that goes round in a circle is a problem; each is reported once, with its nodes. So is a way back that
    closes no loop.
    """
    place = {node.id: index for index, node in enumerate(nodes)}
    graph = nx.DiGraph()
    graph.add_nodes_from(place.values())
    graph.add_edges_from(
        (place[source.point.node], place[node.id]) for node in nodes for source in sources(node)
    )
    if not nx.is_directed_acyclic_graph(graph):
        return [], [_circle(graph, part, nodes) for part in _circular(graph)]
    order = [nodes[index] for index in nx.lexicographical_topological_sort(graph)]
    return order, list(_open_loops(graph, nodes, place))


def _open_loops(graph: nx.DiGraph, nodes: Sequence[NodeDraft], place: Mapping[str, int]) -> Iterator[Problem]:
    """The sends back of which nothing comes round."""
    ways = [node for node in nodes if isinstance(node, FeedbackDraft) and node.source is not None]
    closed = graph.copy() if ways else graph
    closed.add_edges_from((place[way.source.point.node], place[way.id]) for way in ways if way.source)
    round_ = {
        node: index for index, part in enumerate(nx.strongly_connected_components(closed)) for node in part
    }
    for way in ways:
        assert way.source is not None
        if round_[place[way.id]] != round_[place[way.source.point.node]]:
            bus = next(spoken(nodes[reader]) for reader in graph.successors(place[way.id]))
            message = f"this send closes no loop: what bus {bus!r} makes does not come back to it"
            hint = (
                "leave `feedback` and `delay` out; a delay by itself is an effect, `delay_samples` or `delay`"
            )
            yield way.site.problem(message, "feedback", hint=hint)


def _circular(graph: nx.DiGraph) -> list[set[int]]:
    parts = nx.strongly_connected_components(graph)
    return [part for part in parts if len(part) > 1 or any(graph.has_edge(node, node) for node in part)]


def _circle(graph: nx.DiGraph, part: set[int], nodes: Sequence[NodeDraft]) -> Problem:
    edges = nx.find_cycle(graph.subgraph(sorted(part)), source=min(part))
    names = [spoken(nodes[start]) for start, _ in edges]
    # Point at the text that leads back to something earlier: that is where the circle closes.
    start, end = max(edge for edge in edges if edge[1] <= edge[0])
    closing = next(source for source in sources(nodes[end]) if source.point.node == nodes[start].id)
    hint = _way_back(nodes[end], closing.site.path)
    if len(names) == 1 and isinstance(node := nodes[end], EffectDraft):
        hint = f"`{node.owner}@input` is the signal before the chain"
    return closing.site.problem(
        f"the signal goes round in a circle: {' → '.join([*names, names[0]])}", hint=hint
    )


def _way_back(node: NodeDraft, path: tuple[str | int, ...]) -> str:
    """How to say that a circle is meant. node: what reads where it closes; path: the text that says so."""
    if isinstance(node, SumDraft) and "sends" in path:
        return "a loop comes back later: did you mean `feedback: true, delay: 10 ms` on this send?"
    if isinstance(node, SumDraft) and "use" in path:
        send = f"sends: [{{to: {spoken(node)}, level: 1, feedback: true, delay: 10 ms}}]"
        return f"a loop comes back later: let a strip read the graph's output, with `{send}`, in place of this `to`"
    if isinstance(node, SumDraft) and "to" in path:
        send = f"sends: [{{to: {spoken(node)}, level: 1, feedback: true, delay: 10 ms}}]"
        return f"a loop comes back later: did you mean `{send}` instead?"
    return (
        "a loop goes by a send to a bus that comes back later (`feedback: true, delay: 10 ms`); an effect such as a "
        "delay keeps its own feedback inside"
    )


def spoken(node: NodeDraft) -> str:
    return node.id.removeprefix("sum:")
