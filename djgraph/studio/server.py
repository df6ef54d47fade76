"""The studio's server: pages, their wires and their sound, on the loopback address alone."""

from __future__ import annotations

import asyncio
import json
import secrets
from importlib import resources
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from djgraph.errors import DJGraphError
from djgraph.studio.parts.comparing import Comparing
from djgraph.studio.session import Session
from djgraph.studio.sound import Pump

TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guarded:
    """Lets through what names this server as its host, comes from its own pages, and knows the token, which is the
    first part of every path. Names that lead here (DNS rebinding), other pages and other programs get nothing."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if self._allowed(scope):
            _, _, rest = scope["path"][1:].partition("/")
            await self._app({**scope, "path": "/" + rest, "raw_path": None}, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await Response("forbidden", 403, HEADERS)(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts or (origin is not None and origin != f"http://{host}"):
            return False
        if scope["type"] == "websocket" and origin is None:
            return False
        token = scope["path"][1:].partition("/")[0]
        return secrets.compare_digest(token.encode(), self._token.encode())


class Studio:
    """Routes of one session. sound: whether pages play it; otherwise something else does, a sound card."""

    def __init__(self, session: Session, sound: bool = True) -> None:
        self.session, self._audible = session, sound
        self._pump: tuple[WebSocket, Pump] | None = None

    def app(self, token: str, port: int) -> ASGIApp:
        routes = [
            Route("/", self.page),
            Route("/web/{name}", self.asset),
            Route("/state", self.state),
            Route("/peaks/{digest}/{level:int}/{tile:int}", self.peaks),
            Route("/bands", self.bands),
            Route("/proposal", self.proposal),
            WebSocketRoute("/wire", self.wire),
            WebSocketRoute("/sound", self.sound),
        ]
        return Guarded(Starlette(routes=routes), token, port)

    async def page(self, request: Request) -> Response:
        return _asset("index.html")

    async def asset(self, request: Request) -> Response:
        return _asset(request.path_params["name"])

    async def state(self, request: Request) -> Response:
        return JSONResponse(self.session.snapshot(), headers=HEADERS)

    async def peaks(self, request: Request) -> Response:
        """A part of a waveform: int16, little-endian, of stretches (least, largest, root mean square)."""
        at = request.path_params
        peaks = self.session.peaks.get(at["digest"])
        data = None if peaks is None else peaks.tile(at["level"], at["tile"])
        if data is None:
            return Response("not found", 404, HEADERS)
        # The address names the content.
        headers = {**HEADERS, "Cache-Control": "private, max-age=86400, immutable"}
        return Response(data, media_type="application/octet-stream", headers=headers)

    async def bands(self, request: Request) -> Response:
        """The error bands of a target's controls."""
        comparing = self.session.part(Comparing)
        told = {} if comparing is None else await asyncio.to_thread(comparing.bands)
        return JSONResponse(told, headers=HEADERS)

    async def proposal(self, request: Request) -> Response:
        """The curves of what is proposed, with their bands."""
        proposal = self.session.proposal
        if proposal is None:
            return Response("not found", 404, HEADERS)
        return JSONResponse(await asyncio.to_thread(proposal.drawn), headers=HEADERS)

    async def wire(self, socket: WebSocket) -> None:
        await socket.accept()
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]](4096)

        def hear(event: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, event)

        end = self.session.listen(hear)
        await socket.send_text(json.dumps(self.session.snapshot()))
        sender = asyncio.create_task(self._send(socket, queue))
        try:
            while True:
                text = await socket.receive_text()
                # Not on the loop: a long automation takes a while to be rendered, and the sound must not wait.
                queue.put_nowait(await asyncio.to_thread(self._answer, text))
        except WebSocketDisconnect:
            pass
        finally:
            sender.cancel()
            end()

    def _answer(self, text: str) -> dict[str, Any]:
        number = 0
        try:
            number = self.session.take(text).id
        except ValidationError as error:
            return {"event": "refused", "id": number, "message": str(error.errors()[0]["msg"])}
        except DJGraphError as error:
            return {"event": "refused", "id": number, "message": str(error)}
        return {"event": "done", "id": number}

    async def _send(self, socket: WebSocket, queue: asyncio.Queue[dict[str, Any]]) -> None:
        player, before = self.session.player, False
        while True:
            try:
                event = await asyncio.wait_for(queue.get(), 1 / 25)
            except TimeoutError:
                playing = player.transport.playing
                if not playing and not before:
                    continue
                before = playing  # that a clip has come to its end is told, too
                event = {
                    "event": "meters",
                    "peaks": player.meters(),
                    "loudness": player.loudness,
                    "values": self.session.moved(),
                    "load": player.load,
                    "transport": self.session.transport(),
                }
            await socket.send_text(json.dumps(event))

    async def sound(self, socket: WebSocket) -> None:
        await socket.accept()
        if not self._audible:
            await socket.close(4002, "the sound is on a card")
            return
        if self._pump is not None:
            other, pump = self._pump
            pump.close()
            await other.close(4001, "another page has the sound")
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        pump = Pump(self.session.player, asyncio.get_running_loop(), queue.put_nowait)
        self._pump = socket, pump

        async def send() -> None:
            while True:
                await socket.send_bytes(await queue.get())

        sender = asyncio.create_task(send())
        try:
            while True:
                text = await socket.receive_text()
                pump.grant(max(0, min(int(text[:12]), 1 << 16)))
        except (WebSocketDisconnect, ValueError):
            pass
        finally:
            sender.cancel()
            pump.close()
            if self._pump is not None and self._pump[1] is pump:
                self._pump = None


def _asset(name: str) -> Response:
    """A file of the front end; nothing but its own names leads anywhere."""
    folder = resources.files("djgraph.studio") / "web"
    known = {item.name: item for item in folder.iterdir() if item.is_file()}
    if name not in known:
        return Response("not found", 404, HEADERS)
    kind = TYPES.get("." + name.rpartition(".")[2], "application/octet-stream")
    return Response(known[name].read_bytes(), media_type=kind, headers=HEADERS)
