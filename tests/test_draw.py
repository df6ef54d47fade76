"""The drawing is well-formed SVG that shows every strip, bus and output, without overlaps."""

from __future__ import annotations

import itertools
import sys
import unicodedata
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.documents import REGISTRY, documents

import djgraph
from djgraph.draw import to_svg
from djgraph.graph import Graph

SVG = "{http://www.w3.org/2000/svg}"


Box = tuple[float, float, float, float]


def drawn(graph: Graph) -> tuple[list[str], list[Box], list[str]]:
    """The texts, boxes and arrows of a picture; none of its boxes lies over another."""
    root = ElementTree.fromstring(to_svg(graph))
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    boxes = [
        tuple(float(element.get(key, "0")) for key in ("x", "y", "width", "height"))
        for element in root.iter(f"{SVG}rect")
    ][1:]
    for (x0, y0, w0, h0), (x1, y1, w1, h1) in itertools.combinations(boxes, 2):
        assert x0 + w0 <= x1 or x1 + w1 <= x0 or y0 + h0 <= y1 or y1 + h1 <= y0
    return texts, boxes, [element.get("d", "") for element in root.iter(f"{SVG}path")]  # type: ignore[return-value]


@pytest.mark.parametrize(
    "name",
    [
        "dj_mixer",
        "djtransgan",
        "club_console",
        "filter_knob",
        "mastering",
        "podcast_ducker",
        "dub_desk",
        "stem_performer",
        "club_mixer",
    ],
)
def test_every_graph_that_ships_is_drawn_whole(name: str) -> None:
    graph = djgraph.load(name)
    texts, _, arrows = drawn(graph)
    assert {*graph.taps, *graph.outputs} <= set(texts)
    assert arrows


@st.composite
def tangled(draw: st.DrawFn) -> dict[str, Any]:
    """A random graph whose strips also read one another from the side, and whose names have dots."""
    document = draw(documents())
    strips = [item["strip"] for item in document["mixer"] if "strip" in item]
    for name in draw(st.lists(st.sampled_from(strips), max_size=3, unique=True)):
        item = next(item for item in document["mixer"] if item.get("strip") == name)
        item["chain"] = [{"effect": "gain", "id": "first"}, *item["chain"]]
        key = {
            "strip": f"key.of.{name}",
            "input": f"{name}@first",
            "chain": ["highpass"],
            "sends": [{"to": "bus.with.dots"}],
        }
        document["mixer"] += [key]
        item["chain"] += [{"effect": "duck", "id": "ducked", "inputs": {"key": key["strip"]}}]
    document["mixer"] += [{"bus": "bus.with.dots", "chain": ["reverb"]}]
    document["outputs"] += ["bus.with.dots"]
    return document


@given(tangled())
@settings(max_examples=examples(60))
def test_every_graph_that_loads_is_drawn(document: dict[str, Any]) -> None:
    graph = djgraph.load(document, registry=REGISTRY)
    texts, boxes, _ = drawn(graph)
    # A box for each signal that comes in, for each strip or bus that has a node, and for each output; no other.
    inputs = [node.id for node in graph.nodes if node.id.startswith("in:")]
    names = {item.get("strip") or item["bus"] for item in document["mixer"]}
    made = {
        name for name in names if any(node.id.startswith((f"{name}.", f"sum:{name}")) for node in graph.nodes)
    }
    assert len(boxes) == len(inputs) + len(made) + len(graph.outputs)
    assert made <= set(texts)


HANGS = """
djgraph: 1
name: draw_hangs
inputs: [{name: music}]
mixer:
  - strip: music
    input: music
    chain: [gain, {effect: duck, inputs: {key: key}}]
    to: master
  - {strip: key, input: music@gain, chain: [highpass]}
  - bus: master
outputs: [master]
"""


def test_strips_that_feed_one_another_are_drawn() -> None:
    texts, boxes, arrows = drawn(djgraph.load(HANGS, registry=REGISTRY))
    assert {"music", "key", "master", "duck", "highpass"} <= set(texts)
    # input → music → master → output, and music ⇄ key
    assert len(boxes) == len(arrows) == 5
    column = {text: x for text, (x, *_) in zip(["music", "music", "key", "master", "master"], boxes)}
    assert column["music"] < column["master"]


def test_a_send_to_a_bus_with_a_dot_in_its_name_is_of_the_strip_that_sends() -> None:
    document = {
        "djgraph": 1,
        "name": "dots",
        "inputs": [{"name": "in"}],
        "mixer": [
            {
                "strip": "deck.one",
                "input": "in",
                "chain": ["gain"],
                "sends": [{"to": "room.big"}],
                "to": "out",
            },
            {"bus": "room.big", "to": "out"},
            {"bus": "out"},
        ],
        "outputs": ["out"],
    }
    texts, boxes, arrows = drawn(djgraph.load(document, registry=REGISTRY))
    assert texts == ["in", "deck.one", "gain", "send → room.big", "room.big", "out", "out"]
    assert len(boxes) == 5
    assert len(arrows) == 5


def test_no_title_makes_it_no_xml() -> None:
    hidden = "".join(
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Cc"
    )
    document = {
        "djgraph": 1,
        "name": "x",
        "title": f"a{hidden}b\u202e\ufffe",
        "inputs": [{"name": "in"}],
        "mixer": [{"strip": "a", "input": "in"}],
        "outputs": ["a"],
    }
    text = to_svg(djgraph.load(document))
    title = ElementTree.fromstring(text).find(f"{SVG}title")
    assert title is not None
    assert title.text is not None
    assert title.text.startswith("a\\x00\\x01")
    assert "\\x1b" in title.text
    assert "\\x9f" in title.text
    assert "\u202e" not in text
    text.encode("utf-8")


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
