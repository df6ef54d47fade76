"""The studio's server lets in its own pages and nobody else, and no page may break it for the others."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
import websockets
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import PATIENCE, until
from websockets.sync.client import connect

from djgraph.studio.guard import HEADERS, LONGEST_BODY
from djgraph.studio.messages import LONGEST
from djgraph.studio.parts.texts import Texts
from djgraph.studio.sockets import MOST_PAGES

from .served import Studio

GRAPH = {
    "djgraph": 1,
    "name": "small",
    "inputs": [{"name": "deck"}],
    "mixer": [{"strip": "one", "input": "deck", "chain": ["gain"], "to": "out"}, {"bus": "out"}],
    "outputs": ["out"],
}


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    made = Studio(GRAPH, seconds=0.5)
    yield made
    made.close()


class Asked:
    """An answer: status, headers in lower case, body."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.body = answer.status, answer.read()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}


class _Bytes(BytesIO):
    def makefile(self, *_: Any) -> BytesIO:
        return self


def ask(
    studio: Studio,
    path: str,
    headers: list[tuple[str, str]] | None = None,
    method: str = "GET",
    host: str | None = None,
    body: bytes = b"",
) -> Asked:
    """As anybody could: the path and the headers go out as they are."""
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [] if host == "" else [f"Host: {host or f'127.0.0.1:{studio.port}'}"]
    lines += [f"{name}: {value}" for name, value in headers or ()] + ["Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", studio.port), timeout=PATIENCE) as wire:
        wire.sendall("\r\n".join(lines).encode("latin-1") + body)
        data = b""
        while more := wire.recv(1 << 16):
            data += more
    answer = http.client.HTTPResponse(_Bytes(data), method=method)  # type: ignore[arg-type]
    answer.begin()
    return Asked(answer)


def link(studio: Studio, path: str = "wire", **more: Any) -> Any:
    """A socket, as of one of its own pages unless ``more`` says otherwise."""
    origin = more.pop("origin", f"http://127.0.0.1:{studio.port}")
    url = f"ws://127.0.0.1:{studio.port}/{more.pop('token', studio.token)}/{path}"
    return connect(url, origin=origin, open_timeout=PATIENCE, max_size=None, **more)


def answer(wire: Any, message: Any) -> dict[str, Any]:
    """What comes back to a message; events that come between are passed over."""
    wire.send(message if isinstance(message, (str, bytes)) else json.dumps(message))
    while True:
        event = json.loads(wire.recv(timeout=PATIENCE))
        if event["event"] in ("done", "refused"):
            return event


def ended(wire: Any) -> int | None:
    """The code with which the server ends a socket."""
    try:
        while True:
            wire.recv(timeout=PATIENCE)
    except websockets.ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code


ROUTES = ["", "state", "web/main.js", "web/style.css", "bands", "peaks/0/0/0"]

# ── Who may ask ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("route", ROUTES)
def test_nothing_without_the_token(studio: Studio, route: str) -> None:
    wrong = ["", "x", studio.token[:-1], studio.token + "x", studio.token.swapcase(), "%00", "..", "%ff%fe"]
    for token in wrong:
        found = ask(studio, f"/{token}/{route}")
        assert (found.status, found.body) == (403, b"forbidden"), token


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example",
        "127.0.0.1.evil.example:{port}",
        "0.0.0.0:{port}",
    ],
)
def test_other_names_of_this_machine_get_nothing(studio: Studio, route: str, host: str) -> None:
    found = ask(studio, f"/{studio.token}/{route}", host=host.format(port=studio.port))
    assert found.status in (400, 403)
    assert b"<" not in found.body


@pytest.mark.parametrize(
    "headers",
    [
        [("Origin", "null")],
        [("Origin", "https://evil.example")],
        [("Origin", "http://localhost:{port}")],
        [("Origin", "https://127.0.0.1:{port}")],
        [("Origin", "http://127.0.0.1:1")],
        [("Origin", "")],
        [("Origin", "http://127.0.0.1:{port}"), ("Origin", "https://evil.example")],
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")],
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "script")],
    ],
    ids=lambda headers: " ".join(f"{name}={value}" for name, value in headers),
)
def test_other_pages_get_nothing(studio: Studio, headers: list[tuple[str, str]]) -> None:
    told = [(name, value.format(port=studio.port)) for name, value in headers]
    for route in ROUTES:
        assert ask(studio, f"/{studio.token}/{route}", told).status == 403


def test_two_hosts_are_none(studio: Studio) -> None:
    assert ask(studio, f"/{studio.token}/", [("Host", "evil.example")]).status in (400, 403)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_our_own_pages_get_what_they_ask_for(studio: Studio, host: str) -> None:
    told = [("Origin", f"http://{host}:{studio.port}"), ("Sec-Fetch-Site", "same-origin")]
    found = ask(studio, f"/{studio.token}/state", told, host=f"{host}:{studio.port}")
    assert json.loads(found.body)["event"] == "snapshot"
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    assert ask(studio, f"/{studio.token}/", link).status == 200


@pytest.mark.parametrize("path", ["wire", "sound"])
@pytest.mark.parametrize(
    "more",
    [
        {"origin": None},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"token": "x"},
        {"token": ""},
        {"additional_headers": {"Sec-Fetch-Site": "cross-site"}},
    ],
    ids=str,
)
def test_sockets_are_for_our_own_pages(studio: Studio, path: str, more: dict[str, Any]) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused, link(studio, path, **more):
        pass
    assert refused.value.response.status_code == 403


def test_a_page_of_another_host_has_no_socket(studio: Studio) -> None:
    key = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "x" * 22 + "==")]
    key += [("Origin", "http://evil.example")]
    assert ask(studio, f"/{studio.token}/wire", key, host="evil.example").status in (400, 403)


# ── What may be asked for ───────────────────────────────────────────────────────────────────────────────────

OUTSIDE = [
    "web/../server.py",
    "web/..%2fserver.py",
    "web/%2e%2e/server.py",
    "web/%2e%2e%2fserver.py",
    "web/%252e%252e%252fserver.py",
    "web/..%5cserver.py",
    "web/..\\server.py",
    "web//etc/passwd",
    "web/%2fetc%2fpasswd",
    "web/main.js%00.html",
    "web/main.js%00",
    "web/%00",
    "web/./main.js",
    "web/C:%5cwindows",
    "web/file:///etc/passwd",
    "web/main.js/",
    "web/main.js%20",
    "web/MAIN.JS",
    "web/",
    "web",
    "../web/main.js",
    "/etc/passwd",
    "web/%ff%fe",
    "web/\r\nx",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_outside(studio: Studio, path: str) -> None:
    found = ask(studio, f"/{studio.token}/{path}")
    assert found.status in (400, 403, 404)
    assert b"import" not in found.body
    assert b"root:" not in found.body


@pytest.mark.parametrize(
    "place",
    [f"0/{'9' * 5000}/0", "0/-1/0", "0/0/-1", "0/1e9/0", "%00/0/0", "0/٣/0", "0/0/999999999", "0/0/0/0"],
)
def test_waveforms_that_there_are_not(studio: Studio, place: str) -> None:
    path = place.encode().decode("latin-1")
    assert ask(studio, f"/{studio.token}/peaks/{path}").status in (400, 404)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "MOVE", "X" * 50]
)
def test_pages_only_read(studio: Studio, method: str) -> None:
    origin = [("Origin", f"http://127.0.0.1:{studio.port}")]
    for route in ROUTES:
        assert ask(studio, f"/{studio.token}/{route}", origin, method).status in (400, 405)
        assert ask(studio, f"/{studio.token}/{route}", None, method).status in (400, 403)


def test_a_slash_that_is_missing_is_added_and_leads_nowhere_else(studio: Studio) -> None:
    found = ask(studio, f"/{studio.token}")
    assert (found.status, found.headers["location"]) == (307, f"/{studio.token}/")
    for path in (
        f"//evil.example/{studio.token}",
        f"/{studio.token}//evil.example",
        f"/{studio.token}/state/",
    ):
        found = ask(studio, path)
        assert found.status in (403, 404)
        assert "location" not in found.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Content-Length", str(LONGEST_BODY + 1))], 413),
        ([("Content-Length", "9" * 30)], (400, 413)),
        ([("Content-Length", "-1")], 400),
        ([("Transfer-Encoding", "chunked")], 411),
        ([("X", "x" * 100_000)], (400, 431)),
        ([(f"X{i}", "x") for i in range(20_000)], (400, 431)),
    ],
    ids=["large", "enormous", "negative", "chunked", "a long header", "many headers"],
)
def test_what_is_too_large_is_turned_away(studio: Studio, headers: Any, status: Any) -> None:
    try:
        found = ask(studio, f"/{studio.token}/state", headers)
    except (ConnectionError, http.client.BadStatusLine):
        return  # hung up before all was said
    assert found.status in (status if isinstance(status, tuple) else (status,))


def test_long_questions_are_turned_away(studio: Studio) -> None:
    assert ask(studio, f"/{studio.token}/state?{'x' * 5000}").status == 414


# ── What answers have in common ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path", ["{token}/", "{token}/state", "{token}/no", "x/", "{token}", "{token}/web/no.js"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_answer_is_strict_and_not_kept(studio: Studio, path: str, method: str) -> None:
    found = ask(
        studio, "/" + path.format(token=studio.token), [("Origin", f"http://127.0.0.1:{studio.port}")], method
    )
    for name, value in HEADERS.items():
        assert found.headers[name.lower()] == value
    assert "server" not in found.headers
    assert "access-control-allow-origin" not in found.headers
    if found.status >= 400:
        assert len(found.body) < 30
        assert studio.token.encode() not in found.body


@given(
    st.lists(
        st.sampled_from(
            [
                "web",
                "state",
                "wire",
                "sound",
                "peaks",
                "..",
                ".",
                "",
                "%00",
                "%2e%2e",
                "0",
                "\\",
                "main.js",
                "é",
                "%",
                "?",
                "#",
            ]
        )
        | st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=8),
        max_size=5,
    ),
    st.sampled_from(["GET", "HEAD", "POST"]),
)
@settings(max_examples=examples(300), deadline=None)
def test_no_path_is_an_error_of_the_servers(studio: Studio, parts: list[str], method: str) -> None:
    path = f"/{studio.token}/{'/'.join(parts)}".replace(" ", "")
    found = ask(studio, path, [("Origin", f"http://127.0.0.1:{studio.port}")], method)
    assert found.status < 500
    assert b"Traceback" not in found.body


# ── Sockets ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "1",
        '"play"',
        "{}",
        '{"do": "fly"}',
        '{"do": ["play"]}',
        '{"do": "seek"}',
        '{"do": "seek", "seconds": NaN}',
        '{"do": "seek", "seconds": 1e999}',
        '{"do": "seek", "seconds": -1}',
        '{"do": "play", "more": 1}',
        '{"do": "hold", "control": "\\ud800", "value": 0}',
        '{"do": "hold", "control": "no\\u0000", "value": 0}',
        '{"do": "hold", "control": "__class__", "value": 0}',
        '{"do": "play", "id": -1}',
        '{"do": "play", "id": 1e400}',
        '{"do": "play", "id": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"do":' * 50_000,
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_message_is_refused_in_few_words(studio: Studio, text: str) -> None:
    with link(studio) as wire:
        found = answer(wire, text)
        assert found["event"] == "refused"
        assert len(found["message"]) < 500
        assert "Traceback" not in found["message"]
        assert "inside the studio" not in found["message"]
        assert answer(wire, {"do": "stop", "id": 5}) == {"event": "done", "id": 5}


def test_a_refusal_says_which_message(studio: Studio) -> None:
    with link(studio) as wire:
        assert answer(wire, {"do": "seek", "seconds": "x", "id": 7}) | {"message": ""} == {
            "event": "refused",
            "id": 7,
            "message": "",
        }


@pytest.mark.parametrize("path", ["wire", "sound"])
@pytest.mark.parametrize("data", [b"\0" * 10, "x" * (LONGEST + 1)], ids=["bytes", "long"])
def test_what_is_no_text_or_too_long_ends_the_socket_alone(studio: Studio, path: str, data: Any) -> None:
    with link(studio) as other:
        with link(studio, path) as wire:
            with contextlib.suppress(websockets.ConnectionClosed):
                wire.send(data)
            ended(wire)
        assert answer(other, {"do": "stop", "id": 3})["event"] == "done"


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "9" * 5000, "NaN", "１２"])
def test_the_sound_takes_numbers(studio: Studio, text: str) -> None:
    with link(studio, "sound") as wire:
        wire.send(text)
        assert ended(wire) == 1008


def test_what_fails_inside_is_told_without_its_traceback(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any) -> None:
        raise KeyError("/home/somebody/secret")

    with link(studio) as wire:
        monkeypatch.setattr(studio.session, "do", fail)
        found = answer(wire, {"do": "stop", "id": 4})
        monkeypatch.undo()
        assert (found["event"], found["id"]) == ("refused", 4)
        assert "secret" not in found["message"]
        assert "secret" in caplog.text
        assert answer(wire, {"do": "stop"})["event"] == "done"


def test_what_is_said_twice_is_done_once(studio: Studio) -> None:
    control = studio.mixer.layout.names[0]

    def lane(value: float) -> dict[str, Any]:
        return {"do": "draw", "lane": {"control": control, "points": [{"at": 0, "value": value}]}}

    with link(studio, "wire?page=twice") as wire:
        for number, value in ((1, 0.1), (2, 0.2), (3, 0.3)):
            answer(wire, lane(value) | {"id": number})
        answer(wire, {"do": "undo", "id": 4})
    with link(studio, "wire?page=twice") as wire:  # the answer to the last was lost
        assert answer(wire, {"do": "undo", "id": 4}) == {"event": "done", "id": 4}
        assert studio.session.project.lane(control).points[0].value == 0.2
        answer(wire, {"do": "undo", "id": 5})
    assert studio.session.project.lane(control).points[0].value == 0.1
    with link(studio, "wire?page=another") as wire:
        answer(wire, {"do": "undo", "id": 4})
    assert studio.session.project.lane(control).points == ()


def test_there_are_not_any_number_of_pages(studio: Studio) -> None:
    with contextlib.ExitStack() as open_:
        for _ in range(MOST_PAGES):
            open_.enter_context(link(studio)).recv(timeout=PATIENCE)
        assert not _page_is_let_in(studio)
    until(lambda: _page_is_let_in(studio), "no page is let in any more")


def _page_is_let_in(studio: Studio) -> bool:
    try:
        with link(studio) as wire:
            wire.recv(timeout=PATIENCE)
            return True
    except (websockets.InvalidStatus, websockets.ConnectionClosed):
        return False


def deaf(studio: Studio, path: str) -> socket.socket:
    """A socket of a page that never reads: its buffers are small, and soon full."""
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.settimeout(PATIENCE)
    wire.connect(("127.0.0.1", studio.port))
    lines = [
        f"GET /{studio.token}/{path} HTTP/1.1",
        f"Host: 127.0.0.1:{studio.port}",
        f"Origin: http://127.0.0.1:{studio.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert wire.recv(12) == b"HTTP/1.1 101"
    return wire


def test_a_page_that_does_not_read_stops_nobody(studio: Studio) -> None:
    control = studio.mixer.layout.names[0]
    points = [{"at": i / 100, "value": 0.5} for i in range(1000)]
    with deaf(studio, "wire"), link(studio) as wire:
        for number in range(1, 20):
            found = answer(wire, {"do": "draw", "lane": {"control": control, "points": points}, "id": number})
            assert found["event"] == "done"
        answer(wire, {"do": "draw", "lane": {"control": control, "points": []}})


def _sounding() -> bool:
    return any(thread.name == "djgraph sound" for thread in threading.enumerate())


@pytest.mark.slow
def test_sound_that_is_not_read_is_not_made(studio: Studio) -> None:
    """A page that asks for ever more and reads nothing loses its socket."""
    studio.session.player.loop((0, 10_000))
    studio.session.player.play()
    asks = bytes([0x81, 0x85, 0, 0, 0, 0]) + b"65536"  # a text of five bytes, masked by zeros
    try:
        with deaf(studio, "sound") as wire:
            until(_sounding)

            def silent() -> bool:
                with contextlib.suppress(OSError):
                    wire.sendall(asks)
                return not _sounding()

            until(silent, "it goes on")
    finally:
        studio.session.player.loop(None)
        studio.session.player.stop()


def test_the_last_page_that_asks_has_the_sound(studio: Studio) -> None:
    with link(studio, "sound") as one:
        one.send("1024")
        with link(studio, "sound") as other:
            assert ended(one) == 4001
            studio.session.player.play()
            other.send("1024")
            assert len(other.recv(timeout=PATIENCE)) > 16
            studio.session.player.stop()
    until(lambda: not _sounding(), "a thread goes on without a page")


@pytest.mark.slow
def test_a_server_that_ends_lets_nobody_wait(caplog: pytest.LogCaptureFixture) -> None:
    """A drawing takes as long as its process needs to begin; what was asked is answered, and no error is told."""
    ours = Studio("dj_mixer", seconds=0.2)
    texts = ours.session.part(Texts)
    assert texts is not None
    worker, answers = texts.worker, list[Asked]()
    path = f"/{ours.token}/drawing/dark"
    asking = threading.Thread(target=lambda: answers.append(ask(ours, path)))
    try:
        asking.start()
        until(lambda: worker._process is not None, "nothing is drawn")
        ours.halt()
        asking.join(PATIENCE)
        assert [answer.status for answer in answers] == [409]
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    finally:
        ours.close()
