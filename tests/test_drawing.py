"""Pictures show every strip, bus, output and connection once, without overlaps and without lines behind boxes."""

from __future__ import annotations

import functools
import itertools
import re
import sys
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
import torch
from effort import examples
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from runtime.documents import REGISTRY, documents, looped_documents, registry_with

import djgraph
from djgraph.drawing import THEMES, svg, to_html, to_png, to_svg
from djgraph.drawing.boxes import picture
from djgraph.drawing.measure import fitted, width
from djgraph.drawing.picture import Box, BoxKind, Edge, EdgeKind, Frame, Picture, Row
from djgraph.effects import Block, State, TimeEffect
from djgraph.errors import DJGraphError, InputError
from djgraph.graph import Graph
from djgraph.graph.ir import FeedbackNode, SumNode
from djgraph.graph.links import links

SVG = "{http://www.w3.org/2000/svg}"
SHIPPED = [
    "dj_mixer",
    "dj_mixer_live",
    "djtransgan",
    "club_console",
    "filter_knob",
    "mastering",
    "podcast_ducker",
    "dub_desk",
    "stem_performer",
    "club_mixer",
]
MIXERS = sorted((Path(__file__).parents[1] / "examples" / "mixers").glob("*.yaml"))
Rectangle = tuple[float, float, float, float]


@dataclass
class Drawn:
    """What an SVG of a graph shows: boxes by id, edges as (from, to, kind) with the corners of their lines, texts."""

    width: float = 0.0
    height: float = 0.0
    boxes: dict[str, Rectangle] = field(default_factory=dict)
    frames: dict[str, Rectangle] = field(default_factory=dict)
    titles: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    rows: dict[str, list[str]] = field(default_factory=dict)
    edges: list[tuple[str, str, str]] = field(default_factory=list)
    ways: list[list[tuple[float, float]]] = field(default_factory=list)


def drawn(text: str) -> Drawn:
    root = ElementTree.fromstring(text)
    shown = Drawn(float(root.get("width", 0)), float(root.get("height", 0)))
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == "box":
            name = group.get("data-id", "")
            # The last sheet of a pile is the box itself.
            box = list(group.iter(f"{SVG}rect"))[-1]
            x, y, wide, high = (float(box.get(key, "0")) for key in ("x", "y", "width", "height"))
            assert name not in shown.boxes
            shown.boxes[name] = (x, y, x + wide, y + high)
            shown.counts[name] = int(group.get("data-count", "0"))
            shown.rows[name] = [element.text or "" for element in group.iter(f"{SVG}text")]
            for element in group.iter(f"{SVG}text"):
                check_inside(element, shown.boxes[name])
        elif group.get("class") == "frame":
            name = group.get("data-id", "")
            assert name not in shown.frames
            x, y, wide, high = (float(group[0].get(key, "0")) for key in ("x", "y", "width", "height"))
            shown.frames[name] = (x, y, x + wide, y + high)
            shown.titles[name] = [element.text or "" for element in group.iter(f"{SVG}text")]
            for element in group.iter(f"{SVG}text"):
                check_inside(element, (x, y, x + wide, y + 26))
        elif group.get("class") == "edge":
            shown.edges.append(tuple(group.get(f"data-{key}", "") for key in ("from", "to", "kind")))  # type: ignore[arg-type]
            line = next(iter(group.iter(f"{SVG}path"))).get("d", "")
            shown.ways.append(
                [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.e+]+),(-?[\d.e+]+)", line)]
            )
    return shown


def check_inside(element: ElementTree.Element, box: Rectangle) -> None:
    """A text does not leave its box, in a wide font."""
    text = element.text or ""
    size = float(element.get("font-size", 12))
    wide = width(text, size, element.get("font-weight") == "bold")
    start = float(element.get("x", 0)) - (wide if element.get("text-anchor") == "end" else 0)
    assert box[0] <= start
    assert start + wide <= box[2]
    assert box[1] <= float(element.get("y", 0)) - size * 0.8
    assert float(element.get("y", 0)) <= box[3]


def check(graph: Graph, unfold: bool = False) -> Drawn:
    """Draws a graph and holds the picture against everything that it must never do."""
    shown = drawn(to_svg(graph, unfold=unfold))
    for (x0, y0, x1, y1), (x2, y2, x3, y3) in itertools.combinations(shown.boxes.values(), 2):
        assert x1 < x2 or x3 < x0 or y1 < y2 or y3 < y0, "boxes overlap"
    for x0, y0, x1, y1 in shown.boxes.values():
        assert min(x0, y0) >= 0
        assert x1 < shown.width
        assert y1 < shown.height
    for (source, target, _), way in zip(shown.edges, shown.ways, strict=True):
        begin, end = shown.boxes[source], shown.boxes[target]
        assert way[0][0] == begin[2], "an edge leaves its box on the right"
        assert begin[1] < way[0][1] < begin[3]
        assert way[-1][0] == end[0], "an edge enters its box on the left"
        assert end[1] < way[-1][1] < end[3]
        for (ax, ay), (bx, by) in itertools.pairwise(way):
            for x0, y0, x1, y1 in shown.boxes.values():
                # Corners are inside of the right angle that they round, so their chords cover them.
                beside = max(ax, bx) <= x0 or x1 <= min(ax, bx)
                assert beside or max(ay, by) <= y0 or y1 <= min(ay, by), "an edge runs behind a box"
    check_frames(graph, shown)
    check_lines(shown)
    return shown


def inside(inner: Rectangle, outer: Rectangle) -> bool:
    return outer[0] < inner[0] and outer[1] < inner[1] and inner[2] < outer[2] and inner[3] < outer[3]


def apart(a: Rectangle, b: Rectangle) -> bool:
    return a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


def check_frames(graph: Graph, shown: Drawn) -> None:
    """Frames hold what belongs to their parts and nothing else, and no line that does not lead there."""
    part_of = {owner.name: owner.part for owner in graph.owners}
    parts = {part_of[box]: None for box in shown.boxes if part_of.get(box)}
    wanted = {".".join(part.split(".")[:depth]) for part in parts for depth in range(1, part.count(".") + 2)}
    assert set(shown.frames) == wanted
    holds = {
        name: {
            box
            for box in shown.boxes
            if f"{part_of.get(box, box.removeprefix('knob:'))}.".startswith(f"{name}.")
        }
        for name in shown.frames
    }
    for name, frame in shown.frames.items():
        for box, rectangle in shown.boxes.items():
            assert inside(rectangle, frame) if box in holds[name] else apart(rectangle, frame), (name, box)
        for other, rectangle in shown.frames.items():
            if other != name:
                nested = other.startswith(f"{name}."), name.startswith(f"{other}.")
                assert apart(frame, rectangle) if not any(nested) else True
                assert inside(rectangle, frame) == nested[0]
        for (source, target, _), way in zip(shown.edges, shown.ways, strict=True):
            if {source, target} & holds[name]:
                continue
            for a, b in itertools.pairwise(way):
                line = (min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))
                assert apart(line, frame), "an edge runs through a frame that it does not lead to"


def check_lines(shown: Drawn) -> None:
    """Lines that are drawn over one another are of one kind, and lead to one box or come from one knob."""
    lines: dict[tuple[int, float], list[tuple[float, float, tuple[str, str]]]] = {}
    for (source, target, kind), way in zip(shown.edges, shown.ways, strict=True):
        net = (source if kind == "control" else target, kind)
        for a, b in itertools.pairwise(way):
            for axis in (0, 1):
                if a[axis] == b[axis] and abs(a[1 - axis] - b[1 - axis]) > 10:
                    low, high = sorted((a[1 - axis], b[1 - axis]))
                    lines.setdefault((axis, a[axis]), []).append((low, high, net))
    for (axis, at), found in lines.items():
        for (low, high, net), (other_low, other_high, other) in itertools.combinations(found, 2):
            shared = min(high, other_high) - max(low, other_low)
            assert net == other or shared < 10, (axis, at, net, other)


def expected(graph: Graph) -> Counter[tuple[str, str]]:
    """How often signals pass between two boxes, unfolded."""
    found: Counter[tuple[str, str]] = Counter()
    for link in links(graph):
        source = link.source
        if source.startswith("in:"):
            source = f"in:{graph.by_id[source].input}"  # type: ignore[union-attr]
        found[source, f"out:{link.target}" if link.kind == "output" else link.target] += 1
    return found


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("unfold", [False, True])
def test_every_graph_that_ships_is_drawn_whole(name: str, unfold: bool) -> None:
    graph = djgraph.load(name)
    shown = check(graph, unfold)
    outputs = {f"out:{output}" for output in graph.outputs}
    if unfold:
        assert {*graph.taps, *outputs} <= set(shown.boxes)
    strips = [count for box, count in shown.counts.items() if box in graph.taps]
    assert sum(strips) == len(graph.taps)
    # A page is some 900 pixels wide.
    assert unfold or shown.width < 1050


@pytest.mark.parametrize("file", MIXERS, ids=lambda file: file.stem)
def test_every_example_is_drawn_for_a_page(file: Path) -> None:
    shown = check(djgraph.load(file))
    assert shown.width < 1200


@st.composite
def tangled(draw: st.DrawFn) -> dict[str, Any]:
    """A random graph whose strips also read one another from the side, and whose names have dots."""
    document = draw(documents() | looped_documents())
    strips = [item["strip"] for item in document["mixer"] if "strip" in item]
    for name in draw(st.lists(st.sampled_from(strips), max_size=3, unique=True)):
        item = next(item for item in document["mixer"] if item.get("strip") == name)
        item["chain"] = [{"effect": "gain", "id": "first"}, *item["chain"]]
        key = {
            "strip": f"key.of.{name}",
            "input": f"{name}@first",
            "chain": draw(st.sampled_from([["highpass"], []])),
            "sends": [{"to": "bus.with.dots"}],
        }
        document["mixer"] += [key]
        item["chain"] += [{"effect": "duck", "id": "ducked", "inputs": {"key": key["strip"]}}]
    document["mixer"] += [{"bus": "bus.with.dots", "chain": ["reverb"]}]
    document["outputs"] += ["bus.with.dots"]
    levels = [
        f"{item.get('strip') or item['bus']}.{node['id']}.level"
        for item in document["mixer"]
        for node in item["chain"]
        if isinstance(node, dict) and node["effect"] == "clip_gain" and not node.get("controls")
    ]
    if levels:
        document["mixer"] += [{"macro": "all", "drives": {level: [[0, 0], [1, 1]] for level in levels}}]
    return document


@given(tangled(), st.booleans())
@settings(max_examples=examples(60))
def test_every_graph_that_loads_is_drawn(document: dict[str, Any], unfold: bool) -> None:
    graph = djgraph.load(document, registry=REGISTRY)
    shown = check(graph, unfold)
    owners = [box for box in shown.boxes if box in graph.taps]
    assert sum(shown.counts[box] for box in owners) == len(graph.taps)
    knobs = {column.name for column in graph.columns if column.name == "all"}
    assert {f"knob:{name}" for name in knobs} == {box for box in shown.boxes if box.startswith("knob:")}
    assert to_svg(graph, unfold=unfold) == to_svg(graph, unfold=unfold)
    if unfold:
        assert set(owners) == set(graph.taps)
        signals = Counter((source, target) for source, target, kind in shown.edges if kind != "control")
        wanted = expected(graph)
        assert set(signals) == set(wanted)
        # Where several points of one strip lead to one place of another, lines from one row are one.
        assert all(signals[pair] <= wanted[pair] for pair in wanted)
        assert len(picture(graph, unfold=True).edges) == len(shown.edges)


def used(name: str, document: dict[str, Any], inputs: dict[str, str]) -> dict[str, Any]:
    return {"use": {"graph": f"{document['name']}.yaml", "as": name, "inputs": inputs}}


@st.composite
def with_parts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Random graphs, of which the last uses those before, one of them within another one."""
    room, plate = ({**draw(tangled()), "name": name} for name in ("room", "plate"))
    middle: dict[str, Any] = {
        **room,
        "name": "middle",
        "mixer": [
            used("deep", room, {"deck": "deck", "mic": "mic"}),
            {"strip": "behind", "input": "deep", "chain": ["gain", "eq3"], "to": "sum"},
            {"strip": "beside", "input": "mic", "chain": ["gain"], "to": ["sum"] * draw(st.booleans())},
            {"bus": "sum"},
        ],
        "outputs": ["sum", {"name": "wet", "from": "deep"}],
    }
    main: dict[str, Any] = {
        **room,
        "name": "main",
        "mixer": [
            used("first", middle, {"deck": "deck", "mic": "mic"}),
            {
                "strip": "after.first",
                "input": draw(st.sampled_from(["first", "first.wet"])),
                "chain": ["eq3"],
            },
            used("second", plate, {"deck": "deck", "mic": draw(st.sampled_from(["mic", "after.first"]))}),
            {"strip": "back", "input": "second", "chain": ["gain"], "sends": [{"to": "master"}]},
            {
                "macro": "one",
                "drives": {"first.behind.gain.gain": [[0, 1], [1, 0]], "back.gain.gain": [[0, 0], [1, 1]]},
            },
            {"bus": "master"},
        ],
        "outputs": ["master", "first"],
    }
    return [room, plate, middle, main]


@given(with_parts(), st.booleans(), st.sampled_from([300, 600, 1170]))
@settings(
    max_examples=examples(40), suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
def test_parts_stand_in_frames(texts: list[dict[str, Any]], unfold: bool, widest: int) -> None:
    with TemporaryDirectory() as folder:
        for document in texts:
            YAML(typ="safe").dump(document, Path(folder) / f"{document['name']}.yaml")
        try:
            graph = djgraph.load(Path(folder) / "main.yaml", registry=REGISTRY)
        except DJGraphError:
            reject()  # what goes from part to part does not fit in its channels
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "laid_out", functools.partial(svg.laid_out, widest=widest))
        shown = check(graph, unfold)
    assert shown.titles["first"] == ["first", "middle"]
    assert {*shown.frames} == {"first", "first.deep", "second"}
    owners = [box for box in shown.boxes if box in graph.taps]
    assert sum(shown.counts[box] for box in owners) == len(graph.taps)
    if unfold:
        signals = {(source, target) for source, target, kind in shown.edges if kind != "control"}
        assert signals == set(expected(graph))


@given(tangled(), st.booleans(), st.sampled_from([1, 300, 500]))
@settings(max_examples=examples(60))
def test_what_is_too_wide_is_cut_into_bands(document: dict[str, Any], unfold: bool, widest: int) -> None:
    graph = djgraph.load(document, registry=REGISTRY)
    whole = drawn(to_svg(graph, unfold=unfold))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "laid_out", functools.partial(svg.laid_out, widest=widest))
        shown = check(graph, unfold)
    assert shown.rows == whole.rows
    assert Counter(shown.edges) == Counter(whole.edges)
    assert shown.width <= whole.width


def test_a_long_chain_of_strips_is_as_wide_as_a_page() -> None:
    strips = [{"strip": f"s{i}", "input": f"s{i - 1}" if i else "in", "chain": ["gain"]} for i in range(60)]
    shown = check(load(strips, ["s59"], [{"name": "in"}]))
    assert shown.width < 1200
    assert len({box[1] for box in shown.boxes.values()}) > 5


def test_equal_strips_are_folded_within_a_part_only(tmp_path: Path) -> None:
    part = {"djgraph": 1, "name": "part", "inputs": [{"name": "x"}, {"name": "y"}, {"name": "z"}]}
    mixer: list[dict[str, Any]] = [
        {"strip": f"s.{name}", "input": name, "chain": ["gain"], "to": "sum"} for name in "xyz"
    ]
    YAML(typ="safe").dump(
        {**part, "mixer": [*mixer, {"bus": "sum"}], "outputs": ["sum"]}, tmp_path / "part.yaml"
    )
    main = {
        **part,
        "name": "main",
        "mixer": [used(f"p{i}", part, {"x": "x", "y": "y", "z": "z"}) for i in range(3)],
        "outputs": ["p0", "p1", "p2"],
    }
    YAML(typ="safe").dump(main, tmp_path / "main.yaml")
    graph = djgraph.load(tmp_path / "main.yaml")
    shown = check(graph)
    assert {box: count for box, count in shown.counts.items() if count > 1} == {
        "in:x": 3,
        **{f"p{i}.s.x": 3 for i in range(3)},
    }
    # In its frame a strip is called as the part has it.
    assert shown.rows["p0.s.x"][:2] == ["s.x … z", "×3"]
    assert len(check(graph, unfold=True).boxes) == 3 + 3 * 4 + 3


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


def load(mixer: list[dict[str, Any]], outputs: list[str], inputs: list[Any]) -> Graph:
    document = {"djgraph": 1, "name": "x", "inputs": inputs, "mixer": mixer, "outputs": outputs}
    return djgraph.load(document, registry=REGISTRY)


def test_strips_that_feed_one_another_are_drawn() -> None:
    shown = check(djgraph.load(HANGS, registry=REGISTRY))
    assert sorted(shown.edges) == [
        ("in:music", "music", "signal"),
        ("key", "music", "port"),
        ("master", "out:master", "signal"),
        ("music", "key", "signal"),
        ("music", "master", "signal"),
    ]
    assert "▸ key" in shown.rows["music"]
    assert shown.boxes["music"][2] < shown.boxes["key"][0]


def test_a_send_to_a_bus_with_a_dot_in_its_name_is_of_the_strip_that_sends() -> None:
    strip = {
        "strip": "deck.one",
        "input": "in",
        "chain": ["gain"],
        "sends": [{"to": "room.big"}],
        "to": "out",
    }
    graph = load([strip, {"bus": "room.big", "to": "out"}, {"bus": "out"}], ["out"], [{"name": "in"}])
    shown = check(graph)
    assert set(shown.boxes) == {"in:in", "deck.one", "room.big", "out", "out:out"}
    assert shown.rows["deck.one"] == ["deck.one", "gain", "gain", "→ room.big", "post · room.big_send"]
    assert ("deck.one", "room.big", "send") in shown.edges
    assert len(shown.edges) == 5


def test_sends_say_where_they_branch_off_and_their_level() -> None:
    sends = [
        {"to": "a", "tap": "pre"},
        {"to": "b", "tap": "eq3", "level": {"as": "b"}},
        {"to": "c", "level": 0.5},
        {"to": "d", "tap": "eq3", "level": 1},
    ]
    chain = ["eq3", "gain", {"effect": "gain", "id": "fader"}]
    strips = [{"strip": f"s{i}", "input": f"in{i}", "chain": chain, "sends": sends} for i in range(3)]
    buses = [{"bus": name} for name in "abcd"]
    graph = load([*strips, *buses], ["a"], [{"name": f"in{i}"} for i in range(3)])
    for unfold in (False, True):
        shown = check(graph, unfold)
        rows = shown.rows["s0"]
        for bus, words in {
            "a": "pre · a_send",
            "b": "after eq3 · b",
            "c": "post · 0.5",
            "d": "after eq3 · 1",
        }.items():
            assert rows[rows.index(f"→ {bus}") + 1] == words
            assert ("s0", bus, "send") in shown.edges
    assert check(graph).counts["s0"] == 3


def test_a_loop_is_drawn_with_its_delay() -> None:
    back = {"to": "tape", "name": "again", "feedback": True, "delay": "375 ms", "level": {"as": "repeats"}}
    mixer = [{"strip": "s", "input": "mic", "to": "tape"}, {"bus": "tape", "chain": ["eq3"], "sends": [back]}]
    shown = check(load(mixer, ["tape"], [{"name": "mic"}]))
    assert ("tape", "tape", "feedback") in shown.edges
    assert ("s", "tape", "signal") in shown.edges
    row = shown.rows["tape"]
    assert " ".join(row[row.index("→ tape") + 1 :]) == "post · repeats ↺ back after 375 ms"


def test_a_send_that_an_effect_holds_back_is_marked_as_one_that_leads_back() -> None:
    mixer = [
        {"strip": "s", "input": "mic", "to": "tape"},
        {"bus": "tape", "chain": [{"effect": "echo", "controls": {"mix": 1}}], "sends": [{"to": "room"}]},
        {"bus": "room", "chain": ["eq3"], "sends": [{"to": "tape", "feedback": True, "level": 0.5}]},
    ]
    document = {"djgraph": 1, "name": "x", "inputs": [{"name": "mic"}], "mixer": mixer, "outputs": ["tape"]}
    text = to_svg(djgraph.load(document))
    shown = drawn(text)
    assert ("room", "tape", "feedback") in shown.edges
    assert ("tape", "room", "send") in shown.edges
    row = shown.rows["room"]
    assert " ".join(row[row.index("→ tape") + 1 :]) == "post · 0.5 ↺ back, held back on its way round"
    assert "send back (a loop)" in text


@given(looped_documents())
@settings(max_examples=examples(40))
def test_every_way_back_is_marked(document: dict[str, Any]) -> None:
    graph = djgraph.load(document, registry=REGISTRY)
    shown = check(graph, unfold=True)
    ways = [node for node in graph.nodes if isinstance(node, FeedbackNode)]
    targets = {
        (graph.owner_of[way.id].name, graph.owner_of[node.id].name)
        for way in ways
        for node in graph.nodes
        if isinstance(node, SumNode) and way.id in {point.node for point in node.sources}
    }
    assert {edge[:2] for edge in shown.edges if edge[2] == "feedback"} == targets
    said = sum("↺" in text for rows in shown.rows.values() for text in rows)
    assert said == len(ways)


def test_boxes_say_where_they_are_not_stereo() -> None:
    document = {
        "djgraph": 1,
        "name": "wide",
        "inputs": [{"name": "mic", "channels": "mono"}, {"name": "bed", "channels": 5.1}, {"name": "deck"}],
        "mixer": [
            {"strip": "voice", "input": "mic", "channels": 5.1, "chain": ["gain"], "to": "room"},
            {"strip": "bed_strip", "input": "bed", "to": "room"},
            {"strip": "deck_strip", "input": "deck", "chain": ["gain"]},
            {"bus": "room"},
        ],
        "outputs": ["room", "deck_strip"],
    }
    rows = drawn(to_svg(djgraph.load(document), unfold=True)).rows
    said = {name: " ".join(texts) for name, texts in rows.items()}
    assert "mono to 5.1" in said["voice"]
    for name in ("in:bed", "bed_strip", "room"):
        assert "5.1" in said[name]
    assert "mono" in said["in:mic"]
    for name in ("deck_strip", "in:deck"):
        assert not any(word in said[name] for word in ("stereo", "mono", "5.1"))


def test_a_strip_without_a_chain_has_a_box() -> None:
    mixer = [
        {"strip": "b", "input": "a", "to": "out"},
        {"strip": "a", "input": "in"},
        {"bus": "out"},
    ]
    shown = check(load(mixer, ["out", "b"], [{"name": "in"}]))
    assert sorted(shown.edges) == [
        ("a", "b", "signal"),
        ("b", "out", "signal"),
        ("b", "out:b", "signal"),
        ("in:in", "a", "signal"),
        ("out", "out:out", "signal"),
    ]


def channels(count: int) -> list[dict[str, Any]]:
    return [
        {
            "strip": f"c{i}",
            "input": f"in{i}",
            "chain": ["eq3", "gain"],
            "sends": [{"to": "room"}],
            "to": "mix",
        }
        for i in range(1, count + 1)
    ]


def test_a_console_is_folded() -> None:
    buses = [{"bus": "room", "to": "mix"}, {"bus": "mix"}]
    inputs = [{"name": f"in{i}"} for i in range(1, 25)]
    graph = load([*channels(24), *buses], ["mix"], inputs)
    shown = check(graph)
    assert shown.counts == {"in:in1": 24, "c1": 24, "room": 1, "mix": 1, "out:mix": 1}
    assert shown.rows["c1"][:2] == ["c1 … c24", "×24"]
    assert shown.height < 320
    assert len(check(graph, unfold=True).boxes) == 51


def test_what_solos_together_is_folded() -> None:
    buses = [{"bus": "room", "to": "mix"}, {"bus": "mix"}]
    inputs = [{"name": f"in{i}"} for i in range(1, 7)]
    mixer = [{**channel, "mute": True, "solo": True} for channel in channels(6)]
    mixer[4]["solo"] = "others"
    mixer[5]["solo"] = "others"
    shown = check(load([*mixer, *buses], ["mix"], inputs))
    assert {box: count for box, count in shown.counts.items() if count > 1} == {"c1": 4, "in:in1": 4}
    # Each shows its own solo, and none of the others'.
    assert not any("solo" in box for box in shown.boxes)
    assert all("c2.solo" not in row for rows in shown.rows.values() for row in rows)
    # And once, folded, among which it is one.
    for strip, group in (("c1", "c1 … c4"), ("c5", "c5 … c6")):
        row = shown.rows[strip]
        assert row[row.index("mute and solo") + 1 :][:2] == ["◆ mute", f"◆ solo of {group}"]


def test_what_has_a_mute_alone_is_not_said_to_solo() -> None:
    graph = load(
        [{**channel, "mute": True} for channel in channels(1)] + [{"bus": "room"}, {"bus": "mix"}],
        ["mix"],
        [{"name": "in1"}],
    )
    row = drawn(to_svg(graph)).rows["c1"]
    assert row[row.index("mute") + 1] == "◆ mute"


def test_a_title_is_whole_beside_much_that_is_said_of_it() -> None:
    inputs = [{"name": f"chan_{i}", "channels": "mono", "optional": True} for i in range(1, 25)]
    mixer = [{**item, "input": f"chan_{i}"} for i, item in enumerate(channels(24), 1)]
    shown = check(load([*mixer, {"bus": "room"}, {"bus": "mix"}], ["mix"], inputs))
    assert shown.rows["in:chan_1"][0] == "chan_1 … chan_24"


def test_only_equal_strips_are_folded() -> None:
    buses = [{"bus": "room", "to": "mix"}, {"bus": "mix"}]
    inputs = [{"name": f"in{i}"} for i in range(1, 9)]
    mixer = channels(8)
    mixer[1]["to"] = ["room"]  # another bus
    mixer[1]["sends"] = []
    mixer[2]["chain"] = ["eq3", {"effect": "gain", "controls": {"gain": 0.5}}]  # a constant
    mixer[3]["chain"] = ["eq3", {"effect": "gain", "controls": {"gain": {"min": 0.5}}}]  # another range
    listens = {"strip": "key", "input": "c5", "chain": ["gain"], "to": "room"}  # reads one of them
    graph = load([*mixer, listens, *buses], ["mix"], inputs)
    shown = check(graph)
    assert {box: count for box, count in shown.counts.items() if count > 1} == {"c1": 4, "in:in1": 4}
    assert {"c2", "c3", "c4", "c5", "key"} <= set(shown.boxes)
    # Two are not worth a pile.
    few = load([*channels(2), *buses], ["mix"], inputs[:2])
    assert set(check(few).counts.values()) == {1}


def test_knobs_are_drawn_with_what_they_move() -> None:
    tie = {"effect": "eq3", "controls": {"low": {"tie": "a.eq3.low"}, "mid": 1, "high": 1}}
    mixer = [
        {"strip": "a", "input": "in", "chain": ["eq3", "gain"], "to": "out"},
        {
            "strip": "b",
            "input": "in",
            "chain": [tie, "gain", "lowpass"],
            "macros": [{"name": "own", "default": 1, "drives": {"lowpass.cutoff": [[0, 0], [1, 1]]}}],
            "to": "out",
        },
        {
            "macro": "cross",
            "default": 0.5,
            "drives": {"a.gain.gain": [[0, 1], [1, 0]], "b.gain.gain": [[0, 0], [1, 1]]},
        },
        {"bus": "out"},
    ]
    shown = check(load(mixer, ["out"], [{"name": "in"}]))
    control = sorted(edge[:2] for edge in shown.edges if edge[2] == "control")
    assert control == [
        ("knob:a.eq3.low", "a"),
        ("knob:a.eq3.low", "b"),
        ("knob:cross", "a"),
        ("knob:cross", "b"),
    ]
    rows = shown.rows["b"]
    assert rows[1:3] == ["◆ own", "lowpass.cutoff"]
    assert rows[rows.index("lowpass") + 1] == "◆ own"
    assert rows[rows.index("gain") + 1] == "◆ cross"


def test_a_knob_moves_boxes_in_several_layers() -> None:
    strips = [{"strip": f"s{i}", "input": f"s{i - 1}" if i else "in", "chain": ["gain"]} for i in range(5)]
    drives = {f"s{i}.gain.gain": [[0, 0], [1, 1]] for i in range(5)}
    extra = [{"strip": f"t{i}", "input": f"s{i}", "chain": ["gain", "lowpass"]} for i in range(1, 4)]
    drives |= {f"t{i}.lowpass.cutoff": [[0, 0], [1, 1]] for i in range(1, 4)}
    graph = load([*strips, *extra, {"macro": "all", "drives": drives}], ["s4"], [{"name": "in"}])
    shown = check(graph, unfold=True)
    moved = sorted(target for source, target, _ in shown.edges if source == "knob:all")
    assert moved == ["s0", "s1", "s2", "s3", "s4", "t1", "t2", "t3"]


def test_the_smallest_graphs() -> None:
    alone = check(load([{"strip": "a", "input": "in"}], ["a"], [{"name": "in"}]))
    assert alone.edges == [("in:in", "a", "signal"), ("a", "out:a", "signal")]
    silent = check(load([{"bus": "a"}], ["a"], []))
    assert silent.edges == [("a", "out:a", "signal")]


def test_a_strip_that_makes_its_own_sound() -> None:
    class Hiss(TimeEffect):
        """Silence, without an input."""

        type = "hiss"
        inputs = ()

        def process(self, block: Block, state: State | None) -> tuple[dict[str, torch.Tensor], None]:
            return {"out": torch.zeros(1, 2, block.samples)}, None

    strip = {"strip": "a", "chain": ["hiss"], "to": "out"}
    document = {"djgraph": 1, "name": "x", "mixer": [strip, {"bus": "out"}], "outputs": ["out"]}
    shown = check(djgraph.load(document, registry=registry_with(Hiss)))
    assert shown.edges == [("a", "out", "signal"), ("out", "out:out", "signal")]


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
    graph = djgraph.load(document)
    text = to_svg(graph)
    title = ElementTree.fromstring(text).find(f"{SVG}title")
    assert title is not None
    assert title.text is not None
    assert title.text.startswith("a\\x00\\x01")
    assert "\\x1b" in title.text
    assert "\\x9f" in title.text
    for shown in (text, to_html(graph)):
        assert "\u202e" not in shown
        shown.encode("utf-8")


def test_names_are_escaped() -> None:
    document = {
        "djgraph": 1,
        "name": "x",
        "title": "<script>alert(1)</script>",
        "description": "<img src=x onerror=alert(1)>",
        "inputs": [{"name": "in"}],
        "mixer": [{"strip": "a", "input": "in"}],
        "outputs": ["a"],
    }
    graph = djgraph.load(document)
    assert "<script>" not in to_svg(graph)
    page = to_html(graph)
    assert page.count("<script>") == 1  # its own
    assert "<img" not in page


def test_long_names_do_not_leave_their_boxes() -> None:
    name = "a" * 60
    strip = {"strip": name, "input": name, "chain": [{"effect": "gain", "id": "w" * 60}], "to": "m" * 60}
    shown = check(load([strip, {"bus": "m" * 60}], ["m" * 60], [{"name": name}]))
    assert all(box[2] - box[0] <= 240 for box in shown.boxes.values())


HOSTILE = [
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "]]><!--",
    "&lt;b&gt;&#0;",
    "\x00\x1b[31m\u202eabc",
    "\N{THUMBS UP SIGN}\u200d" * 20,
    "漢字かな" * 30,
    "W" * 500,
    "e\u0301" * 200,
]


@given(st.lists(st.sampled_from(HOSTILE) | st.text(max_size=40), min_size=12, max_size=12))
@settings(max_examples=examples(100))
def test_whatever_names_say_they_are_text_and_within_their_boxes(names: list[str]) -> None:
    rows = tuple(
        Row(names[i], (names[i + 1], names[i + 2]), kind)
        for i, kind in enumerate(("title", "node", "send", "macro"))
    )  # type: ignore[arg-type]
    boxes = {
        "knob:" + names[6]: Box("knob:" + names[6], "knob", (Row(names[6], kind="title"),)),
        "a" + names[7]: Box("a" + names[7], "strip", rows, 3, "f" + names[9]),
        "b" + names[8]: Box("b" + names[8], "bus", (*rows, Row(names[8], kind="out")), 1, "f" + names[9]),
    }
    knob, a, b = boxes
    edges = (Edge(a, 0, b, 1, "signal"), Edge(b, 2, a, 0, "feedback"), Edge(knob, 0, a, 1, "control"))
    frames = {"f" + names[9]: Frame("f" + names[9], names[9], (names[10],))}
    graph = djgraph.load("filter_knob")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "picture", lambda *_: Picture(names[11], boxes, edges, frames))
        texts = [to_svg(graph, theme="dark"), to_html(graph)]
    for text in texts:
        inner = text[text.index("<svg") : text.index("</svg>") + 6]
        shown = drawn(inner)
        assert len(shown.boxes) == 3
        assert len(shown.edges) == 3
        root = ElementTree.fromstring(inner)
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            "svg",
            "title",
            "rect",
            "text",
            "g",
            "path",
            "circle",
        }
        assert not any(
            key.startswith("on") or "href" in key for element in root.iter() for key in element.attrib
        )
    assert texts[1].count("<script") == 1


def test_a_text_that_has_no_room_at_all_is_left_out():
    assert fitted("", -8.0, 11) == fitted("wide", 5.0, 11) == ""
    assert fitted("wide", 11.0, 11) == "…"


def luminance(colour: str) -> float:
    """Of an sRGB colour, by WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_text_and_lines_stand_out_in_every_theme(name: str) -> None:
    """By WCAG 2: 4.5 for text, 3 for lines."""
    theme = THEMES[name]
    grounds = [theme.paper, theme.frame]
    for ground in [*grounds, *theme.boxes.values()]:
        assert contrast(theme.text, ground) >= 4.5
        assert contrast(theme.notes, ground) >= 4.5
    for ground in grounds:
        assert all(contrast(colour, ground) >= 3 for colour in theme.edges.values())
        assert contrast(theme.border, ground) >= 3
    assert len(set(theme.edges.values())) == len(theme.edges)
    assert set(theme.edges) == set(get_args(EdgeKind))
    assert set(theme.boxes) == set(get_args(BoxKind))


@given(st.text(max_size=30), st.floats(0, 300))
def test_text_is_cut_to_fit(text: str, room: float) -> None:
    cut = fitted(text, room, 12)
    assert width(cut, 12) <= max(room, width("…", 12))
    assert "\n" not in cut


def test_themes_differ_in_colours_only() -> None:
    graph = djgraph.load("club_mixer")
    shapes = [re.sub(r"#[0-9a-f]{6}", "", to_svg(graph, theme=name)) for name in THEMES]
    assert len(set(shapes)) == 1
    assert to_svg(graph, theme="dark") != to_svg(graph)
    with pytest.raises(InputError, match=r"there is no theme 'darc'.*dark"):
        to_svg(graph, theme="darc")


def test_pages_hold_the_picture() -> None:
    graph = djgraph.load("dub_desk")
    page = to_html(graph, theme="dark")
    assert to_svg(graph, theme="dark") in page
    assert page.startswith("<!DOCTYPE html>")
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_images_need_resvg(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = djgraph.load("filter_knob")
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(DJGraphError, match=r"pip install 'djgraph\[draw\]'"):
        to_png(graph)


def test_images_are_twice_as_large() -> None:
    pytest.importorskip("resvg_py")
    graph = djgraph.load("filter_knob")
    image = to_png(graph)
    shown = drawn(to_svg(graph))
    assert image.startswith(b"\x89PNG")
    assert int.from_bytes(image[16:20]) == 2 * shown.width
    assert int.from_bytes(image[20:24]) == 2 * shown.height
