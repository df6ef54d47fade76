"""Names of what goes out of a project: plain ones, at which nothing lies."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from djgraph.rendering import paths_beside


def plain(name: str) -> str:
    """A name of a file without anything that leads elsewhere, or that a system would mind."""
    kept = re.sub(r"[^\w .()+&'-]+", " ", name)
    kept = re.sub(r"\s+", " ", kept).strip(" .")[:80].strip(" .")
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", kept)
    return f"{kept}_" if reserved else kept or "mix"


def written(path: Path, outputs: Sequence[str] = ()) -> set[Path]:
    """All that may lie at a path and beside it once it is written. outputs: of a mix."""
    beside = {path.with_name(f"{path.stem}.moves.yaml"), path.with_name(f"{path.stem} stems")}
    return {path, *beside, *paths_beside(path, outputs).values()}


def free_path(
    folder: Path, name: str, ending: str, outputs: Sequence[str] = (), taken: Collection[Path] = ()
) -> Path:
    """``name`` and ``ending``, with a number between them where something lies there, beside it, or among ``taken``."""
    number = 1
    while True:
        path = folder / f"{name if number == 1 else f'{name} {number}'}{ending}"
        if not any(one in taken or one.exists() for one in written(path, outputs)):
            return path
        number += 1
