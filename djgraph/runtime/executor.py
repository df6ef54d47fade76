"""Runs a plan: one kernel for each operation, on stacked rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from djgraph.compiler.plan import (
    Add,
    Analyse,
    Load,
    Loop,
    Mask,
    Op,
    Plan,
    Process,
    Region,
    Silence,
    Synthesise,
)
from djgraph.controls.reader import ControlReader, read_frames
from djgraph.dsp import stft
from djgraph.dsp.curve import Timeline
from djgraph.dsp.derivatives import followed
from djgraph.effects import Clock, TimeEffect
from djgraph.host.build import process_clip
from djgraph.host.calls import EffectCall
from djgraph.region.operation import run_region
from djgraph.region.schedule import schedule_region
from djgraph.region.stacks import Stacks
from djgraph.runtime.blocks import block_length, process_in_blocks
from djgraph.runtime.chains import ChainedCalls, chained_calls
from djgraph.runtime.compiled import Compiled
from djgraph.runtime.identity import region_identity
from djgraph.runtime.loop import LoopKernel
from djgraph.runtime.outputs import copies, own
from djgraph.runtime.sources import SourceInput


@dataclass
class Run:
    """What the kernels of one call share.

    ``owned`` are values that lie in memory of the run's own, which may be written over once nobody reads them.
    """

    audio: Mapping[str, Tensor]
    rows: Tensor
    timeline: Timeline
    clock: Clock | None
    values: Stacks
    owned: set[str] = field(default_factory=set)

    @property
    def batch(self) -> int:
        return self.rows.shape[1]

    @property
    def samples(self) -> int:
        return self.timeline.samples


Kernel = Callable[[Run], None]


class Executor:
    """A plan of a compiled graph, bound to the modules that run it.

    chains: whether calls that are kernels one behind the other may run in one pass; without, each runs by itself.
    """

    def __init__(self, plan: Plan, compiled: Compiled, chains: bool = True) -> None:
        self.plan, self.compiled = plan, compiled
        self._modules, self.bank = compiled.modules, compiled.bank
        self._distinct = list({id(module): module for module in self._modules.values()}.values())
        self._copies = copies(plan)
        frees = plan.frees or ((),) * len(plan.ops)
        steps = [(self._kernel(op, free), free) for op, free in zip(plan.ops, frees)]
        found = chained_calls(plan, self._modules, self.bank) if chains else ()
        for calls in reversed(list(found)):
            first, last = calls.places[0], calls.places[-1] + 1
            steps[first:last] = [(self._chain(calls, steps[first:last]), ())]
        self._steps = steps

    def __call__(self, run: Run) -> dict[str, Tensor]:
        for kernel, free in self._steps:
            kernel(run)
            run.values.drop(free)
        return own(run.values, self.plan, self._copies, lambda: self._foreign(run))

    def play(
        self, source: SourceInput, rows: Tensor, timeline: Timeline, clock: Clock | None, like: Tensor
    ) -> dict[str, Tensor]:
        """The audio of an input that a source effect plays, by input node, over a whole clip."""
        return source.play_clip(rows, timeline, clock, like)

    def _foreign(self, run: Run) -> Iterator[Tensor]:
        """What effects may hand on instead of something new: their input, or what they hold."""
        yield from run.audio.values()
        for module in self._distinct:
            yield from module.parameters()
            yield from module.buffers()
            yield from module.kept()

    def _kernel(self, op: Op, frees: tuple[str, ...]) -> Kernel:
        match op:
            case Load():
                return lambda run: run.values.put(
                    (op.out,), run.audio[op.node].expand(run.batch, -1, -1).unsqueeze(0)
                )
            case Silence():
                channels = self.plan.channels[op.out]
                return lambda run: run.values.put(
                    (op.out,), run.rows.new_zeros(1, run.batch, channels, run.samples)
                )
            case Add():
                return lambda run: run.values.put((op.out,), _total(run.values, op.sources).unsqueeze(0))
            case Process():
                graph = self.plan.graph
                reader = ControlReader(
                    op.nodes, self.bank, graph.sample_rate, graph.transform.hop, graph.name
                )
                effect = EffectCall(self._modules[op.nodes[0].id], op.nodes)
                return lambda run: self._process(op, effect, reader, run, frees)
            case Region():
                options = self.compiled.options
                used = {id(module): module for node in op.nodes for module in [self._modules[node.id]]}
                identity = region_identity(self.compiled.identity, op, options, used.values())
                schedule = schedule_region(op, self.plan, self._modules, self.bank, options.simd, identity)
                loaded = {load.out: load.node for load in self.plan.ops if isinstance(load, Load)}

                def region(run: Run) -> None:
                    # Audio comes as it was given: of a batch of one its gradient is one, too.
                    sources = [
                        run.audio[loaded[name]] if name in loaded else run.values.get(name)
                        for name in schedule.reads
                    ]
                    results = run_region(schedule, run.timeline, run.rows, sources, options.frames_per_tile)
                    run.values.put(schedule.writes, results)
                    run.owned.update(schedule.writes)

                return region
            case Loop():
                loop = LoopKernel(op, self.plan, self._modules, self.bank)
                return lambda run: self._loop(op, loop, run)
            case Mask():
                gain = EffectCall(self._modules[op.node.id], (op.node,))
                return lambda run: self._mask(op, gain, run)
            case Analyse():
                return lambda run: self._transform(op, run)
            case Synthesise():
                return lambda run: self._inverse(op, run)
        raise TypeError(type(op).__name__)

    def _chain(self, calls: ChainedCalls, steps: list[tuple[Kernel, tuple[str, ...]]]) -> Kernel:
        """Neighbouring calls in one pass where that can be, else one after the other. It drops what they free."""
        rest = (None,) * len(calls.places)
        frees = [name for _, free in steps for name in free]

        def run_chain(run: Run) -> None:
            whole = run.values.view(calls.sources)
            audio = [run.values.get(name) for name in calls.sources] if whole is None else [whole]
            if not calls.chain.takes(run.rows, audio):
                for kernel, free in steps:
                    kernel(run)
                    run.values.drop(free)
                return
            out, _ = calls.chain(audio, run.rows, run.timeline, 0, rest)
            run.values.put(calls.outs, out)
            run.owned.update(calls.outs)
            run.values.drop(name for name in frees if name in run.values)

        return run_chain

    def _process(
        self, op: Process, call: EffectCall, reader: ControlReader, run: Run, frees: tuple[str, ...]
    ) -> None:
        node, module = op.nodes[0], call.module
        assert isinstance(module, TimeEffect)
        rows = [tuple(row[place] for row in op.ins) for place in range(len(node.effect.inputs))]
        # Ports that read the same, as a sidechain that nothing is connected to, share their rows.
        stacks = {names: run.values.gather(names).flatten(0, 1) for names in rows}
        audio = {port.name: stacks[names] for port, names in zip(node.effect.inputs, rows)}
        count = len(op.nodes)
        size = (count * run.batch, node.channels, run.samples)
        clock = _repeat(run.clock, count) if module.uses_clock else None
        length = block_length(call, audio, run.rows, size)
        if length is not None:
            read = {name for row in op.ins for name in row}
            last = len(op.ins[0]) == 1 and read <= run.owned.intersection(frees)
            whole = last and run.values.is_whole([row[0] for row in op.ins])
            outputs = process_in_blocks(
                call,
                audio,
                lambda span: reader(run.rows, run.timeline, span),
                clock,
                run.rows,
                size,
                length,
                whole,
            )
            if not followed(list(outputs.values())):
                run.owned.update(name for row in op.outs for name in row)
        else:
            controls = reader(run.rows, run.timeline)
            outputs = process_clip(call, audio, controls, run.rows, size, clock)
        for place, port in enumerate(node.effect.outputs):
            names = [row[place] for row in op.outs]
            run.values.put(names, outputs[port.name].unflatten(0, (count, run.batch)))

    def _loop(self, op: Loop, loop: LoopKernel, run: Run) -> None:
        audio = {name: run.values.get(name) for name in op.reads}
        for name, result in loop(audio, run.rows, run.timeline, run.clock).items():
            run.values.put((name,), result.unsqueeze(0))

    def _mask(self, op: Mask, call: EffectCall, run: Run) -> None:
        spectrum = run.values.get(op.source)
        frames, bins = spectrum.shape[-2:]
        hop = self.plan.graph.transform.hop
        controls = read_frames(op.node, self.bank, run.rows, run.timeline, hop, frames)
        gain = call.mask(controls, (run.batch, frames, bins))
        run.values.put((op.out,), (spectrum * gain.unsqueeze(1)).unsqueeze(0))

    def _transform(self, op: Analyse, run: Run) -> None:
        transform = self.plan.graph.transform
        spectra = stft.analyse(run.values.get(op.source), transform.size, transform.hop)
        run.values.put((op.out,), spectra.unsqueeze(0))

    def _inverse(self, op: Synthesise, run: Run) -> None:
        transform = self.plan.graph.transform
        audio = stft.synthesise(run.values.get(op.source), transform.size, transform.hop, run.samples)
        run.values.put((op.out,), audio.unsqueeze(0))


def _total(values: Stacks, names: tuple[str, ...]) -> Tensor:
    """The sum of values: one reduction where they lie in one stack, else one addition after another."""
    stacked = values.view(names)
    if stacked is not None:
        return stacked.sum(0)
    total = values.get(names[0])
    for name in names[1:]:
        total = total + values.get(name)
    return total


def _repeat(clock: Clock | None, count: int) -> Clock | None:
    if clock is None:
        return None
    return Clock(clock.tempo.repeat(count, 1, 1), clock.beats.repeat(count, 1, 1))
