"""A picture of a whole set: decks with the stems of their tracks, transitions, phrases, tempo, keys, and what moves."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from djgraph.analysis import transposed
from djgraph.atomic import atomic_writer, check_target
from djgraph.daw import Arrangement
from djgraph.drawing.measure import fitted, width
from djgraph.errors import DJGraphError, InputError
from djgraph.sets.energies import Energy, energies
from djgraph.sets.marks import (
    BADGE,
    HAIR,
    INK,
    LEFT,
    NOTE,
    PAPER,
    Time,
    badge,
    clock,
    line,
    path_of,
    shown,
    steps,
    text_at,
)
from djgraph.sets.moving import Course, moving
from djgraph.sets.plan import PlayedTrack, SetPlan, Transition
from djgraph.sets.to_daw import COLOURS

Array = NDArray[np.float64]

FORMATS = (".svg", ".png")
SCALE = 2
"""Pixels of a PNG for one of the SVG's."""
FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
STEMS = {"drums": "#c8553d", "bass": "#2f6690", "vocals": "#d99a1c", "other": "#5a9367"}
MORE = ("#7b5ea7", "#3a9c9c", "#b5577f", "#6b7280")
"""Colours of stems of other names."""
LINES = ("#2f6690", "#c8553d", "#7b5ea7", "#3a9c9c", "#d99a1c", "#b5577f", "#5a9367", "#444b57")
"""Colours of kinds of controls."""
WIDE = 1400.0
"""Pixels that time takes in a row."""
RIGHT, TOP, BOTTOM = 24.0, 62.0, 40.0
LONGEST = 780.0
"""Seconds of a row, at most."""
TIMES, TEMPO, NAMES, HEAD, STEM, MOVES, BETWEEN, ROWS = 18.0, 36.0, 18.0, 20.0, 17.0, 32.0, 8.0, 34.0
"""Heights: of the times, the tempo, transitions' names, tracks' names, a stem, what moves; between decks; rows."""


def draw_set(plan: SetPlan, arrangement: Arrangement, path: str | os.PathLike[str]) -> None:
    """Write :func:`to_svg` to an ``.svg`` or ``.png`` file. Raises as :func:`check_picture`."""
    check_picture(path)
    text = to_svg(plan, arrangement)
    content = text.encode()
    if Path(path).suffix.lower() == ".png":
        import resvg_py

        content = bytes(resvg_py.svg_to_bytes(svg_string=text, zoom=SCALE))
    with atomic_writer(path) as file:
        file.write(content)


def check_picture(path: str | os.PathLike[str]) -> None:
    """Raise InputError for another ending than ``.svg`` and ``.png``, DJGraphError where the file cannot come to be
    and, for PNG, where resvg is not installed."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: pictures of sets are written to {', '.join(FORMATS)}")
    check_target(path)
    if suffix == ".png":
        try:
            import resvg_py  # noqa: F401
        except ImportError:
            raise DJGraphError("pictures as PNG need resvg: pip install 'djgraph[draw]'") from None


def to_svg(plan: SetPlan, arrangement: Arrangement) -> str:
    """The set as a standalone SVG document, in rows of at most 13 minutes.

    A lane for each stem of a deck: how loud it is, bar by bar, as it is heard, and pale as the track has it. Below them
    what moves besides faders. arrangement: :func:`djgraph.sets.to_daw.arrangement_of` of the plan.
    """
    return "\n".join(_Picture(plan, arrangement).lines()) + "\n"


class _Picture:
    def __init__(self, plan: SetPlan, arrangement: Arrangement) -> None:
        self._plan = plan
        self._energies = [energies(plan, arrangement, number) for number in range(len(plan.tracks))]
        self._decks = [name for name in plan.graph.inputs if any(t.input == name for t in plan.tracks)]
        self._stems = {
            deck: list(
                dict.fromkeys(s for t, e in zip(plan.tracks, self._energies) if t.input == deck for s in e)
            )
            for deck in self._decks
        }
        self._courses = moving(plan)
        kinds = list(dict.fromkeys(course.kind for course in self._courses))
        self._kinds = {kind: LINES[i % len(LINES)] for i, kind in enumerate(kinds)}
        others = [s for stems in self._stems.values() for s in stems if s not in STEMS]
        self._colours = STEMS | {s: MORE[i % len(MORE)] for i, s in enumerate(dict.fromkeys(others))}
        count = max(1, math.ceil(plan.seconds / LONGEST))
        self._row = plan.seconds if count == 1 else math.ceil(plan.seconds / count / 60) * 60.0
        self._rows = max(1, math.ceil(plan.seconds / self._row - 1e-9))
        self._tall = {
            deck: HEAD + STEM * len(stems) + (MOVES if self._moves(deck) else 6)
            for deck, stems in self._stems.items()
        }
        self._shared = MOVES if self._moves("") else 0.0

    def lines(self) -> Iterator[str]:
        plan = self._plan
        tall = TIMES + TEMPO + NAMES + sum(self._tall.values()) + BETWEEN * len(self._decks) + self._shared
        wide = LEFT + WIDE + RIGHT
        high = TOP + self._rows * tall + (self._rows - 1) * ROWS + BOTTOM
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" width="{wide:g}" '
            f'height="{high:g}" font-family="{FONT}" font-size="10">'
        )
        yield f"<title>{shown(plan.title or plan.name)}</title>"
        yield f'<rect width="{wide:g}" height="{high:g}" fill="{PAPER}"/>'
        yield text_at(24, 30, fitted(plan.title or plan.name, WIDE, 17, bold=True), INK, 17, bold=True)
        yield text_at(24, 47, self._about(), NOTE, 10.5)
        for row in range(self._rows):
            top = TOP + row * (tall + ROWS)
            yield from self._draw_row(row, top, tall)
        yield from self._legend(high - 14)
        yield "</svg>"

    def _about(self) -> str:
        plan = self._plan
        tempos = [bpm for _, bpm in plan.tempo.points]
        low, high = min(tempos), max(tempos)
        span = f"{low:.4g} BPM" if low == high else f"{low:.4g} to {high:.4g} BPM"
        return f"{len(plan.tracks)} tracks · {clock(plan.seconds)} · {span}"

    def _moves(self, deck: str) -> bool:
        return any(course.deck == deck for course in self._courses)

    # ── One row of time ─────────────────────────────────────────────────────────────────────────────────────

    def _draw_row(self, row: int, top: float, tall: float) -> Iterator[str]:
        begins, ends = row * self._row, min((row + 1) * self._row, self._plan.seconds)
        time = Time(begins, ends, WIDE / self._row)
        yield f'<g class="row" data-begins="{begins:g}">'
        yield from self._transitions(time, top, tall)
        yield from self._times(time, top, tall)
        yield from self._tempo(time, top + TIMES)
        at = top + TIMES + TEMPO + NAMES
        for deck in self._decks:
            yield from self._deck(deck, time, at)
            at += self._tall[deck] + BETWEEN
        if self._shared:
            yield text_at(LEFT - 8, at + MOVES / 2 + 3, "all decks", NOTE, 9, anchor="end")
            yield from self._automation("", time, at)
        yield "</g>"

    def _times(self, time: Time, top: float, tall: float) -> Iterator[str]:
        step = next((s for s in (5, 10, 15, 30, 60, 120, 300) if s * time.scale >= 55), 600)
        for second in range(math.ceil(time.begins / step) * step, math.floor(time.ends) + 1, step):
            x = time.x(second)
            yield line(x, top + TIMES - 4, x, top + tall, HAIR, 0.6)
            yield text_at(x, top + 10, clock(second), NOTE, 9.5, anchor="middle")

    def _tempo(self, time: Time, top: float) -> Iterator[str]:
        tempo = self._plan.tempo
        bpms = [bpm for _, bpm in tempo.points]
        low, high = min(bpms), max(bpms)
        room = TEMPO - 24

        def y(bpm: float) -> float:
            return top + TEMPO - 5 - (room * (bpm - low) / (high - low) if high > low else room / 2)

        yield text_at(LEFT - 8, top + TEMPO - 8, "BPM", NOTE, 9, anchor="end")
        seconds = sorted({time.begins, time.ends, *(s for s in tempo.entries if time.begins < s < time.ends)})
        points: list[tuple[float, float]] = []
        for here, there in pairwise(seconds):
            places = np.linspace(here, there - 1e-6, 12).tolist()
            points += [(time.x(second), y(tempo.bpm(second))) for second in places]
        yield f'<path d="{path_of(points)}" fill="none" stroke="{INK}" stroke-width="1.3"/>'
        last, before = -math.inf, ""
        for second in seconds:
            text = f"{tempo.bpm(second):.5g}"
            if text != before and time.x(second) > last + 6:
                left = min(time.x(second) + 2, LEFT + WIDE - width(text, 9))
                yield text_at(left, y(tempo.bpm(second)) - 4, text, INK, 9)
                last, before = left + width(text, 9), text

    def _transitions(self, time: Time, top: float, tall: float) -> Iterator[str]:
        plan = self._plan
        at = top + TIMES + TEMPO
        free = LEFT
        for number, transition in enumerate(plan.transitions):
            begins, ends = plan.second(transition.begin), plan.second(transition.end)
            if not time.shows(begins, max(ends, begins + 0.01)):
                continue
            left, right = time.x(max(begins, time.begins)), time.x(min(ends, time.ends))
            yield (
                f'<rect x="{left:.1f}" y="{at:.1f}" width="{max(right - left, 1.2):.1f}" '
                f'height="{tall - TIMES - TEMPO:.1f}" fill="#e9edf3"/>'
            )
            if begins >= time.begins:
                following = plan.transitions[number + 1 : number + 2]
                room = (time.x(plan.second(following[0].begin)) if following else LEFT + WIDE) - left - 8
                name = fitted(self._named(transition), max(0.0, min(room, LEFT + WIDE - left)), 9)
                if left >= free and len(name) > 1:
                    yield text_at(left + 3, at + 12, name, NOTE, 9)
                    free = left + width(name, 9)

    def _named(self, transition: Transition) -> str:
        beats = f" · {transition.length:g} beats" if transition.length else ""
        return Path(transition.recipe).stem + beats + self._keys(transition)

    def _keys(self, transition: Transition) -> str:
        """Of both tracks as they are heard: pitch follows tempo."""
        leaving, entering = (self._plan.tracks[n] for n in (transition.leaving, transition.entering))
        one, other = leaving.known.camelot, entering.known.camelot
        if not one or not other:
            return ""
        middle = self._plan.second(transition.begin + transition.length / 2)
        # As they are compared: by what is between them, and not each rounded by itself.
        higher = round(leaving.pitch(middle))
        apart = round(entering.pitch(middle) - leaving.pitch(middle))
        return f" · {transposed(one, higher)} → {transposed(other, higher + apart)}"

    def _deck(self, deck: str, time: Time, top: float) -> Iterator[str]:
        stems = self._stems[deck]
        yield text_at(
            LEFT - 8, top + 13, fitted(deck, LEFT - 16, 10, bold=True), INK, 10, anchor="end", bold=True
        )
        for i, stem in enumerate(stems):
            y = top + HEAD + STEM * i
            yield line(LEFT, y + STEM - 0.5, time.x(time.ends), y + STEM - 0.5, HAIR, 0.5)
            yield text_at(
                LEFT - 8, y + STEM - 4, fitted(stem, LEFT - 16, 9), self._colours[stem], 9, anchor="end"
            )
        for number, track in enumerate(self._plan.tracks):
            if track.input == deck and time.shows(*self._plan.span(track)):
                yield from self._track(number, track, time, top, stems)
        yield from self._automation(deck, time, top + HEAD + STEM * len(stems))

    def _track(
        self, number: int, track: PlayedTrack, time: Time, top: float, stems: Sequence[str]
    ) -> Iterator[str]:
        begins, ends = self._plan.span(track)
        left, right = time.x(max(begins, time.begins)), time.x(min(ends, time.ends))
        tall = HEAD + STEM * len(stems)
        colour = COLOURS[number % len(COLOURS)]
        yield (
            f'<rect class="track" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{tall:.1f}" rx="3" '
            f'fill="{colour}" fill-opacity="0.09" stroke="{colour}" stroke-opacity="0.55" stroke-width="0.8"/>'
        )
        yield f'<rect x="{left:.1f}" y="{top:.1f}" width="3" height="{tall:.1f}" fill="{colour}"/>'
        yield from self._phrases(track, time, top, tall, colour)
        for i, stem in enumerate(stems):
            energy = self._energies[number].get(stem)
            if energy is not None:
                yield from self._energy(
                    energy, time, top + HEAD + STEM * (i + 0.5) - 0.5, self._colours[stem]
                )
        yield from self._cuts(track, time, top, tall, colour)
        yield from self._heading(number, track, left, right, top, begins >= time.begins)

    def _heading(
        self, number: int, track: PlayedTrack, left: float, right: float, top: float, whole: bool
    ) -> Iterator[str]:
        room = right - left - 14
        title = fitted(f"{number + 1}  {track.title}" + ("" if whole else " …"), room, 11, bold=True)
        if len(title) < 2:
            return
        yield text_at(left + 8, top + 13.5, title, INK, 11, bold=True)
        used = width(title, 11, bold=True) + 8
        begins, _ = self._plan.span(track)
        rate = track.rate(begins)
        key = track.known.camelot
        if key is not None and used + BADGE <= room:
            yield from badge(left + 8 + used, top + 4, key)
            used += BADGE + 6
        parts = [clock(begins)] if whole else []
        parts += [f"{track.grid.tempo:.4g} BPM"]
        parts += [f"{(rate - 1) * 100:+.1f} %"] if abs(rate - 1) >= 5e-4 else []
        parts += ["key locked"] if track.key_lock and abs(rate - 1) >= 5e-4 else []
        parts += [f"{track.gain:+.1f} dB"] if abs(track.gain) >= 0.05 else []
        notes = fitted(" · ".join(parts), room - used, 9)
        if len(notes) > 4:
            yield text_at(left + 8 + used, top + 13.5, notes, NOTE, 9)

    def _phrases(self, track: PlayedTrack, time: Time, top: float, tall: float, colour: str) -> Iterator[str]:
        begins, ends = self._plan.span(track)
        bars = track.grid.bars_until(track.seconds)
        whole = [bar for bar in track.known.phrases if 0 <= bar < len(bars)]
        for second in (second for bar in whole for second in track.mix_seconds(float(bars[bar]))):
            if max(begins, time.begins) <= second <= min(ends, time.ends):
                x = time.x(second)
                yield line(
                    x,
                    top + HEAD - 2,
                    x,
                    top + tall,
                    colour,
                    0.7,
                    ' stroke-opacity="0.45" stroke-dasharray="2 2"',
                )
                yield f'<path d="M{x - 3:.1f},{top + HEAD - 4:.1f} h6 l-3,4 Z" fill="{colour}" fill-opacity="0.8"/>'

    def _cuts(self, track: PlayedTrack, time: Time, top: float, tall: float, colour: str) -> Iterator[str]:
        """Where it begins a loop again, or jumps."""
        for run in track.runs[1:]:
            begins, ends = self._plan.heard(track, run)
            if begins < ends and begins == run.begins and time.begins <= begins <= time.ends:
                x = time.x(begins)
                yield line(x, top + HEAD - 2, x, top + tall, colour, 1.4, ' class="cut" stroke-opacity="0.9"')

    def _energy(self, energy: Energy, time: Time, middle: float, colour: str) -> Iterator[str]:
        inside = (energy.seconds[1:] > time.begins) & (energy.seconds[:-1] < time.ends)
        if not inside.any():
            return
        xs = [time.x(float(np.clip(s, time.begins, time.ends))) for s in energy.seconds]
        for values, opacity in ((energy.own, 0.22), (energy.heard, 0.95)):
            path = steps(xs, values.tolist(), inside.tolist(), middle, STEM / 2 - 1)
            yield f'<path d="{path}" fill="{colour}" fill-opacity="{opacity}"/>' if path else ""

    def _automation(self, deck: str, time: Time, top: float) -> Iterator[str]:
        """What moves, where the deck plays."""
        spans = [self._plan.span(track) for track in self._plan.tracks if track.input == deck]
        for course in self._courses:
            if course.deck != deck:
                continue
            for beats, positions in course.ways:
                seconds = np.array([self._plan.second(beat) for beat in beats.tolist()])
                for begins, ends in spans or [(0.0, self._plan.seconds)]:
                    yield from self._way(course, seconds, positions, time, top, (begins, ends))

    def _way(
        self,
        course: Course,
        seconds: Array,
        positions: Array,
        time: Time,
        top: float,
        span: tuple[float, float],
    ) -> Iterator[str]:
        begins, ends = max(span[0], time.begins, seconds[0]), min(span[1], time.ends, seconds[-1])
        if (ends - begins) * time.scale < 1:
            return
        inner = (seconds > begins) & (seconds < ends)
        edges = np.interp([begins, ends], seconds, positions)
        places = [begins, *seconds[inner].tolist(), ends]
        values = [edges[0], *positions[inner].tolist(), edges[1]]
        low, tall = top + MOVES - 5, MOVES - 10
        points = [(time.x(second), low - tall * value) for second, value in zip(places, values)]
        under = [(points[0][0], low - tall * course.rest), *points, (points[-1][0], low - tall * course.rest)]
        colour = self._kinds[course.kind]
        yield f'<path d="{path_of(under)} Z" fill="{colour}" fill-opacity="0.13"/>'
        yield (
            f'<path class="moves" d="{path_of(points)}" fill="none" stroke="{colour}" stroke-width="1.3" '
            f'stroke-linejoin="round"><title>{shown(course.name)}</title></path>'
        )

    # ── Below ───────────────────────────────────────────────────────────────────────────────────────────────

    def _legend(self, y: float) -> Iterator[str]:
        x = LEFT
        words = "how loud a stem is: as heard, and pale as the track has it"
        yield f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="7" height="10" fill="{NOTE}"/>'
        yield f'<rect x="{x + 7:.1f}" y="{y - 9:.1f}" width="7" height="10" fill="{NOTE}" fill-opacity="0.25"/>'
        yield text_at(x + 19, y, words, NOTE, 9.5)
        x += 30 + width(words, 9.5)
        yield f'<path d="M{x:.1f},{y - 8:.1f} h8 l-4,6 Z" fill="{NOTE}"/>'
        yield text_at(x + 13, y, "a phrase begins", NOTE, 9.5)
        x += 26 + width("a phrase begins", 9.5)
        if any(len(track.runs) > 1 for track in self._plan.tracks):
            yield line(x, y - 9, x, y + 1, NOTE, 1.4)
            yield text_at(x + 6, y, "a loop begins again, or a jump", NOTE, 9.5)
            x += 19 + width("a loop begins again, or a jump", 9.5)
        for kind, colour in self._kinds.items():
            need = 34 + width(kind, 9.5)
            if x + need > LEFT + WIDE:
                break
            yield line(x, y - 4, x + 18, y - 4, colour, 1.6)
            yield text_at(x + 23, y, kind, NOTE, 9.5)
            x += need
