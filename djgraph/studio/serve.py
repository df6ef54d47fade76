"""A studio, served until somebody ends it."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable

import uvicorn

from djgraph.playing import undisturbed
from djgraph.studio.messages import LONGEST
from djgraph.studio.server import Studio
from djgraph.studio.session import Session

CONNECTIONS = 256
"""That are open at once, at most."""


class Serving:
    """A free port of the loopback address and a fresh token: ``url`` is where the page is.

    token: of a server that was there before at the same port, so that its pages find this one.
    """

    def __init__(self, session: Session, port: int = 0, sound: bool = True, token: str | None = None) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = self._socket.getsockname()[1]
        self.token = token or secrets.token_urlsafe(24)
        self.url = f"http://127.0.0.1:{self.port}/{self.token}/"
        app = Studio(session, sound).app(self.token, self.port)
        config = uvicorn.Config(
            app,
            log_level="warning",
            lifespan="off",
            http="h11",
            ws="websockets-sansio",
            ws_max_size=LONGEST,
            ws_per_message_deflate=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=2,
            server_header=False,
            access_log=False,
        )
        self._server = _Server(config, session)

    def run(self, ready: Callable[[str], None] | None = None) -> None:
        """Serve until Ctrl-C or :meth:`stop`."""
        if ready is not None:
            ready(self.url)
        with undisturbed():
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """One that answers what it was asked before it ends: nothing that takes long is waited for."""

    def __init__(self, config: uvicorn.Config, session: Session) -> None:
        super().__init__(config)
        self._session = session

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.to_thread(self._session.let_go)
        await super().shutdown(sockets)
