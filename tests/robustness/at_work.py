"""A process that writes files over and over, to be killed: ``python at_work.py``.

It says "ready" after the first round.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from two_decks import GRAPH

import djgraph
from djgraph import checkpoint
from djgraph.cli import main

INPUTS = ["-i", "left=library/one", "-i", "right=library/two"]


def run(*words: str) -> None:
    """A command; ends the process with its code where that is not 0."""
    code = main(words)
    if code:
        sys.stdout.flush()
        sys.exit(code)


def render(number: int) -> None:
    run(
        "render",
        "two.json",
        *INPUTS,
        "-t",
        "equal_power",
        "--tracks",
        "left,right",
        "-o",
        "mix.flac",
        "--json",
    )


def layout(number: int) -> None:
    run("layout", "dj_mixer", "--format", "json" if number % 2 else "csv", "-o", "layout.txt")


def fit(number: int) -> None:
    run(
        "fit",
        "two.json",
        *INPUTS,
        "--target",
        "library/one/drums.wav",
        "--steps",
        "0",
        "-o",
        "moves.json",
        "--report",
        "report.json",
    )


def dataset(number: int) -> None:
    count = str(2 + number)
    run(
        "dataset",
        "make",
        "corpus",
        "--tracks",
        "library",
        "--graph",
        "two.json",
        "--seconds",
        "0.2",
        "-n",
        count,
        "-j",
        "1",
    )


def save(number: int) -> None:
    model = {"weight": torch.full((1000, 500), float(number)), "step": number}
    checkpoint.save("model.safetensors", {"model": model}, djgraph.compile(GRAPH).layout)


WORK: list[Callable[[int], None]] = [render, layout, fit, dataset, save]

if __name__ == "__main__":
    Path("two.json").write_text(json.dumps(GRAPH))
    said = sys.stdout
    sys.stdout = open("said.txt", "w")  # noqa: SIM115 (until the end)
    try:
        for number in count():
            for work in WORK:
                work(number)
            if number == 0:
                print("ready", file=said, flush=True)
    except KeyboardInterrupt:  # between two commands
        sys.exit(130)
