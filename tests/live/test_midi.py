"""MIDI: messages put together, knobs that take over, buttons, encoders, feedback; against messages of mido's."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import until

import djgraph
from djgraph.errors import DeviceError
from djgraph.live import Desk
from djgraph.live.actions import Actions
from djgraph.live.decoding import Decoder, Moved, steps
from djgraph.live.learn import Learner, encoder
from djgraph.live.mapping import load_mapping
from djgraph.live.midi import REST, Port, Surface
from djgraph.playing import MemoryFeed, Player

mido = pytest.importorskip("mido")
GAIN = "track_a.drums.gain"


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer", lowering="causal")


class Desktop:
    """A desk, a surface with a mapping, and what it was told; a clock that is moved by hand."""

    def __init__(self, mixer: djgraph.Mixer, *entries: str, takeover: str = "jump") -> None:
        inputs = mixer.graph.inputs.items()
        feed = MemoryFeed({t: {s: torch.zeros(2, 1000) for s in stems or ()} for t, stems in inputs})
        self.player = Player(mixer, feed)
        self.desk = Desk(self.player)
        text = f"mapping: 1\ntakeover: {takeover}\ncontrols:\n" + "".join(f"  - {{{e}}}\n" for e in entries)
        self.sent: list[Any] = []
        self.now = 100.0
        self.surface = Surface(
            load_mapping(text, mixer.layout),
            self.desk,
            Actions(self.desk),
            self.sent.append,
            lambda: self.now,
        )
        self.desk.listen(self.surface.show)
        self.desk.close()  # looks are taken by hand

    def cc(self, number: int, value: int, channel: int = 0) -> float:
        self.surface.take(mido.Message("control_change", control=number, value=value, channel=channel))
        return self.desk.position(GAIN)

    def look(self, later: float = 1.0) -> list[Any]:
        self.desk.drain()
        self.now += later
        self.sent.clear()
        self.desk.look()
        return list(self.sent)


def test_a_knob_goes_over_all_of_the_travel(mixer: djgraph.Mixer) -> None:
    one = Desktop(mixer, f"control: {GAIN}, cc: 7")
    assert [one.cc(7, value) for value in (0, 127)] == [0, 1]
    assert one.cc(7, 64) == pytest.approx(64 / 127)
    assert one.cc(8, 0) == pytest.approx(64 / 127)  # another knob
    one.player.close()


def test_fourteen_bits_count_when_the_lower_half_comes(mixer: djgraph.Mixer) -> None:
    one = Desktop(mixer, f"control: {GAIN}, cc14: 1")
    one.cc(1, 64)
    assert one.cc(33, 5) == pytest.approx((64 * 128 + 5) / 16383, abs=1e-6)
    before = one.cc(1, 65)
    assert before == pytest.approx((64 * 128 + 5) / 16383, abs=1e-6)
    assert one.cc(33, 0) == pytest.approx(65 * 128 / 16383, abs=1e-6)
    one.player.close()


def test_a_parameter_is_chosen_and_set(mixer: djgraph.Mixer) -> None:
    one = Desktop(mixer, f"control: {GAIN}, nrpn: 257")
    for number, value in ((99, 2), (98, 1), (6, 100), (38, 3)):
        one.cc(number, value)
    assert one.desk.position(GAIN) == pytest.approx((100 * 128 + 3) / 16383, abs=1e-6)
    assert one.cc(97, 0) == pytest.approx((100 * 128 + 2) / 16383, abs=1e-6)
    for number, value in ((101, 0), (100, 0), (6, 0)):  # a registered one is none of ours
        one.cc(number, value)
    assert one.desk.position(GAIN) > 0.7
    one.player.close()


def test_the_wheel_has_fourteen_bits(mixer: djgraph.Mixer) -> None:
    one = Desktop(mixer, f"control: {GAIN}, pitch: true")
    for pitch, wanted in ((-8192, 0), (8191, 1), (0, 8192 / 16383)):
        one.surface.take(mido.Message("pitchwheel", pitch=pitch))
        assert one.desk.position(GAIN) == pytest.approx(wanted, abs=1e-6)
    one.player.close()


@pytest.mark.parametrize(
    ("relative", "up", "down"), [("twos_complement", 3, 125), ("offset", 67, 61), ("sign_bit", 3, 67)]
)
def test_encoders_say_steps_in_three_ways(mixer: djgraph.Mixer, relative: str, up: int, down: int) -> None:
    assert steps(up, relative) == 3
    assert steps(down, relative) == -3
    one = Desktop(mixer, f"control: {GAIN}, cc: 9, relative: {relative}, step: 0.01")
    one.desk.put(GAIN, 0.5)
    assert one.cc(9, up) == pytest.approx(0.53, abs=1e-5)
    assert one.cc(9, down) == pytest.approx(0.5, abs=1e-5)
    for _ in range(100):
        one.cc(9, up)
    assert one.desk.position(GAIN) == 1
    one.player.close()


def test_pick_up_waits_until_the_fader_is_there(mixer: djgraph.Mixer) -> None:
    one = Desktop(mixer, f"control: {GAIN}, cc: 7", takeover="pickup")
    one.desk.put(GAIN, 0.5)
    assert one.cc(7, 10) == pytest.approx(0.5)
    assert one.cc(7, 40) == pytest.approx(0.5)
    assert one.cc(7, 90) == pytest.approx(90 / 127, abs=1e-5)  # it went past
    assert one.cc(7, 20) == pytest.approx(20 / 127, abs=1e-5)
    one.desk.put(GAIN, 0.9)  # somebody else
    assert one.cc(7, 21) == pytest.approx(0.9, abs=1e-5)
    one.player.close()


def test_scaling_never_jumps_and_meets_at_the_end(mixer: djgraph.Mixer) -> None:
    one = Desktop(mixer, f"control: {GAIN}, cc: 7", takeover="scale")
    one.desk.put(GAIN, 0.5)
    places = [one.cc(7, value) for value in range(20, 128)]
    assert places[0] == pytest.approx(0.5)
    assert max(b - a for a, b in pairwise(places)) < 0.02
    assert all(b >= a for a, b in pairwise(places))
    assert places[-1] == 1
    one.player.close()


def test_buttons(mixer: djgraph.Mixer) -> None:
    hold = "control: track_b.drums.gain, note: 37, button: hold"
    one = Desktop(mixer, f"control: {GAIN}, note: 36", hold, "do: toggle, note: 38")

    def press(note: int, velocity: int) -> None:
        one.surface.take(mido.Message("note_on", note=note, velocity=velocity))

    one.desk.put(GAIN, 1.0)
    press(36, 100)
    press(36, 0)
    assert one.desk.position(GAIN) == 0
    press(36, 1)
    assert one.desk.position(GAIN) == 1
    press(37, 100)
    assert one.desk.position("track_b.drums.gain") == 1
    one.surface.take(mido.Message("note_off", note=37))
    assert one.desk.position("track_b.drums.gain") == 0
    press(38, 100)
    press(38, 0)
    one.player.block(64)
    assert one.player.transport.playing
    one.player.close()


def test_a_part_of_the_travel_backwards(mixer: djgraph.Mixer) -> None:
    one = Desktop(mixer, f"control: {GAIN}, cc: 7, range: [0.8, 0.2]")
    assert one.cc(7, 0) == pytest.approx(0.8, abs=1e-5)
    assert one.cc(7, 127) == pytest.approx(0.2, abs=1e-5)
    one.player.close()


def test_the_device_is_told_what_others_move(mixer: djgraph.Mixer) -> None:
    one = Desktop(
        mixer, f"control: {GAIN}, cc: 7", "control: track_a.bass.gain, pitch: true, touch: 104",
        "control: track_a.vocals.gain, cc14: 3", "do: play, note: 40, lit: 9",
    )  # fmt: skip
    first = one.look()
    assert {message.type for message in first} == {"control_change", "pitchwheel", "note_on"}
    assert one.look() == []
    one.desk.put(GAIN, 0.5)
    assert [(m.control, m.value) for m in one.look()] == [(7, 64)]
    one.cc(7, 100)  # its own hand: told only when that rests, and then only if it is elsewhere
    assert one.look(0.01) == []
    assert [m.value for m in one.look(REST)] == [100]
    one.surface.take(mido.Message("note_on", note=104, velocity=127))
    one.desk.put("track_a.bass.gain", 0.25)
    assert one.look() == []  # a hand is on the fader
    one.surface.take(mido.Message("note_on", note=104, velocity=0))
    assert [m.pitch for m in one.look()] == [round(0.25 * 16383) - 8192]
    one.desk.put("track_a.vocals.gain", 0.75)
    high, low = divmod(round(0.75 * 16383), 128)
    assert [(m.control, m.value) for m in one.look()] == [(3, high), (35, low)]
    one.player.play()
    one.player.block(64)
    assert [(m.note, m.velocity) for m in one.look()] == [(40, 9)]
    one.player.close()


def test_a_decoder_leaves_others_alone() -> None:
    decoder = Decoder()
    assert decoder.take(mido.Message("clock")) is None
    assert decoder.take(mido.Message("program_change")) is None
    assert decoder.take(mido.Message("control_change", control=6, value=3)) == Moved(1, "cc", 6, 3, 127)
    assert Decoder(nrpn=False).take(mido.Message("control_change", control=99, value=3)) == Moved(
        1, "cc", 99, 3, 127
    )


class Ports:
    """What is left of mido where there is no MIDI: ports that call back, and remember what is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[Any] = []
        self.callback: Any = None
        self.closed = 0
        monkeypatch.setattr(mido, "get_input_names", lambda: ["Clock 14:0", "nanoKONTROL2 20:0"])
        monkeypatch.setattr(mido, "get_output_names", lambda: ["Clock 14:0", "nanoKONTROL2 20:1"])
        monkeypatch.setattr(mido, "open_input", self._open)
        monkeypatch.setattr(mido, "open_output", self._open)

    def _open(self, name: str, callback: Any = None) -> Any:
        assert name.startswith("nanoKONTROL2")
        self.callback = callback or self.callback
        ports = self

        class Opened:
            send = staticmethod(ports.sent.append)

            def close(self) -> None:
                ports.closed += 1

        return Opened()


def test_ports_by_part_of_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Ports(monkeypatch)
    heard: list[Any] = []
    port = Port("nanokontrol", heard.append)
    assert port.name == "nanoKONTROL2 20:0"
    there.callback(change(1, 2))
    assert heard == [change(1, 2)]
    assert port.send is not None
    port.send(change(3, 4))
    assert there.sent == [change(3, 4)]
    port.close()
    assert there.closed == 2
    with pytest.raises(DeviceError, match="did you mean 'nanoKONTROL2 20:0'"):
        Port("nanokontrol2 20:1", heard.append)


def test_without_midi(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> list[str]:
        raise SystemError("no sequencer")

    monkeypatch.setattr(mido, "get_input_names", none)
    with pytest.raises(DeviceError, match="the system has no MIDI: no sequencer"):
        Port("any", print)


def test_virtual_ports_of_the_system() -> None:
    """Through ALSA or CoreMIDI, where they are."""
    try:
        source = mido.open_output("djgraph test", virtual=True)
    except Exception as error:
        pytest.skip(f"no virtual MIDI ports: {error}")
    heard: list[Any] = []
    port = Port("djgraph test", heard.append)
    source.send(change(7, 99))
    until(lambda: heard)
    assert heard[0].value == 99
    port.close()
    source.close()


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=3), max_size=60))
def test_any_bytes_are_decoded(data: list[list[int]]) -> None:
    decoder, learner, parser = Decoder({(1, 1)}), Learner(), mido.Parser()
    for message in data:
        parser.feed(message)
    for message in parser:
        moved = decoder.take(message)
        assert moved is None or 0 <= moved.value <= moved.most
        learner.hear(message)


def change(number: int, value: int) -> Any:
    return mido.Message("control_change", control=number, value=value, channel=2)


PAD = [mido.Message(kind, note=3, channel=2) for kind in ("note_on", "note_off")]
TOUCH = mido.Message("note_on", note=104, velocity=127)
WHEEL = [mido.Message("pitchwheel", pitch=pitch * 100) for pitch in range(9)]


@pytest.mark.parametrize(
    ("messages", "entry"),
    [
        ([change(7, v) for v in range(20, 40)], {"cc": 7, "channel": 3}),
        ([change(n, v) for v in range(9) for n in (1, 33)], {"cc14": 1, "channel": 3}),
        ([change(99, 2), change(98, 1), change(6, 5)], {"nrpn": 257, "channel": 3}),
        ([change(9, v) for v in (1, 1, 2, 1, 127, 127, 1)], {"cc": 9, "channel": 3, "relative": "twos_complement"}),
        ([change(9, v) for v in (65, 65, 66, 63, 63, 65)], {"cc": 9, "channel": 3, "relative": "offset"}),
        ([change(9, v) for v in (1, 1, 2, 65, 65, 1)], {"cc": 9, "channel": 3, "relative": "sign_bit"}),
        ([change(5, v) for v in (127, 0) * 4], {"cc": 5, "channel": 3, "button": "toggle"}),
        (PAD, {"note": 3, "channel": 3}),
        ([TOUCH, *WHEEL], {"pitch": True, "channel": 1, "touch": 104}),
    ],
)  # fmt: skip
def test_what_moved_is_learnt(messages: list[Any], entry: dict[str, Any]) -> None:
    learner = Learner()
    found = [learner.hear(message) for message in messages]
    assert found[-1] == entry


def test_a_fader_is_no_encoder() -> None:
    assert encoder([1, 2, 3, 4, 5, 6, 7]) is None
    assert encoder([60, 61, 63, 66, 68, 70]) is None
