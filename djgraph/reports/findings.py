"""What of the measures is a fault: where, how strong, and what would help."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np

from djgraph.losses.hearing import AUDIBLE
from djgraph.losses.levels import HOLE, JUMP
from djgraph.reports.course import Array, Course
from djgraph.reports.keys import camelot, name_of, steps
from djgraph.reports.runs import runs
from djgraph.reports.transitions import PRESENT_DB, Span

TOGETHER = 1 / 3
"""Of two at once: the weaker is within 10 dB of the stronger."""
CLASHING = 0.25
"""Of keys: two equally loud tracks whose keys are clear, more than two steps apart."""
CANCELLED = 0.25
"""Share of the power."""
AROUND = 3.0
"""Seconds around a transition that belong to it: as long as loudness is measured over."""
Where = Callable[[float], str]
"""A second of the mix, in words."""


@dataclass(frozen=True)
class Threshold:
    """From where on, for how many seconds at least, with gaps up to how many seconds between."""

    value: float
    least: float
    gap: float


THRESHOLDS = {
    "bass": Threshold(TOGETHER, 1.5, 1.0),
    "vocals": Threshold(TOGETHER, 4.0, 1.0),
    "keys": Threshold(CLASHING, 4.0, 2.0),
    "inaudible": Threshold(AUDIBLE, 4.0, 0.5),
    "cancellation": Threshold(CANCELLED, 1.0, 0.5),
    "hole": Threshold(HOLE, 1.0, 0.5),
    "jump": Threshold(JUMP, 0.1, 0.5),
    "clipping": Threshold(0.0, 0.0, 2.0),
}
"""By kind; docs/reports.md says why."""
TITLES = {
    "bass": "two basses",
    "vocals": "two vocals",
    "keys": "keys clash",
    "inaudible": "not heard",
    "cancellation": "cancellation",
    "hole": "loudness hole",
    "jump": "loudness jump",
    "clipping": "clipping",
}


@dataclass(frozen=True)
class Finding:
    """A fault. kind: a key of :data:`THRESHOLDS`. begin, end: seconds of the mix. tracks: the inputs it is about.
    value, unit: how strong at worst. text: the same in words. advice: what would help."""

    kind: str
    begin: float
    end: float
    tracks: tuple[str, ...]
    value: float
    unit: str
    text: str
    advice: str


def findings(
    course: Course, spans: tuple[Span, ...], names: Collection[str] = (), where: Where | None = None
) -> tuple[Finding, ...]:
    """All faults of a mix, in order of time. spans: its transitions; holes and jumps elsewhere are the tracks' own, and
    so they count where there is no transition at all. names: of the mixer's controls, for advice. where: words for a
    second in advice."""
    say = where or (lambda second: f"{second:.1f} s")
    found = [
        *_pairs(course, spans, names, say),
        *_unheard(course, spans, say),
        *_cancelled(course),
        *_levels(course, spans, say),
        *_clipped(course),
    ]
    return tuple(sorted(found, key=lambda one: (one.begin, list(THRESHOLDS).index(one.kind))))


def _runs(kind: str, values: Array, course: Course) -> list[tuple[float, float]]:
    limit = THRESHOLDS[kind]
    return runs(values > limit.value, course, limit.gap, limit.least)


def _pairs(course: Course, spans: tuple[Span, ...], names: Collection[str], say: Where) -> Iterator[Finding]:
    for number, one, other in course.couple_names():
        i, j = course.couples[number]
        for kind, values, levels in (
            ("bass", course.bass, course.bass_level),
            ("vocals", course.vocals, course.vocal_level),
        ):
            if values is None:
                continue
            for begin, end in _runs(kind, values[number], course):
                span = course.windows(begin, end)
                weights = values[number, span]
                first, second = (float(_mean_db(levels[k, span], weights)) for k in (i, j))
                stem = "bass" if kind == "bass" else "vocals"
                weaker, stronger = (one, other) if first < second else (other, one)
                apart = abs(first - second)
                _, entering = _concerned(spans, begin, end)
                later = entering if entering in (one, other) else weaker
                first_of = other if later == one else one
                advice = f"keep {_control(later, stem, names)} down from {say(begin)} until the {stem} of {first_of} "
                if kind == "bass":
                    advice += "is out: cut the one and raise the other at one moment (recipe bass_swap)"
                else:
                    advice += "are out, or move the transition to where only one sings"
                yield Finding(
                    kind,
                    begin,
                    end,
                    (one, other),
                    round(apart, 1),
                    "dB",
                    f"the {stem} of {weaker} {'is' if stem == 'bass' else 'are'} {apart:.1f} dB below "
                    f"{'that' if stem == 'bass' else 'those'} of {stronger}",
                    advice,
                )
        for begin, end in _runs("keys", course.clash[number], course):
            span = course.windows(begin, end)
            keys = [
                int(np.argmax((course.keys[k, :, span] * course.clash[number, span]).sum(1))) for k in (i, j)
            ]
            away = steps(*keys)
            yield Finding(
                "keys",
                begin,
                end,
                (one, other),
                float(away),
                "steps",
                f"{one} is in {camelot(keys[0])} ({name_of(keys[0])}), {other} in {camelot(keys[1])} "
                f"({name_of(keys[1])}): {away} steps apart on the wheel",
                f"keep what has pitch in one of them down while both play (drums of {other} over {one}), play one "
                "in another key, or make the transition shorter",
            )


def _unheard(course: Course, spans: tuple[Span, ...], say: Where) -> Iterator[Finding]:
    for number, track in enumerate(course.tracks):
        limit = THRESHOLDS["inaudible"]
        plays = (course.level[number] > PRESENT_DB) & (course.audible[number] < limit.value)
        for begin, end in runs(plays, course, limit.gap, limit.least):
            entering = any(
                span.entering == track and span.begin <= end and span.end >= begin for span in spans
            )
            advice = (
                f"bring it in later, or faster: its fade is heard from {say(end)} on"
                if entering
                else f"nobody hears it after {say(begin)}: take it out there, or fade it more slowly"
            )
            yield Finding(
                "inaudible",
                begin,
                end,
                (track,),
                round(end - begin, 1),
                "s",
                f"{track} plays for {end - begin:.1f} s and is masked by the other",
                advice,
            )


def _cancelled(course: Course) -> Iterator[Finding]:
    for begin, end in _runs("cancellation", course.cancelled, course):
        span = course.windows(begin, end)
        band = int(np.argmax((course.lost[:, span] * course.share[:, span]).mean(1)))
        low, high = course.band(band)
        lost = float(course.lost[band, span].max())
        pair = np.argsort(-_mean_db(course.level[:, span]))[:2]
        tracks = tuple(course.tracks[int(i)] for i in sorted(pair))
        yield Finding(
            "cancellation",
            begin,
            end,
            tracks,
            round(lost, 1),
            "dB",
            f"{low:.0f} to {high:.0f} Hz are {lost:.1f} dB weaker than {' and '.join(tracks)} would be apart",
            f"cut the lows of one of them, or move {tracks[-1]} by some milliseconds, or invert it",
        )


def _levels(course: Course, spans: tuple[Span, ...], say: Where) -> Iterator[Finding]:
    inside = np.ones(len(course.seconds), dtype=bool)
    if spans:
        inside[:] = False
        for span in spans:
            inside[course.windows(span.begin - AROUND, span.end + AROUND)] = True
    for begin, end in _runs("hole", np.where(inside, course.hole, 0.0), course):
        depth = float(course.hole[course.windows(begin, end)].max())
        leaving, entering = _concerned(spans, begin, end)
        yield Finding(
            "hole",
            begin,
            end,
            tuple(filter(None, (leaving, entering))),
            round(depth, 1),
            "LU",
            f"{depth:.1f} LU below what is before and after",
            f"bring {entering} up earlier, or {leaving} down later (recipe equal_power falls by nothing where tracks "
            "are not alike)"
            if entering
            else "raise the faders there",
        )
    jumps = np.where(inside, course.jump, 0.0)
    for begin, end in _runs("jump", np.abs(jumps), course):
        part = jumps[course.windows(begin, end)]
        step = float(part[np.argmax(np.abs(part))])
        middle = begin + float(np.argmax(np.abs(part)) * course.hop)
        leaving, entering = _concerned(spans, begin, end)
        yield Finding(
            "jump",
            begin,
            end,
            tuple(filter(None, (leaving, entering))),
            round(step, 1),
            "LU",
            f"{abs(step):.1f} LU {'louder' if step > 0 else 'quieter'} within 3 s, at {say(middle)}",
            f"turn {entering or 'the mix'} {'down' if step > 0 else 'up'} by {abs(step):.0f} dB, or match the tracks' "
            "loudness before",
        )


def _clipped(course: Course) -> Iterator[Finding]:
    for begin, end in _runs("clipping", course.peak, course):
        over = float(course.peak[course.windows(begin, end)].max())
        yield Finding(
            "clipping",
            begin,
            end,
            (),
            round(over, 1),
            "dB",
            f"peaks {over:.1f} dB beyond full scale",
            f"turn the mix down by {over + 1:.1f} dB (--normalize does), or put a limiter on its output",
        )


def _concerned(spans: tuple[Span, ...], begin: float, end: float) -> tuple[str | None, str | None]:
    near = [span for span in spans if span.begin - AROUND <= end and span.end + AROUND >= begin]
    return (near[0].leaving, near[0].entering) if near else (None, None)


def _control(track: str, stem: str, names: Collection[str]) -> str:
    """The control that turns a stem down, by name where there is one."""
    for name in (f"{track}.{stem}.gain", f"{track}.{stem}.fader", f"{track}.low", f"{track}.eq_low"):
        if name in names and (stem == "bass" or name.split(".")[1] == stem):
            return name
    return f"the {'lows' if stem == 'bass' else stem} of {track}"


def _mean_db(levels: Array, weights: Array | None = None) -> Array:
    """Of levels over time, as powers."""
    mean: Array = 10 * np.log10(np.average(10 ** (levels / 10), axis=-1, weights=weights))
    return mean
