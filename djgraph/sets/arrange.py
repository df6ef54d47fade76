"""Where the tracks of a set lie in beats, and by which recipe each goes over to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from djgraph.automation import template
from djgraph.errors import DJGraphError, SetError
from djgraph.graph.ir import Graph
from djgraph.language.site import Site
from djgraph.sets.clashes import Clashes, Verdict
from djgraph.sets.document import TransitionModel
from djgraph.sets.load import SetDocument
from djgraph.sets.places import TrackPlace, choruses, phrase_lines
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
_SLACK = 0.5
"""Beats by which a track may end before its transition does."""


@dataclass(frozen=True)
class Laid:
    """A track in the mix. enters: the mix's beat on which its beat ``begin`` lies. times: beats of the mix for each of
    its own."""

    track: SetTrack
    enters: float
    begin: float
    times: float

    def mix_beat(self, beat: float) -> float:
        """Where one of its beats lies."""
        return self.enters + (beat - self.begin) * self.times

    @property
    def end(self) -> float:
        """The mix's beat at which it ends."""
        return self.mix_beat(float(self.track.grid.beat_at(self.track.seconds)))

    def line(self, bar: float) -> float:
        """The mix's beat on which a bar of it begins, counted from its first."""
        return self.mix_beat(self.track.grid.downbeat + bar * self.track.grid.meter)

    def bar(self, mix_beat: float) -> float:
        """Which bar it is at a beat of the mix."""
        own = self.begin + (mix_beat - self.enters) / self.times
        return (own - self.track.grid.downbeat) / self.track.grid.meter


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
        chooser = _Chooser(laid[-1], following, said, site, free, clashes)
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
        laid.append(Laid(following.track, chosen.begin, following.begin, following.times))
        free = chosen.begin + chosen.length
    return laid, transitions


def _first(document: SetDocument, track: SetTrack, tempo: float) -> Laid:
    model, site = document.tracks[0]
    grid = track.grid
    if model.begin is None:  # with an upbeat of whole beats where the track has one
        begin = float(grid.downbeat - (grid.meter if grid.downbeat else 0))
    else:
        begin = _beat(track, model.begin, site.below("from"))
    return Laid(track, 0.0, begin, times_for(grid.tempo, tempo))


def _next(document: SetDocument, track: SetTrack, number: int, tempo: float) -> Laid:
    """As if it entered at beat 0."""
    model, site = document.tracks[number]
    begin = _beat(track, model.begin or TrackPlace("bars", 0.0), site.below("from"))
    return Laid(track, 0.0, begin, times_for(track.grid.tempo, tempo))


def _said(document: SetDocument, before: int) -> tuple[TransitionModel, Site]:
    """What is said of the transition behind a track, by itself or for all."""
    model = document.model
    said, site = document.moves.get(before, (None, document.tracks[before + 1][1]))
    if said is None:
        said = TransitionModel(transition=model.transition)
        if model.transition != AUTO:
            site = document.site.below("transition")
    if said.length is None and model.length is not None:
        said = said.model_copy(update={"length": model.length})
    return said, site


def _beat(track: SetTrack, place: TrackPlace, site: Site) -> float:
    """The beat of a track that a place in it is. Raises SetError where it has none such."""
    grid = track.grid
    last = float(grid.beat_at(track.seconds))
    match place.unit:
        case "beats":
            beat = grid.downbeat + place.amount
        case "bars":
            beat = grid.downbeat + place.amount * grid.meter
        case "end":
            raise SetError(site.problem("a track does not come in at its end"))
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
class _Choice:
    recipe: str
    begin: float
    length: float
    why: str


class _Chooser:
    """Finds where one transition lies, how long it is and by which recipe.

    free: the beat from which it may begin. following: as if it entered at beat 0.
    """

    def __init__(
        self, leaving: Laid, following: Laid, said: TransitionModel, site: Site, free: float, clashes: Clashes
    ) -> None:
        self.leaving, self.following, self.said, self.site = leaving, following, said, site
        self.free, self.clashes = free, clashes

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
                    unplayed = max(0.0, self.leaving.bar(self.leaving.end) - self.leaving.bar(begin + takes))
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
        if self.said.transition != AUTO:
            self._check(self.said.transition)
            yield self.said.transition, 0.0
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
        key = "transition" if self.site.written() and isinstance(self.site.written(), dict) else None
        below = (key,) if key else ()
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
            begin = self.leaving.mix_beat(_beat(self.leaving.track, place, self.site.below("at")))
            if begin < self.free - 1e-6:
                raise SetError(
                    self.site.problem(
                        f"{place} of {self.leaving.track.title} is beat {begin:g} of the mix, and until beat "
                        f"{self.free:g} it is still coming in",
                        "at",
                    )
                )
            return [begin] if begin + length <= self.leaving.end + _SLACK else []
        bars = max(0, math.ceil(self.leaving.bar(self.leaving.end)))
        lines = phrase_lines(self.leaving.track.known)
        # Not before it has been heard by itself for as long as it takes to come and go, if that can be.
        alone = self.free + (length if self.free else 1.0)
        fits: list[float] = []
        for least, among in ((alone, lines), (alone, range(0, bars, 4)), (max(self.free, 1.0), range(bars))):
            begins = [self.leaving.line(bar) for bar in among]
            fits = [b for b in begins if least <= b + 1e-6 and b + length <= self.leaving.end + _SLACK]
            if fits:
                break
        return fits[-1:] if place is not None else fits

    def _no_room(self) -> SetError:
        leaving, following = self.leaving, self.following
        length = self.said.length if self.said.length is not None else LENGTHS[-1]
        place = self.said.at
        if length > following.end + _SLACK:
            message = f"{following.track.title} has {following.end:.1f} beats, fewer than its transition of {length:g}"
        elif place is not None and place.unit != "end":
            begin = leaving.mix_beat(_beat(leaving.track, place, self.site.below("at")))
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
        return f"{where}; {verdict.words(self.said.transition == AUTO)}"
