"""A region's programs for candidates, forward and backward: strips are sums of spectra, and need no slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from djgraph.region.engines.vectors.encode import encode
from djgraph.region.program import Adjoint, Back, Flow, Scaled
from djgraph.simd.candidates import MOVED, OF_FADER, OF_GAINS, PULLED, SCALED
from djgraph.simd.program import ANALYSE, SCALE, SYNTHESISE, MachineCode


def fused(operations: NDArray, held: Collection[int] = ()) -> NDArray:
    """A program in which a strip that is scaled and not read otherwise has no slot of its own; held: slots that are
    read after its end."""
    steps = [[int(number) for number in step] for step in operations]
    done = []
    place = 0
    while place < len(steps):
        step = steps[place]
        after = steps[place + 1] if place + 1 < len(steps) else [-1] * len(step)
        if step[0] == ANALYSE and after[0] == SCALE and after[2] == step[2]:
            slot, into = step[2], after[3]
            if into == slot or not _read_later(steps[place + 2 :], slot, held):
                done.append([SCALED, step[1], after[1], into, after[4] if into != slot else 0])
                place += 2
                continue
        done.append(step)
        place += 1
    return np.array(done, np.int64).reshape(-1, operations.shape[1])


def _read_later(steps: Sequence[Sequence[int]], slot: int, held: Collection[int]) -> bool:
    """Whether what a slot holds is read before it holds something else."""
    for kind, first, second, third, fourth in steps:
        if kind == ANALYSE:
            reads, writes = False, second == slot
        elif kind == SYNTHESISE:
            reads, writes = second == slot, False
        else:
            source, into, added = (second, third, fourth) if kind == SCALE else (first, second, third)
            reads, writes = source == slot or (into == slot and bool(added)), into == slot
        if reads:
            return True
        if writes:
            return False
    return slot in held


class _Back(Back):
    """Gradients of gains and faders straight from that of what came out, one strip and chain after another."""

    def __init__(
        self, flow: Flow, chains: Sequence[bool], strips: Sequence[bool], faders: Sequence[bool]
    ) -> None:
        self.faders = {name for name, strip in flow.strips.items() if faders[strip]}
        super().__init__(flow, chains, strips)

    def ends(self, name: str) -> bool:
        return name in self.faders or super().ends(name)

    def scaled(self, scaled: Scaled, adjoint: Adjoint, values: dict[str, int], reads: Counter[str]) -> None:
        source = scaled.source
        if source not in self.flow.strips:
            super().scaled(scaled, adjoint, values, reads)
            return
        slot = self.slot(adjoint)
        wanted = OF_GAINS * self.chains[scaled.chain] + OF_FADER * (source in self.faders)
        if wanted:
            self.writer.emit(PULLED, self.flow.strips[source], scaled.chain, slot, wanted)
        if source in self.targets:
            self.scale(scaled, slot)

    def add(self, name: str, adjoint: Adjoint) -> None:
        if name in self.faders:
            self.writer.emit(MOVED, self.flow.strips[name], self.slot(adjoint))
        if name in self.flow.strips and name not in self.targets:
            self.release(adjoint)
        else:
            super().add(name, adjoint)


def backward_program(
    flow: Flow, chains: Sequence[bool], strips: Sequence[bool], faders: Sequence[bool]
) -> MachineCode:
    """Sources and targets as of :func:`djgraph.region.program.backward_program`; what is synthesised is given to what
    all candidates share.

    chains, strips, faders: of which gains, of which strips' audio and of which strips' faders a gradient is wanted.
    """
    back = _Back(flow, chains, strips, faders)
    code = encode(back.write())
    made, after = code.operations[: back.made], code.operations[back.made :]
    return MachineCode(np.concatenate((fused(made, back.held), after)), code.slots, code.targets, code.chain)


def reads_strips(operations: NDArray, strips: int) -> bool:
    """Whether a backward program needs the strips, and not their gradients alone."""
    kinds = operations[:, 0]
    analysed = (kinds == ANALYSE) & (operations[:, 1] < strips)
    return bool((analysed | np.isin(kinds, (SCALED, PULLED, MOVED))).any())
