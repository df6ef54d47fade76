"""Many candidates for one set of stems, spread (``expand``) and copied: time of the processor and peak memory, side
by side.

Each variant runs in a fresh process (:mod:`benchmarks.memory` says how memory is measured); times are of the processor,
the least of several rounds. ``region``: the spectral region alone, without reverbs, delays and outputs. With
``--stems`` those spread are a batch of one, and get gradients, too.

    python -m benchmarks.candidates --candidates 64 --seconds 4 --frames 20
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.memory import ROOT, peak, settle
from benchmarks.work import SAMPLE_RATE

VARIANTS = ("spread", "copied")


def measure(
    variant: str, *, candidates: int, seconds: float, frames: int, of_stems: bool = False
) -> dict[str, float]:
    """Starts a process. Raises BenchmarkError where it fails."""
    sizes = ["--candidates", str(candidates), "--seconds", str(seconds), "--frames", str(frames)]
    command = [sys.executable, "-m", "benchmarks.candidates", "--variant", variant, *sizes]
    command += ["--stems"] if of_stems else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"measuring {variant} stems failed:\n{done.stderr.strip()}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _run_once(variant: str, candidates: int, seconds: float, frames: int, of_stems: bool) -> dict[str, float]:
    import torch

    import djgraph
    from benchmarks.work import make_stems
    from djgraph.region.engines.shared import Shared
    from djgraph.region.engines.vectors import Vectors

    torch.set_num_threads(1)
    mixer = djgraph.compile("dj_mixer")
    region: dict[str, list[float]] = {"forward": [], "backward": []}
    for engine in (Shared, Vectors):
        for way, spent in region.items():
            method = getattr(engine, way)

            def timed(self: Any, *arguments: Any, run: Any = method, spent: Any = spent) -> Any:
                begun = time.process_time()
                result = run(self, *arguments)
                spent.append(time.process_time() - begun)
                return result

            setattr(engine, way, timed)

    def inputs(samples: int) -> Any:
        stems = make_stems(mixer.graph, samples)

        def changed(stem: Any) -> Any:
            if variant == "copied":
                return stem.requires_grad_(of_stems).repeat(candidates, 1, 1)
            return stem.requires_grad_() if of_stems else stem.expand(candidates, -1, -1)

        return {t: {s: changed(x) for s, x in one.items()} for t, one in stems.items()}

    generator = torch.Generator().manual_seed(0)
    unit = torch.rand(candidates, frames, len(mixer.layout), generator=generator)
    params = mixer.layout.from_unit(unit)
    with torch.no_grad():
        mixer(inputs(SAMPLE_RATE // 10), params)
    before = settle()
    stems = inputs(round(seconds * SAMPLE_RATE))
    found: dict[str, float] = {}
    region["forward"].clear()
    for _ in range(3):
        with torch.no_grad():
            begun = time.process_time()
            mixer(stems, params)
            found["forward"] = min(found.get("forward", 1e9), time.process_time() - begun)
    found["region"] = min(region["forward"])
    found["forward peak"] = peak() - before
    for _ in range(2):
        moved = params.clone().requires_grad_()
        begun = time.process_time()
        mixer(stems, moved).square().mean().backward()
        found["both"] = min(found.get("both", 1e9), time.process_time() - begun)
    found["region back"] = min(region["backward"])
    found["both peak"] = peak() - before
    return found


def main(arguments: list[str] | None = None) -> None:
    """Prints a table, or, of one variant, JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.candidates", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--candidates", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--variant", choices=VARIANTS)
    parser.add_argument("--stems", action="store_true", help="gradients of the stems, too")
    given: Any = parser.parse_args(arguments)
    sizes = {
        "candidates": given.candidates,
        "seconds": given.seconds,
        "frames": given.frames,
        "of_stems": given.stems,
    }
    if given.variant:
        print(json.dumps(_run_once(given.variant, **sizes)))
        return
    spread, copied = (measure(variant, **sizes) for variant in VARIANTS)
    print(f"{'':<14}{'spread':>10}{'copied':>10}{'ratio':>8}")
    for name, value in spread.items():
        scale, unit = (1e6, "MB") if "peak" in name else (1e-3, "ms")
        shown = f"{value / scale:>7.0f} {unit}{copied[name] / scale:>7.0f} {unit}"
        print(f"{name:<14}{shown}{copied[name] / value:>8.2f}")


if __name__ == "__main__":
    main()
