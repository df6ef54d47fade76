"""Whether a place holds a corpus, may become one, and is nobody else's meanwhile."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from djgraph.data import store
from djgraph.data.description import FILE
from djgraph.data.plan import DEMO
from djgraph.errors import CorpusError, InputError


def check_source(fresh: bool, tracks: object, demo: bool) -> None:
    """InputError where a new corpus has nothing to be made of."""
    if fresh and tracks is None and not demo:
        raise InputError(
            "what is to be mixed? give tracks, folders of stems, or demo=True (--tracks, --demo)"
        )


def foreign(names: Iterable[str]) -> list[str]:
    """Those of the files at a place that no corpus leaves behind that was stopped in its first second: the graph's copy
    and the demo's tracks."""
    own = {DEMO, "graph.yaml", "graph.json", "graph.yml"}
    return sorted(name for name in names if name not in own and not name.startswith("."))


def is_fresh(root: Path) -> bool:
    """Whether a folder may become a corpus; False where it is one. CorpusError for any other."""
    if (root / FILE).is_file():
        return False
    if root.exists() and not root.is_dir():
        raise CorpusError(f"{root} is a file; a corpus is a folder")
    if others := foreign(child.name for child in root.iterdir()) if root.is_dir() else []:
        raise CorpusError(
            f"{root} is neither empty nor a corpus: it has {', '.join(others[:5])}; choose a new folder"
        )
    return True


@contextlib.contextmanager
def locked_folder(root: Path, fresh: bool) -> Iterator[None]:
    """Nobody else makes the corpus meanwhile; a new folder goes where nothing comes of it."""
    new = not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CorpusError(f"{root} cannot be made: {problem.strerror or problem}") from problem
    try:
        with store.locked(root):
            yield
    except BaseException:
        if new and fresh and not (root / FILE).is_file():  # a mistake in the settings leaves nothing behind
            shutil.rmtree(root, ignore_errors=True)
        raise
