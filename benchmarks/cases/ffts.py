"""Forward, against the bare FFTs that the mixer cannot avoid."""

from __future__ import annotations

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.peers.transforms import Transforms
from benchmarks.programs import inference
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, ratio


def run(context: Context) -> CaseReport:
    response = context.plain.reverb.response.shape[-1]
    transforms = Transforms(context.scale.samples, response)
    times = context.time(
        {
            "djgraph, forward": inference(context.mixer, context.stems, context.params),
            "bare FFTs": Program(transforms),
        }
    )
    longer = ratio(times["djgraph, forward"], times["bare FFTs"])
    return CaseReport(
        "ffts",
        CASES["ffts"],
        (Result("forward, times as long as the bare FFTs", longer, "×", "ffts"),),
        (
            Timed("djgraph, forward", times["djgraph, forward"], context.scale.seconds),
            Timed("bare FFTs", times["bare FFTs"], context.scale.seconds, "djgraph, forward"),
        ),
        (f"Counted: {transforms.describe()}.",),
    )
