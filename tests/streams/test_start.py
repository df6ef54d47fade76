"""Streams that begin within a clip, and frames that say where they lie."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import djgraph
from djgraph.errors import InputError
from djgraph.streams.clock import ClockTrack

GRAPH = {
    "djgraph": 1,
    "name": "one",
    "inputs": [{"name": "track"}],
    "mixer": [{"strip": "deck", "input": "track", "chain": ["gain"]}],
    "outputs": ["deck"],
}


def test_pairs_are_a_score() -> None:
    mixer = djgraph.compile(GRAPH)
    audio = {"track": torch.randn(1, 2, 3000)}
    places = [0, 7, 1000, 1001, 2900, 5000]
    params = torch.rand(6, 1)
    whole = mixer(audio, params[None], positions=places)
    stream = mixer.stream(frames=iter(list(zip(params, places))))
    blocks = [stream({"track": part}) for part in audio["track"].split(700, -1)] + [stream.finish()]
    got = torch.cat(blocks, -1)[..., stream.latency :]
    torch.testing.assert_close(got, whole, atol=1e-6, rtol=0)


def test_positions_count_from_the_clips_start() -> None:
    mixer = djgraph.compile(GRAPH)
    audio = torch.randn(1, 2, 3000)
    params, places = torch.rand(3, 1), torch.tensor([0, 1500, 2999])
    whole = mixer({"track": audio}, params[None], positions=places)
    stream = mixer.stream(score=(params, places), start=1200)
    late = torch.cat([stream({"track": audio[..., 1200:]}), stream.finish()], -1)[..., stream.latency :]
    # Away from the beginning, where the box that smooths the gain would reach what came before.
    torch.testing.assert_close(late[..., 500:], whole[..., 1700:], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "frames",
    [
        [torch.rand(1)],
        [(torch.rand(1), 5), (torch.rand(1), 5)],
        [(torch.rand(1), 5), (torch.rand(1), 4)],
        [(torch.rand(1), 0.5)],
        [(torch.rand(2), 0)],
    ],
)
def test_pairs_that_cannot_be(frames: list[Any]) -> None:
    stream = djgraph.compile(GRAPH).stream(frames=iter(frames))
    with pytest.raises(InputError):
        stream({"track": torch.randn(1, 2, 100)})


def test_start_is_a_sample() -> None:
    with pytest.raises(InputError, match="start"):
        djgraph.compile(GRAPH).stream(start=-1)


@pytest.mark.parametrize("start", [1, 700, 1500, 2500])
def test_beats_count_from_the_clips_start(start: int) -> None:
    tempo, places = torch.tensor([[120.0, 90.0, 180.0]], dtype=torch.float64), torch.tensor([0, 1000, 2000])
    whole = ClockTrack(44100, tempo, places).read(0, 4000)
    late = ClockTrack(44100, tempo, places - start, start).read(0, 4000 - start)
    torch.testing.assert_close(late.beats, whole.beats[..., start:], atol=1e-12, rtol=0)
    torch.testing.assert_close(late.tempo, whole.tempo[..., start:], atol=1e-9, rtol=0)
