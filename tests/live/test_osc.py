"""OSC: real packets on the loopback address."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import PATIENCE, until

import djgraph
from djgraph.errors import DeviceError, InputError
from djgraph.live import Desk
from djgraph.live.actions import Actions
from djgraph.live.osc import Osc, pattern
from djgraph.playing import MemoryFeed, Player

pytest.importorskip("pythonosc")
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

GAIN = "track_a.drums.gain"


def message(address: str, *values: Any) -> Any:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


class Client:
    """A socket that says and hears."""

    def __init__(self, mixer: djgraph.Mixer) -> None:
        inputs = mixer.graph.inputs.items()
        feed = MemoryFeed({t: {s: torch.zeros(2, 1000) for s in stems or ()} for t, stems in inputs})
        self.player = Player(mixer, feed)
        self.desk = Desk(self.player)
        self.server = Osc(self.desk, Actions(self.desk), 0)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)

    def say(self, address: str, *values: Any) -> None:
        self.raw(message(address, *values).dgram)

    def raw(self, data: bytes) -> None:
        self.socket.sendto(data, ("127.0.0.1", self.server.port))

    def hear(self) -> list[tuple[str, list[Any]]]:
        packet = OscPacket(self.socket.recv(1 << 16))
        return [(timed.message.address, list(timed.message.params)) for timed in packet.messages]

    def silent(self) -> int:
        """How many packets come until none comes."""
        self.socket.settimeout(0.2)
        count = 0
        try:
            while self.hear():
                count += 1
        except TimeoutError:
            self.socket.settimeout(PATIENCE)
        return count

    def until(self, name: str, value: float) -> None:
        until(lambda: abs(self.desk.value(name) - value) < 1e-5, f"{name} does not get to {value}")

    def close(self) -> None:
        self.server.close()
        self.socket.close()
        self.player.close()


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer", lowering="causal")


@pytest.fixture
def client(mixer: djgraph.Mixer) -> Iterator[Client]:
    one = Client(mixer)
    yield one
    one.close()


def test_values_in_plain_units_and_positions(client: Client) -> None:
    client.say("/track_a/drums/gain", 0.5)
    client.until(GAIN, 0.5)
    client.say("/unit/track_a/drums/gain", 1)
    client.until(GAIN, client.desk.layout[GAIN].control.max)
    client.say("/track_a/drums/gain", True)
    client.until(GAIN, 1.0)


def test_patterns_move_all_that_match(client: Client) -> None:
    client.say("/track_[ab]/{drums,bass}/gain", 0.25)
    for track in "ab":
        for stem in ("drums", "bass"):
            client.until(f"track_{track}.{stem}.gain", 0.25)
    assert client.desk.value("track_a.vocals.gain") == 1


def test_bundles_now_and_later(client: Client) -> None:
    for ahead, value in ((0.0, 0.3), (0.15, 0.6)):
        bundle = OscBundleBuilder(time.time() + ahead)
        bundle.add_content(message("/track_a/drums/gain", value))
        bundle.add_content(message("/track_b/drums/gain", value))
        client.raw(bundle.build().dgram)
    client.until("track_b.drums.gain", 0.3)
    client.until("track_b.drums.gain", 0.6)
    client.until(GAIN, 0.6)


def test_without_a_value_it_is_answered(client: Client) -> None:
    client.desk.turn(GAIN, 0.125)
    client.say("/track_a/drums/gain")
    assert client.hear() == [("/track_a/drums/gain", [0.125])]
    client.say("/djgraph/status")
    assert client.hear() == [("/djgraph/status", [0, 0.0, 120.0])]
    client.say("/djgraph/play")
    until(lambda: client.player.block(64) and client.player.transport.playing)


def test_who_subscribes_is_told(client: Client) -> None:
    client.say("/djgraph/subscribe")
    told: dict[str, Any] = {}
    while len(told) < len(client.desk.layout):
        told |= dict(client.hear())
    assert told["/track_a/drums/gain"] == [1.0]
    client.desk.listen(client.server.show)
    client.desk.look()  # everything, to somebody new
    client.silent()
    client.desk.turn(GAIN, 0.375)
    client.desk.drain()
    assert ("/track_a/drums/gain", [0.375]) in client.hear()
    client.desk.turn(
        GAIN, 0.375 + 1e-4
    )  # a small move is one, too; not by hand, so that it is found by looking
    client.desk._turned.clear()
    client.desk.drain()
    client.desk.look()
    assert client.hear() == [("/track_a/drums/gain", [pytest.approx(0.3751)])]
    client.say("/djgraph/unsubscribe")
    client.say("/djgraph/status")
    while client.hear()[0][0] != "/djgraph/status":
        pass
    client.desk.turn(GAIN, 0.5)
    client.desk.drain()
    assert client.silent() == 0
    client.desk.close()


@pytest.mark.parametrize(
    ("address", "values", "said"),
    [
        ("/track_a/drums/gian", [0.5], "did you mean '/track_a/drums/gain'"),
        ("/track_a/drums/gain", [0.5, 1.0], "expected one value"),
        ("/track_a/drums/gain", [float("nan")], "finite"),
        ("/track_a/drums/gain", ["loud"], "expected a number"),
        ("/x/*", [1.0], "no control matches"),
        ("/track_a/[drums/gain", [1.0], "no address pattern"),
        ("/djgraph/paly", [], "play"),
        ("/djgraph/subscribe", [0], "no port"),
    ],
)
def test_mistakes_are_answered(client: Client, address: str, values: list[Any], said: str) -> None:
    client.say(address, *values)
    ((where, told),) = client.hear()
    assert where == "/djgraph/error"
    assert said in told[0]


@pytest.mark.parametrize(
    "data", [b"x", b"/a\0\0\0,f", b"#bundle\0" + b"\xff" * 40, bytes(3000), b"/" + b"*" * 2000]
)
def test_what_is_no_packet_hurts_nobody(client: Client, data: bytes) -> None:
    client.raw(data)
    client.say("/track_a/drums/gain", 0.5)
    client.until(GAIN, 0.5)


@settings(
    max_examples=examples(500), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=300)
    | st.builds(lambda tail: b"/track_a/drums/gain\0,f\0\0" + tail, st.binary(max_size=20))
)
def test_any_bytes_are_answered_or_passed_over(client: Client, data: bytes) -> None:
    client.server._packet(data, client.socket.getsockname())
    assert 0 <= client.desk.value(GAIN) <= client.desk.layout[GAIN].control.max


def test_patterns() -> None:
    for text, inside, outside in (
        ("/a/*/c", ["/a/b/c", "/a//c"], ["/a/b/b/c"]),
        ("/a?", ["/ab"], ["/a", "/a/"]),
        ("/[a-c]", ["/b"], ["/d"]),
        ("/[!a-c]", ["/d"], ["/b", "//"]),
        ("/{one,two}", ["/one", "/two"], ["/three"]),
        ("/a.b", ["/a.b"], ["/axb"]),
    ):
        matcher = pattern(text)
        assert all(matcher.fullmatch(one) for one in inside)
        assert not any(matcher.fullmatch(one) for one in outside)
    for bad in ("/[z-a]", "/{", "/[]"):
        with pytest.raises(InputError):
            pattern(bad)


def test_a_port_that_is_taken(client: Client) -> None:
    with pytest.raises(DeviceError, match="cannot listen"):
        Osc(client.desk, Actions(client.desk), client.server.port)
