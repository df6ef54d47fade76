"""A mixer that is fed block by block and remembers."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import shown, whole
from djgraph.compiler.plan import Add, Loop, Process, Region, Silence
from djgraph.controls.reader import ControlReader
from djgraph.effects import State
from djgraph.effects.rest import QUIET
from djgraph.errors import InputError, did_you_mean
from djgraph.region.stacks import Stacks
from djgraph.runtime.chains import ChainedCalls
from djgraph.runtime.inputs import Inputs, input_names, prepare_audio
from djgraph.runtime.outputs import check_inputs_finite
from djgraph.runtime.sources import SourceInput, played, samples_of, silences
from djgraph.streams.buffers import History
from djgraph.streams.controls import SharedReading
from djgraph.streams.intake import Intake
from djgraph.streams.jumps import Leaving, moved, states_at
from djgraph.streams.left_out import LeftOut
from djgraph.streams.loop import LoopStream
from djgraph.streams.plan import Delays, Step, StreamPlan
from djgraph.streams.process import ProcessStream, Rest
from djgraph.streams.region import RegionStream
from djgraph.streams.state import StreamState, digest, part, prefixed, seal
from djgraph.streams.threads import FEW, calling_thread_only
from djgraph.streams.time import Moment

DTYPES = (torch.float32, torch.float64)
ALL_THREADS = nullcontext()
"""As many as PyTorch uses."""
UNHEARD = ("exact", "rest")
"""What becomes of effects that nobody hears behind and before closed switches."""
EXACT = Rest(QUIET, None)
FAINT = 1e-6
"""−120 dB: what counts as silence where effects rest."""
REST_AFTER = 2
"""Seconds of it after which an effect rests that does not tell."""
FORM = 2
"""Of states: which tensors they have for a plan. A state of another form is refused."""


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
        frames: Iterable[Any] | None = None,
        fps: float | None = None,
        tempo: float | Tensor | tuple[Tensor, Any] | None = None,
        start: int = 0,
        state: StreamState | None = None,
        material: Mapping[str, Any] | None = None,
        unheard: str = "exact",
        out_of_range: str = "clamp",
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if dtype not in DTYPES:
            raise InputError(f"a stream is torch.float32 or torch.float64, not {dtype}")
        if unheard not in UNHEARD:
            hint = did_you_mean(unheard, UNHEARD) if isinstance(unheard, str) else ""
            raise InputError(f"unheard is one of {', '.join(UNHEARD)}, not {shown(unheard)}{hint}")
        self._plan, self._compiled = plan, plan.compiled
        self.batch = whole(batch, "batch", 1)
        self._like = torch.empty(0, dtype=dtype, device=_device(device))
        self._intake = Intake(
            self._compiled, self.batch, self._like, out_of_range, score, frames, fps, tempo, start
        )
        self.seconds: dict[str, float] | None = None
        """What blocks have taken by what it was for, in words; counted where a caller gives a mapping to count in."""
        self._position = 0
        self._finished = self._broken = False
        self._names = input_names(self._compiled.graph)
        self._chains = {calls.places[0]: calls for calls in plan.chains}
        self._controls = self._readings()
        self._sources = self._played({} if material is None else material)
        self._shift = 0  # how far a sample of the clip lies behind its own place on the stream's clock
        self._leaving: Leaving | None = None
        self._steps = {
            index: step for index, op, _ in plan.steps if (step := self._step(index, op)) is not None
        }
        rest = Rest(FAINT, REST_AFTER * self._compiled.graph.sample_rate) if unheard == "rest" else EXACT
        self._left = None if plan.gates is None else LeftOut(plan, plan.gates, rest, unheard == "rest")
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
        self,
        inputs: Inputs | None = None,
        params: Tensor | None = None,
        *,
        tempo: float | Tensor | None = None,
        samples: int | None = None,
    ) -> Any:
        """The next block.

        inputs: as :meth:`djgraph.Mixer.forward` takes them, of any number of samples from one up; the block's length
        is theirs. params: one live frame, ``[controls]`` or ``[batch, controls]``, reached at the block's last sample;
        left out, the last one holds. tempo: BPM, a number or ``[batch]``, likewise. samples: the block's length, where
        every input is played by a source.
        Returns what the mixer returns, as many samples as came in: the first ``latency`` of all are silence.
        Raises InputError where something does not fit; the stream stays as it was. After an effect has failed in the
        middle of a block, it cannot go on.
        """
        self._check_open()
        graph = self._compiled.graph
        audio, batch, length = prepare_audio(graph, inputs or {})
        samples = samples_of(samples, length)
        like = next(iter(audio.values()), self._like)
        if like.dtype != self._like.dtype or like.device != self._like.device:
            raise InputError(
                f"this stream is {self._like.dtype} on {self._like.device}, but the audio is {like.dtype} on "
                f"{like.device}"
            )
        if batch not in (1, self.batch):
            raise InputError(f"this stream has a batch of {self.batch}, but the audio has {batch}")
        moment = Moment(self._position, self._position + samples)
        if self._sources:
            self._check_finite(audio)
            live = self._intake.check(params, tempo)
            self._intake.take(live, moment.stop - 1)
            taken = self._taken(audio | self._play(moment))
        else:
            taken = self._taken(audio)
            live = self._intake.check(params, tempo)
            self._intake.take(live, moment.stop - 1)
        values = self._run(moment, taken)
        self._position = moment.stop
        return self._shape(values, samples)

    def jump(
        self,
        sample: int,
        *,
        tempo: float | Tensor | tuple[Tensor, Any] | None = None,
        sources: Mapping[str, State] | None = None,
        fade: int = 0,
    ) -> None:
        """Goes on from another sample of the clip: that is where what comes with the next block lies.

        Beats count from there, and effects go on: an echo rings over the cut. Live frames and iterators of frames go
        on as if there had been no jump: positions are those of a clip that was never left. What plays inputs goes on
        from ``sources``, states by input as :meth:`sources_at` gives them, within a cross-fade of ``fade`` samples;
        left out, it plays on. tempo: as when the stream was made; left out, it stays. Raises InputError where one does
        not fit, for streams with a score, and where nothing is left to come.
        """
        self._check_open()
        place = whole(sample, "a jump's sample", 0)
        if self._intake.scored:
            raise InputError(
                "a stream with a score plays it to its end: jumps are for live frames and iterators"
            )
        for name in sources or {}:
            if name not in self._sources:
                raise InputError(f"no source plays input {name!r}{did_you_mean(str(name), self._sources)}")
        fade = whole(fade, "a fade", 0)
        if sources and fade and self._position:
            self._leaving = Leaving(self._sound(Moment(self._position, self._position + fade))[0])
        self._intake.jump(self._position, place, tempo)
        shift = self._position - place
        for name, (source, _) in self._sources.items():
            if sources and name in sources:
                self._sources[name] = moved(source, shift - self._shift), dict(sources[name])
        self._shift = shift if sources else self._shift

    def sources_at(
        self,
        sample: int,
        params: Tensor,
        positions: Any,
        tempo: float | Tensor | tuple[Tensor, Any] | None = None,
    ) -> dict[str, State]:
        """Where the sources are that have played the clip to a sample: states by input, for :meth:`jump`.

        params, positions: the clip's frames ``[frames, controls]`` and the sample that each lies on. tempo: as for
        :meth:`djgraph.Mixer.stream`. The stream is left as it is; any thread may ask.
        """
        sources = {name: moved(source, -self._shift) for name, (source, _) in self._sources.items()}
        if not sources:
            return {}
        intake = Intake(self._compiled, 1, self._like, "clamp", (params, positions), None, None, tempo)
        with torch.inference_mode():
            return states_at(
                sources, intake, self._compiled.bank.rows, whole(sample, "a sample", 0), self._like
            )

    def _played(self, material: Mapping[str, Any]) -> dict[str, tuple[SourceInput, State]]:
        """What plays inputs, with its state, by input."""
        graph, compiled = self._compiled.graph, self._compiled
        if not isinstance(material, Mapping):
            raise InputError(f"material is a mapping of inputs to what plays, not {shown(material)}")
        for name in material:
            if name not in graph.sources:
                raise InputError(
                    f"graph {graph.name} plays no input {name!r} from material{did_you_mean(str(name), graph.sources)}"
                )
        sources = played(graph, compiled.modules, compiled.bank, material, self._like)
        for source in sources:
            if source.batch not in (1, self.batch):
                raise InputError(
                    f"this stream has a batch of {self.batch}, but {source.name} has {source.batch}"
                )
        return {source.name: (source, source.start(self.batch, self._like)) for source in sources}

    def _play(self, moment: Moment) -> dict[str, Tensor]:
        """The audio of the inputs that sources play, in this block."""
        self._intake.advance(moment.stop)
        self._broken = True  # until all sources have played
        audio, after = self._sound(moment)
        for name, (source, _) in self._sources.items():
            self._sources[name] = source, after[name]
        if self._leaving is not None:
            audio = self._leaving.into(audio, moment.stop - moment.start)
            self._leaving = None if self._leaving.over else self._leaving
        self._broken = False
        return audio | silences(self._compiled.graph, audio, self._like, moment.stop - moment.start)

    def _sound(self, moment: Moment) -> tuple[dict[str, Tensor], dict[str, State]]:
        """What the sources play in this block, by input node, and their states behind it, by input."""
        track, clock = self._intake.track, self._intake.clock
        span, audio, after = (moment.start, moment.stop), dict[str, Tensor](), dict[str, State]()
        for name, (source, state) in self._sources.items():
            assert track.rows is not None
            ticks = None if clock is None else clock.read(*span)
            began = time.perf_counter()
            made, after[name] = source.play(track.rows, track.timeline(moment.end), ticks, span, state)
            audio |= made
            if self.seconds is not None:
                kind = source.node.effect.type
                self.seconds[kind] = self.seconds.get(kind, 0.0) + time.perf_counter() - began
        return audio, after

    def _check_finite(self, audio: Mapping[str, Tensor]) -> None:
        """Before anything is taken; audio: by input node."""
        if not math.isfinite(sum(float(one.detach().sum()) for one in audio.values())):
            check_inputs_finite(audio, self._names, self._position)

    def finish(self) -> Any:
        """The last ``latency`` samples, which are still inside; afterwards the stream is closed.

        Raises InputError where no block was ever given.
        """
        self._check_open()
        if not self._position:
            raise InputError("this stream has got no audio yet: there is nothing to finish")
        moment = Moment(self._position, self._position, self._position)
        audio = {
            node.id: self._like.new_zeros(self.batch, node.channels, 0)
            for node in self._compiled.graph.nodes
            if node.id in self._names
        }
        values = self._run(moment, self._taken(audio))
        self._finished = True
        return self._shape(values, self.latency)

    def detach(self) -> None:
        """Cuts the gradient: what came before is a constant from now on, as in truncated back-propagation."""
        self._intake.detach()
        for step in self._steps.values():
            step.detach()
        for name, (source, state) in self._sources.items():
            self._sources[name] = source, {key: one.detach() for key, one in state.items()}

    def state(self) -> dict[str, Tensor]:
        """Everything that the stream remembers, as tensors by name, which safetensors can save.

        A score, an iterator of frames, the tempo of a score and material are not in it: give them to
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
        for name, (_, memory) in self._sources.items():
            state |= prefixed(f"source {name}", memory)
        if self._left is not None:
            state |= prefixed("left", self._left.state())
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
        for name, (source, _) in self._sources.items():
            self._sources[name] = source, part(f"source {name}", state)
        if self._left is not None:
            self._left.restore(part("left", state), self._position)

    def _identity(self) -> Tensor:
        """A digest of what a state belongs to."""
        text = f"{FORM} {self._compiled.identity} {self._plan.plan} {self.batch} {self._like.dtype}"
        text += f" {list(self._sources)}" if self._sources else ""
        return digest([text.encode()])

    def _taken(self, audio: Mapping[str, Tensor]) -> Stacks:
        """What came in by the plan's names, in memory of the stream's own: a caller may fill its buffers anew.

        audio: by input node. Raises InputError for what is not finite.
        """
        taken = Stacks()
        total = 0.0
        for names in self._plan.inputs:
            stack = torch.stack([audio[node].expand(self.batch, -1, -1) for node, _ in names])
            taken.put([out for _, out in names], stack)
            total += float(stack.detach().sum())
        if not math.isfinite(total):  # or the sum alone is not
            check_inputs_finite(audio, self._names, self._position)
        return taken

    def _run(self, moment: Moment, values: Stacks) -> dict[str, Tensor]:
        self._intake.advance(moment.stop)
        self._broken = True  # until all operations have run
        samples = sum(self._plan.plan.channels[out] for names in self._plan.inputs for _, out in names)
        samples *= self.batch * (moment.stop - moment.start)
        few = self._like.device.type == "cpu" and samples <= FEW
        with (
            torch.autocast(self._like.device.type, enabled=False),
            calling_thread_only() if few else ALL_THREADS,
        ):
            if self._left is not None:
                self._left.begin(self._intake.track, moment)
            done: tuple[int, ...] = ()
            seconds, began = self.seconds, time.perf_counter()
            for index, op, frees in self._plan.steps:
                if index not in done:
                    chain = self._chains.get(index)
                    if chain and self._runs_whole(chain) and self._run_chain(chain, moment, values):
                        done = chain.places
                    elif self._left is None or not self._run_gated(index, op, moment, values, self._left):
                        self._run_step(index, op, moment, values)
                if seconds is not None:
                    name, now = self._plan.names[index], time.perf_counter()
                    seconds[name], began = seconds.get(name, 0.0) + now - began, now
                values.drop(name for name in frees if name in values)
        oldest = min((step.oldest_control() for step in self._memories), default=moment.stop)
        self._intake.forget(oldest, self._plan.lookahead)
        self._broken = False
        return {
            name: self._read(values, value, moment, self.latency)
            for name, value in self._plan.plan.outputs.items()
        }

    def _run_step(self, index: int, op: Step, moment: Moment, values: Stacks) -> None:
        latencies, step = self._plan.latencies, self._steps.get(index)
        match op:
            case Silence():
                pass  # made where it is read, as long as its neighbours are
            case Add():
                stack = self._stack(values, op.sources, moment, latencies[op.out])
                values.put((op.out,), stack.sum(0, keepdim=True))
            case Delays():
                assert isinstance(step, History)
                step.append(values.gather(op.sources))
                values.put(op.outs, step.take(moment.span(latencies[op.outs[0]])[1]))
            case Process():
                assert isinstance(step, ProcessStream)
                arrives = self._plan.arrives[index]
                audio = [self._stack(values, names, moment, arrives) for names in zip(*op.ins)]
                stop, emit = moment.span(arrives)[1], moment.span(self._plan.leaves[index])[1]
                outputs = step(audio, self._intake.track, self._intake.clock, stop, emit, moment.end)
                for names, stack in zip(zip(*op.outs), outputs):
                    values.put(names, stack)
            case Loop():
                assert isinstance(step, LoopStream)
                span = moment.span(self._plan.arrives[index])
                read = {
                    name: self._read(values, name, moment, self._plan.arrives[index]) for name in op.reads
                }
                made = step(read, self._intake.track, self._intake.clock, span, moment.end)
                for name, signal in made.items():
                    values.put((name,), signal.unsqueeze(0))
            case Region():
                assert isinstance(step, RegionStream)
                sources = self._stack(values, step.schedule.reads, moment, self._plan.arrives[index])
                emit = moment.span(self._plan.leaves[index])[1]
                values.put(
                    step.schedule.writes, step(sources, self._intake.track, moment.stop, emit, moment.end)
                )

    def _run_gated(self, index: int, op: Step, moment: Moment, values: Stacks, left: LeftOut) -> bool:
        """Runs of an operation what is not left out; False where it is one that always runs as a whole."""
        step, latencies = self._steps.get(index), self._plan.latencies
        match op:
            case Add():
                heard = [] if left.unheard(index) else left.heard(op)
                if heard:
                    stack = self._stack(values, heard, moment, latencies[op.out])
                    values.put((op.out,), stack.sum(0, keepdim=True))
                return True
            case Delays():
                assert isinstance(step, History)
                step.append(self._stack(values, op.sources, moment, latencies[op.sources[0]]))
                values.put(op.outs, step.take(moment.span(latencies[op.outs[0]])[1]))
                left.delayed(op, moment)
                return True
            case Process() if not left.whole(index):
                assert isinstance(step, ProcessStream)
                self._run_some(index, op, step, moment, values, left)
                return True
            case Region():
                assert isinstance(step, RegionStream)
                sources = self._stack(values, step.schedule.reads, moment, self._plan.arrives[index])
                emit = moment.span(self._plan.leaves[index])[1]
                silent = left.region(index, op, moment)
                results = step(sources, self._intake.track, moment.stop, emit, moment.end, silent)
                values.put(step.schedule.writes, results)
                return True
        return False

    def _run_some(
        self, index: int, op: Process, step: ProcessStream, moment: Moment, values: Stacks, left: LeftOut
    ) -> None:
        """Runs an effect for those of its nodes that are not left out."""
        arrives, ports = self._plan.arrives[index], range(len(op.ins[0]))

        def audio(lanes: Sequence[int]) -> list[Tensor]:
            return [
                self._stack(values, [op.ins[lane][port] for lane in lanes], moment, arrives) for port in ports
            ]

        fed, stop = left.fed_silence(op), moment.span(arrives)[1]
        made = step.some(
            audio,
            left.unheard(index),
            fed,
            left.rest,
            self._intake.track,
            self._intake.clock,
            stop,
            moment.end,
        )
        for lanes, outputs in made:
            for port, stack in enumerate(outputs):
                values.put([op.outs[lane][port] for lane in lanes], stack)
        left.rests(op, list(step.asleep), fed)

    def _runs_whole(self, calls: ChainedCalls) -> bool:
        """Whether nothing is left out of a chain's calls in this block; else each looks for itself at what."""
        left = self._left
        if left is None:
            return True
        steps = [self._steps[place] for place in calls.places]
        return (
            left.silent.isdisjoint(calls.sources)
            and not any(map(left.unheard, calls.places))
            and all(isinstance(step, ProcessStream) and step.all_awake for step in steps)
        )

    def _run_chain(self, calls: ChainedCalls, moment: Moment, values: Stacks) -> bool:
        """Runs calls that are kernels in one pass, where that can be; returns whether it was."""
        steps = [step for place in calls.places if isinstance(step := self._steps[place], ProcessStream)]
        track, start = self._intake.track, steps[0].position
        stop = moment.span(self._plan.arrives[calls.places[0]])[1]
        if track.rows is None or stop <= start or not self._plan.silent.isdisjoint(calls.sources):
            return False
        audio = [values.gather(calls.sources)]
        states = [None if name is None else step.memory[name] for step, name in zip(steps, calls.states)]
        if not calls.chain.takes(track.rows, audio, [state for state in states if state is not None]):
            return False
        out, after = calls.chain(audio, track.rows, track.timeline(moment.end), start, states)
        for step, name, state in zip(steps, calls.states, after):
            step.went_on({} if name is None else {name: state}, stop)
        values.put(calls.outs, out)
        return True

    def _stack(self, values: Stacks, names: Sequence[str], moment: Moment, latency: int) -> Tensor:
        """Values' samples in this call, ``[values, batch, channels, samples]``."""
        if self._plan.silent.isdisjoint(names) and (
            self._left is None or all(name in values for name in names)
        ):
            return values.gather(names)
        return torch.stack([self._read(values, name, moment, latency) for name in names])

    def _read(self, values: Stacks, name: str, moment: Moment, latency: int) -> Tensor:
        """A value's samples in this call; silence is as long as whoever reads it needs."""
        if name in values:
            return values.get(name)
        start, stop = moment.span(latency)
        return self._like.new_zeros(self.batch, self._plan.plan.channels[name], stop - start)

    def _readings(self) -> dict[int, tuple[SharedReading, int]]:
        """By time effect's operation what reads its controls: one for all that run on the same samples."""
        graph, bank = self._compiled.graph, self._compiled.bank
        together: dict[tuple[int, bool], list[int]] = defaultdict(list)
        # Chains draw their curves themselves: what others read is not read for them, too.
        chained = {place for calls in self._plan.chains for place in calls.places}
        for index in self._plan.calls:
            together[self._plan.arrives[index], index in chained].append(index)
        readings: dict[int, tuple[SharedReading, int]] = {}
        for indices in together.values():
            readers = [
                ControlReader(op.nodes, bank, graph.sample_rate, graph.transform.hop, graph.name)
                for op in map(self._plan.plan.ops.__getitem__, indices)
                if isinstance(op, Process)
            ]
            shared = SharedReading(readers)
            readings |= {index: (shared, number) for number, index in enumerate(indices)}
        return readings

    def _step(self, index: int, op: Step) -> RegionStream | ProcessStream | LoopStream | History | None:
        plan, like = self._plan, self._like
        match op:
            case Region():
                return RegionStream(plan.schedules[index], self.batch, like)
            case Process():
                graph = self._compiled.graph
                return ProcessStream(op, plan.calls[index], self._controls[index], graph, self.batch, like)
            case Loop():
                return LoopStream(op, plan.plan, self._compiled, self.batch, like)
            case Delays():
                channels = plan.plan.channels[op.outs[0]]
                return History(like.new_zeros(len(op.outs), self.batch, channels, 0))
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
