"""A report as a picture: the measures as lanes over time, what was found marked in them, and named below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np

from djgraph.drawing.measure import fitted, width
from djgraph.errors import DJGraphError
from djgraph.reports.course import Array
from djgraph.reports.findings import THRESHOLDS, TITLES, Finding
from djgraph.reports.report import Report, minutes

FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
TRACKS = ("#2563eb", "#d97706", "#16a34a", "#9333ea", "#0891b2", "#db2777", "#64748b", "#ca8a04")
INK, QUIET, HAIR, PAPER = "#111827", "#6b7280", "#d1d5db", "#ffffff"
FAULT, FAINT, SPAN = "#dc2626", "#fee2e2", "#f1f5f9"
WIDE, LEFT, RIGHT = 1080.0, 128.0, 20.0
"""Pixels: of the picture, of the lanes' names, and beside the lanes."""
LANE, BETWEEN, HEAD, AXIS = 46.0, 8.0, 66.0, 26.0
LINE, TEXT, SMALL = 17.0, 12.0, 10.0
POINTS = 1400
"""Of a line; of more windows each point is the largest of several."""
SCALE = 2
"""Pixels of a PNG for one of the picture's."""
LETTERS = 150
"""Of a line of text below."""


@dataclass(frozen=True)
class _Curve:
    """What a lane shows: values from ``low`` to ``high``, and its colour; filled from below or a line."""

    values: Array
    colour: str
    low: float
    high: float
    filled: bool = True
    opacity: float = 0.55


@dataclass(frozen=True)
class _Lane:
    """name, and a few words below it; limit: where a finding begins, on the scale of the first curve."""

    name: str
    about: str
    curves: tuple[_Curve, ...]
    kinds: tuple[str, ...]
    limit: float | None = None
    track: str | None = None


def to_svg(report: Report) -> str:
    """The report as a standalone SVG document."""
    sheet = _Sheet(report)
    title = f'<text x="20" y="28" font-size="16" font-weight="bold" fill="{INK}">'
    below = list(_below(report))
    high = sheet.bottom + AXIS + 14 + LINE * len(below) + 14
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE:g} {high:g}" width="{WIDE:g}" height="{high:g}" '
        f'font-family="{FONT}" font-size="{TEXT:g}">',
        f"<title>{escape(report.title)}</title>",
        f'<rect width="{WIDE:g}" height="{high:g}" fill="{PAPER}"/>',
        f"{title}{escape(fitted(report.title, WIDE - 40, 16, bold=True))}</text>",
        *sheet.transitions(),
        *(line for number, lane in enumerate(sheet.lanes) for line in sheet.lane(number, lane)),
        *sheet.axis(),
    ]
    for number, (text, style) in enumerate(below):
        y = sheet.bottom + AXIS + 22 + LINE * number
        parts.append(f'<text x="20" y="{y:g}" {style}>{escape(text)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def to_png(report: Report) -> bytes:
    """The picture as a PNG file, twice as wide and high. Raises DJGraphError where resvg is not installed."""
    try:
        import resvg_py
    except ImportError:
        raise DJGraphError("pictures as PNG need resvg: pip install 'djgraph[draw]'") from None
    return bytes(resvg_py.svg_to_bytes(svg_string=to_svg(report), zoom=SCALE))


def to_html(report: Report) -> str:
    """The report as a page that needs nothing else: its picture, and what was found as a table."""
    rows = [
        f"<tr><td>{escape(TITLES[one.kind])}</td><td>{escape(report.when(one.begin, one.end))}</td>"
        f"<td>{one.value:g} {escape(one.unit)}</td><td>{escape(one.text)}</td><td>{escape(one.advice)}</td></tr>"
        for one in report.findings
    ]
    head = "<tr><th>what</th><th>when</th><th>how much</th><th></th><th>what would help</th></tr>"
    table = f"<table>\n{head}\n" + "\n".join(rows) + "\n</table>" if rows else "<p>Nothing was found.</p>"
    notes = "".join(f"<p>Note: {escape(note)}.</p>\n" for note in report.notes)
    style = (
        "body { margin: 1rem; font: 15px/1.4 system-ui, sans-serif; color: #111827; }\n"
        "svg { max-width: 100%; height: auto; }\ntable { border-collapse: collapse; }\n"
        "td, th { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; }\n"
        "td { border-top: 1px solid #d1d5db; }\n"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(report.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{to_svg(report)}{table}\n{notes}</body>\n</html>\n"
    )


class _Sheet:
    """Where everything stands."""

    def __init__(self, report: Report) -> None:
        self._report, self._course = report, report.course
        self.lanes = tuple(_lanes(report))
        self.bottom = HEAD + len(self.lanes) * (LANE + BETWEEN)
        self._inner = WIDE - LEFT - RIGHT

    def x(self, second: float) -> float:
        return LEFT + self._inner * min(max(second / self._course.length, 0.0), 1.0)

    def transitions(self) -> Iterator[str]:
        """Grey behind the lanes, and which tracks above."""
        free = 0.0
        for span in self._report.transitions:
            begin, end = self.x(span.begin), self.x(span.end)
            yield _rect(begin, HEAD - 6, max(end - begin, 1.5), self.bottom - HEAD + 2, SPAN)
            names = self._report.names.get(span, (span.leaving, span.entering))
            text = f"{fitted(names[0], 150, SMALL)} → {fitted(names[1], 150, SMALL)}"
            wide = width(text, SMALL)
            left = min(max((begin + end - wide) / 2, LEFT), WIDE - RIGHT - wide)
            if left >= free:
                yield f'<text x="{left:.1f}" y="{HEAD - 12:g}" font-size="{SMALL:g}" fill="{INK}">{escape(text)}</text>'
                free = left + wide + 8

    def lane(self, number: int, lane: _Lane) -> Iterator[str]:
        top = HEAD + number * (LANE + BETWEEN)
        yield _rect(LEFT, top, self._inner, LANE, "none", f' stroke="{HAIR}" stroke-width="0.8"')
        name = escape(fitted(lane.name, LEFT - 32, TEXT, bold=True))
        yield f'<text x="20" y="{top + 19:g}" font-weight="bold" fill="{INK}">{name}</text>'
        yield f'<text x="20" y="{top + 34:g}" font-size="{SMALL:g}" fill="{QUIET}">{escape(lane.about)}</text>'
        for one in self._report.findings:
            if one.kind in lane.kinds and (lane.track is None or lane.track in one.tracks):
                yield self._fault(one, top)
        for curve in lane.curves:
            yield self._curve(curve, top)
        if lane.limit is not None:
            first = lane.curves[0]
            y = top + LANE * (1 - (lane.limit - first.low) / (first.high - first.low))
            yield (
                f'<line x1="{LEFT:g}" x2="{WIDE - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="{FAULT}" '
                'stroke-width="0.8" stroke-dasharray="4 3" opacity="0.6"/>'
            )

    def _fault(self, one: Finding, top: float) -> str:
        begin, end = self.x(one.begin), self.x(one.end)
        wide = max(end - begin, 2.0)
        shown = escape(f"{TITLES[one.kind]}, {self._report.when(one.begin, one.end)}: {one.text}")
        box = _rect(begin, top + 0.4, wide, LANE - 0.8, FAINT)
        bar = _rect(begin, top + 0.4, wide, 3.0, FAULT)
        return f'<g class="finding"><title>{shown}</title>{box}{bar}</g>'

    def _curve(self, curve: _Curve, top: float) -> str:
        seconds, values = _thinned(self._course.seconds, curve.values)
        height = np.clip((values - curve.low) / (curve.high - curve.low), 0, 1)
        points = [f"{self.x(s):.1f},{top + LANE * (1 - h):.1f}" for s, h in zip(seconds, height)]
        if not curve.filled:
            return f'<polyline points="{" ".join(points)}" fill="none" stroke="{curve.colour}" stroke-width="1.4"/>'
        floor = f"{self.x(seconds[0]):.1f},{top + LANE:.1f}", f"{self.x(seconds[-1]):.1f},{top + LANE:.1f}"
        around = " ".join([floor[0], *points, floor[1]])
        return f'<polygon points="{around}" fill="{curve.colour}" fill-opacity="{curve.opacity:g}"/>'

    def axis(self) -> Iterator[str]:
        """Minutes below, and beats above where they are known."""
        y = self.bottom - BETWEEN
        for second in _marks(self._course.length):
            x = self.x(second)
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y:g}" y2="{y + 4:g}" stroke="{QUIET}" stroke-width="0.8"/>'
            yield _centred(x, y + 16, minutes(second).removesuffix(".0"))
        tempo = self._report.tempo
        if tempo is None:
            return
        beats = tempo.beat(self._course.length)
        yield _centred(LEFT - 24, HEAD - 2, "beats")
        for beat in _beats(beats):
            x = self.x(tempo.seconds(beat))
            yield (
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD:g}" y2="{y:g}" stroke="{HAIR}" stroke-width="0.6" '
                'opacity="0.7"/>'
            )
            yield _centred(x, HEAD - 2, f"{beat:g}")


def _lanes(report: Report) -> Iterator[_Lane]:
    course = report.course
    for number, track in enumerate(course.tracks):
        colour = TRACKS[number % len(TRACKS)]
        level = np.maximum(course.level[number], -60.0)
        heard = -60 + (level + 60) * course.audible[number]
        alone = len(course.tracks) == 1
        curves = (
            _Curve(level, colour, -60, 0, opacity=0.2),
            _Curve(level if alone else heard, colour, -60, 0, opacity=0.75),
        )
        yield _Lane(track, "level; dark: heard", curves, ("inaudible",), track=track)
    if len(course.tracks) > 1:
        most = _most(course.bass)
        yield _share("two basses", most, "bass")
        if course.vocals is not None:
            yield _share("two vocals", _most(course.vocals), "vocals")
        yield _share("keys clash", _most(course.clash), "keys")
        yield _share("cancellation", course.cancelled, "cancellation")
    middle = float(np.max(course.loudness))
    low, high = middle - 24, middle + 3
    loudness = _Curve(np.maximum(course.loudness, low), INK, low, high, filled=False)
    missing = _Curve(np.maximum(course.loudness + course.hole, low), HAIR, low, high)
    yield _Lane(
        "loudness", f"{low:.0f} … {high:.0f} LUFS".replace("-", "−"), (missing, loudness), ("hole", "jump")
    )
    peaks = _Curve(course.peak, QUIET, -18, 6)
    yield _Lane("true peak", "−18 … 6 dB", (peaks,), ("clipping",), 0.0)


def _share(name: str, values: Array, kind: str) -> _Lane:
    return _Lane(name, "0 … 1", (_Curve(values, QUIET, 0, 1),), (kind,), THRESHOLDS[kind].value)


def _most(values: Array) -> Array:
    most: Array = values.max(0)
    return most


def _below(report: Report) -> Iterator[tuple[str, str]]:
    """Lines of text with their style: what was found, and notes."""
    strong = f'font-weight="bold" fill="{INK}"'
    if not report.findings:
        yield "Nothing was found.", strong
    for one in report.findings:
        yield f"{TITLES[one.kind]}, {report.when(one.begin, one.end)}", strong
        for line in textwrap.wrap(f"{one.text} → {one.advice}", LETTERS):
            yield line, f'fill="{INK}"'
    for note in report.notes:
        for line in textwrap.wrap(f"Note: {note}.", LETTERS):
            yield line, f'fill="{QUIET}"'


def _thinned(seconds: Array, values: Array) -> tuple[Array, Array]:
    """At most so many points: of several windows the largest value."""
    several = -(-len(seconds) // POINTS)
    if several == 1:
        return seconds, values
    starts = np.arange(0, len(seconds), several)
    return seconds[starts], np.maximum.reduceat(values, starts)


def _marks(length: float) -> list[float]:
    """Seconds that are written, a dozen or so."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
    return _stepped(length, next((step for step in steps if length / step <= 14), 7200))


def _beats(length: float) -> list[float]:
    step = 4.0
    while length / step > 20:
        step *= 2
    return _stepped(length, step)


def _stepped(length: float, step: float) -> list[float]:
    return [step * place for place in range(int(length / step + 1e-9) + 1)]


def _rect(x: float, y: float, wide: float, high: float, fill: str, more: str = "") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" fill="{fill}"{more}/>'


def _centred(x: float, y: float, text: str) -> str:
    style = f'font-size="{SMALL:g}" fill="{QUIET}" text-anchor="middle"'
    return f'<text x="{x:.1f}" y="{y:g}" {style}>{escape(text)}</text>'
