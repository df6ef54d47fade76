"""Tracks by what is heard: random mixers, played. Their faders scale one input, once, all of it or with a warning."""

from __future__ import annotations

from typing import Any

import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import djgraph
from djgraph.layout import ParameterLayout
from djgraph.layout.faders import find_tracks, unclear
from djgraph.runtime.reference import Reference

SAMPLES = 4
SOURCES = ("a.x", "a.y", "b", "c")
BUSES = ("p", "q")


@st.composite
def mixers(draw: st.DrawFn) -> djgraph.Graph:
    """Strips with and without faders, sends before and behind them, buses with and without faders, in any order."""
    chains = st.sampled_from([[], ["gain"], [{"effect": "gain", "id": "fader"}], ["gain", "gain_2"]])

    def chain() -> list[Any]:
        return [{"effect": "gain", "id": "late"} if node == "gain_2" else node for node in draw(chains)]

    def sends(nodes: list[Any], buses: tuple[str, ...]) -> list[dict[str, Any]]:
        if not buses or not draw(st.booleans()):
            return []
        level = draw(st.sampled_from([1, {"default": 0}, {"default": 0.5}]))
        has_fader = any(isinstance(node, dict) and node["id"] == "fader" for node in nodes)
        taps = ["post", "input", *(["pre"] if has_fader else [])]
        return [{"to": draw(st.sampled_from(buses)), "tap": draw(st.sampled_from(taps)), "level": level}]

    items: list[dict[str, Any]] = []
    for source in SOURCES:
        for number in range(draw(st.integers(1, 2))):
            name = draw(st.sampled_from([f"{source.replace('.', '_')}_{number}", f"{source}.s{number}"]))
            nodes = chain()
            to = draw(st.lists(st.sampled_from(["m", *BUSES]), max_size=2, unique=True))
            strip = {"strip": name, "input": source, "chain": nodes, "to": to}
            items.append({**strip, "sends": sends(nodes, BUSES)})
    for name, on in (("p", ["m", "q"]), ("q", ["m"])):
        nodes = chain()
        items.append({"bus": name, "chain": nodes, "to": draw(st.sampled_from(on))})
    items.append({"bus": "m", "chain": chain()})
    return djgraph.load(
        {
            "djgraph": 1,
            "name": "any",
            "inputs": [{"name": "a", "stems": ["x", "y"]}, {"name": "b"}, {"name": "c"}],
            "mixer": draw(st.permutations(items)),
            "outputs": ["m"],
        }
    )


def played(graph: djgraph.Graph, params: Tensor, *names: str) -> Tensor:
    """The mix in which these inputs alone sound; positive, so that nothing cancels."""

    def sound(name: str) -> Tensor:
        return torch.full((1, 2, SAMPLES), float(name in names), dtype=torch.float64)

    inputs = {
        name: sound(name) if stems is None else {stem: sound(name) for stem in stems}
        for name, stems in graph.inputs.items()
    }
    out = Reference(graph).double()(inputs, params)
    return (out if isinstance(out, Tensor) else next(iter(out.values())))[0, 0, -1]


@settings(max_examples=examples(150), deadline=None)
@given(mixers())
def test_faders_of_a_track_scale_its_input_once_and_nothing_else(graph: djgraph.Graph) -> None:
    layout = ParameterLayout.from_graph(graph)
    rest = layout.default.double().expand(1, 1, -1)
    for track in find_tracks(layout):
        own = list(graph.inputs)[track.number]
        others = [name for name in graph.inputs if name != own]
        down, half = rest.clone(), rest.clone()
        down[..., track.columns] = 0
        half[..., track.columns] = rest[..., track.columns] / 2
        torch.testing.assert_close(played(graph, down, *others), played(graph, rest, *others))
        left = played(graph, down, own)
        if unclear(layout, track, "it") is None:
            assert left == 0
            torch.testing.assert_close(played(graph, half, own), played(graph, rest, own) / 2)
        else:
            assert left > 0
