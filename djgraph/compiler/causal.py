"""The causal lowering: a graph with the causal twins of its spectral effects in their places."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Literal, get_args

from djgraph.compiler.spread import spread
from djgraph.effects import Environment, SpectralEffect
from djgraph.effects.twin import twin_of
from djgraph.errors import CompileError, did_you_mean
from djgraph.graph.ir import EffectNode, Graph, Node
from djgraph.graph.loops import loops

Lowering = Literal["studio", "causal"]
"""``studio``: spectral effects are zero-phase masks. ``causal``: they are recursions with the same gain."""

LOWERINGS: tuple[str, ...] = get_args(Lowering)


def lowered(graph: Graph, lowering: str) -> Graph:
    """The graph that is compiled under a lowering: the same columns, inputs, outputs and taps. Mono signals are spread
    where they meet wider ones.

    Raises CompileError for an unknown lowering, and under ``causal`` one that names all nodes whose effect has no
    causal twin, or none with its settings. Under ``studio`` that holds for those in loops.
    """
    if not isinstance(lowering, str) or lowering not in LOWERINGS:
        guess = did_you_mean(lowering, LOWERINGS) if isinstance(lowering, str) else ""
        raise CompileError(f"lowering is {' or '.join(map(repr, LOWERINGS))}, not {lowering!r}{guess}")
    graph = spread(graph)
    if lowering == "studio":
        return causal_in_loops(graph)
    what = f"graph {graph.name} has no causal lowering, which needs a causal twin of every spectral effect"
    return _with_twins(graph, {node.id for node in graph.nodes}, what)


def causal_in_loops(graph: Graph) -> Graph:
    """The graph with causal twins in its loops: a mask looks ahead of time, and what comes round is not there yet.

    Raises CompileError that names all nodes in loops whose effect has no twin.
    """
    chosen = {node.id for loop in loops(graph) for node in loop.effects}
    if not chosen:
        return graph
    what = f"a loop of graph {graph.name} needs a causal twin of every spectral effect in it"
    return _with_twins(graph, chosen, what)


def _with_twins(graph: Graph, chosen: Container[str], what: str) -> Graph:
    """The graph with the twins of these nodes. what: the error's first line where there are none."""
    nodes = [node for node in graph.nodes if isinstance(node, EffectNode) and node.id in chosen]
    faults = {node.id: fault for node in nodes if (fault := twin_fault(node, graph.environment))}
    if faults:
        positions = {node.id: f" ({node.position})" if node.position else "" for node in graph.nodes}
        lines = [f"  {name}{positions[name]}: {fault}" for name, fault in faults.items()]
        raise CompileError(f"{what}:\n" + "\n".join(lines))
    return replace(
        graph, nodes=tuple(_with_twin(node) if node.id in chosen else node for node in graph.nodes)
    )


def twin_fault(node: EffectNode, environment: Environment) -> str | None:
    """Why a node has no twin; None where it has one or, being a time effect, needs none."""
    if not issubclass(node.effect, SpectralEffect):
        return None
    twin = twin_of(node.effect)
    if twin is None:
        return f"effect {node.effect.type} has no causal twin"
    fault = twin.fault(node.settings, environment)
    return None if fault is None else f"effect {node.effect.type} has none with these settings: {fault}"


def _with_twin(node: Node) -> Node:
    if isinstance(node, EffectNode) and issubclass(node.effect, SpectralEffect):
        assert node.effect.causal_twin is not None
        return replace(node, effect=node.effect.causal_twin)
    return node
