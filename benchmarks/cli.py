"""The command line of the benchmarks: which cases, how much work, where the results go."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

from benchmarks.cases import CASES
from benchmarks.errors import BenchmarkError
from benchmarks.machine import card
from benchmarks.report import LESS_WORK, print_case
from benchmarks.runner import STARTING, choose, run_cases
from benchmarks.store import FOLDER, load, save, save_data
from benchmarks.work import FULL, QUICK, Scale

INTERRUPTED = 130
WIDTH = 160


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, 1 for an error, 130 after Ctrl-C."""
    given = _parser().parse_args(arguments)
    # Into a file or a pipe, lines may be as long as the tables are.
    out = Console(width=None if sys.stdout.isatty() else WIDTH)
    err = Console(stderr=True)
    if given.list:
        for name, title in CASES.items():
            out.print(f"{name:<12}{title}", markup=False, highlight=False)
        return 0
    try:
        if given.redraw:
            folder = given.output or FOLDER
            for path in save(load(folder), folder):
                err.print(f"wrote {path}", markup=False, highlight=False)
            return 0
        names = choose(given.cases)
        folder = _folder(given, complete=len(names) == len(CASES))
        with _progress(err) as report:
            run = run_cases(names, _scale(given), report=report, done=lambda case: print_case(out, case))
        if run.less_work:
            err.print(LESS_WORK, markup=False, highlight=False)
        if folder is not None:
            for path in save(run, folder):
                err.print(f"wrote {path}", markup=False, highlight=False)
        elif names == ["gpu"] and not given.quick and (name := card()):
            err.print(f"wrote {save_data(run, FOLDER / f'gpu-{name}.json')}", markup=False, highlight=False)
    except KeyboardInterrupt:
        err.print("interrupted; earlier results are as they were", style="yellow")
        return INTERRUPTED
    except BenchmarkError as problem:
        err.print(f"error: {problem}", style="red", markup=False, highlight=False)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures djgraph against a plain PyTorch program, its peers and bare FFTs.",
        epilog="A complete run is written into benchmarks/results; chosen cases and --quick only with --output.",
    )
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help="cases to run; all where left out (see --list)"
    )
    parser.add_argument(
        "--redraw", action="store_true", help="write table and plot anew from the results.json that is there"
    )
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument("--quick", action="store_true", help="little work, few rounds: to see that all runs")
    parser.add_argument("--threads", type=_count, help=f"threads of every program (default {FULL.threads})")
    parser.add_argument("--rounds", type=_count, help="rounds of every comparison")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where the JSON, table and plot go")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _scale(given: argparse.Namespace) -> Scale:
    scale = QUICK if given.quick else FULL
    changes = {"threads": given.threads, "rounds": given.rounds, "slow_rounds": given.rounds}
    return dataclasses.replace(scale, **{name: value for name, value in changes.items() if value is not None})


def _folder(given: argparse.Namespace, complete: bool) -> Path | None:
    """Where results go, if anywhere. Raises BenchmarkError where they could not be drawn, before hours of work."""
    folder: Path | None = given.output
    if folder is None and complete and not given.quick:
        folder = FOLDER
    if folder is not None and importlib.util.find_spec("matplotlib") is None:
        raise BenchmarkError('the plot needs matplotlib; pip install "djgraph[bench]"')
    return folder


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str], None]]:
    """Says where the run is: a status line on a terminal, elsewhere a line for each case."""
    if not console.is_terminal:

        def line(text: str) -> None:
            if text.endswith(STARTING):
                console.print(text.removesuffix(STARTING), markup=False, highlight=False)

        yield line
        return
    with console.status("") as status:
        # Brackets would be read as markup.
        yield lambda text: status.update(Text(text))
