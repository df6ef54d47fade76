"""What gets in each other's way while one track goes over to the next: voices, basses, keys."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from djgraph.analysis import distance, transposed
from djgraph.graph.ir import Graph
from djgraph.sets.heard import LOW, STEPS, Array, Heard
from djgraph.sets.places import sounds
from djgraph.sets.sources import SetTrack

VOCALS, BASS = "vocals", "bass"
COST = {VOCALS: 3.0, BASS: 2.0}
"""What a bar costs in which both tracks' are to be heard in full."""
KEYS = 0.25
"""What a bar costs in which both are to be heard in full, for each step beyond neighbours on the wheel of keys."""
PLAIN = 0.5
"""How sure it is that a track that is not in stems has a voice where it sounds."""


class Lying(Protocol):
    """A track in a mix: :class:`djgraph.sets.laid.Laid`."""

    @property
    def track(self) -> SetTrack: ...

    @property
    def tempo(self) -> float: ...

    def pitch(self, tempo: float) -> float: ...

    def bar(self, mix_beat: float) -> float: ...

    def bars(self, beats: float) -> float: ...


@dataclass(frozen=True)
class Verdict:
    """bars: of each kind, as many as would sound in full. steps: between the keys, as the tracks have them and as they
    are played; None where one is not known."""

    bars: Mapping[str, float]
    present: Mapping[str, float]
    together: float
    steps: tuple[int, int] | None

    @property
    def cost(self) -> float:
        keys = KEYS * max(0, self.steps[1] - 1) * self.together if self.steps else 0.0
        return keys + sum(COST[kind] * bars for kind, bars in self.bars.items())

    def words(self, chosen: bool) -> str:
        """For people. chosen: the recipe was not asked for."""
        parts = []
        for kind, name in ((BASS, "basses"), (VOCALS, "voices")):
            both, left = self.present[kind], self.bars[kind]
            if both < 0.25:
                parts.append(f"no two {name}")
            elif left < 0.5:
                parts.append(f"two {name} for {both:.0f} bars, kept apart")
            else:
                parts.append(f"two {name} for {left:.1f} bars")
        if self.steps is not None:
            own, played = self.steps
            parts.append(f"keys {own} step{'' if own == 1 else 's'} apart")
            if played != own:
                parts[-1] += f", at this pitch {played} (key_lock keeps the pitch)"
        return ("chosen: " if chosen else "") + ", ".join(parts)


class Clashes:
    """Judges transitions on a graph."""

    def __init__(self, graph: Graph) -> None:
        self._heard = Heard(graph)

    def plays(self, recipe: str, settings: Mapping[str, Any], leaving: Lying, entering: Lying) -> bool:
        """Whether the graph can play a recipe on the decks of two tracks."""
        return self._heard.gains(recipe, leaving.track.input, entering.track.input, settings) is not None

    def problem(
        self, recipe: str, settings: Mapping[str, Any], leaving: Lying, entering: Lying
    ) -> str | None:
        """Why it cannot."""
        return self._heard.problem(recipe, leaving.track.input, entering.track.input, settings)

    def judge(
        self,
        recipe: str,
        settings: Mapping[str, Any],
        leaving: Lying,
        entering: Lying,
        begin: float,
        length: float,
    ) -> Verdict | None:
        """A transition at a beat of the mix; the track that enters is as if it did so at beat 0. None where the graph
        cannot play it."""
        gains = self._heard.gains(recipe, leaving.track.input, entering.track.input, settings)
        if gains is None:
            return None
        bars = leaving.bars(length)
        places = (np.arange(STEPS) + 0.5) / STEPS * length
        present, heard = {}, {}
        for kind in (VOCALS, BASS):
            here = _active(leaving, kind, begin + places)
            there = _active(entering, kind, places)
            stems = [_stem(side.track, kind) for side in (leaving, entering)]
            both = np.minimum(
                gains.of(leaving.track.input, stems[0]), gains.of(entering.track.input, stems[1])
            )
            present[kind] = float((here * there).mean()) * bars
            heard[kind] = float((here * there * both).mean()) * bars
        whole = np.minimum(
            gains.of(leaving.track.input, _stem(leaving.track, "other")),
            gains.of(entering.track.input, _stem(entering.track, "other")),
        )
        return Verdict(heard, present, float(whole.mean()) * bars, _steps(leaving, entering))


def _steps(leaving: Lying, entering: Lying) -> tuple[int, int] | None:
    """Between the keys of two tracks, and between what is heard of them: pitch follows tempo."""
    one, other = leaving.track.known.camelot, entering.track.known.camelot
    if not one or not other:
        return None
    tempo = math.sqrt(leaving.tempo * entering.tempo)
    higher = round(entering.pitch(tempo) - leaving.pitch(tempo))
    return distance(one, other), distance(one, transposed(other, higher))


def _stem(track: SetTrack, kind: str) -> str:
    """By which stem of its deck a kind of sound goes."""
    if len(track.files) == 1:  # the whole track goes by one
        return LOW if kind == BASS else next(iter(track.files)) or ""
    return LOW if kind == BASS else kind


def _active(side: Lying, kind: str, beats: Array) -> Array:
    """How much of a kind of sound there is at some beats, 0 … 1."""
    levels = sounds(side.track.known, kind)
    weight = 1.0
    if not levels:
        levels = sounds(side.track.known, "mixture")
        weight = PLAIN if kind == VOCALS else 1.0
    if not levels:
        return np.zeros(len(beats))
    bars = np.floor([side.bar(float(beat)) + 1e-6 for beat in beats]).astype(int)
    inside = (bars >= 0) & (bars < len(levels))
    return weight * inside * np.array(levels, np.float64)[np.clip(bars, 0, len(levels) - 1)]
