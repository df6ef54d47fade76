"""A clip 30 times as long: time, and memory above the inputs as a share of the inputs' own size."""

from __future__ import annotations

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.memory import measure
from benchmarks.programs import inference
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Spread, ratio
from benchmarks.work import make_params, make_stems


def run(context: Context) -> CaseReport:
    scale = context.scale
    factor = scale.length_factor
    # As many controls a second as in the short clip.
    seconds, frames = factor * scale.seconds, factor * scale.frames
    stems = make_stems(context.mixer.graph, factor * scale.samples)
    params = make_params(context.mixer.layout, frames)
    times = context.time(
        {
            f"{scale.seconds:g} s": inference(context.mixer, context.stems, context.params),
            f"{seconds:g} s": inference(context.mixer, stems, params),
        },
        slow=True,
    )
    del stems
    short, long = times
    context.report(f"memory of {seconds:g} s, in a fresh process")
    reading = measure("djgraph", "forward", seconds=seconds, frames=frames, threads=scale.threads)
    share = Spread.of(above / reading.inputs for above in reading.above)
    longer = ratio(times[long], times[short])
    return CaseReport(
        "long",
        CASES["long"],
        (
            Result(f"{long} instead of {short}, forward, times as long", longer, "×", "long"),
            Result(f"{long}, memory above the inputs, share of the inputs' size", share, "×", "long_memory"),
        ),
        tuple(
            Timed(f"{name}, forward", times[name], length)
            for name, length in zip(times, (scale.seconds, seconds))
        ),
        (f"{frames} frames of controls for {long}. The inputs take {reading.inputs / 1e6:.0f} MB.",),
    )
