"""A time effect in a stream: its state, the controls of each block, and its latency."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import pad

from djgraph.compiler.plan import Process
from djgraph.effects import Block, Clock, State, TimeEffect, is_silent
from djgraph.errors import InputError
from djgraph.graph.ir import Graph
from djgraph.host.build import block_clock, block_controls
from djgraph.host.calls import EffectCall
from djgraph.streams.buffers import History
from djgraph.streams.clock import ClockTrack
from djgraph.streams.controls import ControlTrack, SharedReading
from djgraph.streams.rows import Rows, joined
from djgraph.streams.state import StreamState, part, prefixed

Audio = Callable[[Sequence[int]], Sequence[Tensor]]
"""The next samples of each input of some nodes: ``[nodes, batch, channels, samples]`` each."""


@dataclass(frozen=True)
class Rest:
    """When an effect that silence comes into is at rest.

    quiet: what is left in its memory counts as silence up to this amplitude. after: samples after which one rests,
    too, that does not tell, if nothing louder has come out of it for as long; None where it never does.
    """

    quiet: float
    after: int | None


class ProcessStream:
    """One call of an effect for its nodes, block after block.

    An effect whose controls come every hop gets blocks of whole hops, so its input waits until a hop is full.
    """

    def __init__(
        self,
        op: Process,
        call: EffectCall,
        controls: tuple[SharedReading, int],
        graph: Graph,
        batch: int,
        like: Tensor,
    ) -> None:
        """controls: what reads them, and the effect's number there."""
        self.call, self.op, self._batch, self._like = call, op, batch, like
        self._effect = cast(TimeEffect, call.module)
        self._reading, self._number = controls
        self._rate = graph.sample_rate
        self._count, self._channels = len(op.nodes), op.nodes[0].channels
        rows = self._count * batch
        self._everyone = tuple(range(self._count))
        self._awake = [Rows(self._everyone, call.initial_state(rows, self._channels, like))]
        self._asleep: dict[int, State | None] = {}  # by node; None where it begins anew
        self._faint: dict[
            int, int
        ] = {}  # by node, for how many samples hardly anything has come out of silence
        self._lag = call.latency()
        framed = any(control.rate == "frame" for control in self._effect.controls)
        self._step = graph.transform.hop if framed else 1
        self._position = 0
        self._waiting = {
            port: History(like.new_zeros(rows, graph.channels(point), 0))
            for port, point in op.nodes[0].sources.items()
        }
        self._nothing = {
            port.name: like.new_zeros(rows, port.channels or self._channels, 0)
            for port in self._effect.outputs
        }
        self._made = {name: History(empty) for name, empty in self._nothing.items()}

    @property
    def divisible(self) -> bool:
        """Whether some of its nodes can run without the others: blocks of whole hops wait for all."""
        return self._step == 1

    def __call__(
        self,
        audio: Sequence[Tensor],
        track: ControlTrack,
        clock: ClockTrack | None,
        stop: int,
        emit: int,
        end: int | None,
    ) -> list[Tensor]:
        """The next samples of each input, up to ``stop`` → of each output those before sample ``emit``.

        ``[nodes, batch, channels, samples]`` each. end: the clip's length, where it is known: these are the last
        samples where they reach it.
        """
        # Copies: an effect may keep parts of its input, which another one may have kept and go on to write to.
        blocks = {port.name: one.flatten(0, 1).clone() for port, one in zip(self._effect.inputs, audio)}
        last = end is not None and stop >= end
        until = stop if last else stop // self._step * self._step
        if self._step > 1:
            for name, history in self._waiting.items():
                history.append(blocks[name])
                blocks[name] = history.take(until)
        results = self._run(self._awake[0], blocks, until, track, clock, end, last)
        self._position = until
        if self._step > 1:
            for name, history in self._made.items():
                history.append(results[name])
                results[name] = history.take(emit)
        return [
            results[port.name].view(self._count, self._batch, *results[port.name].shape[1:])
            for port in self._effect.outputs
        ]

    def some(
        self,
        audio: Audio,
        unheard: Collection[int],
        silent: Collection[int],
        rest: Rest,
        track: ControlTrack,
        clock: ClockTrack | None,
        stop: int,
        end: int | None,
    ) -> Iterator[tuple[tuple[int, ...], list[Tensor]]]:
        """The same of those nodes alone that are not left out, and which they are; the others give silence.

        unheard: nodes of which nobody needs what they give, nor will; those with a state begin anew afterwards.
        silent: nodes that silence comes into; at rest they are left out.
        """
        last = end is not None and stop >= end
        self._wake([lane for lane in self._asleep if lane not in silent and lane not in unheard])
        if unheard or silent:
            self._lay_down(unheard, silent, rest)
            self._sleep_on(track, clock, stop, end)
        for rows in self._awake:
            blocks = {
                port.name: one.flatten(0, 1).clone()
                for port, one in zip(self._effect.inputs, audio(rows.lanes))
            }
            results = self._run(rows, blocks, stop, track, clock, end, last)
            made = [results[port.name] for port in self._effect.outputs]
            shaped = [one.view(len(rows.lanes), self._batch, *one.shape[1:]) for one in made]
            if rest.after is not None:
                self._note_faint(rows, shaped, silent, rest.quiet)
            yield rows.lanes, shaped
        self._position = stop

    @property
    def all_awake(self) -> bool:
        """Whether the next call runs for all nodes, in their order, from one state."""
        return [rows.lanes for rows in self._awake] == [self._everyone]

    @property
    def asleep(self) -> Collection[int]:
        """The nodes that were left out last."""
        return self._asleep.keys()

    def _wake(self, lanes: Sequence[int]) -> None:
        """Nodes run again, from the state in which they are, or anew."""
        if not lanes:
            return
        anew = tuple(lane for lane in lanes if self._asleep[lane] is None)
        woken = [Rows((lane,), state) for lane in lanes if (state := self._asleep[lane]) is not None]
        if anew:
            size = len(anew) * self._batch
            woken.append(Rows(anew, self.call.initial_state(size, self._channels, self._like)))
        for lane in lanes:
            del self._asleep[lane]
        self._awake = joined([*self._awake, *woken], self._batch)

    def _lay_down(self, unheard: Collection[int], silent: Collection[int], rest: Rest) -> None:
        """Takes those apart that are left out from now on."""
        awake: list[Rows] = []
        for rows in self._awake:
            left: dict[int, State | None] = {}
            for lane in rows.lanes:
                if lane in unheard:
                    left[lane] = None
                elif lane in silent:
                    state = rows.state_of(lane, self._batch)
                    if self.call.at_rest(state, rest.quiet):
                        left[lane] = state
                    elif rest.after is not None and self._faint.get(lane, 0) >= rest.after:
                        left[lane] = None
            if left:
                for lane, kept in left.items():  # copies: the others' memory goes on to be written to
                    copies = None if kept is None else {name: one.clone() for name, one in kept.items()}
                    self._asleep[lane] = copies
                    self._faint.pop(lane, None)
                rows = rows.without(left, self._batch)
            if rows.lanes:
                awake.append(rows)
        self._awake = awake

    def _sleep_on(self, track: ControlTrack, clock: ClockTrack | None, stop: int, end: int | None) -> None:
        """The states of those at rest after the block, where they go on by themselves."""
        if not self.call.changes_asleep or stop <= self._position:
            return
        for lane, state in self._asleep.items():
            if state:
                controls = self._controls((lane,), track, self._position, stop, stop, end)
                block = self._block((lane,), clock, self._position, stop, stop, False)
                self._asleep[lane] = self.call.asleep(controls, state, block)

    def _note_faint(self, rows: Rows, made: Sequence[Tensor], silent: Collection[int], quiet: float) -> None:
        """Counts for how long nodes have answered silence with next to nothing."""
        for place, lane in enumerate(rows.lanes):
            faint = lane in silent and is_silent(*(one[place] for one in made), below=quiet)
            if faint:
                self._faint[lane] = self._faint.get(lane, 0) + made[0].shape[-1]
            else:
                self._faint.pop(lane, None)

    def early(
        self, track: ControlTrack, clock: ClockTrack | None, stop: int, end: int | None
    ) -> list[Tensor]:
        """What the next call will give for the samples before ``stop``, of an effect that holds its signal back by as
        many: that call's audio is not needed for it. Nothing is remembered."""
        start, length = self._position, stop - self._position
        silence = {
            port: one.audio.new_zeros(*one.audio.shape[:-1], length) for port, one in self._waiting.items()
        }
        (rows,) = self._awake
        rows.own()  # tensors that its memory may not be made of
        results, _ = self._process(rows, silence, track, clock, start, stop, stop, end, False)
        # Copies: what it hands on may lie in its state, which it will write to.
        return [
            results[port.name].clone().view(self._count, self._batch, *results[port.name].shape[1:])
            for port in self._effect.outputs
        ]

    def held_back_now(
        self, track: ControlTrack, clock: ClockTrack | None, stop: int, end: int | None
    ) -> Tensor | None:
        """See :meth:`TimeEffect.held_back_now`, of the samples before ``stop`` that are to come."""
        start = self._position
        (rows,) = self._awake
        controls = self._controls(rows.lanes, track, start, stop, stop, end)
        block = self._block(rows.lanes, clock, start, stop, stop, False)
        return self.call.held_back_now(controls, rows.state, block)

    @property
    def memory(self) -> State:
        """The effect's state, for whoever runs it together with others; no node is left out then."""
        (rows,) = self._awake
        return rows.state

    @property
    def position(self) -> int:
        """Samples that the effect has been given."""
        return self._position

    def went_on(self, state: State, position: int) -> None:
        """The effect was run up to that sample, and left this state, which nobody else holds."""
        self._awake, self._position = [Rows(self._everyone, state)], position
        self._faint.clear()

    def oldest_control(self) -> int:
        """The first sample whose controls will be read again."""
        return self._position

    def _run(
        self,
        rows: Rows,
        audio: dict[str, Tensor],
        until: int,
        track: ControlTrack,
        clock: ClockTrack | None,
        end: int | None,
        last: bool,
    ) -> dict[str, Tensor]:
        """The outputs for the samples before ``until``; with the last ones also what the effect still holds."""
        start, after = self._position, self._lag if last else 0
        length = until - start + after
        if not length:
            return {port: one[: len(rows.lanes) * self._batch] for port, one in self._nothing.items()}
        if after:  # what the effect still holds comes out with silence behind the clip
            audio = {port: pad(tensor, (0, after)) for port, tensor in audio.items()}
        owned = rows.own()
        results, rows.state = self._process(
            rows, audio, track, clock, start, until + after, until, end, owned
        )
        # The first samples that an effect with a latency gives lie before the clip.
        skipped = min(max(self._lag - start, 0), length)
        if skipped:
            results = {port: tensor[..., skipped:] for port, tensor in results.items()}
        return results

    def _process(
        self,
        rows: Rows,
        audio: dict[str, Tensor],
        track: ControlTrack,
        clock: ClockTrack | None,
        start: int,
        stop: int,
        last: int,
        end: int | None,
        owned: bool,
    ) -> tuple[dict[str, Tensor], State]:
        """What the effect makes of samples ``start…stop − 1``, of which those from ``last`` on lie behind the clip,
        and its state after them."""
        controls = self._controls(rows.lanes, track, start, stop, last, end)
        block = self._block(rows.lanes, clock, start, stop, last, owned)
        size = (len(rows.lanes) * self._batch, self._channels, stop - start)
        results, state = self.call.process(audio, controls, rows.state, block, size)
        return {port: tensor.to(self._like.dtype) for port, tensor in results.items()}, state

    def _controls(
        self,
        lanes: tuple[int, ...],
        track: ControlTrack,
        start: int,
        stop: int,
        last: int,
        end: int | None,
    ) -> Mapping[str, Tensor]:
        """The controls of some nodes."""

        def read(span: tuple[int, int]) -> Mapping[str, Tensor]:
            controls = self._reading.read(self._number, track, end, span)
            if lanes == self._everyone:
                return controls
            return {
                name: one.unflatten(0, (self._count, -1))[list(lanes)].flatten(0, 1)
                for name, one in controls.items()
            }

        return block_controls(self._effect, read, start, stop, last)

    def _block(
        self,
        lanes: tuple[int, ...],
        clock: ClockTrack | None,
        start: int,
        stop: int,
        last: int,
        owned: bool,
    ) -> Block:
        """What a call for some nodes is told of the time."""
        ticks = None
        if clock is not None and self._effect.uses_clock:
            ticks = block_clock(clock.read, start, stop, last, self._rate)
            count = len(lanes)
            ticks = Clock(ticks.tempo.repeat(count, 1, 1), ticks.beats.repeat(count, 1, 1))
        return Block(start, stop - start, self._rate, ticks, owned)

    def detach(self) -> None:
        for _, history in self._histories():
            history.detach()
        for rows in self._awake:
            rows.state = {name: tensor.detach() for name, tensor in rows.state.items()}
        for lane, state in self._asleep.items():
            if state is not None:
                self._asleep[lane] = {name: tensor.detach() for name, tensor in state.items()}

    def state(self) -> StreamState:
        """Raises InputError where some of what the effect remembers is in no tensor."""
        if self._effect.foreign_memory:
            raise InputError(
                f"the state of this stream cannot be kept: {self._effect.type!r} remembers in a foreign plugin, whose "
                f"memory cannot be read (node {self.op.nodes[0].id})"
            )
        state = {"position": torch.tensor([self._position], device="cpu")}
        whole = len(self._awake) == 1 and self._awake[0].lanes == self._everyone
        if whole and not self._faint:
            state |= prefixed("effect", self._awake[0].state)
        else:
            for number, rows in enumerate(self._awake):
                state[f"awake{number}.lanes"] = torch.tensor(rows.lanes, device="cpu")
                state |= prefixed(f"awake{number}.effect", rows.state)
            for lane, memory in self._asleep.items():
                state[f"asleep{lane}.anew"] = torch.tensor([memory is None], device="cpu")
                state |= prefixed(f"asleep{lane}.effect", memory or {})
            faint = [self._faint.get(lane, 0) for lane in range(self._count)]
            state["faint"] = torch.tensor(faint, device="cpu")
        for name, history in self._histories():
            state |= prefixed(name, history.state())
        return state

    def restore(self, state: StreamState) -> None:
        self._position = int(state["position"])
        self._awake = [Rows(self._everyone, part("effect", state))]
        self._asleep, self._faint = {}, {}
        if "faint" in state:
            self._awake = []
            while (lanes := state.get(f"awake{len(self._awake)}.lanes")) is not None:
                memory = part(f"awake{len(self._awake)}.effect", state)
                self._awake.append(Rows(tuple(lanes.tolist()), memory))
            for lane in range(self._count):
                if (anew := state.get(f"asleep{lane}.anew")) is not None:
                    self._asleep[lane] = None if bool(anew) else part(f"asleep{lane}.effect", state)
            self._faint = {lane: count for lane, count in enumerate(state["faint"].tolist()) if count}
        for name, history in self._histories():
            history.restore(part(name, state))

    def _histories(self) -> Iterator[tuple[str, History]]:
        yield from ((f"waiting.{port}", history) for port, history in self._waiting.items())
        yield from ((f"made.{port}", history) for port, history in self._made.items())
