"""What a corpus is made of: its settings, graph, layout and tracks, as ``corpus.json`` holds them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from djgraph.arguments import is_real, is_whole, shown
from djgraph.atomic import write_text
from djgraph.data.pairs import ALIGN, SHORT, Align, Short
from djgraph.data.stored import MAX_COUNT, MAX_SEED, CorpusFile, TrackRow
from djgraph.data.tracks import WHOLE, Track
from djgraph.errors import CorpusError, DJGraphError
from djgraph.graph import load
from djgraph.graph.ir import Graph, InputNode
from djgraph.layout import ParameterLayout
from djgraph.reading import MIB, Json, parse_json, read_text
from djgraph.storage import UrlPath

FILE = "corpus.json"
VERSION = 1
LARGEST = 512 * MIB
"""Bytes of a ``corpus.json``."""
STEMS = ("copy", "reference")
DECKS = 2
"""Inputs that are played where a graph has only optional ones."""

Stems = Literal["copy", "reference"]
Packing = Literal["", "tar", "parquet"]


@dataclass(frozen=True)
class Settings:
    """What decides the items, beside graph and tracks; see :func:`djgraph.data.make_corpus`."""

    seed: int = 0
    seconds: float = 10.0
    frames_per_second: float = 20.0
    stems: Stems = "copy"
    curves: float = 0.5
    recipes: tuple[str, ...] = ()
    align: Align = "none"
    short: Short = "error"
    shard_size: int = 1000

    def faults(self) -> list[str]:
        """What is wrong with them, in words."""
        problems = []
        for name, low, high in (("seed", 0, MAX_SEED), ("shard_size", 1, MAX_COUNT)):
            value = getattr(self, name)
            if not (is_whole(value) and low <= value <= high):
                most = "2^128 - 1" if high == MAX_SEED else high
                problems.append(f"{name} is {shown(value)}; expected a whole number from {low} to {most}")
        for name, top in (("seconds", 3600.0), ("frames_per_second", 1000.0)):
            if not _is_within(getattr(self, name), top) or not getattr(self, name):
                value = shown(getattr(self, name))
                problems.append(f"{name} is {value}; expected more than 0, at most {top:g}")
        if not _is_within(self.curves, 1):
            problems.append(f"curves is {self.curves!r}; expected a share, 0 … 1")
        for name, allowed in (("stems", STEMS), ("align", ALIGN), ("short", SHORT)):
            if getattr(self, name) not in allowed:
                problems.append(f"{name} is {getattr(self, name)!r}; allowed: {', '.join(allowed)}")
        return problems


@dataclass(frozen=True)
class Description:
    """``corpus.json``: how many items there are to be, and everything that each depends on.

    graph: the name of the graph's file in the corpus. args: the graph's arguments. inputs: input → part →
    channels, in the graph's order; an input without stems has the one part :data:`~djgraph.data.tracks.WHOLE`.
    tracks: with folders as paths that hold here and now. made_with: the djgraph that began it; empty for 0.1.
    """

    count: int
    settings: Settings
    graph: str
    args: Mapping[str, Any]
    sample_rate: int
    layout: ParameterLayout
    inputs: Mapping[str, Mapping[str, int]]
    tracks: tuple[Track, ...]
    made_with: str = ""
    shards: Packing = ""

    @property
    def samples(self) -> int:
        """Samples in each item."""
        return max(1, round(self.settings.seconds * self.sample_rate))

    @property
    def n_frames(self) -> int:
        """Control frames in each item; the first lies at its beginning, the last at its end."""
        return max(2, round(self.settings.seconds * self.settings.frames_per_second) + 1)

    def absolute(self) -> Description:
        """With the tracks' paths as they are from any folder."""
        return replace(self, tracks=tuple(map(_absolute, self.tracks)))

    def write(self, root: Path) -> None:
        """Write ``corpus.json``, whole or not at all."""
        write_text(root / FILE, self.text(root), CorpusError)

    def text(self, root: Path | None) -> str:
        """What ``corpus.json`` holds, with the tracks' paths from ``root`` on; None for a place that is no folder,
        from where they are absolute."""
        data = {
            "djgraph_corpus": VERSION,
            "made_with": self.made_with,
            "count": self.count,
            "settings": asdict(self.settings),
            "graph": self.graph,
            "args": dict(self.args),
            "sample_rate": self.sample_rate,
            "fingerprint": self.layout.fingerprint,
            "layout": json.loads(self.layout.to_json()),
            "inputs": {name: dict(parts) for name, parts in self.inputs.items()},
            "tracks": [_to_json(track, root) for track in self.tracks],
            **({"shards": self.shards} if self.shards else {}),
        }
        text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            text.encode()
        except UnicodeEncodeError as problem:
            name = text[max(0, problem.start - 60) : problem.end].rpartition('"')[2]
            raise CorpusError(
                f"the name of a track or its file is not UTF-8, so {FILE} cannot hold it: {name!a}…; rename it"
            ) from None
        return text

    @classmethod
    def read(cls, root: Path) -> Description:
        """Read ``corpus.json``. CorpusError where there is none, or one that is damaged."""
        path = root / FILE
        if not path.is_file():
            what = "does not exist" if not root.exists() else f"is no corpus: it has no {FILE}"
            raise CorpusError(f"{root} {what}; djgraph dataset make {root} makes one")
        try:
            text = read_text(path, CorpusError, LARGEST)
        except CorpusError as problem:
            raise _damaged(path, problem) from problem
        return cls.parse(text, path, root)

    @classmethod
    def parse(cls, text: str, name: object, root: Path) -> Description:
        """The text of a ``corpus.json`` called ``name``. root: what the tracks' paths begin at."""
        try:
            file = parse_json(text, str(name), CorpusError)
            version = file.data.get("djgraph_corpus") if isinstance(file.data, dict) else VERSION
            if version == VERSION:
                return _from_file(file, root)
        except DJGraphError as problem:
            raise _damaged(name, problem) from problem
        raise CorpusError(f"{name} is of version {shown(version)}; this djgraph reads version {VERSION}")

    def load_graph(self, root: Path) -> Graph:
        """The corpus's own copy of its graph.

        CorpusError where it has other controls by now than when the corpus was begun: a plugin has changed.
        """
        graph = load(root / self.graph, **self.args)
        now = ParameterLayout.from_graph(graph)
        if now.fingerprint != self.layout.fingerprint:
            raise CorpusError(
                f"{root}: with the plugins installed now the corpus's graph has other controls than when it was"
                f" begun; from then to now:\n{self.layout.diff(now)}"
            )
        return graph


def _damaged(name: object, problem: DJGraphError) -> CorpusError:
    return CorpusError(
        f"{name} is damaged: {problem}\n"
        "  put back a copy of it, or make another corpus in a new folder, djgraph dataset make"
    )


def inputs_of(graph: Graph) -> dict[str, dict[str, int]]:
    """The inputs to play, each with its parts and their channels: all that are needed, at least two if there are."""
    nodes = [node for node in graph.nodes if isinstance(node, InputNode)]
    needed = {node.input for node in nodes if not node.optional}
    spare = [name for name in graph.inputs if name not in needed]
    played = needed | set(spare[: max(0, DECKS - len(needed))])
    channels: dict[str, dict[str, int]] = {name: {} for name in graph.inputs if name in played}
    for node in nodes:
        if node.input in channels:
            channels[node.input][WHOLE if node.stem is None else node.stem] = node.channels
    return channels


def parts_of(graph: Graph, inputs: Mapping[str, Mapping[str, int]]) -> tuple[list[str], list[str]]:
    """The parts that tracks must have for these inputs, and those of them that they may lack."""
    nodes = [node for node in graph.nodes if isinstance(node, InputNode) and node.input in inputs]
    parts = dict.fromkeys(part for played in inputs.values() for part in played)
    needed = {node.stem for node in nodes if not node.optional}
    # An input that is optional as a whole, and is played all the same, is not played in part.
    whole = {name for name in inputs if all(node.optional for node in nodes if node.input == name)}
    needed |= {node.stem for node in nodes if node.input in whole}
    return list(parts), [part for part in parts if part != WHOLE and part not in needed]


def differences(before: Settings, after: Settings) -> list[str]:
    """A line for each setting that differs."""
    pairs = ((f.name, getattr(before, f.name), getattr(after, f.name)) for f in fields(Settings))
    return [f"{name}: {_plain(old)} → {_plain(new)}" for name, old, new in pairs if old != new]


def _is_within(value: object, top: float) -> bool:
    return is_real(value) and 0 <= value <= top


def _plain(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _absolute(track: Track) -> Track:
    parts = {part: tuple(map(_from_anywhere, files)) for part, files in track.parts.items()}
    return replace(track, folder=_from_anywhere(track.folder), parts=parts)


def _from_anywhere(place: Path | UrlPath) -> Path | UrlPath:
    return place.absolute() if isinstance(place, Path) else place


def _to_json(track: Track, root: Path | None) -> dict[str, Any]:
    return {
        "name": track.name,
        **_where(track.folder, root),
        "parts": {
            part: [_below(file, track.folder) for file in files] for part, files in track.parts.items()
        },
        "seconds": track.seconds,
        "tempo": track.tempo,
        "beats": list(track.beats),
        "info": dict(track.info),
    }


def _where(folder: Path | UrlPath, root: Path | None) -> dict[str, str]:
    if isinstance(folder, UrlPath):
        return {"at": str(UrlPath(folder.root)), "folder": folder.below or "."}
    folder = folder.resolve()
    # Relative, so that a corpus and its tracks can move together.
    path = folder if root is None else Path(os.path.relpath(folder, root.resolve()))
    return {"folder": path.as_posix()}


def _below(file: Path | UrlPath, folder: Path | UrlPath) -> str:
    """A file's path from its track's folder on."""
    if isinstance(file, UrlPath) and isinstance(folder, UrlPath):
        return file.below.removeprefix(f"{folder.below}/" if folder.below else "")
    return Path(os.path.relpath(str(file), str(folder))).as_posix()


def _from_file(file: Json, root: Path) -> Description:
    stored = file.read_as(CorpusFile)
    settings = Settings(**{**stored.settings.model_dump(), "recipes": tuple(stored.settings.recipes)})
    if faults := settings.faults():
        file.refuse("; ".join(faults), ("settings",))
    if len(stored.tracks) < len(stored.inputs):
        file.refuse(f"{len(stored.tracks)} tracks for {len(stored.inputs)} inputs", ("tracks",))
    return Description(
        count=stored.count,
        settings=settings,
        graph=stored.graph,
        args=stored.args,
        sample_rate=stored.sample_rate,
        layout=ParameterLayout.from_json(json.dumps(stored.layout)),
        inputs=stored.inputs,
        tracks=tuple(_track(row, root) for row in stored.tracks),
        made_with=stored.made_with,
        shards=stored.shards,
    )


def _track(row: TrackRow, root: Path) -> Track:
    folder: Path | UrlPath
    if row.at is not None:  # told, and not opened before the user gives it
        folder = UrlPath(row.at, "" if row.folder == "." else row.folder, given=False)
    else:
        folder = Path(os.path.normpath(root / row.folder))
    return Track(
        name=row.name,
        folder=folder,
        parts={part: tuple(folder / file for file in files) for part, files in row.parts.items()},
        seconds=row.seconds,
        tempo=row.tempo,
        beats=tuple(row.beats),
        info=row.info,
    )
