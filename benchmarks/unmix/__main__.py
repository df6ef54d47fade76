"""``python -m benchmarks.unmix``: un-mixing, measured: known controls, and whole mixes after UnmixDB's protocol."""

from __future__ import annotations

import sys

HELP = """usage: python -m benchmarks.unmix {controls,mixes,table} …

  controls  tracks in place, known controls: the clean and MP3 series of docs/unmixing.md (where nothing is named)
  mixes     UnmixBench: whole mixes whose tracks, places, rates and gains are known, and who finds them
  table     UnmixBench's tables, written into docs/unmixing.md from the results that are there

examples:
  python -m benchmarks.unmix mixes --list                      what there is, and who takes part
  python -m benchmarks.unmix mixes --quick                     a few mixes, a few minutes; writes nothing
  python -m benchmarks.unmix mixes                             everything, into benchmarks/results/unmixbench.json
  python -m benchmarks.unmix mixes --series unmixdb --entrants djgraph --first 5 --last 8
  python -m benchmarks.unmix mixes --series cuts --save wavs   the mixes and tracks as files, to listen to
  python -m benchmarks.unmix controls --seed 2026 --only 10 16 --plots pictures

Each subcommand has its own --help. A run that was stopped goes on where it was."""


def main(argv: list[str]) -> int:
    """Runs a subcommand, ``controls`` where none is named."""
    if argv and argv[0] in ("-h", "--help"):
        print(HELP)
        return 0
    if argv and argv[0] == "mixes":
        from benchmarks.unmix.run import main as run

        return run(argv[1:])
    if argv and argv[0] == "table":
        from benchmarks.unmix.tables import main as table

        return table(argv[1:])
    from benchmarks.unmix.controls import main as controls

    return controls(argv[1:] if argv and argv[0] == "controls" else argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
