"""Live plugins between the calls of an effect, found by the number in the effect's state.

An effect's state is made of tensors that may be kept, copied and taken up again. A plugin's memory is inside a foreign
object: it cannot be read, copied or set back. So the state holds a number, a ticket, and how many samples have passed;
the plugin waits in its seat under that number. A state that is taken up where its plugin is no longer is an error, with
what to do instead, and never a wrong sound.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from djgraph.errors import EffectError
from djgraph_pedalboard.instance import Instance

MOST = 64
"""Seats of one effect, unless a batch needs more: the one that was used longest ago is given away for a new one."""


BITS = 52
"""Of a ticket, so that float64, in which states are kept, holds it."""


class Seat:
    """The plugins of one signal: the plugin, and for estimates of gradients its perturbed copies."""

    def __init__(self, instances: list[Instance]) -> None:
        self.instances = instances
        self.at = 0


class Seats:
    """The seats of one effect. A copy of the effect, and one that was pickled, begins without any."""

    def __init__(self) -> None:
        self._seats: OrderedDict[int, Seat] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._seats)

    def begin(self, make: Callable[[list[Instance]], Seat], room: int) -> tuple[int, Seat]:
        """A new seat and its ticket. make: from instances of a seat that is given away, or none. room: how many seats
        are needed at once."""
        free: list[Instance] = []
        with self._lock:
            while len(self._seats) >= max(MOST, 2 * room):
                free = self._seats.popitem(last=False)[1].instances
        seat = make(free)
        ticket = (uuid.uuid4().int >> (128 - BITS)) or 1
        with self._lock:
            self._seats[ticket] = seat
        return ticket, seat

    def find(self, ticket: int, at: int) -> Seat:
        """The seat of a state. Raises EffectError where its plugin is elsewhere by now."""
        with self._lock:
            seat = self._seats.get(ticket)
            if seat is not None:
                self._seats.move_to_end(ticket)
        if seat is None:
            raise EffectError(
                "the plugin that this state belongs to is not here: a plugin's memory stays in its process, with the "
                f"mixer that began with it, and {MOST} of them are kept; begin the stream anew"
            )
        if seat.at != at:
            raise EffectError(
                f"the plugin of this state is at sample {seat.at}, the state at sample {at}: a plugin's memory cannot "
                "be copied, nor taken back; begin the stream anew, and use each state once"
            )
        return seat

    def __deepcopy__(self, memo: Any) -> Seats:
        return Seats()

    def __reduce__(self) -> tuple[type[Seats], tuple[()]]:
        return Seats, ()
