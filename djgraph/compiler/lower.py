"""Graph → Plan, one operation for each node: what the reference does, written down.

A signal is audio, a spectrum, or both to be added; sums add part by part, so that a run of spectral effects and
the sums between them has one transform at each end.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

from djgraph.compiler.plan import (
    Add,
    Analyse,
    Feedback,
    Load,
    Loop,
    Mask,
    Op,
    Plan,
    Process,
    Silence,
    Synthesise,
    output_values,
)
from djgraph.graph import loops
from djgraph.graph.ir import EffectNode, FeedbackNode, Graph, InputNode, Node, Point, SumNode


@dataclass(frozen=True)
class _Signal:
    audio: str | None
    spectrum: str | None


def lower(graph: Graph, outputs: Mapping[str, Point], kernels: Mapping[str, str]) -> Plan:
    """A plan that gives ``outputs`` (name → point), without any optimisation."""
    lowering = _Lowering(graph)
    for part in loops.parts(graph):
        if isinstance(part, loops.Loop):
            lowering.loop(part)
        else:
            lowering.node(part)
    results = {name: lowering.audio(point) for name, point in outputs.items()}
    read = {*results.values(), *(name for op in lowering.ops for name in op.reads)}
    ops = tuple(_giving(op, read) if isinstance(op, Loop) else op for op in lowering.ops)
    return Plan(graph, ops, results, lowering.channels, kernels)


def _giving(loop: Loop, read: Container[str]) -> Loop:
    """The loop with what is read of it as its results."""
    return replace(loop, results=tuple(name for name in loop.results if name in read) or loop.results[:1])


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

    def node(self, node: Node) -> None:
        if isinstance(node, InputNode):
            self.emit(Load(node.id, node.id), node.channels)
            self.signals[Point(node.id)] = _Signal(node.id, None)
        elif isinstance(node, EffectNode) and node.domain == "spectral":
            self.spectral(node)
        elif isinstance(node, EffectNode):
            self.time(node)
        elif isinstance(node, SumNode):
            self.sum(node.id, node.sources, node.channels)

    def loop(self, loop: loops.Loop) -> None:
        """A loop works on audio: what comes into it leaves the transform before."""
        outside = {point: _Signal(self.audio(point), None) for point in loop.outside}
        before = dict(self.signals)
        ops, self.ops = self.ops, []
        self.signals |= outside
        late = [way for way in loop.ways if way.samples]
        for way in late:
            self.channels[way.id] = way.channels
            self.signals[Point(way.id)] = _Signal(way.id, None)
        for effect in loop.held:
            for port in effect.effect.outputs:
                point = Point(effect.id, port.name)
                self.signals[point] = _Signal(str(point), None)
        for node in loop.nodes:
            if isinstance(node, FeedbackNode):
                if not node.samples:
                    self.sum(node.id, (node.source,), node.channels)
            else:
                self.node(node)
        body, self.ops = self.ops, ops
        ways = tuple(Feedback(self.audio(way.source), way.id, way.samples) for way in late)
        steps = tuple(op for op in body if isinstance(op, (Process, Add)))
        results = tuple(name for op in steps for name in op.writes)
        held = tuple((output_values(effect)[0], effect.held_back) for effect in loop.held)
        self.ops.append(Loop(ways, steps, results, held))
        self.signals |= {point: before[point] for point in outside}

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
