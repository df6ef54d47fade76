"""A set that is ready to be played: which track lies where, what the controls do.

Everything that is made of a set (audio, cue sheets, reports, projects of other programs) is made of this.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from djgraph.analysis import Grid, Known
from djgraph.automation import Automation, TempoMap
from djgraph.decks import Place
from djgraph.decks.deck import Placed
from djgraph.graph.ir import Graph

Marker = tuple[float, float]
"""A second of the mix, and the second of the track that sounds there."""


@dataclass(frozen=True)
class Run:
    """What of a track is played without a cut.

    markers: two or more, ascending in both; between two of them, and beyond the first and the last, the speed is
    constant. begins, ends: seconds of the mix between which it is heard, as far as the track is.
    """

    markers: tuple[Marker, ...]
    begins: float = -math.inf
    ends: float = math.inf

    def track_second(self, mix_second: float) -> float:
        """The second of the track that sounds at a second of the mix."""
        (a, u), (b, v) = self._around(mix_second, 0)
        return u + (mix_second - a) * (v - u) / (b - a)

    def mix_second(self, track_second: float) -> float:
        """The second of the mix at which a second of the track would sound."""
        (a, u), (b, v) = self._around(track_second, 1)
        return a + (track_second - u) * (b - a) / (v - u)

    def rate(self, mix_second: float) -> float:
        """Seconds of the track for each of the mix."""
        (a, u), (b, v) = self._around(mix_second, 0)
        return (v - u) / (b - a)

    def _around(self, second: float, which: int) -> tuple[Marker, Marker]:
        after = bisect.bisect_right(self.markers, second, key=lambda marker: marker[which])
        after = min(max(after, 1), len(self.markers) - 1)
        return self.markers[after - 1], self.markers[after]


def runs_of(place: Placed, sample_rate: int, seconds: float) -> tuple[Run, ...]:
    """What a track of that length plays without a cut, where a deck has it. Raises InputError for loops and jumps that
    cannot be."""
    found = []
    for run in place.runs(sample_rate, seconds):
        mix, track = (run.clip / sample_rate).tolist(), (run.track / sample_rate).tolist()
        found.append(
            Run(tuple(zip(mix, track, strict=True)), run.begins / sample_rate, run.ends / sample_rate)
        )
    return tuple(found)


@dataclass(frozen=True)
class PlayedTrack:
    """A track of a set.

    name: unlike those of the others, lower-case, fit for a file's name. title: for people. path: its folder or file.
    input: the graph's that it is fed to, its deck. stems: files by the input's stem, added up where there are several;
    of an input without stems, the key is None. Stems of the input that are missing here are silent.
    seconds: its length. grid, known: its beats and what else is known of it.
    enters, leaves: beats of the mix between which it may be heard; what it has beyond them is not played.
    runs: what of it is played without a cut, in order; one, unless it loops or jumps. place: the same as decks take it.
    digest: SHA-256 of what its files hold.
    gain: dB, by which its audio is scaled before it enters the graph. key_lock: it is stretched, and its pitch kept;
    else it sounds as on a turntable.
    """

    name: str
    title: str
    path: Path
    input: str
    stems: Mapping[str | None, tuple[Path, ...]]
    seconds: float
    grid: Grid
    known: Known
    enters: float
    leaves: float
    runs: tuple[Run, ...]
    gain: float = 0.0
    key_lock: bool = False
    place: Place | None = None
    digest: str = ""

    def run_at(self, mix_second: float) -> Run:
        """What is played at a second of the mix."""
        after = bisect.bisect_right(self.runs, mix_second, key=lambda run: run.begins)
        return self.runs[max(0, after - 1)]

    def track_second(self, mix_second: float) -> float:
        """The second of the track that sounds at a second of the mix."""
        return self.run_at(mix_second).track_second(mix_second)

    def mix_seconds(self, track_second: float) -> list[float]:
        """The seconds of the mix at which one of the track sounds, ascending; none if it is jumped over."""
        found = [(run, run.mix_second(track_second)) for run in self.runs]
        return [second for run, second in found if run.begins <= second < run.ends]

    def rate(self, mix_second: float) -> float:
        """Seconds of the track for each of the mix."""
        return self.run_at(mix_second).rate(mix_second)

    def pitch(self, mix_second: float) -> float:
        """Semitones by which it sounds higher at a second of the mix than it is."""
        return 0.0 if self.key_lock else 12 * math.log2(self.rate(mix_second))


@dataclass(frozen=True)
class Transition:
    """From one track to the next. leaving, entering: their places in the set. recipe: its name, or the file of one;
    settings: of its arguments, but for a, b, start and length. begin, length: beats of the mix; of recipes that take no
    time the length is 0. why: how the recipe and the place were chosen, for people."""

    leaving: int
    entering: int
    recipe: str
    begin: float
    length: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    @property
    def end(self) -> float:
        """Beats of the mix."""
        return self.begin + self.length


@dataclass(frozen=True)
class SetPlan:
    """A set. tempo: of the mix, whose beat 0 is its first sample. transitions: one less than tracks, in order; they do
    not overlap. automation: all that the controls of ``graph`` do, in beats. samples: of the mix, at its rate."""

    name: str
    title: str
    graph: Graph
    tempo: TempoMap
    tracks: tuple[PlayedTrack, ...]
    transitions: tuple[Transition, ...]
    automation: Automation
    samples: int

    @property
    def sample_rate(self) -> int:
        """Of the graph, Hz."""
        return self.graph.sample_rate

    @property
    def seconds(self) -> float:
        """Of the whole mix."""
        return self.samples / self.sample_rate

    def second(self, beat: float) -> float:
        """When a beat of the mix falls."""
        return self.tempo.seconds(beat)

    def span(self, track: PlayedTrack) -> tuple[float, float]:
        """Seconds of the mix between which a track may be heard."""
        return max(0.0, self.second(track.enters)), min(self.second(track.leaves), self.seconds)

    def heard(self, track: PlayedTrack, run: Run) -> tuple[float, float]:
        """Seconds of the mix between which a run of a track may be heard; the second is not above the first where it is
        not."""
        begins, ends = self.span(track)
        return max(begins, run.begins), min(ends, run.ends)
