"""Where tracks enter a mix, and which of their samples sounds when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.analysis.grid import Grid
from djgraph.decks.material import Material
from djgraph.dsp import material_reach, read_material, warp_positions
from djgraph.errors import InputError

FASTEST = 4.0
"""Times its own tempo that a track is played at most; a quarter at least."""
PHRASE = 32
"""Beats to whose multiples a transition is put where phrases are not known."""


@dataclass(frozen=True)
class Place:
    """Where a track lies in a mix of one tempo.

    grid: the track's. tempo: the mix's, BPM. enters: the mix's beat at which the track's beat ``begin`` sounds. times:
    beats of the mix for each of the track's, 1, or 2 and 1/2 where one counts twice as fast as the other.
    """

    grid: Grid
    tempo: float
    enters: float
    begin: float
    times: float = 1.0

    def __post_init__(self) -> None:
        if not 1 / FASTEST <= self.rate <= FASTEST:
            raise InputError(
                f"a track of {self.grid.tempo:g} BPM would be played {self.rate:.3g} times as fast to follow "
                f"{self.tempo:g} BPM; possible are {1 / FASTEST:g} to {FASTEST:g} times"
            )

    @property
    def rate(self) -> float:
        """How fast the track is played, on the whole."""
        return self.tempo / (self.grid.tempo * self.times)

    def mix_beat(self, seconds: float) -> float:
        """The mix's beat at which a second of the track sounds."""
        return self.enters + (float(self.grid.beat_at(seconds)) - self.begin) * self.times

    def markers(self, sample_rate: int) -> tuple[Tensor, Tensor]:
        """Samples of the mix, and those of the track that sound there, ``[markers]`` each, float64: at every anchor of
        the grid. Between and beyond them the rate is constant."""
        beats = torch.tensor(self.grid.beats, dtype=torch.float64, device="cpu")
        seconds = torch.tensor(self.grid.seconds, dtype=torch.float64, device="cpu")
        mix = (self.enters + (beats - self.begin) * self.times) * 60 / self.tempo
        return mix * sample_rate, seconds * sample_rate


class Deck:
    """A track played at the mix's beats, block by block.

    Its samples are read by a windowed sinc (:func:`djgraph.dsp.read_material`), at one position for all signals: pitch
    follows the tempo, as on a turntable.
    """

    def __init__(self, material: Material, place: Place, sample_rate: int) -> None:
        self.material, self.place = material, place
        self._clip, self._track = place.markers(sample_rate)
        end = place.mix_beat(material.samples / sample_rate)
        self.samples = max(0, math.ceil(end * 60 / place.tempo * sample_rate))

    def read(self, first: int, samples: int) -> dict[str, Tensor]:
        """Each signal, ``[channels, samples]``, from sample ``first`` of the mix on; silence where the track does not
        play. Raises AudioFileError as its material does."""
        position, rate = warp_positions(self._clip, self._track, samples, first=first)
        out = torch.zeros(sum(self.material.widths.values()), samples, dtype=torch.float32, device="cpu")
        if samples:
            reach = material_reach(float(rate.abs().max()))
            begins = max(0, math.floor(float(position.min())) - reach)
            ends = min(self.material.samples, math.ceil(float(position.max())) + reach + 1)
            if ends > begins:
                out = read_material(self.material.read(begins, ends - begins), position, rate, begins=begins)
        widths = self.material.widths
        return dict(zip(widths, out.split(list(widths.values()))))


def place(grid: Grid, tempo: float, enters: float = 0.0) -> Place:
    """Put a track's first bar line at a beat of the mix, or the one before it where the track begins with an upbeat of
    whole beats. Of what is before it there, the first track of a mix loses a part of a beat at most. A track of half or
    double the tempo is counted twice as fast or half as fast."""
    times = min((1.0, 2.0, 0.5), key=lambda n: abs(math.log(tempo / (grid.tempo * n))))
    begin = grid.downbeat - (grid.meter if grid.downbeat else 0)
    return Place(grid, tempo, enters, begin, times)


def transition_beat(
    first: Place, seconds: float, length: float, phrases: Sequence[int] = (), at: float | None = None
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
    lines = [
        first.enters + (first.grid.downbeat + bar * first.grid.meter - first.begin) * first.times
        for bar in phrases
        if bar
    ]
    lines += [first.enters + PHRASE * n for n in range(int(end // PHRASE) + 1)] if not lines else []
    fits = [line for line in lines if line + length <= end + 0.5 and line > first.enters]
    if not fits:
        raise InputError(
            f"the first track has {end - first.enters:.1f} beats, too few for a transition of {length:g} beats at the "
            "end of a phrase; say where it begins (--at 16beats), or make it shorter (--set length=8beats)"
        )
    return max(fits)
