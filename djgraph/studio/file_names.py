"""Names of what goes out of a project: plain ones, at which nothing lies."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from pathlib import Path

from djgraph.rendering import paths_beside


def plain(name: str) -> str:
    """A name of a file without anything that leads elsewhere, or that a system would mind."""
    kept = re.sub(r"[^\w .()+&'-]+", " ", name)
    kept = re.sub(r"\s+", " ", kept).strip(" .")[:80].strip(" .")
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", kept)
    return f"{kept}_" if reserved else kept or "mix"


def written(path: Path, outputs: Sequence[str] = ()) -> set[Path]:
    """All that will lie at a path and beside it. outputs: of a mix."""
    return {path, *paths_beside(path, outputs).values()}


def free_path(
    folder: Path, name: str, ending: str, outputs: Sequence[str] = (), taken: Set[Path] = frozenset()
) -> Path:
    """``name`` and ``ending``, with a number between them where something lies there, beside it, or among ``taken``."""
    number = 1
    while True:
        path = folder / f"{name if number == 1 else f'{name} {number}'}{ending}"
        others = path.with_name(f"{path.stem}.moves.yaml"), path.with_name(f"{path.stem} stems")
        own = written(path, outputs)
        if own.isdisjoint(taken) and not any(one.exists() for one in (*own, *others)):
            return path
        number += 1
