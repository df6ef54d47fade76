"""What is legal in a plan, checked before and after every pass."""

from __future__ import annotations

from djgraph.compiler.plan import Add, Inverse, Mask, Op, Plan, Process, Region, Transform, is_spectrum
from djgraph.errors import CompileError


def verify(plan: Plan, stage: str) -> None:
    """Raises CompileError naming the stage, the operation and what is wrong with it.

    Every value is written once and before it is read; audio and spectra are not mixed; channels agree; rows of
    one call share their kernel; an output is audio.
    """
    written: set[str] = set()
    for index, op in enumerate(plan.ops):
        for name in op.reads:
            if name not in written:
                _fail(plan, stage, index, f"reads {name}, which nothing has written")
        for name in op.writes:
            if name in written:
                _fail(plan, stage, index, f"writes {name} a second time")
            if name not in plan.channels:
                _fail(plan, stage, index, f"writes {name}, whose channels are unknown")
            written.add(name)
        for fault in _faults(op, plan):
            _fail(plan, stage, index, fault)
        if plan.frees:
            written.difference_update(plan.frees[index])
    for name, value in plan.outputs.items():
        if value not in written:
            raise CompileError(f"after {stage}: output {name} is {value}, which nothing gives")
        if is_spectrum(value):
            raise CompileError(f"after {stage}: output {name} is a spectrum")


def _faults(op: Op, plan: Plan) -> list[str]:
    match op:
        case Process():
            faults = (
                []
                if len({plan.kernels[node.id] for node in op.nodes}) == 1
                else ["rows have different kernels"]
            )
            if len({node.channels for node in op.nodes}) != 1:
                faults.append("rows have different channels")
            if any(is_spectrum(name) for name in (*op.reads, *op.writes)):
                faults.append("a time effect touches a spectrum")
            return faults
        case Mask():
            return [] if is_spectrum(op.source) and is_spectrum(op.out) else ["a mask touches audio"]
        case Transform():
            return [] if is_spectrum(op.out) and not is_spectrum(op.source) else ["transforms the wrong way"]
        case Inverse():
            return [] if is_spectrum(op.source) and not is_spectrum(op.out) else ["inverts the wrong way"]
        case Add():
            kinds = {is_spectrum(name) for name in (*op.sources, op.out)}
            channels = {plan.channels[name] for name in (*op.sources, op.out)}
            faults = [] if len(kinds) == 1 else ["adds audio to a spectrum"]
            return faults + ([] if len(channels) == 1 else [f"adds signals of {sorted(channels)} channels"])
        case Region():
            return _region_faults(op, plan)
    return []


def _region_faults(op: Region, plan: Plan) -> list[str]:
    faults = []
    if len({plan.channels[name] for name in (*op.reads, *op.writes)}) != 1:
        faults.append("a region's signals differ in channels")
    written = {strip.out for strip in op.strips}
    for step in op.body:
        faults += [f"the region reads {name} too early" for name in step.reads if name not in written]
        written.update(step.writes)
    faults += [
        f"the region inverts {r.source}, which it lacks" for r in op.results if r.source not in written
    ]
    return faults


def _fail(plan: Plan, stage: str, index: int, fault: str) -> None:
    around = "\n".join(
        f"  {'→' if i == index else ' '} {i}: {type(op).__name__} {', '.join(op.writes)} ← {', '.join(op.reads)}"
        for i, op in enumerate(plan.ops)
        if abs(i - index) <= 2
    )
    raise CompileError(f"after {stage}: operation {index} {fault}\n{around}")
