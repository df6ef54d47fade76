"""A corpus survives SIGKILL, and Ctrl-C, in the middle of its making."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from interrupts import interruptible
from two_decks import GRAPH

from djgraph.data import Corpus, check_corpus, make_corpus
from djgraph.errors import CorpusError

from .conftest import tree

COUNT = 150
MANY = 1500
"""So many that they are not all made by the time that a signal is noticed, however fast the machine."""
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")]


def items(root: Path) -> list[Path]:
    return list(root.glob("shard-*/0*"))


@pytest.fixture
def command(tmp_path: Path, library: Path) -> list[str]:
    graph = tmp_path / "graph.json"
    graph.write_text(json.dumps(GRAPH, indent=1) + "\n")
    options = ["--tracks", library, "--graph", graph, "--count", COUNT, "--seconds", 0.25, "--workers", 2]
    return [sys.executable, "-m", "djgraph", "dataset", "make", *map(str, options)]


def stop_midway(
    command: list[str], root: Path, stop: Callable[[subprocess.Popen[str]], None]
) -> tuple[int, str]:
    """Run the command and stop it once some items are there; its exit code and what it said."""
    with (
        interruptible(),
        subprocess.Popen([*command, str(root)], stderr=subprocess.PIPE, text=True) as process,
    ):
        while len(items(root)) < 3:
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        stop(process)
        _, said = process.communicate(timeout=60)
    return process.returncode, said


def ended(root: Path, seconds: float = 30.0) -> None:
    """Wait until nothing changes any more: until the workers have noticed."""
    until, before = time.monotonic() + seconds, -1
    while (now := len(items(root))) != before:
        assert time.monotonic() < until
        before = now
        time.sleep(0.5)


def test_kill(tmp_path: Path, command: list[str]) -> None:
    root, whole = tmp_path / "killed", tmp_path / "whole"
    code, _ = stop_midway(command, root, subprocess.Popen.kill)
    assert code == -signal.SIGKILL
    ended(root)
    there = len(items(root))
    assert 3 <= there < COUNT
    # Every item that has its name is whole; the manifest was never written, and is not needed to go on.
    count, wrong = check_corpus(root)
    assert count - len(wrong) == there
    assert all("missing" in text for text in wrong.values())
    with pytest.raises(CorpusError, match=f"half written: {there} of {COUNT}"):
        Corpus(root)
    made = make_corpus(root, workers=1)
    assert (made.made, made.kept, made.remade) == (COUNT - there, there, ())
    make_corpus(
        whole,
        tracks=tmp_path / "library",
        graph=tmp_path / "graph.json",
        count=COUNT,
        seconds=0.25,
        workers=1,
    )
    assert tree(root) == tree(whole)
    assert len(Corpus(root)) == COUNT


def test_interrupt(tmp_path: Path, command: list[str]) -> None:
    root = tmp_path / "interrupted"
    command[command.index("--count") + 1] = str(MANY)
    code, said = stop_midway(command, root, lambda process: process.send_signal(signal.SIGINT))
    assert code == 130
    assert "Traceback" not in said
    assert f"djgraph dataset make {root} goes on" in said
    there = len(items(root))
    assert f"of {MANY} items are done" in said
    assert not list(root.glob("shard-*/.*"))  # nothing half written
    assert len((root / "manifest.jsonl").read_text().splitlines()) <= there
    assert len(Corpus(root, partial=True)) == there
