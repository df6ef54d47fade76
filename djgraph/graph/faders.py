"""Which columns are faders, and of which tracks: known once all nodes and columns are.

A strip's or bus's fader is the node that `fader:` names or that has the id ``fader``; without one, the column called
``fader`` or ``gain``; else the last gain of its chain. A **track** is what one input sounds through: owners that lead
back to that input alone and on to the main output.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping

from djgraph.graph.ir import Column, EffectNode, Fader, Free, Graph, InputNode, leading_to, sources

NAMES = ("fader", "gain")
"""What a fader's column may be called behind its owner's name."""


def mark_faders(graph: Graph, declared: Mapping[str, str | None]) -> tuple[Column, ...]:
    """The graph's columns, of which the faders say so.

    declared: for each strip and bus the node that its `fader:` names.
    """
    index = {column.name: i for i, column in enumerate(graph.columns)}
    chains: dict[str, list[EffectNode]] = defaultdict(list)
    for node in graph.nodes:
        if isinstance(node, EffectNode):
            chains[_owner(node.id)].append(node)
    own: dict[str, int] = {}
    for owner, named in declared.items():
        column = _fader(owner, chains[owner], named or "fader", index)
        if column is not None:
            own[owner] = index[column]
    tracks = _tracks(graph, own)
    columns = list(graph.columns)
    for owner, i in own.items():
        columns[i] = dataclasses.replace(columns[i], fader=Fader(owner, tracks.get(owner)))
    return tuple(columns)


def _fader(owner: str, chain: Iterable[EffectNode], named: str, names: Container[str]) -> str | None:
    """The column that is the fader of a strip or bus."""
    levels = {node.id.rpartition(".")[2]: _level(node, owner) for node in chain}
    if (level := levels.get(named)) is not None:
        return level
    for name in NAMES:
        if f"{owner}.{name}" in names:
            return f"{owner}.{name}"
    # Sends are gains as well: theirs are columns of the node's own name.
    gains = [node.id.rpartition(".")[2] for node in chain if node.effect.type == "gain"]
    faders = [level for name in gains if (level := levels[name]) is not None and ":" not in name]
    return faders[-1] if faders else None


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
    audible = _audible(graph)
    masks = {owner: heard[graph.taps[owner].node] for owner in own if graph.taps[owner].node in audible}
    inputs = [
        _union(1 << i for i, n in enumerate(graph.nodes) if isinstance(n, InputNode) and n.input == name)
        for name in graph.inputs
    ]
    groups = _groups(masks, inputs)
    member = {owner: number for number, group in enumerate(groups) for owner in group}
    bits = {n.id: 1 << member[o] for n in graph.nodes for o in (n.id, _owner(n.id)) if o in member}
    passed = _carried(graph, bits)
    before = [_union(passed[graph.taps[owner].node] for owner in group) for group in groups]
    hears = [_union(masks[owner] for owner in group) for group in groups]
    by_track: dict[int, list[int]] = defaultdict(list)
    for i, mask in enumerate(hears):
        track = next((t for t, one in enumerate(inputs) if mask and not mask & ~one), None)
        if track is not None:
            by_track[track].append(i)
    owners: dict[str, int] = {}
    for track, alone in by_track.items():
        # All of the input first, then what is nearest to it.
        alone.sort(key=lambda i: (-hears[i].bit_count(), before[i].bit_count()))
        taken: list[int] = []
        for i in alone:
            # What lies before or behind a fader that is taken fades with it already.
            if not any(before[i] >> other & 1 or before[other] >> i & 1 for other in taken):
                taken.append(i)
        owners |= {owner: track for i in taken for owner in groups[i]}
    return owners


def _audible(graph: Graph) -> set[str]:
    """The nodes that lead to the main output."""
    return leading_to(graph, [next(iter(graph.outputs.values())).node])


def _groups(masks: Mapping[str, int], inputs: Iterable[int]) -> list[list[str]]:
    """Owners of one first name belong together, as the stems of a track, unless they hear several inputs."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for owner in masks:
        by_name[owner.partition(".")[0]].append(owner)
    inputs = tuple(inputs)
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
