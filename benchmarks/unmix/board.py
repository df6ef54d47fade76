"""UnmixBench's leaderboard: medians by entrant and kind of mix, and the tables in the documentation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.unmix.score import middle, quantile

DOCS = Path(__file__).resolve().parents[2] / "docs" / "unmixing.md"
BEGIN, END = "<!-- unmixbench: made by python -m benchmarks.unmix table -->", "<!-- /unmixbench -->"

Row = dict[str, Any]

PUBLISHED = [
    {
        "method": "MFCC-DTW, correlation, time-frequency gains",
        "source": "Schwarz and Fourer, Methods and Datasets for DJ-Mix Reverse Engineering, CMMR 2019 and LNCS 2021, "
        "hal.science/hal-02172427",
        "data": "UnmixDB: 3-track mixes of real dance tracks, as MP3",
        "figures": "start: median 25 ms, about 100 ms under distortion; fades: median 0.3 dB",
        "read": "second hand: quoted by others, the paper itself was not at hand",
    },
    {
        "method": "Multi-pass NMF",
        "source": "André, Fourer and Schwarz, DJ Mix Transcription with Multi-Pass Non-Negative Matrix Factorization, "
        "arXiv:2410.04198",
        "data": "UnmixDB 1.1, frames of 0.5 s",
        "figures": "mean absolute error of the warp: medians from about 1 s (no effect) to about 10 s (compressor, "
        "distortion), read off a plot; cue points like those of Schwarz and Fourer",
        "read": "second hand for the numbers; metrics and parameters from the author's own report",
    },
    {
        "method": "Subsequence DTW of beat-synchronous features",
        "source": "Kim et al., A Computational Analysis of Real-World DJ Mixes using Mix-To-Track Subsequence "
        "Alignment, ISMIR 2020, arXiv:2008.10267",
        "data": "1557 real mixes, cue points by people",
        "figures": "cue points: medians of about 4 to 11 s",
        "read": "second hand",
    },
]
"""Figures of others, on other data: no row of them can be compared with ours."""

GROUPS: dict[str, Callable[[Row], bool]] = {
    "UnmixDB none": lambda row: row["series"] == "unmixdb" and row["effect"] == "none",
    "UnmixDB bass": lambda row: row["series"] == "unmixdb" and row["effect"] == "bass",
    "UnmixDB compressor": lambda row: row["series"] == "unmixdb" and row["effect"] == "compressor",
    "UnmixDB distortion": lambda row: row["series"] == "unmixdb" and row["effect"] == "distortion",
    "as they are or resampled, no distortion": lambda row: (
        row["series"] == "unmixdb"
        and row["scaling"] != "stretch"
        and row["effect"] in ("none", "bass", "compressor")
    ),
    "stretched, no distortion": lambda row: (
        row["series"] == "unmixdb" and row["scaling"] == "stretch" and row["effect"] != "distortion"
    ),
    "resampled": lambda row: row["series"] == "unmixdb" and row["scaling"] == "resample",
    "moves": lambda row: row["series"] == "moves",
    "lossy": lambda row: row["series"] == "lossy",
    "masters": lambda row: row["series"] == "masters",
    "cuts": lambda row: row["series"] == "cuts",
    "shipped tracks": lambda row: row["series"] == "shipped",
    "long": lambda row: row["series"] == "long",
}


def leaderboard(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A row for each group and entrant that has cases in it: how many, and what :func:`summary` says."""
    found = []
    for group, holds in GROUPS.items():
        inside = [row for row in rows if holds(row)]
        for entrant in sorted({row["entrant"] for row in inside}):
            found.append(
                {
                    "group": group,
                    "entrant": entrant,
                    **summary([row for row in inside if row["entrant"] == entrant]),
                }
            )
    return found


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Over tracks that play: median, 90 % quantile and worst of start (ms) and rate errors, what was not found counting
    as infinitely far off (None); means of the gains' errors; over cases: order, cuts, tracks that are rightly said to
    be there or not, intervals, and times."""
    done = [row for row in rows if "error" not in row]
    tracks = [track for row in done for track in row["tracks"].values() if track["plays"]]
    out: dict[str, Any] = {"cases": len(rows), "failed": len(rows) - len(done)}
    placed = [track for track in tracks if "start_ms" in track]
    if placed:
        for key, name in (("start_ms", "start_ms"), ("middle_ms", "middle_ms"), ("rate", "rate")):
            values = [value for track in placed for value in track[key]]
            out[name] = {
                "median": middle(values),
                "q90": quantile(values, 0.9),
                "worst": quantile(values, 1.0),
                "of": len(values),
                "not_found": sum(value is None for value in values),
            }
        judged = [row for row in done if "order_right" in row]
        out["order_right"] = sum(row["order_right"] for row in judged)
        every = [track for row in judged for track in row["tracks"].values()]
        out["present"] = {
            "right": sum(track["said"] and track["plays"] for track in every),
            "of": sum(track["plays"] for track in every),
        }
        out["absent"] = {
            "right": sum(not track["said"] and not track["plays"] for track in every),
            "of": sum(not track["plays"] for track in every),
        }
        out["cuts"] = {key: sum(row["cuts"][key] for row in judged) for key in ("true", "said", "matched")}
    for key in ("gain", "gain_as_is", "heard"):
        values = [track[key] for track in tracks if key in track]
        if values:
            out[key] = mean(values)
    covered = [row["intervals"]["covered"] for row in done if "intervals" in row]
    if covered:
        out["covered"] = mean(covered)
    out["seconds"] = middle([row["seconds"] for row in done])
    out["cpu_seconds"] = middle([row["cpu_seconds"] for row in done])
    return out


def tables(rows: Sequence[Row]) -> str:
    """The leaderboard as Markdown."""
    from benchmarks.unmix.entrants import ENTRANTS

    board = leaderboard(rows)
    lines = [
        "| mixes | who | cases | start, ms: median | 90 % | worst | rate: median | present | absent | cuts | order | "
        "gain | heard gain | s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for group in GROUPS:
        for row in [row for row in board if row["group"] == group]:
            about = ENTRANTS[row["entrant"]].about if row["entrant"] in ENTRANTS else row["entrant"]
            blind = row["entrant"] in ENTRANTS and not ENTRANTS[row["entrant"]].blind
            start, rate = row.get("start_ms"), row.get("rate")
            cells = [
                group,
                about + (", places given" if blind else ""),
                f"{row['cases']}" + (f" ({row['failed']} failed)" if row["failed"] else ""),
                *([_figure(start[key]) for key in ("median", "q90", "worst")] if start else [""] * 3),
                _figure(rate["median"], "{:.1e}") if rate else "",
                _share(row.get("present")),
                _share(row.get("absent")),
                _cut(row.get("cuts")),
                f"{row['order_right']}" if "order_right" in row else "",
                _figure(row["gain"]) if "gain" in row else "",
                _figure(row["heard"]) if "heard" in row else "",
                _figure(row["seconds"], "{:.0f}"),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "Published, on other data, so that no line of it can be compared with ours:",
        "",
        "| method | data | figures | source |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {p['method']} | {p['data']} | {p['figures']} | {p['source']} ({p['read']}) |" for p in PUBLISHED
    ]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    from benchmarks.unmix.run import RESULTS, load

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.unmix table",
        description="Writes UnmixBench's tables into docs/unmixing.md, from the results that are there.",
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--print", action="store_true", help="on the screen, and not into the documentation")
    options = parser.parse_args(argv)
    try:
        text = tables(load(options.results))
        if options.print:
            print(text)
        else:
            DOCS.write_text(placed(DOCS.read_text(encoding="utf-8"), text), encoding="utf-8")
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
