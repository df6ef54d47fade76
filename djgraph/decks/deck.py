"""A deck: a track in the time of a mix, read block by block."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from djgraph.decks.keylock import KeyLocked
from djgraph.decks.runs import Run
from djgraph.dsp import material_reach, read_material
from djgraph.effects import Tape

FADE = 0.005
"""Seconds before a cut in which one run fades into the next."""


class Placed(Protocol):
    """Where a track lies in a mix: :class:`djgraph.decks.Place`, or :class:`djgraph.decks.Free`."""

    def rates(self, seconds: float) -> tuple[float, float]: ...

    def ends(self, seconds: float) -> float: ...

    def runs(self, sample_rate: int, seconds: float) -> list[Run]: ...


class Deck:
    """A track played at the mix's beats, block by block.

    Its samples are read at one position for all signals, by a windowed sinc (:func:`djgraph.dsp.read_material`): pitch
    follows the tempo, as on a turntable; or with ``key_lock`` in frames, and its pitch stays
    (:func:`djgraph.dsp.stretch`). At a jump, or where a loop begins again, one run fades into the next within 5 ms
    before the cut, and what begins there begins with its full level: amplitudes add up to 1, as fits music that goes on
    in time. Raises InputError where it would be played too fast or too slow, and for loops and jumps that cannot be.

    samples: of the mix, to the track's end. rates: the lowest and the highest of those that it is played at.
    """

    def __init__(self, material: Tape, place: Placed, sample_rate: int, key_lock: bool = False) -> None:
        self.material, self.place, self.key_lock = material, place, key_lock
        seconds = material.samples / sample_rate
        self.rates = place.rates(seconds)
        self.samples = max(0, math.ceil(place.ends(seconds) * sample_rate))
        runs = place.runs(sample_rate, seconds)
        self._cuts = [math.ceil(run.begins - 1e-6) for run in runs[1:]]
        lengths = [math.inf, *(run.ends - run.begins for run in runs[1:])]
        self._fades = [int(min(FADE * sample_rate, length / 4)) for length in lengths[1:]]
        self._runs = [
            _Locked(material, run, sample_rate) if key_lock else _Read(material, run) for run in runs
        ]

    def read(self, first: int, samples: int) -> dict[str, Tensor]:
        """Each signal, ``[channels, samples]``, from sample ``first`` of the mix on; silence where the track does not
        play. Raises AudioFileError as its material does."""
        widths = self.material.widths
        out = torch.zeros(sum(widths.values()), samples, dtype=torch.float32, device="cpu")
        if samples < 1:
            return dict(zip(widths, out.split(list(widths.values()))))
        for number, run in enumerate(self._runs):
            begins, ends = self._heard(number)
            low, high = max(begins, first), min(ends, first + samples)
            if ends <= first:
                run.rest()
            if low < high:
                level = self._level(number, int(low), int(high - low))
                sound = run.read(int(low), int(high - low))
                here = slice(int(low) - first, int(high) - first)
                out[:, here] += sound if level is None else sound * level
        return dict(zip(widths, out.split(list(widths.values()))))

    def _heard(self, number: int) -> tuple[float, float]:
        begins = self._cuts[number - 1] - self._fades[number - 1] if number else -math.inf
        return begins, self._cuts[number] if number < len(self._cuts) else math.inf

    def _level(self, number: int, first: int, samples: int) -> Tensor | None:
        """How loud a run is at each sample: it comes with half a cosine, as the one before goes."""
        level = None
        for cut, fade, comes in (
            *(((self._cuts[number - 1], self._fades[number - 1], True),) if number else ()),
            *(((self._cuts[number], self._fades[number], False),) if number < len(self._cuts) else ()),
        ):
            if fade and first < cut and first + samples > cut - fade:
                way = (torch.arange(first, first + samples, device="cpu") - (cut - fade) + 1) / (fade + 1)
                share = 0.5 - 0.5 * torch.cos(math.pi * way.clamp(0, 1))
                share = share.to(torch.float32)
                level = (share if comes else 1 - share) * (1 if level is None else level)
        return level


class _Read:
    """A run at the speed of the tempo."""

    def __init__(self, material: Tape, run: Run) -> None:
        self.material, self.run = material, run

    def rest(self) -> None:
        """Nothing is kept."""

    def read(self, first: int, samples: int) -> Tensor:
        position, rate = self.run.positions(first, samples)
        reach = material_reach(float(rate.abs().max()))
        begins = max(0, math.floor(float(position.min())) - reach)
        ends = min(self.material.samples, math.ceil(float(position.max())) + reach + 1)
        if ends <= begins:
            return torch.zeros(sum(self.material.widths.values()), samples, dtype=torch.float32, device="cpu")
        return read_material(self.material.read(begins, ends - begins), position, rate, begins=begins)


class _Locked:
    """A run with its pitch kept, made when it is first heard and given up behind it."""

    def __init__(self, material: Tape, run: Run, sample_rate: int) -> None:
        self._given = material, run, sample_rate
        self._stretched: KeyLocked | None = None

    def rest(self) -> None:
        """Behind its end: what is kept of it is given up."""
        self._stretched = None

    def read(self, first: int, samples: int) -> Tensor:
        if self._stretched is None:
            self._stretched = KeyLocked(*self._given)
        return self._stretched.read(first, samples)
