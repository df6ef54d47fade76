"""OSC over UDP: controls by address, patterns, bundles with times, queries, and feedback to who subscribed."""

from __future__ import annotations

import heapq
import logging
import math
import re
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from djgraph.errors import DeviceError, DJGraphError, InputError, did_you_mean
from djgraph.layout import ParameterLayout
from djgraph.live.actions import Actions
from djgraph.live.desk import Desk
from djgraph.live.mapping import ACTIONS

MESSAGES = 1000
"""Messages of one packet."""
WAITING = 10_000
"""Messages that wait for their time."""
AHEAD = 60.0
"""Seconds by which a bundle may lie ahead."""
SUBSCRIBERS = 16
LEASE = 300.0
"""Seconds after which one who has said nothing is told nothing any more."""
REST = 0.3
"""Seconds after a sender's last move until it is told where the control stands."""
TOGETHER = 20
"""Messages of one bundle of feedback."""
PATTERNS = 256
Peer = tuple[str, int]


class Osc:
    """A server on one UDP port.

    ``/track_a/drums/gain 0.5`` in plain units, ``/unit/track_a/drums/gain 0.5`` as a position; without a value it is
    answered; ``/djgraph/…`` does the rest. host: loopback unless others shall reach it. Raises DeviceError where the
    port is taken.
    """

    def __init__(self, desk: Desk, actions: Actions, port: int = 9000, host: str = "127.0.0.1") -> None:
        try:
            import pythonosc  # noqa: F401
        except ImportError:
            raise DeviceError('python-osc is not installed: pip install "djgraph[live]"') from None
        self.desk, self.actions = desk, actions
        self._known: tuple[ParameterLayout | None, dict[str, str]] = (None, {})
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise DeviceError(f"OSC cannot listen on {host}:{port}: {error.strerror or error}") from None
        self.host, self.port = self._socket.getsockname()[:2]
        self._peers: dict[
            Peer, tuple[str, float, bool]
        ] = {}  # whom to tell → its sender, until when, positions
        self._moved: dict[tuple[str, str], float] = {}  # (sender's host, control) → when
        self._due: dict[str, set[Peer]] = {}
        self._later: list[tuple[float, int, Peer, str, list[Any]]] = []
        self._count = 0
        self._patterns: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="djgraph osc", daemon=True)
        self._thread.start()

    @property
    def _names(self) -> dict[str, str]:
        """Addresses of the controls, which may be another graph's than before."""
        layout = self.desk.layout
        if self._known[0] is not layout:
            self._patterns.clear()
            self._known = layout, {"/" + name.replace(".", "/"): name for name in layout.names}
        return self._known[1]

    def close(self) -> None:
        self._ended = True
        self._thread.join(timeout=2)
        self._socket.close()

    def show(self, moved: Mapping[str, float], turned: Mapping[str, float]) -> None:
        """Tell those who subscribed what has moved; called by the desk."""
        now = time.monotonic()
        with self._lock:
            self._peers = {peer: lease for peer, lease in self._peers.items() if lease[1] > now}
            peers = dict(self._peers)
            for name in moved:
                self._due.setdefault(name, set()).update(peers)
            tellings: dict[Peer, list[str]] = {}
            for name, waiting in list(self._due.items()):
                for peer in list(waiting):
                    if peer not in peers or name not in self.desk.layout:
                        waiting.discard(peer)
                    elif now - self._moved.get((peers[peer][0], name), -1e9) >= REST:
                        waiting.discard(peer)
                        tellings.setdefault(peer, []).append(name)
                if not waiting:
                    del self._due[name]
        for peer, names in tellings.items():
            self._tell(peer, names, peers[peer][2])

    # ── Coming in ───────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while not self._ended:
            wait = 0.1
            if self._later:
                wait = min(wait, max(self._later[0][0] - time.time(), 0.0005))
            self._socket.settimeout(wait)
            try:
                data, peer = self._socket.recvfrom(1 << 16)
            except TimeoutError:
                data = b""
            except OSError:  # of an answer that nobody took (Windows), or closed
                if self._ended:
                    return
                continue
            if data:
                self._packet(data, (peer[0], peer[1]))
            while self._later and self._later[0][0] <= time.time():
                _, _, sender, address, values = heapq.heappop(self._later)
                self._take(sender, address, values)

    def _packet(self, data: bytes, peer: Peer) -> None:
        from pythonosc.osc_packet import OscPacket, ParseError

        try:
            messages = OscPacket(data).messages
        except (ParseError, ValueError, OverflowError, RecursionError) as error:
            self._answer(peer, "/djgraph/error", [f"no OSC packet: {str(error)[:200]}"])
            return
        if len(messages) > MESSAGES:
            self._answer(peer, "/djgraph/error", [f"more than {MESSAGES} messages in a packet"])
            return
        now = time.time()
        for timed in messages:
            address, values = timed.message.address, list(timed.message.params)
            if timed.time <= now + 0.001:
                self._take(peer, address, values)
            elif timed.time > now + AHEAD or len(self._later) >= WAITING:
                self._answer(
                    peer, "/djgraph/error", [f"{address}: more than {AHEAD:.0f} s ahead, or too many"]
                )
            else:
                self._count += 1
                heapq.heappush(self._later, (timed.time, self._count, peer, address, values))

    def _take(self, peer: Peer, address: str, values: list[Any]) -> None:
        try:
            self._do(peer, address, values)
        except DJGraphError as error:
            self._answer(peer, "/djgraph/error", [str(error)])
        except Exception as error:  # one bad message must not end the server
            logging.getLogger("djgraph").warning("OSC %s: %s", address[:200], error)

    def _do(self, peer: Peer, address: str, values: list[Any]) -> None:
        with self._lock:
            for told, (host, until, unit) in self._peers.items():
                if host == peer[0]:
                    self._peers[told] = (host, max(until, time.monotonic() + LEASE), unit)
        if address.startswith("/djgraph/"):
            self._command(peer, address.removeprefix("/djgraph/"), values)
            return
        unit = address.startswith("/unit/")
        plain = address.removeprefix("/unit") if unit else address
        for name in self._found(plain):
            if not values:
                self._tell(peer, [name], unit)
                continue
            value = self._number(name, values)
            if unit and not isinstance(values[0], str):
                self.desk.put(name, value)
            else:
                self.desk.turn(name, value)
            self._moved[peer[0], name] = time.monotonic()

    def _number(self, name: str, values: list[Any]) -> float:
        if len(values) != 1:
            raise InputError(f"{name}: expected one value, got {len(values)}")
        value = values[0]
        if isinstance(value, str):
            control = self.desk.layout[name].control
            if value not in control.names:
                allowed = ", ".join(control.names) or "a number"
                raise InputError(
                    f"{name}: expected {allowed}, got {value[:80]!r}{did_you_mean(value, control.names)}"
                )
            return float(control.min + control.names.index(value))
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{name}: expected a finite number")
        return float(value)

    def _found(self, address: str) -> list[str]:
        """The controls of an address, which may be a pattern."""
        names = self._names
        if (name := names.get(address)) is not None:
            return [name]
        if address in self._patterns:
            return self._patterns[address]
        if not any(mark in address for mark in "*?[{"):
            raise InputError(f"there is no {address}{did_you_mean(address, names)}")
        matcher = pattern(address)
        found = [name for known, name in names.items() if matcher.fullmatch(known)]
        if not found:
            raise InputError(f"no control matches {address}")
        if len(self._patterns) >= PATTERNS:
            self._patterns.clear()
        self._patterns[address] = found
        return found

    def _command(self, peer: Peer, what: str, values: list[Any]) -> None:
        if what in ACTIONS:
            if what == "release" and values:
                for address in values:
                    for name in self._found(str(address)):
                        self.desk.release(name)
                return
            if not values or values[0]:  # a button that is let go sends 0
                self.actions.do(what)
        elif what == "seek":
            self.actions.seek(max(0.0, self._number("seek", values) if values else 0.0))
        elif what == "status":
            player = self.desk.player
            now, rate = player.transport, player.mixer.graph.sample_rate
            self._answer(peer, "/djgraph/status", [int(now.playing), now.position / rate, now.tempo])
        elif what == "list":
            for address, name in self._names.items():
                control = self.desk.layout[name].control
                told = [
                    address,
                    float(control.min),
                    float(control.max),
                    float(self.desk.value(name)),
                    control.unit,
                ]
                self._answer(peer, "/djgraph/control", told)
        elif what in ("subscribe", "unsubscribe"):
            self._subscribe(peer, values, what == "subscribe")
        else:
            known = [*ACTIONS, "list", "seek", "status", "subscribe", "unsubscribe"]
            raise InputError(f"there is no /djgraph/{what[:80]}{did_you_mean(what, known)}")

    def _subscribe(self, peer: Peer, values: list[Any], wanted: bool) -> None:
        """``[port] ["unit"]``: feedback goes to a port of the sender's own address, never to another's."""
        unit = "unit" in values
        numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
        port = numbers[0] if numbers else peer[1]
        if not 1 <= port <= 65535:
            raise InputError(f"{port} is no port")
        target = (peer[0], port)
        with self._lock:
            self._peers.pop(target, None)
            if not wanted:
                return
            if len(self._peers) >= SUBSCRIBERS:
                raise InputError(f"{SUBSCRIBERS} have subscribed already, which is the limit")
            self._peers[target] = (peer[0], time.monotonic() + LEASE, unit)
        self._tell(target, list(self._names.values()), unit)

    # ── Going out ───────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, peer: Peer, names: list[str], unit: bool) -> None:
        for begin in range(0, len(names), TOGETHER):
            messages = []
            for name in names[begin : begin + TOGETHER]:
                address = ("/unit/" if unit else "/") + name.replace(".", "/")
                value = self.desk.position(name) if unit else self.desk.value(name)
                messages.append((address, [float(value)]))
            self._send(peer, messages)

    def _answer(self, peer: Peer, address: str, values: list[Any]) -> None:
        self._send(peer, [(address, values)])

    def _send(self, peer: Peer, messages: list[tuple[str, list[Any]]]) -> None:
        from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
        from pythonosc.osc_message_builder import OscMessageBuilder

        built = []
        for address, values in messages:
            builder = OscMessageBuilder(address)
            for value in values:
                builder.add_arg(value)
            built.append(builder.build())
        if len(built) == 1:
            data = built[0].dgram
        else:
            bundle = OscBundleBuilder(IMMEDIATELY)
            for message in built:
                bundle.add_content(message)
            data = bundle.build().dgram
        try:
            self._socket.sendto(data, peer)
        except OSError as error:
            logging.getLogger("djgraph").debug("OSC to %s: %s", peer, error)


def pattern(address: str) -> re.Pattern[str]:
    """An address pattern of OSC 1.0: ``*``, ``?``, ``[a-z]``, ``[!a-z]``, ``{one,two}``, none beyond a ``/``."""
    out, at = "", 0
    if len(address) > 500 or address.count("*") > 10:
        raise InputError("the address pattern is too long")
    while at < len(address):
        mark = address[at]
        if mark == "*":
            out += "" if out.endswith("[^/]*") else "[^/]*"
        elif mark == "?":
            out += "[^/]"
        elif mark in "[{":
            end = address.find("]" if mark == "[" else "}", at)
            inside = address[at + 1 : end]
            if end < 0 or not inside or "/" in inside:
                raise InputError(f"{address[:200]} is no address pattern: {mark} is not closed, or empty")
            if mark == "{":
                out += "(?:" + "|".join(re.escape(word) for word in inside.split(",")) + ")"
            else:
                no = "^/" if inside.startswith("!") else ""
                letters = inside.removeprefix("!")
                letters = re.sub(r"([\\\]\[^&~|])", r"\\\1", letters)
                out += f"[{no}{letters}]"
            at = end
        else:
            out += re.escape(mark)
        at += 1
    try:
        return re.compile(out)
    except re.error as error:
        raise InputError(f"{address[:200]} is no address pattern: {error}") from None
