"""MIDI controllers: messages move controls as a mapping says, and what moves is shown on LEDs and motor faders."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from djgraph.errors import DeviceError, DJGraphError
from djgraph.live.actions import Actions
from djgraph.live.decoding import Decoder, Moved, steps
from djgraph.live.desk import Desk
from djgraph.live.device import named
from djgraph.live.mapping import Bindings, EntryModel

NEAR = 1.5 / 127
"""How close a fader has to come to where its control stands to take it along."""
SAME = 1e-4
"""Of the travel: a control that is where an entry left it was moved by nobody else."""
REST = 0.3
"""Seconds after a hand's last move until the device is told where the control stands."""
Send = Callable[[Any], None]


@dataclass
class _State:
    """Of one entry. share: where its knob stands. left: where it left its control. fine: where an encoder is between
    the steps of a switch. sent: what the device was told last. moved: when its hand last did."""

    share: float | None = None
    left: float | None = None
    fine: float | None = None
    sent: Any = None
    moved: float = -1e9
    touched: bool = False
    due: bool = True


class Surface:
    """One controller. send: sends a message of mido's to it, None where it cannot be told anything.

    :meth:`take` is called by the thread of its port, :meth:`show` by the desk's.
    """

    def __init__(
        self,
        bindings: Bindings,
        desk: Desk,
        actions: Actions,
        send: Send | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bindings, self.desk, self.actions = bindings, desk, actions
        self._send, self._clock = send, clock
        entries = bindings.entries
        self._states = [_State() for _ in entries]
        self._by_message: dict[tuple[int, str, int], list[int]] = defaultdict(list)
        self._by_touch: dict[tuple[int, int], list[int]] = defaultdict(list)
        self._by_control: dict[str, list[int]] = defaultdict(list)
        for index, entry in enumerate(entries):
            self._by_message[entry.channel, entry.kind, entry.number].append(index)
            if entry.touch is not None:
                self._by_touch[entry.channel, entry.touch].append(index)
            if entry.control is not None:
                self._by_control[entry.control].append(index)
        pairs = {(entry.channel, entry.number) for entry in entries if entry.kind == "cc14"}
        self._decoder = Decoder(pairs, any(entry.kind == "nrpn" for entry in entries))

    def take(self, message: Any) -> None:
        """A message of mido's."""
        moved = self._decoder.take(message)
        if moved is None:
            return
        if moved.kind == "note":
            for index in self._by_touch.get((moved.channel, moved.number), ()):
                self._states[index].touched = moved.value > 0
        for index in self._by_message.get((moved.channel, moved.kind, moved.number), ()):
            try:
                self._turn(self.bindings.entries[index], self._states[index], moved)
            except (
                DJGraphError
            ) as error:  # a control that another graph does not have, a loop that is too short
                logging.getLogger("djgraph").warning("MIDI: %s", error)

    def show(self, moved: Mapping[str, float], turned: Mapping[str, float]) -> None:
        """Tell the device what has moved, but a fader that a hand is on only when that rests."""
        if self._send is None:
            return
        for name in moved:
            for index in self._by_control.get(name, ()):
                self._states[index].due = True
        for entry, state in zip(self.bindings.entries, self._states):
            if not entry.feedback:
                continue
            if entry.do is not None:
                self._tell(entry, state, 1.0 if self.actions.lit(entry.do) else 0.0)
            elif state.due and not state.touched and self._clock() - state.moved >= REST:
                state.due = False
                if entry.control is None or entry.control not in self.desk.layout:
                    continue
                self._tell(entry, state, _knob(entry, self.desk.position(entry.control)))

    # ── How ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _turn(self, entry: EntryModel, state: _State, moved: Moved) -> None:
        state.moved = self._clock()
        pressed = moved.value > 0 if moved.kind == "note" else moved.share >= 0.5
        if entry.do is not None:
            if pressed:
                self.actions.do(entry.do)
            return
        assert entry.control is not None
        at = _knob(entry, self.desk.position(entry.control))
        state.due = True
        if entry.relative is not None:
            self._put(entry, state, self._step(entry, state, steps(moved.value, entry.relative), at))
        elif entry.button is not None or moved.kind == "note":
            self._press(entry, state, pressed, at)
        else:
            before, state.share = state.share, moved.share
            target = self._taken(self.bindings.takeover(entry), state, before, moved.share, at)
            if target is not None:
                self._put(entry, state, target)

    def _press(self, entry: EntryModel, state: _State, pressed: bool, at: float) -> None:
        button = entry.button or "toggle"
        if button == "hold":
            self._put(entry, state, 1.0 if pressed else 0.0)
        elif pressed:
            self._put(entry, state, 1.0 if button == "set" or at < 0.5 else 0.0)

    def _step(self, entry: EntryModel, state: _State, count: int, at: float) -> float:
        """Where an encoder's step leads. A switch goes on when enough of them have come."""
        begin = at
        if state.fine is not None and state.left is not None and abs(at - state.left) <= SAME:
            begin = state.fine
        state.fine = min(max(begin + count * entry.step, 0.0), 1.0)
        return state.fine

    def _taken(
        self, takeover: str, state: _State, before: float | None, now: float, at: float
    ) -> float | None:
        """Where a knob takes its control; None: nowhere yet."""
        if takeover == "jump":
            return now
        if takeover == "pickup":
            mine = state.left is not None and abs(at - state.left) <= SAME
            passed = before is not None and min(before, now) <= at <= max(before, now)
            return now if mine or passed or abs(now - at) <= NEAR else None
        if before is None or before == now:
            return None
        if abs(before - at) <= SAME:
            return now
        if now > before:
            return at + (1 - at) * (now - before) / (1 - before)
        return at - at * (before - now) / before

    def _put(self, entry: EntryModel, state: _State, share: float) -> None:
        assert entry.control is not None
        begin, end = entry.range
        value = self.desk.put(entry.control, begin + share * (end - begin))
        state.left = _knob(entry, self.desk.position_of(entry.control, value))

    def _tell(self, entry: EntryModel, state: _State, share: float) -> None:
        messages = feedback(entry, share)
        if messages != state.sent:
            state.sent = messages
            assert self._send is not None
            for message in messages:
                self._send(message)


def feedback(entry: EntryModel, share: float) -> list[Any]:
    """The messages that tell a device where a knob stands: those that it would send itself."""
    from mido import Message

    share = min(max(share, 0.0), 1.0)
    channel, number, kind = entry.channel - 1, entry.number, entry.kind
    if kind == "note":
        velocity = entry.lit if share >= 0.5 else entry.dark
        return [Message("note_on", channel=channel, note=number, velocity=velocity)]
    if kind == "pitch":
        return [Message("pitchwheel", channel=channel, pitch=round(share * 16383) - 8192)]
    if kind == "cc":
        button = entry.button is not None or entry.do is not None
        value = (entry.lit if share >= 0.5 else entry.dark) if button else round(share * 127)
        return [Message("control_change", channel=channel, control=number, value=value)]
    high, low = divmod(round(share * 16383), 128)
    sent = [(number, high), (number + 32, low)]
    if kind == "nrpn":
        sent = [(99, number >> 7), (98, number & 127), (6, high), (38, low)]
    return [Message("control_change", channel=channel, control=c, value=v) for c, v in sent]


def _knob(entry: EntryModel, position: float) -> float:
    """Where a knob would stand for a position of its control."""
    begin, end = entry.range
    return 0.0 if begin == end else min(max((position - begin) / (end - begin), 0.0), 1.0)


# ── Ports ───────────────────────────────────────────────────────────────────────────────────────────────────


def ports() -> tuple[list[str], list[str]]:
    """Names of the ports one hears and of those one sends to. Raises DeviceError where MIDI is not there."""
    mido = _mido()
    try:
        return list(mido.get_input_names()), list(mido.get_output_names())
    except Exception as error:
        raise DeviceError(f"the system has no MIDI: {error}") from None


class Port:
    """A controller's two ports, of one name. heard: is called with each message, on a thread of the port's.

    Raises DeviceError where there is no such port, or no MIDI at all.
    """

    def __init__(self, name: str, heard: Callable[[Any], None]) -> None:
        inputs, outputs = ports()
        self.name = inputs[named(inputs, name, "MIDI port")]
        mido = _mido()
        try:
            self._in = mido.open_input(self.name, callback=heard)
            self._out = _partner(mido, self.name, outputs)
        except Exception as error:
            raise DeviceError(f"the MIDI port {self.name} cannot be opened: {error}") from None

    @property
    def send(self) -> Send | None:
        return None if self._out is None else self._out.send

    def close(self) -> None:
        self._in.close()
        if self._out is not None:
            self._out.close()


def _partner(mido: Any, name: str, outputs: list[str]) -> Any:
    """The output that belongs to an input: of the same name, but for the numbers that systems put behind it."""
    bare = name.rstrip("0123456789: ")
    for output in outputs:
        if output == name or output.rstrip("0123456789: ") == bare:
            return mido.open_output(output)
    return None


def _mido() -> Any:
    try:
        import mido
        import rtmidi  # noqa: F401  # its backend
    except ImportError:
        raise DeviceError(
            'mido and python-rtmidi are not installed: pip install "djgraph[live]"; on Linux with Python 3.13 or newer'
            " also pip install python-rtmidi, which is compiled there (Debian: apt install libasound2-dev)"
        ) from None
    return mido
