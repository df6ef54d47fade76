"""MIDI messages → numbers: control changes of 7 and 14 bits, NRPN, notes, the pitch wheel, encoders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Moved:
    """A knob, a fader or a button. kind, number, channel: as in a mapping. value: from 0 to ``most``; of a note its
    velocity, 0 where it is let go."""

    channel: int
    kind: str
    number: int
    value: int
    most: int

    @property
    def share(self) -> float:
        return self.value / self.most


@dataclass
class _Channel:
    parameter: list[int | None] = field(default_factory=lambda: [None, None])
    data: list[int] = field(default_factory=lambda: [0, 0])
    high: dict[int, int] = field(default_factory=dict)
    paired: set[int] = field(default_factory=set)


class Decoder:
    """Puts together what belongs together. pairs: (channel, number) of control changes that are 14 bits. nrpn: whether
    6, 38, 96 to 99 are parameters and their data.

    A pair counts when its lower half comes, as the MIDI specification has it; a device that only sends the upper one
    is heard all the same.
    """

    def __init__(self, pairs: set[tuple[int, int]] | None = None, nrpn: bool = True) -> None:
        self._pairs, self._nrpn = pairs or set(), nrpn
        self._channels: dict[int, _Channel] = {}

    def take(self, message: Any) -> Moved | None:
        """A message of mido's; what it tells, if anything yet."""
        kind = message.type
        if kind not in ("control_change", "note_on", "note_off", "pitchwheel"):
            return None
        channel = message.channel + 1
        if kind == "pitchwheel":
            return Moved(channel, "pitch", 0, message.pitch + 8192, 16383)
        if kind != "control_change":
            velocity = message.velocity if kind == "note_on" else 0
            return Moved(channel, "note", message.note, velocity, 127)
        return self._change(channel, message.control, message.value)

    def _change(self, channel: int, number: int, value: int) -> Moved | None:
        state = self._channels.setdefault(channel, _Channel())
        if self._nrpn and number in (98, 99):
            state.parameter[99 - number] = value
            state.data = [0, 0]
            return None
        if self._nrpn and number in (100, 101):  # a registered parameter, which is not one of ours
            state.parameter = [None, None]
            return None
        if self._nrpn and None not in state.parameter and number in (6, 38, 96, 97):
            return self._parameter(channel, state, number, value)
        if (channel, number) in self._pairs:
            state.high[number] = value
            low = number in state.paired
            return None if low else Moved(channel, "cc14", number, value << 7, 127 << 7)
        if (channel, number - 32) in self._pairs:
            state.paired.add(number - 32)
            if number - 32 not in state.high:
                return None
            return Moved(channel, "cc14", number - 32, (state.high[number - 32] << 7) | value, 16383)
        return Moved(channel, "cc", number, value, 127)

    def _parameter(self, channel: int, state: _Channel, number: int, value: int) -> Moved | None:
        high, low = state.parameter
        assert high is not None
        assert low is not None
        if (high, low) == (127, 127):  # none is chosen
            return None
        if number == 6:
            state.data = [value, 0]
        elif number == 38:
            state.data[1] = value
        else:
            whole = (state.data[0] << 7 | state.data[1]) + (1 if number == 96 else -1)
            whole = min(max(whole, 0), 16383)
            state.data = [whole >> 7, whole & 127]
        return Moved(channel, "nrpn", high << 7 | low, state.data[0] << 7 | state.data[1], 16383)


def steps(value: int, relative: str) -> int:
    """What an encoder says: steps up, or down below 0."""
    if relative == "twos_complement":
        return value if value < 64 else value - 128
    if relative == "offset":
        return value - 64
    return value if value < 64 else 64 - value
