"""On a GPU: batch 16, the work's clip length; time and memory, against the plain baseline there."""

from __future__ import annotations

import torch
from torch import Tensor

import djgraph
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.errors import Unavailable
from benchmarks.plain import PlainMixer
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, Spread, ratio
from benchmarks.work import Inputs, make_params, make_stems

DIRECTIONS = {"forward": inference, "forward + backward": training}


def run(context: Context) -> CaseReport:
    if not torch.cuda.is_available():
        raise Unavailable("there is no CUDA device here")
    scale = context.scale
    mixers = {"djgraph": djgraph.compile("dj_mixer").cuda(), "plain": PlainMixer().cuda()}
    stems: Inputs = {
        track: {name: audio.cuda() for name, audio in row.items()}
        for track, row in make_stems(context.mixer.graph, scale.samples, batch=scale.clips).items()
    }
    params: Tensor = make_params(context.mixer.layout, scale.frames, batch=scale.clips).cuda()
    programs = {
        f"{name}, {direction}": _synchronised(wrap(mixer, stems, params))
        for direction, wrap in DIRECTIONS.items()
        for name, mixer in mixers.items()
    }
    times = context.time(programs)
    peaks = {name: _peak(program) for name, program in programs.items()}
    results = []
    for direction in DIRECTIONS:
        ours, plain = f"djgraph, {direction}", f"plain, {direction}"
        what = f"GPU, batch {scale.clips}, {direction}"
        results += [
            Result(f"{what}, against the plain baseline", ratio(times[plain], times[ours]), "×"),
            Result(
                f"{what}, memory, share of the plain baseline's", Spread.of([peaks[ours] / peaks[plain]]), "×"
            ),
            Result(f"{what}, memory above the inputs", Spread.of([peaks[ours] / 1e6]), "MB"),
        ]
    audio = scale.clips * scale.seconds
    return CaseReport(
        "gpu",
        CASES["gpu"],
        tuple(results),
        tuple(Timed(name, times[name], audio) for name in times),
    )


def _synchronised(program: Program) -> Program:
    def run() -> None:
        program.run()
        torch.cuda.synchronize()

    return Program(run, program.before)


def _peak(program: Program) -> int:
    """Bytes that one run has allocated at its worst, above what there was before."""
    if program.before is not None:
        program.before()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    program.run()
    return int(torch.cuda.max_memory_allocated() - before)
