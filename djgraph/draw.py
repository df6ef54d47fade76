"""Draws a graph as SVG: inputs on the left, strips and buses in the middle, outputs on the right."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from html import escape

import networkx as nx

from djgraph.graph.ir import EffectNode, Graph, InputNode, Node, SumNode, sources
from djgraph.text import one_line

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
        f"<title>{_shown(graph.title or graph.name)}</title>",
        f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
    ]
    for start, stop in arrows:
        parts.append(_arrow(boxes[start], boxes[stop]))
    parts += [_rectangle(box) for box in boxes.values()]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _shown(text: str) -> str:
    """As XML: control characters, which no XML may hold even as references, are written as Python writes them."""
    return escape(one_line(text))


def _owner(node: Node) -> str:
    """The box that a node belongs to."""
    return _split(node)[0]


def _split(node: Node) -> tuple[str, str]:
    """A node's box and its name in there. Strips and buses, and so what a send names, may have dots in theirs."""
    if isinstance(node, InputNode):
        return node.id, ""
    if isinstance(node, SumNode):
        return node.id.removeprefix("sum:"), ""
    owner, send, bus = node.id.partition(".send:")
    if send:
        return owner, f"send:{bus}"
    owner, _, name = node.id.rpartition(".")
    return owner, name


def _boxes(graph: Graph) -> tuple[dict[str, _Box], list[tuple[str, str]]]:
    boxes: dict[str, _Box] = {}
    arrows: dict[tuple[str, str], None] = {}
    for node in graph.nodes:
        owner, name = _split(node)
        if isinstance(node, InputNode):
            boxes[owner] = _Box(owner.removeprefix("in:"), "input", [])
        elif owner not in boxes:
            boxes[owner] = _Box(owner, "bus" if isinstance(node, SumNode) else "strip", [])
        if isinstance(node, EffectNode):
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
    forward = _without_circles(boxes, arrows)
    for name in nx.topological_sort(forward):
        boxes[name].column = max((boxes[source].column + 1 for source in forward.pred[name]), default=0)
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


def _without_circles(boxes: dict[str, _Box], arrows: list[tuple[str, str]]) -> nx.DiGraph:
    """The arrows that go forward. Signals never go in a circle, but strips and buses may feed one another (one's
    sidechain is another that reads it): of such a group those arrows are left out that lead to an earlier one."""
    graph = nx.DiGraph()
    graph.add_nodes_from(boxes)
    graph.add_edges_from(arrows)
    place = {name: index for index, name in enumerate(boxes)}
    for group in nx.strongly_connected_components(graph):
        if len(group) > 1:
            graph.remove_edges_from(
                [(start, stop) for start, stop in graph.subgraph(group).edges if place[stop] < place[start]]
            )
    return graph


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
        f'<text x="{x + 10}" y="{box.y + ROW:g}" font-weight="bold">{_shown(box.title)}</text>',
    ]
    for row, line in enumerate(box.lines, 2):
        text.append(f'<text x="{x + 20}" y="{box.y + ROW * row:g}" fill="#374151">{_shown(line)}</text>')
    return "\n".join(text)


def _arrow(start: _Box, stop: _Box) -> str:
    x0, y0 = PAD + start.column * COLUMN + WIDTH, start.y + start.height / 2
    x1, y1 = PAD + stop.column * COLUMN, stop.y + stop.height / 2
    middle = (x0 + x1) / 2
    return (
        f'<path d="M{x0:g},{y0:g} C{middle:g},{y0:g} {middle:g},{y1:g} {x1:g},{y1:g}" '
        f'fill="none" stroke="#9ca3af" stroke-width="1.5"/>'
    )
