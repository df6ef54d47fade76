"""A studio's sockets: messages of its pages in and events out, and the sound for one page at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from djgraph.errors import DJGraphError
from djgraph.studio.messages import LONGEST, WRONG
from djgraph.studio.outbox import Outbox, dumped
from djgraph.studio.session import Event, Session
from djgraph.studio.sound import Pump

MOST_PAGES = 32
METERS = 1 / 25
"""Seconds between two looks at the meters."""
MOST_BLOCKS = 256
"""Blocks of sound that wait for a page: who asks for more without reading them gets no more."""
GRACE = 1.0
"""Seconds that a page has to read why its socket is closed."""


class Sockets:
    """Those of all pages of one session. sound: whether pages play it; otherwise something else does, a sound card."""

    def __init__(self, session: Session, sound: bool = True) -> None:
        self.session, self._audible = session, sound
        self._pages: set[Outbox] = set()
        self._said: OrderedDict[str, int] = OrderedDict()
        self._saying = threading.Lock()
        self._meters: asyncio.Task[None] | None = None
        self._pump: tuple[WebSocket, Pump] | None = None
        self._changing = asyncio.Lock()

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
                room = whole(text)
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


def whole(text: str) -> int | None:
    """A number of at most nine digits; None for any other text."""
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
