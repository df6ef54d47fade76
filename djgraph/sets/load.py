"""A set file → its models, with the place of everything that it says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from djgraph.errors import DocumentError, SetError
from djgraph.language.faults import explain
from djgraph.language.fields import CONCRETE
from djgraph.language.fold import in_file_order
from djgraph.language.load import problem, read
from djgraph.language.site import Site
from djgraph.language.source import Source
from djgraph.sets.document import SET, SetModel, TrackModel, TransitionModel


@dataclass(frozen=True)
class SetDocument:
    """A set file. sites: where each of its tracks stands; moves: by the number of the track before, the transition that
    is said, and where."""

    source: Source
    model: SetModel
    tracks: tuple[tuple[TrackModel, Site], ...]
    moves: Mapping[int, tuple[TransitionModel, Site]]

    @property
    def site(self) -> Site:
        return Site(self.source)

    @property
    def folder(self) -> Path:
        """What paths in it are beside: that of the file, or the working one for a set that is none."""
        return Path(self.source.file).parent if self.source.file else Path()

    def path(self, text: str) -> Path:
        """A path that the file says."""
        return self.folder / os.path.expanduser(text)

    @property
    def title(self) -> str:
        """One line for people: what the file says, or else the file's own name; nothing where it has neither."""
        if self.model.title or "name" in self.model.written() or not self.source.file:
            return self.model.title
        return Path(self.source.file).stem

    def locked(self, number: int) -> bool:
        """Whether a track keeps its pitch."""
        said = self.tracks[number][0].key_lock
        return self.model.key_lock if said is None else said


def load_set(source: str | os.PathLike[str] | Mapping[str, Any]) -> SetDocument:
    """Read and check a set file, or the text or the mapping of one.

    Raises DocumentError that holds every problem found in it, with file, line and column. Tracks are not looked at.
    """
    read_source = read(source, {}, None, SET)
    data = read_source.data
    if isinstance(data, dict) and isinstance(data.get("$schema"), str):
        data = {key: value for key, value in data.items() if key != "$schema"}
    try:
        model = SetModel.model_validate(data, context=CONCRETE)
    except ValidationError as error:
        faults = explain(error, SetModel)
        raise DocumentError(*in_file_order(problem(read_source, fault) for fault in faults)) from None
    tracks: list[tuple[TrackModel, Site]] = []
    moves: dict[int, tuple[TransitionModel, Site]] = {}
    root = Site(read_source)
    for place, item in enumerate(model.tracks):
        site = root.below("tracks", place)
        if isinstance(item, TrackModel):
            tracks.append((item, site))
        else:
            moves[len(tracks) - 1] = (item, site)
    document = SetDocument(read_source, model, tuple(tracks), moves)
    _check_twice(document)
    return document


def _check_twice(document: SetDocument) -> None:
    """Raises SetError for a track that is named twice: one of them is most likely a slip."""
    seen: dict[str, Site] = {}
    problems = []
    for track, site in document.tracks:
        name = os.path.realpath(document.path(track.track))
        if name in seen:
            problems.append(site.problem(f"{track.track} is in the set twice: {seen[name].where()}, too"))
        seen.setdefault(name, site)
    if problems:
        raise SetError(*in_file_order(problems))
