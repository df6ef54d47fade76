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


class Case:
    """A minute of a random graph, with random controls."""

    def __init__(self, seed: int) -> None:
        self.seed, self.graph, self.samples = seed, random_graph(seed), SECONDS * RATE
        mixer = Mixer(self.graph)
        self.inputs = make_inputs(self.graph, 1, self.samples, torch.float32, seed)
        self.params, self.positions = score_of(mixer, 1, FRAMES, self.samples, torch.float32, seed)
        follows = any(module.uses_clock for module in mixer.effects.children())
        self.tempo = 90.0 + seed % 80 if follows else None

    def whole(self, dtype: torch.dtype) -> list[torch.Tensor]:
        """All outputs and taps of the whole clip."""
        inputs = {name: audio.to(dtype) for name, audio in self.inputs.items()}
        score = {"positions": self.positions, "tempo": self.tempo, "return_intermediates": True}
        return flat(Mixer(self.graph).to(dtype)(inputs, self.params.to(dtype), **score))

    def streamed(self) -> list[torch.Tensor]:
        score = self.params, self.positions
        stream = Mixer(self.graph).stream(score=score, tempo=self.tempo, taps=True)
        return play(stream, self.inputs, cuts(self.seed))


def apart(made: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """The largest difference, as a share of full scale, or of the signal where that is louder."""
    return max(
        float((one - two).abs().max()) / max(1.0, float(two.abs().max()))
        for one, two in zip(made, expected, strict=True)
    )


@pytest.mark.slow
@pytest.mark.usefixtures("engines_by_cost")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_minute_of_a_random_graph(seed: int) -> None:
    case = Case(seed)
    with torch.no_grad():
        whole = case.whole(torch.float32)
        found = apart(case.streamed(), whole)
        # Resonances and gains in series enlarge what rounds, in a whole clip as well: by far more than cutting does.
        assert found < 1e-5 or found < 0.2 * apart(whole, case.whole(torch.float64))


def test_the_graphs_have_every_effect() -> None:
    found = {
        node.effect.type
        for seed in range(len(effects()))
        for node in random_graph(seed).nodes
        if isinstance(node, EffectNode)
    }
    assert found >= set(effects())
