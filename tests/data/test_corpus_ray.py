"""A corpus made on Ray, one of whose workers is killed, is the one that this process makes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from two_decks import GRAPH

from djgraph.data import make_corpus
from djgraph.errors import CorpusError
from djgraph.jobs import Ray

from .conftest import tree

pytest.importorskip("ray", reason="needs Ray: pip install djgraph[scale]")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc"), reason="finds processes by /proc"),
]


def parent(process: str) -> str:
    status = Path("/proc", process, "stat").read_text()
    return status.rpartition(")")[2].split()[1]


def is_ours(process: str) -> bool:
    while process not in ("0", "1", ""):
        if process == str(os.getpid()):
            return True
        try:
            process = parent(process)
        except OSError:
            return False
    return False


def workers() -> list[int]:
    """Processes of Ray's workers that this process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::_Worker") and is_ours(folder.name):
            found.append(int(folder.name))
    return found


def test_a_lost_worker_changes_nothing(tmp_path: Path, library: Path) -> None:
    whole, root = tmp_path / "whole", tmp_path / "corpus"
    options = {"tracks": library, "graph": GRAPH, "seconds": 0.25, "count": 150}
    killed: list[int] = []

    def progress(done: int, _: int) -> None:
        if done >= 10 and not killed:
            killed.append(workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    said: list[str] = []
    made = make_corpus(root, workers=Ray(workers=2, told=said.append), progress=progress, **options)  # type: ignore[arg-type]
    assert made.made == 150
    assert killed
    assert any("lost" in words for words in said)
    make_corpus(whole, workers=1, **options)  # type: ignore[arg-type]
    assert tree(root) == tree(whole)


def test_a_machine_that_does_not_see_the_corpus(tmp_path: Path) -> None:
    from djgraph.data import store

    token = store.write_token(tmp_path)
    store.check_token(tmp_path, token)
    with pytest.raises(CorpusError, match=r"does not see .* that all machines share"):
        store.check_token(tmp_path / "other", token)
    store.sweep(tmp_path)
    assert not list(tmp_path.iterdir())
