"""Fifth step of building: how many channels each node has, and whether all that meet agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from djgraph.errors import Problem
from djgraph.graph.draft import (
    EffectDraft,
    FeedbackDraft,
    InputDraft,
    NodeDraft,
    OwnerDraft,
    PlacedPoint,
    SumDraft,
)
from djgraph.graph.ir import Point
from djgraph.graph.order import spoken
from djgraph.graph.placed import Placed
from djgraph.language.model import Header
from djgraph.language.site import Site
from djgraph.speakers import word

Carried = Sequence[tuple[PlacedPoint, int]]
"""What something reads, and the channels of each."""


class Channels:
    """The channels of nodes that are in order.

    counts: by node id, of the ports that leave their number open. ``problems`` fills with the places where counts do
    not agree.
    """

    def __init__(self, nodes: Sequence[NodeDraft], effects: Mapping[str, Any]) -> None:
        """effects: by name, anything with an ``effect`` class, for hints."""
        self.counts: dict[str, int] = {}
        self.problems: list[Problem] = []
        self._effects = effects
        self._by_id: dict[str, NodeDraft] = {}
        self._by_id.update((node.id, node) for node in nodes)
        # What goes round in a loop is as wide as the widest signal in it: it begins as mono, and grows.
        came = {node.id: 1 for node in nodes if isinstance(node, FeedbackDraft)}
        back: dict[str, int] | None = None
        while back != came and not self.problems:
            back = came
            self._count(nodes, back)
            came = {name: max(self._comes_back(name), count) for name, count in back.items()}

    def _count(self, nodes: Sequence[NodeDraft], back: Mapping[str, int]) -> None:
        """The counts where loops come back with ``back`` channels."""
        self.counts.clear()
        for node in nodes:
            if isinstance(node, InputDraft):
                self.counts[node.id] = node.channels
            elif isinstance(node, FeedbackDraft):
                self.counts[node.id] = back[node.id]
            elif isinstance(node, SumDraft):
                self.counts[node.id] = self._sum(node)
            else:
                self.counts[node.id] = self._effect(node)

    def _comes_back(self, name: str) -> int:
        way = self._by_id[name]
        assert isinstance(way, FeedbackDraft)
        assert way.source is not None
        return self._carried(way.source.point)

    def check_ends(self, owners: Iterable[OwnerDraft], end: Callable[[OwnerDraft], Point | None]) -> None:
        """Strips without a chain have no node that mono could be put on all channels at."""
        for owner in owners:
            declared, point = owner.placed.model.channels, end(owner)
            if declared is None or owner.chain or owner.sum is not None or point is None:
                continue
            count = self._carried(point)
            if count != declared:
                what = (
                    f"strip {owner.name!r} is {word(declared)}, and {self._spoken(point)!r} is {word(count)}"
                )
                hint = (
                    self._hint(declared)
                    if count > 1
                    else "a strip without a chain passes what it reads as it is"
                )
                self.problems.append(owner.site.problem(what, "channels", hint=hint))

    def check_outputs(self, header: Placed[Header], outputs: Mapping[str, Point]) -> None:
        """An output that says its channels has to have them."""
        for index, output in enumerate(header.model.outputs):
            point = outputs.get(output.name)
            if output.channels is None or point is None:
                continue
            count = self._carried(point)
            if count != output.channels:
                site = header.site.below("outputs", index)
                source = self._spoken(point)
                what = f"output {output.name!r} is {word(output.channels)}, and {source!r} is {word(count)}"
                self.problems.append(site.problem(what, "channels", hint=self._hint(output.channels)))

    def check_given(self, given: Iterable[tuple[PlacedPoint, int]]) -> list[Site]:
        """A part is given what its inputs take, or mono. given: what it is given, and the channels of the input.
        Returns the places where it is not."""
        wrong = []
        for placed, channels in given:
            count = self._carried(placed.point)
            if count not in (1, channels):
                message = (
                    f"the input is {word(channels)}, and {self._spoken(placed.point)!r} is {word(count)}"
                )
                self.problems.append(placed.site.problem(message, hint=self._hint(channels)))
                wrong.append(placed.site)
        return wrong

    def _sum(self, node: SumDraft) -> int:
        carried = [(source, self._carried(source.point)) for source in node.sources]
        if node.channels is not None:
            self._hold_to(node.channels, carried, f"bus {spoken(node)!r}")
            return node.channels
        self._disagreement(carried, f"bus {spoken(node)!r} sums")
        return max((count for _, count in carried), default=2)

    def _effect(self, node: EffectDraft) -> int:
        assert node.effect is not None
        shared: list[tuple[PlacedPoint, int]] = []
        for port in node.effect.inputs:
            source = node.sources[port.name]
            count = self._carried(source.point)
            if port.apart:
                continue
            if port.channels is None:
                shared.append((source, count))
            elif count not in (port.channels, 1):  # mono is spread
                message = (
                    f"port {port.name!r} of {node.effect.type} takes {word(port.channels)}, "
                    f"and {self._spoken(source.point)!r} is {word(count)}"
                )
                site = node.site if port is node.effect.inputs[0] else source.site
                self.problems.append(site.problem(message, hint=self._hint(port.channels)))
        open_ports = bool(shared) or (
            not node.effect.inputs and any(port.channels is None for port in node.effect.outputs)
        )
        if node.channels is not None and open_ports:
            self._hold_to(node.channels, shared, f"strip {node.owner!r}")
            return node.channels
        self._disagreement(shared, f"{node.id!r} reads")
        if shared:
            return max(count for _, count in shared)
        declared = [
            port.channels for port in (*node.effect.inputs, *node.effect.outputs) if port.channels is not None
        ]
        count = declared[0] if declared else 2
        if node.channels not in (None, count):
            does = "takes" if node.effect.inputs else "makes"
            message = f"strip {node.owner!r} is {word(node.channels or 0)}, and {node.effect.type} {does} {word(count)}"
            self.problems.append(node.site.problem(message))
        return count

    def _carried(self, point: Point) -> int:
        node = self._by_id[point.node]
        if isinstance(node, EffectDraft):
            assert node.effect is not None
            declared = next(port.channels for port in node.effect.outputs if port.name == point.port)
            if declared is not None:
                return declared
        return self.counts[node.id]

    def _hold_to(self, declared: int, carried: Carried, what: str) -> None:
        """Whatever is read has the declared count, or is mono."""
        other = next(((source, count) for source, count in carried if count not in (1, declared)), None)
        if other is not None:
            source, count = other
            message = f"{what} is {word(declared)}, and {self._spoken(source.point)!r} is {word(count)}"
            self.problems.append(source.site.problem(message, hint=self._hint(declared)))

    def _disagreement(self, carried: Carried, what: str) -> None:
        wide = [(source, count) for source, count in carried if count != 1]  # mono is spread
        other = next(((source, count) for source, count in wide if count != wide[0][1]), None)
        if other is not None:
            first, then = (
                f"{self._spoken(source.point)!r} ({word(count)})" for source, count in (wide[0], other)
            )
            message = f"{what} signals of different channel counts: {first} and {then}"
            self.problems.append(other[0].site.problem(message, hint=self._hint(wide[0][1], other[1])))

    def _hint(self, *wanted: int) -> str:
        """What goes with what, and the effects that make the counts that are wanted."""
        made = []
        for count in wanted:
            names = [
                name
                for name, entry in sorted(self._effects.items())
                if entry.effect.inputs and entry.effect.outputs[0].channels == count
            ]
            made += [f"{word(count)} is what {' and '.join(names)} gives"] if names else []
        return "; ".join(["only mono goes with any other count", *made])

    def _spoken(self, point: Point) -> str:
        return spoken(self._by_id[point.node])
