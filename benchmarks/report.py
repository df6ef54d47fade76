"""A run as tables: Markdown for the results folder, and the same for a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.results import CaseReport, Result, Run, Timed

RESULT_COLUMNS = ("what", "measured", "quartiles", "by the fastest", "must", "aim", "reached")
LESS_WORK = "less work than the bars are about: these numbers say nothing about them"
TIME_COLUMNS = ("program", "median", "fastest", "rounds", "times real time")


def result_row(result: Result) -> tuple[str, ...]:
    """The cells of one result."""
    spread, bar = result.measured, result.held_against
    quartiles = f"{number(spread.low)} … {number(spread.high)}" if spread.low != spread.high else ""
    fastest = "" if spread.fastest is None else number(spread.fastest)
    cells = (result.what, f"{number(spread.value)} {result.unit}".strip(), quartiles, fastest)
    if bar is None:
        return (*cells, "", "", "")
    sign = "≥" if bar.better == "higher" else "≤"
    aim = "" if bar.aim is None else f"{sign} {number(bar.aim)}"
    reached = "no"
    if bar.reached(spread.value):
        reached = "aim" if bar.aim_reached(spread.value) else "yes"
    return (*cells, f"{sign} {number(bar.must)}", aim, reached)


def time_row(timed: Timed) -> tuple[str, ...]:
    """The cells of one program's times."""
    times = timed.times
    speed = "" if timed.real_time is None else f"{number(timed.real_time)} ×"
    return timed.program, duration(times.median), duration(times.minimum), str(len(times.seconds)), speed


def number(value: float) -> str:
    """Three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def duration(seconds: float) -> str:
    return f"{number(seconds)} s" if seconds >= 1 else f"{number(seconds * 1000)} ms"


def machine_lines(run: Run) -> list[str]:
    """The machine, the versions and the work, a line each."""
    machine, scale = run.machine, run.scale
    caches = ", ".join(f"{level} {size}" for level, size in machine["cache"].items())
    peers = ", ".join(f"{name} {version}" for name, version in machine["peers"].items() if version)
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores{', ' + caches if caches else ''}, {machine['memory_gb']} GB",
        f"{machine['system']}, Python {machine['python']}, PyTorch {machine['torch']}, threads: {machine['threads']}",
        f"djgraph {machine['djgraph']}; {peers or 'no peers installed'}",
        f"two tracks of four stereo stems, {scale.seconds:g} s at 44.1 kHz, {scale.frames} frames, batch 1",
        *([LESS_WORK] if run.less_work else []),
        f"load average before the run {machine['load_average']}, after it {machine['load_average_after']}",
    ]
    if machine["omp_wait_policy"]:
        lines[-1] += f"; OMP_WAIT_POLICY={machine['omp_wait_policy']}"
    if machine["gpu"]:
        lines.insert(1, machine["gpu"])
    return lines


def to_markdown(run: Run) -> str:
    """All of it; ends with a newline."""
    parts = [
        "# Benchmark results",
        "Written by `python -m benchmarks`. docs/benchmarks.md says what is measured, and how.",
    ]
    parts.append("\n".join(f"- {line}" for line in machine_lines(run)))
    held = [result for result in run.results() if result.bar is not None]
    parts += ["## Against the bars", _markdown_table(RESULT_COLUMNS, [result_row(item) for item in held])]
    for case in run.cases:
        parts.append(f"## {case.name}: {case.title}")
        parts += _case_sections(case)
    return "\n\n".join(parts) + "\n"


def _case_sections(case: CaseReport) -> list[str]:
    if case.unavailable is not None:
        return [f"Not measured: {case.unavailable}."]
    parts = []
    if case.results:
        parts.append(_markdown_table(RESULT_COLUMNS, [result_row(item) for item in case.results]))
    if case.times:
        parts.append(_markdown_table(TIME_COLUMNS, [time_row(item) for item in case.times]))
    return [*parts, *case.notes]


def _markdown_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def print_case(console: Console, case: CaseReport) -> None:
    """One case as tables."""
    console.print(f"\n[bold]{case.name}[/bold]: {case.title}", highlight=False)
    if case.unavailable is not None:
        console.print(f"not measured: {case.unavailable}", style="yellow", markup=False, highlight=False)
        return
    if case.results:
        console.print(_rich_table(RESULT_COLUMNS, [result_row(item) for item in case.results]))
    if case.times:
        console.print(_rich_table(TIME_COLUMNS, [time_row(item) for item in case.times]))
    for note in case.notes:
        console.print(note, style="dim", markup=False, highlight=False)


COLOURS = {"aim": "green", "yes": "green", "no": "red"}


def _rich_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table: Any = Table(box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row, style=COLOURS.get(row[-1]))
    return table
