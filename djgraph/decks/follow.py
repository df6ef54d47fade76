"""Whether a deck follows the mix's clock, and how: by bars, by beats, or not at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import torch
from torch import Tensor

from djgraph.analysis.grid import Grid
from djgraph.automation import TempoMap
from djgraph.decks.placement import FASTEST, Place, beats_each
from djgraph.decks.runs import Run
from djgraph.errors import InputError, did_you_mean

Sync = Literal["bar", "beat", "off"]
"""Bars lie on the mix's bars; beats on its beats; or the track plays as it is."""
SYNCS: tuple[str, ...] = get_args(Sync)


@dataclass(frozen=True)
class Free:
    """Where a track lies that does not follow the mix's clock: its second ``start`` sounds at the mix's beat
    ``enters``, and it is played ``rate`` times as fast as it was recorded, 1/4 to 4, throughout."""

    tempo: float | TempoMap
    enters: float
    start: float = 0.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        if not (1 / FASTEST <= self.rate <= FASTEST and math.isfinite(self.start)):
            raise InputError(
                f"a track is to be played {self.rate:g} times as fast from second {self.start:g}; expected "
                f"{1 / FASTEST:g} to {FASTEST:g} times, from a number"
            )

    @cached_property
    def clock(self) -> TempoMap:
        """The mix's tempo."""
        return TempoMap(self.tempo)

    def rates(self, seconds: float) -> tuple[float, float]:
        """The one rate, twice."""
        return self.rate, self.rate

    def mix_beat(self, seconds: float) -> float:
        """The mix's beat at which a second of the track sounds."""
        return self.clock.beat(self.ends(seconds))

    def ends(self, seconds: float) -> float:
        """The mix's second at which a track of that length ends."""
        return self.clock.seconds(self.enters) + (seconds - self.start) / self.rate

    def markers(self, sample_rate: int, seconds: float | None = None) -> tuple[Tensor, Tensor]:
        """Two samples of the mix, a second apart, and those of the track that sound there, ``[2]`` each, float64."""
        begins = self.clock.seconds(self.enters)
        mix = torch.tensor([begins, begins + 1], dtype=torch.float64, device="cpu")
        track = torch.tensor([self.start, self.start + self.rate], dtype=torch.float64, device="cpu")
        return mix * sample_rate, track * sample_rate

    def runs(self, sample_rate: int, seconds: float) -> list[Run]:
        """The same in samples."""
        return [Run(-math.inf, math.inf, *self.markers(sample_rate))]


def follow(
    grid: Grid | None, tempo: float | TempoMap, sync: Sync = "bar", start: float = 0.0, at: float = 0.0
) -> Place | Free:
    """Where a track lies whose second ``start`` is to sound at the mix's beat ``at``, as far as its clock allows.

    grid: the track's; it may be None where ``sync`` is off. tempo: the mix's, BPM or a map. sync: ``off`` plays the
    track from there as it is. ``beat`` gives it the mix's tempo and moves it to where its beats fall on the mix's, the
    nearest such place: by half a beat at most. ``bar`` moves it to where its bars begin with the mix's, which has bars
    of as many beats as the track, the first at beat 0. ``markers`` of what is returned says which of its samples sounds
    when. Raises InputError for another ``sync``, a track without a grid, and numbers that are none.
    """
    if sync not in SYNCS:
        raise InputError(
            f"sync is {sync!r}; expected one of {', '.join(SYNCS)}{did_you_mean(str(sync), SYNCS)}"
        )
    if not (math.isfinite(start) and math.isfinite(at)):
        raise InputError(f"a track is to sound from its second {start} at beat {at}; expected numbers")
    if sync == "off":
        return Free(tempo, at, start)
    if grid is None:
        raise InputError(
            f"a track without a beat grid cannot be played in time (sync: {sync}); analyse it, or sync: off"
        )
    times = beats_each(grid, tempo, at)
    step = grid.meter if sync == "bar" else 1
    phase = grid.downbeat if sync == "bar" else 0
    begin = phase + step * round((float(grid.beat_at(start)) - phase) / step)
    # Where that one would be if ``start`` were where it was asked for.
    wanted = at + (begin - float(grid.beat_at(start))) * times
    return Place(grid, tempo, float(step * round(wanted / step)), float(begin), times)
