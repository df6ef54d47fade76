"""What one stream leaves out of a block: what silence leads to and from, and what nobody hears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from djgraph.compiler.plan import Add, Process, Region
from djgraph.dsp.derivatives import unwatched
from djgraph.streams.controls import ControlTrack
from djgraph.streams.gates import Gates, Lanes, result_inlets
from djgraph.streams.plan import Delays, StreamPlan
from djgraph.streams.process import Rest
from djgraph.streams.state import StreamState
from djgraph.streams.time import Moment

NOBODY: Lanes = frozenset()
NEVER = -(1 << 62)
"""A sample before all of any clip."""


class LeftOut:
    """Follows the gates of a plan from block to block. ``silent``: the values that are silence in this block.

    rest: when what silence comes into is left out. drops: what nobody hears is left out whatever it remembers. Where
    gradients are on nothing is left out.
    """

    def __init__(self, plan: StreamPlan, gates: Gates, rest: Rest, drops: bool) -> None:
        self.rest = rest
        self.silent: set[str] = set()
        self._plan, self._gates, self._drops = plan, gates, drops
        self._closed: frozenset[str] = frozenset()
        self._watched = False
        self._unheard: Mapping[int, Lanes] = {}
        self._inlets = {
            index: result_inlets(op) for index, op in enumerate(plan.plan.ops) if isinstance(op, Region)
        }
        waiting = [name for _, op, _ in plan.steps if isinstance(op, Delays) for name in op.outs]
        waiting += [inlet.out for op in plan.plan.ops if isinstance(op, Region) for inlet in op.inlets]
        # By what comes late, the sample behind the last one that has gone in there and may be no silence.
        self._loud = dict.fromkeys(waiting, NEVER)

    def begin(self, track: ControlTrack, moment: Moment) -> None:
        """A block begins."""
        self._watched = not unwatched()
        self._closed = frozenset() if self._watched else self._gates.closed(track, moment)
        self._unheard = self._gates.unheard(self._closed, self._drops) if self._closed else {}
        self.silent = set(self._plan.silent)

    def unheard(self, index: int) -> Lanes:
        """Of an effect, the nodes that give nothing which anybody needs; of a sum, any where that is so of it."""
        return self._unheard.get(index, NOBODY)

    def whole(self, index: int) -> bool:
        """Whether an effect cannot run for some of its nodes."""
        return index in self._gates.whole

    def fed_silence(self, op: Process) -> Lanes:
        """The nodes that silence comes into."""
        if self._watched or not self.silent:
            return NOBODY
        return frozenset(lane for lane, ins in enumerate(op.ins) if ins and self.silent.issuperset(ins))

    def rests(self, op: Process, lanes: Sequence[int], fed: Lanes) -> None:
        """These nodes were not run."""
        for lane in lanes:
            if lane in fed or op.nodes[lane].id in self._closed:
                self.silent.update(op.outs[lane])

    def heard(self, op: Add) -> list[str]:
        """What of a sum is no silence; where nothing is, it is silence itself."""
        heard = [name for name in op.sources if name not in self.silent]
        if not heard:
            self.silent.add(op.out)
        return heard

    def delayed(self, op: Delays, moment: Moment) -> None:
        """Which of some delays give silence in this block."""
        arrive, stop = moment.span(self._plan.latencies[op.sources[0]])
        start = moment.span(self._plan.latencies[op.outs[0]])[0]
        for source, out in zip(op.sources, op.outs):
            if arrive < stop and source not in self.silent:
                self._loud[out] = stop
            if start >= self._loud[out]:
                self.silent.add(out)

    def region(self, index: int, op: Region, moment: Moment) -> int | None:
        """Which results of a region are silence in this block; the sample from which all that goes into it is, if any.

        A frame reaches as far ahead and back as the transform is long.
        """
        arrive, stop = moment.span(self._plan.arrives[index])
        start = moment.span(self._plan.leaves[index])[0]
        quiet = True
        for inlet in op.inlets:
            if arrive < stop and not self._gates.lets_nothing_in(inlet, self._closed, self.silent):
                self._loud[inlet.out] = stop
                quiet = False
        size = self._plan.plan.graph.transform.size
        for name, inlets in self._inlets[index].items():
            if start - size >= max(self._loud[inlet] for inlet in inlets):
                self.silent.add(name)
        return max(self._loud[inlet.out] for inlet in op.inlets) if quiet else None

    def state(self) -> StreamState:
        return {"loud": torch.tensor(list(self._loud.values()), dtype=torch.int64, device="cpu")}

    def restore(self, state: StreamState, position: int) -> None:
        """position: of the stream; of a state without these, all that waits may be loud."""
        loud = state["loud"].tolist() if "loud" in state else [position] * len(self._loud)
        self._loud = dict(zip(self._loud, loud))
