"""Forward, against Pedalboard on like work, with fixed settings and with as many steps of automation as frames."""

from __future__ import annotations

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.peers.pedalboard_mixer import PedalboardMixer
from benchmarks.programs import inference
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, ratio


def run(context: Context) -> CaseReport:
    scale = context.scale
    boards = {
        text: PedalboardMixer(context.stems, context.params, scale.threads, automated=automated)
        for text, automated in (
            ("Pedalboard, fixed settings", False),
            (f"Pedalboard, {scale.frames} steps of automation", True),
        )
    }
    programs = {"djgraph, forward": inference(context.mixer, context.stems, context.params)}
    try:
        times = context.time(programs | {name: Program(board) for name, board in boards.items()})
    finally:
        for board in boards.values():
            board.close()
    results = [
        Result(f"forward, against {name}", ratio(times[name], times["djgraph, forward"]), "×", bar)
        for name, bar in zip(boards, ("pedalboard", None))
    ]
    return CaseReport(
        "pedalboard",
        CASES["pedalboard"],
        tuple(results),
        tuple(
            Timed(name, times[name], scale.seconds, "djgraph, forward" if name in boards else None)
            for name in times
        ),
        (f"Pedalboard runs its strips, then its tracks, in a thread pool of {scale.threads}.",),
    )
