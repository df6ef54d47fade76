"""Runs a region's program one operation at a time, on anything that can be multiplied and added.

What every engine that runs programs is held against: a spectrum may be a tensor, or a single number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from djgraph.region.program import Code, Program


class Machine:
    """The state after a program has run.

    sources: the spectra that it analyses. gains: the product of each chain. ``targets``: what was synthesised.
    ``gradients``: by chain, the product of what it was applied to with the gradient of what came out.
    Raises ValueError where a program reads a slot that holds nothing, or writes a target or a gradient twice.
    """

    def __init__(self, program: Program, sources: Sequence[Any], gains: Sequence[Any]) -> None:
        self.slots: list[Any] = [None] * program.slots
        self.targets: dict[int, Any] = {}
        self.gradients: dict[int, Any] = {}
        for code, *arguments in program.operations:
            match Code(code), arguments:
                case Code.ANALYSE, [source, slot]:
                    self.slots[slot] = sources[source]
                case Code.SYNTHESISE, [target, slot]:
                    self._once(self.targets, target, self._read(slot))
                    self.slots[slot] = None
                case Code.SCALE, [chain, slot, to, added]:
                    self.slots[to] = gains[chain] * self._read(slot) + (self._read(to) if added else 0)
                case Code.ADD, [slot, to, added]:
                    self.slots[to] = self._read(slot) + (self._read(to) if added else 0)
                case Code.GRADIENT, [chain, slot, gradient]:
                    self._once(self.gradients, chain, self._read(slot) * self._read(gradient))
                case _:
                    raise ValueError(f"{Code(code).name} with {len(arguments)} arguments")

    def _read(self, slot: int) -> Any:
        if self.slots[slot] is None:
            raise ValueError(f"slot {slot} is read, but holds nothing")
        return self.slots[slot]

    @staticmethod
    def _once(values: dict[int, Any], place: int, value: Any) -> None:
        if place in values:
            raise ValueError(f"{place} is written twice")
        values[place] = value
