"""What hands play, as it was heard: by control, values on the clip's samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from djgraph.layout import ParameterLayout

Mode = Literal["touch", "latch", "write"]
"""touch: while a hand is on a control. latch: from the first touch until playing ends. write: of the controls that are
named beforehand from the first moment on, and as latch."""


@dataclass
class Run:
    """One control without a break. samples, values: of the frames that a stream was given, the first before the hand
    and the last behind it among them, so that lines between them are what was heard. end: the sample at which the
    material went elsewhere or playing ended; None where the hand let go."""

    control: str
    samples: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    end: int | None = None

    def add(self, sample: int, value: float) -> None:
        """A frame; of a value that stays, only the first and the last are kept."""
        if len(self.values) > 1 and self.values[-1] == self.values[-2] == value:
            self.samples[-1] = sample
            return
        self.samples.append(sample)
        self.values.append(value)


class Tape:
    """Records the frames of one line. written: controls that write mode takes from the first moment on.

    :meth:`note` and :meth:`leave` are called by the thread that plays, :meth:`collect` by any.
    """

    def __init__(self, layout: ParameterLayout, mode: Mode, written: Iterable[str] = ()) -> None:
        self.layout, self.mode = layout, mode
        self._written = [layout.index(name) for name in written] if mode == "write" else []
        self._latched: dict[int, float] = {}
        self._open: dict[int, Run] = {}
        self._done: deque[Run] = deque()
        self._last: tuple[int, NDArray[np.float32]] | None = None
        self._began = False

    def note(self, sample: int, row: NDArray[np.float32], held: Mapping[int, float]) -> NDArray[np.float32]:
        """A frame that a stream is given: what the automation says on a sample of the clip, and what hands hold.
        Returns the row as it is heard."""
        values: Mapping[int, float] = held
        if self.mode != "touch":
            if not self._began:
                self._latched = {index: float(row[index]) for index in self._written}
            self._latched |= held
            values = self._latched
        self._began = True
        for index in [index for index in self._open if index not in values]:
            run = self._open.pop(index)
            run.add(sample, float(row[index]))
            self._done.append(run)
        for index, value in values.items():
            row[index] = value
            run = self._open.get(index) or self._start(index)
            run.add(sample, float(row[index]))
        self._last = (sample, row.copy())
        return row

    def leave(self, sample: int) -> None:
        """The material goes elsewhere: what was played until ``sample`` was heard, what comes next is another run."""
        for run in self._open.values():
            run.end = sample
            self._done.append(run)
        self._open.clear()
        self._last = None

    def stop(self, sample: int) -> None:
        """Playing has ended there."""
        self.leave(sample)
        self._latched, self._began = {}, False

    def collect(self) -> list[Run]:
        """The runs that have ended since this was last asked, in the order in which they did."""
        runs = []
        while self._done:
            runs.append(self._done.popleft())
        return runs

    @property
    def ended(self) -> bool:
        """Whether there is something to collect."""
        return bool(self._done)

    @property
    def writing(self) -> list[str]:
        """The controls that are being recorded now."""
        return [self.layout.columns[index].name for index in list(self._open)]

    def _start(self, index: int) -> Run:
        run = self._open[index] = Run(self.layout.columns[index].name)
        if self._last is not None:
            sample, row = self._last
            run.add(sample, float(row[index]))
        return run
