"""Peak memory above the inputs, forward and backward, each program in fresh processes."""

from __future__ import annotations

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.memory import MIXERS, Reading, measure
from benchmarks.results import CaseReport, Result
from benchmarks.timing import Spread

MODES = {
    "forward": "forward",
    "backward": "forward + backward",
    "backward-stems": "forward + backward, stems' gradients too",
}


def run(context: Context) -> CaseReport:
    scale = context.scale
    found: dict[tuple[str, str], Reading] = {}
    for mode, text in MODES.items():
        for mixer in MIXERS:
            context.report(f"{mixer}, {text}, in {scale.memory_runs} fresh processes")
            found[mixer, mode] = measure(
                mixer,
                mode,
                seconds=scale.seconds,
                frames=scale.frames,
                threads=scale.threads,
                runs=scale.memory_runs,
            )
    results = []
    for mode, text in MODES.items():
        ours, plain = found["djgraph", mode], found["plain", mode]
        share = Spread.of(a / b for a in ours.above for b in plain.above)
        what = f"peak memory above the inputs, {text}, share of the plain baseline's"
        results.append(Result(what, share, "×", None if mode == "forward" else "memory"))
        for mixer, reading in (("djgraph", ours), ("plain", plain)):
            results.append(Result(f"{mixer}: {text}", reading.megabytes, "MB"))
    inputs = found["djgraph", "forward"].inputs / 1e6
    return CaseReport(
        "memory",
        CASES["memory"],
        tuple(results),
        notes=(
            f"The inputs take {inputs:.1f} MB. Resident memory at its highest during one call in a fresh process, "
            "less what was resident before it.",
        ),
    )
