"""``track.json``: what is known of a track, kept beside it, and when it has to be found out anew."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from djgraph.analysis.beats import EARLY
from djgraph.analysis.find import Source
from djgraph.analysis.grid import Grid
from djgraph.analysis.track import VERSION, Analysis
from djgraph.arguments import is_real
from djgraph.atomic import write_text
from djgraph.errors import AudioFileError, DJGraphError
from djgraph.reading import Json, read_json

_OURS = (
    *(
        "tempo",
        "beats",
        "downbeats",
        "meter",
        "grid",
        "key",
        "camelot",
        "loudness",
        "true_peak",
        "levels",
        "phrases",
    ),
    *("confidence", "analysis"),
)
"""Keys that an analysis writes; all others stay as they are."""


def read_about(path: Path) -> Json | None:
    """A track's JSON file; None where there is none. Raises AudioFileError with file, line and column for what makes no
    sense."""
    if not path.is_file():
        return None
    about = read_json(path, AudioFileError, not_finite="null")
    if not isinstance(about.data, dict):
        about.refuse("expected a mapping with tempo, beats and whatever else there is")
    return about


def settings(source: Source, digest: str, low: float, high: float) -> dict[str, Any]:
    """What an analysis depends on: where it is the same, so is the result."""
    return {"version": VERSION, "content": digest, "tempos": [low, high], "stems": list(source.parts)}


def is_current(about: Json | None, wanted: dict[str, Any]) -> bool:
    """Whether a file holds the analysis that is wanted."""
    return about is not None and about.data.get("analysis") == wanted


def own_grid(about: Json | None) -> tuple[Grid, str] | None:
    """The grid that somebody else wrote into a track's file, as ``beats`` and ``downbeats``, or None.

    A tempo without beats is no grid: it says how fast, and not when.
    """
    if about is None or "analysis" in about.data:
        return None
    beats = about.data.get("beats") or []
    if not (isinstance(beats, list) and len(beats) >= 2):
        return None
    if wrong := [i for i, beat in enumerate(beats) if not is_real(beat)]:
        about.refuse("beats: expected a list of seconds", ("beats", wrong[0]))
    meter = about.data.get("meter", 4)
    downbeats = about.data.get("downbeats") or []
    first = 0
    try:
        grid = Grid.from_beats(beats, meter if isinstance(meter, int) else 4)
        if isinstance(downbeats, list) and downbeats and is_real(downbeats[0]):
            first = round(float(grid.beat_at(float(downbeats[0])))) % grid.meter
        return _from_zero(Grid(grid.seconds, grid.beats, grid.meter, first)), "track.json"
    except DJGraphError as problem:
        about.refuse(str(problem), ("beats",))


def _from_zero(grid: Grid) -> Grid:
    """The same grid with beat 0 at or after the track's beginning."""
    first = math.ceil(float(grid.beat_at(-EARLY)))
    return Grid(
        grid.seconds,
        tuple(beat - first for beat in grid.beats),
        grid.meter,
        (grid.downbeat - first) % grid.meter,
    )


def own_tempo(about: Json | None) -> float | None:
    """A tempo that somebody else wrote into a track's file."""
    if about is None or "analysis" in about.data:
        return None
    tempo = about.data.get("tempo")
    return float(tempo) if is_real(tempo) and 20 <= tempo <= 400 else None


def write(
    source: Source, about: Json | None, analysis: Analysis, wanted: dict[str, Any], write: bool = True
) -> dict[str, Any]:
    """Put an analysis into the track's file, whole or not at all; what else stands there stays.
    Returns what the file holds, or would hold without ``write``."""
    kept = {} if about is None else {key: value for key, value in about.data.items() if key not in _OURS}
    if about is not None and "analysis" not in about.data:
        # What a person wrote is not lost.
        before = {
            key: about.data[key] for key in ("tempo", "beats", "key") if about.data.get(key) is not None
        }
        kept |= {"before": before} if before else {}
    data = kept | analysis.data() | {"analysis": wanted}
    if write:
        write_text(source.about, json.dumps(data, ensure_ascii=False) + "\n", AudioFileError)
    return data


def read_analysis(path: Path) -> dict[str, Any]:
    """What an analysis has written, as plain data. Raises AudioFileError where there is none."""
    about = read_about(path)
    if about is None or "analysis" not in about.data:
        raise AudioFileError(f"{path} holds no analysis; make it with djgraph analyse {path.parent}")
    return dict(about.data)


def grid_of(data: dict[str, Any]) -> Grid | None:
    """The grid in what :func:`read_analysis` returns."""
    grid = data.get("grid")
    if not isinstance(grid, dict):
        return None
    return Grid(tuple(grid["seconds"]), tuple(grid["beats"]), grid["meter"], grid["downbeat"])
