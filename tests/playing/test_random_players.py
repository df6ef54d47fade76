"""Random graphs, automations, blocks: what a player plays is what the mixer makes of the whole clip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.mixes import make_inputs, make_params
from streams.random_graphs import random_graph

from djgraph.automation import TempoMap, tempo_frames
from djgraph.errors import CompileError
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.playing import Course, MemoryFeed, Player

SAMPLES = 4000
EDGE = 80
"""Samples at the end that smoothing and effects behind it may reach: 10 ms."""
TEMPO = [[0, 100, "per_second"], [1, 140]]


def _course(mixer: Mixer, frames: int, seed: int) -> Course:
    generator = torch.Generator().manual_seed(seed)
    _, bends = tempo_frames(TempoMap(TEMPO), SAMPLES, mixer.graph.sample_rate)
    places = torch.randint(0, SAMPLES, (frames,), generator=generator)
    places = torch.cat((places, bends)).unique()
    params = make_params(mixer, 1, len(places), torch.float32, seed)[0]
    bpm = torch.from_numpy(
        np.array([TempoMap(TEMPO).bpm(float(place) / mixer.graph.sample_rate) for place in places])
    )
    return Course(mixer.layout, params, places, bpm[None])


def _whole(mixer: Mixer, inputs: Any, course: Course, dtype: torch.dtype = torch.float32) -> np.ndarray:
    tempo = (
        {"tempo": course.tempo[0]} if mixer.compiled.uses_clock and isinstance(course.tempo, tuple) else {}
    )
    inputs = {
        name: {s: x.to(dtype) for s, x in one.items()} if isinstance(one, dict) else one.to(dtype)
        for name, one in inputs.items()
    }
    with torch.no_grad():
        made = mixer.to(dtype)(inputs, course.params[None].to(dtype), positions=course.positions, **tempo)
    mixer.to(torch.float32)
    main = next(iter(made.values())) if isinstance(made, dict) else made
    return main[0].numpy()


def _alone(inputs: Any) -> Any:
    return {
        name: {stem: x[0] for stem, x in one.items()} if isinstance(one, dict) else one[0]
        for name, one in inputs.items()
    }


@pytest.mark.slow  # what has to be compiled first takes its time
@pytest.mark.parametrize("lowering", ["studio", "causal"])
@settings(max_examples=examples(12, 1), deadline=None)
@given(
    seed=st.integers(0, 10_000), frames=st.integers(1, 9), sizes=st.lists(st.integers(1, 3000), min_size=1)
)
def test_a_player_of_a_random_graph(lowering: Any, seed: int, frames: int, sizes: list[int]) -> None:
    graph = random_graph(seed)
    try:
        mixer = Mixer(graph, lowering=lowering)
    except CompileError:  # settings without a twin
        return
    inputs = make_inputs(graph, 1, SAMPLES, torch.float32, seed)
    course = _course(mixer, frames, seed)
    player = Player(mixer, MemoryFeed(_alone(inputs)), course)
    player.play()
    blocks, left = [], SAMPLES
    while left > 0:
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(player.block(size)[0])
        left -= size
    player.close()
    # A clip's last frames are smoothed with its end in view; a player does not know that it ends.
    inside = SAMPLES - EDGE
    played = np.concatenate(blocks, 1)[:, :inside]
    wanted = _whole(mixer, inputs, course)[:, :inside]
    scale = max(1.0, float(np.abs(wanted).max()))
    found = float(np.abs(played - wanted).max()) / scale
    if found > 1e-5:  # what rounds is enlarged by resonances, in a whole clip as well
        exact = _whole(mixer, inputs, course, torch.float64)[:, :inside]
        assert found < 4 * float(np.abs(wanted - exact).max()) / scale


@pytest.mark.parametrize("channels", ["mono", 4])
def test_outputs_of_other_widths(channels: Any) -> None:
    document = {
        "djgraph": 1,
        "name": "wide",
        "sample_rate": 8000,
        "inputs": [{"name": "a", "channels": channels}],
        "mixer": [{"strip": "s", "input": "a", "chain": ["gain"]}],
        "outputs": ["s"],
    }
    mixer = Mixer(load(document))
    width = 1 if channels == "mono" else 4
    audio = torch.randn(1, width, SAMPLES) * 0.1
    course = _course(mixer, 4, 1)
    player = Player(mixer, MemoryFeed({"a": audio[0]}), course)
    player.play()
    played = np.concatenate([player.block(700)[0] for _ in range(9)], 1)[:, :SAMPLES]
    assert played.shape[0] == width
    inside = SAMPLES - EDGE
    wanted = _whole(mixer, {"a": audio}, course)
    np.testing.assert_allclose(played[:, :inside], wanted[:, :inside], atol=1e-6)
    player.close()
