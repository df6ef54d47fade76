"""A set file → a set that is ready to be played."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import djgraph.graph
from djgraph.automation import Automation, TempoMap
from djgraph.automation import load as load_automation
from djgraph.decks import Place
from djgraph.errors import DJGraphError, SetError
from djgraph.graph.ir import Graph
from djgraph.language.fold import in_file_order
from djgraph.language.words import IDENTIFIER
from djgraph.layout import ParameterLayout
from djgraph.layout.faders import find_tracks as find_fading
from djgraph.sets.arrange import arrange
from djgraph.sets.laid import Laid
from djgraph.sets.load import SetDocument, load_set
from djgraph.sets.moves import automation_of
from djgraph.sets.plan import PlayedTrack, SetPlan, runs_of
from djgraph.sets.sources import Progress, SetTrack, find_tracks
from djgraph.sets.tempo import tempo_of, track_tempos

PEAK = -3.0
"""dBTP that no track of a set exceeds that is brought to one loudness: two such, each 3 dB down in the middle of an
equal-power fade, stay within full scale."""


def plan_set(source: str | os.PathLike[str] | Mapping[str, Any], progress: Progress | None = None) -> SetPlan:
    """Read a set file (a path, the text or a mapping), look at its tracks, analyse those that are not known, and lay
    them out.

    progress: told how many tracks are analysed, and how many there are. Raises DocumentError that holds what is wrong
    with the file, with line and column; SetError for tracks and transitions that cannot be.
    """
    document = load_set(source)
    graph = _graph(document)
    decks = _decks(document, graph)
    tracks = find_tracks(document, graph, decks, progress)
    tempos = track_tempos(document, tracks)
    laid, transitions = arrange(document, graph, tracks, tempos)
    beats = laid[-1].end
    windows = [(transition.begin, transition.end) for transition in transitions]
    tempo = tempo_of(document, tempos, windows, beats)
    gains = _gains(document, tracks)
    played = []
    problems = []
    for number, (each, gain) in enumerate(zip(laid, gains, strict=True)):
        _, site = document.tracks[number]
        try:
            grid, begin = each.track.grid, each.played.begin
            place = Place(grid, tempo, each.enters, begin, each.times, each.moves)
            place.rates(each.track.seconds)
        except DJGraphError as error:
            problems.append(site.problem(str(error)))
            continue
        played.append(_played(each, place, graph.sample_rate, windows, number, gain, document.locked(number)))
    if problems:
        raise SetError(*in_file_order(problems))
    samples = max(1, math.ceil(tempo.seconds(beats) * graph.sample_rate))
    sites = [
        document.moves[n][1] if n in document.moves else document.tracks[n + 1][1]
        for n in range(len(transitions))
    ]
    inputs = [track.input for track in played]
    head = document.model
    seconds = samples / graph.sample_rate
    moves = (
        automation_of(graph, transitions, inputs, sites, tempo, seconds, head.name)
        if head.automation is None
        else _automation(document, graph, tempo, seconds)
    )
    return SetPlan(head.name, document.title, graph, tempo, tuple(played), tuple(transitions), moves, samples)


def _automation(document: SetDocument, graph: Graph, tempo: TempoMap, seconds: float) -> Automation:
    """What the file beside the set says, at the set's tempo. Raises SetError where it does not fit, DocumentError for
    what is wrong in it."""
    auto = replace(load_automation(document.path(str(document.model.automation))), tempo=tempo)
    try:
        auto.check(graph, seconds, tempo)
    except DJGraphError as error:
        raise SetError(document.site.problem(str(error), "automation")) from None
    return auto


def _graph(document: SetDocument) -> Graph:
    """The mixer that plays the set."""
    said = document.model.graph
    is_name = IDENTIFIER.match(said) is not None and not document.path(said).is_file()
    try:
        return djgraph.graph.load(said if is_name else os.fspath(document.path(said)))
    except DJGraphError as error:
        if "graph" not in document.model.written():
            raise
        raise SetError(document.site.problem(str(error), "graph")) from None


def _decks(document: SetDocument, graph: Graph) -> list[str]:
    """The inputs that tracks are played on in turn. Raises SetError for fewer than the set needs."""
    layout = ParameterLayout.from_graph(graph)
    inputs = list(graph.inputs)
    # What a source of the graph plays is none of the set's.
    fading = [inputs[t.number] for t in find_fading(layout) if inputs[t.number] not in graph.sources]
    site = document.site
    if (said := document.model.decks) is not None:
        problems = [
            site.problem(
                f"graph {graph.name} has no input {name!r}", "decks", place, allowed=tuple(inputs), name=name
            )
            for place, name in enumerate(said)
            if name not in inputs
        ]
        problems += [
            site.problem(
                f"{name!r} is played by a source of the graph; a set has decks of its own", "decks", place
            )
            for place, name in enumerate(said)
            if name in graph.sources
        ]
        problems += [
            site.problem(f"{name!r} is named twice", "decks", place)
            for place, name in enumerate(said)
            if name in said[:place]
        ]
        if problems:
            raise SetError(*in_file_order(problems))
        fading = said
    needed = min(2, len(document.tracks))
    if len(fading) < needed:
        there = ", ".join(fading) or "none"
        message = f"a set takes two decks in turn, inputs with faders; graph {graph.name} has {there}"
        raise SetError(site.problem(message, "graph" if said is None else "decks"))
    return fading


def _gains(document: SetDocument, tracks: Sequence[SetTrack]) -> list[float]:
    """dB by which each track is scaled: all to the loudness of the one in the middle, or what keeps all peaks below
    :data:`PEAK`."""
    own = [model.gain for model, _ in document.tracks]
    known = [track.known for track in tracks]
    loud = [each.loudness for each in known if each.loudness is not None]
    if document.model.gain == "none" or not loud:
        return own
    target = median(loud)
    for each in known:
        if each.loudness is not None and each.true_peak is not None:
            target = min(target, each.loudness - each.true_peak + PEAK)
    return [
        round(gain + (0.0 if each.loudness is None else target - each.loudness), 2)
        for gain, each in zip(own, known)
    ]


def _played(
    each: Laid,
    place: Place,
    rate: int,
    windows: Sequence[tuple[float, float]],
    number: int,
    gain: float,
    key_lock: bool,
) -> PlayedTrack:
    track = each.track
    return PlayedTrack(
        name=track.name,
        title=track.title,
        path=track.path,
        input=track.input,
        stems=track.files,
        seconds=track.seconds,
        grid=track.grid,
        known=track.known,
        enters=windows[number - 1][0] if number else 0.0,
        leaves=windows[number][1] if number < len(windows) else each.end,
        runs=runs_of(place, rate, track.seconds),
        place=place,
        digest=track.digest,
        gain=gain,
        key_lock=key_lock,
    )
