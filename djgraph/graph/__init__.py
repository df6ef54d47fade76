"""The graph: documents with templates expanded, effects resolved, channels inferred, circles refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from djgraph.graph.build import build, graphs_of
from djgraph.graph.declare import EffectRegistry
from djgraph.graph.ir import (
    Binding,
    Blend,
    Column,
    Constant,
    EffectNode,
    FeedbackNode,
    Free,
    Graph,
    InputNode,
    MacroCurve,
    Node,
    Owner,
    Point,
    SumNode,
    sources,
)
from djgraph.language import Document
from djgraph.language.load import read, sound

__all__ = [
    "Binding",
    "Blend",
    "Column",
    "Constant",
    "EffectNode",
    "EffectRegistry",
    "FeedbackNode",
    "Free",
    "Graph",
    "InputNode",
    "MacroCurve",
    "Node",
    "Owner",
    "Point",
    "SumNode",
    "build",
    "load",
    "sources",
]


def load(
    source: str | os.PathLike[str] | Mapping[str, Any] | Document,
    /,
    *,
    registry: EffectRegistry | None = None,
    **args: Any,
) -> Graph:
    """Load a graph.

    source: the name of a shipped graph, the path of a YAML or JSON file, the text of one, a mapping, or a
    document that is loaded already.
    registry: where effects (and shipped graphs) are looked up; the installed plugins if it is left out.
    args: values for the document's own arguments: ``load("dj_mixer", reverb_decay_time=2.0)``.

    Raises DocumentError if the document is wrong, and GraphError (a DocumentError) if only the mixer that it
    describes is not possible. Both hold all problems found, with file, line and column: what is sound of a wrong
    document is checked in the same run.
    """
    document, registry = find(source, registry)
    return build(document, registry, args)


def find(
    source: str | os.PathLike[str] | Mapping[str, Any] | Document, registry: EffectRegistry | None = None
) -> tuple[Document, EffectRegistry]:
    """What is sound of the document that :func:`load` would load, with its problems; and the registry that it uses."""
    if registry is None:
        from djgraph.plugins import registry as installed

        registry = installed()
    if not isinstance(source, Document):
        graphs = graphs_of(registry)
        hint = getattr(registry, "hint", None)
        source = sound(read(source, graphs, hint() if callable(hint) else None))
    return source, registry
