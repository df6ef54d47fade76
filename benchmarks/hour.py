"""An hour through the default mixer from files to a file, in a fresh process: its peak memory and its time.

What ``djgraph render`` does: stems are read, mixed and written block by block. See :mod:`benchmarks.memory` for how
memory is measured. A second of the same is done first, which loads libraries and compiles code.

    python -m benchmarks.hour --seconds 3600 --threads 2
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
from benchmarks.memory import ROOT, peak, settle
from benchmarks.work import SAMPLE_RATE

TRACKS, STEMS = ("track_a", "track_b"), ("drums", "bass", "vocals", "other")


@dataclass(frozen=True)
class Reading:
    """above: peak resident bytes above those before the run. seconds: of the whole run; mixing: in the mixer; whole:
    what the mixer takes for ten seconds at once."""

    above: int
    seconds: float
    mixing: float
    whole: float


def measure(*, seconds: float, threads: int) -> Reading:
    """Starts a process. Raises BenchmarkError where it fails."""
    command = [sys.executable, "-m", "benchmarks.hour", "--seconds", str(seconds), "--threads", str(threads)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"measuring an hour failed:\n{done.stderr.strip()}")
    return Reading(**json.loads(done.stdout))


def _make(folder: Path, seconds: float) -> dict[str, Path]:
    """Noise that differs from stem to stem, as 16-bit FLAC."""
    import torch

    from djgraph.audio import open_outputs

    generator = torch.Generator().manual_seed(0)
    names = [f"{track}/{stem}" for track in TRACKS for stem in STEMS]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.flac" for name in names}
    with open_outputs(paths, SAMPLE_RATE, dict.fromkeys(names, 2), subtype="PCM_16") as outputs:
        left = round(seconds * SAMPLE_RATE)
        while left:
            count = min(left, 1 << 16)
            outputs.write({name: 0.05 * torch.randn(2, count, generator=generator) for name in names})
            left -= count
    return {track: folder / track for track in TRACKS}


def _render(mixer: Any, folders: dict[str, Path], out: Path) -> Any:
    from djgraph import automation
    from djgraph.cli.progress import Steps
    from djgraph.rendering import InputBlocks, Score, mix_down

    with InputBlocks(mixer.graph, folders, False) as source, Steps() as steps:
        seconds = source.samples / SAMPLE_RATE
        moves = automation.template("equal_power").fill(start=0.0, length=seconds)
        frames = moves.render_exact(mixer, samples=source.samples, sample_rate=SAMPLE_RATE)
        score = Score(frames.params, frames.positions)
        return mix_down(mixer, source, score, {"master": out}, steps)


def _run_once(seconds: float, threads: int) -> dict[str, float]:
    import torch

    import djgraph
    from benchmarks.work import make_params, make_stems

    torch.set_num_threads(threads)
    mixer = djgraph.compile("dj_mixer")
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        short, long = _make(Path(folder, "short"), 1.0), _make(Path(folder, "long"), seconds)
        _render(mixer, short, Path(folder, "mix.flac"))
        stems, params = make_stems(mixer.graph, 10 * SAMPLE_RATE), make_params(mixer.layout, 64)
        whole = []
        for _ in range(6):
            start = time.perf_counter()
            mixer(stems, params)
            whole.append(time.perf_counter() - start)
        del stems
        before = settle()
        start = time.perf_counter()
        summary = _render(mixer, long, Path(folder, "mix.flac"))
        return {
            "seconds": time.perf_counter() - start,
            "above": peak() - before,
            "mixing": summary.render_seconds,
            "whole": sorted(whole[1:])[2],
        }


def main(arguments: list[str] | None = None) -> None:
    """Measures in this very process and prints JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hour", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--threads", type=int, default=2)
    given: Any = parser.parse_args(arguments)
    print(json.dumps(_run_once(given.seconds, given.threads)))


if __name__ == "__main__":
    main()
