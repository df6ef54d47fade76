"""The plan of a stream as plain data, which a page's engine runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from djgraph.compiler.pipeline import stream_stages
from djgraph.compiler.plan import Add, Delay, Load, Loop, Op, Plan, Process, Silence
from djgraph.compiler.spread import Spread
from djgraph.controls.reader import smoothing_samples
from djgraph.effects import SourceEffect
from djgraph.errors import CompileError, InputError
from djgraph.export.courses import Data, rows_of, tempo_of
from djgraph.graph.ir import EffectNode, Graph, InputNode
from djgraph.mixer import Mixer
from djgraph.plugins import ExporterEntry, Registry
from djgraph.reading import read_text
from djgraph.text import one_line

SPREAD = Path(__file__).parent / "web" / "spread.js"
LARGEST_SCRIPT = 200_000
"""Bytes of an effect's JavaScript."""


class Anchors(Protocol):
    """Where a track's beats are, as :class:`djgraph.analysis.Grid` says it: beats and when they are, a beat that begins
    a bar, beats in a bar."""

    @property
    def beats(self) -> Sequence[float]: ...
    @property
    def seconds(self) -> Sequence[float]: ...
    @property
    def downbeat(self) -> int: ...
    @property
    def meter(self) -> int: ...


@dataclass(frozen=True)
class Program:
    """data: what the engine runs, as JSON holds it. scripts: the JavaScript of its effects, by their number in it.
    moving: the control columns that have more than one value, in order."""

    data: Data
    scripts: tuple[str, ...]
    moving: tuple[str, ...]


def program_of(
    mixer: Mixer,
    registry: Registry,
    params: torch.Tensor | None = None,
    positions: Sequence[int] | torch.Tensor | None = None,
    tempo: float | torch.Tensor | tuple[torch.Tensor, torch.Tensor] | None = None,
    grids: Mapping[str, Anchors] | None = None,
) -> Program:
    """The program of a mixer that was compiled under the causal lowering.

    params: ``[frames, controls]``, the defaults where left out; positions: the sample of each frame, ascending; tempo:
    BPM, a number, or ``[1, frames]`` at the same samples, or at samples of its own. grids: of the tracks that sources
    play, by input, as far as known.

    Raises CompileError that names all effects without an exporter, each with its node and place, and loops that close
    through an effect; InputError where effects follow a clock and there is no tempo, or no grid of what they play.
    """
    compiled, graph = mixer.compiled, mixer.graph
    # Passes that stack equal effects would be of no use here.
    plan = stream_stages(compiled.graph, compiled.points(), compiled.kernels, compiled.lags, ("drop",))[
        -1
    ].plan
    assert plan.latencies is not None
    if compiled.uses_clock and tempo is None:
        raise InputError(
            f"graph {graph.name} has effects that follow a clock: give its tempo, --tempo BPM, or an automation with a "
            "tempo"
        )
    writer = _Writer(mixer, plan, registry)
    loads = {op.node: op.out for op in plan.ops if isinstance(op, Load)}
    nodes = [node for node in graph.nodes if isinstance(node, InputNode) and node.id in loads]
    ops = [writer.op(op, plan) for op in plan.ops if not isinstance(op, Load)]
    played = [name for name in graph.sources if any(node.input == name for node in nodes)]
    sources = [writer.source(name, nodes, (grids or {}).get(name)) for name in played]
    if writer.faults:
        raise CompileError(_no_exporters(graph, writer.faults))
    if params is None:
        params, positions = mixer.layout.default.reshape(1, -1), [0]
    places = [int(one) for one in (positions if positions is not None else range(len(params)))]
    rows = rows_of(compiled.bank, compiled.graph, params, places)
    data = {
        "rate": graph.sample_rate,
        "latency": plan.latency or 0,
        "channels": dict(plan.channels),
        "inputs": [
            {
                "value": loads[node.id],
                "input": node.input,
                "stem": node.stem,
                "channels": node.channels,
                "optional": node.optional,
                "source": played.index(node.input) if node.input in played else None,
            }
            for node in nodes
        ],
        "sources": sources,
        "outputs": [
            {"name": name.removeprefix("output "), "value": value, "channels": plan.channels[value]}
            for name, value in plan.outputs.items()
        ],
        "ops": ops,
        "settings": writer.settings,
        "rows": rows,
        "columns": len(graph.columns),
        "tempo": tempo_of(tempo, places) if compiled.uses_clock else None,
    }
    values = params.detach()
    changes = (values != values[0]).any(0).tolist()
    return Program(
        data, tuple(writer.scripts), tuple(column.name for column, one in zip(graph.columns, changes) if one)
    )


class _Writer:
    """Operations as data, with the scripts and settings that they need, each once."""

    def __init__(self, mixer: Mixer, plan: Plan, registry: Registry) -> None:
        self._mixer, self._graph, self._registry = mixer, mixer.graph, registry
        self._bank, self._latencies = mixer.compiled.bank, plan.latencies or {}
        self._silent = plan.silent
        self.faults: dict[str, str] = {}
        self.scripts: list[str] = []
        self.settings: list[Any] = []
        self._numbers: dict[Path, int] = {}
        self._told: dict[str, int] = {}

    def op(self, op: Op, plan: Plan) -> Data:
        match op:
            case Process():
                return self._process(op, self._arrives(op))
            case Add():
                return {"kind": "add", "out": op.out, "sources": list(op.sources)}
            case Silence():
                return {"kind": "silence", "out": op.out}
            case Delay():
                return {"kind": "delay", "out": op.out, "source": op.source, "samples": op.samples}
            case Loop():
                held = [node for one in op.early for node in one.nodes]
                for node in held:
                    if not self._early(node):
                        self.faults[node.id] = (
                            f"effect {node.effect.type} closes a loop by holding its signal back, and its exporter has "
                            "no `early`; give the send back a `delay` of its own"
                        )
                return {
                    "kind": "loop",
                    "at": self._arrives(op),
                    "block": op.block,
                    "held": [node.id for node in held],
                    "ways": [
                        {"source": way.source, "out": way.out, "samples": way.samples} for way in op.ways
                    ],
                    "body": [
                        self._process(one, 0) if isinstance(one, Process) else self.op(one, plan)
                        for one in op.body
                    ],
                }
        raise TypeError(f"{type(op).__name__} in the plan of a causal stream")

    def _process(self, op: Process, at: int) -> Data:
        """at: the latency of what it reads; of what is in a loop, the loop's counts."""
        (node,) = op.nodes
        exporter = self._exporter(node)
        module = self._mixer.compiled.modules[node.id]
        return {
            "kind": "process",
            "node": node.id,
            "at": at,
            "exporter": exporter[0],
            "settings": exporter[1],
            "ins": [[port.name, name] for port, name in zip(node.effect.inputs, op.ins[0])],
            "outs": [[port.name, name] for port, name in zip(node.effect.outputs, op.outs[0])],
            "controls": self._controls(node),
            "clock": bool(module.uses_clock),
        }

    def source(self, name: str, nodes: Sequence[InputNode], grid: Anchors | None) -> Data:
        """What plays an input, of the nodes of all inputs."""
        node = self._graph.sources[name]
        module = self._mixer.compiled.modules[node.id]
        assert isinstance(module, SourceEffect)
        if module.needs_beats and grid is None:
            raise InputError(
                f"{name} is played by {node.effect.type} in time with the clock, and a page knows no beats but those "
                "of the tracks that it brings: give them, -i, or take `sync: off`"
            )
        exporter = self._exporter(node)
        return {
            "exporter": exporter[0],
            "settings": exporter[1],
            "stems": [number for number, one in enumerate(nodes) if one.input == name],
            "controls": self._controls(node),
            "clock": bool(module.uses_clock),
            "beats": None if grid is None else _anchors(grid),
        }

    def _controls(self, node: EffectNode) -> list[Data]:
        """What a node reads: of each control its row, and over how many samples its corners are rounded."""
        return [
            {
                "id": control.id,
                "row": self._bank.row(node, control),
                "smoothing": smoothing_samples(control, self._graph.sample_rate),
            }
            for control in node.effect.controls
        ]

    def _arrives(self, op: Op) -> int:
        """The latency of what an operation reads."""
        for name in op.reads:
            if name not in self._silent and name in self._latencies:
                return self._latencies[name]
        lag = 0
        if isinstance(op, Process):
            lag = max(self._mixer.compiled.lags[node.id].latency for node in op.nodes)
        return self._latencies[op.writes[0]] - lag

    def _early(self, node: EffectNode) -> bool:
        declared = self._graph.by_id[node.id]
        assert isinstance(declared, EffectNode)
        entry = self._registry.exporters.get(declared.effect.type)
        return entry is None or entry.exporter.early  # without any it is told that there is none

    def _exporter(self, node: EffectNode) -> tuple[int, int]:
        """The number of a node's script and of what it is told."""
        module = self._mixer.compiled.modules[node.id]
        if node.effect is Spread:
            return self._script(SPREAD), self._settings({})
        declared = self._graph.by_id[node.id]
        assert isinstance(declared, EffectNode)
        name = declared.effect.type
        entry: ExporterEntry | None = self._registry.exporters.get(name)
        if entry is None:
            self.faults[node.id] = f"effect {name} has no exporter"
            return 0, 0
        exporter = entry.exporter
        rates = {control.rate for control in node.effect.controls} - {"sample", "clip"}
        fault = "its controls come by the frame" if rates else None
        try:
            if fault is None and exporter.fault is not None:
                fault = exporter.fault(module, node.channels)
            if fault is None:
                given = (
                    node.settings.model_dump(mode="json")
                    if exporter.settings is None
                    else exporter.settings(module, node.channels)
                )
                return self._script(Path(exporter.script)), self._settings(given)
        except Exception as error:  # a stranger's code
            fault = f"its exporter failed: {type(error).__name__}: {one_line(str(error))}"
        self.faults[node.id] = f"effect {name}: {fault}"
        return 0, 0

    def _script(self, path: Path) -> int:
        if path not in self._numbers:
            self._numbers[path] = len(self.scripts)
            self.scripts.append(read_text(path, CompileError, LARGEST_SCRIPT))
        return self._numbers[path]

    def _settings(self, given: Mapping[str, Any]) -> int:
        told = json.dumps(given, allow_nan=False)
        if told not in self._told:
            self._told[told] = len(self.settings)
            self.settings.append(given)
        return self._told[told]


def _anchors(grid: Anchors) -> Data:
    return {
        "beats": list(grid.beats),
        "seconds": list(grid.seconds),
        "downbeat": grid.downbeat,
        "meter": grid.meter,
    }


def _no_exporters(graph: Graph, faults: Mapping[str, str]) -> str:
    positions = {id: node.position for id, node in graph.by_id.items()}
    lines = [
        f"  {name}{f' ({position})' if (position := positions.get(name)) else ''}: {fault}"
        for name, fault in faults.items()
    ]
    return (
        f"graph {graph.name} cannot be a web page, which needs JavaScript for every effect:\n"
        + "\n".join(lines)
        + "\n  what can be done: take these effects away, put others in their places (docs/export.md lists those that "
        "have an exporter), or write one (docs/plugins.md, djgraph_exporters)"
    )
