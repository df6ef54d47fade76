"""Sound cards: PortAudio's through sounddevice, and one that is not there but keeps the time strictly."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from djgraph.errors import DeviceError, did_you_mean

Array = NDArray[np.float32]
Fill = Callable[[Array | None, Array], None]
"""Called for each block on the card's own thread: what came in ``[samples, inputs]``, None without inputs, and what
goes out ``[samples, outputs]``, to be written to. It must not wait for anything."""

BLOCKS = (64, 1024)
"""The shortest and the longest block."""


class Card(Protocol):
    """What plays blocks. rate: Hz. block: samples of each. inputs, outputs: channels that are open. latency: seconds
    from a card's input, or from a block, to its output, as the driver says. faults: blocks that the card did not get in
    time."""

    name: str
    rate: int
    block: int
    inputs: int
    outputs: int

    @property
    def latency(self) -> float: ...

    @property
    def faults(self) -> int: ...

    def start(self, fill: Fill) -> None: ...

    def stop(self) -> None: ...


class SoundDeviceCard:
    """A device of PortAudio.

    device: its number, a part of its name, or None for the system's own. Raises DeviceError where there is no
    PortAudio, no such device, or one that does not take the rate or so many channels.
    """

    def __init__(
        self, device: str | int | None, rate: int, block: int, outputs: int, inputs: int = 0
    ) -> None:
        sd = portaudio()
        self.rate, self.block, self.inputs, self.outputs = rate, block, inputs, outputs
        self.faults = 0
        chosen = _chosen(sd, device, inputs > 0)
        self.name = chosen["name"]
        for way, wanted in (("output", outputs), ("input", inputs)):
            there = int(chosen[f"max_{way}_channels"])
            if wanted > there:
                raise DeviceError(f"{self.name} has {there} {way} channels, and {wanted} are asked for")
        index = chosen["index"]
        try:
            sd.check_output_settings(index, outputs, "float32", samplerate=rate)
            if inputs:
                sd.check_input_settings(index, inputs, "float32", samplerate=rate)
        except sd.PortAudioError as error:
            raise DeviceError(
                f"{self.name} does not take {rate} Hz with {outputs} outputs and {inputs} inputs: {error}; its own "
                f"rate is {chosen['default_samplerate']:.0f} Hz (set it in the system's sound settings, or "
                "sample_rate in the graph)"
            ) from None
        self._index, self._sd = index, sd
        self._stream: Any = None

    @property
    def latency(self) -> float:
        stream = self._stream
        if stream is None:
            return self.block / self.rate
        latency = stream.latency
        return float(sum(latency)) if isinstance(latency, tuple) else float(latency)

    def start(self, fill: Fill) -> None:
        """Open the stream; ``fill`` is called from now on. Raises DeviceError where the card refuses."""
        both = self.inputs > 0

        def duplex(incoming: Array, out: Array, frames: int, times: Any, status: Any) -> None:
            if status:
                self.faults += 1
            fill(incoming, out)

        def playing(out: Array, frames: int, times: Any, status: Any) -> None:
            if status:
                self.faults += 1
            fill(None, out)

        kind = self._sd.Stream if both else self._sd.OutputStream
        try:
            self._stream = kind(
                samplerate=self.rate,
                blocksize=self.block,
                device=(self._index, self._index) if both else self._index,
                channels=(self.inputs, self.outputs) if both else self.outputs,
                dtype="float32",
                latency="low",
                callback=duplex if both else playing,
            )
            self._stream.start()
        except self._sd.PortAudioError as error:
            raise DeviceError(f"{self.name} cannot be opened: {error}") from None

    def stop(self) -> None:
        if self._stream is not None:
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)
            self._stream = None


class FakeCard:
    """No card, and its clock all the same: block *n* has to be there when block *n* − 1 has been played.

    What is not is a fault and is heard as silence. keep: remember what was heard, in ``heard``. captured: what comes
    in, ``[samples, inputs]``, again and again. :meth:`pull` plays blocks without a clock.
    """

    def __init__(
        self,
        rate: int = 44100,
        block: int = 512,
        outputs: int = 2,
        captured: Array | None = None,
        keep: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = "no card"
        self.rate, self.block, self.outputs = rate, block, outputs
        self.inputs = 0 if captured is None else captured.shape[1]
        self.faults = 0
        self.heard: list[Array] = []
        self._captured, self._keep, self._clock = captured, keep, clock
        self._place = 0
        self._fill: Fill | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def latency(self) -> float:
        return self.block / self.rate

    def start(self, fill: Fill) -> None:
        self._fill = fill
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name="djgraph card", daemon=True)
        self._thread.start()

    def attach(self, fill: Fill) -> None:
        """Without a clock: for :meth:`pull`."""
        self._fill = fill

    def pull(self, blocks: int = 1) -> Array:
        """So many blocks, now: ``[blocks · block, outputs]``."""
        return np.concatenate([self._one() for _ in range(blocks)])

    def stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _one(self) -> Array:
        out = np.zeros((self.block, self.outputs), np.float32)
        incoming = None
        if self._captured is not None:
            places = (self._place + np.arange(self.block)) % len(self._captured)
            incoming = self._captured[places]
            self._place += self.block
        assert self._fill is not None
        self._fill(incoming, out)
        return out

    def _run(self) -> None:
        length, due = self.block / self.rate, self._clock()
        while not self._ended.is_set():
            out = self._one()
            due += length
            now = self._clock()
            if now > due:  # too late: what was played meanwhile is silence
                self.faults += 1
                missed = math.ceil((now - due) / length)
                due += missed * length
                if self._keep:
                    self.heard += [np.zeros_like(out)] * missed
            if self._keep:
                self.heard.append(out)
            self._ended.wait(max(0.0, due - self._clock()))


def portaudio() -> Any:
    """The module sounddevice. Raises DeviceError where it, or the library PortAudio, is not installed."""
    try:
        import sounddevice
    except ImportError:
        raise DeviceError('sounddevice is not installed: pip install "djgraph[live]"') from None
    except OSError:
        raise DeviceError(
            "the library PortAudio is not installed: apt install libportaudio2 (Debian, Ubuntu), dnf install "
            "portaudio (Fedora); on macOS and Windows it comes with sounddevice"
        ) from None
    return sounddevice


def devices() -> list[dict[str, Any]]:
    """The cards that there are: ``number``, ``name``, ``inputs``, ``outputs``, ``rate`` and whether it is the
    ``default``. Raises DeviceError as :func:`portaudio`."""
    sd = portaudio()
    default = sd.default.device[1]
    return [
        {
            "number": one["index"],
            "name": one["name"],
            "inputs": one["max_input_channels"],
            "outputs": one["max_output_channels"],
            "rate": one["default_samplerate"],
            "default": one["index"] == default,
        }
        for one in sd.query_devices()
    ]


def named(names: Sequence[str], wanted: str, what: str) -> int:
    """The index of the one name that is ``wanted``, or else contains it. Raises DeviceError where there is none, or
    where there are several. what: the thing, in words."""
    for found in (
        [i for i, name in enumerate(names) if name == wanted],
        [i for i, name in enumerate(names) if wanted.casefold() in name.casefold()],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(names[i] for i in found)
            raise DeviceError(f"several are called like {what} {wanted!r}: {several}")
    there = ", ".join(names) or "there are none"
    raise DeviceError(f"there is no {what} {wanted!r}{did_you_mean(wanted, names)} ({there})")


def _chosen(sd: Any, device: str | int | None, both: bool) -> dict[str, Any]:
    """What PortAudio tells of a device."""
    number = int(device) if isinstance(device, str) and device.isdecimal() else device
    everyone = list(sd.query_devices())
    if not everyone:
        raise DeviceError("there is no sound card (--device none plays in time to nowhere)")
    if isinstance(number, str):
        fitting = [one for one in everyone if one["max_output_channels"] > 0]
        if both:
            fitting = [one for one in fitting if one["max_input_channels"] > 0] or fitting
        return dict(fitting[named([one["name"] for one in fitting], number, "sound card")])
    if number is None:
        number = int(sd.default.device[1])
        if number < 0:
            raise DeviceError("the system names no sound card as its own; choose one with --device")
    if not 0 <= number < len(everyone):
        raise DeviceError(f"there is no sound card number {number}; there are 0 to {len(everyone) - 1}")
    return dict(everyone[number])
