"""A minute in single precision, cut anywhere: what comes out of a stream is the mix of the whole clip."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest
import torch
from runtime.mixes import SHIPPED, make_inputs

import djgraph
from djgraph.mixer import Mixer
from djgraph.streams.state import seal

from .playing import flat, play, score_of

SECONDS = 60


def cuts(seed: int) -> Iterator[int]:
    generator = random.Random(seed)
    while True:
        yield generator.choice([generator.randint(1, 700), generator.randint(1, 20_000), 512, 150_000])


def deviation(name: str, seed: int, samples: int | None = None) -> float:
    """The largest difference from the whole clip's mix, where full scale is 1."""
    mixer = djgraph.compile(name)
    samples = SECONDS * mixer.graph.sample_rate if samples is None else samples
    inputs = make_inputs(mixer.graph, 1, samples, torch.float32, seed)
    params, positions = score_of(mixer, 1, 200, samples, torch.float32, seed)
    with torch.no_grad():
        expected = flat(mixer(inputs, params, positions=positions))
        made = play(mixer.stream(score=(params, positions)), inputs, cuts(seed))
    return max(float((one - two).abs().max()) for one, two in zip(made, expected, strict=True))


@pytest.mark.slow
@pytest.mark.usefixtures("engines_by_cost")
@pytest.mark.parametrize("name", SHIPPED)
def test_a_minute(name: str) -> None:
    assert deviation(name, 1) < 1e-5


@pytest.mark.slow
def test_some_seconds() -> None:
    assert deviation("dj_mixer", 2, 200_000) < 2e-6


def test_an_hour_into_a_stream_nothing_is_less_exact() -> None:
    """The same second of sound after some seconds of silence, and after an hour of it, which no one has to mix."""
    mixer: Mixer = djgraph.compile("dj_mixer")
    # A whole number of turns of the delay's ring (16538 samples), and of the reverb's (66 partitions of 1024).
    hour, second = math.lcm(512, 16538, 66 * 1024), 44100
    assert hour > 3600 * 44100
    inputs = make_inputs(mixer.graph, 1, second, torch.float32, 0)
    frame = mixer.layout.from_unit(torch.rand(54, generator=torch.Generator().manual_seed(0)))
    score = frame[None], [0]
    stream = mixer.stream(score=score)
    stream(make_inputs(mixer.graph, 1, 512 * 400, torch.float32, 1))
    late = mixer.stream(score=score, state=moved(stream.state(), hour))
    assert late.position == stream.position + hour
    for early, after in ((stream(inputs), late(inputs)), (stream.finish(), late.finish())):
        torch.testing.assert_close(after, early, atol=2e-6, rtol=0)


def moved(state: dict[str, torch.Tensor], samples: int) -> dict[str, torch.Tensor]:
    """The state as if all of it had happened so much later; samples: whole hops."""
    for name, tensor in state.items():
        if name.endswith((".frame", "position", ".origin")):
            tensor += samples // 512 if name.endswith(".frame") else samples
    del state["seal"]
    return {**state, "seal": seal(state)}
