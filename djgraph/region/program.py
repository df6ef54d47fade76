"""A region as a program of five operations on slots, forward and backward; it belongs to no engine.

A slot is as large as a core's own cache can hold few of, so values are worked on strip by strip: a strip's spectrum is
scaled and added to its sum before the next is begun, and on the way back each strip is transformed again when the
gradient of its gains is due.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from djgraph.region.schedule import RegionSchedule, ScaleStep, SumStep


class Code(IntEnum):
    """Operations. Slots hold spectra; what a slot held before is lost unless the operation adds to it."""

    ANALYSE = 0
    """source, slot: windowed frames of the source, transformed."""
    SYNTHESISE = 1
    """target, slot: transformed back, windowed, overlapped and added to the target; the slot is free."""
    SCALE = 2
    """chain, from slot, to slot, whether it is added: times a chain of gains."""
    ADD = 3
    """from slot, to slot, whether it is added: a copy, or a sum."""
    GRADIENT = 4
    """chain, slot with what it was applied to, slot with the gradient of what came out: the gradient of its gains."""


@dataclass(frozen=True)
class Program:
    """operations: code and arguments of each. slots, targets: how many there are. chain: factors of the longest one."""

    operations: tuple[tuple[int, ...], ...]
    slots: int
    targets: int
    chain: int


@dataclass(frozen=True)
class Scaled:
    """A value that is another one times a chain of gains."""

    source: str
    chain: int


class Flow:
    """A region's values one by one, each after those that it is made of; chains of gains are numbered."""

    def __init__(self, schedule: RegionSchedule) -> None:
        self.strips = {name: index for index, name in enumerate(schedule.sources)}
        self.results = schedule.results
        self.scaled: dict[str, Scaled] = {}
        self.sums: dict[str, tuple[str, ...]] = {}
        self.chains: list[tuple[tuple[int, int], ...]] = []
        """For each chain its factors: mask group and node within it."""
        for step in schedule.steps:
            if isinstance(step, SumStep):
                self.sums[step.out] = step.ins
                continue
            for row, (source, out) in enumerate(zip(step.ins, step.outs)):
                self.scaled[out] = Scaled(source, len(self.chains))
                self.chains.append(_factors(step, row))
        self.order = self._in_order()

    def made_of(self, name: str) -> Sequence[str]:
        if name in self.scaled:
            return (self.scaled[name].source,)
        return self.sums.get(name, ())

    def _in_order(self, roots: Iterable[str] | None = None) -> list[str]:
        """What the roots (the results) need, depth first."""
        done: dict[str, None] = {}
        for root in self.results if roots is None else roots:
            open_ = [(root, False)]
            while open_:
                name, ready = open_.pop()
                if ready:
                    done[name] = None
                elif name not in done:
                    open_.append((name, True))
                    open_ += [(part, False) for part in reversed(self.made_of(name))]
        return list(done)

    def needed_for(self, names: Iterable[str]) -> list[str]:
        return self._in_order(names)


def _factors(step: ScaleStep, row: int) -> tuple[tuple[int, int], ...]:
    return tuple((group, low + row) for group, low, _ in step.factors)


class _Writer:
    """Operations, and which slots are taken."""

    def __init__(self) -> None:
        self.operations: list[tuple[int, ...]] = []
        self.slots = 0
        self._spare: list[int] = []

    def emit(self, *operation: int) -> None:
        self.operations.append(operation)

    def take(self) -> int:
        if self._spare:
            return self._spare.pop()
        self.slots += 1
        return self.slots - 1

    def free(self, slot: int) -> None:
        self._spare.append(slot)

    def program(self, flow: Flow, targets: int) -> Program:
        longest = max((len(chain) for chain in flow.chains), default=1)
        return Program(tuple(self.operations), max(self.slots, 1), targets, longest)

    def make(self, flow: Flow, roots: Sequence[str], results: Sequence[str]) -> dict[str, int]:
        """Makes ``roots``; results are given to their targets, other roots are kept: returns their slots."""
        order = flow.needed_for(roots)
        uses = Counter(part for name in order for part in flow.made_of(name))
        uses.update(results)
        uses.update(name for name in roots if name not in results)
        into = defaultdict(list)
        for name in order:
            for part in flow.sums.get(name, ()):
                into[part].append(name)
        places: dict[str, int] = {}

        def done_with(name: str) -> None:
            uses[name] -= 1
            if not uses[name] and name in places:
                self.free(places.pop(name))

        for name in order:
            if name in flow.strips:
                places[name] = self.take()
                self.emit(Code.ANALYSE, flow.strips[name], places[name])
            elif name in flow.scaled:
                scaled = flow.scaled[name]
                only = into[name][0] if uses[name] == 1 and into[name] else None
                mine = uses[scaled.source] == 1
                here = places[scaled.source]
                if only is not None and only in places:
                    self.emit(Code.SCALE, scaled.chain, here, places[only], 1)
                    uses[name] = 0
                else:
                    there = here if mine else self.take()
                    self.emit(Code.SCALE, scaled.chain, here, there, 0)
                    places[name] = there
                    if mine:
                        del places[scaled.source]
                done_with(scaled.source)
            # (A sum has been added up by the time its turn comes.)
            for index, result in enumerate(results):
                if result == name:
                    self._give(index, places, name, uses)
            if name not in places:
                continue
            for total in into[name]:
                if total in places:
                    self.emit(Code.ADD, places[name], places[total], 1)
                    done_with(name)
                elif uses[name] == 1:
                    places[total] = places.pop(name)
                    uses[name] = 0
                else:
                    places[total] = self.take()
                    self.emit(Code.ADD, places[name], places[total], 0)
                    done_with(name)
        return {name: places[name] for name in roots if name in places}

    def _give(self, target: int, places: dict[str, int], name: str, uses: Counter[str]) -> None:
        """Synthesises a value, or a copy of it where somebody still reads it."""
        slot = places[name]
        uses[name] -= 1
        if uses[name]:
            slot = self.take()
            self.emit(Code.ADD, places[name], slot, 0)
        else:
            del places[name]
        self.emit(Code.SYNTHESISE, target, slot)
        self.free(slot)


def forward_program(flow: Flow) -> Program:
    """Sources: the strips. Targets: the results."""
    writer = _Writer()
    writer.make(flow, list(dict.fromkeys(flow.results)), flow.results)
    return writer.program(flow, len(flow.results))


class Adjoint:
    """A gradient that several values may share: in a slot, or a result's seed that no slot holds yet."""

    def __init__(self, slot: int | None, seed: int = 0) -> None:
        self.slot, self.seed, self.users = slot, seed, 1


class Back:
    """Writes the backward program; an engine may derive one with operations of its own."""

    def __init__(self, flow: Flow, chains: Sequence[bool], strips: Sequence[bool]) -> None:
        self.flow, self.chains = flow, chains
        self.writer = _Writer()
        self.targets = {
            name: n for n, name in enumerate(name for name in flow.strips if strips[flow.strips[name]])
        }
        self.wanted: dict[str, bool] = {}
        for name in flow.order:
            above = any(self.wanted[part] for part in flow.made_of(name))
            own = name in flow.scaled and chains[flow.scaled[name].chain]
            self.wanted[name] = above or own or self.ends(name)
        self.adjoints: dict[str, Adjoint] = {}
        self.made, self.held = 0, frozenset[int]()
        """Operations that make what gains were applied to, and the slots that then hold it; the way back begins behind
        them."""

    def ends(self, name: str) -> bool:
        """Whether the gradient of a value is wanted for its own sake."""
        return name in self.targets

    def write(self) -> Program:
        flow, writer = self.flow, self.writer
        scaled = [flow.scaled[name] for name in flow.order if name in flow.scaled]
        read = [one.source for one in scaled if self.chains[one.chain] and one.source not in flow.strips]
        reads = Counter(read)
        values = writer.make(flow, list(reads), ())
        self.made, self.held = len(writer.operations), frozenset(values.values())
        for index, name in enumerate(flow.results):
            if self.wanted[name]:
                self.add(name, Adjoint(None, len(flow.strips) + index))
        for name in reversed(flow.order):
            adjoint = self.adjoints.pop(name, None)
            if adjoint is None:
                continue
            if name in flow.sums:
                for part in flow.sums[name]:
                    if self.wanted[part]:
                        adjoint.users += 1
                        self.add(part, adjoint)
            elif name in flow.scaled:
                self.scaled(flow.scaled[name], adjoint, values, reads)
            elif name in self.targets:
                slot = self._own(adjoint)
                writer.emit(Code.SYNTHESISE, self.targets[name], slot)
                if slot != adjoint.slot:
                    writer.free(slot)
            self.release(adjoint)
        return writer.program(flow, len(self.targets))

    def scaled(self, scaled: Scaled, adjoint: Adjoint, values: dict[str, int], reads: Counter[str]) -> None:
        flow, writer, source = self.flow, self.writer, scaled.source
        slot = self.slot(adjoint)
        if self.chains[scaled.chain]:
            if source in flow.strips:
                value = writer.take()
                writer.emit(Code.ANALYSE, flow.strips[source], value)
                writer.emit(Code.GRADIENT, scaled.chain, value, slot)
                writer.free(value)
            else:
                writer.emit(Code.GRADIENT, scaled.chain, values[source], slot)
                reads[source] -= 1
                if not reads[source]:
                    writer.free(values[source])
        if self.wanted[source]:
            self.scale(scaled, slot)

    def scale(self, scaled: Scaled, slot: int) -> None:
        """Adds a value's gradient, in a slot, times the gains, to that of what was scaled."""
        writer, source = self.writer, scaled.source
        if source not in self.adjoints:
            there = writer.take()
            writer.emit(Code.SCALE, scaled.chain, slot, there, 0)
            self.adjoints[source] = Adjoint(there)
        else:
            writer.emit(Code.SCALE, scaled.chain, slot, self._own_of(source), 1)

    def add(self, name: str, adjoint: Adjoint) -> None:
        """Accumulates a gradient; the caller's reference to it is handed over."""
        if name not in self.adjoints:
            self.adjoints[name] = adjoint
            return
        self.writer.emit(Code.ADD, self.slot(adjoint), self._own_of(name), 1)
        self.release(adjoint)

    def _own_of(self, name: str) -> int:
        adjoint = self.adjoints[name]
        slot = self._own(adjoint)
        if slot != adjoint.slot:
            self.release(adjoint)
            self.adjoints[name] = Adjoint(slot)
        return slot

    def slot(self, adjoint: Adjoint) -> int:
        if adjoint.slot is None:
            adjoint.slot = self.writer.take()
            self.writer.emit(Code.ANALYSE, adjoint.seed, adjoint.slot)
        return adjoint.slot

    def _own(self, adjoint: Adjoint) -> int:
        """The slot, or that of a copy where others use it too."""
        slot = self.slot(adjoint)
        if adjoint.users == 1:
            return slot
        copy = self.writer.take()
        self.writer.emit(Code.ADD, slot, copy, 0)
        return copy

    def release(self, adjoint: Adjoint) -> None:
        adjoint.users -= 1
        if not adjoint.users and adjoint.slot is not None:
            self.writer.free(adjoint.slot)


def backward_program(flow: Flow, chains: Sequence[bool], strips: Sequence[bool]) -> Program:
    """Sources: the strips, then the gradients of the results. Targets: the gradients of those strips that want one.

    chains, strips: which gains and which audio a gradient is wanted of.
    """
    return Back(flow, chains, strips).write()
