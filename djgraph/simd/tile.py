"""A tile: signals and control curves of a group, brought from memory onto lanes and back.

A group is as many signals as a vector has lanes, a tile ``TILE`` samples of them. A row of a tile is ``row_size``
numbers, sample after sample, each on all lanes. Lanes without a signal repeat the last one, and write the same numbers
to the same place.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.functions import fill
from djgraph.simd.jit import part
from djgraph.simd.lanes import load, load_at, peek, poke, store, store_at, transpose, zeros

TILE = 256
"""Samples of a tile: memory is read in stretches of this length, and a tile stays in the CPU's second cache."""

APART = 32
"""Samples of room behind a row. Rows that begin whole pages apart would share places of the first cache, of which there
are twelve for each: a chain of 18 rows took half as long again."""

# Columns of a table of inputs.
ADDRESS, HOP, FRAMES, GRADIENT = range(4)

Layout = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""The signals' leading sizes, then the sizes and the strides of a tensor that broadcasts to them."""


class Input(NamedTuple):
    """A signal or a control curve in memory, one row for each signal.

    owner: keeps the memory. address: where it begins. layout: how the signals lie in it, for :func:`_offsets`.
    hop: 0 where there is a number for each sample. Otherwise frames are ``hop`` samples apart, on straight lines
    between them and held behind the last one. frames: how many; 1 is a constant.
    """

    owner: object
    address: int
    layout: Layout
    hop: int
    frames: int


class Inputs(NamedTuple):
    """All inputs for compiled code. table: a row of columns for each; offsets: ``[inputs, lanes of all groups]``.

    lanes: signals of a group. samples: of a row.
    """

    table: NDArray
    offsets: NDArray
    lanes: int
    samples: int


class Stretch(NamedTuple):
    """Samples ``at…at + samples − 1`` of the signals of a group."""

    group: int
    lanes: int
    at: int
    samples: int


def room_for_gradients(
    given: Inputs, inputs: list[Input], wanted: list[bool], signals: int, dtype: np.dtype
) -> list[NDArray | None]:
    """An array for the gradient of each input that is wanted, entered into the table of ``given``."""
    # Few frames sum up many samples: in double precision. A curve with a number for each sample sums nothing.
    gradients = [
        None if not want
        else np.zeros((signals, one.frames)) if one.hop
        else np.empty((signals, given.samples), dtype)
        for one, want in zip(inputs, wanted)
    ]  # fmt: skip
    for row, gradient in enumerate(gradients):
        if gradient is not None:
            given.table[row, GRADIENT] = gradient.ctypes.data
    return gradients


def inputs_given(inputs: list[Input], rows: int, lanes: int, samples: int) -> Inputs:
    table = np.array([(one.address, one.hop, one.frames, 0) for one in inputs], np.int64)
    return Inputs(table, _offsets(tuple([one.layout for one in inputs]), rows), lanes, samples)


@lru_cache(maxsize=256)
def _offsets(layouts: tuple[Layout, ...], rows: int) -> NDArray[np.int64]:
    """Where each row of each input begins, in numbers, ``[inputs, rows]``; rows beyond the signals are the last one."""
    table = np.empty((len(layouts), rows), np.int64)
    for number, (lead, sizes, strides) in enumerate(layouts):
        offsets = np.zeros((), np.int64)
        missing = len(lead) - len(sizes)
        for place, size in enumerate(lead):
            own = place - missing
            stride = strides[own] if own >= 0 and sizes[own] > 1 else 0
            offsets = offsets[..., None] + np.arange(size) * stride
        flat = offsets.reshape(-1)
        table[number, : len(flat)] = flat
        table[number, len(flat) :] = flat[-1:]
    return table


def addresses(arrays: list[NDArray]) -> NDArray[np.int64]:
    return np.array([array.__array_interface__["data"][0] for array in arrays], np.int64)


@part
def row_size(lanes):
    """Numbers of a tile's row."""
    return (TILE + APART) * lanes


@part
def read_state(state, source, group, lanes):
    for lane in range(lanes):
        signal = min(group * lanes + lane, len(source) - 1)
        for k in range(source.shape[1]):
            state[k * lanes + lane] = source[signal, k]


@part
def write_state(target, state, group, lanes):
    for signal in range(group * lanes, min((group + 1) * lanes, len(target))):
        for k in range(target.shape[1]):
            target[signal, k] = state[k * lanes + signal - group * lanes]


@part
def gather_all(tile, begin, start, inputs, square, table, offsets, here):
    """Inputs ``start…start + inputs − 1`` that are not constant, to rows from ``tile[begin]`` on."""
    lanes = here.lanes
    for k in range(start, start + inputs):
        to, address = begin + (k - start) * row_size(lanes), table[k, ADDRESS]
        hop, frames = table[k, HOP], table[k, FRAMES]
        if hop and frames > 1:
            draw(tile, to, square, address, offsets[k], hop, frames, here)
        elif not hop:
            gather(tile, to, square, address, offsets[k], here)


@part
def scatter_gradients(tile, begin, inputs, square, sums, table, samples, signals, here):
    """Gradients of ``inputs`` inputs, in rows from ``tile[begin]`` on, to where they are wanted."""
    for k in range(inputs):
        gradient, row = table[k, GRADIENT], begin + k * row_size(here.lanes)
        if gradient and table[k, HOP]:
            hop, frames = table[k, HOP], table[k, FRAMES]
            collect(tile, row, square, sums, gradient, hop, frames, signals, here)
        elif gradient:
            scatter(tile, row, square, gradient, samples, signals, here)


@part
def draw_constants(tile, begin, inputs, square, table, offsets, group, lanes):
    """What has one frame, once for all tiles."""
    row = row_size(lanes)
    here = Stretch(group, lanes, row - row, row // lanes)  # with literals `draw` would be compiled once more
    for k in range(inputs):
        hop, frames = table[k, HOP], table[k, FRAMES]
        if hop and frames == 1:
            draw(tile, begin + k * row, square, table[k, ADDRESS], offsets[k], hop, frames, here)


@part
def gather(tile, to, square, address, offsets, here):
    """A stretch of each lane's signal, from memory onto lanes."""
    group, lanes, at, count = here
    first = group * lanes
    t = 0
    while t + lanes <= count:
        for lane in range(lanes):
            store(square, lane * lanes, load_at(tile, address, offsets[first + lane] + at + t))
        transpose(square, 0, lanes, tile, to + t * lanes, lanes)
        t += lanes
    for rest in range(t, count):
        for lane in range(lanes):
            tile[to + rest * lanes + lane] = peek(tile, address, offsets[first + lane] + at + rest)


@part
def scatter(tile, begin, square, address, samples, signals, here):
    """The way back, to rows of ``samples`` numbers."""
    group, lanes, at, count = here
    t = 0
    while t + lanes <= count:
        transpose(tile, begin + t * lanes, lanes, square, 0, lanes)
        for lane in range(min(lanes, signals - group * lanes)):
            place = (group * lanes + lane) * samples + at + t
            store_at(tile, address, place, load(square, lane * lanes))
        t += lanes
    for rest in range(t, count):
        for lane in range(min(lanes, signals - group * lanes)):
            place = (group * lanes + lane) * samples + at + rest
            poke(tile, address, place, tile[begin + rest * lanes + lane])


@part
def draw(tile, to, square, address, offsets, hop, frames, here):
    """A curve of frames on a stretch."""
    group, lanes, at, count = here
    first = group * lanes
    t = 0
    while t < count:
        frame = min((at + t) // hop, frames - 1)
        after = min(frame + 1, frames - 1)
        end = count if after == frame else min(count, after * hop - at)
        for lane in range(lanes):
            square[lane] = peek(tile, address, offsets[first + lane] + frame)
            square[lanes + lane] = peek(tile, address, offsets[first + lane] + after)
        left, right = load(square, 0), load(square, lanes)
        if after == frame:
            for i in range(t, end):
                store(tile, to + i * lanes, left)
        else:
            for i in range(t, end):
                # Whole numbers before the division: a sample's weight does not depend on where reading began.
                weight = fill(tile, (at + i - frame * hop) / hop)
                store(tile, to + i * lanes, left + weight * (right - left))
        t = end


@part
def collect(tile, begin, square, sums, address, hop, frames, signals, here):
    """Adds the gradients of a curve's samples to those of its frames."""
    group, lanes, at, count = here
    t = 0
    while t < count:
        frame = min((at + t) // hop, frames - 1)
        after = min(frame + 1, frames - 1)
        end = count if after == frame else min(count, after * hop - at)
        total, right = zeros(tile), zeros(tile)
        for i in range(t, end):
            value = load(tile, begin + i * lanes)
            total = total + value
            right = right + value * fill(tile, (at + i - frame * hop) / hop)
        store(square, 0, total)
        store(square, lanes, right)
        for lane in range(min(lanes, signals - group * lanes)):
            place = (group * lanes + lane) * frames
            if after == frame:
                poke(sums, address, place + frame, peek(sums, address, place + frame) + square[lane])
            else:
                left = square[lane] - square[lanes + lane]
                poke(sums, address, place + frame, peek(sums, address, place + frame) + left)
                change = square[lanes + lane]
                poke(sums, address, place + after, peek(sums, address, place + after) + change)
        t = end
