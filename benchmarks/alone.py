"""The plain baseline in a process where no mixer of djgraph was made.

A mixer makes the C library keep freed memory (``djgraph.runtime.heap``), from which the plain program gains too where
it runs in the same process. Nobody who uses it without djgraph has that.

    python -m benchmarks.alone forward --rounds 5
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.memory import ROOT
from benchmarks.timing import Times
from benchmarks.work import FULL, Scale

MODES = ("forward", "backward", "backward-stems")


def measure(mode: str, scale: Scale, rounds: int) -> Times:
    """Starts the process. Raises BenchmarkError where it fails."""
    command = [sys.executable, "-m", "benchmarks.alone", mode, "--rounds", str(rounds)]
    command += [
        "--seconds",
        str(scale.seconds),
        "--frames",
        str(scale.frames),
        "--threads",
        str(scale.threads),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"measuring the plain baseline alone failed:\n{done.stderr.strip()}")
    return Times(tuple(json.loads(done.stdout)))


def main(arguments: list[str] | None = None) -> None:
    """Measures in this very process and prints the seconds of each round as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alone", description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--rounds", type=int, default=FULL.rounds)
    parser.add_argument("--seconds", type=float, default=FULL.seconds)
    parser.add_argument("--frames", type=int, default=FULL.frames)
    parser.add_argument("--threads", type=int, default=FULL.threads)
    given: Any = parser.parse_args(arguments)

    import torch

    import djgraph
    from benchmarks.plain import PlainMixer
    from benchmarks.programs import inference, training
    from benchmarks.timing import interleave
    from benchmarks.work import make_params, make_stems

    torch.set_num_threads(given.threads)
    graph = djgraph.load("dj_mixer")  # no mixer is made of it
    scale = Scale(seconds=given.seconds, frames=given.frames)
    inputs = make_stems(graph, scale.samples)
    params = make_params(djgraph.ParameterLayout.from_graph(graph), scale.frames)
    plain = PlainMixer()
    if given.mode == "forward":
        program = inference(plain, inputs, params)
    else:
        program = training(plain, inputs, params, stems=given.mode == "backward-stems")
    print(json.dumps(interleave({"plain": program}, given.rounds)["plain"].seconds))


if __name__ == "__main__":
    main()
