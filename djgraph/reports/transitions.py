"""Where one track passes into another, from how loud each is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from djgraph.reports.course import Course
from djgraph.reports.runs import runs

PRESENT_DB = -60.0
"""dB of full scale, as BS.1770 weights it, from which a track is there."""
BREAK = 8.0
"""Seconds for which a track may rest and is still the same passage."""
APART = 16.0
"""Seconds that may lie between one track's end and the next one's beginning."""


@dataclass(frozen=True)
class Span:
    """One track passes into another. leaving, entering: inputs. begin, end: seconds between which both are there, or
    none is."""

    leaving: str
    entering: str
    begin: float
    end: float


def transitions(course: Course) -> tuple[Span, ...]:
    """Where two tracks are there at once, one of which was there before, and where one ends and another begins within
    16 s. A track is there above −60 dB of full scale, and in rests of up to 8 s."""
    passages = [
        (begin, end, track)
        for track, level in enumerate(course.level)
        for begin, end in runs(level > PRESENT_DB, course, gap=BREAK)
    ]
    passages.sort()
    found = []
    for place, (_, end, track) in enumerate(passages):
        for later, later_end, other in passages[place + 1 :]:
            if other == track or later > end + APART:
                continue
            between = any(
                third not in (track, other) and start < later and stop > end
                for start, stop, third in passages
            )
            if later > end and between:
                continue
            span = (min(later, end), max(later, min(end, later_end)))
            first, second = (track, other) if _leaves(course, track, other, *span) else (other, track)
            found.append(Span(course.tracks[first], course.tracks[second], *span))
    return tuple(sorted(found, key=lambda span: span.begin))


def _leaves(course: Course, one: int, other: int, begin: float, end: float) -> bool:
    """Whether of two tracks it is the first that is louder at the beginning, rather than at the end."""
    difference = course.level[one] - course.level[other]
    window = course.windows(begin, end + course.hop)
    part = difference[window]
    if not len(part):
        return True
    third = max(1, len(part) // 3)
    return bool(np.mean(part[:third]) >= np.mean(part[-third:]))
