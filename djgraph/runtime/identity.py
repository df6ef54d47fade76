"""What says all about a mixer's sound but its weights, as text: the same in every process for the same mixer.

Exported programs carry digests of it, so that another process runs them by the same mixer or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from djgraph.compiler.plan import Region
from djgraph.effects import Effect
from djgraph.errors import PluginError
from djgraph.graph.ir import EffectNode, FeedbackNode, Graph, InputNode


def graph_identity(graph: Graph) -> str:
    """A digest of everything that a graph computes: nodes, settings, bindings, columns, rate, transform, and the
    versions of the plugins that its effects come from. Not of titles, nor of where it stands in files."""
    parts = [graph.name, graph.sample_rate, graph.transform, *map(_node, graph.nodes)]
    parts += [(name, _node(node)) for name, node in graph.sources.items()]
    parts += [(column.name, column.control, column.kind) for column in graph.columns]
    parts += [(name, point) for name, point in graph.outputs.items()]
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()


def _node(node: object) -> tuple[object, ...]:
    if isinstance(node, EffectNode):
        bound, read = sorted(node.bindings.items()), sorted(node.sources.items())
        settings = node.settings.model_dump_json()
        return node.id, effect_identity(node.effect), settings, bound, read, node.channels
    if isinstance(node, InputNode):
        return node.id, node.input, node.stem, node.channels, node.optional
    if isinstance(node, FeedbackNode):
        return node.id, node.source, node.samples, node.channels
    return getattr(node, "id", ""), getattr(node, "sources", ()), getattr(node, "channels", 0)


def effect_identity(effect: type[Effect]) -> str:
    """An effect's class and the version of the distribution that it comes from."""
    from djgraph.plugins import registry

    try:
        entry = registry().effects.get(effect.type)
    except PluginError:  # two plugins clash, and neither is known
        entry = None
    version = entry.version if entry is not None and entry.effect is effect else ""
    return f"{effect.__module__}.{effect.__qualname__} {version}"


def region_identity(graph: str, op: Region, options: object, modules: Iterable[Effect]) -> str | None:
    """Of a region of a graph with that identity; None where its effects hold buffers, whose values nobody knows."""
    if any(True for module in modules for _ in module.buffers()):
        return None
    inlets = [(inlet.source, [node.id for node in inlet.nodes], inlet.out) for inlet in op.inlets]
    steps = [(type(step).__name__, step.reads, step.writes) for step in (*op.body, *op.results)]
    masks = [node.id for node in op.nodes]
    return repr((graph, options, inlets, steps, masks))
