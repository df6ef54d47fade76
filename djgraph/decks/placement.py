"""Where tracks enter a mix, and which of their samples sounds when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from djgraph.analysis.grid import Grid
from djgraph.automation import TempoMap
from djgraph.decks.clock import ramp_beats
from djgraph.decks.moves import Move, Piece, pieces
from djgraph.decks.runs import Run
from djgraph.errors import InputError

FASTEST = 4.0
"""Times its own tempo that a track is played at most; a quarter at least."""
PHRASE = 32
"""Beats to whose multiples a transition is put where phrases are not known."""


@dataclass(frozen=True)
class Place:
    """Where a track lies in a mix.

    grid: the track's. tempo: the mix's, BPM or a tempo map (:class:`djgraph.automation.TempoMap`: beat 0 is the mix's
    first sample). enters: the mix's beat at which the track's beat ``begin`` sounds. times: beats of the mix for each
    of the track's, 1, or 2 and 1/2 where one counts twice as fast as the other. moves: its jumps and loops, in order.
    """

    grid: Grid
    tempo: float | TempoMap
    enters: float
    begin: float
    times: float = 1.0
    moves: tuple[Move, ...] = ()

    def __post_init__(self) -> None:
        if self.clock.steady:
            self._check(self.rate, self.rate)

    def _check(self, slowest: float, fastest: float) -> None:
        if slowest >= 1 / FASTEST and fastest <= FASTEST:
            return
        rate = slowest if slowest < 1 / FASTEST else fastest
        raise InputError(
            f"a track of {self.grid.tempo:g} BPM would be played {rate:.3g} times as fast to follow "
            f"{rate * self.grid.tempo * self.times:g} BPM; possible are {1 / FASTEST:g} to {FASTEST:g} times"
        )

    @cached_property
    def clock(self) -> TempoMap:
        """The mix's tempo."""
        return TempoMap(self.tempo)

    @property
    def rate(self) -> float:
        """How fast the track is played on the whole; of a tempo that changes, where it enters."""
        return self.clock.bpm(self.clock.seconds(self.enters)) / (self.grid.tempo * self.times)

    def rates(self, seconds: float) -> tuple[float, float]:
        """The lowest and the highest of the rates at which a track of that length is played on the whole, without the
        grid's own changes. Raises InputError for less than a quarter of its own tempo, and more than four times."""
        ends = self.clock.beat(self.ends(seconds))
        tempos = [tempo for _, _, *both in self.clock.stretches(self.mix_beat(0.0), ends) for tempo in both]
        slowest, fastest = (tempo / (self.grid.tempo * self.times) for tempo in (min(tempos), max(tempos)))
        self._check(slowest, fastest)
        return slowest, fastest

    def mix_beat(self, seconds: float) -> float:
        """The mix's beat at which a second of the track sounds, where it is neither looped nor jumps."""
        return self.enters + (float(self.grid.beat_at(seconds)) - self.begin) * self.times

    def pieces(self, seconds: float) -> list[Piece]:
        """What a track of that length plays, in order. Raises InputError for loops and jumps that cannot be."""
        begin, end = (float(self.grid.beat_at(second)) for second in (0.0, seconds))
        return pieces(self.moves, Piece(self.enters, self.begin), self.times, begin, end)

    def ends(self, seconds: float) -> float:
        """The mix's second at which a track of that length ends."""
        last = self.pieces(seconds)[-1]
        return self.clock.seconds(last.mix + (float(self.grid.beat_at(seconds)) - last.track) * self.times)

    def runs(self, sample_rate: int, seconds: float) -> list[Run]:
        """The same in samples, with markers where it is heard, and one beyond."""
        played = self.pieces(seconds)
        if len(played) == 1:
            return [Run(-math.inf, math.inf, *self.markers(sample_rate, seconds))]
        last = max(self.clock.beat(self.ends(seconds)), played[-1].mix)
        first = min(self.mix_beat(0.0), played[1].mix)
        cuts = [first, *(piece.mix for piece in played[1:]), last]
        runs = []
        for number, (piece, low, high) in enumerate(zip(played, cuts, cuts[1:])):
            here = replace(self, enters=piece.mix, begin=piece.track, moves=())
            mix, track = here._markers(sample_rate, low, high)
            begin, end = (self.clock.seconds(beat) * sample_rate for beat in (low, high))
            kept = slice(
                max(0, int(torch.searchsorted(mix, begin, right=True)) - 1),
                int(torch.searchsorted(mix, end)) + 1,
            )
            kept = kept if len(mix[kept]) > 1 else slice(None)
            begins = begin if number else -math.inf
            ends = end if number < len(played) - 1 else math.inf
            runs.append(Run(begins, ends, mix[kept].clone(), track[kept].clone()))
        return runs

    def markers(self, sample_rate: int, seconds: float | None = None) -> tuple[Tensor, Tensor]:
        """Samples of the mix, and those of the track that sound there, ``[markers]`` each, float64: at every anchor of
        the grid, at every step of the tempo, and so close together in ramps that a straight line between two misses the
        tempo by at most :data:`djgraph.decks.clock.NEAR` of a sample. Between and beyond them the rate is constant.

        seconds: how long the track is, so that no markers are made for ramps where it does not play. Raises InputError
        for ramps that need too many.
        """
        ends = (0.0, seconds) if seconds is not None else ()
        reach = [self.mix_beat(end) for end in ends]
        if not reach:
            anchors = (self.enters + (beat - self.begin) * self.times for beat in self.grid.beats)
            reach = [*anchors, *self._entries()]
        return self._markers(sample_rate, min(reach), max(reach))

    def _markers(self, sample_rate: int, first: float, last: float) -> tuple[Tensor, Tensor]:
        """The same for the mix's beats between which the track is heard."""
        anchors = np.array(self.grid.beats, np.float64)
        beats = self.enters + (anchors - self.begin) * self.times
        if not self.clock.steady:
            pace = sample_rate * 60 / (self.grid.slowest * self.times)
            wanted = ramp_beats(self.clock, first, last, pace)
            beats = np.unique(np.concatenate((beats, wanted, [first, last])))
        own = self.begin + (beats - self.enters) / self.times
        mix, track = self.clock.when(beats) * sample_rate, self.grid.at(own) * sample_rate
        apart = np.diff(mix, prepend=-np.inf) > 0  # two that fall on one moment are one
        return torch.from_numpy(mix[apart]), torch.from_numpy(track[apart])

    def _entries(self) -> list[float]:
        return [beat for beat, _ in self.clock.points]


def place(grid: Grid, tempo: float | TempoMap, enters: float = 0.0, bars: bool = True) -> Place:
    """Put a track's first bar line at a beat of the mix, or the one before it where the track begins with an upbeat of
    whole beats; without ``bars`` its first beat. Of what is before it there, the first track of a mix loses a part of a
    beat at most. A track of half or double the tempo, where it enters, is counted twice as fast or half as fast."""
    begin = grid.downbeat - (grid.meter if grid.downbeat else 0) if bars else 0
    return Place(grid, tempo, enters, begin, beats_each(grid, tempo, enters))


def beats_each(grid: Grid, tempo: float | TempoMap, at: float) -> float:
    """Beats of the mix for each of a track's, at a beat of the mix: 1, 2 or 1/2, whichever changes its speed least."""
    clock = TempoMap(tempo)
    there = clock.bpm(clock.seconds(at))
    return min((1.0, 2.0, 0.5), key=lambda n: abs(math.log(there / (grid.tempo * n))))


class Lead(Protocol):
    """The first track of a mix."""

    @property
    def enters(self) -> float: ...

    def mix_beat(self, seconds: float) -> float: ...


class NoRoom(InputError):
    """A track is too short for a transition."""


def transition_beat(
    first: Lead, seconds: float, length: float, phrases: Sequence[int] = (), at: float | None = None
) -> float:
    """The mix's beat at which a transition of ``length`` beats out of the first track begins.

    seconds: of the first track. phrases: its bars at which phrases begin, counted from its first whole bar. at: what is
    asked for. Otherwise it is the last phrase, or multiple of :data:`PHRASE` beats, that leaves it time. Raises
    InputError where there is none.
    """
    end = first.mix_beat(seconds)
    if at is not None:
        if not 0 <= at < end:
            raise InputError(
                f"the transition is to begin at beat {at:g}, and the first track ends at beat {end:.1f}"
            )
        return at
    lines = []
    if isinstance(first, Place):
        lines = [
            first.enters + (first.grid.downbeat + bar * first.grid.meter - first.begin) * first.times
            for bar in phrases
            if bar
        ]
    lines += [first.enters + PHRASE * n for n in range(int(end // PHRASE) + 1)] if not lines else []
    fits = [line for line in lines if line + length <= end + 0.5 and line > first.enters]
    if not fits:
        raise NoRoom(
            f"the first track has {end - first.enters:.1f} beats, too few for a transition of {length:g} beats at the "
            "end of a phrase; say where it begins (--at 16beats), or make it shorter (--set length=8beats)"
        )
    return max(fits)
