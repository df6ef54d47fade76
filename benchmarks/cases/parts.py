"""Where the time inside the default mixer goes: every operator that runs, by the part of the work that called it.

A dispatch mode of PyTorch sees each operator and adds its time to the part that is being worked on. What the mode
itself costs stands outside; what Python does between operators is the difference to the wall time.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import djgraph_fx
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result
from benchmarks.timing import Spread
from djgraph.runtime import controls, lent, region, tilework

FFTS = {"_fft_r2c", "_fft_c2r", "_fft_c2c"}
PARTS: dict[str, tuple[tuple[Any, str], ...]] = {
    "masks of eq3, lowpass, highpass": ((tilework.TileWork, "gains"),),
    "gains times spectra, sums": ((tilework.TileWork, "mix"),),
    "gradients of gains and spectra": ((region, "adjoint"),),
    "windows and frames": tuple((tilework.TileWork, name) for name in ("strips", "seeds", "analyse")),
    "windows and overlap-add": tuple((tilework.TileWork, name) for name in ("write", "audio_gradient")),
    "strips side by side, faders": ((tilework.TileWork, "audio"),),
    "curves between control frames": (
        (lent.StretchControls, "__init__"),
        (lent.StretchControls, "add_gradients"),
        (lent.ClipControls, "__init__"),
        (controls.ControlReader, "__call__"),
    ),
    "reverb without its FFTs": ((djgraph_fx.Reverb, "process"),),
    "delay": ((djgraph_fx.Delay, "process"),),
}
OTHER = "everything else, autograd's own among it"


class _Stopwatch(TorchDispatchMode):
    """Seconds by part."""

    def __init__(self, parts: list[str]) -> None:
        super().__init__()
        self.parts = parts
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        start = time.perf_counter()
        made = func(*args, **(kwargs or {}))
        part = "FFTs" if func.overloadpacket.__name__ in FFTS else self.parts[-1]
        self.seconds[part] += time.perf_counter() - start
        self.calls += 1
        return made


@contextmanager
def _parts() -> Iterator[list[str]]:
    """A stack whose top is the part that is being worked on."""
    stack = [OTHER]

    def within(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            stack.append(part)
            try:
                return function(*arguments, **named)
            finally:
                stack.pop()

        return run

    with ExitStack() as patches:
        for part, places in PARTS.items():
            for owner, name in places:
                patches.enter_context(patch.object(owner, name, within(part, getattr(owner, name))))
        yield stack


def run(context: Context) -> CaseReport:
    results, notes = [], []
    most = context.scale.threads
    try:
        for direction, wrap in {"forward": inference, "forward + backward": training}.items():
            program = wrap(context.mixer, context.stems, context.params)
            for count in sorted({1, most}):
                torch.set_num_threads(count)
                context.report(f"{direction}, {count}")
                label = f"{direction}, {count} thread{'s' if count > 1 else ''}"
                found, walls, calls = [], [], 0
                for _ in range(context.scale.slow_rounds + 1):
                    if program.before is not None:
                        program.before()
                    start = time.perf_counter()
                    program.run()
                    walls.append(time.perf_counter() - start)
                    if program.before is not None:
                        program.before()
                    with _parts() as parts, _Stopwatch(parts) as watch:
                        program.run()
                    found.append(watch.seconds)
                    calls = watch.calls
                found, walls = found[1:], walls[1:]  # the first one warms up
                for part in ("FFTs", *PARTS, OTHER):
                    if any(part in seconds for seconds in found):
                        results.append(_result(f"{label}: {part}", [s.get(part, 0.0) for s in found]))
                results.append(_result(f"{label}: all of it, without the stopwatch", walls))
                notes.append(f"{label}: {calls} operators.")
    finally:
        torch.set_num_threads(most)
    return CaseReport("parts", CASES["parts"], tuple(results), (), tuple(notes))


def _result(what: str, seconds: list[float]) -> Result:
    return Result(what, Spread.of(1000 * value for value in seconds), "ms")
