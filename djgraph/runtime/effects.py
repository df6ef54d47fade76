"""Builds the effect modules of a graph."""

from __future__ import annotations

from torch import nn

from djgraph.effects import Effect
from djgraph.graph.ir import EffectNode, Graph


def build_effects(graph: Graph) -> dict[str, Effect]:
    """One module for each effect node, by node id.

    Nodes of one type and equal settings share a module, unless the effect has weights or buffers of its own:
    then each node learns for itself.
    """
    modules: dict[str, Effect] = {}
    shared: dict[tuple[type[Effect], str], Effect] = {}
    for node in graph.nodes:
        if not isinstance(node, EffectNode):
            continue
        key = (node.effect, node.settings.model_dump_json())
        module = shared.get(key)
        if module is None:
            module = node.effect(node.settings, graph.environment)
            if not module.state_dict():
                shared[key] = module
        modules[node.id] = module
    return modules


def as_module_dict(modules: dict[str, Effect]) -> nn.ModuleDict:
    """The same as a container that moves, saves and lists them; a module's name cannot hold a dot."""
    return nn.ModuleDict({node.replace(".", "/"): module for node, module in modules.items()})
