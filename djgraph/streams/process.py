"""A time effect in a stream: its state, the controls of each block, and its latency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import pad

from djgraph.compiler.plan import Process
from djgraph.dsp.derivatives import unwatched
from djgraph.effects import Block, Clock, State, TimeEffect
from djgraph.errors import InputError
from djgraph.graph.ir import Graph
from djgraph.host.build import block_clock, block_controls
from djgraph.host.calls import EffectCall
from djgraph.streams.buffers import History
from djgraph.streams.clock import ClockTrack
from djgraph.streams.controls import ControlTrack, SharedReading
from djgraph.streams.state import StreamState, part, prefixed


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
        self._state = call.initial_state(rows, self._channels, like)
        self._owned = False  # what the effect began with, or a caller gave, may be somebody else's too
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
        results = self._run(blocks, until, track, clock, end, last)
        if self._step > 1:
            for name, history in self._made.items():
                history.append(results[name])
                results[name] = history.take(emit)
        return [
            results[port.name].view(self._count, self._batch, *results[port.name].shape[1:])
            for port in self._effect.outputs
        ]

    def early(
        self, track: ControlTrack, clock: ClockTrack | None, stop: int, end: int | None
    ) -> list[Tensor]:
        """What the next call will give for the samples before ``stop``, of an effect that holds its signal back by as
        many: that call's audio is not needed for it. Nothing is remembered."""
        start, length = self._position, stop - self._position
        silence = {
            port: one.audio.new_zeros(*one.audio.shape[:-1], length) for port, one in self._waiting.items()
        }
        self._own_state()  # tensors that its memory may not be made of
        results, _ = self._process(silence, track, clock, start, stop, stop, end, False)
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
        controls, ticks = self._read(track, clock, start, stop, stop, end)
        return self.call.held_back_now(controls, self._state, Block(start, stop - start, self._rate, ticks))

    def oldest_control(self) -> int:
        """The first sample whose controls will be read again."""
        return self._position

    def _run(
        self,
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
            return dict(self._nothing)
        if after:  # what the effect still holds comes out with silence behind the clip
            audio = {port: pad(tensor, (0, after)) for port, tensor in audio.items()}
        owned = self._own_state()
        results, self._state = self._process(audio, track, clock, start, until + after, until, end, owned)
        self._position = until
        # The first samples that an effect with a latency gives lie before the clip.
        skipped = min(max(self._lag - start, 0), length)
        if skipped:
            results = {port: tensor[..., skipped:] for port, tensor in results.items()}
        return results

    def _process(
        self,
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
        controls, ticks = self._read(track, clock, start, stop, last, end)
        block = Block(start, stop - start, self._rate, ticks, owned)
        size = (self._count * self._batch, self._channels, stop - start)
        results, state = self.call.process(audio, controls, self._state, block, size)
        return {port: tensor.to(self._like.dtype) for port, tensor in results.items()}, state

    def _read(
        self,
        track: ControlTrack,
        clock: ClockTrack | None,
        start: int,
        stop: int,
        last: int,
        end: int | None,
    ) -> tuple[Mapping[str, Tensor], Clock | None]:
        """The controls and, where it follows one, the clock on samples ``start…stop − 1``."""
        read = partial(self._reading.read, self._number, track, end)
        controls = block_controls(self._effect, read, start, stop, last)
        if clock is None or not self._effect.uses_clock:
            return controls, None
        ticks = block_clock(clock.read, start, stop, last, self._rate)
        return controls, Clock(ticks.tempo.repeat(self._count, 1, 1), ticks.beats.repeat(self._count, 1, 1))

    def _own_state(self) -> bool:
        """Whether the effect may write to its state in this call. What autograd or a caller may hold is copied first.

        An effect may hand back the very tensors it was given: what a call with gradients has kept stays kept after
        calls without.
        """
        owned = unwatched()
        # Outside of inference mode its tensors can neither be written to nor be saved for a backward pass.
        foreign = not torch.is_inference_mode_enabled() and any(
            one.is_inference() for one in self._state.values()
        )
        if foreign or (owned and not self._owned):
            self._state = {name: one.clone() for name, one in self._state.items()}
        self._owned = owned
        return owned

    def detach(self) -> None:
        for _, history in self._histories():
            history.detach()
        self._state = {name: tensor.detach() for name, tensor in self._state.items()}

    def state(self) -> StreamState:
        """Raises InputError where some of what the effect remembers is in no tensor."""
        if self._effect.foreign_memory:
            raise InputError(
                f"the state of this stream cannot be kept: {self._effect.type!r} remembers in a foreign plugin, whose "
                f"memory cannot be read (node {self.op.nodes[0].id})"
            )
        state = {"position": torch.tensor([self._position], device="cpu"), **prefixed("effect", self._state)}
        for name, history in self._histories():
            state |= prefixed(name, history.state())
        return state

    def restore(self, state: StreamState) -> None:
        self._position, self._state = int(state["position"]), part("effect", state)
        self._owned = False
        for name, history in self._histories():
            history.restore(part(name, state))

    def _histories(self) -> Iterator[tuple[str, History]]:
        yield from ((f"waiting.{port}", history) for port, history in self._waiting.items())
        yield from ((f"made.{port}", history) for port, history in self._made.items())
