"""A corpus that is made in a blink, and the example scripts as functions."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from torch import distributed
from two_decks import GRAPH, RATE

from djgraph.data import make_corpus

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
QUICK = [
    "--device",
    "cpu",
    "--hidden",
    "8",
    "--bands",
    "4",
    "--per-beat",
    "2",
    "--batch",
    "2",
    "--held-out",
    "0.2",
]

Script = Callable[..., int]


def write_tracks(root: Path) -> Path:
    """Two tracks of 3 s: noise that comes and goes with the beat."""
    for number, (name, tempo) in enumerate((("one", 120.0), ("two", 150.0))):
        folder = root / name
        folder.mkdir(parents=True)
        for i, stem in enumerate(("drums", "bass", "vocals", "other")):
            noise = np.random.default_rng([number, i]).standard_normal((3 * RATE, 2))
            pulse = 0.5 + 0.5 * np.cos(2 * np.pi * np.arange(3 * RATE) / RATE * tempo / 60)
            soundfile.write(folder / f"{stem}.wav", 0.1 * noise * pulse[:, None], RATE)
        (folder / "track.json").write_text(json.dumps({"tempo": tempo, "beats": [0.1, 0.1 + 60 / tempo]}))
    return root


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven transitions of a second."""
    root = tmp_path_factory.mktemp("training")
    write_tracks(root / "tracks")
    make_corpus(
        root / "corpus",
        tracks=root / "tracks",
        graph=GRAPH,
        count=7,
        workers=1,
        seconds=1.0,
        curves=0.0,
        recipes=["equal_power", "cut"],
    )
    return root / "corpus"


@pytest.fixture
def script() -> Iterator[Callable[[str], Script]]:
    """``script("train_transition")(arguments…)``: its exit code."""
    sys.path.insert(0, str(EXAMPLES))
    before = set(sys.modules)

    def find(name: str) -> Script:
        module, common = importlib.import_module(name), importlib.import_module("common")

        def call(*arguments: object) -> int:
            found: int = common.script(module.main, [str(argument) for argument in arguments])
            return found

        return call

    yield find
    assert not distributed.is_initialized()
    assert "WORLD_SIZE" not in os.environ
    sys.path.remove(str(EXAMPLES))
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("common", "train_transition", "djtransgan", "play_transition"):
            del sys.modules[name]
