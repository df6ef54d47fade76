"""A studio that is served for tests: small deterministic tracks, a session, and its server in a thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from playing import clips
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from waiting import PATIENCE

import djgraph
from djgraph.playing import MemoryFeed
from djgraph.studio.parts import PARTS
from djgraph.studio.serve import Serving
from djgraph.studio.session import Session


@cache
def compiled(graph: str) -> djgraph.Mixer:
    """Of a shipped name or a path, once for each process."""
    return djgraph.compile(graph)


def tracks(graph: Any, seconds: float) -> dict[str, Any]:
    """Quiet noise for every input."""
    return clips.tracks(graph, round(seconds * graph.sample_rate), level=0.05)


async def _tap(request: Request) -> Response:
    text = (Path(__file__).parent / "browser" / "scripts" / "tap.js").read_text(encoding="utf-8")
    return Response(text, media_type="text/javascript")


class Studio:
    """A session and its server. graph: a shipped name, a path, or a dict. close: ends it, once or more."""

    def __init__(
        self, graph: str | Path | Mapping[str, Any] = "dj_mixer", seconds: float = 2.0, port: int = 0
    ) -> None:
        self.mixer = djgraph.compile(graph) if isinstance(graph, Mapping) else compiled(str(graph))
        self.inputs = tracks(self.mixer.graph, seconds)
        self.session = Session(self.mixer, MemoryFeed(self.inputs), parts=PARTS)
        self.serve(port)

    def serve(self, port: int = 0, token: str | None = None) -> None:
        """Begin to serve, at a port and with a token that were there before where they are given."""
        self.serving = Serving(self.session, port, token=token)
        self.url, self.port, self.token = self.serving.url, self.serving.port, self.serving.token
        # Worklets are not fetched through Playwright, so the server itself has the tests' tap.
        app: Any = self.serving._server.config.app
        app._app.router.routes.append(Route("/test-tap.js", _tap))
        self._thread: threading.Thread | None = threading.Thread(target=self.serving.run, daemon=True)
        self._thread.start()

    def halt(self) -> None:
        """The server ends, the session stays."""
        if self._thread is not None:
            self.serving.stop()
            self._thread.join(timeout=PATIENCE)
            self._thread = None

    def close(self) -> None:
        self.halt()
        self.session.close()

    def mixed(self, values: Mapping[str, float] | None = None) -> np.ndarray:
        """The whole clip as the mixer makes it, ``[channels, samples]``, with some controls elsewhere."""
        layout, row = self.mixer.layout, self.mixer.layout.default.clone()
        for name, value in (values or {}).items():
            row[layout.index(name)] = value
        return clips.mixed(self.mixer, self.inputs, row[None])
