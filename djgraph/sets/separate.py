"""Plain files separated into stems by whatever is installed for that, once, and kept beside them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from djgraph.analysis.find import find_sources
from djgraph.atomic import write_text
from djgraph.audio import STEMS, find_stems
from djgraph.errors import AudioFileError, DJGraphError, InputError
from djgraph.reading import read_json

GROUP = "djgraph_separate"
"""The group of entry points in which separators are found. Each is a function ``separate(path, folder)``: it writes the
stems of the audio file ``path`` into the empty folder, as ``drums``, ``bass``, ``vocals`` and ``other`` in any format
that is read, all as long as the file."""
_ABOUT = "separated.json"

Separator = Callable[[Path, Path], object]


def separator() -> tuple[str, Separator] | None:
    """The one that is installed, and its name; the first by name of several. InputError where it does not load."""
    points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.name)
    if not points:
        return None
    try:
        return points[0].name, points[0].load()
    except Exception as problem:  # a stranger's code may do anything
        raise InputError(f"the separator {points[0].name!r} does not load: {problem}") from problem


def separated(path: Path) -> Path | None:
    """The folder of a file's stems, ``NAME.stems`` beside it, made now where it is not there or is of other audio.

    None where no separator is installed. Raises InputError where it fails, AudioFileError for what it leaves."""
    found = separator()
    if found is None:
        return None
    name, separate = found
    (source,) = find_sources([path])
    made = {"content": source.digest(), "by": name}
    folder = path.with_name(f"{path.name}.stems")
    if (folder / _ABOUT).is_file() and read_json(folder / _ABOUT, AudioFileError).data == made:
        return folder
    if folder.exists() and not (folder / _ABOUT).is_file():
        raise InputError(
            f"{folder} is in the way: it holds no stems that djgraph had made; name it as the track, or move it"
        )
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as problem:
        raise AudioFileError(f"{folder} cannot be made: {problem.strerror or problem}") from problem
    try:
        try:
            separate(path, work)
        except DJGraphError:
            raise
        except Exception as problem:  # a stranger's code may do anything
            raise InputError(f"{path}: the separator {name!r} failed: {problem}") from problem
        find_stems(work, STEMS)
        write_text(work / _ABOUT, json.dumps(made) + "\n", AudioFileError)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder
