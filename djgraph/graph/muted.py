"""Mute and solo, as a strip or bus has them at its end."""

from __future__ import annotations

from dataclasses import dataclass

from djgraph.graph.ir import EffectNode, Graph, Owner, columns_of

CLOSES = "mute:solo"
"""What the node is called that mute and solo close."""


@dataclass(frozen=True)
class Muted:
    """What closes a strip or bus: its columns, and the strips and buses among which it solos, in order, itself one."""

    mute: str | None
    solo: str | None
    group: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What its node is called: ``mute``, ``solo``, or ``mute and solo``."""
        return " and ".join(word for word, column in (("mute", self.mute), ("solo", self.solo)) if column)


def muted(graph: Graph, owner: Owner) -> Muted | None:
    """The mute and solo of a strip or bus; None where it has neither."""
    node = next((graph.by_id[id] for id in owner.nodes if owner.name_of(id) == CLOSES), None)
    if not isinstance(node, EffectNode):
        return None
    read = [column for binding in node.bindings.values() for column in columns_of(binding)]
    mute, solo = f"{owner.name}.mute", f"{owner.name}.solo"
    group = tuple(one.name for one in graph.owners if f"{one.name}.solo" in read)
    return Muted(
        mute if mute in read else None, solo if solo in read else None, group if solo in read else ()
    )
