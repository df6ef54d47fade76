"""Feeds beyond their ends: silence before the first sample and behind the last one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import djgraph
from djgraph.playing import Completed, FeedBlocks, MemoryFeed, ReadAhead, SoughtFeed
from djgraph.playing.feed import CHUNK


class Blocks:
    """Counts from 1, forward only but where it is told to seek."""

    samples = 10

    def __init__(self) -> None:
        self.at = 0

    def seek(self, sample: int) -> None:
        self.at = sample

    def read(self, samples: int) -> dict[str, Any]:
        first, self.at = self.at, self.at + samples
        return {"a": torch.arange(first + 1, first + samples + 1).float()[None]}


@pytest.mark.parametrize("first", [-9, -3, 0, 4, 8, 10, 14])
def test_blocks_that_are_sought_in(first: int) -> None:
    wanted = [at + 1 if 0 <= at < 10 else 0 for at in range(first, first + 6)]
    assert SoughtFeed(Blocks()).read(first, 6)["a"].tolist() == [wanted]
    memory = MemoryFeed({"a": torch.arange(1.0, 11.0)[None]})
    assert memory.read(first, 6)["a"].tolist() == [wanted]


def test_what_is_read_ahead_is_what_is_there() -> None:
    signal = torch.randn(2, 3 * CHUNK + 500)
    feed = ReadAhead(MemoryFeed({"a": {"b": signal}}))
    for first, samples in ((0, 10), (CHUNK - 3, 6), (10, 2 * CHUNK + 5), (3 * CHUNK, 500), (CHUNK, CHUNK)):
        assert torch.equal(feed.read(first, samples)["a"]["b"], signal[:, first : first + samples])
        assert torch.equal(feed.aside(first, samples)["a"]["b"], signal[:, first : first + samples])
    feed.close()


def test_a_feed_that_has_been_replaced_still_reads_what_it_is_asked_for() -> None:
    signal = torch.randn(2, 3 * CHUNK)
    feed = ReadAhead(MemoryFeed({"a": signal}))
    assert torch.equal(feed.read(0, 100)["a"], signal[:, :100])
    feed.retire()
    assert torch.equal(feed.read(2 * CHUNK - 50, 100)["a"], signal[:, 2 * CHUNK - 50 : 2 * CHUNK + 50])


def test_a_feed_in_blocks_ends_where_it_does() -> None:
    graph = djgraph.load("dj_mixer")
    feed = Completed(MemoryFeed({"track_a": {"drums": torch.ones(2, 10)}}), graph, samples=15)
    with FeedBlocks(feed) as blocks:
        read = [blocks.read(6) for _ in range(4)]
    assert [one["track_b"]["bass"].shape[-1] for one in read] == [6, 6, 3, 0]
    assert torch.cat([one["track_a"]["drums"] for one in read], -1)[0].tolist() == [1.0] * 10 + [0.0] * 5
    assert not any(one["track_b"]["bass"].any() for one in read)
