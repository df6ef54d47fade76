"""Where plain inputs lie on disk and in a mix, for projects of other programs; the demo's tracks are written there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djgraph.errors import InputError
from djgraph.rendering import find_inputs
from djgraph.studio.opening import Opened
from djgraph.studio.project import Project

if TYPE_CHECKING:
    from djgraph.analysis import Grid
    from djgraph.automation import TempoMap


@dataclass(frozen=True)
class Placed:
    """Tracks that all begin with the mix, as they are."""

    samples: int
    tempo: TempoMap
    places: Mapping[str, Any]
    files: Mapping[tuple[str, str | None], list[Path]]
    seconds: Mapping[str, float]
    key_lock: bool = False
    grids: Mapping[str, tuple[Grid, list[int]]] = field(default_factory=dict)


def placings_of(project: Project, opened: Opened, path: Path) -> tuple[Placed, tuple[Path, ...]]:
    """Files by input and stem, and those that were written for that beside ``path``. Raises InputError for graphs whose
    sources play their tracks, which other programs do not know, and where nothing is played."""
    from djgraph.audio import read_header
    from djgraph.decks import Free

    if opened.graph.sources:
        raise InputError(
            f"graph {opened.graph.name} has sources that play its tracks; no other program knows where"
        )
    given = {name: Path(text) for name, text in opened.origin.inputs.items()}
    written: tuple[Path, ...] = ()
    if given:
        files = find_inputs(opened.graph, given, some=True)
    else:
        files, written = _stems(opened, path.with_name(f"{path.stem} stems"))
    names = list(dict.fromkeys(name for name, _ in files))
    if not names:
        raise InputError("nothing is played")
    seconds = {
        name: max(
            _seconds(read_header(file))
            for key, several in files.items()
            if key[0] == name
            for file in several
        )
        for name in names
    }
    tempo = project.clock
    places = {name: Free(tempo, 0.0) for name in names}
    return Placed(opened.feed.samples, tempo, places, files, seconds), written


def _seconds(header: Any) -> float:
    return float(header.samples / header.sample_rate)


def _stems(opened: Opened, folder: Path) -> tuple[dict[tuple[str, str | None], list[Path]], tuple[Path, ...]]:
    """The feed's signals as files, a folder for each input."""
    from djgraph import audio

    if folder.exists():
        raise InputError(f"{folder} is there already; nothing is written over")
    files: dict[tuple[str, str | None], list[Path]] = {}
    for name, value in opened.feed.read(0, opened.feed.samples).items():
        for stem, signal in value.items() if isinstance(value, Mapping) else [(None, value)]:
            if not bool(signal.any()):
                continue
            file = folder / name / f"{stem or name}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            audio.write(file, signal, opened.graph.sample_rate)
            files[name, stem] = [file]
    return files, (folder,) if files else ()
