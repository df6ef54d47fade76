"""Random graphs of all built-in effects for a minute, in single precision: streamed in blocks of any lengths they are
what the whole clip is. DJGRAPH_RANDOM_GRAPHS=300 plays so many; a run without it plays a few."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
import torch
from runtime.mixes import make_inputs

from djgraph.graph.ir import EffectNode
from djgraph.mixer import Mixer

from .playing import flat, play, score_of
from .random_graphs import RATE, effects, random_graph

SECONDS = 60
FRAMES = 120
COUNT = int(os.environ.get("DJGRAPH_RANDOM_GRAPHS", "6"))
SEEDS = range(COUNT) if len(effects()) < COUNT else range(0, len(effects()), -(-len(effects()) // COUNT))


def cuts(seed: int) -> Iterator[int]:
    generator = random.Random(seed)
    while True:
        yield generator.choice([generator.randint(1, 700), generator.randint(1, 30_000), 128, 100_000])


def deviation(seed: int) -> float:
    """The largest difference from the whole clip, over all outputs and taps, as a share of full scale, or of the
    signal where that is louder."""
    mixer = Mixer(random_graph(seed))
    samples = SECONDS * RATE
    inputs = make_inputs(mixer.graph, 1, samples, torch.float32, seed)
    params, positions = score_of(mixer, 1, FRAMES, samples, torch.float32, seed)
    follows = any(module.uses_clock for module in mixer.effects.children())
    tempo = 90.0 + seed % 80 if follows else None
    with torch.no_grad():
        expected = flat(mixer(inputs, params, positions=positions, tempo=tempo, return_intermediates=True))
        stream = mixer.stream(score=(params, positions), tempo=tempo, taps=True)
        made = play(stream, inputs, cuts(seed))
    return max(
        float((one - two).abs().max()) / max(1.0, float(two.abs().max()))
        for one, two in zip(made, expected, strict=True)
    )


@pytest.mark.slow
@pytest.mark.usefixtures("engines_by_cost")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_minute_of_a_random_graph(seed: int) -> None:
    assert deviation(seed) < 1e-5


def test_the_graphs_have_every_effect() -> None:
    found = {
        node.effect.type
        for seed in range(len(effects()))
        for node in random_graph(seed).nodes
        if isinstance(node, EffectNode)
    }
    assert found >= set(effects())
