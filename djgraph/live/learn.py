"""Learning a mapping: what moved when a control was asked for, guessed from the messages that came."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from djgraph.live.mapping import RELATIVE

ENOUGH = 6
"""Messages of one knob after which it is known."""


class Learner:
    """Hears messages of mido's until one knob, fader, button or encoder is known for sure.

    A pair of control changes 32 apart is 14 bits, 99 and 98 before 6 are a parameter; a control change that says
    nothing but small steps is an encoder, and how it says them tells which of the three ways it is.
    """

    def __init__(self) -> None:
        self._changes: list[tuple[int, int, int]] = []
        self._parameter: dict[int, list[int | None]] = {}
        self._touched: tuple[int, int] | None = None
        self._found: dict[str, Any] | None = None
        self._pitches: dict[int, int] = {}

    def hear(self, message: Any) -> dict[str, Any] | None:
        """The entry that is known now, without its control, or None. A note counts when it is let go, so that the
        touch of a motor fader, which moves meanwhile, is not taken for a button."""
        if self._found is not None:
            return self._found
        channel = getattr(message, "channel", -1) + 1
        if message.type == "pitchwheel":
            count = self._pitches[channel] = self._pitches.get(channel, 0) + 1
            if count >= ENOUGH:
                self._found = self._with_touch({"pitch": True, "channel": channel})
        elif message.type == "note_on" and message.velocity > 0:
            self._touched = (channel, message.note)
        elif message.type in ("note_on", "note_off"):
            alone = not self._changes and not self._pitches
            if alone and self._touched == (channel, message.note):
                self._found = {"note": message.note, "channel": channel}
        elif message.type == "control_change":
            self._found = self._change(channel, message.control, message.value)
        return self._found

    def _change(self, channel: int, number: int, value: int) -> dict[str, Any] | None:
        parameter = self._parameter.setdefault(channel, [None, None])
        if number in (98, 99):
            parameter[99 - number] = value
            return None
        if None not in parameter and number in (6, 38, 96, 97):
            high, low = parameter
            assert high is not None
            assert low is not None
            return {"nrpn": high << 7 | low, "channel": channel}
        self._changes.append((channel, number, value))
        own = [v for c, n, v in self._changes if (c, n) == (channel, number)]
        numbers = {n for c, n, _ in self._changes if c == channel}
        if len(own) < ENOUGH:
            return None
        for upper in sorted(numbers):
            if upper < 32 and upper + 32 in numbers and number in (upper, upper + 32):
                return self._with_touch({"cc14": upper, "channel": channel})
        if (relative := encoder(own)) is not None:
            return {"cc": number, "channel": channel, "relative": relative}
        if set(own) <= {0, 127}:
            return {"cc": number, "channel": channel, "button": "toggle"}
        return self._with_touch({"cc": number, "channel": channel})

    def _with_touch(self, entry: dict[str, Any]) -> dict[str, Any]:
        if self._touched is not None and self._touched[0] == entry["channel"]:
            entry["touch"] = self._touched[1]
        return entry


def encoder(values: Sequence[int]) -> str | None:
    """Which of the three ways of encoders values are, None for a knob with ends: that goes from value to value, and an
    encoder says the same small steps again and again."""
    ways: dict[str, tuple[range, range]] = {
        "twos_complement": (range(1, 9), range(120, 128)),
        "offset": (range(65, 73), range(56, 64)),
        "sign_bit": (range(1, 9), range(65, 73)),
    }
    if len(set(values)) == len(values) and len(values) > 2:
        return None
    climbing = all(abs(b - a) <= 1 for a, b in pairwise(values)) and len(set(values)) > 3
    if climbing:
        return None
    for name in RELATIVE:
        up, down = ways[name]
        if all(value in up or value in down for value in values) and (
            name != "sign_bit" or any(value in down for value in values)
        ):
            return name
    return None


def mapping_text(
    entries: Mapping[str, Mapping[str, Any]], name: str, port: str, takeover: str = "pickup"
) -> str:
    """A mapping file: entries by control, in a form that reads well and is edited easily."""
    import json

    lines = [
        "mapping: 1",
        f"name: {json.dumps(name, ensure_ascii=False)}",
        f"port: {json.dumps(port, ensure_ascii=False)}",
        f"takeover: {takeover}",
        "controls:" if entries else "controls: []",
    ]
    for control, entry in entries.items():
        parts = [f"control: {control}"]
        parts += [
            f"{key}: {json.dumps(value)}" for key, value in entry.items() if (key, value) != ("channel", 1)
        ]
        lines.append("  - {" + ", ".join(parts) + "}")
    return "\n".join(lines) + "\n"


def write_mapping(path: str | os.PathLike[str], text: str) -> None:
    """Whole or not at all."""
    from djgraph.atomic import atomic_writer

    with atomic_writer(path) as file:
        file.write(text.encode())
