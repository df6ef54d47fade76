"""Who holds which control: values that stand in for the automation's while a hand, a knob or a ghost is on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from djgraph.errors import InputError
from djgraph.layout import ParameterLayout
from djgraph.playing.tape import Tape


def allowed(layout: ParameterLayout, name: str, value: float) -> tuple[int, float]:
    """The column of a control, and a value clamped to its range and snapped to its grid. Raises LayoutError for a name
    that there is not, InputError for what is no finite number."""
    index, number = layout.index(name), float(value)
    if not np.isfinite(number):
        raise InputError(f"{name}: expected a finite number, got {value!r}")
    control = layout.columns[index].control
    number = min(max(number, control.min), control.max)
    if control.held:
        row = layout.default.clone()
        row[index] = number
        number = float(layout.snap(row)[index])
    return index, number


class Hands:
    """Values by column, in plain units, that hold until they are let go. Any thread may move them; the one that plays
    reads a whole row at a time and never waits for one that does.

    tape: what records them, or None. heard: is told of every frame of every line, as it is heard: which line it is, the
    line's own sample, which begins at 0, and the row.
    """

    def __init__(self, layout: ParameterLayout) -> None:
        self.layout = layout
        self._held: dict[int, float] = {}  # replaced, never changed
        self._played: dict[int, float] | None = None
        self._shut: dict[int, float] = {}
        self._lock = threading.Lock()
        self.tape: Tape | None = None
        self.heard: Callable[[int, int, NDArray[np.float32], ParameterLayout], None] | None = None
        self._heir: Hands | None = None

    def hold(self, name: str, value: float) -> float:
        """Take a control to a value, as far as it may have it, which is returned. Raises as :func:`allowed`."""
        index, number = allowed(self.layout, name, value)
        with self._lock:
            self._held = {**self._held, index: number}
            heir = self._heir
        if heir is not None and name in heir.layout:
            heir.hold(name, number)
        return number

    def release(self, name: str | None = None) -> None:
        """Let one go, or all."""
        index = None if name is None else self.layout.index(name)
        with self._lock:
            self._held = {} if index is None else {i: v for i, v in self._held.items() if i != index}
            heir = self._heir
        if heir is not None and (name is None or name in heir.layout):
            heir.release(name)

    def hand_on(self, heir: Hands | None) -> None:
        """Another mixer's hands take what these hold, by name, and follow them until they take their place; None: no
        more. What the other mixer does not have they do not hold."""
        with self._lock:
            self._heir = heir
            held = self.held
        if heir is not None:
            heir.heard = self.heard
            shut = [self.layout.columns[index].name for index in self._shut]
            heir.shut(name for name in shut if name in heir.layout)
        for name, value in held.items() if heir is not None else ():
            if heir is not None and name in heir.layout:
                heir.hold(name, value)

    def move(self, values: Mapping[str, float | None]) -> None:
        """Several at once, in range and on their grids already; None: let go. Names that there are not are passed
        over: another mixer may have taken over since they were said."""
        known = {self.layout.index(name): value for name, value in values.items() if name in self.layout}
        with self._lock:
            held = {**self._held, **{i: v for i, v in known.items() if v is not None}}
            self._held = {i: v for i, v in held.items() if i not in known or known[i] is not None}
            heir = self._heir
        if heir is not None:
            heir.move(values)

    def shut(self, names: Iterable[str]) -> None:
        """Controls that stand at their minimum whatever else holds them: those of muted strips, all of them."""
        indices = [self.layout.index(name) for name in names]
        self._shut = {index: self.layout.columns[index].control.min for index in indices}

    @property
    def held(self) -> Mapping[str, float]:
        """What is held, by name."""
        return {self.layout.columns[index].name: value for index, value in self._held.items()}

    def take(self) -> None:
        """What is held now is heard until this is called again. The thread that plays calls it before it takes the
        orders for a block: a control that is let go where the automation now has it must not be heard as the automation
        had it before."""
        self._played = self._held

    def over(self, row: NDArray[np.float32], sample: int) -> NDArray[np.float32]:
        """The automation's row on a sample of the clip, with what is held in it: what was when it was last taken, and
        what is where it never was. What is muted is not recorded."""
        held = self._held if self._played is None else self._played
        if (tape := self.tape) is not None:
            row = tape.note(sample, row, held)
        else:
            for index, value in held.items():
                row[index] = value
        for index, value in self._shut.items():
            row[index] = value
        return row

    def leave(self, sample: int, playing: bool = True) -> None:
        """The material goes elsewhere at a sample of the clip, or playing ends there."""
        if (tape := self.tape) is not None:
            (tape.leave if playing else tape.stop)(sample)
