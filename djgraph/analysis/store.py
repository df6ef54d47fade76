"""``track.json``: what is known of a track, kept beside it, and when it has to be found out anew."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from djgraph.analysis.find import Source
from djgraph.analysis.grid import TEMPOS, Grid
from djgraph.analysis.track import VERSION, Analysis
from djgraph.arguments import is_real, is_whole
from djgraph.atomic import write_text
from djgraph.errors import AudioFileError, InputError
from djgraph.reading import Json, Stored, read_json

_GIVEN = ("tempo", "beats", "downbeats", "meter", "key")
"""Keys that an analysis replaces; what a person wrote there is kept under ``before``, and heeded."""
_OURS = (*_GIVEN, "grid", "camelot", "loudness", "true_peak", "levels", "phrases", "confidence", "analysis")
"""Keys that an analysis writes; all others stay as they are."""


class Anchors(Stored):
    """A grid as a file holds it."""

    seconds: list[float]
    beats: list[float]
    meter: int
    downbeat: int

    @model_validator(mode="after")
    def _makes_sense(self) -> Anchors:
        self.grid()
        return self

    def grid(self) -> Grid:
        """Raises InputError, a ValueError, for what is no grid."""
        return Grid(tuple(self.seconds), tuple(self.beats), self.meter, self.downbeat)


class Known(Stored):
    """What an analysis has written of a track; see docs/analysis.md for each key."""

    tempo: float | None = None
    meter: int | None = None
    beats: list[float] = Field(default_factory=list)
    downbeats: list[float] = Field(default_factory=list)
    grid: Anchors | None = None
    key: str | None = None
    camelot: str | None = None
    loudness: float | None = None
    true_peak: float | None = None
    levels: dict[str, list[float]] = Field(default_factory=dict)
    phrases: list[int] = Field(default_factory=list)
    confidence: dict[str, float] = Field(default_factory=dict)


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


def current(about: Json | None, wanted: dict[str, Any]) -> Known | None:
    """What a file says where it holds the analysis that is wanted; None else, and where it makes no sense."""
    if about is None or about.data.get("analysis") != wanted:
        return None
    try:
        return about.read_as(Known)
    except AudioFileError:
        return None


def own_grid(about: Json | None) -> tuple[Grid, str] | None:
    """The grid that a person, or another program, wrote into a track's file, as ``beats`` and ``downbeats``, or None.

    A tempo without beats is no grid: it says how fast, and not when. Raises AudioFileError, with its place, for
    beats that are none.
    """
    if about is None:
        return None
    own, path = _own(about)
    beats = own.get("beats") or []
    if not (isinstance(beats, list) and len(beats) >= 2):
        return None
    if wrong := [i for i, beat in enumerate(beats) if not is_real(beat)]:
        about.refuse("beats: expected a list of seconds", (*path, "beats", wrong[0]))
    meter, downbeats = own.get("meter", 4), own.get("downbeats") or []
    try:
        grid = Grid.from_beats(beats, meter if is_whole(meter) else 4)
        if isinstance(downbeats, list) and downbeats and is_real(downbeats[0]):
            first = round(float(grid.beat_at(float(downbeats[0])))) % grid.meter
            grid = dataclasses.replace(grid, downbeat=first)
    except InputError as problem:
        about.refuse(str(problem), (*path, "beats"))
    return grid.from_zero(), "track.json"


def own_tempo(about: Json | None) -> float | None:
    """A tempo that a person, or another program, wrote into a track's file."""
    tempo = None if about is None else _own(about)[0].get("tempo")
    return float(tempo) if is_real(tempo) and TEMPOS[0] <= tempo <= TEMPOS[1] else None


def _own(about: Json) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What was there before the first analysis, and where it stands."""
    if "analysis" not in about.data:
        return about.data, ()
    before = about.data.get("before")
    return (before, ("before",)) if isinstance(before, dict) else ({}, ())


def write(
    source: Source, about: Json | None, analysis: Analysis, wanted: dict[str, Any], write: bool = True
) -> dict[str, Any]:
    """Put an analysis into the track's file, whole or not at all; what else stands there stays.
    Returns what the file holds, or would hold without ``write``."""
    kept: dict[str, Any] = {}
    if about is not None:
        kept = {key: value for key, value in about.data.items() if key not in _OURS}
        own = _own(about)[0]
        if before := {key: own[key] for key in _GIVEN if own.get(key) is not None}:
            kept["before"] = before
    data = kept | analysis.data() | {"analysis": wanted}
    if write:
        write_text(source.about, json.dumps(data, ensure_ascii=False) + "\n", AudioFileError)
    return data


def read_analysis(path: str | os.PathLike[str]) -> Known:
    """What an analysis has written. Raises AudioFileError where there is none, and, with their places, for values that
    are none."""
    about = read_about(Path(path))
    if about is None or "analysis" not in about.data:
        raise AudioFileError(f"{path} holds no analysis; make it with djgraph analyse {Path(path).parent}")
    return about.read_as(Known)
