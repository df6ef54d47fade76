"""Which columns are faders, and of which tracks: known once all nodes and columns are.

A strip's or bus's fader is the node that `fader:` names or that has the id ``fader``; without one, the column called
``fader`` or ``gain``; else the last gain of its chain. A **track** is what one input sounds through: owners that lead
back to that input alone and on to the main output.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping

import networkx as nx

from djgraph.graph.ir import Column, EffectNode, Fader, Free, Graph, InputNode, sources

NAMES = ("fader", "gain")
"""What a fader's column may be called behind its owner's name."""


def mark_faders(graph: Graph, declared: Mapping[str, str | None]) -> tuple[Column, ...]:
    """The graph's columns, of which the faders say so.

    declared: for each strip and bus the node that its `fader:` names.
    """
    own = {owner: index for owner in declared if (index := _fader(graph, owner, declared[owner])) is not None}
    tracks = _tracks(graph, own)
    columns = list(graph.columns)
    for owner, index in own.items():
        columns[index] = dataclasses.replace(columns[index], fader=Fader(owner, tracks.get(owner)))
    return tuple(columns)


def _fader(graph: Graph, owner: str, declared: str | None) -> int | None:
    """The column that is the fader of a strip or bus."""
    index = {column.name: i for i, column in enumerate(graph.columns)}
    named = graph.by_id.get(f"{owner}.{declared or 'fader'}")
    if isinstance(named, EffectNode) and (found := _level(named, owner)) is not None:
        return index[found]
    for name in NAMES:
        if f"{owner}.{name}" in index:
            return index[f"{owner}.{name}"]
    last = None
    for node in graph.nodes:
        if isinstance(node, EffectNode) and _owner(node.id) == owner and node.effect.type == "gain":
            name = _level(node, owner)
            if name is not None and graph.columns[index[name]].kind == "control":
                last = index[name]
    return last


def _level(node: EffectNode, owner: str) -> str | None:
    """The owner's column that a node's level reads as it is."""
    ids = [control.id for control in node.effect.controls]
    binding = node.bindings["gain" if "gain" in ids else ids[0]] if ids else None
    return binding.column if isinstance(binding, Free) and binding.column.startswith(f"{owner}.") else None


def _owner(node: str) -> str:
    return node.rpartition(".")[0]


def _tracks(graph: Graph, own: Mapping[str, int]) -> dict[str, int]:
    """Owner → the number of the input whose track it belongs to."""
    heard = _carried(graph, {n.id: 1 << i for i, n in enumerate(graph.nodes) if isinstance(n, InputNode)})
    main = next(iter(graph.outputs.values())).node
    audible = nx.ancestors(graph.digraph, main) | {main}
    masks = {owner: heard[graph.taps[owner].node] for owner in own if graph.taps[owner].node in audible}
    inputs = [
        sum(1 << i for i, n in enumerate(graph.nodes) if isinstance(n, InputNode) and n.input == name)
        for name in graph.inputs
    ]
    groups = _groups(masks, inputs)
    member = {owner: number for number, group in enumerate(groups) for owner in group}
    bits = {n.id: 1 << member[o] for n in graph.nodes for o in (n.id, _owner(n.id)) if o in member}
    passed = _carried(graph, bits)
    before = [_union(passed[graph.taps[owner].node] for owner in group) for group in groups]
    found: dict[str, int] = {}
    for track, mask in enumerate(inputs):
        alone = [i for i, g in enumerate(groups) if (m := _union(masks[o] for o in g)) and not m & ~mask]
        alone.sort(key=lambda i: (-_union(masks[o] for o in groups[i]).bit_count(), before[i].bit_count()))
        taken: list[int] = []
        for i in alone:
            # What lies before or behind a fader that is taken fades with it already.
            if not any(before[i] >> other & 1 or before[other] >> i & 1 for other in taken):
                taken.append(i)
        found |= {owner: track for i in taken for owner in groups[i]}
    return found


def _groups(masks: Mapping[str, int], inputs: Iterable[int]) -> list[list[str]]:
    """Owners of one first name belong together, as the stems of a track, unless they hear several inputs."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for owner in masks:
        by_name[owner.partition(".")[0]].append(owner)
    inputs = list(inputs)
    groups: list[list[str]] = []
    for owners in by_name.values():
        mask = _union(masks[owner] for owner in owners)
        together = any(not mask & ~one for one in inputs)
        groups += [owners] if together else [[owner] for owner in owners]
    return groups


def _carried(graph: Graph, bits: Mapping[str, int]) -> dict[str, int]:
    """For each node its own bits and those of all nodes that lead to it."""
    carried: dict[str, int] = {}
    for node in graph.nodes:
        carried[node.id] = bits.get(node.id, 0) | _union(carried[point.node] for _, point in sources(node))
    return carried


def _union(masks: Iterable[int]) -> int:
    total = 0
    for mask in masks:
        total |= mask
    return total
