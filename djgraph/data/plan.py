"""What a corpus is to be: a new one's description, or one that is there held against what is asked for."""

from __future__ import annotations

import dataclasses
import operator
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from djgraph.arguments import is_real, is_whole, shown
from djgraph.audio import check_format
from djgraph.data.description import Description, Packing, Settings, differences, inputs_of, parts_of
from djgraph.data.faults import warn_of_before
from djgraph.data.items import MIX
from djgraph.data.moves import choose
from djgraph.data.pairs import long_enough
from djgraph.data.sources import GraphSource, demo_folder, plain_args, read_graph
from djgraph.data.tracks import Problems, Track, find_tracks
from djgraph.errors import CorpusError, InputError, nearest
from djgraph.graph.ir import Graph
from djgraph.storage import UrlPath
from djgraph.version import __version__

GRAPH = "dj_mixer"
COUNT = 100
DEMO = "tracks"
"""Folder of a corpus where the demo tracks are put."""


class Home(Protocol):
    """Where the files of a corpus lie that tell of all its items. shards: how items are packed."""

    where: str
    shards: Packing

    def read(self) -> Description:
        """``corpus.json``."""
        ...

    def write(self, about: Description) -> None:
        """Write ``corpus.json``."""
        ...

    def read_graph(self, about: Description) -> tuple[str, Graph]:
        """The corpus's own copy of its graph: its text, and what it is."""
        ...

    def write_graph(self, file: str, text: str) -> None:
        """Write that copy."""
        ...

    def demo(self) -> Path:
        """The folder of the demo tracks. CorpusError where there can be none."""
        ...

    def has_demo(self) -> bool:
        """Whether it is there."""
        ...


def begin(
    home: Home,
    tracks: Any,
    source: GraphSource | None,
    args: Mapping[str, Any],
    count: int,
    options: Mapping[str, Any],
    problems: Problems,
) -> tuple[Description, str]:
    """A new corpus, and the text of its graph."""
    args = plain_args(args)
    text, graph, file = read_graph(GRAPH if source is None else source, args)
    settings = _settings(Settings(), options)
    inputs = inputs_of(graph)
    # Before the work, not after it.
    check_format(Path(MIX), graph.sample_rate, graph.channels(next(iter(graph.outputs.values()))))
    about = Description(
        count=count,
        settings=settings,
        graph=file,
        args=args,
        sample_rate=graph.sample_rate,
        layout=_layout(graph),
        inputs=inputs,
        tracks=(),
        made_with=__version__,
        shards=home.shards,
    )
    names = choose(about.layout, options.get("recipes"))
    settings = dataclasses.replace(settings, recipes=tuple(names))
    if tracks is None:
        tracks = demo_folder(home.demo(), graph.sample_rate, settings.seconds)
    chosen = _find(tracks, graph, about, problems)
    about = dataclasses.replace(about, settings=settings, tracks=tuple(chosen))
    home.write_graph(file, text)
    home.write(about)
    return about, text


def agree(
    home: Home,
    tracks: Any,
    demo: bool,
    source: GraphSource | None,
    args: Mapping[str, Any] | None,
    count: int | None,
    options: Mapping[str, Any],
    problems: Problems,
) -> tuple[Description, str]:
    """The corpus's own description, with the new count, once all that is given agrees with it, and its graph's text."""
    about = home.read()
    warn_of_before(about, home.where)
    graph_text, graph = home.read_graph(about)
    wrong = []
    if source is not None:
        text, other, _ = read_graph(source, about.args if args is None else args)
        if text != graph_text:
            wrong.append(f"graph: another document\n{about.layout.diff(_layout(other))}".rstrip())
    if args is not None and plain_args(args) != dict(about.args):
        wrong.append(f"args: {dict(about.args)} → {plain_args(args)}")
    given = dict(options)
    if given.get("recipes") is not None:
        given["recipes"] = choose(about.layout, given["recipes"])
    wrong += differences(about.settings, _settings(about.settings, given))
    if demo and not home.has_demo():
        wrong.append("tracks: folders → the demo's")
    found = None if tracks is None else _find(tracks, graph, about, problems)
    if found is not None and list(map(_place, found)) != list(map(_place, about.tracks)):
        wrong.append(f"tracks: {len(about.tracks)} → {len(found)}, or other ones")
    if home.shards and home.shards != about.shards:
        wrong.append(f"shards: {about.shards or 'none'} → {home.shards}")
    if count is not None and count < about.count:
        wrong.append(f"count: {about.count} → {count} (it may only grow)")
    if wrong:
        listed = "\n".join("  " + line for text in wrong for line in text.splitlines())
        raise CorpusError(
            f"{home.where} is a corpus with other settings; from it to what is asked for:\n{listed}\n"
            "  leave these out to go on with it, or make another one in a new folder"
        )
    if demo or home.has_demo():
        demo_folder(home.demo(), about.sample_rate, about.settings.seconds)
    if found is not None:
        about = dataclasses.replace(about, tracks=tuple(map(_given, about.tracks, found)))
    for track in about.tracks:
        if isinstance(track.folder, UrlPath) and not track.folder.given:
            url = track.folder.root
            raise CorpusError(
                f"the tracks that {home.where} is made from lie behind {url}, and only URLs are opened that are given;"
                f" give it again: --tracks {url} (tracks=)"
            )
        for file in (file for files in track.parts.values() for file in files):
            if isinstance(file, Path) and not os.path.isfile(file):
                raise CorpusError(
                    f"{file} is gone, a stem of the track {track.name!r} that {home.where} is made from; put it back,"
                    " or make another corpus"
                )
    if count is not None and count > about.count:
        about = dataclasses.replace(about, count=count)
        home.write(about)
    return about, graph_text


def _settings(base: Settings, options: Mapping[str, Any]) -> Settings:
    given = {name: value for name, value in options.items() if value is not None}
    if "recipes" in given:
        given["recipes"] = tuple(map(str, given["recipes"]))
    # One spelling in corpus.json, whatever library the numbers are of.
    for name in ("seconds", "frames_per_second", "curves"):
        if is_real(given.get(name)):
            given[name] = float(given[name])
    for name in ("seed", "shard_size"):
        if is_whole(given.get(name)):
            given[name] = operator.index(given[name])
    for name in ("stems", "align", "short"):
        if isinstance(given.get(name), str):
            given[name] = str(given[name])
    settings = dataclasses.replace(base, **given)
    if faults := settings.faults():
        raise InputError("; ".join(faults))
    return settings


def check_names(options: Mapping[str, Any]) -> None:
    recipes = options.get("recipes")
    if recipes is not None and not (
        isinstance(recipes, Sequence)
        and not isinstance(recipes, str)
        and all(isinstance(name, str) for name in recipes)
    ):
        raise InputError(f"recipes is {shown(recipes)}; expected a list of names of transitions")
    known = [field.name for field in dataclasses.fields(Settings)]
    for name in options:
        if name not in known:
            guess = nearest(name, known)
            hint = f"; did you mean {guess!r}?" if guess else f"; there is: {', '.join(known)}"
            raise InputError(f"make_corpus has no setting {name!r}{hint}")


def _layout(graph: Graph) -> Any:
    from djgraph.layout import ParameterLayout

    return ParameterLayout.from_graph(graph)


def _place(track: Track) -> tuple[str, Path | str]:
    """By which a track is known again."""
    return track.name, track.folder.resolve() if isinstance(track.folder, Path) else str(track.folder)


def _given(track: Track, found: Track) -> Track:
    """A track as the corpus knows it, read from the URL that is given now."""
    return (
        track
        if isinstance(track.folder, Path)
        else dataclasses.replace(track, folder=found.folder, parts=found.parts)
    )


def _find(tracks: Any, graph: Graph, about: Description, problems: Problems) -> Sequence[Track]:
    stems, optional = parts_of(graph, about.inputs)
    candidates = find_tracks(tracks, stems, optional, problems)
    return long_enough(candidates, about.samples, about.sample_rate, about.settings.short, len(about.inputs))
