"""Nothing but the document's lists orders the layout: no key order, no plugin order, no file format."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import djgraph_fx
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.effects import TimeEffect
from djgraph.graph import load
from djgraph.language import load_document
from djgraph.plugins import Registry, hookimpl

SHIPPED = sorted((Path(__file__).parents[2] / "graphs").glob("*.yaml"))

EVERYTHING: dict[str, Any] = {
    "djgraph": 1,
    "name": "everything",
    "args": {"low": 200, "size": 1024, "voice": "mic"},
    "transform": {"size": "$size", "hop": 256},
    "inputs": [
        {"name": "deck", "stems": ["drums", {"name": "other", "optional": True}]},
        {"name": "mic", "channels": "stereo", "optional": True},
    ],
    "templates": {
        "channel": {
            "args": {"low": 300, "high": 4000},
            "chain": [
                {
                    "effect": "eq3",
                    "id": "eq",
                    "settings": {"low": "$low", "high": "$high"},
                    "controls": {
                        "high": {"as": "treble", "max": 1.5, "default": 1},
                        "low": {"as": "bass"},
                        "mid": 1,
                    },
                },
                {"effect": "duck", "inputs": {"sidechain": "$voice"}},
            ],
        },
        "stem": {
            "args": {"deck": None, "stem": None},
            "mixer": [
                {
                    "strip": "$deck.$stem",
                    "input": "$deck.$stem",
                    "chain": [
                        {"use": "channel", "with": {"high": 5000, "low": "$low"}},
                        "lowpass",
                        "highpass",
                        "gain",
                    ],
                    "fader": "gain",
                    "macros": [
                        {
                            "name": "filter",
                            "neutral": 0.5,
                            "drives": {
                                "highpass.cutoff": [[0, 0], [0.5, 0], [1, 1]],
                                "lowpass.cutoff": [[0, 0], [0.5, 1], [1, 1]],
                            },
                        }
                    ],
                    "sends": [
                        {"to": "fx", "level": {"as": "fx"}},
                        {"to": "cue", "tap": "pre", "level": 1},
                    ],
                    "to": ["master", "record"],
                }
            ],
        },
    },
    "mixer": [
        {"for": {"stem": "deck.stems"}, "do": [{"use": "stem", "with": {"stem": "$stem", "deck": "deck"}}]},
        {
            "strip": "mic",
            "input": "mic",
            "chain": [{"effect": "gain", "controls": {"gain": {"tie": "fx.delay.mix"}}}],
            "to": "master",
        },
        {
            "macro": "energy",
            "drives": {"fx.delay.feedback": [[0, 0], [1, 1]], "deck.other.fx": [[0, 0], [1, 0.5]]},
        },
        {
            "bus": "fx",
            "chain": [
                "delay",
                {"effect": "reverb", "settings": {"seed": 3, "damping": 0.2}, "controls": {"mix": 1}},
            ],
            "to": "master",
        },
        {"bus": "master"},
        {"bus": "record"},
        {"bus": "cue"},
    ],
    "outputs": ["master", {"name": "recording", "from": "record"}, "cue"],
}


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same data with the keys of every mapping in another order."""
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


DOCUMENTS = {
    "everything": EVERYTHING,
    **{path.stem: dict(load_document(path).source.data) for path in SHIPPED},
}


@settings(max_examples=examples(25), deadline=None)
@given(st.sampled_from(sorted(DOCUMENTS)), st.randoms(use_true_random=False))
def test_key_order_changes_nothing(registry: Registry, name: str, rng: random.Random) -> None:
    document = DOCUMENTS[name]
    graph = load(document, registry=registry)
    other = load(shuffled(document, rng), registry=registry)
    assert other.columns == graph.columns
    assert other == graph


def test_everything_has_these_columns(registry: Registry) -> None:
    graph = load(EVERYTHING, registry=registry)
    stem = ["eq.bass", "eq.treble", "duck.amount", "gain.gain", "fx", "filter"]
    expected = [f"deck.drums.{name}" for name in stem] + [
        f"deck.other.{name}" for name in stem if name != "fx"
    ]
    expected = [name.replace("eq.", "") for name in expected]
    assert [column.name for column in graph.columns] == [*expected, "energy", "fx.delay.mix"]


def test_the_order_of_plugins_changes_nothing(registry: Registry) -> None:
    class Later(TimeEffect):
        type = "aaa"

        def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
            return {"out": audio["in"]}, state

    class Plugin:
        @hookimpl
        def djgraph_effects(self) -> list[type[TimeEffect]]:
            return [Later]

    orders = []
    for plugins in ([djgraph_fx, Plugin()], [Plugin(), djgraph_fx]):
        other = Registry()
        for index, plugin in enumerate(plugins):
            other.register(plugin, name=f"plugin_{index}")
        orders.append(load(DOCUMENTS["club_console"], registry=other))
    assert orders[0] == orders[1] == load(DOCUMENTS["club_console"], registry=registry)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_text_and_data_are_one_language(name: str, registry: Registry) -> None:
    sources = (DOCUMENTS[name], json.dumps(DOCUMENTS[name], indent="\t"))
    graphs = [load(source, registry=registry) for source in sources]
    data, text = (
        [(c.name, c.control, c.kind, c.effect, c.drives) for c in graph.columns] for graph in graphs
    )
    assert data == text
    assert str(graphs[0]) == str(graphs[1])
