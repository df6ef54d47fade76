"""Documents with one thing changed at random: a graph, or a readable refusal; never anything else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.errors import DocumentError
from djgraph.graph import load
from djgraph.plugins import Registry

DOCUMENT: dict[str, Any] = {
    "djgraph": 1,
    "name": "small",
    "args": {"low": 200, "deep": None},
    "transform": {"size": 1024, "hop": 256},
    "inputs": [{"name": "deck", "stems": ["drums", {"name": "other", "optional": True}]}, {"name": "mic"}],
    "templates": {
        "eq": {"args": {"low": 300}, "chain": [{"effect": "eq3", "id": "eq", "settings": {"low": "$low"}}]},
        "cue": {"args": {"name": None}, "mixer": [{"bus": "$name", "chain": ["gain"]}]},
    },
    "mixer": [
        {
            "for": {"stem": "deck.stems"},
            "do": [
                {
                    "strip": "deck.$stem",
                    "input": "deck.$stem",
                    "chain": [
                        {"use": "eq", "with": {"low": "$low"}},
                        "lowpass",
                        {"effect": "gain", "id": "fader"},
                    ],
                    "macros": [{"name": "dark", "drives": {"lowpass.cutoff": [[0, 0.5], [1, 1]]}}],
                    "sends": [
                        {"to": "cue", "tap": "pre", "level": {"as": "cue", "default": 0}},
                        {"to": "fx"},
                    ],
                    "to": "master",
                }
            ],
        },
        {
            "strip": "mic",
            "input": "mic",
            "chain": [{"effect": "duck", "inputs": {"sidechain": "deck.drums@eq"}}],
        },
        {"strip": "riser", "chain": ["hiss"], "to": ["master", "fx"]},
        {"use": "cue", "with": {"name": "cue"}},
        {
            "bus": "fx",
            "chain": [{"effect": "delay", "controls": {"mix": 1, "feedback": {"tie": "wide"}}}],
        },
        {"macro": "wide", "drives": {"cue.gain.gain": [[0, 0], [1, 1]]}},
        {"bus": "master"},
    ],
    "outputs": ["master", {"name": "cue", "from": "cue"}],
}

JUNK: list[Any] = [
    None, True, 0, 1, -1, 2.5, 1e300, 10**30, "", "x", "$", "$low", "$x", "$(", "a.b", "a@b", "@", "mic", "deck",
    "master", "cue", "gain", "hiss", "split", "inputs", "post", "pre", "input", [], [[]], ["x"], ["gain"], [1, 2],
    [[0, 0], [1, 1]], {}, {"x": 1}, {"effect": "gain"}, {"use": "eq"}, {"use": "cue"}, {"bus": "x"},
    {"from": 1, "to": 2}, {"name": "x"},
    {"x": [[0, 0], [1, 1]]},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path in a document."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += places(item, (*path, index))
    return found


def holder(document: Any, path: tuple[Any, ...]) -> Any:
    for part in path[:-1]:
        document = document[part]
    return document


KEYS = ["x", "Xy", "strip", "bus", "use", "for", "$low", "a.b.c", ""]
PLACES = places(DOCUMENT)
TEXTS = [path for path in PLACES if isinstance(holder(DOCUMENT, path)[path[-1]], str)]


def refusal(document: Any, registry: Registry) -> str:
    """The message with which a document is refused; empty where it is not."""
    try:
        graph = load(document, registry=registry, deep=1)
    except DocumentError as error:
        return str(error)
    for column in graph.columns:
        assert column.control.min <= column.control.default <= column.control.max
    return ""


@pytest.mark.slow
@settings(max_examples=examples(400), deadline=None)
@given(st.data())
def test_one_change(registry: Registry, data: st.DataObject) -> None:
    document = copy.deepcopy(DOCUMENT)
    path = data.draw(st.sampled_from(PLACES))
    inside, last = holder(document, path), path[-1]
    change = data.draw(st.sampled_from(["replace", "remove", "rename", "repeat", "swap"]))
    if change == "replace":
        inside[last] = data.draw(st.sampled_from(JUNK))
    elif change == "remove":
        del inside[last]
    elif change == "rename" and isinstance(inside, dict):
        inside[data.draw(st.sampled_from(["x", "Xy", "strip", "bus", "use", "for", "$low", "a.b.c", ""]))] = (
            inside.pop(last)
        )
    elif change == "repeat" and isinstance(inside, list):
        inside.insert(last, copy.deepcopy(inside[last]))
    elif change == "swap":
        other = data.draw(st.sampled_from(TEXTS))
        inside[last] = holder(DOCUMENT, other)[other[-1]]
    message = refusal(document, registry)
    for jargon in ("Input should", "Error", "object at 0x", "NoneType", "dict", "None"):
        assert jargon not in message, message


def test_a_name_that_a_loop_over_nothing_would_have_made_is_told(registry: Registry) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["mixer"][0]["for"]["stem"] = []
    assert "there is no strip or bus 'deck.drums'" in refusal(document, registry)


def test_the_document_itself_is_good(registry: Registry) -> None:
    assert load(DOCUMENT, registry=registry, deep=1).columns
