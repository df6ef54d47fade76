"""Where the tracks of a set lie in beats, and by which recipe each goes over to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from djgraph.automation import template
from djgraph.decks import Loop
from djgraph.errors import DJGraphError, Problem, SetError
from djgraph.graph.ir import Graph
from djgraph.language.site import Site
from djgraph.sets.clashes import Clashes, Verdict
from djgraph.sets.cuts import beat_of, played
from djgraph.sets.document import TrackModel, TransitionModel
from djgraph.sets.laid import Laid
from djgraph.sets.load import SetDocument
from djgraph.sets.places import TrackPlace, phrase_lines
from djgraph.sets.plan import Transition
from djgraph.sets.sources import SetTrack
from djgraph.sets.tempo import times_for

LENGTHS = (32.0, 16.0, 8.0, 4.0)
"""Beats of a transition where nothing is said: the first that both tracks have room for."""
AUTO = "auto"
CHOICES = {"equal_power": 0.0, "bass_swap": 0.2, "vocals_over": 0.8, "echo_out": 2.0}
"""The recipes that are chosen from where none is said, and how much each has to be better than the plainest."""
_UNPLAYED = 0.15
"""What a bar costs that is left out at the end of a track; what clashes costs more (see Clashes)."""
_ODD = {8: 0.0, 4: 0.5}
"""What a phrase costs that begins on a multiple of so many bars, counted from the first."""
_ODDEST = 1.5
_LOOKED_AT = 256
"""Places at which a transition may begin that are looked at, the last ones: loops make many."""
_SLACK = 0.5
"""Beats by which a track may end before its transition does."""


def arrange(
    document: SetDocument, graph: Graph, tracks: Sequence[SetTrack], tempos: Sequence[float]
) -> tuple[list[Laid], list[Transition]]:
    """Lay out a set. tempos: of the mix while each track plays, BPM.

    Raises SetError, with its place, for places that a track does not have, transitions that do not fit and recipes that
    the graph cannot play.
    """
    clashes = Clashes(graph)
    laid = [_first(document, tracks[0], tempos[0])]
    transitions: list[Transition] = []
    free = 0.0  # the beat at which the transition before is over
    for number in range(1, len(tracks)):
        following = _next(document, tracks[number], number, tempos[number])
        said, site = _said(document, number - 1)
        before = laid[-2].track.title if len(laid) > 1 else ""
        chooser = _Chooser(laid[-1], following, said, site, free, clashes, before)
        chosen = chooser.choose()
        transitions.append(
            Transition(
                number - 1,
                number,
                chosen.recipe,
                chosen.begin,
                chosen.length,
                dict(said.settings),
                chosen.why,
            )
        )
        laid.append(replace(following, enters=chosen.begin))
        _check_heard(document, number - 1, laid[-2], chosen.begin + chosen.length)
        free = chosen.begin + chosen.length
    return laid, transitions


def _first(document: SetDocument, track: SetTrack, tempo: float) -> Laid:
    model, site = document.tracks[0]
    grid = track.grid
    if model.begin is None:  # with an upbeat of whole beats where the track has one
        begin = float(grid.downbeat - (grid.meter if grid.downbeat else 0))
    else:
        begin = beat_of(track, model.begin, site.below("from"))
    return _laid(model, site, track, begin, tempo, document.locked(0))


def _next(document: SetDocument, track: SetTrack, number: int, tempo: float) -> Laid:
    """As if it entered at beat 0."""
    model, site = document.tracks[number]
    begin = beat_of(track, model.begin or TrackPlace("bars", 0.0), site.below("from"))
    return _laid(model, site, track, begin, tempo, document.locked(number))


def _laid(model: TrackModel, site: Site, track: SetTrack, begin: float, tempo: float, locked: bool) -> Laid:
    plays = played(track, begin, model.moves, site.below("moves"))
    return Laid(track, 0.0, plays, times_for(track.grid.tempo, tempo), tempo, locked)


def _check_heard(document: SetDocument, number: int, leaving: Laid, ends: float) -> None:
    """Raises SetError for loops and jumps of a track that has left before."""
    _, site = document.tracks[number]
    for place, move in enumerate(leaving.moves):
        if move.at >= ends - 1e-6:
            what = "loop" if isinstance(move, Loop) else "jump"
            message = (
                f"this {what} is not heard: {leaving.track.title} gets there at beat {move.at:g} of the mix, and its "
                f"transition is over at beat {ends:g}"
            )
            hint = "take it out, or say where the transition begins (`at`)"
            raise SetError(site.problem(message, "moves", place, hint=hint))


def _said(document: SetDocument, before: int) -> tuple[TransitionModel, Site]:
    """What is said of the transition behind a track, by itself or for all."""
    model = document.model
    said, site = document.moves.get(before, (None, document.tracks[before + 1][1]))
    if said is None:
        said = TransitionModel(transition=model.transition)
        if model.transition != AUTO:
            site = document.site.below("transition")
    elif said.transition is None:
        said = said.model_copy(update={"transition": model.transition})
    if said.length is None and model.length is not None:
        said = said.model_copy(update={"length": model.length})
    return said, site


@dataclass(frozen=True)
class _Choice:
    recipe: str
    begin: float
    length: float
    why: str


class _Chooser:
    """Finds where one transition lies, how long it is and by which recipe.

    free: the beat from which it may begin. following: as if it entered at beat 0. before: the title of the track that
    is heard until ``free``.
    """

    def __init__(
        self,
        leaving: Laid,
        following: Laid,
        said: TransitionModel,
        site: Site,
        free: float,
        clashes: Clashes,
        before: str,
    ) -> None:
        self.leaving, self.following, self.said, self.site = leaving, following, said, site
        self.free, self.clashes, self.before = free, clashes, before
        self.recipe = said.transition or AUTO

    def choose(self) -> _Choice:
        best: tuple[float, _Choice] | None = None
        for length in self._lengths():
            for recipe, base in self._recipes():
                takes = self._takes(recipe, length)
                for begin in self._begins(takes):
                    verdict = self.clashes.judge(
                        recipe, self.said.settings, self.leaving, self.following, begin, takes
                    )
                    if verdict is None:
                        continue
                    unplayed = max(0.0, self.leaving.bars(self.leaving.end - begin - takes))
                    cost = verdict.cost + base + _UNPLAYED * unplayed + self._odd(begin)
                    if best is None or cost < best[0] - 1e-9:
                        best = cost, _Choice(recipe, begin, takes, self._why(recipe, begin, takes, verdict))
            if best is not None:
                return best[1]
        raise self._no_room()

    def _odd(self, begin: float) -> float:
        """Music goes in eights: a phrase that is found elsewhere is less likely to be one."""
        bar = round(self.leaving.bar(begin))
        return next((cost for every, cost in _ODD.items() if bar % every == 0), _ODDEST)

    def _recipes(self) -> Iterator[tuple[str, float]]:
        if self.recipe != AUTO:
            self._check(self.recipe)
            yield self.recipe, 0.0
            return
        playable = [
            name
            for name in CHOICES
            if self.clashes.plays(name, self.said.settings, self.leaving, self.following)
        ]
        if not playable:
            raise SetError(
                self.site.problem(
                    f"the graph can play none of the recipes that are chosen from ({', '.join(CHOICES)}); say one: "
                    "{transition: …}",
                )
            )
        for name in playable:
            yield name, CHOICES[name]

    def _check(self, recipe: str) -> None:
        """Raises SetError for recipes that there are not, and that do not go from one track to another."""
        written = self.site.written()
        below = ("transition",) if isinstance(written, dict) and "transition" in written else ()
        try:
            form = template(recipe)
        except DJGraphError as error:
            raise SetError(self.site.problem(str(error), *below)) from None
        missing = [name for name in ("a", "b", "start") if name not in {a.name for a in form.arguments}]
        if missing:
            raise SetError(
                self.site.problem(
                    f"{recipe} is no transition: it has no argument {', '.join(missing)}", *below
                )
            )
        arguments = [a.name for a in form.arguments if a.name not in ("a", "b", "start", "length")]
        wrong = [
            self.site.problem(
                f"{recipe} has no argument {name!r}", "settings", name, key=True, allowed=arguments, name=name
            )
            for name in self.said.settings
            if name not in arguments
        ]
        if wrong:
            raise SetError(*wrong)
        problem = self.clashes.problem(recipe, self.said.settings, self.leaving, self.following)
        if problem is not None:
            raise SetError(self.site.problem(problem, *below))

    def _lengths(self) -> Sequence[float]:
        return LENGTHS if self.said.length is None else (self.said.length,)

    def _takes(self, recipe: str, length: float) -> float:
        """How long a recipe is: some take no time unless they are told to."""
        if self.said.length is None:
            for argument in template(recipe).arguments:
                if argument.name == "length" and argument.default in (0, 0.0, "0s", "0beats"):
                    return 0.0
        return length

    def _begins(self, length: float) -> list[float]:
        """Beats at which a transition of that length may begin."""
        room = self.following.end  # of the track that comes, which has entered at 0
        if length > room + _SLACK:
            return []
        place = self.said.at
        if place is not None and place.unit != "end":
            begin = self._said_at(place)
            if begin < self.free - 1e-6:
                raise SetError(self._three(place, begin))
            return [begin] if begin + length <= self.leaving.end + _SLACK else []
        grid, played = self.leaving.track.grid, self.leaving.played
        bars = max(0, math.ceil((played.end - grid.downbeat) / grid.meter))
        lines = phrase_lines(self.leaving.track.known)
        # Not before it has been heard by itself for as long as it takes to come and go, if that can be.
        alone = self.free + (length if self.free else 1.0)
        # What loops or jumps is meant to be heard, if that can be.
        moved = max((move.at for move in self.leaving.moves), default=-math.inf)
        wider = (alone, lines), (alone, range(0, bars, 4)), (max(self.free, 1.0), range(bars))
        fits: list[float] = []
        for over in dict.fromkeys((moved, -math.inf)):
            for least, among in wider:
                begins = [b for b in self.leaving.lines(among) if least <= b + 1e-6 and b + length > over]
                fits = fits or [b for b in begins if b + length <= self.leaving.end + _SLACK]
        return fits[-1:] if place is not None else fits[-_LOOKED_AT:]

    def _three(self, place: TrackPlace, begin: float) -> Problem:
        """A transition begins where the one before is not over."""
        title = self.leaving.track.title
        bars = [math.floor(self.leaving.bar(beat) + 1e-6) + 1 for beat in (begin, self.free)]
        also = "" if str(place) == f"bar {bars[0]}" else f", its bar {bars[0]}"
        message = (
            f"three tracks at once: {self.following.track.title} would come in at {place} of {title}{also}, beat "
            f"{begin:g} of the mix, and {self.before} is heard until bar {bars[1]} of {title}, beat "
            f"{self.free:g}"
        )
        hint = "begin later, or make the transition before it shorter (`length`); a set plays two tracks at a time"
        return self.site.problem(message, "at", hint=hint)

    def _said_at(self, place: TrackPlace) -> float:
        """The beat of the mix at which a place in the track that leaves is heard first."""
        site = self.site.below("at")
        beat = beat_of(self.leaving.track, place, site)
        heard = self.leaving.mix_beats(beat)
        if not heard:
            raise SetError(site.problem(f"{self.leaving.track.title} jumps over {place}, and never plays it"))
        # The first time that it is not coming in any more, if there are several.
        return next((b for b in heard if b >= self.free - 1e-6), heard[-1])

    def _no_room(self) -> SetError:
        leaving, following = self.leaving, self.following
        length = self.said.length if self.said.length is not None else LENGTHS[-1]
        place = self.said.at
        if length > following.end + _SLACK:
            message = f"{following.track.title} has {following.end:.1f} beats, fewer than its transition of {length:g}"
        elif place is not None and place.unit != "end":
            begin = self._said_at(place)
            message = (
                f"a transition of {length:g} beats at {place} is over at beat {begin + length:g} of the mix, and "
                f"{leaving.track.title} ends at {leaving.end:.1f}"
            )
        else:
            message = (
                f"{leaving.track.title} has {max(0.0, leaving.end - self.free):.1f} beats to itself, which leave no "
                f"room for a transition of {length:g}"
            )
        key = "length" if self.said.length is not None and isinstance(self.site.written(), dict) else None
        hint = "make it shorter (`length: 8beats`), or say where it begins (`at: 16bars`)"
        return SetError(self.site.problem(message, *((key,) if key else ()), hint=hint))

    def _why(self, recipe: str, begin: float, length: float, verdict: Verdict) -> str:
        bar = self.leaving.bar(begin)
        where = f"bar {math.floor(bar + 1e-6) + 1} of {self.leaving.track.title}"
        lines = phrase_lines(self.leaving.track.known)
        if round(bar) in lines and abs(bar - round(bar)) < 1e-6:
            where += f", its phrase {lines.index(round(bar)) + 1} of {len(lines)}"
        return f"{where}; {verdict.words(self.recipe == AUTO)}"
