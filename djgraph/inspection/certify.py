"""How near the causal lowering of a graph comes to the studio one: each spectral effect against its twin."""

from __future__ import annotations

from dataclasses import dataclass

from djgraph.compiler.causal import twin_fault
from djgraph.effects import SpectralEffect
from djgraph.effects.checks.twin_difference import Difference, twin_difference
from djgraph.graph.ir import EffectNode, Graph


@dataclass(frozen=True)
class Certificate:
    """Of the nodes of one spectral effect with equal settings.

    settings: those that are not at their defaults. difference: the largest one between the gains of the effect and of
    its twin; None where there is no twin, and then ``fault`` says why.
    """

    effect: str
    settings: dict[str, object]
    nodes: tuple[str, ...]
    difference: Difference | None
    fault: str | None = None


def certify(graph: Graph) -> list[Certificate]:
    """One certificate for each spectral effect of a graph and its settings, in the graph's order."""
    groups: dict[tuple[type[SpectralEffect], str], list[EffectNode]] = {}
    for node in graph.nodes:
        if isinstance(node, EffectNode) and issubclass(node.effect, SpectralEffect):
            groups.setdefault((node.effect, node.settings.model_dump_json()), []).append(node)
    certificates = []
    for (effect, _), nodes in groups.items():
        settings, fault = nodes[0].settings, twin_fault(nodes[0], graph.environment)
        difference = None if fault else twin_difference(effect, settings, graph.environment)
        changed = settings.model_dump(mode="json", exclude_defaults=True)
        certificates.append(
            Certificate(effect.type, changed, tuple(node.id for node in nodes), difference, fault)
        )
    return certificates
