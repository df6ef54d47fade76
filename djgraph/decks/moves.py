"""Jumps and loops: what a track plays next where it does not simply go on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from djgraph.errors import InputError

MOST = 10_000
"""Pieces that a track may be cut into."""
SHORTEST = 1 / 64
"""Beats of the shortest loop."""


@dataclass(frozen=True)
class Jump:
    """At the mix's beat ``at`` the track goes on with its own beat ``to``; beats are counted as its grid does."""

    at: float
    to: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.at) and math.isfinite(self.to)):
            raise InputError(f"a jump at beat {self.at} to beat {self.to}; expected numbers")


@dataclass(frozen=True)
class Loop:
    """From the mix's beat ``at`` the track plays its next ``beats`` beats ``times`` times, and goes on behind them."""

    at: float
    beats: float
    times: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.at) and SHORTEST <= self.beats < math.inf and 1 <= self.times <= MOST):
            raise InputError(
                f"a loop at beat {self.at:g} of {self.beats:g} beats, {self.times} times; expected 1/64 of a beat or "
                f"more, 1 to {MOST} times"
            )


Move = Jump | Loop


@dataclass(frozen=True)
class Piece:
    """What is played without a cut. mix: the mix's beat at which it begins; track: the track's that sounds there."""

    mix: float
    track: float


def pieces(moves: Sequence[Move], first: Piece, times: float, begin: float, end: float) -> list[Piece]:
    """What a track plays, in order, from what it would play without moves.

    times: beats of the mix for each of the track's. begin, end: the track's beats between which it has sound. Raises
    InputError for moves that are not in order, that begin where the track has ended, that lead out of it, and for loops
    that reach beyond its end.
    """
    out = [first]
    least = -math.inf
    for move in moves:
        if move.at < least:
            raise InputError(
                f"a {_name(move)} at beat {move.at:g} of the mix lies within what comes before it, which ends at beat "
                f"{least:g}; moves stand in order, and none within a loop"
            )
        now = out[-1].track + (move.at - out[-1].mix) / times
        if not begin - 1e-6 <= now < end:
            raise InputError(
                f"a {_name(move)} at beat {move.at:g} of the mix, where the track would be at its beat {now:g}: it has "
                f"beats {begin:g} to {end:g}"
            )
        for piece in _played(move, now, times):
            if not begin - 1e-6 <= piece.track < end:
                raise InputError(
                    f"a jump to beat {piece.track:g} of a track that has beats {begin:g} to {end:g}"
                )
            out.append(piece)
            if len(out) > MOST:
                raise InputError(f"a track is cut into more than {MOST} pieces by its loops and jumps")
        if isinstance(move, Loop) and now + move.beats > end + 1e-6:
            raise InputError(
                f"a loop of {move.beats:g} beats at beat {move.at:g} of the mix reaches to the track's beat "
                f"{now + move.beats:g}, beyond its end at beat {end:g}"
            )
        least = move.at + (move.beats * move.times * times if isinstance(move, Loop) else 0)
    return out


def _played(move: Move, now: float, times: float) -> Iterator[Piece]:
    if isinstance(move, Jump):
        yield Piece(move.at, move.to)
    else:
        for turn in range(1, move.times):
            yield Piece(move.at + turn * move.beats * times, now)


def _name(move: Move) -> str:
    return "jump" if isinstance(move, Jump) else "loop"
