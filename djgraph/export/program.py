"""The plan of a stream and the courses of its controls as plain data, which a page's engine runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from djgraph.compiler.pipeline import stream_stages
from djgraph.compiler.plan import Add, Delay, Load, Loop, Op, Plan, Process, Silence
from djgraph.compiler.spread import Spread
from djgraph.controls.bank import ControlBank
from djgraph.controls.reader import smoothing_samples
from djgraph.errors import CompileError, InputError
from djgraph.graph.ir import Binding, Blend, Constant, EffectNode, Free, Graph, InputNode, MacroCurve
from djgraph.layout.grid import Grid
from djgraph.layout.units import units_of
from djgraph.mixer import Mixer
from djgraph.plugins import ExporterEntry, Registry
from djgraph.reading import read_text
from djgraph.text import one_line

SPREAD = Path(__file__).parent / "web" / "spread.js"
LARGEST_SCRIPT = 200_000
"""Bytes of an effect's JavaScript."""
Data = dict[str, Any]


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
) -> Program:
    """The program of a mixer that was compiled under the causal lowering.

    params: ``[frames, controls]``, the defaults where left out; positions: the sample of each frame, ascending; tempo:
    BPM, a number, or ``[1, frames]`` at the same samples, or at samples of its own.

    Raises CompileError that names all effects without an exporter, each with its node and place, and loops that close
    through an effect; InputError where effects follow a clock and there is no tempo.
    """
    compiled, graph = mixer.compiled, mixer.graph
    # Passes that stack equal effects would be of no use here.
    plan = stream_stages(compiled.graph, compiled.points(), compiled.kernels, compiled.lags, ("drop",))[
        -1
    ].plan
    assert plan.latencies is not None
    if graph.sources:
        names = ", ".join(f"{name} ({node.effect.type})" for name, node in graph.sources.items())
        raise CompileError(
            f"graph {graph.name} has inputs that sources play: {names}. A page plays stems as they are; "
            "take `source` away from these inputs"
        )
    if compiled.uses_clock and tempo is None:
        raise InputError(
            f"graph {graph.name} has effects that follow a clock: give its tempo, --tempo BPM, or an automation with a "
            "tempo"
        )
    writer = _Writer(mixer, plan, registry)
    ops = [writer.op(op, plan) for op in plan.ops if not isinstance(op, Load)]
    if writer.faults:
        raise CompileError(_no_exporters(graph, writer.faults))
    if params is None:
        params, positions = mixer.layout.default.reshape(1, -1), [0]
    places = [int(one) for one in (positions if positions is not None else range(len(params)))]
    rows = _rows(compiled.bank, compiled.graph, params, places)
    loads = {op.node: op.out for op in plan.ops if isinstance(op, Load)}
    nodes = [node for node in graph.nodes if isinstance(node, InputNode) and node.id in loads]
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
            }
            for node in nodes
        ],
        "outputs": [
            {"name": name.removeprefix("output "), "value": value, "channels": plan.channels[value]}
            for name, value in plan.outputs.items()
        ],
        "ops": ops,
        "settings": writer.settings,
        "rows": rows,
        "columns": len(graph.columns),
        "tempo": _tempo(tempo, places) if compiled.uses_clock else None,
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
                for name, _ in op.held:
                    node = next(
                        one.nodes[0] for one in op.body if isinstance(one, Process) and one.writes[0] == name
                    )
                    self.faults[node.id] = (
                        f"effect {node.effect.type} closes a loop by holding its signal back; give the send back a "
                        "`delay` of its own"
                    )
                return {
                    "kind": "loop",
                    "at": self._arrives(op),
                    "block": op.block,
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
        controls = [
            {
                "id": control.id,
                "row": self._bank.row(node, control),
                "smoothing": smoothing_samples(control, self._graph.sample_rate),
            }
            for control in node.effect.controls
        ]
        module = self._mixer.compiled.modules[node.id]
        return {
            "kind": "process",
            "node": node.id,
            "at": at,
            "exporter": exporter[0],
            "settings": exporter[1],
            "ins": [[port.name, name] for port, name in zip(node.effect.inputs, op.ins[0])],
            "outs": [[port.name, name] for port, name in zip(node.effect.outputs, op.outs[0])],
            "controls": controls,
            "clock": bool(module.uses_clock),
        }

    def _arrives(self, op: Op) -> int:
        """The latency of what an operation reads."""
        for name in op.reads:
            if name not in self._silent and name in self._latencies:
                return self._latencies[name]
        lag = 0
        if isinstance(op, Process):
            lag = max(self._mixer.compiled.lags[node.id].latency for node in op.nodes)
        return self._latencies[op.writes[0]] - lag

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


def _no_exporters(graph: Graph, faults: Mapping[str, str]) -> str:
    positions = {node.id: node.position for node in graph.nodes}
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


def _rows(bank: ControlBank, graph: Graph, params: torch.Tensor, places: Sequence[int]) -> list[Data]:
    """Every row of the bank: what it reads, and its course over the frames."""
    values = bank.rows(params.detach().cpu().float()[None])[:, 0].numpy()
    sources: dict[int, tuple[Binding, list[Grid], bool]] = {}
    columns = {column.name: index for index, column in enumerate(graph.columns)}
    held_columns = {column.name: column.control for column in graph.columns if column.control.held}
    for name, index in columns.items():
        sources[index] = Free(name), [], False
    for node in graph.nodes:
        if not isinstance(node, EffectNode):
            continue
        for control in node.effect.controls:
            row, binding = bank.row(node, control), node.bindings[control.id]
            column = held_columns.get(binding.column) if isinstance(binding, Free) else None
            held = control.held or column is not None
            grids = [units_of([one]).grid for one in dict.fromkeys((column or control, control)) if one.held]
            sources[row] = binding, grids if held else [], held
    rows = []
    for number in range(len(values)):
        if number not in sources:  # a curve that only a blend reads
            rows.append(_constant())
            continue
        binding, grids, held = sources[number]
        at, course = _course(values[number], places)
        rows.append(
            {
                "from": _source(binding, columns),
                "held": held or (number < len(columns) and graph.columns[number].control.held),
                "grids": [_grid(grid) for grid in grids],
                "at": at,
                "values": course,
            }
        )
    return rows


def _constant() -> Data:
    return {"from": {"value": 0}, "held": False, "grids": [], "at": [0], "values": [0]}


def _course(
    values: np.ndarray[Any, np.dtype[np.float32]], places: Sequence[int]
) -> tuple[list[int], list[float]]:
    """A row's frames without those that lie within a stretch of one value."""
    keep = np.ones(len(values), dtype=bool)
    if len(values) > 1:
        same = values[1:] == values[:-1]
        keep[1:-1] = ~(same[1:] & same[:-1])
        keep[-1] = not same[-1]
    chosen: list[int] = np.flatnonzero(keep).tolist()
    return [places[i] for i in chosen], [_short(values[i]) for i in chosen]


def _short(value: Any) -> float:
    """A single-precision number with as few digits as tell it from its neighbours."""
    return float(str(np.float32(value)))


def _source(binding: Binding, columns: Mapping[str, int]) -> Data:
    match binding:
        case Constant():
            return {"value": _short(binding.value)}
        case Free():
            return {"column": columns[binding.column]}
        case MacroCurve():
            return {"curve": _curve(binding, columns)}
        case Blend():
            return {"blend": [[_curve(curve, columns) for curve in term] for term in binding.terms]}
    raise TypeError(type(binding).__name__)


def _curve(curve: MacroCurve, columns: Mapping[str, int]) -> Data:
    return {"column": columns[curve.column], "points": [list(point) for point in curve.points]}


def _grid(grid: Grid) -> Data:
    if grid.stepped.numel():
        low, step, last, high = (float(one[0]) for one in (grid.low, grid.step, grid.last, grid.high))
        return {"low": low, "step": step, "last": last, "high": high}
    return {"values": grid.values[0].tolist(), "borders": grid.borders[0].tolist()}


def _tempo(
    tempo: float | torch.Tensor | tuple[torch.Tensor, torch.Tensor] | None, places: Sequence[int]
) -> Data:
    if isinstance(tempo, tuple):
        tempo, own = tempo
        places = own.tolist()
    if isinstance(tempo, torch.Tensor) and tempo.numel() > 1:
        return {"at": list(places), "values": [float(one) for one in tempo.reshape(-1)]}
    assert tempo is not None
    return {"at": [0], "values": [float(tempo)]}
