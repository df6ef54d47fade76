"""A picture as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from djgraph.drawing.boxes import picture
from djgraph.drawing.laid import PlacedBox, PlacedFrame
from djgraph.drawing.measure import fitted, width
from djgraph.drawing.nested import AROUND, laid_out
from djgraph.drawing.picture import Edge, EdgeKind, Picture
from djgraph.drawing.routes import Place
from djgraph.drawing.sizes import GAP, LINE, NOTE, PAD, TEXT, TITLE, SizedRow, indent, note_start
from djgraph.drawing.themes import THEMES, Theme
from djgraph.errors import InputError, did_you_mean
from djgraph.graph.ir import Graph
from djgraph.text import one_line

BORDER = 14
"""Around the picture."""
HEAD = 30
"""Height of the title above."""
LEGEND = 30
"""Height of the legend below."""
LEAST = 360
"""Pictures are no narrower, so that legend and title have room."""
CORNER = 5
"""Radius of an edge's corners."""
FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
WORDS: dict[EdgeKind, str] = {
    "signal": "signal",
    "send": "send",
    "feedback": "send back (a loop)",
    "port": "sidechain",
    "control": "◆ moves",
}


DASHES: dict[EdgeKind, str] = {"control": "5 3", "feedback": "10 3"}
"""Lines that are told apart without colours, too."""


def to_svg(graph: Graph, *, theme: str = "light", unfold: bool = False, marks: bool = False) -> str:
    """The graph as a standalone SVG document.

    theme: a name in :data:`djgraph.drawing.THEMES`. unfold: draw every strip, also where three and more are equal.
    marks: say for a program what is what: ``data-kind`` and ``data-members``, names with a space between, of boxes, and
    a ``g`` of class ``row`` for each row of a node or column, ``data-of``, with an area to point at.
    Raises InputError for another theme.
    """
    return drawing(graph, theme_named(theme), unfold, marks)


def drawing(graph: Graph, colours: Theme, unfold: bool, marks: bool = False) -> str:
    """The same in given colours."""
    about = picture(graph, unfold)
    made = laid_out(about)
    inner = max(made.width, LEAST)
    wide, high = inner + 2 * BORDER, made.height + HEAD + LEGEND + 2 * BORDER
    title = fitted(about.title, inner, 15, bold=True)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" width="{wide:g}" height="{high:g}" '
        f'font-family="{FONT}" font-size="{TEXT:g}">',
        f"<title>{_shown(about.title)}</title>",
        f'<rect width="{wide:g}" height="{high:g}" fill="{colours.paper}"/>',
        _text(BORDER, BORDER + 13, title, colours.text, ' font-size="15" font-weight="bold"'),
        f'<g transform="translate({BORDER} {BORDER + HEAD})">',
        *(_frame(frame, colours) for frame in made.frames),
        *(_edge(edge, made.way(edge), colours) for edge in about.edges),
        *(_dot(point, kind, colours) for point, kind in made.junctions),
        *(_box(box, colours, marks) for box in made.boxes),
    ]
    return "\n".join([*parts, "</g>", *_legend(about, high - BORDER, colours), "</svg>"]) + "\n"


def theme_named(name: str) -> Theme:
    if name not in THEMES:
        raise InputError(f"there is no theme {name!r}{did_you_mean(name, THEMES)}")
    return THEMES[name]


def _shown(text: str) -> str:
    """As XML: control characters, which no XML may hold even as references, are written as Python writes them."""
    return escape(one_line(text))


def _edge(edge: Edge, way: Sequence[Place], colours: Theme) -> str:
    x, y = way[-1]
    ends = f'data-from="{_shown(edge.source)}" data-to="{_shown(edge.target)}"'
    head = f"M{x - 8:g},{y - 4:g} L{x:g},{y:g} L{x - 8:g},{y + 4:g} Z"
    return (
        f'<g class="edge" {ends} data-kind="{edge.kind}"><path d="{_path(way)}" {_stroke(edge.kind, colours)}/>'
        f'<path d="{head}" fill="{colours.edges[edge.kind]}"/></g>'
    )


def _path(way: Sequence[Place]) -> str:
    """Straight lines with rounded corners."""
    points: list[Place] = []
    for point in way:
        if points and point == points[-1]:
            continue
        if len(points) > 1 and _is_straight(points[-2], points[-1], point):
            points.pop()
        points.append(point)
    text = f"M{points[0][0]:g},{points[0][1]:g}"
    for (before, corner), (_, after) in pairwise(pairwise(points)):
        radius = min(CORNER, _length(before, corner) / 2, _length(corner, after) / 2)
        start, stop = _towards(corner, before, radius), _towards(corner, after, radius)
        text += f" L{start[0]:g},{start[1]:g} Q{corner[0]:g},{corner[1]:g} {stop[0]:g},{stop[1]:g}"
    return f"{text} L{points[-1][0]:g},{points[-1][1]:g}"


def _is_straight(a: Place, b: Place, c: Place) -> bool:
    """Whether b lies between a and c."""
    return any(a[i] == b[i] == c[i] and (b[1 - i] - a[1 - i]) * (c[1 - i] - b[1 - i]) > 0 for i in (0, 1))


def _length(a: Place, b: Place) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _towards(a: Place, b: Place, step: float) -> Place:
    """The point ``step`` from a to b, which lie beside or above one another."""
    share = step / _length(a, b)
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _dot(point: Place, kind: EdgeKind, colours: Theme) -> str:
    return f'<circle cx="{point[0]:g}" cy="{point[1]:g}" r="2.6" fill="{colours.edges[kind]}"/>'


def _frame(placed: PlacedFrame, colours: Theme) -> str:
    """A frame behind what stands in it, with its title."""
    frame, x, y = placed.frame, placed.x, placed.y
    title = fitted(frame.title, placed.width - 2 * AROUND, TITLE, bold=True)
    start = x + AROUND + width(title, TITLE, bold=True) + GAP
    notes = fitted(" · ".join(frame.notes), x + placed.width - AROUND - start, NOTE)
    return (
        f'<g class="frame" data-id="{_shown(frame.id)}"><rect x="{x:g}" y="{y:g}" width="{placed.width:g}" '
        f'height="{placed.height:g}" rx="10" fill="{colours.frame}" stroke="{colours.frame_border}"/>'
        + _text(x + AROUND, y + 18, title, colours.text, f' font-size="{TITLE:g}" font-weight="bold"')
        + (_text(start, y + 18, notes, colours.notes, f' font-size="{NOTE:g}"') if frame.notes else "")
        + "</g>"
    )


def _box(placed: PlacedBox, colours: Theme, marks: bool) -> str:
    """A box with its rows; one that stands for several is a pile of sheets."""
    sized_box, x, y = placed.sized, placed.x, placed.y
    box = sized_box.box
    about = f' data-kind="{box.kind}" data-members="{_shown(" ".join(box.members))}"' if marks else ""
    parts = [f'<g class="box" data-id="{_shown(box.id)}" data-count="{box.count}"{about}>']
    for shift in (6, 3, 0) if box.count > 1 else (0,):
        parts.append(
            f'<rect x="{x + shift:g}" y="{y - shift:g}" width="{sized_box.width:g}" height="{sized_box.height:g}" '
            f'rx="6" fill="{colours.boxes[box.kind]}" stroke="{colours.border}"/>'
        )
    for row in sized_box.rows:
        drawn = _row(row, x, y + row.y + 13, sized_box.width, colours)
        if marks and row.row.of:
            area = f'x="{x + 2:g}" y="{y + row.y:g}" width="{sized_box.width - 4:g}" height="{row.height:g}" rx="4"'
            of = f'data-of="{_shown(row.row.of)}" data-row="{row.row.kind}"'
            drawn = [f'<g class="row" {of}><rect class="area" {area} fill="transparent"/>', *drawn, "</g>"]
        parts += drawn
    return "\n".join([*parts, "</g>"])


def _row(sized_row: SizedRow, x: float, y: float, wide: float, colours: Theme) -> list[str]:
    """A row's text, and its notes behind it or below. Stems and output ports stand where edges leave them."""
    row = sized_row.row
    if row.kind in ("out", "stem") and not row.notes:
        return [_text(x + wide - PAD, y, sized_row.text, colours.text, ' text-anchor="end"')]
    style = f' font-size="{TITLE:g}" font-weight="bold"' if row.kind == "title" else ""
    parts = [_text(x + indent(row), y, sized_row.text, colours.text, style)]
    for number, line in enumerate(sized_row.lines):
        down = LINE * (number if sized_row.inline else number + 1)
        style = f' font-size="{NOTE:g}"'
        parts.append(_text(x + note_start(sized_row, number), y + down, line, colours.notes, style))
    return parts


def _text(x: float, y: float, text: str, colour: str, style: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="{colour}"{style}>{_shown(text)}</text>'


def _legend(about: Picture, y: float, colours: Theme) -> list[str]:
    """Which colour is what, of the kinds of boxes and edges that there are."""
    x = float(BORDER)
    parts = []
    for kind in dict.fromkeys(box.kind for box in about.boxes.values()):
        parts.append(
            f'<rect x="{x:g}" y="{y - 10:g}" width="14" height="12" rx="3" fill="{colours.boxes[kind]}" '
            f'stroke="{colours.border}"/>'
        )
        parts.append(_text(x + 20, y, kind, colours.notes, f' font-size="{NOTE:g}"'))
        x += 36 + width(kind, NOTE)
    for edge in dict.fromkeys(edge.kind for edge in about.edges):
        parts.append(f'<path d="M{x:g},{y - 4:g} h24" {_stroke(edge, colours)}/>')
        parts.append(_text(x + 30, y, WORDS[edge], colours.notes, f' font-size="{NOTE:g}"'))
        x += 46 + width(WORDS[edge], NOTE)
    return parts


def _stroke(kind: EdgeKind, colours: Theme) -> str:
    dash = f' stroke-dasharray="{DASHES[kind]}"' if kind in DASHES else ""
    return f'fill="none" stroke="{colours.edges[kind]}" stroke-width="1.4"{dash}'
