"""What stays the same from call to call of a region on a GPU: its terms, gains, weights and curves as tables.

A result is a sum of terms: a strip's spectrum times the gains on one way from there to the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from djgraph.effects import RatioEffect
from djgraph.region.program import Flow
from djgraph.region.schedule import MaskGroup, RegionSchedule

Factors = tuple[tuple[int, int], ...]
"""Mask group and node within it."""
RATIO, TABLE = 0, 1


class Group:
    """A mask group, and where its weights and curves, or its tables, are."""

    def __init__(self, group: MaskGroup) -> None:
        self.group, self.nodes = group, group.nodes
        self.ratio = isinstance(group.module, RatioEffect)
        self.curves = group.call.curves() if self.ratio else []
        self.ranks = (
            len(self.curves[0]) if self.ratio else 0,
            len(self.curves[1]) if len(self.curves) > 1 else 0,
        )
        self.above = self.below = self.above_curves = self.below_curves = self.table = 0

    def factor(self, node: int) -> list[int]:
        """What the kernel knows of one node's gain."""
        above, below = self.ranks
        if not self.ratio:
            return [TABLE, self.table + node, 0, 0, 0, 0, 0]
        return [
            RATIO, self.above + node * above, above, self.below + node * below, below,
            self.above_curves, self.below_curves,
        ]  # fmt: skip


class PreparedRegion:
    """The tables of a region, on the CPU; engines keep them there, and copies where they are needed."""

    def __init__(self, schedule: RegionSchedule) -> None:
        self.schedule = schedule
        self.groups = [Group(group) for group in schedule.masks]
        self._place()
        flow = Flow(schedule)
        terms = [
            (flow.strips[strip], result, factors)
            for result, name in enumerate(schedule.results)
            for strip, factors in _ways(flow, name)
        ]
        self.by_result = Terms(terms, 1, len(schedule.results), self.groups)
        self.by_strip = Terms(terms, 0, len(schedule.sources), self.groups)

    def _place(self) -> None:
        rows = curves = tables = 0
        for group in self.groups:
            above, below = group.ranks
            if group.ratio:
                group.above, group.below = rows, rows + group.nodes * above
                rows = group.below + group.nodes * below
                group.above_curves, group.below_curves = curves, curves + above
                curves = group.below_curves + below
            else:
                group.table, tables = tables, tables + group.nodes

    @cached_property
    def curves(self) -> Tensor:
        """``[curves, bins]``, float64."""
        parts = [curve for group in self.groups for curve in group.curves]
        none = torch.zeros(1, self.schedule.transform.bins, dtype=torch.float64, device="cpu")
        return torch.cat([one.to(none) for one in parts]) if parts else none


class Terms:
    """Terms in the order of their results or of their strips: ``table``, ``ends`` and ``gains``, the tables of terms,
    ends and factors of :mod:`djgraph.gpu.mix`."""

    def __init__(
        self, terms: Sequence[tuple[int, int, Factors]], key: int, count: int, groups: Sequence[Group]
    ) -> None:
        ordered = sorted(terms, key=lambda term: term[:2][key])
        gains: list[list[int]] = []
        table = []
        for strip, result, factors in ordered:
            first = len(gains)
            gains += [groups[group].factor(node) for group, node in factors]
            table.append([strip, result, first, len(gains)])
        keys = [term[:2][key] for term in ordered]
        ends = [sum(one < place for one in keys) for place in range(count + 1)]
        self.table = torch.tensor(table or [[0] * 4], dtype=torch.int32, device="cpu")
        self.ends = torch.tensor(ends, dtype=torch.int32, device="cpu")
        self.gains = torch.tensor(gains or [[TABLE, *(0,) * 6]], dtype=torch.int32, device="cpu")


def _ways(flow: Flow, result: str) -> list[tuple[str, Factors]]:
    """All ways from strips to a value: the strip, and the gains on the way."""
    ways: dict[str, list[tuple[str, Factors]]] = {}
    for name in flow.needed_for([result]):
        if name in flow.strips:
            ways[name] = [(name, ())]
        elif name in flow.scaled:
            scaled = flow.scaled[name]
            chain = flow.chains[scaled.chain]
            ways[name] = [(strip, (*factors, *chain)) for strip, factors in ways[scaled.source]]
        else:
            ways[name] = [way for part in flow.sums[name] for way in ways[part]]
    return ways[result]
