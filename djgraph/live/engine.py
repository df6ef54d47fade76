"""Blocks made ahead of a card, on a thread of its own: the card's thread copies, and waits for nothing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from djgraph.live.capture import Capture
from djgraph.live.desk import Desk
from djgraph.live.device import Card
from djgraph.playing import Player

Array = NDArray[np.float32]
Sink = Callable[[Array, bool], None]
"""Is given every block ``[channels, samples]``, and whether something plays in it. Must not wait."""

IDLE = 0.1
"""Seconds after which a thread that waits for room looks whether it is to end."""


class Engine:
    """Plays a player on a card.

    One thread makes blocks, ``ahead`` of them before they are due; the card's own thread takes them from a ring, which
    needs neither a lock nor memory. Where there is none, silence is heard and ``late`` counts it. to: the card's
    channels, from 0, that the mixer's output goes to. sinks: what listens along. peak: the largest amplitude of the
    mixer's output since somebody set it to 0.
    """

    def __init__(
        self,
        player: Player,
        desk: Desk,
        card: Card,
        *,
        ahead: int = 2,
        to: Sequence[int] = (0, 1),
        capture: Capture | None = None,
        sinks: Sequence[Sink] = (),
    ) -> None:
        self.player, self.desk, self.card = player, desk, card
        self.ahead, self.late, self.made, self.peak = ahead, 0, 0, 0.0
        self.error: BaseException | None = None
        """What ended the sound, if something did."""
        self._to, self._capture, self._sinks = tuple(to), capture, tuple(sinks)
        self._ring = np.zeros((ahead, card.block, card.outputs), np.float32)
        self._taken = 0
        self._sounding = False
        self._ended = False
        # Released by the card's thread, which never acquires it: a raw lock, since those of `threading` that wake
        # others have locks within that both sides take.
        self._wake = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Make the first blocks, then start the card. Raises DeviceError as the card does."""
        self._begin()
        self.settle()
        if self.error is None:
            self.card.start(self.fill)

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name="djgraph live", daemon=True)
        self._thread.start()

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until all blocks ahead are there."""
        until = time.monotonic() + seconds
        while self.made - self._taken < self.ahead and self.error is None and time.monotonic() < until:
            time.sleep(0.001)

    def stop(self) -> None:
        """No sound from now on."""
        self.card.stop()
        self._ended = True
        with contextlib.suppress(RuntimeError):
            self._wake.release()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def latency(self) -> dict[str, float]:
        """Seconds: of the ``card``, of the blocks made ``ahead`` (``block`` each), and of the ``stream``, whose
        latency is made up for in material from files, and is heard in what comes from the card's inputs."""
        rate = self.card.rate
        return {
            "card": self.card.latency,
            "ahead": self.ahead * self.card.block / rate,
            "stream": self.player.mixer.stream().latency / rate,
        }

    def fill(self, incoming: Array | None, out: Array) -> None:
        """On the card's thread: the next block, or silence."""
        if incoming is not None and self._capture is not None:
            self._capture.put(incoming)
        if self._taken < self.made:
            out[:] = self._ring[self._taken % self.ahead]
            self._taken += 1
        else:
            out.fill(0)
            if self._sounding:
                self.late += 1
        with contextlib.suppress(RuntimeError):  # awake already
            self._wake.release()

    def _run(self) -> None:
        try:
            while not self._ended:
                if self.made - self._taken >= self.ahead:
                    self._wake.acquire(timeout=IDLE)
                    continue
                self._one()
        except BaseException as error:  # told by whoever runs the engine
            self.error = error
            self._sounding = False

    def _one(self) -> None:
        self.desk.drain()
        audio, _ = self.player.block(self.card.block)
        self.peak = max(self.peak, float(np.abs(audio).max()))
        slot = self._ring[self.made % self.ahead]
        for channel, place in enumerate(self._to):
            slot[:, place] = audio[min(channel, len(audio) - 1)]
        self.made += 1
        playing = self.player.sounding
        for sink in self._sinks:
            sink(audio, playing or self._sounding)  # the block in which it ends is a part of it
        self._sounding = playing
