"""Where projects lie: a folder for each below the user's state directory, found by what they are played with."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

from djgraph.studio.keeping import saves_of
from djgraph.studio.project import Origin


def state_folder() -> Path:
    """Of all projects: ``DJGRAPH_STUDIO``, or below the directory that the system has for such."""
    if said := os.environ.get("DJGRAPH_STUDIO"):
        return Path(said)
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    return base / "djgraph" / "studio"


def name_of(origin: Origin) -> str:
    """A folder's name for what is played: the graph's or set's, and a digest of it all."""
    word = Path(origin.set or origin.graph).stem
    word = re.sub(r"[^A-Za-z0-9_-]+", "-", word).strip("-")[:40] or "project"
    plain = Origin()
    same = origin.model_copy(
        update={
            key: getattr(plain, key)
            for key in ("target", "fitted", "intervals", "lowering", "tempo", "clock", "folders")
        }
    )
    digest = hashlib.sha256(same.model_dump_json().encode()).hexdigest()[:10]
    return f"{word}-{digest}"


def folder_of(origin: Origin, new: bool = False) -> Path:
    """The folder of the project that was last worked on with this; with ``new`` one that is not there yet."""
    base, name = state_folder(), name_of(origin)
    there = [path for path in base.glob(f"{name}*") if re.fullmatch(r"(\.\d+)?", path.name[len(name) :])]
    if new and there:
        taken = {path.name for path in there}
        return base / next(free for n in range(2, len(there) + 3) if (free := f"{name}.{n}") not in taken)
    used = [path for path in there if saves_of(path)]
    return max(used, key=_last, default=base / name)


def last_folder() -> Path | None:
    """The folder of the project that was saved last; None where there is none."""
    base = state_folder()
    used = [path for path in base.iterdir() if saves_of(path)] if base.is_dir() else []
    return max(used, key=_last, default=None)


def _last(folder: Path) -> tuple[float, int]:
    newest = saves_of(folder)[-1]
    return newest.at, newest.path.stat().st_mtime_ns
