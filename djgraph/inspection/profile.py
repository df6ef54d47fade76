"""Runs a mixer and says what each operation of its plan took: time and memory, forward and backward."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from djgraph.errors import InputError
from djgraph.graph.ir import InputNode
from djgraph.inspection.costs import Workload
from djgraph.inspection.observe import (
    Gauge,
    Heap,
    ObservedExecutor,
    Recorder,
    Stopwatch,
    Way,
    source_index,
)
from djgraph.inspection.profile_report import Measured, MeasuredOperation, MeasuredSource, Profile
from djgraph.inspection.report import plan_cost
from djgraph.runtime.compiled import Compiled
from djgraph.runtime.mixing import mix

TEMPO = 120.0
"""BPM for graphs with effects that follow a clock."""


def profile(
    compiled: Compiled,
    workload: Workload,
    *,
    backward: bool = True,
    repeats: int = 3,
    device: torch.device | str | None = None,
    seed: int = 0,
) -> Profile:
    """Runs the plan on noise, with controls that wander over their ranges.

    backward: also a backward pass, from the outputs' mean squares to params and the effects' weights, whose
    ``grad`` stays as it is. repeats: runs to take the median of, after one that is not counted. device: that of
    the mixer's weights, unless given. Raises InputError for fewer than one repeat.

    Memory is followed in a run of its own, since looking at every allocation takes time.
    """
    if repeats < 1:
        raise InputError(f"repeats must be at least 1, not {repeats}")
    if device is None:
        device = next((weight.device for weight in weights_of(compiled)), "cpu")
    job = _ProfiledRun(compiled, workload, torch.device(device), backward, seed)
    clock = Stopwatch(job.device)
    job.run(clock)
    runs = sorted((job.run(clock) for _ in range(repeats)), key=_total)
    timed, held = runs[(repeats - 1) // 2], job.run(Heap(job.device))
    ahead, back = _measured(timed, held, "forward"), _measured(timed, held, "backward")
    estimate = plan_cost(compiled, workload)
    return Profile(
        graph=compiled.graph.name,
        sample_rate=compiled.graph.sample_rate,
        device=str(job.device),
        threads=torch.get_num_threads(),
        repeats=repeats,
        estimate=estimate,
        operations=tuple(
            MeasuredOperation(cost, ahead[cost.index], back.get(cost.index)) for cost in estimate.operations
        ),
        sources=tuple(
            MeasuredSource(one, ahead[source_index(i)], back.get(source_index(i)))
            for i, one in enumerate(estimate.sources)
        ),
        forward_seconds=_seconds(timed, "forward") or 0.0,
        backward_seconds=_seconds(timed, "backward"),
        forward_peak=_peak(held, "forward") or 0,
        backward_peak=_peak(held, "backward"),
    )


def weights_of(compiled: Compiled) -> list[Tensor]:
    """The effects' learnable tensors, each once."""
    weights = (weight for module in compiled.modules.values() for weight in module.parameters())
    return list({id(weight): weight for weight in weights}.values())


def _measured(timed: Recorder, held: Recorder, way: Way) -> dict[int, Measured]:
    """By operation, those that the pass reached."""
    whole, memory = timed.whole(way), held.spans(way)
    return {
        index: Measured(span.start - whole.start, span.rise, round(memory[index].rise))
        for index, span in timed.spans(way).items()
        if whole is not None
    }


def _seconds(timed: Recorder, way: Way) -> float | None:
    whole = timed.whole(way)
    return None if whole is None else whole.rise


def _total(timed: Recorder) -> float:
    return (_seconds(timed, "forward") or 0.0) + (_seconds(timed, "backward") or 0.0)


def _peak(held: Recorder, way: Way) -> int | None:
    """The most bytes held, over what was there before the forward pass."""
    before, whole = held.whole("forward"), held.whole(way)
    return None if whole is None or before is None else round(whole.top - before.start)


class _ProfiledRun:
    """A forward and a backward pass, to be run as often as needed."""

    def __init__(
        self, compiled: Compiled, load: Workload, device: torch.device, backward: bool, seed: int
    ) -> None:
        self._compiled, self._plan = compiled, compiled.plan()
        self.device, self._backward = device, backward
        random = torch.Generator().manual_seed(seed)
        self._inputs = _noise(compiled, load, device, random)
        self._params = _wandering(compiled, load, device, random).requires_grad_(backward)
        self._weights = weights_of(compiled)
        self._tempo = TEMPO if compiled.uses_clock else None
        self._samples = load.samples

    def run(self, gauge: Gauge) -> Recorder:
        recorder = Recorder(gauge)
        executor = ObservedExecutor(self._plan, self._compiled, recorder)
        with gauge, torch.set_grad_enabled(self._backward):
            recorder.note("forward")
            outputs = mix(executor, self._inputs, self._params, tempo=self._tempo, samples=self._samples)
            recorder.note("forward")
            loss = torch.stack([audio.square().mean() for audio in outputs.values()]).sum()
            wanted = [self._params, *(weight for weight in self._weights if weight.requires_grad)]
            if self._backward and loss.requires_grad:
                recorder.note("backward")
                torch.autograd.grad(loss, wanted, allow_unused=True)
                recorder.note("backward")
        return recorder


class _InTime:
    """Noise with beats, as a :class:`djgraph.effects.Tape`: one item of what is played."""

    def __init__(self, audio: Tensor | Mapping[str, Tensor], item: int) -> None:
        signals = audio if isinstance(audio, Mapping) else {"": audio}
        self._audio = torch.cat([one[item] for one in signals.values()])
        self.samples = self._audio.shape[-1]
        self.widths = {name: one.shape[1] for name, one in signals.items()}
        self.grid = SimpleNamespace(beats=(0, 1), seconds=(0.0, 60 / TEMPO), downbeat=0, meter=4)

    def read(self, first: int, samples: int) -> Tensor:
        begin, end = (min(max(at, first), first + samples) for at in (0, self.samples))
        return torch.nn.functional.pad(self._audio[:, begin:end], (begin - first, first + samples - end))


def _noise(
    compiled: Compiled, load: Workload, device: torch.device, random: torch.Generator
) -> dict[str, Any]:
    """Audio for every input."""
    inputs: dict[str, Any] = {}
    for node in compiled.graph.nodes:
        if isinstance(node, InputNode):
            shape = (load.batch, node.channels, load.samples)
            audio = (0.1 * torch.randn(shape, generator=random, dtype=load.dtype, device="cpu")).to(device)
            if node.stem is None:
                inputs[node.input] = audio
            else:
                inputs.setdefault(node.input, {})[node.stem] = audio
    for name, source in compiled.graph.sources.items():
        if getattr(compiled.modules[source.id], "needs_beats", False):
            inputs[name] = [_InTime(inputs[name], item) for item in range(load.batch)]
    return inputs


def _wandering(compiled: Compiled, load: Workload, device: torch.device, random: torch.Generator) -> Tensor:
    """Params that go slowly up and down over their ranges, each in its own phase; places in material stay at its
    beginning, behind which there is some."""
    phase = torch.rand(
        load.batch, 1, len(compiled.layout), generator=random, dtype=torch.float64, device="cpu"
    )
    time = torch.linspace(0, 1, load.frames, dtype=torch.float64, device="cpu")[None, :, None]
    position = 0.5 - 0.5 * torch.cos(2 * torch.pi * (phase + time))
    for index, column in enumerate(compiled.layout.columns):
        if column.control.unit == "s" and column.name.startswith(
            tuple(f"{n}." for n in compiled.graph.sources)
        ):
            position[..., index] = 0
    return compiled.layout.from_unit(position).to(device=device, dtype=load.dtype)
