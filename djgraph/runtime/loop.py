"""A loop on a whole clip: block after block, none longer than what goes in takes to come round."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from djgraph.compiler.plan import Feedback, Loop, Plan, Process
from djgraph.controls.bank import ControlBank
from djgraph.controls.reader import ControlReader
from djgraph.dsp.curve import Timeline
from djgraph.dsp.derivatives import unwatched
from djgraph.effects import Block, Clock, Effect, State
from djgraph.host.calls import EffectCall
from djgraph.runtime.outputs import reads_values
from djgraph.runtime.rounds import block_lengths


class LoopKernel:
    """Runs one operation of a plan, for any clip."""

    def __init__(self, op: Loop, plan: Plan, modules: Mapping[str, Effect], bank: ControlBank) -> None:
        """modules: by node id."""
        graph = plan.graph
        self.op, self.channels, self.rate = op, plan.channels, graph.sample_rate
        hop = graph.transform.hop
        self._calls = {
            step.writes[0]: (
                step,
                EffectCall(modules[step.nodes[0].id], step.nodes),
                ControlReader(step.nodes, bank, graph.sample_rate, hop, graph.name),
            )
            for step in op.body
            if isinstance(step, Process)
        }

    def __call__(
        self, audio: Mapping[str, Tensor], rows: Tensor, timeline: Timeline, clock: Clock | None
    ) -> dict[str, Tensor]:
        """The results by name, ``[batch, channels, samples]``.

        audio: what the loop reads, by name. rows: of the bank, ``[rows, batch, frames]``. clock: for effects that
        follow one.
        """
        op, batch = self.op, rows.shape[1]
        effects = {
            name: _Effect(step, call, reader, self, rows, timeline)
            for name, (step, call, reader) in self._calls.items()
        }
        lengths = self._lengths(effects, timeline.samples, clock, rows.device)
        # One node of autograd for all blocks: each slice of its own would have a gradient as long as the clip.
        parts = {name: signal.split(lengths, -1) for name, signal in audio.items()}
        ticks = None if clock is None else _split(clock, lengths)
        for effect in effects.values():
            effect.cut(lengths)
        lines = {
            way.out: _Line(way, rows.new_zeros(batch, self.channels[way.out], way.samples)) for way in op.ways
        }
        pieces: dict[str, list[Tensor]] = {name: [] for name in op.results}
        start = 0
        for number, count in enumerate(lengths):
            values = {name: blocks[number] for name, blocks in parts.items()}
            values |= {name: line.take(count) for name, line in lines.items()}
            tick = None if ticks is None else ticks[number]
            early: dict[str, Tensor] = {}
            for held in op.early:
                early |= effects[held.writes[0]].early(number, start, count, tick)
            values |= early
            for step in op.body:
                if isinstance(step, Process):
                    values |= effects[step.writes[0]](values, number, start, tick) | early
                else:
                    first, *others = (values[name] for name in step.sources)
                    values[step.out] = sum(others, first)
            for line in lines.values():
                line.append(values[line.source])
            for name, some in pieces.items():
                some.append(values[name])
            start += count
        return {name: torch.cat(some, -1) for name, some in pieces.items()}

    def _lengths(
        self, effects: Mapping[str, _Effect], samples: int, clock: Clock | None, device: torch.device
    ) -> list[int]:
        """The blocks. Where values cannot be looked at, they are as long as they may be whatever controls are."""
        op = self.op
        if not op.held or not reads_values(device):
            return block_lengths([op.block], samples)
        rounds: list[int | Tensor] = [way.samples for way in op.ways]
        for name, held in op.held:
            now = effects[name].held_back_now(samples, clock)
            rounds.append(held if now is None else now.clamp(min=held))
        return block_lengths(rounds, samples)


class _Effect:
    """An effect of a loop on one clip, with its state."""

    def __init__(
        self,
        step: Process,
        call: EffectCall,
        reader: ControlReader,
        kernel: LoopKernel,
        rows: Tensor,
        timeline: Timeline,
    ) -> None:
        node = call.nodes[0]
        self._step, self._call, self._kernel = step, call, kernel
        self._batch, self._channels = rows.shape[1], node.channels
        rates = {control.id: control.rate for control in node.effect.controls}
        self._sampled = {name for name, rate in rates.items() if rate == "sample"}
        self._controls = reader(rows, timeline)
        self._cut: dict[str, Sequence[Tensor]] = {}
        self._state: State = call.initial_state(self._batch, self._channels, rows)
        self._like, self._owned = rows, False

    def held_back_now(self, samples: int, clock: Clock | None) -> Tensor | None:
        """See :meth:`TimeEffect.held_back_now`, of the whole clip."""
        block = Block(0, samples, self._kernel.rate, clock if self._call.module.uses_clock else None)
        return self._call.held_back_now(self._controls, self._state, block)

    def cut(self, lengths: list[int]) -> None:
        """Cuts controls into blocks of these lengths."""
        self._cut = {name: self._controls[name].split(lengths, -1) for name in self._sampled}

    def __call__(
        self, values: Mapping[str, Tensor], number: int, start: int, tick: Clock | None
    ) -> dict[str, Tensor]:
        """What it makes of the block of that number, by the plan's names."""
        # Copies: an effect may keep parts of its input, which another one may have kept and go on to write to.
        owned = unwatched()
        audio = [values[name].clone() if owned else values[name] for name in self._step.ins[0]]
        if owned and not self._owned:  # what it began with may be somebody else's, too
            self._state = {name: one.clone() for name, one in self._state.items()}
            self._owned = True
        made, self._state = self._process(audio, self._at(number), start, tick, owned)
        return made

    def early(self, number: int, start: int, count: int, tick: Clock | None) -> dict[str, Tensor]:
        """The same of an effect that holds its signal back, before that is there: silence does as well."""
        channels = (self._kernel.channels[name] for name in self._step.ins[0])
        silence = [self._like.new_zeros(self._batch, wide, count) for wide in channels]
        controls = {name: values.clone() for name, values in self._at(number).items()}
        made, _ = self._process(silence, controls, start, tick, False)
        # Copies: what it hands on may lie in its state, which it will write to.
        return {name: signal.clone() for name, signal in made.items()}

    def _at(self, number: int) -> dict[str, Tensor]:
        """The controls of a block."""
        return {
            name: self._cut[name][number] if name in self._cut else values
            for name, values in self._controls.items()
        }

    def _process(
        self,
        audio: Sequence[Tensor],
        controls: Mapping[str, Tensor],
        start: int,
        tick: Clock | None,
        owned: bool,
    ) -> tuple[dict[str, Tensor], State]:
        node, module = self._call.nodes[0], self._call.module
        length = audio[0].shape[-1]
        block = Block(start, length, self._kernel.rate, tick if module.uses_clock else None, owned)
        ports = {port.name: signal for port, signal in zip(node.effect.inputs, audio)}
        size = (self._batch, self._channels, length)
        outputs, state = self._call.process(ports, controls, self._state, block, size)
        made = (outputs[port.name].to(self._like.dtype) for port in node.effect.outputs)
        return dict(zip(self._step.outs[0], made)), state


def _split(clock: Clock, lengths: list[int]) -> list[Clock]:
    """The clock in blocks."""
    tempos = clock.tempo.expand_as(clock.beats).split(lengths, -1)
    return [Clock(tempo, beats) for tempo, beats in zip(tempos, clock.beats.split(lengths, -1))]


class _Line:
    """What is on its way back: the samples that were made and have not come round yet."""

    def __init__(self, way: Feedback, silence: Tensor) -> None:
        self.source = way.source
        self._waiting = deque([silence])

    def append(self, signal: Tensor) -> None:
        self._waiting.append(signal)

    def take(self, count: int) -> Tensor:
        """The next samples to come round."""
        taken: list[Tensor] = []
        while count:
            first = self._waiting.popleft()
            if first.shape[-1] > count:
                first, rest = first.tensor_split([count], -1)
                self._waiting.appendleft(rest)
            taken.append(first)
            count -= first.shape[-1]
        return taken[0] if len(taken) == 1 else torch.cat(taken, -1)
