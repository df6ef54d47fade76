"""Draws a graph as SVG: inputs on the left, strips and buses in the middle, outputs on the right."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from html import escape

from djgraph.graph.ir import EffectNode, Graph, InputNode, Node, SumNode, sources

COLUMN, ROW, WIDTH, PAD = 250, 18, 200, 12
COLOURS = {"input": "#dbeafe", "strip": "#f3f4f6", "bus": "#fef3c7", "output": "#dcfce7"}


@dataclass
class _Box:
    """One rectangle: an input's stems are one box each; a strip or bus is one box with its chain inside."""

    title: str
    kind: str
    lines: list[str]
    column: int = 0
    y: float = 0.0

    @property
    def height(self) -> float:
        return ROW * (1 + len(self.lines)) + PAD


def to_svg(graph: Graph) -> str:
    """The graph as a standalone SVG document."""
    boxes, arrows = _boxes(graph)
    columns = _place(boxes, arrows)
    width = COLUMN * (max(columns) + 1) + 2 * PAD
    height = max(box.y + box.height for box in boxes.values()) + 2 * PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(graph.title or graph.name)}</title>",
        f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
    ]
    for start, stop in arrows:
        parts.append(_arrow(boxes[start], boxes[stop]))
    parts += [_rectangle(box) for box in boxes.values()]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _owner(node: Node) -> str:
    if isinstance(node, InputNode):
        return node.id
    if isinstance(node, SumNode):
        return node.id.removeprefix("sum:")
    return node.id.rpartition(".")[0]


def _boxes(graph: Graph) -> tuple[dict[str, _Box], list[tuple[str, str]]]:
    boxes: dict[str, _Box] = {}
    arrows: dict[tuple[str, str], None] = {}
    for node in graph.nodes:
        owner = _owner(node)
        if isinstance(node, InputNode):
            boxes[owner] = _Box(owner.removeprefix("in:"), "input", [])
        elif owner not in boxes:
            boxes[owner] = _Box(owner, "bus" if isinstance(node, SumNode) else "strip", [])
        if isinstance(node, EffectNode):
            name = node.id.rpartition(".")[2]
            label = name if name == node.effect.type or ":" in name else f"{name} ({node.effect.type})"
            boxes[owner].lines.append(label.replace("send:", "send → "))
        for _, point in sources(node):
            source = _owner(graph.by_id[point.node])
            if source != owner:
                arrows[source, owner] = None
    for name, point in graph.outputs.items():
        boxes[f"out:{name}"] = _Box(name, "output", [])
        arrows[_owner(graph.by_id[point.node]), f"out:{name}"] = None
    return boxes, list(arrows)


def _place(boxes: dict[str, _Box], arrows: list[tuple[str, str]]) -> list[int]:
    """Columns by longest way from an input; rows in document order, centred on what feeds them."""
    feeds: dict[str, list[str]] = defaultdict(list)
    for start, stop in arrows:
        feeds[stop].append(start)
    changed = True
    while changed:
        changed = False
        for name, box in boxes.items():
            column = max((boxes[source].column + 1 for source in feeds[name]), default=0)
            if column != box.column:
                box.column, changed = column, True
    last = max(box.column for box in boxes.values())
    for name, box in boxes.items():
        if name.startswith("out:"):
            box.column = last
    free: dict[int, float] = defaultdict(lambda: float(PAD))
    for name, box in sorted(boxes.items(), key=lambda item: item[1].column):
        centres = [boxes[source].y + boxes[source].height / 2 for source in feeds[name]]
        wanted = sum(centres) / len(centres) - box.height / 2 if centres else 0.0
        box.y = max(free[box.column], wanted)
        free[box.column] = box.y + box.height + PAD
    _face_readers(boxes, arrows)
    return [box.column for box in boxes.values()]


def _face_readers(boxes: dict[str, _Box], arrows: list[tuple[str, str]]) -> None:
    """Moves what nothing feeds (inputs) to the height of what reads it."""
    readers: dict[str, list[float]] = defaultdict(list)
    for start, stop in arrows:
        readers[start].append(boxes[stop].y + boxes[stop].height / 2)
    free = float(PAD)
    for name, box in boxes.items():
        if box.column == 0:
            wanted = sum(readers[name]) / len(readers[name]) - box.height / 2 if readers[name] else free
            box.y = max(free, wanted)
            free = box.y + box.height + PAD


def _rectangle(box: _Box) -> str:
    x = PAD + box.column * COLUMN
    text = [
        f'<rect x="{x}" y="{box.y:g}" width="{WIDTH}" height="{box.height:g}" rx="6" '
        f'fill="{COLOURS[box.kind]}" stroke="#6b7280"/>',
        f'<text x="{x + 10}" y="{box.y + ROW:g}" font-weight="bold">{escape(box.title)}</text>',
    ]
    for row, line in enumerate(box.lines, 2):
        text.append(f'<text x="{x + 20}" y="{box.y + ROW * row:g}" fill="#374151">{escape(line)}</text>')
    return "\n".join(text)


def _arrow(start: _Box, stop: _Box) -> str:
    x0, y0 = PAD + start.column * COLUMN + WIDTH, start.y + start.height / 2
    x1, y1 = PAD + stop.column * COLUMN, stop.y + stop.height / 2
    middle = (x0 + x1) / 2
    return (
        f'<path d="M{x0:g},{y0:g} C{middle:g},{y0:g} {middle:g},{y1:g} {x1:g},{y1:g}" '
        f'fill="none" stroke="#9ca3af" stroke-width="1.5"/>'
    )
