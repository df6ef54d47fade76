"""Control frames of streams, live and from iterators: where they count, and until when they hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime.documents import REGISTRY, documents
from runtime.mixes import make_inputs, make_params
from torch import Tensor

from djgraph.graph import load
from djgraph.mixer import Mixer

from .playing import BASE, cut, flat, play, strips


def test_live_frames_are_reached_at_the_ends_of_blocks(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 2, 5000, torch.float32, 0)
    lengths = [512, 100, 1, 2000, 900, 1487]
    params = make_params(mixer, 2, len(lengths), torch.float32, 1)
    ends = torch.tensor(lengths).cumsum(0) - 1
    expected = mixer(inputs, params, positions=ends)
    (made,) = play(mixer.stream(batch=2), inputs, lengths, [params[:, i] for i in range(len(lengths))])
    torch.testing.assert_close(made, expected, atol=2e-6, rtol=0)


def test_a_live_frame_that_is_left_out_holds(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 3000, torch.float32, 0)
    one, two = make_params(mixer, 1, 2, torch.float32, 1)[0]
    (made,) = play(mixer.stream(), inputs, [1000] * 3, [one, None, two])
    (same,) = play(mixer.stream(), inputs, [1000] * 3, [one, one, two])
    assert torch.equal(made, same)


def test_an_iterator_of_frames(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 20_000, torch.float32, 0)
    params = make_params(mixer, 1, 40, torch.float32, 1)[0]
    asked: list[int] = []

    def frames() -> Iterable[Tensor]:
        for number, frame in enumerate(params):
            asked.append(number)
            yield frame

    stream = mixer.stream(frames=frames(), fps=50)
    stream(cut(inputs, 0, 800))
    assert len(asked) <= 3  # fetched when their time comes
    stream = mixer.stream(frames=iter(params), fps=50)
    (made,) = play(stream, inputs, itertools.repeat(700))
    positions = torch.tensor([round(i * mixer.graph.sample_rate / 50) for i in range(40)])
    torch.testing.assert_close(made, mixer(inputs, params, positions=positions), atol=2e-6, rtol=0)


def test_iterators_that_end_hold_their_last_frame(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 4000, torch.float32, 0)
    params = make_params(mixer, 1, 2, torch.float32, 1)[0]
    (made,) = play(mixer.stream(frames=iter(params), fps=50), inputs, itertools.repeat(700))
    positions = torch.tensor([0, 882])
    torch.testing.assert_close(made, mixer(inputs, params, positions=positions), atol=2e-6, rtol=0)


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    document=documents(),
    blocks=st.lists(st.integers(1, 60) | st.integers(60, 400), min_size=1, max_size=6),
    seed=st.integers(0, 100),
)
def test_random_graphs_live(document: Any, blocks: list[int], seed: int) -> None:
    """Nothing is read of a curve before the frame that decides on it is there."""
    mixer = Mixer(load(document, registry=REGISTRY)).double()
    inputs = make_inputs(mixer.graph, 1, sum(blocks), torch.float64, seed)
    params = make_params(mixer, 1, len(blocks), torch.float64, seed)
    with torch.no_grad():
        made = play(mixer.stream(dtype=torch.float64), inputs, blocks, list(params[0]))
        expected = flat(mixer(inputs, params, positions=torch.tensor(blocks).cumsum(0) - 1))
    for one, two in zip(made, expected, strict=True):
        torch.testing.assert_close(one, two, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("chain", [["gain"], ["gain", "eq3"], ["eq3", "gain"], ["delay"], ["reverb", "gain"]])
def test_smoothed_controls_live(chain: list[str]) -> None:
    """Boxes of 5 ms reach beyond the block; corners at every block's end are bends of full range."""
    mixer = Mixer(load({**BASE, "mixer": strips(chain, [])}, registry=REGISTRY)).double()
    assert mixer.stream().latency > 0
    blocks = [30] * 12
    inputs = {name: torch.randn(1, 2, 360, dtype=torch.float64) for name in "ab"}
    low, high = mixer.layout.minimum.double(), mixer.layout.maximum.double()
    params = torch.stack([low if number % 2 else high for number in range(12)])
    (made,) = play(mixer.stream(dtype=torch.float64), inputs, blocks, list(params))
    expected = mixer(inputs, params, positions=torch.arange(1, 13) * 30 - 1)
    torch.testing.assert_close(made, expected, atol=1e-9, rtol=0)
