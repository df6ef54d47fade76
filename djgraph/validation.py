"""Whether a graph would compile, and what of it is probably not meant: all problems and warnings, with their places."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from djgraph.errors import EffectError, GraphError, Problem
from djgraph.graph import EffectRegistry, find
from djgraph.graph.build import Built, assemble
from djgraph.graph.growth import growing
from djgraph.graph.ir import EffectNode, Graph
from djgraph.graph.warnings import warnings
from djgraph.host.calls import EffectCall, build
from djgraph.host.peaks import peak
from djgraph.language import Document
from djgraph.language.fold import in_file_order
from djgraph.mixer import Mixer, compile_graph


@dataclass(frozen=True)
class Validated:
    """A graph that compiles, and its warnings in file order."""

    graph: Graph
    warnings: tuple[Problem, ...]


def validate(
    source: str | os.PathLike[str] | Mapping[str, Any] | Document,
    /,
    *,
    registry: EffectRegistry | None = None,
    strict: bool = False,
    **args: Any,
) -> Validated:
    """Check a graph as far as that goes without audio: what :func:`load` finds, templates that nothing uses, and
    whether all effects can be built.

    source, registry, args: as :func:`load` takes them. strict: warnings are errors.

    Warnings are for what is allowed and probably not meant: strips that lead nowhere, buses that nobody hears or
    nothing is sent to, columns that change nothing, buses that one signal reaches twice, names that differ in one
    letter. Raises DocumentError and GraphError, which hold every problem, EffectError where an effect breaks its
    contract, CompileError where the graph does not compile otherwise.
    """
    document, registry = find(source, registry)
    built = assemble(document, registry, args, unused=True)
    found = warnings(built)
    try:
        mixer = compile_graph(built.graph)
    except EffectError as error:
        problems = _unbuildable(built.graph)
        if not problems:
            raise
        raise GraphError(*problems, *(found if strict else ())) from error
    found = in_file_order([*found, *_growing(built, mixer)])
    if strict and found:
        raise GraphError(*found)
    return Validated(built.graph, tuple(found))


def _growing(built: Built, mixer: Mixer) -> list[Problem]:
    """A warning for each loop that can grow without end."""
    columns = {column.name: column for column in built.graph.columns}
    modules = mixer.compiled.modules
    return list(
        growing(
            built, mixer.compiled.graph, lambda node: peak(EffectCall(modules[node.id], (node,)), columns)
        )
    )


def _unbuildable(graph: Graph) -> list[Problem]:
    """A problem for each effect and settings of which no module can be built, at the first node that has them."""
    problems = []
    tried: set[tuple[type, str]] = set()
    for node in graph.nodes:
        if not isinstance(node, EffectNode):
            continue
        key = (node.effect, node.settings.model_dump_json())
        if key in tried:
            continue
        tried.add(key)
        try:
            build(node, graph.environment)
        except EffectError as error:
            problems.append(Problem(str(error), node.position))
    return problems
