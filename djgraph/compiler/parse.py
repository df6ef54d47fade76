"""Text of a plan → Plan: the inverse of ``str(plan)``, for tests, and for plans that are kept as text.

The text does not repeat what the graph says: an effect's node is known by the values that it gives, and what the
text says of its settings and controls has to agree with the graph. Counts in the text (``5 operations``,
``gain × 2``) are for readers, and are not read.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from djgraph.compiler.plan import (
    Add,
    Analyse,
    Delay,
    Feedback,
    Inlet,
    Load,
    Loop,
    Mask,
    Op,
    Plan,
    Process,
    Region,
    Silence,
    Synthesise,
    effect_text,
    is_spectrum,
    output_values,
    usual_kernels,
)
from djgraph.errors import CompileError
from djgraph.graph.ir import EffectNode, Graph

_TITLE = re.compile(r"(stream )?plan ([^:]+)(: .*)?")
_LATENCY = re.compile(r"(.*)  \(latency (\d+)\)")
_DELAYED = re.compile(r"(.*) delayed by (\d+)")
_FED_BACK = re.compile(r"(.*) fed back after (\d+)")
_HELD = re.compile(r"(\S+) held back by (\d+)")
_CALL = re.compile(r"\w+ × \d+")
_KERNEL = re.compile(r"kernel of (\S+) = (\S+)")
_OUTPUT = re.compile(r"output (.+) = (.+)")


def parse_plan(text: str, graph: Graph) -> Plan:
    """The plan of ``graph`` that is written there, indented by any number of spaces.

    Raises CompileError with the line where the text is no plan, or is one of another graph.
    """
    title, *lines = textwrap.dedent(text).strip("\n").splitlines() or [""]
    match = _TITLE.fullmatch(title)
    if match is None or match[2] != graph.name:
        raise CompileError(
            f"line 1: expected 'plan {graph.name}: …' or 'stream plan {graph.name}: …': {title}"
        )
    parser = _Parser(graph, stream=match[1] is not None)
    for number, item in _items(lines):
        try:
            parser.read(item)
        except ValueError as error:
            raise CompileError(f"line {number}: {error}: {item[0]}") from error
    return parser.plan()


def _items(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines of each item, with the number of its first; lines that belong to it are indented further."""
    item: list[str] = []
    start = 0
    for number, line in enumerate(lines, 2):
        if not line.startswith("    "):
            if item:
                yield start, item
            item, start = [], number
        item.append(line.strip())
    if item:
        yield start, item


@dataclass
class _Parser:
    graph: Graph
    stream: bool
    ops: list[Op] = field(default_factory=list)
    frees: list[tuple[str, ...]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    latencies: dict[str, int] = field(default_factory=dict)
    freed: bool = False

    def __post_init__(self) -> None:
        self.kernels = usual_kernels(self.graph)
        self.calls = {_outs(node): node for node in self.graph.nodes if isinstance(node, EffectNode)}

    def plan(self) -> Plan:
        return Plan(
            self.graph,
            tuple(self.ops),
            self.outputs,
            self.channels,
            self.kernels,
            tuple(self.frees) if self.freed else (),
            self.latencies if self.stream else None,
        )

    def read(self, item: list[str]) -> None:
        """One item of the plan: an operation with its rows, a kernel, an output."""
        head, *rows = item
        if head == "free nothing":
            self.freed = True
        elif match := _KERNEL.fullmatch(head):
            if match[1] not in self.kernels or match[2] not in self.kernels:
                raise ValueError("a kernel of nodes that the graph does not have")
            self.kernels[match[1]] = match[2]
        elif match := _OUTPUT.fullmatch(head):
            self.outputs[match[1]] = match[2]
        else:
            self._operation(head, rows)

    def _operation(self, head: str, rows: list[str]) -> None:
        latency = None
        if match := _LATENCY.fullmatch(head):
            head, latency = match[1], int(match[2])
        if (latency is not None) != self.stream:
            raise ValueError("every operation of a stream plan has a latency, and of no other plan")
        freed: tuple[str, ...] = ()
        if rows and rows[-1].startswith("free "):
            freed = _names(rows.pop().removeprefix("free "))
            self.freed = True
        op = self._op(head, rows)
        for name in op.reads:
            if name not in self.channels:
                raise ValueError(f"no operation before gives {name}")
        self.channels |= dict(_channels(op, self.channels, self.graph))
        self.ops.append(op)
        self.frees.append(freed)
        if latency is not None:
            self.latencies |= dict.fromkeys(op.writes, latency)

    def _op(self, head: str, rows: list[str]) -> Op:
        if " = " not in head and head.startswith("region"):
            return self._region(rows)
        if " = " not in head and head.startswith("loop"):
            return self._loop(rows)
        if _CALL.fullmatch(head):
            nodes, ins, outs = zip(*(self._call(*_sides(row)) for row in rows))
            return Process(nodes, ins, outs)
        if rows:
            raise ValueError("this operation has no rows of its own")
        return self._step(head)

    def _step(self, line: str) -> Op:
        """An operation of one line."""
        out, said = _sides(line)
        if out in self.calls:
            node, ins, _ = self._call(out, said)
            if not is_spectrum(out):
                raise ValueError(f"a time effect stands below a line '{node.effect.type} × 1'")
            (source,) = ins
            return Mask(source, out, node)
        if said in ("input", "silence"):
            if out not in self.graph.by_id:
                raise ValueError(f"the graph has no node {out}")
            return Load(out, out) if said == "input" else Silence(out)
        if match := _DELAYED.fullmatch(said):
            return Delay(match[1], out, int(match[2]))
        if is_spectrum(out) and said.startswith("stft("):
            return Analyse(_inside(said, "stft("), out)
        if said.startswith("istft(~"):
            return Synthesise(_inside(said, "istft("), out)
        return Add(tuple(said.split(" + ")), out)

    def _call(self, out: str, said: str) -> tuple[EffectNode, tuple[str, ...], tuple[str, ...]]:
        """A node with what it reads and gives."""
        if out not in self.calls:
            raise ValueError(f"no node of the graph gives {out}")
        node = self.calls[out]
        return node, _names(_inside(said, effect_text(node) + "(")), _names(out)

    def _region(self, rows: list[str]) -> Region:
        before: dict[str, tuple[EffectNode, str]] = {}
        inlets, body, results = [], [], []
        for row in rows:
            out, said = _sides(row)
            if out in self.calls and not is_spectrum(out):
                node, (source,), _ = self._call(out, said)
                before[out] = node, source
                continue
            match self._step(row):
                case Analyse() as step:
                    nodes, source = [], step.source
                    while source in before:
                        node, source = before.pop(source)
                        nodes.append(node)
                    inlets.append(Inlet(source, tuple(reversed(nodes)), step.out))
                case Mask() | Add() as step:
                    body.append(step)
                case Synthesise() as step:
                    results.append(step)
                case step:
                    raise ValueError(f"a region has no {type(step).__name__}, {row}")
        if before:
            raise ValueError(f"no transform of the region reads {', '.join(before)}")
        return Region(tuple(inlets), tuple(body), tuple(results))

    def _loop(self, rows: list[str]) -> Loop:
        ways: list[Feedback] = []
        body: list[Process | Add] = []
        results: tuple[str, ...] = ()
        held: list[tuple[str, int]] = []
        for row in rows:
            if row.startswith("gives "):
                results = _names(row.removeprefix("gives "))
                continue
            if match := _HELD.fullmatch(row):
                held.append((match[1], int(match[2])))
                continue
            out, said = _sides(row)
            if out in self.calls and not is_spectrum(out):
                node, ins, outs = self._call(out, said)
                body.append(Process((node,), (ins,), (outs,)))
            elif match := _FED_BACK.fullmatch(said):
                if out not in self.graph.by_id:
                    raise ValueError(f"the graph has no node {out}")
                ways.append(Feedback(match[1], out, int(match[2])))
            elif isinstance(step := self._step(row), Add):
                body.append(step)
            else:
                raise ValueError(f"a loop has no {type(step).__name__}, {row}")
        if not (ways or held) or not results:
            raise ValueError("in a loop something comes back, and it gives something")
        return Loop(tuple(ways), tuple(body), results, tuple(held))


def _channels(op: Op, known: dict[str, int], graph: Graph) -> Iterator[tuple[str, int]]:
    """The channels of each value that an operation writes or holds."""
    match op:
        case Load() | Silence():
            yield op.out, graph.by_id[op.out].channels
        case Process():
            for node, names in zip(op.nodes, op.outs):
                for port, name in zip(node.effect.outputs, names):
                    yield name, node.out_channels(port.name)
        case Loop():
            inside = dict(known)
            inside |= {way.out: graph.by_id[way.out].channels for way in op.ways}
            for effect in op.early:
                inside |= dict(_channels(effect, inside, graph))
            for step in op.body:
                inside |= dict(_channels(step, inside, graph))
            for name in op.values:
                yield name, inside[name]
        case Region():
            for name in op.values:
                yield name, known[op.inlets[0].source]
        case _:
            for name in op.writes:
                yield name, known[op.reads[0]]


def _outs(node: EffectNode) -> str:
    """What a node gives, as the text of a plan says it."""
    return f"~{node.id}" if node.domain == "spectral" else ", ".join(output_values(node))


def _sides(line: str) -> tuple[str, str]:
    out, equals, said = line.partition(" = ")
    if not equals:
        raise ValueError("expected 'value = …'")
    return out, said


def _inside(said: str, head: str) -> str:
    """What stands in the brackets of a call that begins with ``head``."""
    if not (said.startswith(head) and said.endswith(")")):
        raise ValueError(f"expected {head}…)")
    return said[len(head) : -1]


def _names(text: str) -> tuple[str, ...]:
    """Values between commas; a value may have brackets with commas of its own."""
    names, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            names.append(text[start:place].strip())
            start = place + 1
    return (*names, text[start:].strip()) if text else ()
