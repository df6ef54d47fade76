"""Which tracks there are: folders of stems, and plain audio files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from djgraph.audio.folders import has_parts, search
from djgraph.audio.formats import SUFFIXES, how_to_convert, is_foreign
from djgraph.audio.stems import STEMS, find_stems
from djgraph.errors import AudioFileError

MIXTURE = "mixture"
"""The part that a plain file is."""
MAX_DEPTH = 6
MAX_FOLDERS = 20_000
_EXTRA = ("guitar", "piano")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A track to be analysed. parts: files by stem, or one, the :data:`MIXTURE`. about: the JSON file that says what is
    known of it: ``track.json`` in its folder, or ``<name>.json`` beside a plain file."""

    name: str
    parts: Mapping[str, Path]
    about: Path

    def digest(self) -> str:
        """Of what its files hold, as SHA-256. Raises AudioFileError where one cannot be read."""
        total = hashlib.sha256()
        for stem, path in self.parts.items():
            total.update(f"{stem}\0".encode())
            try:
                with open(path, "rb") as file:
                    while chunk := file.read(_CHUNK):
                        total.update(chunk)
            except OSError as problem:
                raise AudioFileError(f"{path} cannot be read: {problem.strerror or problem}") from problem
        return total.hexdigest()


def find_sources(roots: Iterable[str | os.PathLike[str]]) -> list[Source]:
    """Every track in some folders and below, and plain files that are named themselves; each once, in order.

    A folder with a file named after a stem is one track (its ``mixture`` is used where it has no stems); any other
    audio file is a track by itself. Raises AudioFileError where a root has none, is not there, or a folder of stems
    holds two files for one stem.
    """
    out: dict[Path, Source] = {}
    for root in map(Path, roots):
        if not root.exists():
            raise AudioFileError(f"{root} does not exist")
        if root.is_file():
            _add(out, _plain(root))
            continue
        folders = _folders(root)
        for folder in folders:
            names = sorted(child.name for child in folder.iterdir() if child.is_file())
            if has_parts(names, {*STEMS, *_EXTRA, MIXTURE}):
                _add(out, _stems(folder, names))
            else:
                for name in names:
                    if _is_audio(name) and not name.startswith("."):
                        _add(out, _plain(folder / name))
        if not folders:
            foreign = sorted(child.name for child in root.iterdir() if is_foreign(child.name))
            raise AudioFileError(
                f"{root} has no track in it or below\n  expected: audio files ({', '.join(SUFFIXES)}), or folders of "
                f"stems called {', '.join(STEMS)}" + (f"\n  {how_to_convert(*foreign)}" if foreign else "")
            )
    names = [source.name for source in out.values()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return [_renamed(source, twice) for source in out.values()]
    return list(out.values())


def _folders(root: Path) -> list[Path]:
    """Folders with audio, ``root`` and below; none below one of stems; each once, whatever links lead there."""
    found: list[Path] = []
    known: set[str] = set()
    roots = [root]
    for top in roots:  # which grows: the search ends at a folder with audio, but albums hold further folders
        for folder in search(
            top, MAX_DEPTH, lambda _, names: any(map(_is_audio, names)), MAX_FOLDERS
        ).folders:
            place = os.path.realpath(folder)
            if place in known:
                continue
            known.add(place)
            if len(known) > MAX_FOLDERS:
                raise AudioFileError(
                    f"{root} has more than {MAX_FOLDERS} folders with audio; name one below it"
                )
            found.append(folder)
            children = [child for child in sorted(folder.iterdir()) if child.is_dir()]
            if not has_parts((child.name for child in folder.iterdir()), {*STEMS, *_EXTRA, MIXTURE}):
                roots += [child for child in children if not child.name.startswith(".")]
    return found


def _add(out: dict[Path, Source], source: Source) -> None:
    out.setdefault(Path(os.path.realpath(source.about)), source)


def _renamed(source: Source, twice: list[str]) -> Source:
    """Two tracks of one name are told apart by their folders."""
    if source.name not in twice:
        return source
    first = next(iter(source.parts.values()))
    return Source(str(first.parent if MIXTURE not in source.parts else first), source.parts, source.about)


def _is_audio(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _plain(path: Path) -> Source:
    if not _is_audio(path.name):
        hint = (
            how_to_convert(path.name) if is_foreign(path.name) else f"expected one of {', '.join(SUFFIXES)}"
        )
        raise AudioFileError(f"{path} is no audio file that is read: {hint}")
    return Source(path.stem, {MIXTURE: path}, path.with_suffix(".json"))


def _stems(folder: Path, names: list[str]) -> Source:
    stems = [part for part in (*STEMS, *_EXTRA) if has_parts(names, {part})]
    if not stems:
        stems = [MIXTURE]
    parts = find_stems(folder, stems)
    return Source(Path(os.path.realpath(folder)).name, parts, folder / "track.json")
