"""Which effects hold their signal back, by their own account, so that a loop may close through them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from djgraph.effects import Environment
from djgraph.errors import EffectError, Problem
from djgraph.graph.conflicts import use_of
from djgraph.graph.draft import EffectDraft, FeedbackDraft, NodeDraft
from djgraph.graph.ir import Column, EffectNode, Graph
from djgraph.graph.loops import undelayed


def with_held_back(graph: Graph, nodes: Iterable[NodeDraft], counts: Mapping[str, int]) -> Graph:
    """The graph with what each of its effects holds back, where a loop of it needs that.

    nodes: bound; counts: channels of each. Raises EffectError where an effect fails to tell.
    """
    nodes = list(nodes)
    if all(node.milliseconds for node in nodes if isinstance(node, FeedbackDraft)):
        return graph
    columns = {column.name: column for column in graph.columns}
    held = {
        node.id: _held_back(node, counts[node.id], columns, graph.environment)
        for node in nodes
        if isinstance(node, EffectDraft) and not (node.is_send or node.is_route)
    }
    return replace(
        graph,
        nodes=tuple(
            replace(node, held_back=held[node.id])
            if isinstance(node, EffectNode) and held.get(node.id)
            else node
            for node in graph.nodes
        ),
    )


def loops_without_delay(graph: Graph, nodes: Iterable[NodeDraft]) -> list[Problem]:
    """A problem for each send that closes a loop in which no delay is, in the order of nodes."""
    open_: Sequence[str] = undelayed(graph)
    hint = (
        "say after how long this send comes round: `delay: 10 ms`; or put an effect into the loop that lets nothing "
        "through at once: `delay_samples`, or `delay` or `echo` with `mix: 1`"
    )
    return [
        node.site.problem("no delay is in this loop", "feedback", hint=hint)
        for node in nodes
        if isinstance(node, FeedbackDraft) and node.id in open_
    ]


def _held_back(
    node: EffectDraft, channels: int, columns: Mapping[str, Column], environment: Environment
) -> int:
    assert node.effect is not None
    try:
        return int(node.effect.held_back(use_of(node, channels, columns), environment))
    except Exception as error:
        raise EffectError(
            f"effect {node.effect.type!r} failed in held_back(): {type(error).__name__}: {error}, "
            f"for {node.id!r} {node.site.where()}"
        ) from error
