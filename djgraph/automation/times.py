"""Places in time: seconds, beats, bars and shares of the clip, and what second each of them is."""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from djgraph.arguments import FASTEST, SLOWEST, shown
from djgraph.automation.tempo import RAMPS, TempoSegment
from djgraph.errors import InputError, nearest

UNITS = {
    "s": "s",
    "beat": "beats",
    "beats": "beats",
    "bar": "bars",
    "bars": "bars",
    "%": "%",
}
"""Units as they may be written → as they are kept."""

EXAMPLES = ("4s", "16beats", "4bars", "50%", "50% - 8beats")

LONGEST = 1e9
"""Most seconds, beats, bars or hundredths of a clip that a time may be: thirty years of seconds."""

_TERM = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(e-?[0-9]+)?\s*([A-Za-z%]*)\s*")


@dataclass(frozen=True)
class Term:
    """A way to go in time: so many seconds, beats, bars, or hundredths of the clip (or of a span)."""

    amount: float
    unit: str = "s"

    def __str__(self) -> str:
        unit = self.unit.removesuffix("s") if abs(self.amount) == 1 and len(self.unit) > 1 else self.unit
        return f"{_number(self.amount)}{unit}"


@dataclass(frozen=True)
class Moment:
    """A place in time: terms that are gone one after another, from the start on.

    >>> str(Moment.parse("50% - 8beats"))
    '50% - 8beats'
    """

    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, value: float | str) -> Moment:
        """A number is seconds. ValueError, in words, for text that says no time."""
        if not isinstance(value, str):
            if isinstance(value, bool) or not isinstance(value, Real):
                raise ValueError(f"expected a time, a number of seconds or a text, got {shown(value)}")
            return cls((Term(_bounded(value, str(value) if isinstance(value, float) else "a time"), "s"),))
        terms, rest, sign = [], value.strip(), 1.0
        if rest[:1] in ("+", "-"):
            rest, sign = rest[1:], -1.0 if rest[0] == "-" else 1.0
        while True:
            match = _TERM.match(rest)
            if match is None:
                raise ValueError(f"{value!r} is not a time")
            unit = UNITS.get(match[3] or "s")
            if unit is None:
                raise UnknownUnit(match[3], value)
            terms.append(Term(sign * _bounded(match[1] + (match[2] or ""), shorten_text(value)), unit))
            rest = rest[match.end() :]
            if not rest:
                return cls(tuple(terms))
            if rest[0] not in "+-":
                raise ValueError(f"{value!r} is not a time")
            rest, sign = rest[1:], -1.0 if rest[0] == "-" else 1.0

    def scaled(self, share: float) -> tuple[Term, ...]:
        """The terms of a share of the way."""
        return tuple(Term(term.amount * share, term.unit) for term in self.terms)

    def only(self, beats_per_bar: float) -> tuple[str, float] | None:
        """Unit and amount where one unit says it all (bars count as beats), so that two can be compared."""
        terms = [
            Term(term.amount * beats_per_bar, "beats") if term.unit == "bars" else term for term in self.terms
        ]
        units = {term.unit for term in terms}
        return (units.pop(), math.fsum(term.amount for term in terms)) if len(units) == 1 else None

    def plain(self) -> float | str:
        """As it is written in a file: a number where it is only seconds."""
        if len(self.terms) == 1 and self.terms[0].unit == "s":
            amount = self.terms[0].amount
            return int(amount) if amount == int(amount) and abs(amount) < 1e15 else amount
        return str(self)

    def __str__(self) -> str:
        text = str(self.terms[0])
        for term in self.terms[1:]:
            sign = "-" if term.amount < 0 else "+"
            text += f" {sign} {Term(abs(term.amount), term.unit)}"
        return text


class TooFar(ValueError):
    """A time that no clip has."""


def _bounded(number: float | str, text: str) -> float:
    """The number as a float. TooFar for one beyond :data:`LONGEST`, infinite and without a value among them."""
    try:
        value = float(number)
    except OverflowError:  # a whole number of hundreds of digits
        value = math.inf
    if not abs(value) <= LONGEST:
        raise TooFar(f"{text} is too far away: times go up to {LONGEST:,.0f} seconds, beats, bars or %")
    return value


def shorten_text(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "…")


class UnknownUnit(ValueError):
    """A time with a unit that is none."""

    def __init__(self, unit: str, text: str) -> None:
        super().__init__(f"{unit!r}, in {text!r}, is no unit of time")
        self.unit = unit
        self.guess = nearest(unit, UNITS)


class TempoMap:
    """Tempo in BPM, from beat to beat: ``[(0, 126), (64, 128)]`` is 126 BPM up to beat 64, then 128.

    An entry may say how the tempo goes on to the next one: ``(0, 126, "per_beat")`` changes it by the same amount in
    each beat, ``"per_second"`` in each second, ``"hold"`` not until the next entry. Beat 0 is the start of the clip.
    Before the first entry its tempo holds, behind the last one that one's.

    points: the pairs (beat, BPM). ramps: a word for each of them. Raises InputError for beats that do not ascend,
    tempos outside 0.1…100,000 BPM, and ramps that there are not.
    """

    def __init__(self, tempo: float | Sequence[Sequence[Any]] | TempoMap) -> None:
        self.points: tuple[tuple[float, float], ...]
        self.ramps: tuple[str, ...]
        if isinstance(tempo, TempoMap):
            self.points, self.ramps = tempo.points, tempo.ramps
        elif isinstance(tempo, Real) and not isinstance(tempo, bool):
            self.points, self.ramps = ((0.0, _tempo(cast(float, tempo))),), ("hold",)
        else:
            self.points, self.ramps = _entries(tempo)
        beats = [beat for beat, _ in self.points]
        if not self.points or not all(map(math.isfinite, beats)) or beats != sorted(set(beats)):
            raise InputError("a tempo map needs at least one pair (beat, BPM), and beats that ascend")
        for _, bpm in self.points:
            if not SLOWEST <= bpm <= FASTEST:
                raise InputError(f"tempo is {bpm:g} BPM; expected {SLOWEST:g} to {FASTEST:,.0f} BPM")
        self._beats = beats
        self._segments = [
            TempoSegment.between(bpm, following, there - here, ramp)
            for (here, bpm), (there, following), ramp in zip(self.points, self.points[1:], self.ramps)
        ]
        self._segments.append(TempoSegment(self.points[-1][1]))
        self._before = TempoSegment(self.points[0][1])
        seconds = [self._before.seconds(beats[0])]
        for here, there, segment in zip(beats, beats[1:], self._segments):
            seconds.append(seconds[-1] + segment.seconds(there - here))
        # Beat 0 is second 0, wherever the first entry stands.
        zero = self._seconds_at(seconds, 0.0)
        self._seconds = [second - zero for second in seconds]

    @property
    def entries(self) -> tuple[float, ...]:
        """The seconds at which the entries stand."""
        return tuple(self._seconds)

    def _segment(self, places: list[float], place: float) -> tuple[int, TempoSegment]:
        """The entry that counts at a place (a beat or a second, as ``places``), and the tempo from there on."""
        i = bisect.bisect_right(places, place) - 1
        return (i, self._segments[i]) if i >= 0 else (0, self._before)

    def _seconds_at(self, seconds: list[float], beat: float) -> float:
        i, segment = self._segment(self._beats, beat)
        return float(seconds[i] + segment.seconds(beat - self._beats[i]))

    def seconds(self, beat: float) -> float:
        """When a beat falls."""
        return self._seconds_at(self._seconds, beat)

    def beat(self, second: float) -> float:
        """Which beat it is at a second."""
        i, segment = self._segment(self._seconds, second)
        return float(self._beats[i] + segment.beats(second - self._seconds[i]))

    def beats(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Which beat it is at each of many seconds."""
        beats = np.empty_like(seconds)
        for here, segment, chosen in self._parted(self._seconds, seconds):
            beats[chosen] = self._beats[here] + segment.beats(seconds[chosen] - self._seconds[here])
        return beats

    def when(self, beats: NDArray[np.float64]) -> NDArray[np.float64]:
        """When each of many beats falls, in seconds."""
        seconds = np.empty_like(beats)
        for here, segment, chosen in self._parted(self._beats, beats):
            seconds[chosen] = self._seconds[here] + segment.seconds(beats[chosen] - self._beats[here])
        return seconds

    def _parted(
        self, places: list[float], given: NDArray[np.float64]
    ) -> Iterator[tuple[int, TempoSegment, NDArray[np.bool_]]]:
        """Which of many places (beats or seconds, as ``places``) count by the same entry, and the tempo there."""
        entry = np.searchsorted(places, given, side="right") - 1
        for i in np.unique(entry).tolist():
            here, segment = (i, self._segments[i]) if i >= 0 else (0, self._before)
            yield here, segment, entry == i

    @property
    def steady(self) -> bool:
        """Whether the tempo is one throughout."""
        return len({bpm for _, bpm in self.points}) == 1

    def stretches(self, first: float, last: float) -> list[tuple[float, float, float, float]]:
        """From one beat to another, what lies between entries: its first and last beat, and the tempo at each of them,
        which a ramp changes evenly, in beats or in seconds."""
        out = []
        for i, begins in enumerate((-math.inf, *self._beats)):
            ends = self._beats[i] if i < len(self._beats) else math.inf
            here, there = max(begins, first), min(ends, last)
            if here < there or (here == there == first == last and begins <= here < ends):
                segment, base = (self._segments[i - 1], begins) if i else (self._before, self._beats[0])
                out.append((here, there, segment.bpm_at(here - base), segment.bpm_at(there - base)))
        return out

    def bpm(self, second: float) -> float:
        """The tempo at a second."""
        i, segment = self._segment(self._seconds, second)
        return segment.bpm_after(second - self._seconds[i])

    def plain(self) -> float | list[list[Any]]:
        """As it is written in a file."""
        if len(self.points) == 1:
            return self.points[0][1]
        return [
            [*point] if ramp == "hold" else [*point, ramp] for point, ramp in zip(self.points, self.ramps)
        ]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TempoMap) and (self.points, self.ramps) == (other.points, other.ramps)

    def __hash__(self) -> int:
        return hash((self.points, self.ramps))

    def __repr__(self) -> str:
        return f"TempoMap({self.plain()})"


def _entries(tempo: Any) -> tuple[tuple[tuple[float, float], ...], tuple[str, ...]]:
    """Pairs (beat, BPM) and ramps; the last one's has nowhere to go, and holds."""
    points: list[tuple[float, float]] = []
    ramps: list[str] = []
    try:
        for entry in tempo:
            beat, bpm, ramp = (*entry, "hold") if len(entry) == 2 else entry
            points.append((_bounded(beat, "a tempo's beat"), _tempo(bpm)))
            ramps.append(ramp)
    except TooFar as error:
        raise InputError(str(error)) from None
    except (TypeError, ValueError):
        raise InputError(f"tempo is {tempo!r}; expected BPM above 0, or pairs (beat, BPM)") from None
    for ramp in ramps:
        if ramp not in RAMPS:
            raise InputError(f"a tempo has no ramp {shown(ramp)}; expected one of {', '.join(RAMPS)}")
    return tuple(points), tuple([*ramps[:-1], "hold"][: len(points)])


@dataclass(frozen=True)
class Span:
    """A stretch of the clip in which the points of an automation lie: their times count from its start,
    their percentages are shares of its length."""

    start: Moment = Moment((Term(0.0),))
    length: Moment = Moment((Term(100.0, "%"),))


@dataclass(frozen=True)
class Ruler:
    """What it takes to say which second a moment is. duration: of the clip, in seconds."""

    duration: float
    tempo: TempoMap | None = None
    beats_per_bar: float = 4
    span: Span | None = None

    def second(self, moment: Moment) -> float:
        """The second of a point. Raises NoTempo where it is in beats and there is no tempo."""
        if self.span is None:
            return self._walk(0.0, moment.terms)
        at = self.start
        for term in moment.terms:
            way = self.span.length.scaled(term.amount / 100) if term.unit == "%" else (term,)
            at = self._walk(at, way)
        return at

    def in_beats(self, here: Moment, there: Moment) -> bool:
        """Whether the way from one point to the next is said in beats or bars: their times differ in these alone."""
        before, after = self._amounts(here), self._amounts(there)
        return {unit for unit in before if before[unit] != after[unit]} == {"beats"}

    def _amounts(self, moment: Moment) -> dict[str, float]:
        """How much of each unit a moment comes to, bars as beats and shares of a span as what that is said in."""
        amounts = {"s": 0.0, "beats": 0.0, "%": 0.0}
        for term in moment.terms:
            parts: tuple[Term, ...] = (term,)
            if term.unit == "%" and self.span is not None:
                parts = self.span.length.scaled(term.amount / 100)
            for part in parts:
                bars = part.unit == "bars"
                amounts["beats" if bars else part.unit] += part.amount * (self.beats_per_bar if bars else 1)
        return amounts

    @property
    def start(self) -> float:
        """The second at which the span begins; 0 without one."""
        return self._walk(0.0, self.span.start.terms) if self.span else 0.0

    @property
    def end(self) -> float:
        """The second at which the span ends; the clip's end without one."""
        return self._walk(self.start, self.span.length.terms) if self.span else self.duration

    def _walk(self, second: float, terms: Sequence[Term]) -> float:
        for term in terms:
            if term.unit == "s":
                second += term.amount
            elif term.unit == "%":
                second += term.amount / 100 * self.duration
            elif self.tempo is None:
                raise NoTempo(str(term))
            else:
                beats = term.amount * (self.beats_per_bar if term.unit == "bars" else 1)
                second = self.tempo.seconds(self.tempo.beat(second) + beats)
        return second


class NoTempo(Exception):
    """A time in beats or bars cannot be found without a tempo."""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _tempo(bpm: float) -> float:
    try:
        return float(bpm)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf
