"""Graphs as pictures: SVG, HTML and PNG.

``boxes`` says what is drawn (``picture``), with equal strips folded (:mod:`djgraph.graph.alike`); ``sizes``,
``layers`` and ``coordinates`` place it, ``routes`` leads the edges between the boxes, ``nested`` does so for each frame
and ``bands`` for what is too wide for a page (``laid`` is what comes of it); ``svg``, ``html`` and ``png``
write it down in the colours of a theme.
"""

from djgraph.drawing.html import to_html
from djgraph.drawing.png import to_png
from djgraph.drawing.svg import to_svg
from djgraph.drawing.themes import THEMES

__all__ = ["THEMES", "to_html", "to_png", "to_svg"]
