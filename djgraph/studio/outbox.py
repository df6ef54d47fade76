"""What is to be told to one page, in order, and no more of it than a page that does not read may cost."""

from __future__ import annotations

import asyncio
import json
import math
from collections import OrderedDict
from typing import Any

WHOLE = frozenset(
    {"clips", "listening", "loop", "meters", "playing", "project", "recording", "sought", "versions", "waves"}
)
"""Events that say all of a subject: of those that wait, the last is enough."""
MOST = 4096
MOST_CHARACTERS = 1 << 25
"""Of what waits: 4096 events, or 32 Mi characters of more than one."""


class Outbox:
    """Events for one page. :meth:`put` is called from any thread, everything else on the loop.

    full: is set when so much has waited that the page has to begin anew; nothing more is kept then.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: OrderedDict[tuple[Any, ...], str] = OrderedDict()
        self._characters = 0
        self._some = asyncio.Event()
        self.full = asyncio.Event()
        self._number = 0

    def put(self, event: dict[str, Any]) -> None:
        """Tell it as soon as the page has read what came before."""
        text = dumped(event)  # here, for one that is long takes a while, and the loop has sound to send
        try:
            self._loop.call_soon_threadsafe(self._put, event["event"], event.get("control"), text)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    async def get(self) -> str:
        """The next event, as text."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        _, text = self._waiting.popitem(last=False)
        self._characters -= len(text)
        return text

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def _put(self, kind: str, control: str | None, text: str) -> None:
        if self.full.is_set():
            return
        self._number += 1
        key = (kind,) if kind in WHOLE else (kind, control) if kind == "held" else (kind, self._number, "one")
        self._characters += len(text) - len(self._waiting.pop(key, ""))
        self._waiting[key] = text
        if len(self._waiting) > MOST or (self._characters > MOST_CHARACTERS and len(self._waiting) > 1):
            self.full.set()
            self._waiting.clear()
            self._characters = 0
        self._some.set()


def dumped(event: Any) -> str:
    """As JSON that a page can read: what is not finite is null."""
    try:
        return json.dumps(event, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(event), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value
