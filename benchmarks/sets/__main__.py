"""``python -m benchmarks.sets``: sets of synthesised tracks, and the beats of any set against its clock."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from djgraph.errors import DJGraphError


def main(argv: list[str]) -> int:
    """Runs a subcommand."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sets", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="synthesise five tracks of 118 to 148 BPM, and a set of them")
    make.add_argument("folder", type=Path, help="a new folder")
    make.add_argument("--seconds", type=float, default=150.0, help="of each track (150)")
    make.add_argument("--seed", type=int, default=2026)
    make.add_argument("--also", type=Path, nargs="*", default=[], metavar="TRACK", help="tracks behind them")
    beats = commands.add_parser("beats", help="how far drums lie from the clock in the transitions of a set")
    beats.add_argument("set", type=Path, help="a set file")
    beats.add_argument(
        "--beyond", type=float, default=2.0, metavar="MS", help="list what lies farther off (2)"
    )
    beats.add_argument("--json", action="store_true", help="print JSON")
    said = parser.parse_args(argv)
    try:
        if said.command == "make":
            from benchmarks.sets.tracks import make_set

            print(make_set(said.folder, said.seconds, said.seed, said.also))
            return 0
        from benchmarks.sets.beats import data_of, measure, table
        from djgraph.sets import plan_set

        found = measure(plan_set(said.set))
        print(json.dumps(data_of(found), indent=1) if said.json else table(found, said.beyond))
    except DJGraphError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
