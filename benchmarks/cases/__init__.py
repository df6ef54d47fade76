"""The cases, one module each, in the order in which they run. A case is ``run(context) → CaseReport``."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from benchmarks.context import Context
from benchmarks.results import CaseReport

CASES: dict[str, str] = {
    "forward": "forward, against the plain baseline",
    "backward": "forward and backward, against the plain baseline",
    "memory": "peak memory above the inputs, against the plain baseline",
    "pedalboard": "forward, against Pedalboard with fixed and with automated settings",
    "ffts": "forward, against the bare FFTs that it cannot avoid",
    "parts": "where the time inside goes",
    "stems": "64 stems instead of 8",
    "long": "5 minutes instead of 10 s: time and memory",
    "console": "a console of 100 effects: grouped against one by one",
    "step": "a whole training step: model, mixer and loss",
    "batch": "16 clips of 5 s at once, against 16 single calls",
    "compiling": "time to load and compile, and how it grows with the graph",
    "peers": "GRAFX and dasp-pytorch on like work",
    "recursions": "filters and envelopes with moving controls, against torchlpc and torchaudio",
    "deck": "decks at a rate that varies at every sample, against real time and constant resamplers",
    "key_lock": "decks at another tempo with their pitch kept, against real time and Signalsmith Stretch",
    "effects": "effects one by one, against Pedalboard's, and the compressor against torchcomp",
    "repertoire": "what each effect costs by itself",
    "threads": "one thread and two",
    "double": "float64",
    "engines": "the CPU's vector units and PyTorch's operators",
    "files": "an hour from file to file in blocks: memory and time",
    "live": "a stream in short blocks: the time of a block over its length",
    "causal": "the causal lowering against the studio one: whole clips, and blocks of 128",
    "hour": "an hour of the default mixer from files to a file: memory, and time against the whole-clip rate",
    "gpu": "a GPU, where one is at hand: batch 16, against the plain baseline there",
}


def find(name: str) -> Callable[[Context], CaseReport]:
    """The function that runs a case."""
    run: Callable[[Context], CaseReport] = importlib.import_module(f"benchmarks.cases.{name}").run
    return run
