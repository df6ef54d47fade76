"""Control changes on their way from any thread to the one that makes the sound, and back to whoever shows them."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.effects import Control
from djgraph.errors import InputError
from djgraph.layout import ParameterLayout
from djgraph.layout.units import Units, units_of
from djgraph.playing import Player
from djgraph.playing.hands import allowed

Heard = Callable[[Mapping[str, float], Mapping[str, float]], None]
"""Is told about thirty times a second which controls have moved, whoever moved them, their values in plain units; and
those of them that hands at MIDI, OSC or another such thing moved."""

LOOKED = 0.03
"""Seconds between two looks at what has moved."""
MOVED = 1e-6
"""Of the travel: what counts as moved."""


class Desk:
    """The controls of a player for hands that are not on a page.

    :meth:`turn` and :meth:`put` may be called by any thread: what they say lies in a queue, whose ends need no lock,
    until the thread that plays takes it at the start of its next block, with :meth:`drain`. Values are in plain units,
    positions from 0 to 1 of a control's travel.
    """

    def __init__(self, player: Player) -> None:
        self.player = player
        self._queue: deque[tuple[str, float | None]] = deque()
        self._turned: deque[tuple[str, float]] = deque()
        self._wanted: dict[str, float] = {}  # said, and not yet taken
        self._units: dict[Control, Units] = {}
        self._listeners: list[Heard] = []
        self._last: NDArray[np.float32] | None = None
        self._shown: ParameterLayout | None = None
        self._ended = threading.Event()
        self._teller: threading.Thread | None = None

    @property
    def layout(self) -> ParameterLayout:
        return self.player.mixer.layout

    # ── For any thread ──────────────────────────────────────────────────────────────────────────────────────

    def turn(self, name: str, value: float) -> float:
        """Take a control to a value, as far as it may have it, which is returned. Raises as
        :func:`djgraph.playing.hands.allowed`."""
        return self._post(name, allowed(self.layout, name, value)[1])

    def put(self, name: str, position: float) -> float:
        """The same, to a position of its travel; returns the value."""
        index = self.layout.index(name)
        if not np.isfinite(position):
            raise InputError(f"{name}: expected a position from 0 to 1, got {position!r}")
        where = torch.tensor([[min(max(position, 0.0), 1.0)]], dtype=torch.float64, device="cpu")
        return self._post(name, float(self._travel(index).from_unit(where, snap=True)[0, 0]))

    def release(self, name: str | None = None) -> None:
        """Give a control, or all, back to the automation."""
        if name is not None:
            self.layout.index(name)
        for one in self.layout.names if name is None else (name,):
            self._wanted.pop(one, None)
            self._queue.append((one, None))

    def value(self, name: str) -> float:
        """Where a control stands, or is about to."""
        index, wanted = self.layout.index(name), self._wanted.get(name)
        return float(self._row()[index]) if wanted is None else wanted

    def position(self, name: str) -> float:
        """The same, as a position of its travel."""
        return self.position_of(name, self.value(name))

    def position_of(self, name: str, value: float) -> float:
        """A value in plain units as a position."""
        plain = torch.tensor([[value]], dtype=torch.float64, device="cpu")
        return float(self._travel(self.layout.index(name)).to_unit(plain)[0, 0])

    # ── For the thread that plays ───────────────────────────────────────────────────────────────────────────

    def drain(self) -> None:
        """What was said since the last block."""
        if not self._queue:
            return
        moved: dict[str, float | None] = {}
        while self._queue:
            name, value = self._queue.popleft()
            moved[name] = value
        self.player.hands.move(moved)
        for name, value in moved.items():
            if self._wanted.get(name) == value:
                self._wanted.pop(name, None)

    # ── For those who show ──────────────────────────────────────────────────────────────────────────────────

    def listen(self, heard: Heard) -> Callable[[], None]:
        """Be told what moves from now on, on a thread of the desk's; what is returned ends that."""
        self._listeners.append(heard)
        if self._teller is None:
            self._teller = threading.Thread(target=self._tell, name="djgraph desk", daemon=True)
            self._teller.start()

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(heard)

        return end

    def look(self) -> None:
        """Tell now what has moved since it was last told."""
        row, layout = self._row(), self.layout
        before = self._last
        turned: dict[str, float] = {}
        while self._turned:
            name, value = self._turned.popleft()
            if name in layout:
                turned[name] = value
        if before is None or self._shown is not layout:
            changed = list(range(len(row)))
        else:
            changed = np.flatnonzero(np.abs(row - before) > MOVED * self._spans()).tolist()
        self._last, self._shown = row, layout
        moved = {layout.columns[index].name: float(row[index]) for index in changed}
        for listener in list(self._listeners):
            listener({**moved, **turned}, turned)

    def forget(self) -> None:
        """Tell all of it at the next look, as to somebody new."""
        self._last = None

    def close(self) -> None:
        self._ended.set()
        if self._teller is not None:
            self._teller.join(timeout=2)

    def _tell(self) -> None:
        while not self._ended.wait(LOOKED):
            try:
                self.look()
            except Exception as error:  # a port that is gone must not end the others'
                logging.getLogger("djgraph").warning("what moves could not be shown: %s", error)

    def _post(self, name: str, value: float) -> float:
        self._wanted[name] = value
        self._queue.append((name, value))
        self._turned.append((name, value))
        return value

    def _row(self) -> NDArray[np.float32]:
        """Where all controls of the layout stand: the automation, and what is held. While another mixer takes over it
        may be another layout's, and is looked at again."""
        while True:
            player, layout = self.player, self.layout
            course, hands = player.course, player.hands
            if course.layout is layout is hands.layout or course.layout == layout == hands.layout:
                break
        row = course.row(player.transport.position)
        for name, value in hands.held.items():
            row[layout.index(name)] = value
        return row

    def _spans(self) -> NDArray[np.float32]:
        columns = self.layout.columns
        return np.array([column.control.max - column.control.min for column in columns], np.float32)

    def _travel(self, index: int) -> Units:
        control = self.layout.columns[index].control
        units = self._units.get(control)
        if units is None:
            units = self._units[control] = units_of([control])
        return units
