"""Sources of inputs in the language: columns, overrides, and what is wrong with them."""

from __future__ import annotations

import pytest

import djgraph
from djgraph.errors import GraphError
from djgraph.graph import load
from djgraph.graph.ir import Constant, MacroCurve


def document(source, **more):
    return {
        "djgraph": 1,
        "name": "one",
        "inputs": [
            {"name": "mic"},
            {"name": "track", "stems": ["drums", {"name": "voice", "optional": True}], "source": source},
        ],
        "mixer": [
            {"strip": "m", "input": "mic", "chain": ["gain"], "to": "master"},
            {"strip": "d", "input": "track.drums", "chain": ["gain"], "to": "master"},
            {"strip": "v", "input": "track.voice", "chain": ["gain"], "to": "master"},
            *more.pop("mixer", []),
            {"bus": "master"},
        ],
        "outputs": ["master"],
        **more,
    }


def test_columns_of_sources_come_before_the_mixers():
    graph = load(document("deck"))
    names = [column.name for column in graph.columns]
    assert names == ["track.start", "track.rate", "m.gain.gain", "d.gain.gain", "v.gain.gain"]
    assert graph.columns[0].drives == (("track.deck", "start"),)
    assert graph.sources["track"].channels == 4
    assert "track.deck: deck(), source, quad" in str(graph)


def test_a_graph_without_sources_has_none():
    assert not load("dj_mixer").sources
    assert len(djgraph.load("dj_mixer").columns) == 54


def test_controls_of_a_source_are_overridden_as_any():
    source = {
        "effect": "deck",
        "controls": {"start": {"value": "1500 ms"}, "rate": {"as": "pitch", "min": 0.9, "max": 1.1}},
    }
    graph = load(document(source))
    assert graph.columns[0].name == "track.pitch"
    assert (graph.columns[0].control.min, graph.columns[0].control.max) == (0.9, 1.1)
    assert graph.sources["track"].bindings["start"] == Constant(1.5)


def test_a_macro_drives_a_source_by_either_name():
    for name in ("track.rate", "track.deck.rate"):
        macro = {"macro": "brake", "min": 0, "max": 1, "drives": {name: [[0, 1], [1, 0.25]]}}
        graph = load(document("deck", mixer=[macro]))
        assert isinstance(graph.sources["track"].bindings["rate"], MacroCurve)


def test_sources_are_part_of_what_a_graph_is():
    from djgraph.runtime.identity import graph_identity

    one, other = (
        graph_identity(load(document({"effect": "deck", "settings": {"sync": sync}})))
        for sync in ("off", "beat")
    )
    assert one != other


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("dekc", "there is no source effect 'dekc'"),
        ("dekc", "did you mean: deck"),
        ("gain", "gain works on a signal, and cannot play an input"),
        ({"effect": "deck", "settings": {"sync": "bars"}}, "sync"),
        ({"effect": "deck", "controls": {"speed": 1}}, "deck has no control 'speed'"),
        ({"effect": "deck", "controls": {"rate": 5}}, "rate"),
        ({"effect": "deck", "controls": {"rate": {"follow": "nobody"}}}, "nobody"),
    ],
)
def test_what_is_wrong_with_a_source_is_told_where_it_stands(source, message, tmp_path):
    import json

    path = tmp_path / "one.json"
    path.write_text(json.dumps(document(source), indent=1))
    with pytest.raises(djgraph.DJGraphError) as caught:
        load(path)
    assert message in str(caught.value)
    assert "inputs[1].source" in str(caught.value)


def test_a_source_in_a_chain_is_told():
    wrong = {"strip": "x", "input": "mic", "chain": ["deck"], "to": "master"}
    with pytest.raises(GraphError, match="deck makes an input's sound, and is no part of a chain"):
        load(document("deck", mixer=[wrong]))


def test_two_sources_do_not_share_columns():
    wrong = {
        "strip": "track",
        "input": "mic",
        "chain": [{"effect": "gain", "controls": {"gain": {"as": "rate"}}}],
    }
    with pytest.raises(djgraph.DJGraphError, match=r"column 'track\.rate' is there already"):
        load(document("deck", mixer=[wrong]))
