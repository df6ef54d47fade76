"""``python -m benchmarks.unmix table``: UnmixBench's results as the tables of docs/unmixing.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.unmix.board import GROUPS, PUBLISHED, Row, against_bars, ours, summary
from djgraph.atomic import atomic_writers

DOCS = Path(__file__).resolve().parents[2] / "docs" / "unmixing.md"
PICTURE = DOCS.with_name("unmixbench.png")
BEGIN, END = "<!-- unmixbench: made by python -m benchmarks.unmix table -->", "<!-- /unmixbench -->"


def tables(rows: Sequence[Row]) -> str:
    """Bars, places, gains and published figures, as Markdown."""
    return "\n\n".join([_bars(rows), _places(rows), _gains(rows), _published()])


def _bars(rows: Sequence[Row]) -> str:
    lines = [
        "| what djgraph, told no places, | must reach | aim | reached | measured |",
        "|---|---|---|---|---|",
    ]
    for row in against_bars(rows):
        reached = row["reached"]
        mark = "" if reached is None else " **missed**" if reached > row["must"] else ""
        figures = [_figure(row[key]) for key in ("must", "aim", "reached")]
        unit = f" {row['unit']}" if row["unit"] else ""
        reached = figures[2] + (mark if row["reached"] is None else unit + mark)
        cells = [row["what"], figures[0] + unit, figures[1] + unit, reached, str(row["of"])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _places(rows: Sequence[Row]) -> str:
    lines = [
        "| places: mixes | who | mixes | start, ms: median | 90 % | worst | rate: median | 90 % | tracks found "
        "| absent ones told | order right | cuts found | processor s a mix |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    others = [row for row in rows if row["entrant"] == "dtw"]
    for group, holds in GROUPS.items():
        for who, mine in (("djgraph", ours(rows)), ("DTW and correlation", others)):
            inside = [row for row in mine if holds(row)]
            if not inside:
                continue
            made = summary(inside)
            start, rate = made.get("start_ms"), made.get("rate")
            cells = [
                group,
                who,
                f"{made['cases']}" + (f", {made['failed']} failed" if made["failed"] else ""),
                *([_figure(start[key]) for key in ("median", "q90", "worst")] if start else [""] * 3),
                *([_figure(rate[key], "{:.0e}") for key in ("median", "q90")] if rate else [""] * 2),
                _share(made.get("present")),
                _share(made.get("absent")),
                f"{made['order_right']} of {made['cases']}" if "order_right" in made else "",
                _cut(made.get("cuts")),
                _figure(made["cpu_seconds"], "{:.0f}"),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _gains(rows: Sequence[Row]) -> str:
    from benchmarks.unmix.entrants import ENTRANTS

    names = [name for name in ENTRANTS if name != "find" and any(row["entrant"] == name for row in rows)]
    heads = [
        ENTRANTS[name].about + ("" if ENTRANTS[name].blind else ", places given") + ": fader, heard"
        for name in names
    ]
    heads.append("djgraph's 90 % intervals hold")
    lines = ["| gains: mixes | " + " | ".join(heads) + " |", "|---" * (2 + len(names)) + "|"]
    for group, holds in GROUPS.items():
        cells = []
        for name in names:
            made = summary([row for row in rows if row["entrant"] == name and holds(row)])
            cells.append(f"{_figure(made['gain'])}, {_figure(made.get('heard'))}" if "gain" in made else "")
        if any(cells):
            mine = summary([row for row in rows if row["entrant"] == "djgraph" and holds(row)])
            cells.append(f"{100 * mine['covered']:.0f} %" if "covered" in mine else "")
            lines.append(f"| {group} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _published() -> str:
    lines = ["| published, on other data | data | figures | source |", "|---|---|---|---|"]
    lines += [
        f"| {p['method']} | {p['data']} | {p['figures']} | {p['source']} ({p['read']}) |" for p in PUBLISHED
    ]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    from benchmarks.unmix.run import RESULTS, load

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.unmix table",
        description="Writes UnmixBench's tables into docs/unmixing.md and the picture beside it, from the results that "
        "are there.",
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--print", action="store_true", help="on the screen, and not into the documentation")
    options = parser.parse_args(argv)
    try:
        rows = load(options.results)
        if options.print:
            print(tables(rows))
            return 0
        from benchmarks.unmix.picture import to_png

        page = placed(DOCS.read_text(encoding="utf-8"), tables(rows)).encode()
        picture = to_png(rows)
        with atomic_writers([DOCS, PICTURE], BenchmarkError) as files:
            for file, content in zip(files, (page, picture)):
                file.write(content)
    except BenchmarkError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def placed(page: str, text: str) -> str:
    """The page with these tables in their place. Raises BenchmarkError where that is not marked."""
    if BEGIN not in page or END not in page:
        raise BenchmarkError(f"{DOCS.name} has no place for the tables: {BEGIN} … {END}")
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n\n" + text + "\n\n" + END + rest.partition(END)[2]


def _figure(value: float | None, form: str = "{:.3g}") -> str:
    return "–" if value is None else form.format(value)


def _share(value: dict[str, int] | None) -> str:
    return f"{value['right']} of {value['of']}" if value and value["of"] else ""


def _cut(value: dict[str, int] | None) -> str:
    if not value or not (value["true"] or value["said"]):
        return ""
    return f"{value['matched']} of {value['true']}, {value['said'] - value['matched']} too many"
