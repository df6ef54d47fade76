"""A mixer that is fed block by block and remembers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import whole
from djgraph.compiler.plan import Add, Delay, Load, Op, Process, Region, Silence
from djgraph.errors import InputError
from djgraph.runtime.inputs import Inputs, input_names, prepare_audio
from djgraph.runtime.outputs import check_inputs_finite
from djgraph.streams.buffers import History
from djgraph.streams.intake import Intake
from djgraph.streams.plan import StreamPlan
from djgraph.streams.process import ProcessStream
from djgraph.streams.region import RegionStream
from djgraph.streams.state import StreamState, digest, part, prefixed, seal
from djgraph.streams.threads import FEW, calling_thread_only
from djgraph.streams.time import Moment

DTYPES = (torch.float32, torch.float64)
ALL_THREADS = nullcontext()
"""As many as PyTorch uses."""


class Stream:
    """A mixer in time: blocks of audio in, blocks of as many samples out, ``latency`` samples late.

    Made by :meth:`djgraph.Mixer.stream`. All that comes out, :meth:`finish` included, less its first ``latency``
    samples, equals the mixer on the whole clip to rounding, however the clip was cut. Memory does not grow with time.
    Gradients pass from block to block until :meth:`detach`. One stream is used by one thread at a time; several
    streams of one mixer may run at once.
    """

    def __init__(
        self,
        plan: StreamPlan,
        *,
        batch: int = 1,
        score: tuple[Tensor, Any] | None = None,
        frames: Iterable[Tensor] | None = None,
        fps: float | None = None,
        tempo: float | Tensor | tuple[Tensor, Any] | None = None,
        state: StreamState | None = None,
        out_of_range: str = "clamp",
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if dtype not in DTYPES:
            raise InputError(f"a stream is torch.float32 or torch.float64, not {dtype}")
        self._plan, self._compiled = plan, plan.compiled
        self.batch = whole(batch, "batch", 1)
        self._like = torch.empty(0, dtype=dtype, device=_device(device))
        self._intake = Intake(self._compiled, self.batch, self._like, out_of_range, score, frames, fps, tempo)
        self._position = 0
        self._finished = self._broken = False
        self._loads = tuple((op.out, op.node) for op in plan.plan.ops if isinstance(op, Load))
        self._ops = tuple(
            (index, op, free)
            for index, (op, free) in enumerate(zip(plan.plan.ops, plan.frees))
            if not isinstance(op, Load)
        )
        self._steps = {
            index: step for index, op, _ in self._ops if (step := self._step(index, op)) is not None
        }
        self._memories = tuple(step for step in self._steps.values() if not isinstance(step, History))
        if state is not None:
            self._restore(state)

    @property
    def latency(self) -> int:
        """Samples by which the outputs lag."""
        return self._plan.latency

    @property
    def position(self) -> int:
        """Samples received so far."""
        return self._position

    def __call__(
        self, inputs: Inputs, params: Tensor | None = None, *, tempo: float | Tensor | None = None
    ) -> Any:
        """The next block.

        inputs: as :meth:`djgraph.Mixer.forward` takes them, of any number of samples from one up; the block's length
        is theirs. params: one live frame, ``[controls]`` or ``[batch, controls]``, reached at the block's last sample;
        left out, the last one holds. tempo: BPM, a number or ``[batch]``, likewise.
        Returns what the mixer returns, as many samples as came in: the first ``latency`` of all are silence.
        Raises InputError where something does not fit; the stream stays as it was. After an effect has failed in the
        middle of a block, it cannot go on.
        """
        self._check_open()
        graph = self._compiled.graph
        audio, batch, samples = prepare_audio(graph, inputs)
        like = next(iter(audio.values()))
        if like.dtype != self._like.dtype or like.device != self._like.device:
            raise InputError(
                f"this stream is {self._like.dtype} on {self._like.device}, but the audio is {like.dtype} on "
                f"{like.device}"
            )
        if batch not in (1, self.batch):
            raise InputError(f"this stream has a batch of {self.batch}, but the audio has {batch}")
        check_inputs_finite(audio, input_names(graph), self._position)
        live = self._intake.check(params, tempo)
        moment = Moment(self._position, self._position + samples)
        self._intake.take(live, moment.stop - 1)
        values = self._run(moment, {name: one.expand(self.batch, -1, -1) for name, one in audio.items()})
        self._position = moment.stop
        return self._shape(values, samples)

    def finish(self) -> Any:
        """The last ``latency`` samples, which are still inside; afterwards the stream is closed.

        Raises InputError where no block was ever given.
        """
        self._check_open()
        if not self._position:
            raise InputError("this stream has got no audio yet: there is nothing to finish")
        moment = Moment(self._position, self._position, self._position)
        graph = self._compiled.graph
        audio = {
            node.id: self._like.new_zeros(self.batch, node.channels, 0)
            for node in graph.nodes
            if node.id in input_names(graph)
        }
        values = self._run(moment, audio)
        self._finished = True
        return self._shape(values, self.latency)

    def detach(self) -> None:
        """Cuts the gradient: what came before is a constant from now on, as in truncated back-propagation."""
        self._intake.detach()
        for step in self._steps.values():
            step.detach()

    def state(self) -> dict[str, Tensor]:
        """Everything that the stream remembers, as tensors by name, which safetensors can save.

        A score, an iterator of frames and the tempo of a score are not in it: give them to
        :meth:`djgraph.Mixer.stream` again, beside ``state=``; an iterator goes on with its next frame.
        """
        self._check_open()
        state = {
            "identity": self._identity(),
            "position": torch.tensor([self._position], device="cpu"),
            **prefixed("intake", self._intake.state()),
        }
        for index, step in self._steps.items():
            state |= prefixed(f"op{index}", step.state())
        # Copies: the stream goes on with its own.
        state = {
            name: one.detach().clone(memory_format=torch.contiguous_format) for name, one in state.items()
        }
        return {**state, "seal": seal(state)}

    def _restore(self, state: Any) -> None:
        mine = self._identity()
        if not isinstance(state, Mapping) or not all(isinstance(one, Tensor) for one in state.values()):
            raise InputError("a state is a mapping of names to tensors, as Stream.state() gives it")
        identity = state.get("identity", mine[:0])
        if not torch.equal(identity.cpu(), mine):
            raise InputError(
                "this state is none of this mixer's streams: the graph, its outputs, the batch, the dtype and the "
                "versions of effects have to be the same"
            )
        sealed = state.get("seal", mine[:0])
        if not torch.equal(sealed.cpu(), seal({n: one for n, one in state.items() if n != "seal"})):
            raise InputError("this state is damaged: some of it is missing, or is not what was saved")
        state = {name: tensor.to(self._like.device) for name, tensor in state.items()}
        self._position = int(state["position"])
        self._intake.restore(part("intake", state))
        for index, step in self._steps.items():
            step.restore(part(f"op{index}", state))

    def _identity(self) -> Tensor:
        """A digest of what a state belongs to."""
        text = f"{self._compiled.identity} {self._plan.plan} {self.batch} {self._like.dtype}"
        return digest([text.encode()])

    def _run(self, moment: Moment, audio: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self._intake.advance(moment.stop)
        self._broken = True  # until all operations have run
        values = {name: audio[node] for name, node in self._loads}
        few = self._like.device.type == "cpu" and sum(one.numel() for one in audio.values()) <= FEW
        with (
            torch.autocast(self._like.device.type, enabled=False),
            calling_thread_only() if few else ALL_THREADS,
        ):
            for index, op, free in self._ops:
                self._run_op(index, op, moment, values)
                for name in free:
                    values.pop(name, None)
        oldest = min((step.oldest_control() for step in self._memories), default=moment.stop)
        self._intake.forget(oldest, self._plan.lookahead)
        self._broken = False
        return {
            name: self._read(values, value, moment, self.latency)
            for name, value in self._plan.plan.outputs.items()
        }

    def _run_op(self, index: int, op: Op, moment: Moment, values: dict[str, Tensor]) -> None:
        latencies, step = self._plan.latencies, self._steps.get(index)
        match op:
            case Silence() | Add() if op.out in self._plan.silent:
                pass  # made where it is read, as long as its neighbours are
            case Add():
                arrives = latencies[op.out]
                first, *others = (self._read(values, name, moment, arrives) for name in op.sources)
                for other in others:
                    first = first + other
                values[op.out] = first
            case Delay():
                assert isinstance(step, History)
                step.append(values[op.source])
                values[op.out] = step.take(moment.span(latencies[op.out])[1])
            case Process():
                assert isinstance(step, ProcessStream)
                arrives = self._plan.arrives[index]
                rows = [[self._read(values, name, moment, arrives) for name in row] for row in op.ins]
                stop, emit = moment.span(arrives)[1], moment.span(self._plan.leaves[index])[1]
                outputs = step(rows, self._intake.track, self._intake.clock, stop, emit, moment.end)
                for names, parts in zip(op.outs, outputs):
                    values.update(zip(names, parts))
            case Region():
                assert isinstance(step, RegionStream)
                arrives = self._plan.arrives[index]
                sources = [self._read(values, name, moment, arrives) for name in step.schedule.reads]
                emit = moment.span(self._plan.leaves[index])[1]
                results = step(sources, self._intake.track, moment.stop, emit, moment.end)
                values.update(zip(step.schedule.writes, results))
            case _:
                raise TypeError(type(op).__name__)

    def _read(self, values: Mapping[str, Tensor], name: str, moment: Moment, latency: int) -> Tensor:
        """A value's samples in this call; silence is as long as whoever reads it needs."""
        if name in values:
            return values[name]
        start, stop = moment.span(latency)
        return self._like.new_zeros(self.batch, self._plan.plan.channels[name], stop - start)

    def _step(self, index: int, op: Op) -> RegionStream | ProcessStream | History | None:
        plan, like = self._plan, self._like
        match op:
            case Region():
                return RegionStream(plan.schedules[index], self.batch, like)
            case Process():
                graph, bank = self._compiled.graph, self._compiled.bank
                return ProcessStream(op, plan.calls[index], bank, graph, self.batch, like)
            case Delay():
                return History(like.new_zeros(self.batch, plan.plan.channels[op.out], 0))
        return None

    def _shape(self, values: Mapping[str, Tensor], samples: int) -> Any:
        """What came out as a caller wants it: as long as what came in, in memory of its own."""
        outputs: dict[str, Tensor] = {}
        taps: dict[str, Tensor] = {}
        for name, tensor in values.items():
            kind, _, plain = name.partition(" ")
            missing = samples - tensor.shape[-1]
            if missing:
                whole = torch.nn.functional.pad(tensor, (missing, 0))
            else:
                # A region's results and sums were made for this call; anything else may be somebody's.
                whole = tensor if self._plan.plan.outputs[name] in self._plan.fresh else tensor.clone()
            (outputs if kind == "output" else taps)[plain] = whole
        result = outputs if len(outputs) > 1 else next(iter(outputs.values()))
        return (result, taps) if taps else result

    def _check_open(self) -> None:
        if self._finished:
            raise InputError("this stream is finished: make another one")
        if self._broken:
            raise InputError("an effect has failed in this stream, which cannot go on: make another one")


def _device(device: Any) -> torch.device:
    try:
        return torch.device(device)
    except (RuntimeError, TypeError) as problem:
        raise InputError(f"there is no device {device!r}") from problem
