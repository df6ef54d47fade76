"""The sound of a session, to one page: blocks as the page has room for them."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable

from djgraph.errors import DJGraphError
from djgraph.playing import Player

HEADER = struct.Struct("<dII")
"""The clip's sample at which a block begins, :attr:`Player.jumps`, channels; none where playing has ended."""
IDLE = 0.2
"""Seconds after which a thread that waits for orders looks whether it is to end."""


class Pump:
    """A thread that makes blocks while a page has room for them. deliver: is called with each, on the loop's thread.
    failed: is told why playing has stopped where a block could not be made, as of a file that cannot be read any more.
    """

    def __init__(
        self,
        player: Player,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[bytes], None],
        failed: Callable[[str], None],
    ) -> None:
        self._player, self._loop, self._deliver, self._failed = player, loop, deliver, failed
        self._room = 0
        self._closed = False
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="djgraph sound", daemon=True)
        self._thread.start()

    def grant(self, samples: int) -> None:
        """The page can take so many more."""
        with self._more:
            self._room = min(self._room + samples, 1 << 18)
            self._more.notify()

    def close(self) -> None:
        with self._more:
            self._closed = True
            self._more.notify()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        player, sounding = self._player, False
        while True:
            samples = player.tick
            with self._more:
                while self._room < samples and not self._closed:
                    self._more.wait()
                if self._closed:
                    return
            player.wait(IDLE)
            try:
                audio, at = player.block(samples)
            except (DJGraphError, OSError) as error:
                player.give_up()
                self._failed(str(error))
                continue
            playing = player.transport.playing
            if not playing and not sounding:
                continue  # silence is what a page plays anyway
            with self._more:
                self._room -= samples
            self._say(HEADER.pack(float(at), player.jumps, len(audio)) + audio.astype("<f4").tobytes())
            if not playing:
                self._say(HEADER.pack(float(at), player.jumps, 0))
            sounding = playing

    def _say(self, data: bytes) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver, data)
        except RuntimeError:  # the server has ended
            self._closed = True
