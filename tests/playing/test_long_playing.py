"""An hour of playing, faster than real time: what it holds in memory, and how late its blocks are.

A strict clock: each block is due a block's length after the one before; a player is as far ahead as the page's buffer
at most, and a block that is made after it was due is late. Time is the processor's of the thread that plays, so
that other work on the machine is no reason. DJGRAPH_PLAYING_MINUTES says how long (60 for the hour).
"""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

import djgraph
from djgraph.playing import MemoryFeed, Player
from djgraph.playing.line import TICK

from .clips import tracks

MINUTES = float(os.environ.get("DJGRAPH_PLAYING_MINUTES", "10"))
AHEAD = 4 * TICK
"""Samples that lie ready in the page."""
WARM = 10.0
"""Seconds in which all has been heard once."""


class StrictClock:
    """Whether blocks are in time, in a time in which only the thread that plays goes on."""

    def __init__(self, rate: int) -> None:
        self._rate, self._time, self._played = rate, 0.0, 0
        self.late = 0

    def block(self, samples: int, took: float) -> None:
        # Not before there is room for it.
        self._time = max(self._time, (self._played - AHEAD) / self._rate) + took
        if self._time > self._played / self._rate:
            self.late += 1
            self._time = self._played / self._rate  # a gap: from here on anew
        self._played += samples


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
def test_an_hour_of_playing() -> None:
    mixer = djgraph.compile("dj_mixer")
    rate = mixer.graph.sample_rate
    player = Player(mixer, MemoryFeed(tracks(mixer.graph, 20 * rate, level=0.05)))
    player.loop((rate, 19 * rate))
    player.play()
    names, random = mixer.layout.names, np.random.default_rng(1)
    clock, held = StrictClock(rate), list[int]()
    late_at_first = 0
    for number in range(round(MINUTES * 60 * rate / TICK)):
        if number % 43 == 0:  # a hand, twice a second
            name = names[int(random.integers(len(names)))]
            player.hands.hold(name, float(random.uniform(*_range(mixer, name))))
        if number % 5000 == 4999:  # a seek, once a minute
            player.seek(int(random.integers(rate, 19 * rate)))
        if number % 20_000 == 19_999:
            player.hands.release()
        began = time.thread_time()
        audio, _ = player.block(TICK)
        clock.block(TICK, time.thread_time() - began)
        assert np.isfinite(audio).all()
        if number == round(WARM * rate / TICK):
            late_at_first = clock.late
        if number % 5168 == 0:
            player.meters()
            held.append(_resident())
    player.close()
    assert clock.late == late_at_first
    # From half of the time on: flat, but for what the allocator moves about.
    later = held[len(held) // 2 :]
    assert max(later) - later[0] < 32 << 20


def _range(mixer: djgraph.Mixer, name: str) -> tuple[float, float]:
    control = mixer.layout[name].control
    return control.min, control.max
