"""Who may ask the studio's server for something: its own pages, and nobody else. What all answers have in common."""

from __future__ import annotations

import secrets

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Of every answer. An answer's own come first."""
LONGEST_BODY = 1 << 20
LONGEST_QUERY = 4096
LONGEST_HEADERS = 1 << 15


class Guarded:
    """Lets through what names this server as its host, comes from its own pages, and knows the token, which is the
    first part of every path. Names that lead here (DNS rebinding), other pages and other programs get nothing.

    What is behind it sees paths without the token, and never one with ``..``, a backslash or a control character.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        names = ("127.0.0.1", "localhost", "[::1]")
        self._hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        status = self._status(scope)
        if scope["type"] == "websocket":
            if status:
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._app(self._inside(scope), receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message.get("headers", ())}
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                more = [pair for pair in more if pair[0] not in known]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        if status:
            await Response(SAID[status], status)(scope, receive, answer)
        elif scope["path"] == f"/{self._token}":
            await Response("", 307, {"Location": f"/{self._token}/"})(scope, receive, answer)
        else:
            await self._app(self._inside(scope), receive, answer)

    def _inside(self, scope: Scope) -> Scope:
        _, _, rest = scope["path"][1:].partition("/")
        return {**scope, "path": f"/{rest}", "raw_path": None, "root_path": ""}

    def _status(self, scope: Scope) -> int:
        """Of the answer to what is turned away; 0 for what may come in. Who does not know the token learns nothing."""
        headers: dict[str, list[str]] = {}
        for key, value in scope["headers"]:
            headers.setdefault(key.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        token, _, rest = scope["path"][1:].partition("/")
        known = secrets.compare_digest(token.encode("utf-8", "replace"), self._token.encode())
        if not known or not self._ours(headers, scope):
            return 403
        if any(one in ("..", ".") for one in rest.split("/")) or "\\" in rest or not rest.isprintable():
            return 404
        if "transfer-encoding" in headers:
            return 411
        length = headers.get("content-length", ["0"])
        if len(length) > 1 or not length[0].isascii() or not length[0].isdigit():
            return 400
        if len(length[0]) > 12 or int(length[0]) > LONGEST_BODY:
            return 413
        if sum(len(key) + len(value) for key, value in scope["headers"]) > LONGEST_HEADERS:
            return 431
        return 414 if len(scope.get("query_string", b"")) > LONGEST_QUERY else 0

    def _ours(self, headers: dict[str, list[str]], scope: Scope) -> bool:
        """Whether it was asked by one of our own pages, or, to see one, by whoever opens the address."""
        hosts, origins = headers.get("host", []), headers.get("origin", [])
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return False
        if any(origin != f"http://{hosts[0]}" for origin in origins) or len(origins) > 1:
            return False
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if not reads and not origins:
            return False
        # Browsers say who asks. A link to the page may be followed from anywhere by one who has it.
        site = headers.get("sec-fetch-site", ["none"])
        if site in (["same-origin"], ["none"]):
            return True
        return (
            reads
            and headers.get("sec-fetch-mode") == ["navigate"]
            and headers.get("sec-fetch-dest") == ["document"]
        )


SAID = {
    400: "not understood",
    403: "forbidden",
    404: "not found",
    411: "length required",
    413: "too large",
    414: "too long",
    431: "too long",
}
