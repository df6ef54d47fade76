"""The default mixer played for an hour as the studio plays it, faster than real time: late blocks, load, memory.

A strict clock: each block of 512 samples is due a block's length after the one before; the player is as far ahead as
the page's buffer at most, and a block that is made after it was due is late. Time is the processor's of the thread that
plays: how the machine shares out its cores among other programs is not measured. A hand moves a control twice a
second, the player seeks once a minute, and goes round in a loop.

    python -m benchmarks.playing --minutes 60       # progress on stderr; after Ctrl-C, what was measured until then
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.memory import resident, settle

if TYPE_CHECKING:
    from djgraph.playing import Player

MATERIAL = 20.0
"""Seconds of noise that are played over and over."""
WARM_UP = 10.0
"""Seconds in which all has been heard once."""
AHEAD = 4
"""Blocks that lie ready in the page."""


@dataclass(frozen=True)
class Reading:
    """minutes: played, in so many blocks, of which late ones while it warmed up, and after. load: processor time of a
    block as a share of its length, median, 99th percentile and worst, after the warm-up. resident: bytes after the
    warm-up, at half of the time, at the end, and the most from half of the time on."""

    minutes: float
    blocks: int
    late_at_first: int
    late: int
    load: dict[str, float]
    resident: dict[str, int]


@dataclass
class StrictClock:
    """Whether blocks are in time, in a time in which only the thread that plays goes on. ahead: blocks that may lie
    ready; length: of a block, in seconds; late: blocks that were."""

    length: float
    ahead: int = AHEAD
    late: int = 0
    _now: float = field(default=0.0, repr=False)
    _made: int = field(default=0, repr=False)

    def block(self, took: float) -> None:
        """Another one, made in so many seconds."""
        room = (self._made - self.ahead) * self.length  # not before there is room for it
        self._now = max(self._now, room) + took
        due = self._made * self.length
        if self._now > due:
            self.late += 1
            self._now = due  # a gap: from here on anew
        self._made += 1


def player() -> Player:
    """The default mixer with noise in all stems, in a loop."""
    import djgraph
    from benchmarks.work import make_stems
    from djgraph.playing import MemoryFeed, Player

    mixer = djgraph.compile("dj_mixer")
    rate = mixer.graph.sample_rate
    stems = make_stems(mixer.graph, round(MATERIAL * rate))
    feed = MemoryFeed(
        {track: {stem: 0.5 * audio[0] for stem, audio in each.items()} for track, each in stems.items()}
    )
    made = Player(mixer, feed)
    made.loop((rate, round((MATERIAL - 1) * rate)))
    return made


def perform(player: Player, blocks: int, seed: int = 1) -> Iterator[float]:
    """Plays blocks by a hand that is never still: the seconds of processor time that each took.

    Raises BenchmarkError where a block is not finite.
    """
    from djgraph.playing.line import TICK

    layout, random = player.mixer.layout, np.random.default_rng(seed)
    rate = player.mixer.graph.sample_rate
    second, minute = rate // TICK, 60 * rate // TICK
    player.play()
    for number in range(blocks):
        if number % (second // 2) == 0:
            column = layout.columns[int(random.integers(len(layout)))]
            player.hands.hold(column.name, float(random.uniform(column.control.min, column.control.max)))
        if number % minute == minute - 1:
            player.seek(int(random.integers(rate, round((MATERIAL - 1) * rate))))
        if number % (4 * minute) == 4 * minute - 1:
            player.hands.release()
        if number % second == 0:
            player.meters()  # as a page asks for them
        began = time.thread_time()
        audio, _ = player.block(TICK)
        took = time.thread_time() - began
        if not np.isfinite(audio).all():
            raise BenchmarkError(f"block {number} is not finite")
        yield took


def _run_once(minutes: float, threads: int) -> Reading:
    import torch

    from djgraph.playing import leave_alone
    from djgraph.playing.line import TICK

    torch.set_num_threads(threads)
    played = player()
    played.prepare()  # as the studio does while its page opens
    leave_alone()
    length = TICK / played.mixer.graph.sample_rate
    count, warm = round(minutes * 60 / length), round(min(WARM_UP, 30 * minutes) / length)
    clock, loads, held, late_at_first, number = StrictClock(length), array("d"), list[int](), 0, 0
    try:
        for number, took in enumerate(perform(played, count), 1):
            clock.block(took)
            if number <= warm:
                late_at_first = clock.late
                continue
            loads.append(took / length)
            if number == warm + 1:
                held.append(settle())
            elif (number - warm) % max(1, count // 240) == 0:
                held.append(resident())
            if (number - warm) % round(60 / length) == 0:
                print(f"{number * length / 60:.0f} min: {clock.late - late_at_first} late", file=sys.stderr)
    except KeyboardInterrupt:
        if not loads:
            raise
    held.append(resident())
    played.close()
    ordered = sorted(loads)
    later = held[len(held) // 2 :]
    return Reading(
        number * length / 60,
        number,
        late_at_first,
        clock.late - late_at_first,
        {
            "median": ordered[len(ordered) // 2],
            "percentile_99": ordered[int(0.99 * (len(ordered) - 1))],
            "worst": ordered[-1],
        },
        {"warm": held[0], "half": later[0], "end": held[-1], "most": max(later)},
    )


def main(arguments: list[str] | None = None) -> None:
    """Measures in this very process and prints JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.playing", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=1)
    given: Any = parser.parse_args(arguments)
    from djgraph.playing import undisturbed

    with undisturbed():
        print(json.dumps(asdict(_run_once(given.minutes, given.threads))))


if __name__ == "__main__":
    main()
