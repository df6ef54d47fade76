"""The studio's server: what its pages fetch, and where their sockets are, on the loopback address alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from djgraph.errors import DJGraphError
from djgraph.language.limits import FILE_BYTES
from djgraph.studio.guard import Guarded
from djgraph.studio.outbox import dumped
from djgraph.studio.parts.comparing import Comparing
from djgraph.studio.parts.exports import Exports
from djgraph.studio.parts.texts import Texts
from djgraph.studio.session import Session
from djgraph.studio.sockets import Sockets, whole

TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


class Studio:
    """Routes of one session. sound: whether pages play it; otherwise something else does, a sound card."""

    def __init__(self, session: Session, sound: bool = True) -> None:
        self.session, self._sockets = session, Sockets(session, sound)

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
            WebSocketRoute("/wire", self._sockets.wire),
            WebSocketRoute("/sound", self._sockets.sound),
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
        peaks, level, tile = self.session.peaks.get(at["digest"]), whole(at["level"]), whole(at["tile"])
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
        try:
            status = None if path is None else path.stat()
        except OSError:  # it has gone since it was listed
            status = None
        if path is None or status is None:
            return Response("not found", 404)
        return FileResponse(
            path, filename=path.name, media_type="application/octet-stream", stat_result=status
        )


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
