"""Mono signals that meet wider ones: in buses, at nodes with several ports, at ports that take stereo.

Held against the same graph whose mono inputs are declared stereo, where the mixer has two equal channels all along, and
against the reference interpreter.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer
from djgraph.runtime.reference import Reference

SAMPLES = 6000
CHAIN = ["gain", "eq3", "lowpass", "compressor", "saturate", "delay", "tremolo"]
"""Effects that treat all channels alike."""


def graph_of(chains: list[list[str]], mic: str, tail: list[str]) -> Graph:
    """Three strips, of which the first two are of a mono source, into one bus."""
    inputs = [{"name": "mic", "channels": mic}, {"name": "deck"}]
    names = ["mic", "mic", "deck"]
    strips = [
        {
            "strip": f"s{n}",
            "input": name,
            "chain": chain,
            "to": "master",
            "sends": [{"to": "side", "level": 0.5}],
        }
        for n, (name, chain) in enumerate(zip(names, chains))
    ]
    buses = [{"bus": "side", "chain": ["gain"], "to": "master"}, {"bus": "master", "chain": tail}]
    return load(
        {
            "djgraph": 1,
            "name": "x",
            "inputs": inputs,
            "mixer": [*strips, *buses],
            "outputs": ["master", "s0", "side"],
        }
    )


def audio() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "mic": torch.randn(2, 1, SAMPLES, generator=generator, dtype=torch.float64),
        "deck": torch.randn(2, 2, SAMPLES, generator=generator, dtype=torch.float64),
    }


def params_of(graph: Graph, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    low = torch.tensor([c.control.min for c in graph.columns], dtype=torch.float64)
    high = torch.tensor([c.control.max for c in graph.columns], dtype=torch.float64)
    return low + (high - low) * torch.rand(2, 4, len(low), generator=generator, dtype=torch.float64)


def run(model: Any, params: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    leaf = params.clone().requires_grad_()
    made = model(audio(), leaf)
    (gradient,) = torch.autograd.grad(
        sum(one.square().sum() for one in made.values()), leaf, allow_unused=True
    )
    return {name: one.detach() for name, one in made.items()}, torch.zeros(
        ()
    ) if gradient is None else gradient


chains = st.lists(st.sampled_from(CHAIN), max_size=2, unique=True)


@given(st.lists(chains, min_size=3, max_size=3), chains, st.integers(0, 99))
@settings(max_examples=12, deadline=None)
def test_it_is_the_mix_of_two_equal_channels(drawn: list[list[str]], tail: list[str], seed: int) -> None:
    graph, wide = graph_of(drawn, "mono", tail), graph_of(drawn, "stereo", tail)
    params = params_of(graph, seed)
    made, gradient = run(Mixer(graph).double(), params)
    assert made["s0"].shape[1] == 1
    models: list[Any] = [Reference(graph)]
    if not {"eq3", "lowpass"} & {*drawn[0], *drawn[1]}:
        # Where a mono signal leaves the transform to be spread, its masks and those behind are no longer one.
        models.insert(0, Mixer(wide))
    for model in models:
        expected, wanted = run(model.double(), params)
        for name, one in made.items():
            torch.testing.assert_close(one.expand_as(expected[name]), expected[name], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient, wanted, rtol=1e-6, atol=1e-6)  # the reference's


@pytest.mark.parametrize("simd", [True, False])
def test_streams_and_both_lowerings(simd: bool) -> None:
    graph = graph_of([["eq3", "lowpass"], [], ["gain"]], "mono", ["gain"])
    params = params_of(graph, 3)[:1, :1].float()
    sound = {name: one[:1].float() for name, one in audio().items()}
    for lowering in ("studio", "causal"):
        mixer = Mixer(graph, lowering=lowering, simd=simd)
        whole = mixer(sound, params)["master"]
        stream = mixer.stream(score=(params, torch.tensor([0])))
        parts = [
            stream({name: one[..., start : start + 777] for name, one in sound.items()})["master"]
            for start in range(0, SAMPLES, 777)
        ]
        parts.append(stream.finish()["master"])
        played = torch.cat(parts, -1)[..., stream.latency :]
        torch.testing.assert_close(played, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mic", ["mono", "stereo"])
def test_ports(mic: str) -> None:
    """A port beside a stereo one."""
    inputs = [{"name": "mic", "channels": mic}, {"name": "deck"}]
    chain = [{"effect": "ms_join", "inputs": {"side": "deck"}}]
    mixer = [{"strip": "s", "input": "mic", "chain": chain}]
    graph = load({"djgraph": 1, "name": "x", "inputs": inputs, "mixer": mixer, "outputs": ["s"]})
    sound, none = audio(), torch.zeros(2, 1, 0, dtype=torch.float64)
    made = Mixer(graph).double()(sound, none)
    assert isinstance(made, Tensor)
    torch.testing.assert_close(made, Reference(graph).double()(sound, none), rtol=0, atol=1e-12)
    both = {**sound, "mic": sound["mic"].expand(-1, 2, -1)}
    if mic == "stereo":
        torch.testing.assert_close(made, Mixer(graph).double()(both, none), rtol=0, atol=1e-12)


def test_a_graph_of_one_width_is_compiled_as_it_is() -> None:
    from djgraph.compiler.spread import spread

    for name in ("dj_mixer", "podcast_ducker"):
        graph = load(name)
        assert spread(graph) is graph
