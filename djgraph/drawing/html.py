"""A picture as a page of HTML that shows, for the box under the pointer, what it is connected with."""

from __future__ import annotations

from html import escape

from djgraph.drawing.svg import drawing, theme_named
from djgraph.graph.ir import Graph
from djgraph.text import one_line

_STYLE = """\
body { margin: 1rem; font: 15px/1.4 system-ui, sans-serif; background: PAPER; color: TEXT; }
p { max-width: 60rem; }
svg { max-width: 100%; height: auto; }
svg.asked .edge, svg.asked .box { opacity: .2; }
svg.asked .near { opacity: 1; }
"""
_SCRIPT = """\
const svg = document.querySelector("svg"), edges = [...svg.querySelectorAll(".edge")];
const boxes = new Map([...svg.querySelectorAll(".box")].map(box => [box.dataset.id, box]));
for (const [id, box] of boxes) {
  box.addEventListener("mouseenter", () => {
    svg.classList.add("asked");
    box.classList.add("near");
    for (const edge of edges) if (edge.dataset.from === id || edge.dataset.to === id) {
      for (const one of [edge, boxes.get(edge.dataset.from), boxes.get(edge.dataset.to)]) one.classList.add("near");
    }
  });
  box.addEventListener("mouseleave", () => {
    svg.classList.remove("asked");
    for (const one of svg.querySelectorAll(".near")) one.classList.remove("near");
  });
}
"""


def to_html(graph: Graph, *, theme: str = "light", unfold: bool = False) -> str:
    """The graph as a page that needs nothing else; as :func:`djgraph.drawing.to_svg` otherwise."""
    colours = theme_named(theme)
    style = _STYLE.replace("PAPER", colours.paper).replace("TEXT", colours.text)
    about = f"<p>{escape(one_line(graph.description))}</p>\n" if graph.description else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(one_line(graph.title or graph.name))}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{about}{drawing(graph, colours, unfold)}<script>\n{_SCRIPT}</script>\n</body>\n</html>\n"
    )
