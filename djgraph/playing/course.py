"""What all controls and the tempo do over a clip: the frames of the renderer, read at any sample."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.errors import InputError
from djgraph.layout import ParameterLayout

Tempo = float | tuple[Tensor, Tensor]
"""BPM: a number, or ``[1, frames]`` in float64 and the sample that each frame lies on."""


class Course:
    """Frames ``[frames, controls]`` in plain units at ascending samples ``positions``, as ``render_exact`` gives them.

    Between frames values go in a straight line, and those of controls with steps or choices stay, as in a mixer: a
    stream that is given rows of a course at any samples, all of its own positions among them, sounds as the mixer with
    these frames does. tempo: BPM, a number or ``[1, frames]`` at the same samples. Raises InputError where shapes do
    not fit.
    """

    def __init__(
        self, layout: ParameterLayout, params: Tensor, positions: Tensor, tempo: float | Tensor | None = None
    ) -> None:
        if params.ndim != 2 or params.shape != (len(positions), len(layout)) or not len(positions):
            raise InputError(
                f"a course is [frames, {len(layout)}] with a position each, not {list(params.shape)}"
            )
        self.layout, self.positions = layout, positions.cpu()
        self.params = params.detach().cpu().float()
        self.tempo: Tempo = (
            120.0
            if tempo is None
            else tempo
            if isinstance(tempo, float | int)
            else (
                tempo.detach().cpu().double().reshape(1, -1),
                self.positions,
            )
        )
        self._rows: NDArray[np.float32] = self.params.numpy()
        self._places: NDArray[np.int64] = self.positions.numpy()
        self._held = np.array([column.control.held for column in layout], dtype=bool)
        self._clip = np.array([column.control.rate == "clip" for column in layout], dtype=bool)

    @classmethod
    def steady(cls, layout: ParameterLayout, values: Tensor | None = None, tempo: float = 120.0) -> Course:
        """One frame, the default or ``values`` ``[controls]``, for all of a clip."""
        row = layout.default if values is None else values
        return cls(layout, row.reshape(1, -1), torch.zeros(1, dtype=torch.int64, device="cpu"), tempo)

    def at_tempo(self, tempo: float) -> Course:
        """The same at another tempo, BPM."""
        return Course(self.layout, self.params, self.positions, tempo)

    def row(self, sample: int) -> NDArray[np.float32]:
        """The values ``[controls]`` on a sample."""
        last = int(np.searchsorted(self._places, sample, side="right")) - 1
        if last < 0 or last + 1 == len(self._places):
            return self._rows[max(last, 0)].copy()
        begin, end = self._places[last], self._places[last + 1]
        share = (sample - begin) / (end - begin)
        here, there = self._rows[last].astype(np.float64), self._rows[last + 1]
        return np.where(self._held, here, here + share * (there - here)).astype(np.float32)

    @cached_property
    def moving(self) -> tuple[str, ...]:
        """The controls that have more than one value."""
        changes = (self._rows != self._rows[0]).any(0)
        return tuple(column.name for column, one in zip(self.layout, changes) if one)

    def first(self, sample: int) -> NDArray[np.float32]:
        """The first row for a stream that begins on a sample: controls of rate *clip* have what they have all along."""
        return np.where(self._clip, self._rows[0], self.row(sample)).astype(np.float32)

    def begins_as(self, other: Course) -> bool:
        """Whether controls of rate *clip*, which a stream reads but once, are those of another course."""
        return bool(np.array_equal(self._rows[0][self._clip], other._rows[0][self._clip]))

    def keeps_time_of(self, other: Course) -> bool:
        """Whether the tempo is that of another course."""
        mine, theirs = self.tempo, other.tempo
        if isinstance(mine, tuple) and isinstance(theirs, tuple):
            return all(torch.equal(a, b) for a, b in zip(mine, theirs))
        return not isinstance(mine, tuple) and not isinstance(theirs, tuple) and mine == theirs

    def bpm(self, sample: int) -> float:
        """The tempo on a sample."""
        if not isinstance(self.tempo, tuple):
            return float(self.tempo)
        tempos, places = self.tempo
        return float(np.interp(sample, places.numpy(), tempos[0].numpy()))

    def following(self, sample: int) -> int | None:
        """The position of the first frame behind a sample; None where there is none."""
        index = int(np.searchsorted(self._places, sample, side="right"))
        return None if index == len(self._places) else int(self._places[index])
