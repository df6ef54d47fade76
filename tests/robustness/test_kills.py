"""Stopped at any moment: the old file or the new one is there, whole, and the next run goes on.

tests/data/test_corpus_kill.py looks closer at corpora.
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile
from interrupts import interruptible
from two_decks import RATE

from djgraph import audio, automation, checkpoint
from djgraph.data import Corpus, check_corpus, make_corpus

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")]

SCRIPT = Path(__file__).with_name("at_work.py")
SECONDS = 1.0
SIGNALS = {"SIGKILL": -9, "SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129}
"""With the exit code; SIGKILL leaves no choice."""


def stems(root: Path) -> None:
    """Two tracks of two stems."""
    for seed, (track, stem) in enumerate(product(("one", "two"), ("drums", "bass"))):
        folder = root / "library" / track
        folder.mkdir(parents=True, exist_ok=True)
        noise = 0.1 * np.random.default_rng(seed).standard_normal((round(SECONDS * RATE), 2)).clip(-3, 3)
        soundfile.write(folder / f"{stem}.wav", noise, RATE)


def look(root: Path) -> None:
    """Whether what the names show is whole."""
    mix, rate = audio.read(root / "mix.flac")
    assert (mix.shape[1], rate) == (SECONDS * RATE, RATE)
    text = (root / "layout.txt").read_text()
    columns = json.loads(text)["columns"] if text.startswith("{") else list(csv.DictReader(io.StringIO(text)))
    assert len(columns) == 54
    assert automation.load(root / "moves.json").curves
    assert json.loads((root / "report.json").read_text())
    model = checkpoint.load(root / "model.safetensors").state["model"]
    assert (model["weight"] == model["step"]).all()
    count, wrong = check_corpus(root / "corpus")
    assert all("missing" in text for text in wrong.values()), wrong
    made = make_corpus(root / "corpus", workers=1)
    assert (made.made, made.remade) == (len(wrong), ())
    assert len(Corpus(root / "corpus")) == count


def halves(root: Path) -> list[Path]:
    return [path for path in root.rglob(".*") if path.name.endswith(".part")]


@pytest.mark.parametrize("attempt", range(int(os.environ.get("DJGRAPH_KILLS", "1"))))
@pytest.mark.parametrize("name", SIGNALS)
def test_stopped_at_any_moment(tmp_path: Path, name: str, attempt: int) -> None:
    stems(tmp_path)
    with (
        interruptible(),
        subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready == "ready\n", process.communicate()
        time.sleep(Random(f"{attempt} {name}").uniform(0, 1))
        process.send_signal(signal.Signals[name])
        try:
            _, said = process.communicate(timeout=120)
        finally:
            process.kill()
    # By the signal itself where nobody asked for another end: between two commands, and while a checkpoint is saved.
    assert process.returncode in (SIGNALS[name], -signal.Signals[name]), said
    assert "Traceback" not in said
    assert "Aborted" not in said
    look(tmp_path)
    if process.returncode > 0:
        assert not halves(tmp_path)
