"""What a graph computes, as plain data with a hash: whether two mixers with the same controls also sound alike."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from djgraph.arguments import shown
from djgraph.graph.ir import EffectNode, FeedbackNode, Graph, InputNode, Node, SumNode
from djgraph.reading import Stored
from djgraph.version import __version__

_WORDS = ("label", "description", "unit", "aliases", "amplitude", "names", "role")
"""What a control says of itself that is not heard."""


class Sound(Stored):
    """All of a graph that is heard, and the versions of what computes it.

    graph: hash of the rest but ``versions``; equal where the same effects with the same settings, connected alike,
    run at the same sample rate. content: sample rate, transform, nodes, controls and outputs by name. versions:
    distribution → version, of djgraph and of the plugins whose effects are used.
    """

    graph: str
    content: dict[str, Any]
    versions: dict[str, str]

    @classmethod
    def of(cls, graph: Graph) -> Sound:
        """Of a graph. Names of files, titles and the order of nodes are not heard."""
        content = {
            "sample_rate": graph.sample_rate,
            "transform": dataclasses.asdict(graph.transform),
            "nodes": {node.id: _node(node) for node in graph.nodes},
            "controls": {
                column.name: {
                    key: value
                    for key, value in dataclasses.asdict(column.control).items()
                    if key not in _WORDS
                }
                for column in graph.columns
            },
            "outputs": {name: str(point) for name, point in graph.outputs.items()},
        }
        text = json.dumps(content, sort_keys=True, default=str, separators=(",", ":"))
        return cls(
            graph=hashlib.sha256(text.encode()).hexdigest()[:16],
            content=json.loads(text),
            versions=_versions(graph),
        )

    def differences(self, other: Sound) -> list[str]:
        """A line for everything that is heard and differs, from this to the other; none where the hashes agree."""
        if self.graph == other.graph:
            return []
        before, after = dict(_flat(self.content)), dict(_flat(other.content))
        lines = []
        for key in dict.fromkeys((*before, *after)):
            if before.get(key) != after.get(key):
                old = shown(before[key]) if key in before else "none"
                new = shown(after[key]) if key in after else "none"
                lines.append(f"{key}: {old} → {new}")
        return lines

    def version_differences(self, other: Sound) -> list[str]:
        """A line for every version that differs, from this to the other."""
        names = dict.fromkeys((*self.versions, *other.versions))
        pairs = ((name, self.versions.get(name, "none"), other.versions.get(name, "none")) for name in names)
        return [f"{name}: {old} → {new}" for name, old, new in pairs if old != new]


def _node(node: Node) -> dict[str, Any]:
    if isinstance(node, InputNode):
        what: dict[str, Any] = {"input": node.input, "stem": node.stem, "optional": node.optional}
    elif isinstance(node, SumNode):
        what = {"sum": sorted(map(str, node.sources))}
    elif isinstance(node, FeedbackNode):
        what = {"feedback": str(node.source), "samples": node.samples}
    else:
        what = {
            "effect": node.effect.type,
            "settings": node.settings.model_dump(mode="json"),
            "sources": {port: str(point) for port, point in node.sources.items()},
            "controls": {name: dataclasses.asdict(binding) for name, binding in node.bindings.items()},
        }
    return {**what, "channels": node.channels}


def _versions(graph: Graph) -> dict[str, str]:
    from djgraph.plugins import registry

    used = {node.effect for node in graph.nodes if isinstance(node, EffectNode)}
    entries = [entry for entry in registry().effects.values() if entry.effect in used]
    return {
        "djgraph": __version__,
        **{entry.distribution: entry.version for entry in entries if entry.distribution},
    }


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of nested mappings, under a name that says where it stands."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
