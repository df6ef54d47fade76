"""Tracks of other tempos at one mix's beats: what ``render --sync`` reads in place of plain inputs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djgraph.errors import InputError
from djgraph.rendering.files import Key, find_inputs, materials_of, nested
from djgraph.rendering.steps import Steps

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.analysis import Grid
    from djgraph.automation import TempoMap
    from djgraph.decks import Deck, Free, Place
    from djgraph.graph.ir import Graph

Tempo = float | tuple[float, float]
"""BPM, or two between which a transition goes."""
SYNCS = ("bar", "beat", "off")
"""As ``--sync`` says it; the first where it says nothing."""
LENGTH = 32.0
"""Beats of a transition where nothing else is said."""


class SyncedBlocks:
    """The audio of a graph's inputs, each track played so that its beats are the mix's. As
    :class:`djgraph.rendering.InputBlocks`.

    samples: of the mix: to the end of the track that ends last. places: by input. tempo: the mix's clock. start,
    length: of the transition, in beats of the mix. pair: the inputs between which it goes. files: by input and stem.
    grids: beats and phrases by input, as far as they are known. seconds: how long each track is. key_lock: whether
    tracks keep their pitch.
    """

    def __init__(
        self,
        graph: Graph,
        given: dict[str, Path],
        pad: bool,
        tracks: tuple[str, str] | None,
        tempo: Tempo | TempoMap | None,
        at: float | None,
        length: float | None,
        steps: Steps,
        sync: str = "bar",
        key_lock: bool = False,
        some: bool = False,
    ) -> None:
        """tempo: one, or two between which the transition goes by the same amount in each beat, or a map; that of the
        first track where it is None. sync: one of :data:`SYNCS`. key_lock: tracks keep their pitch. some: as of
        find_inputs. Raises InputError and AudioFileError as that and an analysis do, and for tracks without beats."""
        from djgraph.automation import TempoMap
        from djgraph.decks import Deck
        from djgraph.decks.placement import transition_beat

        files = find_inputs(graph, given, some)
        names = list(dict.fromkeys(name for name, _ in files))
        first = tracks[0] if tracks else names[0]
        second = tracks[1] if tracks else (names[1] if len(names) > 1 else None)
        if missing := [name for name in (first, second) if name is not None and name not in names]:
            raise InputError(f"--tracks names {missing[0]}; with --input are given: {', '.join(names)}")
        self.length = LENGTH if length is None else length
        self.pair, self.files, self.key_lock = (first, second), files, key_lock
        known: dict[str, tuple[Grid, list[int]]] = {}
        for name in names:
            if sync != "off" or (tempo is None and name == first):
                steps.begin(f"analysing {name}")
                known[name] = known_of(name, given[name])
        material = materials_of(graph, files, pad)
        self._rate = rate = graph.sample_rate
        self.grids = known
        self.seconds = {name: one.samples / rate for name, one in material.items()}
        seconds = self.seconds[first]
        if tempo is None:
            tempo = known[first][0].tempo
        self.tempo = TempoMap(tempo[0] if isinstance(tempo, tuple) else tempo)
        self.start, lead = 0.0, self._placed(first, known, sync, 0.0)
        if second is not None:
            phrases = known[first][1] if sync == "bar" else []
            self.start = transition_beat(lead, seconds, self.length, phrases, at)
        if isinstance(tempo, tuple):
            length = self.length if second is not None else lead.mix_beat(seconds)
            ramp = (self.start, tempo[0], "per_beat") if length else (self.start - 1, tempo[0], "hold")
            self.tempo = TempoMap([ramp, (self.start + length, tempo[1])])
        self.places: dict[str, Place | Free] = {
            name: self._placed(name, known, sync, self.start if name == second else 0.0) for name in names
        }
        self._decks: dict[str, Deck] = {
            name: Deck(material[name], self.places[name], rate, key_lock) for name in names
        }
        self._keys: list[Key] = list(files)
        self.samples = max(deck.samples for deck in self._decks.values())
        self._at = 0

    def _placed(
        self, name: str, known: Mapping[str, tuple[Grid, list[int]]], sync: str, enters: float
    ) -> Place | Free:
        from djgraph.decks import Free, place

        if sync == "off":
            return Free(self.tempo, enters)
        return place(known[name][0], self.tempo, enters, bars=sync == "bar")

    def anew(self) -> SyncedBlocks:
        """The same from the beginning, read on its own."""
        return self._placed_at(self.tempo, self.places)

    def at_tempo(self, tempo: TempoMap) -> SyncedBlocks:
        """The same at another tempo, read on its own: every track enters at the beat at which it does.

        Raises InputError for one that a track cannot be played at.
        """
        placed = {name: replace(place, tempo=tempo) for name, place in self.places.items()}
        for name, place in placed.items():
            place.rates(self.seconds[name])  # those that cannot be are told here
        return self._placed_at(tempo, placed)

    def _placed_at(self, tempo: TempoMap, places: dict[str, Place | Free]) -> SyncedBlocks:
        from djgraph.decks import Deck

        other = copy.copy(self)
        other.tempo, other.places, other._at = tempo, places, 0
        other._decks = {
            name: Deck(deck.material, places[name], self._rate, deck.key_lock)
            for name, deck in self._decks.items()
        }
        other.samples = max(deck.samples for deck in other._decks.values())
        return other

    def seek(self, sample: int) -> None:
        """Go on from a sample of the mix."""
        self._at = sample

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
        for name, deck in self._decks.items():
            where = self.places[name]
            if not hasattr(where, "grid"):
                lines.append(f"{name}: played as it is, from beat {where.enters:g}")
                continue
            rates = sorted(set(deck.rates), reverse=bool(where.rate > sum(deck.rates) / 2))
            said = " to ".join(f"{rate:.4f}" for rate in rates)
            pitch = ", its pitch kept" if deck.key_lock and said != "1.0000" else ""
            changes = " to ".join(f"{round((rate - 1) * 100, 1) + 0.0:+.1f}" for rate in rates)
            lines.append(
                f"{name}: {where.grid.tempo:.2f} BPM played at {said} ({changes} %){pitch}, from beat {where.enters:g}"
            )
        return lines

    @property
    def tempos(self) -> str:
        """The mix's, for people."""
        tempos = list(dict.fromkeys(f"{bpm:.2f}" for _, bpm in self.tempo.points))
        return " to ".join(tempos) if len(tempos) < 3 else f"{tempos[0]} … {tempos[-1]}"


def known_of(name: str, path: Path) -> tuple[Grid, list[int]]:
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
            f"{name}: no beat was found in {path}, so it cannot be played in time; play it without --sync (in a "
            f'graph: `sync: off`), or write its beats into {source.about}: {{"beats": [0.5, 1.0, …]}}'
        )
    return known.grid.grid(), known.phrases
