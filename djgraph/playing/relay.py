"""One mixer takes over from another while it plays: warmed up beside it, then faded in at a sample that both know."""

from __future__ import annotations

import time
from collections.abc import Callable

from djgraph.playing.handover import FADE, Offer, Region, Setup, first
from djgraph.playing.line import TICK, Line
from djgraph.playing.player import Player

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
        if line is None or now.epoch != epoch or line.over:
            begin = max(0, now.transport.position - round(lead * rate))
            line = setup.line(begin, loop=loop)
            reached, epoch = now.made - (now.transport.position - begin), now.epoch
        late = time.monotonic() - began > CHASE
        if reached < now.made + margin and not late:
            clock = time.monotonic()
            line.block(TICK)
            reached += TICK
            time.sleep(max(0.0, TICK / rate / PACE - (time.monotonic() - clock)))
            continue
        at = now.made + margin if late else reached
        _bring(line, _place(now.transport.position, at - now.made, loop), loop)
        audio = first(line)
        offer = Offer(setup, line, audio, at, epoch)
        player.offer(offer)
        if not offer.settled.wait(PATIENCE + margin / rate):
            player.take_over(setup.mixer, setup.course, setup.hands, setup.feed)
            return True
        if offer.taken:
            return True
        reached, margin = at + FADE, min(2 * margin, MOST_MARGIN)
    return False


def _bring(line: Line, place: int, loop: Region) -> None:
    """To where the clip is heard at ``place`` next, if it is not there."""
    if line.heard != place:
        line.jump(_place(place, line.latency, loop))


def _place(position: int, samples: int, loop: Region) -> int:
    """The clip's sample so many later."""
    after = position + samples
    if loop is not None and position < loop[1] <= after:
        return loop[0] + (after - loop[1]) % max(loop[1] - loop[0], 1)
    return after
