"""float64 against float32 and against the plain baseline in float64."""

from __future__ import annotations

import torch

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.plain import PlainMixer
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, ratio
from benchmarks.work import make_params, make_stems

DIRECTIONS = {"forward": inference, "forward + backward": training}


def run(context: Context) -> CaseReport:
    scale, dtype = context.scale, torch.float64
    stems = make_stems(context.mixer.graph, scale.samples, dtype=dtype)
    params = make_params(context.mixer.layout, scale.frames, dtype=dtype)
    plain = PlainMixer(dtype=dtype)
    programs: dict[str, Program] = {}
    for direction, wrap in DIRECTIONS.items():
        programs[f"djgraph, {direction}, float32"] = wrap(context.mixer, context.stems, context.params)
        programs[f"djgraph, {direction}, float64"] = wrap(context.mixer, stems, params)
        programs[f"plain, {direction}, float64"] = wrap(plain, stems, params)
    times = context.time(programs, slow=True)
    results = []
    for direction in DIRECTIONS:
        single, double, other = (
            times[f"{name}, {direction}, {kind}"]
            for name, kind in (("djgraph", "float32"), ("djgraph", "float64"), ("plain", "float64"))
        )
        results += [
            Result(f"{direction}, float64, times as long as float32", ratio(double, single), "×"),
            Result(f"{direction}, float64, against the plain baseline", ratio(other, double), "×"),
        ]
    return CaseReport(
        "double",
        CASES["double"],
        tuple(results),
        tuple(Timed(name, times[name], scale.seconds) for name in times),
    )
