"""A track of a set in the beats of the mix, before anything is played."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from djgraph.decks.moves import Move
from djgraph.sets.cuts import Played
from djgraph.sets.sources import SetTrack


@dataclass(frozen=True)
class Laid:
    """A track in the mix. enters: the mix's beat on which its beat ``played.begin`` lies. times: beats of the mix for
    each of its own. tempo: of the mix while it plays, BPM. locked: its pitch is kept."""

    track: SetTrack
    enters: float
    played: Played
    times: float
    tempo: float
    locked: bool = False

    def pitch(self, tempo: float) -> float:
        """Semitones by which it sounds higher at a tempo of the mix than it is."""
        return 0.0 if self.locked else 12 * math.log2(tempo / (self.track.grid.tempo * self.times))

    def mix_beats(self, beat: float) -> list[float]:
        """Where one of its beats is heard: ascending, several times in loops, nowhere if it is jumped over."""
        return [self._mix(at) for at in self.played.when(beat)]

    def _mix(self, beat: float) -> float:
        return self.enters + (beat - self.played.begin) * self.times

    @property
    def end(self) -> float:
        """The mix's beat at which it ends."""
        return self._mix(self.played.last)

    @property
    def moves(self) -> tuple[Move, ...]:
        """Its loops and jumps, at beats of the mix."""
        return self.played.placed(self.enters, self.times)

    def lines(self, bars: Iterable[int]) -> list[float]:
        """The mix's beats on which bars of it begin, counted from its first; ascending."""
        grid = self.track.grid
        return sorted(beat for bar in bars for beat in self.mix_beats(grid.downbeat + bar * grid.meter))

    def bar(self, mix_beat: float) -> float:
        """Which bar it is at a beat of the mix."""
        own = self.played.own(self.played.begin + (mix_beat - self.enters) / self.times)
        return (own - self.track.grid.downbeat) / self.track.grid.meter

    def bars(self, beats: float) -> float:
        """How many of its bars some beats of the mix are."""
        return beats / self.times / self.track.grid.meter
