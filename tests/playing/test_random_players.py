"""Random graphs, automations, blocks: what a player plays is what the mixer makes of the whole clip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from runtime.mixes import make_inputs, make_params
from streams.random_graphs import random_graph

from djgraph.automation import TempoMap, tempo_frames
from djgraph.errors import CompileError
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.playing import Course, MemoryFeed, Player
from djgraph.playing.feed import mapped

SAMPLES = 2000
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


class Precise(Mixer):
    """Streams in double precision, in which what differs from the whole clip is wrong."""

    def stream(self, **given: Any) -> Any:
        return super().stream(**given, dtype=torch.float64)


def _whole(
    mixer: Mixer, inputs: Any, course: Course, dtype: torch.dtype = torch.float32, frames: Any = None
) -> np.ndarray:
    """frames: (params, positions), where they are not those of the course."""
    params, positions = frames or (course.params, course.positions)
    tempo = (
        {"tempo": course.tempo[0]} if mixer.compiled.uses_clock and isinstance(course.tempo, tuple) else {}
    )
    if tempo and frames:  # of which each has a tempo
        bpm = [course.bpm(int(place)) for place in positions]
        tempo = {"tempo": torch.tensor([bpm], dtype=torch.float64)}
    with torch.no_grad():
        made = mixer.to(dtype)(_as(inputs, dtype), params[None].to(dtype), positions=positions, **tempo)
    main = next(iter(made.values())) if isinstance(made, dict) else made
    return main[0].numpy()


def _as(inputs: Any, dtype: torch.dtype) -> Any:
    return mapped(inputs, lambda signal: signal.to(dtype))


def _played(mixer: Mixer, inputs: Any, course: Course, sizes: list[int]) -> tuple[np.ndarray, Any]:
    """The clip in blocks, and the frames that the stream was given: (params, positions)."""
    player = Player(mixer, MemoryFeed(mapped(inputs, lambda signal: signal[0])), course)
    rows = dict[int, np.ndarray]()
    player.hands.heard = lambda line, place, row, layout: rows.__setitem__(place, row.copy())
    player.play()
    blocks, left = [], SAMPLES
    while left > 0:
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(player.block(size)[0])
        left -= size
    player.close()
    given = torch.from_numpy(np.stack(list(rows.values()))), torch.tensor(list(rows))
    return np.concatenate(blocks, 1)[:, :SAMPLES], given


@pytest.mark.slow  # what has to be compiled first takes its time
@pytest.mark.parametrize("lowering", ["studio", "causal"])
@settings(max_examples=examples(3, 1), deadline=None)
@given(
    seed=st.integers(0, 10_000), frames=st.integers(1, 9), sizes=st.lists(st.integers(1, 1500), min_size=1)
)
@example(seed=0, frames=1, sizes=[31])
def test_a_player_of_a_random_graph(lowering: Any, seed: int, frames: int, sizes: list[int]) -> None:
    """In double precision it is the whole clip of the frames that its stream was given; in single precision it is no
    further from the exact clip of the course than the mixer is."""
    graph = random_graph(seed)
    try:
        mixer = Mixer(graph, lowering=lowering)
    except CompileError:  # settings without a twin
        return
    inputs = make_inputs(graph, 1, SAMPLES, torch.float32, seed)
    course = _course(mixer, frames, seed)
    wanted = _whole(mixer, inputs, course)
    scale = max(1.0, float(np.abs(wanted).max()))
    played, _ = _played(mixer, inputs, course, sizes)
    exactly = Precise(graph, lowering=lowering).to(torch.float64)
    made, given = _played(exactly, _as(inputs, torch.float64), course, sizes)
    expected = _whole(exactly, inputs, course, torch.float64, given)
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-10 * scale)
    if np.abs(played - wanted).max() > 1e-5 * scale:  # what rounds is enlarged by resonances
        exact = _whole(exactly, inputs, course, torch.float64)
        assert np.abs(played - exact).max() < 4 * np.abs(wanted - exact).max()


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
    np.testing.assert_allclose(played, _whole(mixer, {"a": audio}, course), atol=1e-6)
    player.close()
