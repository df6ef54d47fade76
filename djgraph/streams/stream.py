"""A mixer that is fed block by block and remembers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from djgraph.compiler.plan import Add, Delay, Load, Op, Process, Region, Silence
from djgraph.errors import InputError
from djgraph.runtime.clock import check_tempo
from djgraph.runtime.inputs import Inputs, input_names, prepare_audio, prepare_params, prepare_positions
from djgraph.streams.buffers import History
from djgraph.streams.clock import ClockTrack
from djgraph.streams.controls import ControlTrack
from djgraph.streams.plan import StreamPlan
from djgraph.streams.process import ProcessStream
from djgraph.streams.region import RegionStream
from djgraph.streams.state import State, part, prefixed
from djgraph.streams.time import Moment

FRAMES = 4096
"""Frames of a score that are checked at a time."""
DTYPES = (torch.float32, torch.float64)


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
        state: State | None = None,
        out_of_range: str = "clamp",
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if dtype not in DTYPES:
            raise InputError(f"a stream is torch.float32 or torch.float64, not {dtype}")
        if batch < 1:
            raise InputError(f"batch must be at least 1, not {batch}")
        if score is not None and frames is not None:
            raise InputError("give a score or an iterator of frames, not both")
        if (frames is None) != (fps is None):
            raise InputError(
                "an iterator of frames comes with fps, the frames per second, and fps with frames"
            )
        self._plan, self._out_of_range = plan, out_of_range
        self._compiled = plan.compiled
        self._like = torch.empty(0, dtype=dtype, device=device)
        self.batch = batch
        self._position = 0
        self._finished = self._broken = False
        self._live, self._live_clock = score is None and frames is None, False
        self._latest: Tensor | None = None
        self._fetched = 0
        self._track = ControlTrack(
            self._compiled.bank.rows,
            None if score is None else self._check_score(*score),
            None if frames is None or fps is None else self._fetch(iter(frames), self._check_fps(fps)),
        )
        self._clock = self._make_clock(tempo)
        self._steps = {index: self._step(index, op) for index, op in enumerate(plan.plan.ops)}
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
        self._check_finite(audio)
        frame = self._frame(params)
        tempos = self._live_tempo(tempo)
        moment = Moment(self._position, self._position + samples)
        if frame is not None:
            self._latest = frame
            self._track.append(frame, torch.tensor([moment.stop - 1], device="cpu"))
        if self._clock is not None and tempos is not None:
            self._clock.append(tempos, moment.stop - 1)
        made = self._run(moment, {name: one.expand(self.batch, -1, -1) for name, one in audio.items()})
        self._position = moment.stop
        return self._shape(made, samples)

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
        made = self._run(moment, audio)
        self._finished = True
        return self._shape(made, self.latency)

    def detach(self) -> None:
        """Cuts the gradient: what came before is a constant from now on, as in truncated back-propagation."""
        self._track.detach()
        if self._clock is not None:
            self._clock.detach()
        if self._latest is not None:
            self._latest = self._latest.detach()
        for step in self._steps.values():
            if isinstance(step, (RegionStream, ProcessStream, History)):
                step.detach()

    def state(self) -> dict[str, Tensor]:
        """Everything that the stream remembers, as tensors by name, which safetensors can save.

        A score, an iterator of frames and the tempo of a score are not in it: give them to
        :meth:`djgraph.Mixer.stream` again, beside ``state=``; an iterator goes on with its next frame.
        """
        self._check_open()
        state = {
            "identity": self._identity(),
            "numbers": torch.tensor([self._position, self.batch, self._fetched], device="cpu"),
            **prefixed("controls", self._track.state()),
        }
        if self._latest is not None:
            state |= prefixed("live", {"params": self._latest})
        if self._clock is not None:
            state |= prefixed("clock", self._clock.state())
        for index, step in self._steps.items():
            if isinstance(step, (RegionStream, ProcessStream)):
                state |= prefixed(f"op{index}", step.state())
            elif isinstance(step, History):
                origin = torch.tensor([step.origin], device="cpu")
                state |= prefixed(f"op{index}", {"audio": step.audio, "origin": origin})
        return state

    def _restore(self, state: State) -> None:
        identity = state.get("identity")
        if identity is None or not torch.equal(identity.cpu(), self._identity()):
            raise InputError(
                "this state is none of this mixer's streams: the graph, its outputs, the batch, the dtype and the "
                "versions of effects have to be the same"
            )
        self._position, _, self._fetched = state["numbers"].tolist()
        home = self._like.device
        state = {name: tensor.to(home) for name, tensor in state.items()}
        self._track.restore(part("controls", state))
        self._latest = state.get("live.params")
        if self._clock is not None:
            self._clock.restore(part("clock", state))
        for index, step in self._steps.items():
            mine = part(f"op{index}", state)
            if isinstance(step, (RegionStream, ProcessStream)):
                step.restore(mine)
            elif isinstance(step, History):
                step.audio, step.origin = mine["audio"], int(mine["origin"])

    def _identity(self) -> Tensor:
        """A digest of what a state belongs to."""
        text = f"{self._compiled.identity} {self._plan.plan} {self.batch} {self._like.dtype}"
        return torch.tensor(list(hashlib.sha256(text.encode()).digest()), dtype=torch.uint8, device="cpu")

    def _run(self, moment: Moment, audio: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self._track.advance(moment.stop)
        if self._track.rows is None:
            raise InputError("there is no control frame: the iterator of frames is empty")
        self._broken = True  # until all operations have run
        values: dict[str, Tensor] = {}
        with torch.autocast(self._like.device.type, enabled=False):
            for (index, op), free in zip(enumerate(self._plan.plan.ops), self._plan.frees):
                self._run_op(index, op, moment, audio, values)
                for name in free:
                    values.pop(name, None)
        oldest = min(
            (
                step.oldest_control()
                for step in self._steps.values()
                if isinstance(step, (RegionStream, ProcessStream))
            ),
            default=moment.stop,
        )
        self._track.forget(oldest - self._plan.lookahead - 2)
        if self._clock is not None:
            self._clock.forget(oldest - 2)
        self._broken = False
        return {
            name: self._read(values, value, moment, self.latency)
            for name, value in self._plan.plan.outputs.items()
        }

    def _run_op(
        self, index: int, op: Op, moment: Moment, audio: Mapping[str, Tensor], values: dict[str, Tensor]
    ) -> None:
        latencies, step = self._plan.latencies, self._steps[index]
        match op:
            case Load():
                values[op.out] = audio[op.node]
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
                arrives = self._plan.arrives(index)
                rows = [[self._read(values, name, moment, arrives) for name in row] for row in op.ins]
                stop, emit = moment.span(arrives)[1], moment.span(latencies[op.writes[0]])[1]
                made = step(rows, self._track, self._clock, stop, emit, moment.end)
                for names, parts in zip(op.outs, made):
                    values.update(zip(names, parts))
            case Region():
                assert isinstance(step, RegionStream)
                arrives = self._plan.arrives(index)
                sources = [self._read(values, name, moment, arrives) for name in step.schedule.reads]
                emit = moment.span(latencies[op.writes[0]])[1]
                results = step(sources, self._track, moment.stop, emit, moment.end)
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

    def _shape(self, made: Mapping[str, Tensor], samples: int) -> Any:
        """What came out as a caller wants it: as long as what came in, in memory of its own."""
        outputs: dict[str, Tensor] = {}
        taps: dict[str, Tensor] = {}
        for name, tensor in made.items():
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

    def _check_finite(self, audio: Mapping[str, Tensor]) -> None:
        for node, tensor in audio.items():
            if not math.isfinite(float(tensor.detach().sum())):
                places = (~torch.isfinite(tensor.detach())).nonzero()
                if len(places):
                    item, channel, sample = places[0].tolist()
                    raise InputError(
                        f"{input_names(self._compiled.graph)[node]} is {float(tensor[item, channel, sample])} at "
                        f"sample {sample} of this block ({self._position + sample} of the stream), channel {channel}, "
                        f"batch item {item} (all count from 0)"
                    )

    def _frame(self, params: Tensor | None) -> Tensor | None:
        """A live frame as ``[batch, 1, columns]``."""
        if not self._live:
            if params is not None:
                raise InputError("this stream has a score or an iterator of frames: leave params out")
            return None
        if params is None:
            if self._latest is None:
                raise InputError("give params with the first block")
            return self._latest
        columns = len(self._compiled.layout)
        shape = list(params.shape) if isinstance(params, Tensor) else None
        if shape is None or shape[-1:] != [columns] or shape[:-1] not in ([], [1], [self.batch]):
            got = f"not {type(params).__name__}" if shape is None else f"but have the shape {shape}"
            raise InputError(
                f"live params must be one frame, [{columns}] or [batch, {columns}] with a batch of {self.batch}, {got}"
            )
        return self._prepared(params.reshape(-1, 1, columns))

    def _prepared(self, params: Tensor) -> Tensor:
        """Checked and clamped ``[batch, frames, columns]``."""
        like = self._like
        made = prepare_params(self._compiled.layout, params, like, self.batch, self._out_of_range, True)
        return made.expand(self.batch, -1, -1)

    def _check_score(self, params: Tensor, positions: Any) -> tuple[Tensor, Tensor]:
        if isinstance(params, Tensor) and params.ndim in (2, 3):
            # Part by part: checks take several times the memory of what they look at.
            made = torch.cat([self._prepared(part) for part in params.split(FRAMES, -2)], -2)
        else:
            made = self._prepared(params)
        placed = prepare_positions(positions, made, True)
        if placed is None:
            raise InputError("a score is (params, positions): a position for each frame")
        return made, placed.cpu()

    def _make_clock(self, tempo: float | Tensor | tuple[Tensor, Any] | None) -> ClockTrack | None:
        if not self._compiled.uses_clock:
            if tempo is not None:
                raise InputError("no effect of this graph follows a clock: leave tempo out")
            return None
        rate = self._compiled.graph.sample_rate
        none = torch.empty(0, dtype=torch.int64, device="cpu")
        if tempo is None:
            self._live_clock = True
            empty = torch.empty(self.batch, 0, dtype=torch.float64, device=self._like.device)
            return ClockTrack(rate, empty, none)
        tempos, positions = tempo if isinstance(tempo, tuple) else (tempo, [0])
        if isinstance(tempos, Tensor) and tempos.ndim == 1 and isinstance(tempo, tuple):
            tempos = tempos.unsqueeze(0)
        checked = check_tempo(tempos, self.batch, self._like, None).expand(self.batch, -1)
        placed = prepare_positions(positions, checked.unsqueeze(-1), True)
        assert placed is not None
        return ClockTrack(rate, checked, placed.cpu())

    def _live_tempo(self, tempo: float | Tensor | None) -> Tensor | None:
        """A live frame of tempo, ``[batch, 1]``; the last one where there is no new one."""
        if self._clock is None or not self._live_clock:
            if tempo is None:
                return None
            given = "the tempo was given when it was made" if self._clock else "no effect follows a clock"
            raise InputError(f"leave tempo out of this stream's blocks: {given}")
        if tempo is None:
            if self._clock.latest is None:
                raise InputError(
                    f"graph {self._compiled.graph.name} has effects that follow a clock: give its tempo in BPM, "
                    "tempo=, with the first block or when the stream is made"
                )
            return self._clock.latest
        checked = check_tempo(tempo, self.batch, self._like, None)
        if checked.shape[1] != 1:
            raise InputError(f"a live tempo is a number or [batch], but has the shape {list(checked.shape)}")
        return checked.expand(self.batch, -1)

    def _check_fps(self, fps: float) -> float:
        rate = self._compiled.graph.sample_rate
        if not (math.isfinite(fps) and 0 < fps <= rate):
            raise InputError(f"fps must be above 0 and at most the sample rate, {rate}, not {fps!r}")
        return fps

    def _fetch(self, frames: Iterator[Tensor], fps: float) -> Iterator[tuple[Tensor, int]]:
        columns, rate = len(self._compiled.layout), self._compiled.graph.sample_rate
        for frame in frames:
            if not isinstance(frame, Tensor) or list(frame.shape) not in ([columns], [self.batch, columns]):
                raise InputError(f"the iterator must give frames [{columns}] or [{self.batch}, {columns}]")
            position = round(self._fetched * rate / fps)
            self._fetched += 1
            yield self._prepared(frame.reshape(-1, 1, columns)), position
