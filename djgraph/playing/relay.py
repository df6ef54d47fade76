"""One mixer takes over from another while it plays: warmed up beside it, then faded in at a sample that both know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph.playing.course import Course
from djgraph.playing.feed import Feed
from djgraph.playing.hands import Hands
from djgraph.playing.line import TICK, Line

if TYPE_CHECKING:
    from djgraph.mixer import Mixer
    from djgraph.playing.player import Player

Region = tuple[int, int] | None
FADE = 1024
"""Samples over which one mixer takes over from another."""
LEAD = 1.0
"""Seconds before the present from which a mixer is warmed up, so that its echoes and reverbs are there."""
PACE = 3.0
"""How much faster than the music a mixer is warmed up at most: the one that is heard needs the processor, too."""
MARGIN = 8 * TICK
MOST_MARGIN = 64 * TICK
"""How far ahead of what is made now a mixer is offered: twice as far after each time that it came too late."""
PATIENCE = 2.0
"""Seconds after which an offer that nobody took, for nobody asks for sound, is taken back."""
CHASE = 12.0
"""Seconds for which a mixer may run after the present; a machine that is too slow for two gets it by a jump."""


@dataclass(frozen=True)
class Setup:
    """What is played: a mixer, what its controls do, who holds them, and the material as its graph takes it."""

    mixer: Mixer
    course: Course
    hands: Hands
    feed: Feed


@dataclass
class Offer:
    """A mixer that is warm. at: the sample, of all that a player has made, at which ``audio`` ``[channels, FADE]``, its
    first, begins; ``line`` goes on behind it. epoch: of the player that this is true for."""

    setup: Setup
    line: Line
    audio: Tensor
    at: int
    epoch: int
    taken: bool = False
    settled: threading.Event = field(default_factory=threading.Event)

    def settle(self, taken: bool) -> None:
        self.taken = taken
        self.settled.set()


class Fade:
    """From one line to another whose first samples are there."""

    def __init__(self, line: Line, audio: Tensor) -> None:
        self.line, self._audio, self._done = line, audio, 0

    @property
    def left(self) -> int:
        return self._audio.shape[-1] - self._done

    def mix(self, before: Tensor) -> Tensor:
        """The next samples of what was heard so far ``[channels, samples]``, with the other's faded in."""
        total, samples = self._audio.shape[-1], before.shape[-1]
        fresh = self._audio[:, self._done : self._done + samples]
        places = torch.arange(self._done, self._done + samples, dtype=fresh.dtype, device=fresh.device)
        self._done += samples
        share = (places + 0.5) / total
        return same_channels(before, len(fresh)) * (1 - share) + fresh * share


def warm(player: Player, setup: Setup, lead: float = LEAD, ended: Callable[[], bool] = lambda: False) -> bool:
    """Bring a player to another mixer: while it plays, by a line that has played the last ``lead`` seconds silently.

    Waits until the other is heard, or will be when it plays again. ended: asks whether to give up. Returns whether it
    took over. It is called by a thread of its own, never the one that makes the sound.
    """
    rate = setup.mixer.graph.sample_rate
    margin, began = MARGIN, time.monotonic()
    line, reached, epoch = None, 0, -1
    while not ended():
        now = player.moment
        if not now.transport.playing:
            player.replace(setup)
            return True
        loop = now.transport.loop
        if line is None or now.epoch != epoch:
            begin = max(0, now.transport.position - round(lead * rate))
            line = Line(setup.mixer, setup.feed, setup.course, setup.hands, begin, now.transport.tempo)
            reached, epoch = now.made - (now.transport.position - begin), now.epoch
        late = time.monotonic() - began > CHASE
        if reached < now.made + margin and not late:
            clock = time.monotonic()
            reached += _roll(line, loop)
            time.sleep(max(0.0, TICK / rate / PACE - (time.monotonic() - clock)))
            continue
        at = now.made + margin if late else reached
        _bring(line, _place(now.transport.position, at - now.made, loop), loop)
        audio = first(line, loop)
        offer = Offer(setup, line, audio, at, epoch)
        player.offer(offer)
        if not offer.settled.wait(PATIENCE + margin / rate):
            player.take_over(setup.mixer, setup.course, setup.hands, setup.feed)
            return True
        if offer.taken:
            return True
        reached, margin = at + FADE, min(2 * margin, MOST_MARGIN)
    return False


def until_jump(line: Line, loop: Region) -> int:
    """Samples until the material has to jump."""
    if loop is None or line.read >= loop[1]:
        return TICK
    return min(TICK, loop[1] - line.read)


def turn(line: Line, loop: Region) -> None:
    """Go round where a loop ends."""
    if loop is not None and line.read == loop[1]:
        line.jump(loop[0])


def _roll(line: Line, loop: Region) -> int:
    count = until_jump(line, loop)
    line.block(count)
    turn(line, loop)
    return count


def first(line: Line, loop: Region) -> Tensor:
    """What is faded in."""
    pieces: list[Tensor] = []
    while (left := FADE - sum(piece.shape[-1] for piece in pieces)) > 0:
        pieces.append(line.block(min(left, until_jump(line, loop)))[0])
        turn(line, loop)
    return torch.cat(pieces, -1)


def _bring(line: Line, place: int, loop: Region) -> None:
    """To where the clip is heard at ``place`` next, if it is not there."""
    wanted = _place(place, line.latency, loop)
    if line.read != wanted:
        line.jump(wanted)


def _place(position: int, samples: int, loop: Region) -> int:
    """The clip's sample so many later."""
    after = position + samples
    if loop is not None and position < loop[1] <= after:
        return loop[0] + (after - loop[1]) % max(loop[1] - loop[0], 1)
    return after


def same_channels(signal: Tensor, channels: int) -> Tensor:
    """With as many channels: one serves all, others are cut off or silent."""
    if len(signal) == channels:
        return signal
    if len(signal) == 1:
        return signal.expand(channels, -1)
    return torch.nn.functional.pad(signal[:channels], (0, 0, 0, max(0, channels - len(signal))))
