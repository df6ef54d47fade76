"""Tracks at places in one mix as a set of them: what pictures and projects for DAWs are made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from djgraph.analysis import Grid, Known
    from djgraph.automation import Automation, TempoMap
    from djgraph.graph.ir import Graph
    from djgraph.rendering.synced import SyncedBlocks
    from djgraph.sets import PlayedTrack, SetPlan


class Placings(Protocol):
    """Tracks at places: :class:`djgraph.rendering.SyncedBlocks`."""

    @property
    def samples(self) -> int: ...
    @property
    def tempo(self) -> TempoMap: ...
    @property
    def key_lock(self) -> bool: ...
    @property
    def places(self) -> Mapping[str, Any]: ...
    @property
    def files(self) -> Mapping[tuple[str, str | None], list[Path]]: ...
    @property
    def grids(self) -> Mapping[str, tuple[Grid, list[int]]]: ...
    @property
    def seconds(self) -> Mapping[str, float]: ...


def plan_synced(
    source: SyncedBlocks, graph: Graph, automation: Automation, name: str, moves: str | None
) -> SetPlan:
    """What ``render --sync`` plays. moves: the recipe or automation of its transition, as it was given."""
    from djgraph.sets import Transition

    found: tuple[Transition, ...] = ()
    if source.pair[1] is not None and moves is not None:
        found = (Transition(0, 1, moves, source.start, source.length),)
    names = [one for one in dict.fromkeys((*source.pair, *source.places)) if one is not None]
    return plan_placed(source, names, graph, automation, name, found)


def plan_placed(
    source: Placings,
    names: list[str],
    graph: Graph,
    automation: Automation,
    name: str,
    transitions: tuple[Any, ...] = (),
) -> SetPlan:
    """Tracks, by input, where a mix plays them."""
    from djgraph.automation import TempoMap
    from djgraph.sets import SetPlan

    tracks = tuple(_played(source, one, graph.sample_rate) for one in names)
    tempo = TempoMap(source.tempo)
    return SetPlan(name, name, graph, tempo, tracks, transitions, automation, source.samples)


def _played(source: Placings, name: str, rate: int) -> PlayedTrack:
    from djgraph.sets import PlayedTrack
    from djgraph.sets.plan import runs_of

    place, seconds = source.places[name], source.seconds[name]
    stems = {stem: tuple(paths) for (owner, stem), paths in source.files.items() if owner == name}
    path = next(iter(stems.values()))[0]
    path = path if len(stems) == 1 and None in stems else path.parent
    grid, known = _known(source, name, path)
    return PlayedTrack(
        name=name,
        title=path.stem if path.is_file() else path.name,
        path=path,
        input=name,
        stems=stems,
        seconds=seconds,
        grid=grid,
        known=known,
        enters=max(0.0, place.mix_beat(0.0)),
        leaves=place.mix_beat(seconds),
        runs=runs_of(place, rate, seconds),
        key_lock=source.key_lock,
    )


def _known(source: Placings, name: str, path: Path) -> tuple[Grid, Known]:
    """Beats of a track, and what its analysis says, if it has one."""
    from djgraph.analysis import Grid, Known, read_analysis
    from djgraph.analysis.find import find_sources
    from djgraph.analysis.store import read_about

    grid, phrases = source.grids.get(name) or (Grid.at_tempo(source.tempo.points[0][1]), [])
    sources = find_sources([path])
    about = read_about(sources[0].about) if len(sources) == 1 else None
    if about is not None and "analysis" in about.data:
        return grid, read_analysis(sources[0].about)
    return grid, Known(tempo=grid.tempo, phrases=phrases)
