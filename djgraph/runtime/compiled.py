"""A compiled graph: what a mixer, its streams, explain and profile share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from djgraph.compiler.pipeline import Stage, stages, stream_stages
from djgraph.compiler.plan import Lag, Plan
from djgraph.controls.bank import ControlBank
from djgraph.effects import Effect
from djgraph.graph.ir import Graph, Point
from djgraph.layout import ParameterLayout
from djgraph.runtime.identity import graph_identity
from djgraph.runtime.lags import lags


@dataclass(frozen=True)
class Options:
    """How a plan is run, which changes nothing but the time that it takes; see :func:`djgraph.compile`."""

    simd: bool = True
    frames_per_tile: int | None = None


@dataclass(frozen=True, eq=False)
class Compiled:
    """A graph with all that is made of it before the first sample.

    outputs: those that are computed. passes: names of the passes that run. modules: the effect of each node; nodes
    of one kind share one. bank: the rows of control values that nodes read.
    """

    graph: Graph
    layout: ParameterLayout
    outputs: Mapping[str, Point]
    passes: tuple[str, ...]
    modules: Mapping[str, Effect]
    options: Options

    bank: ControlBank = field(init=False)
    identity: str = field(init=False)
    kernels: Mapping[str, str] = field(init=False)
    uses_clock: bool = field(init=False)

    def __post_init__(self) -> None:
        # At once, not when first asked for: torch.compile cannot follow the lock of a cached property.
        first: dict[int, str] = {}
        played = {node.id for node in self.graph.sources.values()}
        kernels = {
            node: first.setdefault(id(module), node)
            for node, module in self.modules.items()
            if node not in played
        }
        derived = {
            "bank": ControlBank(self.graph),
            "identity": graph_identity(self.graph),
            "kernels": kernels,
            "uses_clock": any(module.uses_clock for module in self.modules.values()),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def points(self, taps: bool = False) -> dict[str, Point]:
        """What a plan gives, by name: ``output NAME``, and with taps ``tap NAME``."""
        named = {"output " + name: point for name, point in self.outputs.items()}
        if taps:
            named |= {"tap " + name: point for name, point in self.graph.taps.items()}
        return named

    @cached_property
    def lags(self) -> Mapping[str, Lag]:
        """By node, what it does to time in a stream."""
        return lags(self.graph, self.modules)

    def stages(self, taps: bool = False, stream: bool = False) -> list[Stage]:
        """The plan after lowering and after each pass; the last one runs, or, with ``stream``, is run by a stream."""
        if stream:
            return stream_stages(self.graph, self.points(taps), self.kernels, self.lags, self.passes)
        return stages(self.graph, self.points(taps), self.kernels, self.passes)

    def plan(self, taps: bool = False) -> Plan:
        """The plan that runs."""
        return self.stages(taps)[-1].plan
