"""A report: what was found in a mix, as text and as data."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from djgraph.automation import TempoMap
from djgraph.reports.course import Course
from djgraph.reports.findings import AROUND, TITLES, Finding, findings
from djgraph.reports.transitions import Span, transitions
from djgraph.text import one_line

VERSION = 1
"""Of the report's data."""
LINEAR_DB = -50.0
"""Below the mix: what parts may not add up to before it is said."""
WIDTH = 100
"""Characters of a line of text."""


@dataclass(frozen=True)
class Report:
    """course: the measures. transitions: where one track passes into another. findings: faults, in order of time.
    notes: what could not be told. tempo: of the mix, where it is known: times are said in beats, too. names: of the
    tracks of transitions, where they are not those of the inputs."""

    title: str
    course: Course
    transitions: tuple[Span, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    tempo: TempoMap | None = None
    names: Mapping[Span, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        course: Course,
        *,
        title: str = "mix",
        tempo: TempoMap | float | None = None,
        controls: Collection[str] = (),
        normalized: bool = False,
        spans: Mapping[Span, tuple[str, str]] | None = None,
    ) -> Report:
        """From what a :class:`djgraph.reports.Listener` heard. title: of the mix, for people. controls: names of the
        mixer's, for advice. normalized: the mix is scaled afterwards, so that it does not clip. spans: its transitions,
        where they are known, and what the two tracks of each are called; otherwise they are found."""
        clock = None if tempo is None else TempoMap(tempo)
        known = spans or {}
        places = transitions(course) if spans is None else tuple(sorted(known, key=lambda one: one.begin))
        found = findings(course, places, controls, lambda second: moment(second, clock))
        if normalized:
            found = tuple(one for one in found if one.kind != "clipping")
        return cls(title, course, places, found, _notes(course), clock, known)

    def of_transition(self, span: Span) -> tuple[Finding, ...]:
        """The findings within a transition or near it."""
        return tuple(
            one for one in self.findings if one.begin <= span.end + AROUND and one.end >= span.begin - AROUND
        )

    def elsewhere(self) -> tuple[Finding, ...]:
        """The findings near no transition."""
        near = {id(one) for span in self.transitions for one in self.of_transition(span)}
        return tuple(one for one in self.findings if id(one) not in near)

    def when(self, begin: float, end: float) -> str:
        """From when to when, in words: minutes and seconds, and beats."""
        text = f"{minutes(begin)} … {minutes(end)}"
        if self.tempo is not None:
            text += f" (beats {self.tempo.beat(begin):.4g} … {self.tempo.beat(end):.4g})"
        return text

    def called(self, span: Span) -> str:
        """From which track to which."""
        names = self.names.get(span)
        if names is None:
            return f"{span.leaving} → {span.entering}"
        return f"{one_line(names[0])} ({span.leaving}) → {one_line(names[1])} ({span.entering})"

    def text(self) -> str:
        """For people, a few lines for each finding."""
        count = len(self.transitions)
        tracks = count + 1 if self.names else len(self.course.tracks)  # of a set, and not its decks
        lines = [
            f"{one_line(self.title)}: {minutes(self.course.length)}, {_several(tracks, 'track')}, "
            f"{_several(count, 'transition')}, {_several(len(self.findings), 'finding')}"
        ]
        for number, span in enumerate(self.transitions, 1):
            kept = self.of_transition(span)
            lines += ["", f"{number}. {self.called(span)}, {self.when(span.begin, span.end)}"]
            lines += self._findings(kept) or ["   nothing found"]
        if rest := self.elsewhere():
            lines += ["", "elsewhere", *self._findings(rest)]
        for note in self.notes:
            lines += ["", *textwrap.wrap(f"note: {note}", WIDTH, subsequent_indent="      ")]
        return "\n".join(lines) + "\n"

    def _findings(self, found: tuple[Finding, ...]) -> list[str]:
        lines = []
        for one in found:
            lines.append(f"   {TITLES[one.kind]:14} {self.when(one.begin, one.end)}")
            for text in (one.text, f"→ {one.advice}"):
                lines += textwrap.wrap(text, WIDTH, initial_indent=" " * 18, subsequent_indent=" " * 20)
        return lines

    def data(self) -> dict[str, Any]:
        """As JSON has it. Measures are those of each window, rounded; docs/reports.md says what they are."""
        course = self.course
        couples = [[course.tracks[i], course.tracks[j]] for i, j in course.couples]
        return {
            "report": VERSION,
            "title": self.title,
            "seconds": course.length,
            "tracks": list(course.tracks),
            "transitions": [
                {
                    "leaving": span.leaving,
                    "entering": span.entering,
                    **({"names": list(self.names[span])} if span in self.names else {}),
                    **self._span(span.begin, span.end),
                }
                for span in self.transitions
            ],
            "findings": [
                {
                    "kind": one.kind,
                    **self._span(one.begin, one.end),
                    "tracks": list(one.tracks),
                    "value": one.value,
                    "unit": one.unit,
                    "text": one.text,
                    "advice": one.advice,
                }
                for one in self.findings
            ],
            "notes": list(self.notes),
            "residual_db": round(_residual_db(course), 1),
            "measures": {
                "seconds": _rounded(course.seconds, 3),
                "loudness": _rounded(course.loudness, 2),
                "hole": _rounded(course.hole, 2),
                "jump": _rounded(course.jump, 2),
                "peak": _rounded(course.peak, 2),
                "cancelled": _rounded(course.cancelled, 3),
                "level": dict(zip(course.tracks, (_rounded(row, 1) for row in course.level))),
                "audible": dict(zip(course.tracks, (_rounded(row, 3) for row in course.audible))),
                "couples": couples,
                "bass": [_rounded(row, 3) for row in course.bass],
                "vocals": None if course.vocals is None else [_rounded(row, 3) for row in course.vocals],
                "keys": [_rounded(row, 3) for row in course.clash],
            },
        }

    def _span(self, begin: float, end: float) -> dict[str, Any]:
        out: dict[str, Any] = {"begin": round(begin, 3), "end": round(end, 3)}
        if self.tempo is not None:
            out |= {
                "begin_beat": round(self.tempo.beat(begin), 3),
                "end_beat": round(self.tempo.beat(end), 3),
            }
        return out


def minutes(second: float) -> str:
    """``m:ss.s``, or ``h:mm:ss.s``."""
    tenths = round(second * 10)
    hours, rest = divmod(tenths, 36_000)
    return (
        f"{hours}:{rest // 600:02d}:{rest % 600 / 10:04.1f}"
        if hours
        else f"{rest // 600}:{rest % 600 / 10:04.1f}"
    )


def moment(second: float, tempo: TempoMap | None) -> str:
    """A moment in a sentence: its beat, where the tempo is known, else its time."""
    return minutes(second) if tempo is None else f"beat {tempo.beat(second):.4g}"


def _notes(course: Course) -> tuple[str, ...]:
    notes = []
    if len(course.tracks) < 2:
        notes.append("there is one track: only loudness and clipping can be told")
    elif course.vocals is None:
        notes.append(
            "there are not two tracks with a stem of vocals: whether two sing at once cannot be told"
        )
    if (off := _residual_db(course)) > LINEAR_DB:
        notes.append(
            f"the mixer is not linear (a limiter, a compressor, a distortion, or noise of its own): the parts, each "
            f"heard alone, differ from the mix by {off:.0f} dB; levels of parts are those they would have alone"
        )
    return tuple(notes)


def _residual_db(course: Course) -> float:
    return 10 * math.log10(max(course.residual, 1e-20))


def _rounded(values: Any, digits: int) -> list[float]:
    return [round(float(value), digits) + 0.0 for value in values]


def _several(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
