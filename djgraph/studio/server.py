"""The studio's server: pages, their wires and their sound, on the loopback address alone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from djgraph.errors import DJGraphError
from djgraph.language.limits import FILE_BYTES
from djgraph.studio.guard import Guarded
from djgraph.studio.messages import LONGEST
from djgraph.studio.outbox import Outbox, dumped
from djgraph.studio.parts.comparing import Comparing
from djgraph.studio.parts.exports import Exports
from djgraph.studio.parts.texts import Texts
from djgraph.studio.session import Event, Session
from djgraph.studio.sound import Pump

TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
MOST_PAGES = 32
METERS = 1 / 25
"""Seconds between two looks at the meters."""
MOST_BLOCKS = 256
"""Blocks of sound that wait for a page: who asks for more without reading them gets no more."""


class Studio:
    """Routes of one session. sound: whether pages play it; otherwise something else does, a sound card."""

    def __init__(self, session: Session, sound: bool = True) -> None:
        self.session, self._audible = session, sound
        self._pages: set[Outbox] = set()
        self._said: OrderedDict[str, int] = OrderedDict()
        self._saying = threading.Lock()
        self._meters: asyncio.Task[None] | None = None
        self._pump: tuple[WebSocket, Pump] | None = None
        self._changing = asyncio.Lock()

    def app(self, token: str, port: int) -> ASGIApp:
        routes = [
            Route("/", self.page),
            Route("/web/{name:path}", self.asset),
            Route("/state", self.state),
            Route("/peaks/{digest}/{level}/{tile}", self.peaks),
            Route("/bands", self.bands),
            Route("/proposal", self.proposal),
            Route("/text", self.text),
            Route("/text/check", self.check, methods=["POST"]),
            Route("/drawing/{theme}", self.drawing),
            Route("/exports/{name}", self.export),
            WebSocketRoute("/wire", self.wire),
            WebSocketRoute("/sound", self.sound),
        ]
        app = Starlette(routes=routes)
        app.router.redirect_slashes = False  # it would lead to paths without the token
        return Guarded(app, token, port)

    async def page(self, request: Request) -> Response:
        return _asset("index.html")

    async def asset(self, request: Request) -> Response:
        return _asset(request.path_params["name"])

    async def state(self, request: Request) -> Response:
        return _json(await asyncio.to_thread(self.session.snapshot))

    async def peaks(self, request: Request) -> Response:
        """A part of a waveform: int16, little-endian, of stretches (least, largest, root mean square)."""
        at = request.path_params
        peaks, level, tile = self.session.peaks.get(at["digest"]), _number(at["level"]), _number(at["tile"])
        data = None if peaks is None or level is None or tile is None else peaks.tile(level, tile)
        if data is None:
            return Response("not found", 404)
        # The address names the content.
        headers = {"Cache-Control": "private, max-age=86400, immutable"}
        return Response(data, media_type="application/octet-stream", headers=headers)

    async def bands(self, request: Request) -> Response:
        """The error bands of a target's controls."""
        comparing = self.session.part(Comparing)
        told = {} if comparing is None else await asyncio.to_thread(comparing.bands)
        return _json(told)

    async def proposal(self, request: Request) -> Response:
        """The curves of what is proposed, with their bands."""
        proposal = self.session.proposal
        if proposal is None:
            return Response("not found", 404)
        return _json(await asyncio.to_thread(proposal.drawn))

    async def text(self, request: Request) -> Response:
        """The graph's text."""
        texts = self.session.part(Texts)
        return _json({} if texts is None else texts.document())

    async def check(self, request: Request) -> Response:
        """What is wrong with the text that is sent, UTF-8, in the words of ``djgraph validate``."""
        texts, body = self.session.part(Texts), b""
        async for piece in request.stream():
            body += piece
            if len(body) > FILE_BYTES:
                return _json({"refused": f"more than {FILE_BYTES} bytes"}, 413)
        try:
            found = {} if texts is None else await asyncio.to_thread(texts.check, body.decode())
        except UnicodeDecodeError:
            return _json({"refused": "the text is not UTF-8"}, 400)
        except DJGraphError as error:
            found = {"refused": str(error)}
        return _json(found)

    async def drawing(self, request: Request) -> Response:
        """The graph that plays, drawn, as plain data; ``?unfold`` draws equal strips one by one."""
        texts, theme = self.session.part(Texts), request.path_params["theme"]
        if texts is None or theme not in ("light", "dark"):
            return Response("not found", 404)
        try:
            drawn = await asyncio.to_thread(texts.drawing, theme, "unfold" in request.query_params)
        except DJGraphError as error:
            return _json({"refused": str(error)}, 409)
        return _json(drawn)

    async def export(self, request: Request) -> Response:
        """A file that was exported, to be saved elsewhere."""
        exports = self.session.part(Exports)
        path = None if exports is None else exports.file(request.path_params["name"])
        if path is None:
            return Response("not found", 404)
        return FileResponse(path, filename=path.name, media_type="application/octet-stream")

    async def wire(self, socket: WebSocket) -> None:
        """Messages in, events out. A page that comes back under the name in its address says again what it does not
        know to have arrived; what has arrived is not done twice."""
        if len(self._pages) >= MOST_PAGES:
            await socket.close(1013)
            return
        await socket.accept()
        page = socket.query_params.get("page", "")[:64]
        outbox = Outbox(asyncio.get_running_loop())
        end = self.session.listen(outbox.put)
        self._pages.add(outbox)
        if self._meters is None:
            self._meters = asyncio.create_task(self._meter())
        tasks = [
            asyncio.create_task(self._send(socket, outbox)),
            asyncio.create_task(self._hear(socket, outbox, page)),
            asyncio.create_task(outbox.full.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            end()
            self._pages.discard(outbox)
            if not self._pages and self._meters is not None:
                self._meters.cancel()
                self._meters = None
            await _ended(socket, tasks, 1013 if outbox.full.is_set() else 1000)

    async def _send(self, socket: WebSocket, outbox: Outbox) -> None:
        await socket.send_text(await asyncio.to_thread(lambda: dumped(self.session.snapshot())))
        while True:
            await socket.send_text(await outbox.get())

    async def _hear(self, socket: WebSocket, outbox: Outbox, page: str) -> None:
        while (text := await _text(socket)) is not None:
            # Not on the loop: a long automation takes a while to be rendered, and the sound must not wait.
            outbox.put(await asyncio.to_thread(self._answer, page, text))

    def _answer(self, page: str, text: str) -> Event:
        number = 0
        try:
            message = self.session.read(text)
            number = message.id
            if self._is_new(page, number):
                self.session.do(message)
        except ValidationError as error:
            return {"event": "refused", "id": _id_of(text), "message": _fault(error)}
        except DJGraphError as error:
            return {"event": "refused", "id": number, "message": str(error)}
        except Exception:
            # Whatever it was, the others go on; its traceback is for whoever started the studio.
            logging.getLogger("djgraph").exception("a message of a page failed")
            return {"event": "refused", "id": number or _id_of(text), "message": WRONG}
        return {"event": "done", "id": number}

    def _is_new(self, page: str, number: int) -> bool:
        """Whether a page says something for the first time: its numbers rise."""
        if not page or not number:
            return True
        with self._saying:
            new = number > self._said.get(page, 0)
            if new:
                self._said[page] = number
            self._said.move_to_end(page)
            while len(self._said) > 8 * MOST_PAGES:
                self._said.popitem(last=False)
        return new

    async def _meter(self) -> None:
        """Tells all pages where things stand, while it plays and once when it has come to an end."""
        session, before = self.session, False
        while True:
            await asyncio.sleep(METERS)
            player = session.player
            playing = player.transport.playing
            if not playing and not before:
                continue
            before = playing
            event = {
                "event": "meters",
                "peaks": player.meters(),
                "loudness": player.loudness,
                "values": session.moved(),
                "load": player.load,
                "transport": session.transport(),
            }
            for outbox in self._pages:
                outbox.put(event)

    def _silent(self, why: str) -> None:
        """Playing has stopped by itself."""
        self.session.tell({"event": "playing", "playing": False})
        self.session.tell({"event": "say", "message": f"stopped: {why}", "wrong": True})

    async def sound(self, socket: WebSocket) -> None:
        """Blocks out, as many samples as the page says it has room for. One page at a time has the sound."""
        await socket.accept()
        if not self._audible:
            await socket.close(4002, "the sound is on a card")
            return
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        async with self._changing:
            if self._pump is not None:
                other, pump = self._pump
                self._pump = None
                await asyncio.to_thread(pump.close)  # two threads never make sound at once
                await _hang_up(other, 4001, "another page has the sound")
            pump = Pump(self.session.player, asyncio.get_running_loop(), queue.put_nowait, self._silent)
            self._pump = socket, pump

        async def send() -> None:
            while True:
                await socket.send_bytes(await queue.get())

        async def hear() -> None:
            while (text := await _text(socket)) is not None:
                room = _number(text)
                if room is None or queue.qsize() > MOST_BLOCKS:
                    return
                pump.grant(min(room, 1 << 16))

        tasks = [asyncio.create_task(send()), asyncio.create_task(hear())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._pump is not None and self._pump[1] is pump:
                self._pump = None
            await asyncio.to_thread(pump.close)
            await _ended(socket, tasks, 1008)


GRACE = 1.0
"""Seconds that a page has to read why its socket is closed."""
WRONG = "this went wrong inside the studio; the terminal in which it runs says more"


async def _text(socket: WebSocket) -> str | None:
    """The next text of a page; None where it has gone, or says what is no text."""
    message = await socket.receive()
    text: str | None = message.get("text")
    return text


async def _hang_up(socket: WebSocket, code: int, reason: str = "") -> None:
    """Close it, of a page that may have gone or may not read."""
    with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
        await asyncio.wait_for(socket.close(code, reason), GRACE)


async def _ended(socket: WebSocket, tasks: Iterable[asyncio.Task[Any]], code: int) -> None:
    """Ends what is done for a page, and its socket. That the page has gone is no fault."""
    for task in tasks:
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    await _hang_up(socket, code)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(
            one, (WebSocketDisconnect, asyncio.CancelledError)
        ):
            raise one


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


class _Numbered(BaseModel):
    """Of a message that is wrong otherwise: its number."""

    id: int = Field(default=0, ge=0, le=2**53)


def _id_of(text: str) -> int:
    """The number of a message that is wrong otherwise, so that its page knows which; 0 where it has none."""
    try:
        return _Numbered.model_validate_json(text[:LONGEST]).id
    except ValidationError:
        return 0


def _fault(error: ValidationError) -> str:
    """What is wrong with a message, in few words."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"][1:4])
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def _json(value: Any, status: int = 200) -> Response:
    """What a page reads as JSON; numbers that are not finite are null."""
    return Response(dumped(value), status, media_type="application/json")


def _asset(name: str) -> Response:
    """A file of the front end; nothing but its own names leads anywhere."""
    known = dict(_files(resources.files("djgraph.studio") / "web"))
    if name not in known:
        return Response("not found", 404)
    kind = TYPES.get("." + name.rpartition(".")[2], "application/octet-stream")
    return Response(known[name].read_bytes(), media_type=kind)


def _files(folder: Traversable, before: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_file():
            yield before + item.name, item
        elif item.is_dir():
            yield from _files(item, f"{before}{item.name}/")
