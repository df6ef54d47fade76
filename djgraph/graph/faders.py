"""Which columns are faders: known once all nodes and columns are.

A strip's or bus's fader is the node that `fader:` names or that has the id ``fader``; without one, the column called
``fader`` or ``gain``; else the last level of its chain whose effect says that it is one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping

from djgraph.effects.roles import FADER
from djgraph.graph.ir import EffectNode, Free, Graph

NAMES = ("fader", "gain")
"""What a fader's column may be called behind its owner's name."""


def faders(graph: Graph, named: Mapping[str, str | None]) -> dict[str, str]:
    """Owner → the column that is its fader, for the strips and buses that have one.

    named: for each strip and bus the node that its `fader:` names.
    """
    names = {column.name for column in graph.columns}
    chains: dict[str, list[EffectNode]] = defaultdict(list)
    for node in graph.nodes:
        if isinstance(node, EffectNode):
            chains[graph.owner_of[node.id].name].append(node)
    found = {owner: _fader(owner, chains[owner], node or FADER, names) for owner, node in named.items()}
    return {owner: column for owner, column in found.items() if column is not None}


def _fader(owner: str, chain: Iterable[EffectNode], named: str, names: Container[str]) -> str | None:
    """The column that is the fader of a strip or bus."""
    levels = {node.id.rpartition(".")[2]: _level(node, owner) for node in chain}
    if (level := levels.get(named)) is not None:
        return level
    for name in NAMES:
        if f"{owner}.{name}" in names:
            return f"{owner}.{name}"
    # Sends are gains as well: theirs are columns of the node's own name.
    gains = [node.id.rpartition(".")[2] for node in chain if _is_fader(node)]
    last = [level for name in gains if (level := levels[name]) is not None and ":" not in name]
    return last[-1] if last else None


def _is_fader(node: EffectNode) -> bool:
    return any(control.role == FADER for control in node.effect.controls)


def _level(node: EffectNode, owner: str) -> str | None:
    """The owner's column that a node's level reads as it is."""
    controls = node.effect.controls
    ids = [control.id for control in controls if control.role == FADER] or [
        control.id for control in controls
    ]
    binding = node.bindings["gain" if "gain" in ids else ids[0]] if ids else None
    return binding.column if isinstance(binding, Free) and binding.column.startswith(f"{owner}.") else None
