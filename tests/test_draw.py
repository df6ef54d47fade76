"""The drawing is well-formed SVG that shows every strip, bus and output, without overlaps."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree

import pytest

import djgraph
from djgraph.draw import to_svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", ["dj_mixer", "djtransgan", "club_console", "filter_knob"])
def test_every_graph_that_ships_is_drawn_whole(name: str) -> None:
    graph = djgraph.load(name)
    root = ElementTree.fromstring(to_svg(graph))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {*graph.taps, *graph.outputs} <= set(texts)
    boxes = [
        tuple(float(element.get(key, "0")) for key in ("x", "y", "width", "height"))
        for element in root.iter(f"{SVG}rect")
    ][1:]
    for (x0, y0, w0, h0), (x1, y1, w1, h1) in itertools.combinations(boxes, 2):
        assert x0 + w0 <= x1 or x1 + w1 <= x0 or y0 + h0 <= y1 or y1 + h1 <= y0
    assert list(root.iter(f"{SVG}path"))


def test_names_are_escaped() -> None:
    document = {
        "djgraph": 1,
        "name": "x",
        "title": "<script>alert(1)</script>",
        "inputs": [{"name": "in"}],
        "mixer": [{"strip": "a", "input": "in"}],
        "outputs": ["a"],
    }
    assert "<script>" not in to_svg(djgraph.load(document))
