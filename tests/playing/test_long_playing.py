"""What a player holds in memory does not grow: an hour of it, and its clock, is ``python -m benchmarks.playing``."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest
import torch

from benchmarks.playing import perform, player

BLOCKS = 1200
"""14 seconds."""


def _held() -> tuple[int, int]:
    """Bytes of all tensors that there are, and small pieces of memory that Python has given out."""
    gc.collect()
    sizes = {
        one.untyped_storage().data_ptr(): one.untyped_storage().nbytes()
        for one in gc.get_objects()
        # What other tests left of classes that only stand in for tensors holds no memory.
        if type(one) in (torch.Tensor, torch.nn.Parameter)
        and one.device.type == "cpu"
        and one.layout == torch.strided
    }
    return sum(sizes.values()), sys.getallocatedblocks()


def _pass(blocks: Iterator[float], count: int) -> None:
    for _ in range(count):
        next(blocks)


@pytest.mark.slow
def test_memory_is_flat_while_it_plays() -> None:
    playing = player()
    blocks = perform(playing, BLOCKS)
    _pass(blocks, BLOCKS // 3)
    tensors, pieces = _held()
    _pass(blocks, 2 * BLOCKS // 3)
    after = _held()
    playing.close()
    # A stereo block or an object that each block left behind would be 800; what other tests left moves about, too.
    assert after[0] - tensors < 500 * 2 * 512 * 4
    assert after[1] - pieces < 600
