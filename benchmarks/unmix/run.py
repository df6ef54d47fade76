"""``python -m benchmarks.unmix mixes``: whole mixes are un-mixed, and what comes out is held against what was done."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe
from benchmarks.store import FOLDER
from djgraph.atomic import atomic_writer

RESULTS = FOLDER / "unmixbench.json"
FORMAT = 1
QUICK = (("unmixdb", 4), ("unmixdb", 6), ("cuts", 0), ("shipped", 1))
"""Series and number, from 0 on, of the cases of a quick run."""

Row = dict[str, Any]


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    from benchmarks.unmix.entrants import ENTRANTS
    from benchmarks.unmix.series import ROUNDS

    if options.list:
        for name, names in ROUNDS.items():
            print(f"{name:9} {', '.join(names)}")
        print()
        for one in ENTRANTS.values():
            print(f"{one.name:9} {one.about}{'' if one.blind else ' (places are given)'}")
        return 0
    for given, known, what in (
        (options.series, ROUNDS, "series"),
        (options.entrants, ENTRANTS, "entrant"),
    ):
        for name in given or ():
            if name not in known:
                print(f"there is no {what} {name!r}; there are {', '.join(known)}", file=sys.stderr)
                return 2
    import torch

    torch.set_num_threads(options.threads)
    wanted = _wanted(options)
    out = options.out or (None if options.quick or options.seed != 1 else RESULTS)
    try:
        rows = load(out) if out is not None else []
        if options.merge:
            merged = merge(rows, [row for path in options.merge for row in load(path)])
            save(merged, describe(options.threads), out or RESULTS)
            print(f"{out or RESULTS}: {len(merged)} rows", file=sys.stderr)
            return 0
        return _run(wanted, options, rows, out)
    except BenchmarkError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what was measured is kept" if out else "stopped", file=sys.stderr)
        return 130


def _run(
    wanted: list[tuple[str, int]], options: argparse.Namespace, rows: list[Row], out: Path | None
) -> int:
    from benchmarks.unmix.entrants import ENTRANTS
    from benchmarks.unmix.series import case
    from djgraph.errors import DJGraphError

    names = options.entrants or list(ENTRANTS)
    machine = describe(options.threads)
    for number, (series, index) in enumerate(wanted, 1):
        missing = [
            name
            for name in names
            if options.again or (name, series, index, options.seed) not in map(_key, rows)
        ]
        if not missing and options.save is None:
            continue
        began = time.perf_counter()
        made = case(series, options.seed, index)
        print(
            f"[{number}/{len(wanted)}] {series} {made.name}: {made.mix.shape[1] / 44100:.0f} s of "
            f"{len(made.tracks)} tracks, made in {time.perf_counter() - began:.0f} s",
            file=sys.stderr,
            flush=True,
        )
        if options.save is not None:
            _save(made, options.save)
        for name in missing:
            began, used = time.perf_counter(), time.process_time()
            row: Row = {
                "entrant": name,
                "series": series,
                "number": index,
                "case": made.name,
                "scaling": made.scaling,
                "effect": made.effect,
                "seed": options.seed,
                "digest": made.digest,
                "mix_seconds": round(made.mix.shape[1] / 44100, 1),
            }
            from benchmarks.unmix.score import score

            try:
                answer = ENTRANTS[name].solve(made)
                row |= score(made, answer)
            except DJGraphError as problem:
                row["error"] = str(problem)
            row["seconds"] = round(time.perf_counter() - began, 1)
            row["cpu_seconds"] = round(time.process_time() - used, 1)
            rows = merge(rows, [row])
            print("   " + line(row), flush=True)
            if out is not None:
                save(rows, machine, out)
    if out is not None:
        print(f"{out}: {len(rows)} rows", file=sys.stderr)
    return 0


def line(row: Row) -> str:
    """A result in a line."""
    from benchmarks.unmix.score import middle

    if "error" in row:
        return f"{row['entrant']:9} {row['case']}: failed: {row['error']}"
    tracks = [track for track in row["tracks"].values() if track["plays"]]
    cells = []
    if "order_right" in row:
        starts = [value for track in tracks for value in track["start_ms"]]
        rates = [value for track in tracks for value in track["rate"]]
        start, rate = middle(starts), middle(rates)
        cells.append("not found" if start is None else f"start {start:.3g} ms (worst {_worst(starts)})")
        cells.append("" if rate is None else f"rate {rate:.1e}")
        cells.append("order right" if row["order_right"] else "order WRONG")
        wrong = sum(track["said"] != track["plays"] for track in row["tracks"].values())
        cells.append(f"{wrong} wrongly present or absent" if wrong else "")
        cuts = row["cuts"]
        if cuts["true"] or cuts["said"]:
            cells.append(f"cuts {cuts['matched']} of {cuts['true']}, {cuts['said']} said")
    if "gain" in tracks[0]:
        cells.append("gain " + " ".join(f"{track['gain']:.3f}" for track in tracks))
    if "intervals" in row:
        cells.append(f"intervals hold {100 * row['intervals']['covered']:.0f} %")
    cells.append(f"{row['seconds']:.0f} s")
    return f"{row['entrant']:9} {row['case']}: " + ", ".join(cell for cell in cells if cell)


def load(path: Path) -> list[Row]:
    """The rows that are there; none where there is no file. Raises BenchmarkError for another kind of file."""
    if not path.exists():
        return []
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise BenchmarkError(f"{path} has format {data['format']}, and {FORMAT} is read here")
        rows: list[Row] = data["rows"]
        for row in rows:
            _key(row)
        return rows
    except OSError as problem:
        raise BenchmarkError(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    except (ValueError, KeyError, TypeError) as problem:
        raise BenchmarkError(f"{path} is not UnmixBench's results: {problem!r}") from problem


def merge(rows: list[Row], others: list[Row]) -> list[Row]:
    """Both, those of ``others`` in place of what they measured anew."""
    found = {_key(row): row for row in rows}
    return list((found | {_key(row): row for row in others}).values())


def save(rows: list[Row], machine: dict[str, Any], path: Path) -> None:
    """Writes rows and the leaderboard that they make, whole or not at all."""
    from benchmarks.unmix.board import PUBLISHED, against_bars, leaderboard

    ordered = sorted(rows, key=lambda row: (row["series"], row["number"], row["seed"], row["entrant"]))
    data = {
        "format": FORMAT,
        "machine": machine,
        "bars": against_bars(ordered),
        "leaderboard": leaderboard(ordered),
        "published": PUBLISHED,
        "rows": ordered,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(path, BenchmarkError) as file:
        file.write((json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.unmix mixes",
        description="UnmixBench: mixes after UnmixDB's protocol and beyond; tracks, places, rates and gains are known.",
        epilog="Rows that are in the results are not measured again (--again measures them).",
    )
    parser.add_argument("--list", action="store_true", help="series and entrants, and nothing else")
    parser.add_argument(
        "--quick", action="store_true", help="four mixes, a few minutes; written with --out only"
    )
    parser.add_argument("--series", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--entrants", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--rounds", type=int, default=1, help="how often each series, with other tracks (1)")
    parser.add_argument("--first", type=int, default=1, help="begin each series with this case (1)")
    parser.add_argument("--last", type=int, help="and end with this one")
    parser.add_argument("--seed", type=int, default=1, help="other tracks and transitions (1)")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's (2)")
    parser.add_argument("--again", action="store_true", help="measure rows anew that are there")
    parser.add_argument("--out", type=Path, help=f"the results (benchmarks/results/{RESULTS.name})")
    parser.add_argument(
        "--merge", type=Path, nargs="+", metavar="FILE", help="add rows of other results, and measure nothing"
    )
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="write mixes and tracks there, as FLAC")
    return parser


def _wanted(options: argparse.Namespace) -> list[tuple[str, int]]:
    from benchmarks.unmix.series import ASKED_FOR, ROUNDS

    if options.quick:
        return [pair for pair in QUICK if not options.series or pair[0] in options.series]
    return [
        (series, index)
        for series in options.series or [name for name in ROUNDS if name not in ASKED_FOR]
        for index in range(
            options.first - 1, min(options.last or 10**9, options.rounds * len(ROUNDS[series]))
        )
    ]


def _key(row: Row) -> tuple[str, str, int, int]:
    return row["entrant"], row["series"], row["number"], row["seed"]


def _worst(values: list[float | None]) -> str:
    return "not found" if None in values else f"{max(value for value in values if value is not None):.3g}"


def _save(made: Any, folder: Path) -> None:
    import soundfile

    place = folder / f"{made.series}-{made.name.replace(' ', '-')}"
    place.mkdir(parents=True, exist_ok=True)
    for name, audio in {"mix": made.mix, **made.tracks}.items():
        soundfile.write(place / f"{name}.flac", audio.T, 44100, subtype="PCM_24")
