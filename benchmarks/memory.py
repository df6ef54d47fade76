"""Peak memory of one run above its inputs, each in a fresh process.

The fresh process makes the inputs, warms up on a clip of a twentieth of a second (which loads libraries, starts
threads and builds tables), hands freed memory back to the system, and notes its resident memory. Then the one
run, and the highest resident memory since: what the run held at its worst, result, gradients and first-use
caches included. Linux keeps that high-water mark and resets it on request; elsewhere it is the mark of the
whole process, which can only be higher.

    python -m benchmarks.memory plain backward --seconds 10 --frames 64 --threads 2
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.timing import Spread

ROOT = Path(__file__).resolve().parents[1]
MIXERS = ("djgraph", "plain")
MODES = ("forward", "backward", "backward-stems")
WARM_UP_SECONDS = 0.05


@dataclass(frozen=True)
class Reading:
    """Bytes: the inputs' own, and the peaks of several runs above them."""

    inputs: int
    above: tuple[int, ...]

    @property
    def megabytes(self) -> Spread:
        return Spread.of(value / 1e6 for value in self.above)


def measure(mixer: str, mode: str, *, seconds: float, frames: int, threads: int, runs: int = 1) -> Reading:
    """Starts ``runs`` processes, one after the other. Raises BenchmarkError where one fails."""
    command = [sys.executable, "-m", "benchmarks.memory", mixer, mode]
    command += ["--seconds", str(seconds), "--frames", str(frames), "--threads", str(threads)]
    found: list[dict[str, int]] = []
    for _ in range(runs):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"measuring the memory of {mixer} {mode} failed:\n{done.stderr.strip()}")
        found.append(json.loads(done.stdout))
    return Reading(found[0]["inputs"], tuple(item["above"] for item in found))


def _run_once(mixer: str, mode: str, seconds: float, frames: int, threads: int) -> dict[str, int]:
    import torch

    import djgraph
    from benchmarks.plain import PlainMixer
    from benchmarks.programs import inference, training
    from benchmarks.timing import Program
    from benchmarks.work import SAMPLE_RATE, make_params, make_stems, size_in_bytes

    torch.set_num_threads(threads)
    compiled = djgraph.compile("dj_mixer")
    module = compiled if mixer == "djgraph" else PlainMixer()

    def program(length: float) -> tuple[Program, int]:
        inputs = make_stems(compiled.graph, max(1, round(length * SAMPLE_RATE)))
        params = make_params(compiled.layout, frames)
        size = size_in_bytes(inputs)
        if mode == "forward":
            return inference(module, inputs, params), size
        return training(module, inputs, params, stems=mode == "backward-stems"), size

    program(WARM_UP_SECONDS)[0].run()
    measured, size = program(seconds)
    before = settle()
    measured.run()
    return {"inputs": size, "above": peak() - before}


def settle() -> int:
    """Gives back what is free, forgets the peak so far, and returns the bytes that are resident now."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:  # not allowed here: the peak is then that of the whole process, as elsewhere
            return peak()
    return resident()


def resident() -> int:
    """The number of resident bytes now; their peak where the system cannot tell."""
    return _status("VmRSS") if sys.platform == "linux" else peak()


def peak() -> int:
    """The highest number of resident bytes, since :func:`settle` where the system can tell."""
    if sys.platform == "linux":
        return _status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise BenchmarkError(f"this system does not report {field}")


def main(arguments: list[str] | None = None) -> None:
    """Measures in this very process and prints JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.splitlines()[0])
    parser.add_argument("mixer", choices=MIXERS)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    given: Any = parser.parse_args(arguments)
    print(json.dumps(_run_once(given.mixer, given.mode, given.seconds, given.frames, given.threads)))


if __name__ == "__main__":
    main()
