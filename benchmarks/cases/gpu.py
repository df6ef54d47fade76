"""On a GPU: batch 16, the work's clip length; time and memory, against the plain baseline and the memory's bandwidth.

The floor is the time in which the bytes that cannot be avoided move at the speed of a copy: forward the stems are read
and the mix is written; backward the stems and the mix's gradient are read once more, and the gradient is made. Spectra,
curves and the reverb's transforms are not in it: a floor, not an estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

import djgraph
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.errors import Unavailable
from benchmarks.plain import PlainMixer
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, Spread, Times, ratio
from benchmarks.work import Inputs, make_params, make_stems, tensors
from djgraph.mixer import Mixer
from djgraph.replay import Replayed

DIRECTIONS: dict[str, Callable[..., Program]] = {"forward": inference, "forward + backward": training}
DEVICE = "cuda"
COPIED, COPIES = 1 << 30, 10
"""Bytes of the copy that bandwidth is measured with, and how often."""


def run(context: Context) -> CaseReport:
    if not torch.cuda.is_available():
        raise Unavailable("there is no CUDA device here")
    scale = context.scale
    mixer, plain = djgraph.compile("dj_mixer").cuda(), PlainMixer().cuda()
    stems: Inputs = {
        track: {name: audio.cuda() for name, audio in row.items()}
        for track, row in make_stems(context.mixer.graph, scale.samples, batch=scale.clips).items()
    }
    params: Tensor = make_params(context.mixer.layout, scale.frames, batch=scale.clips).cuda()
    programs = {}
    for direction, wrap in DIRECTIONS.items():
        programs[f"djgraph, {direction}"] = _synchronised(wrap(mixer, stems, params))
        programs[f"djgraph replayed, {direction}"] = _synchronised(_replayed(mixer, stems, params, wrap))
        programs[f"plain, {direction}"] = _synchronised(wrap(plain, stems, params))
    times = context.time(programs)
    peaks = {name: _peak(program) for name, program in programs.items()}
    bandwidth = _bandwidth()
    moved = _bytes(stems)
    results = [Result("GPU, a copy's bandwidth", Spread.of([bandwidth / 1e6]), "MB")]
    for direction in DIRECTIONS:
        floor = moved[direction] / bandwidth
        peer = f"plain, {direction}"
        what = f"GPU, batch {scale.clips}, {direction}"
        for name in ("djgraph", "djgraph replayed"):
            ours = f"{name}, {direction}"
            label = what if name == "djgraph" else f"{what}, as a CUDA graph"
            against = ratio(times[peer], times[ours])
            results += [
                Result(f"{label}, against the plain baseline", against, "×", "gpu"),
                Result(f"{label}, times the floor", _over(times[ours], floor), "×", "gpu_floor"),
            ]
        share = peaks[f"djgraph, {direction}"] / peaks[peer]
        results += [
            Result(f"{what}, the floor", Spread.of([1000 * floor]), "ms"),
            Result(f"{what}, memory, share of the plain baseline's", Spread.of([share]), "×"),
            Result(
                f"{what}, memory above the inputs", Spread.of([peaks[f"djgraph, {direction}"] / 1e6]), "MB"
            ),
        ]
    audio = scale.clips * scale.seconds
    notes = (
        f"On {torch.cuda.get_device_name()}. A copy moves {bandwidth / 1e9:.0f} GB/s, read and written. The floor: "
        f"{moved['forward'] / 1e6:.0f} MB forward, {moved['forward + backward'] / 1e6:.0f} MB with backward.",
    )
    return CaseReport(
        "gpu", CASES["gpu"], tuple(results), tuple(Timed(name, times[name], audio) for name in times), notes
    )


def _replayed(mixer: Mixer, stems: Inputs, params: Tensor, wrap: Callable[..., Program]) -> Program:
    """The same program on a mixer that is recorded."""
    leaf = params.detach().clone().requires_grad_(wrap is training)
    recorded: Any = Replayed(mixer, stems, leaf)
    return wrap(recorded, stems, params)


def _bytes(stems: Inputs) -> dict[str, int]:
    """What has to move at least, by direction."""
    first = next(iter(tensors(stems)))
    read = sum(audio.numel() * audio.element_size() for audio in tensors(stems))
    mix = first.numel() * first.element_size()
    return {"forward": read + mix, "forward + backward": 2 * read + 4 * mix}


def _bandwidth() -> float:
    """Bytes a second that a copy on the device reads and writes: the best of some."""
    size = min(COPIED, torch.cuda.mem_get_info()[0] // 8)
    source = torch.empty(size, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    best = 0.0
    for _ in range(COPIES):
        torch.cuda.synchronize()
        start = perf_counter()
        target.copy_(source)
        torch.cuda.synchronize()
        best = max(best, 2 * size / (perf_counter() - start))
    return best


def _over(times: Times, floor: float) -> Spread:
    return Spread.of(seconds / floor for seconds in times.seconds)


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
