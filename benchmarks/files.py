"""A long file read, resampled, measured and written in blocks, in a fresh process: its peak memory and its time.

The file is 44.1 kHz stereo FLAC of noise, and becomes 48 kHz FLAC. A twentieth of a second is done first, which loads
libraries; then freed memory goes back to the system, and what is resident is noted. See :mod:`benchmarks.memory`.

    python -m benchmarks.files together --seconds 3600 --block 65536
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.memory import ROOT, WARM_UP_SECONDS, peak, settle
from benchmarks.work import SAMPLE_RATE

TARGET_RATE = 48000
PASSES = ("once", "together")
"""Written as it comes, or normalized in a second pass."""


@dataclass(frozen=True)
class Reading:
    """Peak resident bytes above those before the run, and the run's seconds."""

    above: int
    seconds: float


def measure(passes: str, *, seconds: float, block: int, threads: int) -> Reading:
    """Starts a process. Raises BenchmarkError where it fails."""
    command = [sys.executable, "-m", "benchmarks.files", passes, "--seconds", str(seconds)]
    command += ["--block", str(block), "--threads", str(threads)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"measuring files in blocks failed:\n{done.stderr.strip()}")
    return Reading(**json.loads(done.stdout))


def _make(path: Path, seconds: float) -> None:
    import torch

    from djgraph.audio import open_outputs

    generator, left = torch.Generator().manual_seed(0), max(1, round(seconds * SAMPLE_RATE))
    with open_outputs({"file": path}, SAMPLE_RATE, {"file": 2}) as outputs:
        while left:
            samples = min(left, 1 << 16)
            outputs.write({"file": 0.1 * torch.randn(2, samples, generator=generator)})
            left -= samples


def _convert(source: Path, target: Path, block: int, passes: str) -> None:
    from djgraph.audio import open_blocks, open_outputs

    normalize: Any = None if passes == "once" else passes
    with (
        open_blocks(source, TARGET_RATE) as reader,
        open_outputs(
            {"mix": target}, TARGET_RATE, {"mix": 2}, samples=reader.samples, normalize=normalize
        ) as out,
    ):
        while (audio := reader.read(block)).shape[1]:
            out.write({"mix": audio})


def _run_once(passes: str, seconds: float, block: int, threads: int) -> dict[str, float]:
    import torch

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        short, long, target = (Path(folder, name) for name in ("short.flac", "long.flac", "target.flac"))
        _make(short, WARM_UP_SECONDS)
        _make(long, seconds)
        _convert(short, target, block, passes)
        before = settle()
        started = time.perf_counter()
        _convert(long, target, block, passes)
        return {"seconds": time.perf_counter() - started, "above": peak() - before}


def main(arguments: list[str] | None = None) -> None:
    """Measures in this very process and prints JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__.splitlines()[0])
    parser.add_argument("passes", choices=PASSES)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--block", type=int, default=1 << 16)
    parser.add_argument("--threads", type=int, default=2)
    given: Any = parser.parse_args(arguments)
    print(json.dumps(_run_once(given.passes, given.seconds, given.block, given.threads)))


if __name__ == "__main__":
    main()
