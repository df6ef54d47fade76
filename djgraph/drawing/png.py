"""A picture as PNG, by resvg."""

from __future__ import annotations

from djgraph.drawing.svg import to_svg
from djgraph.errors import DJGraphError
from djgraph.graph.ir import Graph

SCALE = 2
"""Pixels of the image for one of the picture's, so that text stays sharp."""


def to_png(graph: Graph, *, theme: str = "light", unfold: bool = False) -> bytes:
    """The graph as a PNG file, twice as wide and high as the SVG; as :func:`djgraph.drawing.to_svg` otherwise.

    Raises DJGraphError where resvg is not installed. Text is drawn in the system's fonts.
    """
    try:
        import resvg_py
    except ImportError:
        raise DJGraphError("pictures as PNG need resvg: pip install 'djgraph[draw]'") from None
    return bytes(resvg_py.svg_to_bytes(svg_string=to_svg(graph, theme=theme, unfold=unfold), zoom=SCALE))
