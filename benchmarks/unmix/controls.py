"""``python -m benchmarks.unmix controls``: fits transitions with known controls and writes down how well it went."""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch

import djgraph
from benchmarks.machine import describe
from benchmarks.unmix.cases import cases, tracks
from benchmarks.unmix.coverage import summarized
from benchmarks.unmix.judge import judge

BARS = {
    "clean": {"gain": 0.02, "eq": 0.1, "cutoff": 1 / 3, "si_sdr_db": 30.0, "fit_seconds": 180.0},
    "degraded": {"gain": 0.05, "fit_seconds": 180.0},
}
HIGHER_IS_BETTER = ("si_sdr_db",)
COLUMNS = ("gain", "eq", "cutoff", "heard", "gain_all", "eq_all", "cutoff_all", "si_sdr_db", "fit_seconds")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.unmix controls",
        description="Transitions of tracks that lie in place, with known controls: the clean series, and with "
        "--codec mp3 the degraded one.",
    )
    parser.add_argument("--cases", type=int, default=20, help="how many transitions (default: 20)")
    parser.add_argument("--first", type=int, default=1, help="begin with this one")
    parser.add_argument("--only", type=int, nargs="+", metavar="CASE", help="these alone, by number")
    parser.add_argument(
        "--seconds", type=float, default=40.0, help="length of the clips, at most 40 of stems"
    )
    parser.add_argument("--codec", choices=("mp3", "ogg"), help="degrade the target")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--graph", default="dj_mixer")
    parser.add_argument("--out", type=Path, help="JSON file; rows are added as they come")
    parser.add_argument("--plots", type=Path, help="folder for a picture of each case")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    mixer = djgraph.compile(options.graph)
    rows: list[dict[str, Any]] = []
    machine = describe(options.threads)
    for number, case in enumerate(cases(mixer.layout, options.seconds, options.cases, options.seed), 1):
        if number < options.first or (options.only and number not in options.only):
            continue
        row, result = judge(mixer, case, tracks(case.tracks, options.seconds), options.codec)
        rows.append(row)
        print(line(row), flush=True)
        if options.plots is not None:
            options.plots.mkdir(parents=True, exist_ok=True)
            result.plot(options.plots / f"{case.name.replace(' ', '_')}.png", case.params)
        if options.out is not None:
            summary = summarize(rows, "clean" if options.codec is None else "degraded")
            data = {
                "machine": machine,
                "seconds": options.seconds,
                "summary": summary,
                "coverage": summarized(rows),
                "cases": rows,
            }
            options.out.write_text(json.dumps(data, indent=1) + "\n")
    for name, entry in summarize(rows, "clean" if options.codec is None else "degraded").items():
        print(name, entry)
    for name, entry in summarized(rows).items():
        print(f"intervals, {name}: {entry['held']:.1%} of {entry['moments']} hold, {entry['told']:.0%} told")
    return 0


def line(row: dict[str, Any]) -> str:
    """A case in a line."""
    cells = [f"{key} {row[key]:.4g}" for key in COLUMNS if row[key] is not None]
    cells += [f"{name} {b['si_sdr_db']:.1f} dB, {b['gain']:.3f}" for name, b in row["baselines"].items()]
    return f"{row['case']} ({row['tracks']}{', ' + row['codec'] if row['codec'] else ''}): " + " | ".join(
        cells
    )


def summarize(rows: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Mean, median and worst of each figure, its bar, and how many cases meet it."""
    found = {}
    for key in COLUMNS:
        values = [row[key] for row in rows if row[key] is not None]
        if not values:
            continue
        high = key in HIGHER_IS_BETTER
        entry: dict[str, Any] = {
            "mean": statistics.mean(values),
            "median": statistics.median(values),
            "worst": min(values) if high else max(values),
        }
        bar = BARS[kind].get(key)
        if bar is not None:
            met = sum(value >= bar if high else value <= bar for value in values)
            entry |= {"bar": bar, "met": met, "of": len(values)}
        found[key] = entry
    return found
