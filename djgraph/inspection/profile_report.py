"""What a plan took, and how that is told: as a table, as data, and as a trace for a browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from djgraph.inspection.costs import OpCost, PlanCost, SourceCost
from djgraph.inspection.effect_costs import Work
from djgraph.inspection.explain import align, describe, operation_dict, short, source_dict, workload_dict

WIDEST_VALUE = 24
TRACKS = {"forward": 1, "backward": 2}


@dataclass(frozen=True)
class Measured:
    """One operation, one way.

    start: seconds since the pass began. seconds: how long it took. memory: the most bytes it held at a time
    beyond what was there when it began.
    """

    start: float
    seconds: float
    memory: int


@dataclass(frozen=True)
class MeasuredOperation:
    """One operation of the plan beside its estimate; backward is None where no gradient passed."""

    estimate: OpCost
    forward: Measured
    backward: Measured | None


@dataclass(frozen=True)
class MeasuredSource:
    """What plays an input, before the plan, beside its estimate; backward is None where no gradient passed."""

    estimate: SourceCost
    forward: Measured
    backward: Measured | None

    @property
    def input(self) -> str:
        """The input's name."""
        return self.estimate.input

    @property
    def effect(self) -> str:
        """What kind of effect plays it."""
        return self.estimate.effect


@dataclass(frozen=True)
class Profile:
    """What a plan took. The times are those of one run, the median of ``repeats`` by its total.

    sources: what plays inputs. forward_seconds, backward_seconds: whole passes; what they have beyond their operations
    and sources is checks, the reading of params, the loss, and PyTorch's own. forward_peak, backward_peak: the most
    bytes held at a time, without the caller's audio and params.
    """

    graph: str
    sample_rate: int
    device: str
    threads: int
    repeats: int
    estimate: PlanCost
    operations: tuple[MeasuredOperation, ...]
    forward_seconds: float
    backward_seconds: float | None
    forward_peak: int
    backward_peak: int | None
    sources: tuple[MeasuredSource, ...] = ()

    def __str__(self) -> str:
        """A table, one line for each operation."""
        return profile_table(self)

    def to_dict(self) -> dict[str, Any]:
        """The same as data, for JSON: seconds, bytes, flops."""
        return profile_dict(self)

    def chrome_trace(self) -> dict[str, Any]:
        """The same as a trace for chrome://tracing and Perfetto: one track forward, one backward."""
        return profile_trace(self)


def profile_table(profile: Profile) -> str:
    """One line for each operation, at most 120 characters wide; inputs in a row share a line.

    ``est`` is the estimate of the column before it; memory in MB (10⁶ bytes) beyond what was there.
    """
    header = ["#", "operation", "gives", "ms", "Gflop/s", "MB", "est", "back ms", "Gflop/s", "MB", "est"]
    rows = [_source_row(one) for one in profile.sources]
    for _, group in groupby(profile.operations, key=_line):
        rows.append(_row(list(group)))
    parts: tuple[MeasuredSource | MeasuredOperation, ...] = (*profile.sources, *profile.operations)
    forward = sum(part.forward.seconds for part in parts)
    backward = sum(part.backward.seconds for part in parts if part.backward is not None)
    elsewhere = ["", "elsewhere", "", _ms(max(profile.forward_seconds - forward, 0.0)), "", "", ""]
    total = ["", "total", "", _ms(profile.forward_seconds)]
    total += [_rate(profile.estimate.forward.flops, profile.forward_seconds)]
    # What a backward pass will need stays alive, which the estimate leaves out.
    estimated = _megabytes(profile.estimate.peak) if profile.backward_seconds is None else ""
    total += [_megabytes(profile.forward_peak), estimated]
    if profile.backward_seconds is None:
        header = header[:7]
        rows = [row[:7] for row in rows]
    else:
        elsewhere += [_ms(max(profile.backward_seconds - backward, 0.0)), "", "", ""]
        total += [_ms(profile.backward_seconds)]
        total += [_rate(profile.estimate.backward.flops, profile.backward_seconds)]
        total += [_megabytes(profile.backward_peak or 0), ""]
    return f"{_head(profile)}\n\n{align(header, [*rows, elsewhere, total], left=3)}"


def profile_dict(profile: Profile) -> dict[str, Any]:
    """Seconds, bytes and flops."""
    return {
        "graph": profile.graph,
        "sample_rate": profile.sample_rate,
        "workload": workload_dict(profile.estimate.workload, profile.sample_rate),
        "device": profile.device,
        "threads": profile.threads,
        "repeats": profile.repeats,
        "forward_seconds": profile.forward_seconds,
        "backward_seconds": profile.backward_seconds,
        "forward_peak": profile.forward_peak,
        "backward_peak": profile.backward_peak,
        "estimated_peak": round(profile.estimate.peak),
        **(
            {
                "sources": [
                    {
                        "input": one.input,
                        "effect": one.effect,
                        "estimate": source_dict(one.estimate),
                        "forward": vars(one.forward),
                        "backward": None if one.backward is None else vars(one.backward),
                    }
                    for one in profile.sources
                ]
            }
            if profile.sources
            else {}
        ),
        "operations": [
            {
                "estimate": operation_dict(op.estimate),
                "forward": vars(op.forward),
                "backward": None if op.backward is None else vars(op.backward),
            }
            for op in profile.operations
        ],
    }


def profile_trace(profile: Profile) -> dict[str, Any]:
    """Complete events (``ph`` X) in the Trace Event Format, times in µs, backward after forward."""
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": way}}
        for way, tid in TRACKS.items()
    ]
    events.insert(
        0, {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": _head(profile).splitlines()[0]}}
    )
    for one in profile.sources:
        for way, measured, offset in (
            ("forward", one.forward, 0.0),
            ("backward", one.backward, profile.forward_seconds),
        ):
            if measured is not None:
                events.append(_span(f"{one.effect} of {one.input}", way, measured, offset))
    for op in profile.operations:
        events.append(_event(op, "forward", op.forward, 0.0))
        if op.backward is not None:
            events.append(_event(op, "backward", op.backward, profile.forward_seconds))
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _event(op: MeasuredOperation, way: str, measured: Measured, offset: float) -> dict[str, Any]:
    work = op.estimate.forward if way == "forward" else op.estimate.backward
    return _span(op.estimate.label, way, measured, offset) | {
        "args": {
            "operation": op.estimate.index,
            "writes": list(op.estimate.writes),
            "nodes": list(op.estimate.nodes),
            "memory": measured.memory,
            "estimated_flops": None if work is None else round(work.flops),
            "estimated_bytes_moved": None if work is None else round(work.moved),
            "estimated_memory": None if work is None else round(work.memory),
        },
    }


def _span(name: str, way: str, measured: Measured, offset: float) -> dict[str, Any]:
    return {
        "ph": "X",
        "pid": 1,
        "tid": TRACKS[way],
        "name": name,
        "cat": way,
        "ts": 1e6 * (offset + measured.start),
        "dur": 1e6 * measured.seconds,
        "args": {"memory": measured.memory},
    }


def _head(profile: Profile) -> str:
    load = profile.estimate.workload
    audio = load.samples / profile.sample_rate * load.batch
    threads = "1 thread" if profile.threads == 1 else f"{profile.threads} threads"
    lines = [
        f"profile {profile.graph}: {describe(load, profile.sample_rate)}; {profile.device}, {threads}, "
        f"median of {profile.repeats}",
        f"forward {_ms(profile.forward_seconds)} ms, {audio / profile.forward_seconds:.1f} × real time",
    ]
    if profile.backward_seconds is not None:
        both = profile.forward_seconds + profile.backward_seconds
        lines[1] += f"; with backward {_ms(both)} ms, {audio / both:.1f} × real time"
    return "\n".join(lines)


def _line(op: MeasuredOperation) -> int:
    return -1 if op.estimate.label == "input" else op.estimate.index


def _row(group: Sequence[MeasuredOperation]) -> list[str]:
    first, last = group[0].estimate, group[-1].estimate
    many = len(group) > 1
    work, back = first.forward, first.backward
    backward = [op.backward for op in group if op.backward is not None]
    return [
        f"{first.index}–{last.index}" if many else str(first.index),
        f"{first.label} × {len(group)}" if many else first.label,
        short([name for op in group for name in op.estimate.writes], WIDEST_VALUE),
        *_figures([op.forward for op in group], work.flops, work.memory),
        *(
            _figures(backward, back.flops if back else 0, back.memory if back else 0)
            if backward
            else [""] * 4
        ),
    ]


def _source_row(one: MeasuredSource) -> list[str]:
    work, back = one.estimate.forward, one.estimate.backward or Work()
    forward = _figures([one.forward], work.flops, work.memory)
    backward = [""] * 4 if one.backward is None else _figures([one.backward], back.flops, back.memory)
    return ["", one.effect, short([one.input], WIDEST_VALUE), *forward, *backward]


def _figures(measured: Sequence[Measured], flops: float, memory: float) -> list[str]:
    seconds = sum(one.seconds for one in measured)
    return [
        _ms(seconds),
        _rate(flops, seconds),
        _megabytes(max(one.memory for one in measured)),
        _megabytes(memory),
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


def _rate(flops: float, seconds: float) -> str:
    return f"{flops / seconds / 1e9:.1f}" if flops and seconds else ""


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.1f}" if size else ""
