"""Beat grids of DJ programs, taken over: rekordbox's XML export, and Mixxx's database."""

from __future__ import annotations

import itertools
import math
import os
import sqlite3
import struct
import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from djgraph.analysis.find import Source
from djgraph.analysis.grid import Grid
from djgraph.errors import AudioFileError, InputError
from djgraph.reading import MIB, read_bytes

MAX_BYTES = 256 * MIB
"""Of an exported collection."""


@dataclass(frozen=True)
class Entry:
    """A track of a collection: the path of its file there, its title, and its grid. Its path may be of another
    machine."""

    path: str
    title: str
    grid: Grid


class Collection:
    """Tracks of a DJ program, looked up by the path of a file, or else by its name."""

    def __init__(self, entries: list[Entry], kind: str) -> None:
        self.kind = kind
        self._paths = {entry.path: entry for entry in entries}
        self._names: dict[str, list[Entry]] = {}
        for entry in entries:
            for name in {_stem(entry.path), entry.title.casefold()} - {""}:
                self._names.setdefault(name, []).append(entry)

    def __len__(self) -> int:
        return len(self._paths)

    def grid(self, source: Source) -> Grid | None:
        """The grid of a track, by its file's whole path, or by a name that one track alone has there."""
        for path in source.parts.values():
            if entry := self._paths.get(os.path.realpath(path)):
                return entry.grid
        named = self._names.get(source.name.casefold(), [])
        return named[0].grid if len(named) == 1 else None


def read_collection(path: Path) -> Collection:
    """Of rekordbox (``.xml``) or Mixxx (``.sqlite``). Raises AudioFileError for what is neither, or is damaged."""
    if path.suffix.lower() == ".xml":
        return Collection(list(_rekordbox(path)), "rekordbox")
    if path.suffix.lower() in (".sqlite", ".db"):
        return Collection(list(_mixxx(path)), "mixxx")
    raise AudioFileError(
        f"{path} is no collection; expected rekordbox's export (.xml) or Mixxx's database (mixxxdb.sqlite)"
    )


def _stem(path: str) -> str:
    return Path(path.replace("\\", "/")).stem.casefold()


def _rekordbox(path: Path) -> Iterator[Entry]:
    text = read_bytes(path, AudioFileError, MAX_BYTES)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise AudioFileError(f"{path} declares entities, which no export of rekordbox does; it is not read")
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as problem:
        raise AudioFileError(
            f"{path}:{problem.position[0]}:{problem.position[1] + 1}: this is no XML: {problem}"
        ) from None
    if root.tag != "DJ_PLAYLISTS":
        raise AudioFileError(
            f"{path} is no export of rekordbox: its root is <{root.tag:.40}>, not <DJ_PLAYLISTS>"
        )
    for track in root.iterfind("./COLLECTION/TRACK"):
        grid = _tempos(track)
        if grid is not None:
            place = urllib.parse.unquote(urllib.parse.urlparse(track.get("Location", "")).path)
            yield Entry(place, track.get("Name", ""), grid)


def _tempos(track: Any) -> Grid | None:
    """From <TEMPO Inizio Bpm Metro Battito>: from a second on, a tempo, and which beat of the bar that second is."""
    rows = []
    for row in track.iterfind("TEMPO"):
        try:
            start, bpm = float(row.get("Inizio", "")), float(row.get("Bpm", ""))
            meter, beat = int(row.get("Metro", "4/4").split("/")[0]), int(row.get("Battito", "1"))
        except ValueError:
            return None
        if math.isfinite(start) and 20 <= bpm <= 400 and 1 <= meter <= 16:
            rows.append((start, bpm, meter, beat))
    if not rows:
        return None
    rows.sort()
    seconds, beats = [rows[0][0]], [0.0]
    for (start, bpm, *_), (after, *_rest) in itertools.pairwise(rows):
        seconds.append(after)
        # A section ends on a whole beat, whatever was rounded in the file.
        beats.append(beats[-1] + max(1, round((after - start) * bpm / 60)))
    seconds.append(seconds[-1] + 60 / rows[-1][1])
    beats.append(beats[-1] + 1)
    _, _, meter, beat = rows[0]
    return _numbered(seconds, beats, meter, beat - 1)


def _numbered(seconds: list[float], beats: list[float], meter: int, in_bar: int) -> Grid | None:
    """A grid whose beat 0 is the first from the track's beginning on."""
    try:
        return Grid(tuple(seconds), tuple(beats), meter, -in_bar % meter).from_zero()
    except InputError:
        return None  # what a program wrote there makes no sense: the track is listened to


def _mixxx(path: Path) -> Iterator[Entry]:
    """Mixxx keeps beats as protocol buffers: "BeatGrid-2.0" has a tempo and a first beat, "BeatMap-1.0" every beat."""
    read_bytes(path, AudioFileError, MAX_BYTES)
    query = (
        "SELECT track_locations.location, library.title, library.beats, library.beats_version, library.samplerate "
        "FROM library JOIN track_locations ON library.location = track_locations.id WHERE library.beats IS NOT NULL"
    )
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            rows = database.execute(query).fetchall()
    except sqlite3.Error as problem:
        raise AudioFileError(f"{path} is no database of Mixxx: {problem}") from None
    for place, title, beats, version, rate in rows:
        if isinstance(beats, bytes) and isinstance(place, str) and rate:
            grid = _mixxx_grid(beats, str(version), float(rate))
            if grid is not None:
                yield Entry(place, title if isinstance(title, str) else "", grid)


def _mixxx_grid(blob: bytes, version: str, rate: float) -> Grid | None:
    try:
        fields = list(_protobuf(blob))
        if version.startswith("BeatGrid-2"):
            (bpm,) = [
                struct.unpack("<d", v)[0] for n, m in fields if n == 1 for k, v in _protobuf(m) if k == 1
            ]
            frames = [v for n, m in fields if n == 2 for k, v in _protobuf(m) if k == 1]
            first = frames[0] / rate if frames else 0.0
            return _numbered([first, first + 60 / bpm], [0.0, 1.0], 4, 0)
        if version.startswith("BeatMap"):
            times = [v / rate for n, m in fields if n == 1 for k, v in _protobuf(m) if k == 1]
            return _numbered(times, list(map(float, range(len(times)))), 4, 0)
    except (ValueError, IndexError, TypeError, struct.error, ZeroDivisionError):
        return None
    return None


def _protobuf(message: Any) -> Iterator[tuple[int, Any]]:
    """Fields of a message of protocol buffers: numbers as such, everything else as bytes."""
    if not isinstance(message, bytes):
        raise ValueError("a number stands where a message belongs")
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
            if shift > 63:
                raise ValueError("a number of more than ten bytes")

    while at < len(message):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            value = varint()
            yield tag >> 3, value - (1 << 64) if value >= 1 << 63 else value
            continue
        size = {1: 8, 5: 4}.get(kind) if kind != 2 else varint()
        if size is None or at + size > len(message):
            raise ValueError("a field of an unknown kind, or cut short")
        yield tag >> 3, message[at : at + size]
        at += size
