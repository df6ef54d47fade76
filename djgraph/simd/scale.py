"""A signal times a curve, one signal on each lane: a link of chains (:mod:`djgraph.simd.chain`), with no states."""

from __future__ import annotations

from functools import lru_cache

from djgraph.simd.chain import Linked, link_of
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import load, store
from djgraph.simd.tile import row_size


@part
def _forward(tile, state, numbers, count, lanes):
    row = row_size(lanes)
    for t in range(count):
        at = t * lanes
        store(tile, 2 * row + at, load(tile, at) * load(tile, row + at))


_link = link_of(_forward)


@lru_cache(maxsize=1)
def _compile_link():
    @kept
    def scale_link(tile, state, numbers, count, lanes):
        _link(tile, state, numbers, count, lanes)

    return scale_link


LINK = Linked(2, 0, 1, _compile_link)
