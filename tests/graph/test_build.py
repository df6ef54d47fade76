"""What a document becomes: nodes and what they read, columns and what reads them, in document order."""

from __future__ import annotations

import copy
import pickle
from typing import Annotated, Any

import djgraph_fx
import pytest

from djgraph.errors import DocumentError, GraphError
from djgraph.graph import (
    Column,
    Constant,
    EffectNode,
    Free,
    Graph,
    InputNode,
    MacroCurve,
    Point,
    SumNode,
    load,
)
from djgraph.plugins import Registry


def build(
    registry: Registry, *mixer: Any, inputs: Any = None, outputs: Any = ("master",), **more: Any
) -> Graph:
    if inputs is None:
        inputs = [{"name": "mic"}, {"name": "track", "stems": ["drums", "bass"]}]
    document = {"djgraph": 1, "name": "test", "inputs": inputs, "mixer": [*mixer, {"bus": "master"}]}
    return load({**document, "outputs": list(outputs), **more}, registry=registry)


def strip(name: str = "s", input: str | None = "mic", **more: Any) -> dict[str, Any]:
    return {"strip": name, **({"input": input} if input else {}), "to": "master", **more}


def effect(graph: Graph, name: str) -> EffectNode:
    node = graph.by_id[name]
    assert isinstance(node, EffectNode)
    return node


def names(graph: Graph) -> list[str]:
    return [column.name for column in graph.columns]


def column(graph: Graph, name: str) -> Column:
    return next(column for column in graph.columns if column.name == name)


def test_inputs_and_stems_are_nodes(registry: Registry) -> None:
    inputs = [
        {"name": "mic", "channels": "mono", "optional": True},
        {"name": "track", "stems": ["drums", {"name": "other", "optional": True}]},
    ]
    graph = build(registry, inputs=inputs)
    assert [node for node in graph.nodes if isinstance(node, InputNode)] == [
        InputNode("in:mic", "mic", None, 1, True),
        InputNode("in:track.drums", "track", "drums", 2, False),
        InputNode("in:track.other", "track", "other", 2, True),
    ]
    assert graph.inputs == {"mic": None, "track": ("drums", "other")}


def test_a_chain_goes_through_first_ports(registry: Registry) -> None:
    graph = build(registry, strip(chain=["gain", {"effect": "split", "id": "two"}, "lowpass"]))
    assert effect(graph, "s.gain").sources == {"in": Point("in:mic")}
    assert effect(graph, "s.two").sources == {"in": Point("s.gain")}
    assert effect(graph, "s.lowpass").sources == {"in": Point("s.two", "low")}
    assert graph.taps == {"s": Point("s.lowpass"), "master": Point("sum:master")}
    assert graph.outputs == {"master": Point("sum:master")}


def test_points_name_every_place(registry: Registry) -> None:
    places = {
        "end": "s",
        "output": "s@output",
        "before": "s@input",
        "after_gain": "s@gain",
        "high": "s@split.high",
        "bus": "b",
        "bus_sum": "b@input",
        "stem": "track.bass",
    }
    graph = build(
        registry,
        strip(chain=["gain", "split"]),
        {"bus": "b", "chain": ["delay"]},
        outputs=[{"name": name, "from": point} for name, point in places.items()],
    )
    assert graph.outputs == {
        "end": Point("s.split", "low"),
        "output": Point("s.split", "low"),
        "before": Point("in:mic"),
        "after_gain": Point("s.gain"),
        "high": Point("s.split", "high"),
        "bus": Point("b.delay"),
        "bus_sum": Point("sum:b"),
        "stem": Point("in:track.bass"),
    }


def test_a_strip_may_be_called_like_its_input(registry: Registry) -> None:
    """`input:` means the input; any other place means the strip, and `@output` says so even in `input:`."""
    graph = build(
        registry,
        strip("mic", "mic", chain=["gain"]),
        strip("raw", "mic"),
        strip("after", "mic@output"),
        strip("ducked", "track.drums", chain=[{"effect": "duck", "inputs": {"sidechain": "mic"}}]),
        outputs=["mic", "raw", "after"],
    )
    assert graph.outputs == {"mic": Point("mic.gain"), "raw": Point("in:mic"), "after": Point("mic.gain")}
    assert effect(graph, "ducked.duck").sources == {
        "in": Point("in:track.drums"),
        "sidechain": Point("mic.gain"),
    }


def test_names_may_be_used_before_they_appear(registry: Registry) -> None:
    graph = build(
        registry,
        strip("late", "early"),
        strip("ducked", chain=[{"effect": "duck", "inputs": {"sidechain": "early@gain"}}]),
        strip("early", chain=["gain"]),
    )
    assert graph.taps["late"] == Point("early.gain")
    order = [node.id for node in graph.nodes]
    assert order.index("early.gain") < order.index("ducked.duck")


def test_a_long_row_of_strips_without_nodes(registry: Registry) -> None:
    rows = [strip(f"s{i}", f"s{i + 1}") for i in range(3000)]
    graph = build(registry, *rows, strip("s3000", "mic"))
    assert graph.taps["s0"] == Point("in:mic")


def test_a_bus_sums_in_document_order(registry: Registry) -> None:
    graph = build(
        registry,
        strip("a", "track.bass"),
        strip("b", "track.drums", chain=["gain"], to=["record", "master"], sends=[{"to": "master"}]),
        {"bus": "record", "to": "master"},
        strip("c"),
    )
    assert graph.by_id["sum:master"] == SumNode(
        "sum:master",
        (
            Point("in:track.bass"),
            Point("b.gain"),
            Point("b.send:master"),
            Point("sum:record"),
            Point("in:mic"),
        ),
        2,
    )


def test_an_empty_bus_is_stereo_silence(registry: Registry) -> None:
    assert build(registry).by_id["sum:master"] == SumNode("sum:master", (), 2)


def test_sends_branch_before_the_fader_behind_it_or_after_a_node(registry: Registry) -> None:
    fader = {"effect": "gain", "id": "fader"}
    graph = build(
        registry,
        strip(
            chain=["lowpass", "highpass", fader, "delay"],
            sends=[
                {"to": "post"},
                {"to": "pre", "tap": "pre"},
                {"to": "node", "tap": "lowpass"},
                {"to": "unity", "level": 1},
                {"to": "half", "level": 0.5, "tap": "pre"},
            ],
        ),
        *({"bus": name} for name in ("post", "pre", "node", "unity", "half")),
    )
    gain = {"in": Point("s.delay")}
    assert effect(graph, "s.send:post").sources == gain
    assert effect(graph, "s.send:post").effect is effect(graph, "s.fader").effect
    assert effect(graph, "s.send:pre").sources == {"in": Point("s.highpass")}
    assert effect(graph, "s.send:node").sources == {"in": Point("s.lowpass")}
    assert effect(graph, "s.send:half").bindings == {"gain": Constant(0.5)}
    assert "s.send:unity" not in graph.by_id
    assert graph.by_id["sum:unity"] == SumNode("sum:unity", (Point("s.delay"),), 2)
    assert graph.by_id["sum:post"] == SumNode("sum:post", (Point("s.send:post"),), 2)


def test_a_fader_that_is_first_or_has_another_name(registry: Registry) -> None:
    sends = [{"to": "cue", "tap": "pre"}]
    cue = {"bus": "cue"}
    first = build(registry, strip(chain=[{"effect": "gain", "id": "fader"}, "delay"], sends=sends), cue)
    assert effect(first, "s.send:cue").sources == {"in": Point("in:mic")}
    named = build(registry, strip(chain=["lowpass", "gain"], fader="gain", sends=sends), cue)
    assert effect(named, "s.send:cue").sources == {"in": Point("s.lowpass")}


def test_a_sends_level_rests_at_zero(registry: Registry) -> None:
    level = {"as": "reverb_amount", "default": 0.25, "label": "Reverb"}
    graph = build(
        registry,
        strip(sends=[{"to": "echo"}, {"to": "reverb", "level": level}]),
        {"bus": "echo"},
        {"bus": "reverb"},
    )
    assert names(graph) == ["s.echo_send", "s.reverb_amount"]
    echo, reverb = graph.columns
    assert (echo.kind, echo.effect, echo.control.default, echo.control.neutral) == ("send", "gain", 0, 0)
    assert (echo.control.min, echo.control.max, echo.control.label) == (0, 1, "Send to echo")
    assert echo.drives == (("s.send:echo", "gain"),)
    assert (reverb.control.default, reverb.control.neutral, reverb.control.label) == (0.25, 0, "Reverb")


def test_columns_stand_in_document_order(registry: Registry) -> None:
    curve = [[0, 0], [1, 1]]
    graph = build(
        registry,
        strip(
            "b",
            chain=["eq3", {"effect": "gain", "id": "trim"}, "delay"],
            sends=[{"to": "z"}, {"to": "y"}],
            macros=[
                {"name": "m", "drives": {"trim.gain": curve}},
                {"name": "l", "drives": {"y_send": curve}},
            ],
        ),
        {"macro": "global", "drives": {"a.gain.gain": curve}},
        strip("a", chain=["gain", "lowpass"]),
        {"bus": "z", "chain": ["reverb"]},
        {"bus": "y"},
    )
    assert names(graph) == [
        "b.eq3.low",
        "b.eq3.mid",
        "b.eq3.high",
        "b.delay.mix",
        "b.delay.feedback",
        "b.z_send",
        "b.m",
        "b.l",
        "global",
        "a.lowpass.cutoff",
        "z.reverb.mix",
    ]
    assert [column.kind for column in graph.columns[5:9]] == ["send", "macro", "macro", "macro"]


def test_overrides_change_the_declaration(registry: Registry) -> None:
    override = {
        "as": "volume",
        "default": 0.5,
        "min": 0.25,
        "max": 0.75,
        "neutral": 0.6,
        "label": "Volume",
        "description": "How loud.",
        "aliases": ["level", "old.level"],
    }
    graph = build(registry, strip(chain=[{"effect": "gain", "controls": {"gain": override}}]))
    (only,) = graph.columns
    assert only.name == "s.volume"
    control = only.control
    assert (control.default, control.min, control.max, control.neutral) == (0.5, 0.25, 0.75, 0.6)
    assert (control.label, control.description) == ("Volume", "How loud.")
    assert control.aliases == ("s.level", "s.old.level")
    assert (control.id, control.unit, control.rate) == ("gain", "ratio", "sample")
    assert effect(graph, "s.gain").bindings == {"gain": Free("s.volume")}


def test_a_narrower_range_may_lose_the_neutral_value(registry: Registry) -> None:
    narrow = {"effect": "gain", "controls": {"gain": {"max": 0.5, "default": 0.5}}}
    (only,) = build(registry, strip(chain=[narrow])).columns
    assert only.control.neutral is None


def test_a_narrower_range_keeps_its_choices(registry: Registry) -> None:
    narrow = {"effect": "picky", "controls": {"division": {"min": 1, "max": 2}}}
    assert build(registry, strip(chain=[narrow])).columns[0].control.choices == (1, 2)


def test_constants_have_no_column(registry: Registry) -> None:
    chain = [{"effect": "eq3", "controls": {"low": 0, "high": {"value": 2}}}]
    graph = build(registry, strip(chain=chain))
    assert names(graph) == ["s.eq3.mid"]
    assert effect(graph, "s.eq3").bindings == {
        "low": Constant(0),
        "mid": Free("s.eq3.mid"),
        "high": Constant(2),
    }


def test_ties_are_looked_up_near_then_far(registry: Registry) -> None:
    tied = {"effect": "gain", "id": "second", "controls": {"gain": {"tie": "gain.gain"}}}
    far = {"effect": "gain", "controls": {"gain": {"tie": "late.volume"}}}
    send = {"to": "fx", "level": {"tie": "gain.gain"}}
    graph = build(
        registry,
        strip("near", chain=["gain", tied], sends=[send]),
        strip("far", chain=[far]),
        strip("late", chain=[{"effect": "gain", "controls": {"gain": {"as": "volume"}}}]),
        {"bus": "fx"},
    )
    assert names(graph) == ["near.gain.gain", "late.volume"]
    assert effect(graph, "near.second").bindings == {"gain": Free("near.gain.gain")}
    assert effect(graph, "far.gain").bindings == {"gain": Free("late.volume")}
    assert column(graph, "near.gain.gain").drives == (
        ("near.gain", "gain"),
        ("near.second", "gain"),
        ("near.send:fx", "gain"),
    )
    assert column(graph, "late.volume").drives == (("far.gain", "gain"), ("late.gain", "gain"))


def test_a_macro_drives_through_curves(registry: Registry) -> None:
    low, high = [[0, 0.2], [0.5, 1], [1, 1]], [[0, 0], [0.5, 0], [1, 0.8]]
    macro = {
        "name": "filter",
        "neutral": 0.5,
        "label": "Filter",
        "description": "A knob.",
        "aliases": ["sweep"],
        "drives": {"highpass.cutoff": high, "lowpass.cutoff": low},
    }
    graph = build(registry, strip(chain=["lowpass", "highpass"], macros=[macro]))
    (only,) = graph.columns
    assert (only.name, only.kind, only.effect) == ("s.filter", "macro", "")
    assert (only.control.min, only.control.max, only.control.default, only.control.neutral) == (
        0,
        1,
        0.5,
        0.5,
    )
    assert (only.control.label, only.control.aliases, only.control.rate) == ("Filter", ("s.sweep",), "frame")
    assert only.drives == (("s.lowpass", "cutoff"), ("s.highpass", "cutoff"))
    assert effect(graph, "s.lowpass").bindings == {
        "cutoff": MacroCurve("s.filter", ((0, 0.2), (0.5, 1), (1, 1)))
    }
    assert effect(graph, "s.highpass").bindings == {
        "cutoff": MacroCurve("s.filter", ((0, 0), (0.5, 0), (1, 0.8)))
    }


def test_a_macro_reads_as_often_as_its_quickest_control(registry: Registry) -> None:
    curve = [[0, 0], [1, 1]]
    rates = []
    for drives in (["picky.division"], ["picky.division", "lowpass.cutoff"], ["lowpass.cutoff", "gain.gain"]):
        macro = {"name": "m", "drives": dict.fromkeys(drives, curve)}
        graph = build(registry, strip(chain=["picky", "lowpass", "gain"], macros=[macro]))
        rates.append(column(graph, "s.m").control.rate)
    assert rates == ["clip", "frame", "sample"]


def test_a_macro_without_a_default_rests_at_neutral_or_its_minimum(registry: Registry) -> None:
    def default(**macro: Any) -> float:
        drives = {"gain.gain": [[0.25, 0.5], [1, 1]]}
        graph = build(
            registry, strip(chain=["gain"], macros=[{"name": "m", "min": 0.25, "drives": drives, **macro}])
        )
        return column(graph, "s.m").control.default

    assert default() == 0.25
    assert default(neutral=1) == 1
    assert default(neutral=1, default=0.75) == 0.75


def test_a_driven_control_keeps_a_narrower_range(registry: Registry) -> None:
    narrow = {"effect": "gain", "controls": {"gain": {"max": 0.5}}}
    macro = {"name": "m", "drives": {"gain.gain": [[0, 0], [1, 0.5]]}}
    assert names(build(registry, strip(chain=[narrow], macros=[macro]))) == ["s.m"]
    macro["drives"] = {"gain.gain": [[0, 0], [1, 0.6]]}
    with pytest.raises(DocumentError, match=r"0\.6 is outside the range of gain, 0 … 0\.5"):
        build(registry, strip(chain=[narrow], macros=[macro]))


def test_old_control_ids_still_work(registry: Registry) -> None:
    """`division` of the test effect was once called `beats`."""
    graph = build(registry, strip(chain=[{"effect": "picky", "controls": {"beats": {"default": 2}}}]))
    division = graph.columns[0]
    assert (division.name, division.control.default) == ("s.picky.division", 2)
    assert division.control.aliases == ("s.picky.beats",)
    macro = {"name": "m", "drives": {"picky.beats": [[0, 0], [1, 4]]}}
    driven = build(registry, strip(chain=["picky"], macros=[macro]))
    assert effect(driven, "s.picky").bindings["division"] == MacroCurve("s.m", ((0, 0), (1, 4)))
    renamed = build(registry, strip(chain=[{"effect": "picky", "controls": {"division": {"as": "time"}}}]))
    assert renamed.columns[0].control.aliases == ()


def test_settings_are_checked_and_completed(registry: Registry) -> None:
    given = {"count": 3, "mode": "hard", "times": [1, 2.5], "band": {"gain": 2}, "exact": True, "name": "x"}
    settings = effect(
        build(registry, strip(chain=[{"effect": "picky", "settings": given}])), "s.picky"
    ).settings
    assert settings.model_dump() == {
        "count": 3,
        "mode": "hard",
        "times": (1.0, 2.5),
        "name": "x",
        "exact": True,
        "band": {"gain": 2.0},
        "low": 1.0,
        "high": 2.0,
    }


def test_channels(registry: Registry) -> None:
    inputs = [{"name": "mic", "channels": "mono"}, {"name": "deck"}]
    graph = build(
        registry,
        {
            "strip": "voice",
            "input": "mic",
            "chain": ["gain", "widen", "lowpass", "needs_stereo"],
            "to": "master",
        },
        {"strip": "dry", "input": "mic", "chain": ["gain"], "to": "mono"},
        {"strip": "riser", "chain": ["hiss"], "to": "master"},
        {"bus": "mono", "chain": ["delay"]},
        inputs=inputs,
    )
    counts = {node.id: graph.channels(Point(node.id)) for node in graph.nodes}
    assert counts == {
        "in:mic": 1,
        "in:deck": 2,
        "voice.gain": 1,
        "voice.widen": 2,
        "voice.lowpass": 2,
        "voice.needs_stereo": 2,
        "dry.gain": 1,
        "riser.hiss": 2,
        "sum:mono": 1,
        "mono.delay": 1,
        "sum:master": 2,
    }


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("mono", 1),
        ("stereo", 2),
        ("3.0", 3),
        (3.0, 3),
        ("quad", 4),
        (4, 4),
        ("5.0", 5),
        (5.0, 5),
        ("5.1", 6),
        (5.1, 6),
        ("6.1", 7),
        (6.1, 7),
        ("7.1", 8),
        (7.1, 8),
        (9, 9),
        (32, 32),
    ],
)
def test_channels_are_words_and_numbers(registry: Registry, written: object, count: int) -> None:
    graph = build(
        registry,
        {"strip": "a", "input": "a", "chain": ["gain"], "to": "room"},
        {"strip": "b", "input": "b", "channels": written, "chain": ["gain"], "to": "room"},
        {"strip": "c", "channels": written, "chain": ["hiss"], "to": "room"},
        {"bus": "room", "channels": written},
        {"bus": "silent", "channels": written},
        inputs=[{"name": "a", "channels": written}, {"name": "b", "channels": "mono"}],
        outputs=[{"name": "room", "from": "room", "channels": written}],
    )
    counts = {node.id: graph.channels(Point(node.id)) for node in graph.nodes}
    wide = ("in:a", "a.gain", "b.gain", "c.hiss", "sum:room", "sum:silent")
    assert counts == {**dict.fromkeys(wide, count), "in:b": 1, "sum:master": 2}


def test_channels_may_be_an_argument(registry: Registry) -> None:
    document = {
        "djgraph": 1,
        "name": "x",
        "args": {"out": 5.1},
        "mixer": [{"bus": "master", "channels": "$out"}],
        "outputs": ["master"],
    }
    for given, count in (({}, 6), ({"out": "quad"}, 4), ({"out": 8}, 8)):
        graph = load(document, registry=registry, **given)
        assert graph.channels(Point("sum:master")) == count


def test_a_generator_begins_a_strip(registry: Registry) -> None:
    graph = build(registry, strip("riser", None, chain=["hiss", "highpass"]), inputs=[])
    assert effect(graph, "riser.hiss").sources == {}
    assert effect(graph, "riser.highpass").sources == {"in": Point("riser.hiss")}


def test_a_strip_may_lead_nowhere(registry: Registry) -> None:
    graph = build(registry, {"strip": "loose", "input": "mic", "chain": ["gain"]})
    assert graph.taps["loose"] == Point("loose.gain")


def test_nodes_come_after_their_sources_and_else_in_document_order(registry: Registry) -> None:
    graph = build(
        registry,
        {"bus": "sub", "chain": ["gain"], "to": "master"},
        strip("b", "track.drums", chain=["gain"], to="sub"),
        strip("a", "track.bass", chain=["gain"], to="sub"),
    )
    assert [node.id for node in graph.nodes] == [
        "in:mic",
        "in:track.drums",
        "in:track.bass",
        "b.gain",
        "a.gain",
        "sum:sub",
        "sub.gain",
        "sum:master",
    ]


def test_the_header_is_carried_over(registry: Registry) -> None:
    graph = build(
        registry, title="T", description="D", sample_rate=48000, transform={"size": 512, "hop": 128}
    )
    assert (graph.name, graph.title, graph.description, graph.sample_rate) == ("test", "T", "D", 48000)
    assert (graph.transform.size, graph.transform.hop, graph.file) == (512, 128, None)


def test_positions_point_at_the_lines(registry: Registry) -> None:
    text = """\
djgraph: 1
name: x
inputs: [{name: mic}]
mixer:
  - strip: s
    input: mic
    chain:
      - gain
      - {effect: lowpass, controls: {cutoff: {as: lp}}}
outputs: [s]
"""
    graph = load(text, registry=registry)
    assert str(graph.by_id["s.lowpass"].position) == "<text>:9:9"
    assert str(graph.by_id["in:mic"].position) == "<text>:3:10"
    assert [str(column.position) for column in graph.columns] == ["<text>:8:9", "<text>:9:46"]


def test_a_graph_prints_copies_and_pickles(registry: Registry) -> None:
    graph = build(registry, strip(chain=["gain", "eq3"]))
    assert "s.eq3: eq3(s.gain), spectral, stereo" in str(graph)
    again = pickle.loads(pickle.dumps(graph))
    assert again == graph
    assert copy.deepcopy(graph) == graph
    assert str(again) == str(graph)


def test_a_loaded_document_can_be_built_again(registry: Registry) -> None:
    from djgraph.language import load_document

    document = load_document("djgraph: 1\nname: x\nargs: {n: 1}\nmixer: [bus: b$n]\noutputs: [b$n]\n")
    assert list(load(document, registry=registry).outputs) == ["b1"]
    assert list(load(document, registry=registry, n=2).outputs) == ["b2"]


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"effect": "saturate", "settings": {"oversampling": True}}, "true is not allowed here"),
        ({"effect": "multitap", "settings": {"times": []}}, "expected at least 1 item, got 0"),
    ],
)
def test_true_is_no_choice_of_1_and_lists_have_lengths(node: dict[str, Any], words: str) -> None:
    builtin = Registry()
    builtin.register(djgraph_fx)
    with pytest.raises(DocumentError, match=words):
        build(builtin, strip(chain=[node]))


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({"times": ["125 ms", "0.25 s", 375], "levels": [1, 1, 1]}, (125, 250, 375)),
        ({"sync": "beats", "times": ["1/4 beat", 0.5, "3/4 beats"], "levels": [1, 1, 1]}, (0.25, 0.5, 0.75)),
        ({"sync": "ms", "times": ["0.001s"], "levels": [1]}, (1,)),
    ],
)
def test_lists_of_quantities(registry: Registry, settings: dict[str, Any], times: tuple[float, ...]) -> None:
    graph = build(registry, strip(chain=[{"effect": "multitap", "settings": settings}]))
    assert effect(graph, "s.multitap").settings.model_dump()["times"] == times


def test_all_that_is_wrong_with_a_list_is_told_at_once_and_nothing_else(registry: Registry) -> None:
    settings = {"times": ["3 Hz", "x", "125 ms"], "levels": [], "fade": "1 beat", "longest": 1000}
    with pytest.raises(GraphError) as caught:
        build(registry, strip(chain=[{"effect": "multitap", "settings": settings}]))
    assert sorted(problem.message for problem in caught.value.problems) == [
        "1 beat does not fit fade, which is in ms",
        "3 Hz does not fit times, which is in ms",
        "expected a number, got text 'x'",
        "expected at least 1 item, got 0",
        "must be less than or equal to 20, got the number 1000",
    ]


def test_a_unit_says_one_thing() -> None:
    from djgraph.effects import SettingModel, Unit
    from djgraph.errors import EffectError

    for wrong in ({}, {"name": "ms", "by": "sync"}):
        with pytest.raises(EffectError, match="either a name or a setting"):
            Unit(**wrong)
    with pytest.raises(EffectError, match="the unit of time goes by 'snyc', and there is no such setting"):
        type(
            "Settings",
            (SettingModel,),
            {"__annotations__": {"time": Annotated[float, Unit(by="snyc")]}, "time": 1.0},
        )
