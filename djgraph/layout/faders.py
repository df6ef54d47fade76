"""The faders of a layout: which column fades which track."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from djgraph.effects.roles import FADER
from djgraph.errors import shorten
from djgraph.graph.ir import Column, Part
from djgraph.layout.layout import ParameterLayout
from djgraph.layout.measures import SILENT, can_fade

NAMES = ("fader", "gain")
"""What a fader is called in a layout that no graph came with, the first that is there counts."""


@dataclass
class Faders:
    """The faders of one track, or of anything else that has some: columns of a layout."""

    own: int | None = None
    """Its own."""
    stems: dict[str, int] = field(default_factory=dict)
    """Those of its stems."""
    track: int | None = None
    """The number of the track; None for what is none, such as a bus of several."""

    @property
    def columns(self) -> list[int]:
        """What fades it: its own fader, or else all those of its stems."""
        return list(self.stems.values()) if self.own is None else [self.own]

    @property
    def every(self) -> list[int]:
        """All of them."""
        return [*self.stems.values(), *(() if self.own is None else (self.own,))]


@dataclass
class TrackFaders:
    """What one input sounds through: the names of its parts (one, as a rule), and its faders."""

    number: int
    """Of its input, from 0, in the graph's order."""
    names: list[str] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    stems: dict[str, int] = field(default_factory=dict)


def find_faders(layout: ParameterLayout) -> dict[str, Faders]:
    """Everything in a layout that has faders, by name: tracks in the order of the inputs, then all others.

    The graph knows them (see :class:`djgraph.graph.ir.Part`). In a layout without a graph a fader is called
    ``<track>.fader``, ``<track>.gain``, ``<track>.<stem>.fader`` or ``<track>.<stem>.gain``.
    """
    faders = _known(layout) if any(column.part for column in layout) else _named(layout)
    order = sorted(faders, key=lambda name: (faders[name].track is None, faders[name].track))
    return {name: faders[name] for name in order}


def find_tracks(layout: ParameterLayout) -> list[TrackFaders]:
    """The tracks that have faders, in the order of the inputs."""
    tracks: dict[int, TrackFaders] = {}
    for name, faders in find_faders(layout).items():
        if faders.track is None:
            continue
        track = tracks.setdefault(faders.track, TrackFaders(faders.track))
        track.names.append(name)
        track.columns += [i for i in faders.every if _fades(layout, i, faders.track)] or faders.columns
        track.stems |= faders.stems
    for track in tracks.values():
        if len(track.names) > 1:  # each of its parts is a stem of it
            parts = find_faders(layout)
            track.stems |= {name: own for name in track.names if (own := parts[name].own) is not None}
    return list(tracks.values())


def _fades(layout: ParameterLayout, column: int, track: int) -> bool:
    """Whether the graph says that a column fades a track."""
    part = layout.columns[column].part
    return part is not None and part.track == track


def _known(layout: ParameterLayout) -> dict[str, Faders]:
    marked = [(c.part, i) for i, c in enumerate(layout) if c.part is not None and c.part.role == FADER]
    heads: dict[str, set[int | None]] = {}
    for fader, _ in marked:
        heads.setdefault(fader.owner.partition(".")[0], set()).add(fader.track)
    by_head: dict[str, Faders] = {}
    for fader, i in marked:
        head, _, stem = fader.owner.partition(".")
        if len(heads[head] - {None}) > 1:  # several tracks under one first name
            head, stem = fader.owner, ""
        faders = by_head.setdefault(head, Faders())
        faders.track = fader.track if faders.track is None else faders.track
        if stem:
            faders.stems[stem] = i
        else:
            faders.own = i
    return by_head


def _named(layout: ParameterLayout) -> dict[str, Faders]:
    own: dict[str, tuple[int, int]] = {}
    stems: dict[str, dict[str, tuple[int, int]]] = {}
    for i, name in enumerate(layout.names):
        track, *rest = name.split(".")
        if rest and len(rest) <= 2 and rest[-1] in NAMES:
            place = own if len(rest) == 1 else stems.setdefault(track, {})
            key = track if len(rest) == 1 else rest[0]
            place[key] = min((NAMES.index(rest[-1]), i), place.get(key, (len(NAMES), 0)))
    tracks = [t for t in dict.fromkeys(n.split(".")[0] for n in layout.names) if t in own or t in stems]
    return {
        track: Faders(
            own[track][1] if track in own else None,
            {stem: column for stem, (_, column) in stems.get(track, {}).items()},
            number,
        )
        for number, track in enumerate(tracks)
    }


def no_fade(layout: ParameterLayout, column: int) -> str | None:
    """Why a column is no fader after all, in words; None for one that goes from silence to a level of 1."""
    control = layout.columns[column].control
    if can_fade(control):
        return None
    needed = f"decibels from {SILENT:g} to 0" if control.unit == "dB" else "the ratios 0 to 1"
    return (
        f"{layout.names[column]!r} ({control.min:g} … {control.max:g} {control.unit}) cannot be faded: "
        f"its range has to hold {needed}"
    )


def unclear(layout: ParameterLayout, track: TrackFaders, what: str) -> str | None:
    """Why fading a track's faders would not fade all of it, in words; ``what`` it is called."""
    parts = (layout.columns[column].part for column in track.columns)
    beside = next((part.beside for part in parts if part is not None and part.beside), None)
    if beside is None:
        return None
    names = shorten([layout.names[column] for column in track.columns], 4)
    return (
        f"{what} ({names}) is heard past its fader, too, by {beside!r}: fading that would leave a part of it"
    )


def too_few(layout: ParameterLayout, faders: Iterable[str]) -> str:
    """What to say of a layout without two tracks to fade between."""
    there = ", ".join(sorted(dict.fromkeys(name.split(".")[0] for name in layout.names))) or "no controls"
    shared = [part.owner for part in map(_part, layout) if part is not None and part.track is None]
    if any(column.part for column in layout):
        others = f"; the faders of {shorten(shared, 4)} fade no track of their own" if shared else ""
        return (
            "a crossfade needs two tracks, each what one input alone sounds through, with faders; tracks with faders "
            f"here: {', '.join(faders) or 'none'}{others}"
        )
    return (
        "a crossfade needs two tracks with faders called <track>.fader, <track>.gain or <track>.<stem>.gain; "
        f"tracks with faders here: {', '.join(faders) or 'none'} (of {there})"
    )


def _part(column: Column) -> Part | None:
    """What a column is, if it is a fader."""
    return column.part if column.role == FADER else None
