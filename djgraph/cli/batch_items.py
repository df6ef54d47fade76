"""What ``--batch`` finds in a folder: mixes to render, recordings to fit, each with its own part of a command."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from djgraph.errors import InputError

if TYPE_CHECKING:
    from djgraph.storage import Sketch

MAX_ITEMS = 100_000
_DEPTH = 8
_RECORDING = "mix"
_CONTROLS = {
    ".yaml": "--automation",
    ".yml": "--automation",
    ".json": "--automation",
    ".csv": "--automation",
    ".npy": "--params",
}
AT = "\0"
"""What stands for a folder that is fetched, as no path can hold it."""
_NAMED = ("automation", "params")
_OPTION = {"automation": "--automation", "params": "--params"}


@dataclass(frozen=True)
class Item:
    """name: its path below the folder. words: what it adds to the command. files: what it is made from, folders too.
    Where the folder is a URL, :data:`AT` stands for it in words, and files are named from it on."""

    name: str
    words: tuple[str, ...]
    files: tuple[str, ...]


@contextlib.contextmanager
def folder_of(source: str) -> Iterator[tuple[Path, Sketch | None]]:
    """The folder to find items in, within: a path's own, or the sketch of what is behind a URL."""
    from djgraph.storage import is_url, local_path, sketched

    folder = local_path(source, InputError) if is_url(source) else Path(source)
    if folder is not None:
        yield folder, None
        return
    with sketched(source, _DEPTH + 2, lambda name: False, InputError) as sketch:
        try:
            yield sketch.folder, sketch
        except InputError as problem:
            raise InputError(sketch.told(str(problem))) from None


def behind(sketch: Sketch, item: Item) -> Item:
    """An item that was found in a sketch, as it is fetched."""
    words = tuple(word.replace(str(sketch.folder), AT) for word in item.words)
    return Item(item.name, words, tuple(sketch.place(Path(file)).below for file in item.files))


def recordings(folder: Path, inputs: Collection[str], shared: bool) -> list[Item]:
    """Recordings to fit. shared: the tracks are given, and every audio file is a recording of them; else every folder
    with a ``mix`` and the inputs, or ``stems`` with them, in it. InputError where there is none."""
    found = list(_files(folder, _sounds()) if shared else _folders(folder, inputs, _recording))
    what = (
        "audio file"
        if shared
        else f"folder with a {_RECORDING}.wav (flac, …) and {_listed(inputs)} beside it"
    )
    return _checked(folder, found, what, "--target")


def mixes(folder: Path, inputs: Collection[str], shared: bool, moved: bool) -> list[Item]:
    """Mixes to render. shared: the tracks are given, and every automation or params file is a mix of them; else every
    folder with inputs in it, whose ``automation`` or ``params`` file is played unless ``moved``, where the command says
    what is. InputError where there is none."""
    if shared:
        return _checked(folder, list(_files(folder, tuple(_CONTROLS))), "automation or params file", "")
    found = list(_folders(folder, inputs, None if moved else _controls))
    return _checked(folder, found, f"folder with {_listed(inputs)} in it", "")


def _folders(
    folder: Path, inputs: Collection[str], also: object
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Name, words and files of every folder in which inputs lie; those below it are its own."""
    taken: set[Path] = set()
    for place in _walk(folder):
        if not taken.isdisjoint(place.parents):
            continue
        names = _children(place)
        words: list[str] = []
        files: list[str] = []
        for root in (place, place / "stems"):
            there = names if root == place else _children(root) if "stems" in names else {}
            for name in inputs:
                path = there.get(name) or next(
                    (there[name + s] for s in _sounds() if name + s in there), None
                )
                if path is not None and not any(word.startswith(f"{name}=") for word in words):
                    words += ["--input", f"{name}={path}"]
                    files.append(path)
                    if (about := there.get(f"{name}.json")) is not None and os.path.isfile(path):
                        files.append(about)  # which says where its beats are
        more: list[str] = []
        if also is _recording:
            more = _recording(names)
            if not more:
                continue
        elif also is _controls:
            more = _controls(names)
        if words:
            taken.add(place)
            yield place.relative_to(folder).as_posix(), [*words, *more], [*files, *more[1::2]]


def _recording(names: dict[str, str]) -> list[str]:
    found = [names[_RECORDING + suffix] for suffix in _sounds() if _RECORDING + suffix in names]
    return ["--target", found[0]] if found else []


def _controls(names: dict[str, str]) -> list[str]:
    for kind in _NAMED:
        for suffix in _CONTROLS:
            if kind + suffix in names:
                return [_OPTION[kind], names[kind + suffix]]
    return []


def _files(folder: Path, suffixes: Sequence[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    for place in _walk(folder, into_items=True):
        for name, path in sorted(_children(place).items()):
            suffix = Path(name).suffix.lower()
            if suffix in suffixes and os.path.isfile(path):
                option = _CONTROLS.get(suffix, "--target") if suffixes != _sounds() else "--target"
                yield Path(path).relative_to(folder).with_suffix("").as_posix(), [option, path], [path]


def _walk(folder: Path, into_items: bool = False) -> Iterator[Path]:
    if not folder.is_dir():
        raise InputError(f"--batch {folder}: there is no such folder")
    for place, below, _ in os.walk(folder):
        deep = len(Path(place).relative_to(folder).parts)
        below[:] = sorted(name for name in below if not name.startswith(".")) if deep < _DEPTH else []
        if into_items or deep:
            yield Path(place)


def _children(place: Path) -> dict[str, str]:
    try:
        return {entry.name: entry.path for entry in os.scandir(place) if not entry.name.startswith(".")}
    except OSError as problem:
        raise InputError(f"{place} cannot be read: {problem.strerror or problem}") from problem


def _checked(
    folder: Path, found: list[tuple[str, list[str], list[str]]], what: str, option: str
) -> list[Item]:
    if not found:
        raise InputError(f"--batch {folder}: there is no {what}, there or below")
    if len(found) > MAX_ITEMS:
        raise InputError(f"--batch {folder}: {len(found)} items; at most {MAX_ITEMS} are taken")
    names = Counter(name for name, _, _ in found)
    if twice := sorted(name for name, times in names.items() if times > 1):
        raise InputError(f"--batch {folder}: two files are called {twice[0]}, and their results would be one")
    return [Item(name, tuple(words), tuple(files)) for name, words, files in sorted(found)]


def _listed(inputs: Collection[str]) -> str:
    return ", ".join(list(inputs)[:4])


def _sounds() -> tuple[str, ...]:
    from djgraph.audio.formats import SUFFIXES

    return SUFFIXES
