"""A loop in a stream: blocks no longer than what goes in takes to come round, however long those that come in are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from djgraph.compiler.plan import Loop, Plan, Process
from djgraph.controls.reader import ControlReader
from djgraph.host.calls import EffectCall
from djgraph.runtime.compiled import Compiled
from djgraph.runtime.rounds import block_lengths
from djgraph.streams.buffers import History
from djgraph.streams.clock import ClockTrack
from djgraph.streams.controls import ControlTrack, SharedReading
from djgraph.streams.process import ProcessStream
from djgraph.streams.state import StreamState, part, prefixed


class LoopStream:
    """The effects of a loop with their states, and what is on its way back in it."""

    def __init__(self, op: Loop, plan: Plan, compiled: Compiled, batch: int, like: Tensor) -> None:
        graph = plan.graph
        self.op, self._position = op, 0
        effects = {index: step for index, step in enumerate(op.body) if isinstance(step, Process)}
        readers = [
            ControlReader(step.nodes, compiled.bank, graph.sample_rate, graph.transform.hop, graph.name)
            for step in effects.values()
        ]
        shared = SharedReading(readers) if readers else None
        self._effects: dict[int, ProcessStream] = {}
        for number, (index, step) in enumerate(effects.items()):
            assert shared is not None
            call = EffectCall(compiled.modules[step.nodes[0].id], step.nodes)
            self._effects[index] = ProcessStream(step, call, (shared, number), graph, batch, like)
        held = {name for name, _ in op.held}
        self._early = {
            index: effect for index, effect in self._effects.items() if effects[index].writes[0] in held
        }
        self._lines = {
            way.out: History(like.new_zeros(batch, plan.channels[way.out], way.samples), -way.samples)
            for way in op.ways
        }
        self._nothing = {name: like.new_zeros(batch, plan.channels[name], 0) for name in op.results}

    def __call__(
        self,
        audio: Mapping[str, Tensor],
        track: ControlTrack,
        clock: ClockTrack | None,
        span: tuple[int, int],
        end: int | None,
    ) -> dict[str, Tensor]:
        """The results by name on samples ``span`` of the clip, from audio by name, ``[batch, channels, samples]`` each.

        end: the clip's length, where these are its last samples.
        """
        pieces: dict[str, list[Tensor]] = {name: [] for name in self.op.results}
        start = self._position
        for length in self._lengths(track, clock, span[1], end):
            stop = self._position + length
            values = {name: one[..., self._position - start : stop - start] for name, one in audio.items()}
            self._block(values, track, clock, stop, end)
            for name, some in pieces.items():
                some.append(values[name])
            self._position = stop
        return {name: torch.cat(some, -1) if some else self._nothing[name] for name, some in pieces.items()}

    def _lengths(
        self, track: ControlTrack, clock: ClockTrack | None, stop: int, end: int | None
    ) -> list[int]:
        """The blocks up to ``stop``."""
        samples = stop - self._position
        if not self._early or samples <= self.op.block:
            return block_lengths([self.op.block], samples)
        rounds: list[int | Tensor] = [way.samples for way in self.op.ways]
        held = dict(self.op.held)
        for effect in self._early.values():
            least = held[effect.op.writes[0]]
            now = effect.held_back_now(track, clock, stop, end)
            rounds.append(least if now is None else now.clamp(min=least))
        return block_lengths(rounds, samples)

    def _block(
        self,
        values: dict[str, Tensor],
        track: ControlTrack,
        clock: ClockTrack | None,
        stop: int,
        end: int | None,
    ) -> None:
        """Adds what the body makes of a block that ends before ``stop``, by name."""
        for way in self.op.ways:
            values[way.out] = self._lines[way.out].take(stop - way.samples)
        early: dict[str, Tensor] = {}
        for index, effect in self._early.items():
            outs = self._effects[index].op.outs[0]
            early |= {name: one[0] for name, one in zip(outs, effect.early(track, clock, stop, end))}
        values |= early
        for index, step in enumerate(self.op.body):
            if isinstance(step, Process):
                read = [values[name].unsqueeze(0) for name in step.ins[0]]
                made = self._effects[index](read, track, clock, stop, stop, end)
                values |= {name: signal[0] for name, signal in zip(step.outs[0], made)} | early
            else:
                values[step.out] = torch.stack([values[name] for name in step.sources]).sum(0)
        for way in self.op.ways:
            self._lines[way.out].append(values[way.source])

    def oldest_control(self) -> int:
        """The first sample whose controls will be read again."""
        return self._position

    def detach(self) -> None:
        for _, memory in self._memories():
            memory.detach()

    def state(self) -> StreamState:
        state = {"position": torch.tensor([self._position], device="cpu")}
        for name, memory in self._memories():
            state |= prefixed(name, memory.state())
        return state

    def restore(self, state: StreamState) -> None:
        self._position = int(state["position"])
        for name, memory in self._memories():
            memory.restore(part(name, state))

    def _memories(self) -> Iterator[tuple[str, ProcessStream | History]]:
        yield from ((f"step{index}", effect) for index, effect in self._effects.items())
        yield from ((f"way{index}", line) for index, line in enumerate(self._lines.values()))
