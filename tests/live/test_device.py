"""Cards: what is told where there is no PortAudio, no such device, or one that does not take the rate."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest

from djgraph.errors import DeviceError
from djgraph.live.device import SoundDeviceCard, devices, named, portaudio


class PortAudioError(Exception):
    pass


class Stream:
    """A stream of PortAudio's that calls back when told to."""

    made: Any = None

    def __init__(self, **how: Any) -> None:
        self.how, self.latency, self.ended = how, 0.0125, False
        Stream.made = self

    def start(self) -> None: ...

    def abort(self, ignore_errors: bool) -> None:
        self.ended = True

    def close(self, ignore_errors: bool) -> None: ...


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module like sounddevice, with two cards."""
    module: Any = types.ModuleType("sounddevice")
    known = [("Microphone", 1, 0), ("Built-in Audio", 2, 2), ("Scarlett 18i20", 18, 20)]
    cards = [
        {
            "index": i,
            "name": name,
            "max_input_channels": ins,
            "max_output_channels": outs,
            "default_samplerate": 48000.0,
        }
        for i, (name, ins, outs) in enumerate(known)
    ]
    module.query_devices = lambda: cards
    module.default = types.SimpleNamespace(device=(0, 1))
    module.PortAudioError = PortAudioError
    module.OutputStream = module.Stream = Stream

    def check(device: int, channels: int, dtype: str, samplerate: int) -> None:
        if samplerate != 44100:
            raise PortAudioError("Invalid sample rate")

    module.check_output_settings = module.check_input_settings = check
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def test_a_card_by_part_of_its_name(fake: Any) -> None:
    assert SoundDeviceCard("scarlett", 44100, 64, 8, 4).name == "Scarlett 18i20"
    assert SoundDeviceCard("2", 44100, 64, 8).name == "Scarlett 18i20"
    assert SoundDeviceCard(None, 44100, 64, 2).name == "Built-in Audio"
    assert [one["default"] for one in devices()] == [False, True, False]


@pytest.mark.parametrize(
    ("device", "rate", "outputs", "said"),
    [
        ("Scarlet 18i2O", 44100, 2, "did you mean 'Scarlett 18i20'"),
        ("i", 44100, 2, "several"),
        ("7", 44100, 2, "no sound card number 7; there are 0 to 2"),
        ("built", 44100, 4, "has 2 output channels, and 4 are asked for"),
        ("built", 96000, 2, "does not take 96000 Hz"),
        ("built", 96000, 2, "its own rate is 48000 Hz"),
    ],
)
def test_what_cannot_be_is_told(fake: Any, device: str, rate: int, outputs: int, said: str) -> None:
    with pytest.raises(DeviceError) as caught:
        SoundDeviceCard(device, rate, 64, outputs)
    assert said in str(caught.value)


def test_blocks_go_both_ways(fake: Any) -> None:
    card = SoundDeviceCard("built", 44100, 64, 2, 2)
    assert card.latency == pytest.approx(64 / 44100)

    def fill(incoming: Any, out: np.ndarray) -> None:
        out[:] = 2 * incoming

    card.start(fill)
    made = Stream.made
    assert made.how["blocksize"] == 64
    assert made.how["channels"] == (2, 2)
    out = np.zeros((64, 2), np.float32)
    made.how["callback"](np.ones((64, 2), np.float32), out, 64, None, None)
    assert (out == 2).all()
    made.how["callback"](np.ones((64, 2), np.float32), out, 64, None, "output underflow")
    assert card.faults == 1
    assert card.latency == 0.0125
    card.stop()
    assert made.ended


def test_what_the_card_misses_is_counted_without_inputs_too(fake: Any) -> None:
    card = SoundDeviceCard("built", 44100, 64, 2)

    def fill(incoming: Any, out: np.ndarray) -> None:
        assert incoming is None
        out[:] = 1

    card.start(fill)
    out = np.zeros((64, 2), np.float32)
    Stream.made.how["callback"](out, 64, None, None)
    assert (out == 1).all()
    assert card.faults == 0
    Stream.made.how["callback"](out, 64, None, "output underflow")
    assert card.faults == 1
    card.stop()


def test_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(DeviceError, match=r"djgraph\[live\]"):
        portaudio()


def test_names() -> None:
    names = ["Ab", "Abc", "Bc"]
    assert named(names, "Ab", "port") == 0
    assert named(names, "abc", "port") == 1
    with pytest.raises(DeviceError, match="there are none"):
        named([], "x", "port")
