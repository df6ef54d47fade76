"""Recursions in time, one signal on each lane: what all of them share.

Signals are worked on in groups and tiles (:mod:`djgraph.simd.tile`). A tile's inputs (audio and control curves) are
brought onto lanes, the recursion runs over them sample after sample, and its results go back to memory. So a
coefficient is computed from the curves where it is used. The state in front of each tile is kept; the backward pass
takes tiles from the last to the first, and computes the states inside a tile again from the one kept.

A recursion is two functions of one tile, compiled by :func:`djgraph.simd.jit.part`:

``forward(tile, state, numbers, count, lanes)`` and ``backward(tile, state, adjoint, numbers, count, lanes)``

The rows of a tile are the inputs, the outputs, then, for the backward pass, the outputs' gradients, the inputs'
gradients, and the states; then, in both directions, as many rows as the functions want for what one of their loops
hands to the next. ``state`` and ``adjoint`` (the gradient of the state behind the tile) are ``[states·lanes]`` and are
replaced.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.jit import part_for
from djgraph.simd.lanes import width
from djgraph.simd.threads import SMALL, in_threads
from djgraph.simd.tile import (
    ADDRESS,
    TILE,
    Input,
    Inputs,
    Stretch,
    addresses,
    draw_constants,
    gather_all,
    inputs_given,
    read_state,
    room_for_gradients,
    row_size,
    scatter,
    scatter_gradients,
    write_state,
)


@dataclass(frozen=True)
class Kernel:
    """A compiled recursion: how many inputs, outputs and states it has, and what makes its two functions."""

    inputs: int
    outputs: int
    states: int
    forward: Callable[[], Callable[..., None]]
    backward: Callable[[], Callable[..., None]]


def run_forward(
    kernel: Kernel, inputs: list[Input], state: NDArray, numbers: NDArray, outputs: list[NDArray]
) -> tuple[NDArray, NDArray]:
    """Runs a recursion over whole rows; returns the last state, and what :func:`run_backward` wants of the states.

    state: ``[signals, states]``. outputs: ``[signals, samples]`` each, written to.
    """
    signals, samples = outputs[0].shape
    lanes = width(state.itemsize)
    groups, tiles = -(-signals // lanes), -(-samples // TILE)
    given = inputs_given(inputs, groups * lanes, lanes, samples)
    to = addresses(outputs)
    last = np.empty_like(state)
    kept = np.empty((groups, tiles, state.shape[1] * lanes), state.dtype)
    compiled = kernel.forward()
    in_threads(
        lambda span: compiled(*span, given, state, numbers, to, last, kept),
        spans(groups, lanes * samples),
    )
    return last, kept


@dataclass(frozen=True)
class Short:
    """A run that is one job, on inputs whose layouts, hops and frames are known: only addresses change.

    table: an input's row has its hop and frames, and no address. tiles: of a row.
    """

    kernel: Kernel
    table: NDArray
    offsets: NDArray
    lanes: int
    samples: int
    groups: int
    tiles: int

    def run(self, inputs: list[int], state: NDArray, numbers: NDArray, outputs: list[int]) -> NDArray:
        """:func:`run_forward` without what the backward pass wants. inputs, outputs: addresses."""
        table = self.table.copy()
        table[:, ADDRESS] = inputs
        given = Inputs(table, self.offsets, self.lanes, self.samples)
        last = np.empty_like(state)
        kept = np.empty((self.groups, self.tiles, self.kernel.states * self.lanes), state.dtype)
        to = np.array(outputs, np.int64)
        self.kernel.forward()(0, self.groups, given, state, numbers, to, last, kept)
        return last


def prepare_short(kernel: Kernel, inputs: list[Input], lead: tuple[int, ...], itemsize: int) -> Short | None:
    """What is ready for a run on signals of these leading sizes; None where it is more than one job."""
    samples, lanes = inputs[0].frames, width(itemsize)
    groups = -(-math.prod(lead) // lanes)
    if len(spans(groups, lanes * samples)) > 1:
        return None
    given = inputs_given(inputs, groups * lanes, lanes, samples)
    given.table[:, ADDRESS] = 0
    return Short(kernel, *given, groups, -(-samples // TILE))


def run_backward(
    kernel: Kernel,
    inputs: list[Input],
    kept: NDArray,
    numbers: NDArray,
    from_outputs: list[Input],
    from_state: NDArray,
    wanted: list[bool],
) -> tuple[list[NDArray | None], NDArray]:
    """Gradients of the inputs, ``[signals, samples or frames]`` or None, and of the first state, ``[signals, states]``.

    kept: of :func:`run_forward`. from_outputs, from_state: the gradients of what it returned.
    """
    signals, samples = len(from_state), from_outputs[0].frames
    lanes = width(from_state.itemsize)
    groups = -(-signals // lanes)
    given = inputs_given([*inputs, *from_outputs], groups * lanes, lanes, samples)
    gradients = room_for_gradients(given, inputs, wanted, signals, from_state.dtype)
    first = np.empty_like(from_state)
    compiled = kernel.backward()
    sums = np.empty(0)
    in_threads(
        lambda span: compiled(*span, given, kept, numbers, from_state, first, sums),
        spans(groups, lanes * samples),
    )
    return gradients, first


def spans(groups: int, numbers: int) -> list[tuple[int, int]]:
    """Groups ``first…last − 1`` of each job; numbers: in one group. Little work is one job: a call costs, too."""
    if groups * numbers < SMALL:
        return [(0, groups)]
    return [(group, group + 1) for group in range(groups)]


def forward_tiles(forward: Any, inputs: int, outputs: int, states: int, room: int = 0) -> Any:
    """A compiled function of groups ``low…high − 1`` that runs ``forward`` over all tiles of each.

    room: rows behind the outputs that ``forward`` may use between its loops.
    """

    @part_for(forward)
    def run(low, high, given, first, numbers, to, last, kept):
        table, offsets, lanes, samples = given.table, given.offsets, given.lanes, given.samples
        row = row_size(lanes)
        tile = np.empty((inputs + outputs + room) * row, first.dtype)
        square = np.empty(lanes * lanes, first.dtype)
        state = np.empty(states * lanes, first.dtype)
        for group in range(low, high):
            read_state(state, first, group, lanes)
            draw_constants(tile, 0, inputs, square, table, offsets, group, lanes)
            for number in range(kept.shape[1]):
                at = number * TILE
                count = min(TILE, samples - at)
                here = Stretch(group, lanes, at, count)
                for k in range(states * lanes):  # assigning a whole row takes 4 s more to compile
                    kept[group, number, k] = state[k]
                gather_all(tile, 0, 0, inputs, square, table, offsets, here)
                forward(tile, state, numbers, count, lanes)
                for k in range(outputs):
                    begin = (inputs + k) * row
                    scatter(tile, begin, square, to[k], samples, len(first), here)
            write_state(last, state, group, lanes)

    return run


def backward_tiles(backward: Any, inputs: int, outputs: int, states: int, room: int = 0) -> Any:
    """A compiled function of groups ``low…high − 1`` that runs ``backward`` over the tiles of each, the last first.

    room: rows behind the states that ``backward`` may use between its loops.
    """

    @part_for(backward)
    def run(low, high, given, kept, numbers, behind, first, sums):
        table, offsets, lanes, samples = given.table, given.offsets, given.lanes, given.samples
        row = row_size(lanes)
        # Inputs, outputs, and for each a gradient, then the states and the room.
        tile = np.empty((2 * inputs + 2 * outputs + states + room) * row, behind.dtype)
        square = np.empty(lanes * lanes, behind.dtype)
        state = np.empty(states * lanes, behind.dtype)
        adjoint = np.empty(states * lanes, behind.dtype)
        signals = len(behind)
        for group in range(low, high):
            read_state(adjoint, behind, group, lanes)
            draw_constants(tile, 0, inputs, square, table, offsets, group, lanes)
            for number in range(kept.shape[1] - 1, -1, -1):
                at = number * TILE
                count = min(TILE, samples - at)
                here = Stretch(group, lanes, at, count)
                gather_all(tile, 0, 0, inputs, square, table, offsets, here)
                begin = (inputs + outputs) * row
                gather_all(tile, begin, inputs, outputs, square, table, offsets, here)
                for k in range(states * lanes):
                    state[k] = kept[group, number, k]
                backward(tile, state, adjoint, numbers, count, lanes)
                scatter_gradients(
                    tile, (inputs + 2 * outputs) * row, inputs, square, sums, table, samples, signals, here
                )
            write_state(first, adjoint, group, lanes)

    return run
