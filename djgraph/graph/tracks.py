"""Tracks: what one input sounds through, and which strips and buses of a kind work on one as a whole.

A **track** belongs to one input: owners (strips and buses) that lead back to it alone, and on to the main output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

from djgraph.graph.declare import SEND_EFFECT
from djgraph.graph.ir import EffectNode, FeedbackNode, Graph, InputNode, heard
from djgraph.graph.levels import Levels


class Tracks:
    """The inputs of a graph, and what each of them sounds through."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._heard_by = {node.id: tuple(heard(node)) for node in graph.nodes}
        self._of_owners: dict[tuple[str, ...], dict[str, int]] = {}
        self._order = {n.id: 1 << i for i, n in enumerate(graph.nodes) if isinstance(n, InputNode)}
        self._carries = self._carried(self._order)
        self._inputs = [
            _union(self._order[n.id] for n in graph.nodes if isinstance(n, InputNode) and n.input == name)
            for name in graph.inputs
        ]
        self._main = next(iter(graph.outputs.values())).node
        self._audible = self._leading()

    def of_owners(self, owners: Iterable[str]) -> dict[str, int]:
        """Owner → the number of the input whose track it works on, for those of several that do not lie in a row.

        Of owners before and behind one another those count through which all goes that they hear, and of these those
        that hear most, the fewest, and the nearest to the input: a deck behind its stems, and not an echo behind them.
        """
        asked = tuple(owners)
        if asked not in self._of_owners:
            self._of_owners[asked] = self._found(asked)
        return self._of_owners[asked]

    def _found(self, owners: Iterable[str]) -> dict[str, int]:
        ends = {owner: self._graph.taps[owner].node for owner in owners}
        masks = {owner: self._carries[end] for owner, end in ends.items() if end in self._audible}
        groups = self._groups(masks, ends)
        bits = self._bits(groups)
        passed = self._carried(bits)
        before = [_union(passed[ends[owner]] for owner in group) for group in groups]
        hears = [_union(masks[owner] for owner in group) for group in groups]
        past = self._past_each(bits, hears)
        covers = [not past >> i & 1 for i in range(len(groups))]
        by_track: dict[int, list[int]] = defaultdict(list)
        for i, mask in enumerate(hears):
            track = self._alone(mask)
            if track is not None:
                by_track[track].append(i)
        found: dict[str, int] = {}
        for track, alone in by_track.items():
            alone.sort(
                key=lambda i: (
                    -hears[i].bit_count() if covers[i] else 0,
                    len(groups[i]),
                    before[i].bit_count(),
                )
            )
            taken = ahead = 0
            for i in alone:
                # What lies before or behind one that is taken is worked on with it already.
                if not (before[i] & taken or ahead >> i & 1):
                    taken, ahead = taken | 1 << i, ahead | before[i]
                    found |= dict.fromkeys(groups[i], track)
        return found

    def of_nodes(self, nodes: Iterable[str]) -> int | None:
        """The number of the one input that nodes hear, as far as they are in the mix; None for several, or none."""
        return self._alone(self._heard(nodes))

    def is_shared(self, nodes: Iterable[str]) -> bool:
        """Whether nodes, as far as they are heard in the mix, hear several inputs."""
        mask = self._heard(nodes)
        return bool(mask) and self._alone(mask) is None

    def _heard(self, nodes: Iterable[str]) -> int:
        return _union(self._carries[node] for node in nodes if node in self._audible)

    def _groups(self, masks: Mapping[str, int], ends: Mapping[str, str]) -> list[list[str]]:
        """Owners of one first name belong together, as the stems of a track, unless they hear several inputs; what lies
        behind others of the name is by itself, as the deck behind its stems.

        masks: the inputs that each owner hears. ends: its last node.
        """
        alone = [[owner] for owner in masks]
        place = {owner: i for i, (owner,) in enumerate(alone)}
        passed = self._carried(self._bits(alone))
        by_name: dict[str, list[str]] = defaultdict(list)
        for owner in masks:
            by_name[owner.partition(".")[0]].append(owner)
        groups: list[list[str]] = []
        for owners in by_name.values():
            named = _union(1 << place[owner] for owner in owners)
            last = [owner for owner in owners if passed[ends[owner]] & named & ~(1 << place[owner])]
            first = [owner for owner in owners if owner not in last]
            together = self._alone(_union(masks[owner] for owner in first)) is not None
            groups += [first] if together else [[owner] for owner in first]
            groups += [[owner] for owner in last]
        return groups

    def _bits(self, groups: Iterable[Iterable[str]]) -> dict[str, int]:
        """Node → the group that its owner belongs to."""
        member = {owner: number for number, group in enumerate(groups) for owner in group}
        return {
            node: 1 << member[owner.name]
            for node, owner in self._graph.owner_of.items()
            if owner.name in member
        }

    def _past_each(self, bits: Mapping[str, int], hears: Sequence[int]) -> int:
        """The groups of nodes past which something of what they hear is heard in the mix at rest, as bits.

        bits: node → the group that it belongs to. hears: the inputs that each group hears.
        """
        begun = {
            node: _union(1 << i for i, mask in enumerate(hears) if mask & own)
            for node, own in self._order.items()
        }
        return self._carried(begun, stopped=bits, closed=self._closed)[self._main]

    def past(self, track: int, faders: Collection[str]) -> str | None:
        """A strip or bus by which an input is heard in the mix, at rest, past the nodes that are its faders.

        None where there is none: with the faders down the track is silent. What is closed at rest, a send that is down,
        lets nothing past.
        """
        owner_of, main = self._graph.owner_of, self._main
        own = {owner_of[node].name for node in faders}
        # Node → the first strip or bus on the way to it that is none of those with the faders.
        ways = {node: "" for node, mask in self._order.items() if mask & self._inputs[track]}
        known = 0
        while len(ways) > known:  # again where a loop may have led back to what came before
            known = len(ways)
            for node in self._graph.nodes:
                if node.id in ways or node.id in faders or node.id in self._closed:
                    continue
                by = next((point for point in self._heard_by[node.id] if point.node in ways), None)
                if by is not None:
                    here = by.of or (owner_of[node.id].name if node.id in owner_of else "")
                    ways[node.id] = ways[by.node] or ("" if here in own else here)
        return (ways[main] or min(own)) if main in ways else None

    @cached_property
    def _closed(self) -> set[str]:
        """The gains that let nothing through at rest."""
        columns = {column.name: column for column in self._graph.columns}
        levels = Levels(columns, {name: column.control.default for name, column in columns.items()})
        gains = (
            node
            for node in self._graph.nodes
            if isinstance(node, EffectNode) and node.effect.type == SEND_EFFECT
        )
        return {node.id for node in gains if levels.of(node) == 0}

    def _alone(self, mask: int) -> int | None:
        return next((t for t, one in enumerate(self._inputs) if mask and not mask & ~one), None)

    def _leading(self) -> set[str]:
        """The nodes whose sound leads to the main output."""
        reaching, left = {self._main}, [self._main]
        while left:
            before = {point.node for point in self._heard_by[left.pop()]} - reaching
            reaching |= before
            left += before
        return reaching

    def _carried(
        self,
        bits: Mapping[str, int],
        *,
        stopped: Mapping[str, int] | None = None,
        closed: Collection[str] = (),
    ) -> dict[str, int]:
        """For each node its own bits and those of all nodes whose sound leads to it, round a loop, too.

        stopped: bits that come to a node and go no further. closed: nodes that let none through.
        """
        carried = dict.fromkeys(self._heard_by, 0)
        loops = any(isinstance(node, FeedbackNode) for node in self._graph.nodes)
        changed = True
        while changed:
            changed = False
            for name, points in self._heard_by.items():
                came = 0
                if name not in closed:
                    for point in points:
                        came |= carried[point.node]
                if stopped and name in stopped:
                    came &= ~stopped[name]
                if name in bits:
                    came |= bits[name]
                changed |= loops and came != carried[name]
                carried[name] = came
        return carried


def _union(masks: Iterable[int]) -> int:
    total = 0
    for mask in masks:
        total |= mask
    return total
