"""Graph → Plan, one operation for each node: what the reference does, written down.

A signal is audio, a spectrum, or both to be added; sums add part by part, so that a run of spectral effects and
the sums between them has one transform at each end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from djgraph.compiler.plan import Add, Analyse, Load, Mask, Op, Plan, Process, Silence, Synthesise
from djgraph.graph.ir import EffectNode, Graph, InputNode, Point


@dataclass(frozen=True)
class _Signal:
    audio: str | None
    spectrum: str | None


def lower(graph: Graph, outputs: Mapping[str, Point], kernels: Mapping[str, str]) -> Plan:
    """A plan that gives ``outputs`` (name → point), without any optimisation."""
    lowering = _Lowering(graph)
    for node in graph.nodes:
        if isinstance(node, InputNode):
            lowering.emit(Load(node.id, node.id), node.channels)
            lowering.signals[Point(node.id)] = _Signal(node.id, None)
        elif isinstance(node, EffectNode) and node.domain == "spectral":
            lowering.spectral(node)
        elif isinstance(node, EffectNode):
            lowering.time(node)
        else:
            lowering.sum(node.id, node.sources, node.channels)
    results = {name: lowering.audio(point) for name, point in outputs.items()}
    return Plan(graph, tuple(lowering.ops), results, lowering.channels, kernels)


class _Lowering:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ops: list[Op] = []
        self.signals: dict[Point, _Signal] = {}
        self.channels: dict[str, int] = {}

    def emit(self, op: Op, channels: int) -> str:
        self.ops.append(op)
        for name in op.writes:
            self.channels[name] = channels
        return op.writes[0]

    def audio(self, point: Point) -> str:
        signal = self.signals[point]
        if signal.spectrum is None:
            assert signal.audio is not None
            return signal.audio
        channels = self.channels[signal.spectrum]
        name = self._fresh(f"istft({signal.spectrum[1:]})")
        audio = self.emit(Synthesise(signal.spectrum, name), channels)
        if signal.audio is None:
            return audio
        return self.emit(Add((signal.audio, audio), self._fresh(f"whole({point})")), channels)

    def spectrum(self, point: Point) -> str:
        signal = self.signals[point]
        if signal.audio is None:
            assert signal.spectrum is not None
            return signal.spectrum
        channels = self.channels[signal.audio]
        spectrum = self.emit(Analyse(signal.audio, self._fresh(f"~stft({signal.audio})")), channels)
        if signal.spectrum is None:
            return spectrum
        return self.emit(Add((signal.spectrum, spectrum), self._fresh(f"~whole({point})")), channels)

    def spectral(self, node: EffectNode) -> None:
        source = self.spectrum(next(iter(node.sources.values())))
        out = self.emit(Mask(source, f"~{node.id}", node), node.channels)
        self.signals[Point(node.id, node.effect.outputs[0].name)] = _Signal(None, out)

    def time(self, node: EffectNode) -> None:
        ins = tuple(self.audio(node.sources[port.name]) for port in node.effect.inputs)
        points = [Point(node.id, port.name) for port in node.effect.outputs]
        self.emit(Process((node,), (ins,), (tuple(str(point) for point in points),)), node.channels)
        for point in points:
            self.channels[str(point)] = node.out_channels(point.port)
            self.signals[point] = _Signal(str(point), None)

    def sum(self, node: str, sources: tuple[Point, ...], channels: int) -> None:
        parts = [self.signals[point] for point in sources]
        audio = tuple(part.audio for part in parts if part.audio is not None)
        spectra = tuple(part.spectrum for part in parts if part.spectrum is not None)
        if not parts:
            self.emit(Silence(node), channels)
            self.signals[Point(node)] = _Signal(node, None)
            return
        self.signals[Point(node)] = _Signal(
            self.emit(Add(audio, node), channels) if audio else None,
            self.emit(Add(spectra, f"~{node}"), channels) if spectra else None,
        )

    def _fresh(self, name: str) -> str:
        """Each border has a transform of its own here; sharing them is a pass's work."""
        if name not in self.channels:
            return name
        count = 2
        while f"{name}#{count}" in self.channels:
            count += 1
        return f"{name}#{count}"
