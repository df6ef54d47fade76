"""Collections of multitracks that say in a file which recording is what: MoisesDB and Slakh2100.

A track's stems are asked for by name; ``other`` gets all that no other stem that is asked for takes, so that the stems
add up to the track. Layouts: Pereira et al., "MoisesDB: a dataset for source separation beyond 4-stems" (2023), whose
own four stems put percussion into ``other``, too; Manilow et al., "Cutting music source separation some Slakh" (2019).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from djgraph.audio.formats import SUFFIXES
from djgraph.errors import AudioFileError, shorten
from djgraph.language.limits import Kind
from djgraph.language.load import read
from djgraph.reading import Json, read_json

MOISES, SLAKH = "data.json", "metadata.yaml"
_STEM = re.compile(r"S\d+\.", re.ASCII)
_KINDS = ("bass", "drums", "vocals", "guitar", "other", "percussion", "piano")
MOST = 1000
"""Recordings in a track."""

_METADATA = Kind("track's metadata", "UUID: …")


@dataclass(frozen=True)
class Multitrack:
    """recordings: kind (``drums``, ``guitar``) → its files. whole: the file that holds the whole track, where there is
    one. info: what else is known of it."""

    recordings: Mapping[str, tuple[Path, ...]]
    whole: Path | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    def parts(self, stems: Sequence[str], optional: Iterable[str] = ()) -> dict[str, tuple[Path, ...]]:
        """Stem → files, which are added up. Raises AudioFileError for a stem without any that is not optional."""
        own = {stem.lower() for stem in stems}
        rest = [file for kind, files in self.recordings.items() if kind not in own for file in files]
        parts = {stem: self.recordings.get(stem.lower(), ()) for stem in stems}
        if "other" in parts:
            parts["other"] = (*parts["other"], *rest)
        missing = [stem for stem, files in parts.items() if not files and stem not in set(optional)]
        if missing:
            raise AudioFileError(
                f"it has no recording of {', '.join(missing)}; it has: {shorten(list(self.recordings), 16)}"
            )
        return {stem: files for stem, files in parts.items() if files}

    def signal(self) -> tuple[Path, ...]:
        """The files of the whole track, which are added up."""
        return (self.whole,) if self.whole else tuple(f for files in self.recordings.values() for f in files)


def is_multitrack(folder: Path, names: Iterable[str]) -> bool:
    """Whether a folder with files of these names is a track of one of the collections."""
    return _reader(folder, set(names)) is not None


def read_multitrack(folder: Path) -> Multitrack | None:
    """What the folder's own file says; None where it is no track of a collection. Raises AudioFileError with its place
    where the file is damaged, names a recording that is not there, or one outside the folder."""
    reader = _reader(folder, {name for name in (SLAKH, MOISES) if (folder / name).is_file()})
    return None if reader is None else reader(folder)


def _reader(folder: Path, names: Container[str]) -> Callable[[Path], Multitrack] | None:
    """Of the collection whose files lie in a folder; other people's files are called ``data.json``, too."""
    if SLAKH in names and any(_STEM.match(name) for name in _children(folder / "stems")):
        return _slakh
    if MOISES in names and any((folder / kind).is_dir() for kind in _KINDS):
        return _moises
    return None


def _children(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # none, or none that may be read
        return []


def _moises(folder: Path) -> Multitrack:
    file = read_json(folder / MOISES, AudioFileError, not_finite="null")
    data = file.data
    if not isinstance(data, dict) or not isinstance(data.get("stems"), list):
        file.refuse("expected a mapping with stems, as MoisesDB has it")
    recordings: dict[str, tuple[Path, ...]] = {}
    count = 0
    for i, stem in enumerate(data["stems"]):
        kind, tracks = (stem.get("stemName"), stem.get("tracks")) if isinstance(stem, dict) else (None, None)
        if not isinstance(kind, str) or not isinstance(tracks, list):
            file.refuse("expected a stem with stemName and tracks", ("stems", i))
        for j, track in enumerate(tracks):
            place = ("stems", i, "tracks", j)
            name = track.get("id") if isinstance(track, dict) else None
            suffix = track.get("extension", "wav") if isinstance(track, dict) else None
            if not isinstance(name, str) or not isinstance(suffix, str):
                file.refuse("expected a track with id and extension", place)
            count += 1
            if count > MOST:
                file.refuse(f"a track has at most {MOST} recordings", place)
            path = _inside(folder, kind, f"{name}.{suffix}", file, place)
            recordings[kind.lower()] = (*recordings.get(kind.lower(), ()), path)
    info = {key: data[key] for key in ("song", "artist", "genre") if isinstance(data.get(key), str)}
    return Multitrack(recordings, None, info)


def _inside(folder: Path, kind: str, name: str, file: Json, place: tuple[str | int, ...]) -> Path:
    """A recording's path. Names lead nowhere else."""
    if any(part != Path(part).name or part.startswith(".") for part in (kind, name)):
        file.refuse("names a recording outside the track's folder", place)
    path = folder / kind / name
    if not path.is_file():
        file.refuse(f"names a recording that is not there: {kind}/{name}", place)
    return path


def _slakh(folder: Path) -> Multitrack:
    data = read(folder / SLAKH, {}, None, _METADATA).data
    stems = data.get("stems") if isinstance(data, dict) else None
    if not isinstance(stems, dict) or len(stems) > MOST:
        raise AudioFileError(f"{folder / SLAKH}: expected a mapping with stems, as Slakh2100 has it")
    recordings: dict[str, tuple[Path, ...]] = {}
    for name, about in stems.items():
        path = _audio(folder / "stems", str(name))
        if path is None or not isinstance(about, dict):
            continue  # not rendered, as Slakh says of some
        kind = "drums" if about.get("is_drum") is True else str(about.get("inst_class", "other")).lower()
        recordings[kind] = (*recordings.get(kind, ()), path)
    if not recordings:
        raise AudioFileError(f"{folder / SLAKH} names no recording that is in {folder / 'stems'}")
    return Multitrack(recordings, _audio(folder, "mix"), {"collection": "Slakh2100"})


def _audio(folder: Path, name: str) -> Path | None:
    """The audio file of that name. None where there is none, and for what is no name."""
    if name != Path(name).name or name.startswith("."):
        return None
    return next((path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)
