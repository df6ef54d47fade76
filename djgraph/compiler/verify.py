"""What is legal in a plan: a table of rules, and the passes between which each holds. Read before and after passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from djgraph.compiler.plan import (
    Add,
    Analyse,
    Delay,
    Loop,
    Mask,
    Plan,
    Process,
    Region,
    Synthesise,
    is_memoryless,
    is_spectrum,
)
from djgraph.errors import CompileError

Fault = tuple[int | None, str]
"""The operation's index, or None where it is no single one's, and what is wrong."""


@dataclass(frozen=True)
class Rule:
    """since: the pass after which it holds, from the beginning where None; until: the pass that ends it."""

    says: str
    faults: Callable[[Plan], Iterator[Fault]]
    since: str | None = None
    until: str | None = None

    def holds(self, done: Iterable[str]) -> bool:
        """Whether it holds once these passes have run."""
        passed = frozenset(done)
        return (self.since is None or self.since in passed) and self.until not in passed


def verify(plan: Plan, stage: str, before: Iterable[str] = ()) -> None:
    """Raises CompileError naming the stage, the operation and what is wrong with it.

    stage: the pass that has just run, or ``lower``; before: the passes that ran before it. Together they say
    which of :data:`RULES` hold.
    """
    done = {stage, *before}
    for rule in RULES:
        if rule.holds(done):
            for index, fault in rule.faults(plan):
                raise CompileError(
                    f"after {stage}: {_place(index, fault)} ({rule.says}){_around(plan, index)}"
                )


def _order(plan: Plan) -> Iterator[Fault]:
    written: set[str] = set()
    for index, op in enumerate(plan.ops):
        for name in op.reads:
            if name not in written:
                yield index, f"reads {name}, which nothing has written"
        for name in op.writes:
            if name in written:
                yield index, f"writes {name} a second time"
            if name not in plan.channels:
                yield index, f"writes {name}, whose channels are unknown"
            written.add(name)


def _outputs(plan: Plan) -> Iterator[Fault]:
    written = {name for op in plan.ops for name in op.writes}
    for name, value in plan.outputs.items():
        if value not in written:
            yield None, f"output {name} is {value}, which nothing gives"
        if is_spectrum(value):
            yield None, f"output {name} is a spectrum"


def _kinds(plan: Plan) -> Iterator[Fault]:
    for index, op in enumerate(plan.ops):
        read = {is_spectrum(name) for name in op.reads}
        written = {is_spectrum(name) for name in op.writes}
        match op:
            case Mask() if read | written != {True}:
                yield index, "is a mask that touches audio"
            case Analyse() if (read, written) != ({False}, {True}):
                yield index, "transforms the wrong way"
            case Synthesise() if (read, written) != ({True}, {False}):
                yield index, "inverts the wrong way"
            case Add() if len(read | written) != 1:
                yield index, "adds audio to a spectrum"
            case Process() | Region() | Loop() | Delay() if True in read | written:
                yield index, "touches a spectrum, but works on audio"


def _channels(plan: Plan) -> Iterator[Fault]:
    for index, op in enumerate(plan.ops):
        if isinstance(op, (Add, Region, Mask, Analyse, Synthesise, Delay)):
            counts = {plan.channels[name] for name in (*op.reads, *op.writes)}
            if len(counts) > 1:
                yield index, f"joins signals of {' and '.join(map(str, sorted(counts)))} channels"


def _rows(plan: Plan) -> Iterator[Fault]:
    for index, op in enumerate(plan.ops):
        if isinstance(op, Process):
            if len({plan.kernels[node.id] for node in op.nodes}) != 1:
                yield index, "has rows with different kernels"
            read = {tuple(plan.channels.get(name) for name in row) for row in op.ins}
            if len({node.channels for node in op.nodes}) != 1 or len(read) != 1:
                yield index, "has rows with different channels"


def _regions(plan: Plan) -> Iterator[Fault]:
    for index, op in enumerate(plan.ops):
        if not isinstance(op, Region):
            continue
        written: set[str] = set()
        for name in (inlet.out for inlet in op.inlets):
            if name in written:
                yield index, f"is a region that writes {name} twice"
            written.add(name)
        for step in op.body:
            for name in step.reads:
                if name not in written:
                    yield index, f"is a region that reads {name} too early"
            if step.out in written:
                yield index, f"is a region that writes {step.out} twice"
            written.add(step.out)
        for result in op.results:
            if result.source not in written:
                yield index, f"is a region that inverts {result.source}, which it lacks"
        for node in (node for inlet in op.inlets for node in inlet.nodes):
            if not is_memoryless(node):
                yield index, f"is a region that begins with {node.id}, which is not memoryless"


def _loops(plan: Plan) -> Iterator[Fault]:
    for index, op in enumerate(plan.ops):
        if not isinstance(op, Loop):
            continue
        made = {name for step in op.body for name in step.writes}
        early = {name for step in op.early for name in step.writes}
        written = {*op.reads, *(way.out for way in op.ways), *early}
        for step in op.body:
            for name in step.reads:
                if name not in written:
                    yield index, f"is a loop that reads {name} too early"
            for name in step.writes:
                if name in written - early:
                    yield index, f"is a loop that writes {name} twice"
            written |= set(step.writes)
            early -= set(step.writes)
            counts = {plan.channels[name] for name in (*step.reads, *step.writes)}
            if isinstance(step, Add) and len(counts) > 1:
                yield (
                    index,
                    f"is a loop that adds signals of {' and '.join(map(str, sorted(counts)))} channels",
                )
        for way in op.ways:
            if way.source not in made:
                yield index, f"is a loop in which {way.source} comes back, which it does not make"
            elif plan.channels[way.source] != plan.channels[way.out]:
                yield index, f"is a loop in which {way.source} comes back with other channels"
            if way.samples < 1:
                yield index, f"is a loop in which {way.source} comes back after {way.samples} samples"
        for name in op.results:
            if name not in made:
                yield index, f"is a loop that gives {name}, which it does not make"
        for name, samples in op.held:
            if name not in made or samples < 1:
                yield index, f"is a loop in which {name} is held back by {samples}"
        if not op.ways and not op.held:
            yield index, "is a loop in which nothing comes back"


def _none(*kinds: type) -> Callable[[Plan], Iterator[Fault]]:
    def faults(plan: Plan) -> Iterator[Fault]:
        for index, op in enumerate(plan.ops):
            if isinstance(op, kinds):
                yield index, f"is of type {type(op).__name__}"

    return faults


def _no_spectra(plan: Plan) -> Iterator[Fault]:
    for index, op in enumerate(plan.ops):
        if any(map(is_spectrum, (*op.reads, *op.writes))):
            yield index, f"is a {type(op).__name__} of spectra"


def _one_row(plan: Plan) -> Iterator[Fault]:
    for index, op in enumerate(plan.ops):
        if isinstance(op, Process) and len(op.nodes) != 1:
            yield index, f"has {len(op.nodes)} rows"


def _no_frees(plan: Plan) -> Iterator[Fault]:
    if plan.frees:
        yield None, "values are freed"


def _frees(plan: Plan) -> Iterator[Fault]:
    if len(plan.frees) != len(plan.ops):
        yield None, f"there are frees for {len(plan.frees)} operations of {len(plan.ops)}"
        return
    gone: set[str] = set()
    for index, (op, frees) in enumerate(zip(plan.ops, plan.frees)):
        for name in op.reads:
            if name in gone:
                yield index, f"reads {name}, which is freed already"
        for name in frees:
            if name in gone:
                yield index, f"frees {name} a second time"
            if name in plan.outputs.values():
                yield index, f"frees {name}, which is an output"
            gone.add(name)
    written = {name for op in plan.ops for name in op.writes}
    for name in sorted(written.difference(gone, plan.outputs.values())):
        yield None, f"{name} is never freed"
    for name in sorted(gone - written):
        yield None, f"{name} is freed, but never written"


def _no_latencies(plan: Plan) -> Iterator[Fault]:
    if plan.latencies is not None:
        yield None, "latencies are known"


def _latencies(plan: Plan) -> Iterator[Fault]:
    known = plan.latencies
    if known is None:
        yield None, "no latency is known"
        return
    written = {name for op in plan.ops for name in op.writes}
    if written != known.keys():
        yield None, f"latencies are of other values than those written: {sorted(written ^ known.keys())}"
        return
    silent = plan.silent
    for index, op in enumerate(plan.ops):
        came = {known[name] for name in op.reads if name not in silent}
        left = {known[name] for name in op.writes}
        if len(came) > 1:
            yield index, f"reads signals of latencies {', '.join(map(str, sorted(came)))}"
        if len(left) > 1:
            yield index, f"writes signals of latencies {', '.join(map(str, sorted(left)))}"
        least = max(came, default=0) + _least_latency(op, plan)
        exact = isinstance(op, (Add, Delay))
        if any(latency < least or (exact and latency != least) for latency in left):
            yield index, f"writes at latency {min(left)} instead of {least}{'' if exact else ' at least'}"
        if isinstance(op, Delay) and op.samples < 1:
            yield index, f"delays by {op.samples}"


def _least_latency(op: object, plan: Plan) -> int:
    """By how much an operation's outputs lag its inputs at least. Only effects and their curves may add to it."""
    if isinstance(op, Delay):
        return op.samples
    return plan.graph.transform.size - 1 if isinstance(op, Region) else 0


def _joint_latency(plan: Plan) -> Iterator[Fault]:
    known, silent = plan.latencies or {}, plan.silent
    latencies = {known.get(value, 0) for value in plan.outputs.values() if value not in silent}
    if len(latencies) > 1:
        yield None, f"outputs have latencies {', '.join(map(str, sorted(latencies)))}"


RULES = (
    Rule("each value is written once, and before it is read", _order),
    Rule("outputs are audio that an operation gives", _outputs),
    Rule("audio and spectra are not mixed", _kinds),
    Rule("signals that meet have equally many channels", _channels),
    Rule("rows of one call share their kernel", _rows),
    Rule("a region is a plan of its own, behind memoryless effects of one input and one output", _regions),
    Rule("a loop is a plan of its own, in which something comes back", _loops),
    Rule("regions are made by fuse", _none(Region), until="fuse"),
    Rule("after fuse, spectra are inside regions", _none(Mask, Analyse, Synthesise), since="fuse"),
    Rule("after fuse, spectra are inside regions", _no_spectra, since="fuse"),
    Rule("calls are of one row until group", _one_row, until="group"),
    Rule("nothing is freed before free", _no_frees, until="free"),
    Rule("after free, what is no output is freed once, after its last use", _frees, since="free"),
    Rule("delays are for streams, made by align", _none(Delay), until="align"),
    Rule("latencies are of streams, found by align", _no_latencies, until="align"),
    Rule("after align, what an operation reads is of one latency", _latencies, since="align"),
    Rule("after align, a stream has one latency", _joint_latency, since="align"),
)
"""What is legal, and from which pass to which. A plan that breaks a rule is a fault of the pass that made it."""


def _place(index: int | None, fault: str) -> str:
    return fault if index is None else f"operation {index} {fault}"


def _around(plan: Plan, index: int | None) -> str:
    """The operations around one."""
    if index is None:
        return ""
    return "".join(
        f"\n  {'→' if i == index else ' '} {i}: {type(op).__name__} {', '.join(op.writes)} ← {', '.join(op.reads)}"
        for i, op in enumerate(plan.ops)
        if abs(i - index) <= 2
    )
