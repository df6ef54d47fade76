"""Runs cases one after another and collects what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from benchmarks.cases import CASES, find
from benchmarks.context import Context
from benchmarks.errors import BenchmarkError, Unavailable
from benchmarks.machine import describe, load
from benchmarks.results import CaseReport, Run
from benchmarks.work import Scale
from djgraph.errors import did_you_mean

STARTING = ": starting"
"""How the first line of a case's progress ends."""


def choose(names: Iterable[str]) -> list[str]:
    """The cases of those names, or all, in their own order. Raises BenchmarkError for an unknown one."""
    wanted = set(names)
    for name in sorted(wanted.difference(CASES)):
        raise BenchmarkError(
            f"there is no case {name!r}{did_you_mean(name, CASES)}; cases: {', '.join(CASES)}"
        )
    return [name for name in CASES if not wanted or name in wanted]


def run_cases(
    names: list[str],
    scale: Scale,
    *,
    report: Callable[[str], None] = lambda text: None,
    done: Callable[[CaseReport], None] = lambda case: None,
) -> Run:
    """Runs the cases with the scale's threads. done: called with each case's report as soon as there is one."""
    before = torch.get_num_threads()
    torch.set_num_threads(scale.threads)
    machine = describe(scale.threads)
    context = Context(scale)
    cases = []
    try:
        for place, name in enumerate(names, 1):
            context.report = _labelled(report, f"[{place}/{len(names)}] {name}")
            report(f"[{place}/{len(names)}] {name}{STARTING}")
            try:
                case = find(name)(context)
            except Unavailable as reason:
                case = CaseReport(name, CASES[name], unavailable=str(reason))
            cases.append(case)
            done(case)
    finally:
        torch.set_num_threads(before)
    machine["load_average_after"] = load()
    return Run(machine, scale, tuple(cases))


def _labelled(report: Callable[[str], None], label: str) -> Callable[[str], None]:
    return lambda text: report(f"{label}: {text}")
