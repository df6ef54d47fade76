"""Where in its beats a track of a set comes in, loops and jumps; and which of its beats is heard when it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from djgraph.decks import Jump, Loop
from djgraph.decks.moves import Move, Piece, pieces
from djgraph.errors import SetError
from djgraph.language.site import Site
from djgraph.sets.document import MoveModel
from djgraph.sets.places import TrackPlace, choruses, phrase_lines
from djgraph.sets.sources import SetTrack

MOST = 1000
"""Pieces that a track of a set may be cut into."""
_NEAR = 1e-6
"""Beats: what is nearer is the same place."""


def beat_of(track: SetTrack, place: TrackPlace, site: Site) -> float:
    """The beat of a track that a place in it is. Raises SetError where it has none such."""
    grid = track.grid
    last = float(grid.beat_at(track.seconds))
    match place.unit:
        case "beats":
            beat = grid.downbeat + place.amount
        case "bars":
            beat = grid.downbeat + place.amount * grid.meter
        case "end":
            raise SetError(site.problem("only a transition begins at the end of a track"))
        case _:
            lines = phrase_lines(track.known) if place.unit == "phrase" else choruses(track.known)
            number = int(place.amount)
            if not lines or number > len(lines):
                there = (
                    f"{len(lines)} {place.unit}{'s' if place.unit == 'phrase' else 'es'}"
                    if lines
                    else f"no {place.unit}"
                )
                raise SetError(site.problem(f"{track.title} has {there}, so there is no {place}"))
            beat = grid.downbeat + lines[number if number < 0 else number - 1] * grid.meter
    if beat >= last:
        raise SetError(
            site.problem(f"{place} lies behind the end of {track.title}, which has {last:.0f} beats")
        )
    return float(beat)


@dataclass(frozen=True)
class Played:
    """What a track plays, in its own beats: from ``begin`` on, counted without a break while it loops and jumps.

    begin, end: beats of the track at which it comes in, and has its end. moves: loops and jumps in order, at beats of
    what is played: each is its beat of the track until the first move.
    """

    begin: float
    end: float
    moves: tuple[Move, ...] = ()

    @cached_property
    def pieces(self) -> list[Piece]:
        """What is played without a cut: each begins at ``mix``, a beat of what is played, with the beat ``track``."""
        return pieces(self.moves, Piece(self.begin, self.begin), 1.0, -float("inf"), self.end)

    @property
    def last(self) -> float:
        """The beat of what is played at which the track ends."""
        piece = self.pieces[-1]
        return piece.mix + self.end - piece.track

    def own(self, beat: float) -> float:
        """The track's beat at one of what is played."""
        for piece in reversed(self.pieces[1:]):
            if beat >= piece.mix - _NEAR:
                return piece.track + beat - piece.mix
        return beat

    def when(self, own: float) -> list[float]:
        """The beats of what is played at which one of the track's sounds, ascending; none where it is jumped over."""
        found = []
        ends = [piece.mix for piece in self.pieces[1:]] + [float("inf")]
        for number, (piece, end) in enumerate(zip(self.pieces, ends)):
            beat = piece.mix + own - piece.track
            if (not number or beat >= piece.mix - _NEAR) and beat < end - _NEAR:
                found.append(beat)
        return found

    def placed(self, enters: float, times: float) -> tuple[Move, ...]:
        """The moves at beats of a mix in which ``begin`` sounds at ``enters``, and each beat takes ``times`` of the
        mix's."""
        return tuple(replace(move, at=enters + (move.at - self.begin) * times) for move in self.moves)


def played(track: SetTrack, begin: float, models: Sequence[MoveModel], site: Site) -> Played:
    """What a track plays that comes in at one of its beats. site: of its loops and jumps.

    Raises SetError, with its place, for loops that reach beyond the end of the track, for places that it does not have,
    and for those that it has passed, or not reached, when the move before is over.
    """
    end = float(track.grid.beat_at(track.seconds))
    moves: list[Move] = []
    beat = own = begin  # of what is played, and of the track, where the move before is over
    count = 1
    for number, model in enumerate(models):
        here = site.below(number)
        at = beat_of(track, model.at, here.below("at"))
        if at < own - _NEAR:
            behind = "when the one before is over" if number else "when it comes in"
            message = (
                f"{track.title} does not get to {model.at}: {behind}, it is at its {_bar(track, own)}; loops and jumps "
                "stand in the order in which they are played"
            )
            raise SetError(here.problem(message, "at"))
        beat += at - own
        if model.loop is not None:
            beats = model.loop.beats(track.grid.meter)
            if at + beats > end + _NEAR:
                message = (
                    f"a loop of {model.loop} at {model.at} reaches beyond the end of {track.title}: it has "
                    f"{end - at:.1f} beats from there on"
                )
                raise SetError(here.problem(message, "loop"))
            moves.append(Loop(beat, beats, model.times))
            beat, own, count = beat + beats * model.times, at + beats, count + model.times - 1
        else:
            assert model.jump is not None
            own, count = beat_of(track, model.jump, here.below("jump")), count + 1
            moves.append(Jump(beat, own))
        if count > MOST:
            message = f"the loops and jumps of {track.title} cut it into more than {MOST} pieces"
            raise SetError(here.problem(message))
    return Played(begin, end, tuple(moves))


def _bar(track: SetTrack, beat: float) -> str:
    bar, rest = divmod(round(beat - track.grid.downbeat, 6), track.grid.meter)
    return f"bar {bar + 1:g}" + (f", beat {rest + 1:g}" if rest else "")
