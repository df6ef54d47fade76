"""Where a player stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Transport:
    """Where playing stands. position: the clip's sample that is heard next. loop: the samples between which it goes
    round, or None. tempo: BPM there."""

    playing: bool = False
    position: int = 0
    loop: tuple[int, int] | None = None
    tempo: float = 120.0


@dataclass(frozen=True)
class Moment:
    """Where a player stands, as one value. made: all samples that it has made. epoch: another one after each order that
    makes what comes next something else: what was prepared before is of no use."""

    epoch: int = 0
    made: int = 0
    transport: Transport = Transport()
