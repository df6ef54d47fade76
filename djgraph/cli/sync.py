"""Tracks of other tempos at one mix's beats: what ``render --sync`` reads in place of plain inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from djgraph.cli.inputs import Key, channels_of, find_inputs, name_of, nested
from djgraph.cli.progress import Steps
from djgraph.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.analysis import Grid
    from djgraph.decks import Deck, Place
    from djgraph.graph.ir import Graph

LENGTH = 32.0
"""Beats of a transition where nothing else is said."""
_TIME = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(beats?|bars?)\s*\Z")


class SyncedBlocks:
    """The audio of a graph's inputs, each track played so that its beats are the mix's. As
    :class:`djgraph.cli.inputs.InputBlocks`.

    samples: of the mix: to the end of the track that ends last. places: by input. start, length: of the transition, in
    beats of the mix.
    """

    def __init__(
        self,
        graph: Graph,
        given: dict[str, Path],
        pad: bool,
        tracks: tuple[str, str] | None,
        tempo: float | None,
        at: float | None,
        length: float | None,
        steps: Steps,
    ) -> None:
        """Raises InputError and AudioFileError as find_inputs and an analysis do, and for tracks without beats."""
        from djgraph.decks import Deck, FileMaterial
        from djgraph.decks.placement import place, transition_beat

        files = find_inputs(graph, given)
        names = list(dict.fromkeys(name for name, _ in files))
        known = {}
        for name in names:
            steps.begin(f"analysing {name}")
            known[name] = _known(name, given[name])
        first = tracks[0] if tracks else names[0]
        second = tracks[1] if tracks else (names[1] if len(names) > 1 else None)
        if missing := [name for name in (first, second) if name is not None and name not in known]:
            raise InputError(f"--tracks names {missing[0]}; with --input are given: {', '.join(names)}")
        self.tempo = float(known[first][0].tempo) if tempo is None else tempo
        self.length = LENGTH if length is None else length
        channels = channels_of(graph)
        material = {
            name: FileMaterial(
                {name_of(key): several for key, several in files.items() if key[0] == name},
                graph.sample_rate,
                {name_of(key): channels[key] for key in files if key[0] == name},
                pad,
            )
            for name in names
        }
        rate = graph.sample_rate
        self.places: dict[str, Place] = {name: place(known[name][0], self.tempo) for name in names}
        self.start = 0.0
        if second is not None:
            seconds = material[first].samples / rate
            self.start = transition_beat(self.places[first], seconds, self.length, known[first][1], at)
            self.places[second] = place(known[second][0], self.tempo, self.start)
        self._decks: dict[str, Deck] = {name: Deck(material[name], self.places[name], rate) for name in names}
        self._keys: list[Key] = list(files)
        self.samples = max(deck.samples for deck in self._decks.values())
        self._at = 0

    def read(self, samples: int) -> dict[str, Any]:
        """The next block of every input; fewer samples at the end, and then none."""
        samples = min(samples, self.samples - self._at)
        signals: dict[str, Tensor] = {}
        for deck in self._decks.values():
            signals |= deck.read(self._at, samples)
        self._at += samples
        return nested(self._keys, signals)

    def __enter__(self) -> SyncedBlocks:
        return self

    def __exit__(self, *_: object) -> None:
        """Files are open only while they are read."""

    def said(self) -> list[str]:
        """What was done, for people."""
        lines = []
        for name, where in self.places.items():
            change = (where.rate - 1) * 100
            lines.append(
                f"{name}: {where.grid.tempo:.2f} BPM played at {where.rate:.4f} ({change:+.1f} %), from beat "
                f"{where.enters:g}"
            )
        return lines


def _known(name: str, path: Path) -> tuple[Grid, list[int]]:
    """The grid and the phrases of a track: of its analysis, or one that is made now and not kept."""
    from djgraph.analysis import analyse, read_analysis
    from djgraph.analysis.find import find_sources
    from djgraph.analysis.store import own_grid, read_about

    sources = find_sources([path])
    if len(sources) != 1:
        raise InputError(f"{path} holds {len(sources)} tracks; --sync takes one for each input")
    (source,) = sources
    about = read_about(source.about)
    if about is not None and "analysis" in about.data:
        known = read_analysis(source.about)
    elif (own := own_grid(about)) is not None:
        return own[0], []
    else:
        (result,) = analyse([path], workers=1, write=False)
        if result.known is None:
            raise InputError(f"{name}: {result.problem}")
        known = result.known
    if known.grid is None:
        raise InputError(
            f"{name}: no beat was found in {path}, so it cannot be played in time; play it without --sync, or write "
            f'its beats into {source.about}: {{"beats": [0.5, 1.0, …]}}'
        )
    return known.grid.grid(), known.phrases


def beats_of(text: str, option: str, meter: int = 4) -> float:
    """``64beats`` or ``16bars`` as beats; a usage error for anything else."""
    match = _TIME.match(text)
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no place in beats; expected such as 64beats or 16bars", param_hint=option
        )
    return float(match[1]) * (meter if match[2].startswith("bar") else 1)


def settings_in_beats(
    source: SyncedBlocks, arguments: Mapping[str, Any], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """``start`` and ``length`` of a recipe, as far as it has them and they are not set: the transition's."""
    out: dict[str, Any] = {}
    if "start" in arguments and "start" not in chosen:
        out["start"] = f"{source.start:g}beats"
    if "length" in arguments and "length" not in chosen and arguments["length"] not in (0, "0s"):
        out["length"] = f"{source.length:g}beats"
    return out
