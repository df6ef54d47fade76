"""Clips in one batch against as many single calls, forward, and forward and backward."""

from __future__ import annotations

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, ratio
from benchmarks.work import items, make_params, make_stems


def run(context: Context) -> CaseReport:
    scale, mixer = context.scale, context.mixer
    stems = make_stems(mixer.graph, scale.samples_of(scale.clip_seconds), batch=scale.clips)
    params = make_params(mixer.layout, scale.frames, batch=scale.clips)
    programs: dict[str, Program] = {}
    for direction, wrap in (("forward", inference), ("forward + backward", training)):
        singles = [
            wrap(mixer, items(stems, index), params[index : index + 1]) for index in range(scale.clips)
        ]
        programs[f"one batch, {direction}"] = wrap(mixer, stems, params)
        programs[f"single calls, {direction}"] = _one_after_another(singles)
    times = context.time(programs, slow=True)
    clips = f"{scale.clips} clips of {scale.clip_seconds:g} s"
    results = [
        Result(
            f"{clips} at once against single calls, {direction}",
            ratio(times[f"single calls, {direction}"], times[f"one batch, {direction}"]),
            "×",
            "batch",
        )
        for direction in ("forward", "forward + backward")
    ]
    audio = scale.clips * scale.clip_seconds
    return CaseReport(
        "batch",
        CASES["batch"],
        tuple(results),
        tuple(Timed(name, times[name], audio) for name in times),
        ("Every clip has stems and controls of its own.",),
    )


def _one_after_another(programs: list[Program]) -> Program:
    def before() -> None:
        for program in programs:
            if program.before is not None:
                program.before()

    def run() -> None:
        for program in programs:
            program.run()

    return Program(run, before)
