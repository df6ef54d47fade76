"""Blocks of loops: as long as they can be, and never so long that something comes round within."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from djgraph.runtime.rounds import block_lengths


def plainly(rounds: list[list[int]]) -> list[int]:
    """A block ends before the first sample that depends on one in it."""
    samples = len(rounds[0])
    lengths, start = [], 0
    for n in range(samples):
        if any(n - curve[n] >= start for curve in rounds):
            lengths.append(n - start)
            start = n
    return [*lengths, samples - start] if samples > start else lengths


@given(data=st.data())
def test_blocks_end_before_something_comes_round(data: Any) -> None:
    samples = data.draw(st.integers(1, 60))
    fixed = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=2))
    curve = st.lists(st.integers(1, 40), min_size=samples, max_size=samples)
    curves = data.draw(st.lists(curve, max_size=2))
    rounds: list[Any] = [*fixed, *(torch.tensor(one) for one in curves)]
    assert block_lengths(rounds, samples) == plainly([[one] * samples for one in fixed] + curves)


def test_nothing_has_no_blocks() -> None:
    assert block_lengths([3, torch.zeros(0, dtype=torch.int64)], 0) == []
