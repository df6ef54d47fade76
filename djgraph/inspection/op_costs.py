"""The work of each operation of a plan: closed forms for what djgraph does, counts for what effects do.

docs/explain.md has the formulas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

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
    is_spectrum,
)
from djgraph.effects import AmplitudeEffect, RatioEffect
from djgraph.graph.ir import Constant, EffectNode
from djgraph.inspection.effect_costs import Both, Call, EffectCosts, Work
from djgraph.inspection.meter import fft_flops
from djgraph.region.engines import choose
from djgraph.region.load import RegionLoad

READ, READ_BACK = 3, 4
"""Flops to read a control at one place, on a straight line between two frames, and to take its gradient back."""


@dataclass(frozen=True)
class Workload:
    """What a plan is costed for: a clip's length, how many clips, how many control frames, in what precision.

    frames_per_tile, simd: as given to ``djgraph.compile``. device: where it runs.
    """

    samples: int
    batch: int = 1
    frames: int = 64
    dtype: torch.dtype = torch.float32
    frames_per_tile: int | None = None
    simd: bool = True
    device: str = "cpu"


class OpCosts:
    """Costs a plan's operations one by one.

    needs: the values that a gradient is wanted for.
    """

    def __init__(self, plan: Plan, effects: EffectCosts, load: Workload, needs: Mapping[str, bool]) -> None:
        self.plan, self.effects, self.load, self.needs = plan, effects, load, needs
        transform = plan.graph.transform
        self.size, self.bins = transform.size, transform.bins
        self.stft_frames = transform.frames(load.samples)
        self.item = load.dtype.itemsize

    def bytes(self, value: str) -> int:
        """Size of a value: audio, or a spectrum."""
        points = 2 * self.bins * self.stft_frames if is_spectrum(value) else self.load.samples
        return self.plan.channels[value] * self.load.batch * points * self.item

    def of(self, op: Op) -> Both:
        """Forward and backward work; backward is for what comes before it that wants a gradient."""
        match op:
            case Load():
                return Both(Work())
            case Silence():
                size = self.bytes(op.out)
                return Both(Work(0, size, size))
            case Add():
                return self._add(op)
            case Process():
                return self._process(op)
            case Analyse():
                audio, spectrum = self.bytes(op.source), self.bytes(op.out)
                flops = self._stft(self.plan.channels[op.out])
                framed = self._signals(op.out) * self.stft_frames * self.size * self.item
                return Both(
                    Work(flops, audio + spectrum + 3 * framed, spectrum + framed),
                    Work(flops, audio + spectrum + 3 * framed, audio + framed),
                )
            case Synthesise():
                audio, spectrum = self.bytes(op.out), self.bytes(op.source)
                flops = self._istft(self.plan.channels[op.out])
                framed = self._signals(op.out) * self.stft_frames * self.size * self.item
                return Both(
                    Work(flops, audio + spectrum + 3 * framed, audio + framed),
                    Work(flops, audio + spectrum + 3 * framed, spectrum + framed),
                )
            case Mask():
                return self._mask(op)
            case Loop():
                return _both(*(self.of(step) for step in op.body))
            case Region():
                return self._region(op)
        raise TypeError(type(op).__name__)

    def source(self, node: EffectNode, widths: tuple[int, ...]) -> Both:
        """Of what plays an input, before the plan. widths: channels of each of the input's signals."""
        load = self.load
        wanted = frozenset(self._wanted((node,)))
        call = Call(load.batch, sum(widths), load.samples, False, wanted, load.dtype, widths)
        code = self.effects.of(node.id, call)
        return _both(code, *(self._reading((node,), control, load.samples) for control in _ids((node,))))

    def _signals(self, value: str) -> int:
        return self.plan.channels[value] * self.load.batch

    def _stft(self, channels: int) -> float:
        """Window and transform of every frame."""
        return channels * self.load.batch * self.stft_frames * (fft_flops(self.size) + self.size)

    def _istft(self, channels: int) -> float:
        """Transform, window and overlap-add of every frame; then the division by the window's sum."""
        per_frame = fft_flops(self.size) + 2 * self.size
        return channels * self.load.batch * (self.stft_frames * per_frame + self.load.samples)

    def _add(self, op: Add) -> Both:
        size = self.bytes(op.out)
        flops = (len(op.sources) - 1) * size / self.item
        # Backward, every source is handed the same gradient: nothing is computed.
        return Both(Work(flops, (len(op.sources) + 1) * size, size))

    def _process(self, op: Process) -> Both:
        nodes, load = op.nodes, self.load
        code = self._code(nodes, load.samples, any(self.needs[name] for name in op.reads))
        return _both(code, *(self._reading(nodes, control, load.samples) for control in _ids(nodes)))

    def _mask(self, op: Mask) -> Both:
        nodes, size = (op.node,), self.bytes(op.out)
        gain = size / 2 / self.plan.channels[op.out]
        code = self._code(nodes, self.stft_frames, False)
        readings = [self._reading(nodes, control, self.stft_frames) for control in _ids(nodes)]
        forward = Work(size / self.item, 2 * size + gain, size)
        back = Work()
        if self.needs[op.source]:
            back += Work(size / self.item, 2 * size + gain, size)
        if self._wanted(nodes):
            back += Work(2 * size / self.item, 2 * size + gain, size + gain)
        return _both(code, Both(forward, back), *readings)

    def _code(self, nodes: Sequence[EffectNode], length: int, audio_gradient: bool) -> Both:
        """The effect's own code, on all nodes at once."""
        call = Call(
            rows=len(nodes) * self.load.batch,
            channels=nodes[0].channels,
            length=length,
            audio_gradient=audio_gradient,
            control_gradients=frozenset(self._wanted(nodes)),
            dtype=self.load.dtype,
        )
        return self.effects.of(self.plan.kernels[nodes[0].id], call)

    def _wanted(self, nodes: Sequence[EffectNode]) -> set[str]:
        """The controls that params reach."""
        return {
            control
            for node in nodes
            for control, binding in node.bindings.items()
            if not isinstance(binding, Constant)
        }

    def _reading(self, nodes: Sequence[EffectNode], control: str, length: int) -> Both:
        """Reading a control of some nodes at every sample or STFT frame; equal bindings are read once."""
        rate = next(declared.rate for declared in nodes[0].effect.controls if declared.id == control)
        places = {"sample": length, "frame": self.stft_frames, "clip": 0}[rate]
        distinct = len({node.bindings[control] for node in nodes})
        values = places * distinct * self.load.batch if self.load.frames > 1 else 0
        size = values * self.item
        back = Work(READ_BACK * values, size, 0) if control in self._wanted(nodes) else Work()
        return Both(Work(READ * values, size, size), back)

    def _region(self, op: Region) -> Both:
        load, item = self.load, self.item
        channels = self.plan.channels[op.writes[0]]
        audio = load.batch * channels * load.samples * item
        inlets, results = len(op.inlets), len(op.results)
        wanted = bool(self._wanted(list(op.nodes)))
        # Audio needs a gradient where it has one already, or where an effect before the transform has controls.
        back_to_audio = any(self.needs[name] for name in op.reads) or any(
            self._wanted(inlet.nodes) for inlet in op.inlets
        )
        parts = [*self._prologues(op), *self._gains(op)]
        forward_flops = self._stft(channels * inlets) + self._istft(channels * results)
        mixing, mixing_back = self._mixing(op, channels)
        back_flops = self._stft(channels * results) + results * audio / item + mixing_back
        back_flops += sum(part.forward.flops + part.backward.flops for part in parts)
        if wanted:
            back_flops += self._stft(channels * inlets)
        if back_to_audio:
            back_flops += self._istft(channels * inlets)
        working, working_back = self._working(op, channels)
        source_gradients = sum(self.needs[name] for name in op.reads)
        moved = (inlets + results) * audio
        return Both(
            Work(
                forward_flops + mixing + sum(part.forward.flops for part in parts),
                moved,
                results * audio + working,
            ),
            Work(back_flops, moved + 2 * source_gradients * audio, source_gradients * audio + working_back),
        )

    def _prologues(self, op: Region) -> list[Both]:
        """Effects before the transforms, and their controls."""
        parts = []
        alike = Counter(tuple(self.plan.kernels[node.id] for node in inlet.nodes) for inlet in op.inlets)
        for kernels in alike:
            inlets = [
                s for s in op.inlets if tuple(self.plan.kernels[node.id] for node in s.nodes) == kernels
            ]
            upstream = any(self.needs[inlet.source] for inlet in inlets)
            for nodes in zip(*(inlet.nodes for inlet in inlets)):
                parts.append(self._code(nodes, self.load.samples, upstream))
                parts += [self._reading(nodes, control, self.load.samples) for control in _ids(nodes)]
                upstream = upstream or bool(self._wanted(nodes))
        return parts

    def _gains(self, op: Region) -> list[Both]:
        """The masks' code, all nodes of one kernel at once."""
        groups: dict[str, list[EffectNode]] = {}
        for step in op.body:
            if isinstance(step, Mask):
                groups.setdefault(self.plan.kernels[step.node.id], []).append(step.node)
        parts = []
        for nodes in groups.values():
            parts.append(self._code(nodes, self.stft_frames, False))
            parts += [self._reading(nodes, control, self.stft_frames) for control in _ids(nodes)]
        return parts

    def _mixing(self, op: Region, channels: int) -> tuple[float, float]:
        """Flops of multiplying gains, scaling spectra with them and adding spectra, forward and backward."""
        bins = self.load.batch * self.stft_frames * self.bins
        readers = Counter(name for step in (*op.body, *op.results) for name in step.reads)
        masked = {step.out for step in op.body if isinstance(step, Mask) and readers[step.out] == 1}
        forward = backward = 0.0
        for step in op.body:
            if isinstance(step, Add):
                forward += 2 * channels * bins * (len(step.sources) - 1)
            elif step.source in masked:  # a further factor of the same gain
                forward += bins
                backward += 3 * bins
            else:
                forward += 2 * channels * bins
                backward += (2 + 4) * channels * bins
        return forward, backward

    def _working(self, op: Region, channels: int) -> tuple[float, float]:
        """Bytes that a region needs beside its results and gradients, forward and backward."""
        load, before = self.load, [inlet.nodes for inlet in op.inlets if inlet.nodes]
        scaled = sum(all(issubclass(node.effect, AmplitudeEffect) for node in nodes) for nodes in before)
        masks = [step.node for step in op.body if isinstance(step, Mask)]
        size = RegionLoad(
            strips=len(op.inlets),
            scaled=scaled,
            processed=len(before) - scaled,
            nodes=len(masks),
            tables=sum(not issubclass(node.effect, RatioEffect) for node in masks),
            results=len(op.results),
            channels=channels,
            transform=self.plan.graph.transform,
            batch=load.batch,
            frames=self.stft_frames,
            dtype=load.dtype,
            device=torch.device(load.device),
            frames_per_tile=load.frames_per_tile,
            simd=load.simd,
        )
        return choose(size).working_bytes(size)


def _both(first: Both, *others: Both) -> Both:
    """Parts of one operation: their work adds up, and what one holds is held while the others run."""
    parts = (first, *others)
    return Both(_together(part.forward for part in parts), _together(part.backward for part in parts))


def _together(parts: Iterable[Work]) -> Work:
    works = list(parts)
    return Work(
        sum(part.flops for part in works),
        sum(part.moved for part in works),
        sum(part.memory for part in works),
    )


def _ids(nodes: Sequence[EffectNode]) -> list[str]:
    return [control.id for control in nodes[0].effect.controls]
