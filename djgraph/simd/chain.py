"""Recursions one behind the other in one pass over memory, one signal on each lane, float32.

A tile of audio is brought onto lanes once, goes through all links of the chain, and returns to memory once. What is
between two links never leaves the cache, and control curves are drawn from their frames where they are needed, on the
lanes: none of them exists as a curve in memory.

A link is the ``forward`` of a recursion (:mod:`djgraph.simd.recursion`), compiled by itself and called by its address.
So a chain of any kernels compiles nothing new. The rows of a link begin with its signal; it is the row in which the
link before left its output.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from djgraph.simd.functions import fill
from djgraph.simd.jit import kept, part, part_for
from djgraph.simd.lanes import load, load_at, peek, poke, splat, store, transpose, width, zeros
from djgraph.simd.recursion import spans
from djgraph.simd.threads import in_threads
from djgraph.simd.tile import TILE, Stretch, row_size, scatter

AT_ONCE = 32
"""Samples that go through all links before the next are read: their rows stay in the first cache."""
UNSEEN = -2
"""No frame: that in front of the first one is −1."""
LANES = width(4)


class Signals(NamedTuple):
    """Where audio lies, for compiled code.

    source: the address of each lane's first sample, ``[lanes of all groups]``; target: that of the first of so many
    ``rows`` of ``samples`` numbers, one behind the other. lanes: of a group.
    """

    source: NDArray
    target: int
    rows: int
    samples: int
    lanes: int


class Curves(NamedTuple):
    """What control curves are drawn from.

    address: of rows of frames, ``stride`` numbers apart. offsets: the row of each control and lane. places: where the
    frames lie, in samples, float64, ascending; as many frames count. halves: of each control, half the width in samples
    of the box that rounds corners. samples: of the clip, where the box becomes narrow; start: the run's first sample.
    """

    address: int
    stride: int
    offsets: NDArray
    places: NDArray
    halves: NDArray
    samples: int
    start: int


class Links(NamedTuple):
    """The links of a chain. functions: their addresses; inputs, states: how many each has; numbers: of all of them, and
    where those of each begin. rows: of a tile."""

    functions: NDArray
    inputs: NDArray
    states: NDArray
    numbers: NDArray
    begins: NDArray
    rows: int


@dataclass(frozen=True)
class Linked:
    """A kernel as a link: how many inputs (its signal is the first) and states it has, the rows that it wants behind
    those, its output's among them, and what makes its function."""

    inputs: int
    states: int
    rows: int
    make: Callable[[], Any]


class Memory(NamedTuple):
    """Addresses of each link's states, ``[signals, states]``: before the first sample, and after the last."""

    first: NDArray
    last: NDArray


_FIVE = (types.intp,) * 5


@intrinsic
def _pointer(typing_context: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.intp), generate


@intrinsic
def _call(
    typing_context: Any, function: Any, tile: Any, state: Any, numbers: Any, count: Any, lanes: Any
) -> Any:
    """Calls the function at that address."""

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(8).as_pointer(), [value.type for value in arguments[1:]])
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(types.intp, *_FIVE), generate


def link_of(forward: Any) -> Any:
    """A recursion's ``forward`` on memory at addresses: of the tile's first row, the state and the numbers."""

    @part_for(forward)
    def link(tile, state, numbers, count, lanes):
        forward(
            carray(_pointer(tile), (TILE,), np.float32),
            carray(_pointer(state), (TILE,), np.float32),
            carray(_pointer(numbers), (TILE,), np.float64),
            count,
            lanes,
        )

    return link


def address_of(compiled: Any) -> int:
    """Where the machine code of a link begins; compiled, or read from disk, where it is not there yet."""
    if _FIVE not in compiled.overloads:
        compiled.compile(_FIVE)
    code = compiled.overloads[_FIVE]
    return int(code.library.get_pointer_to_function(code.fndesc.llvm_cfunc_wrapper_name))


def links(kernels: list[Linked], numbers: list[NDArray]) -> Links:
    """The links of a chain, for compiled code. numbers: of each kernel."""
    begins = np.cumsum([0, *(len(some) for some in numbers)])[:-1]
    rows = sum(kernel.inputs for kernel in kernels) + max(kernel.rows for kernel in kernels)
    return Links(
        np.array([address_of(kernel.make()) for kernel in kernels], np.int64),
        np.array([kernel.inputs for kernel in kernels], np.int64),
        np.array([kernel.states for kernel in kernels], np.int64),
        np.concatenate([*numbers, np.zeros(1)]),
        begins.astype(np.int64),
        rows,
    )


def run(signals: Signals, curves: Curves, chain: Links, memory: Memory) -> None:
    """Runs all groups through a chain."""
    compiled = _compile()
    in_threads(
        lambda span: compiled(*span, signals, curves, chain, memory),
        spans(len(signals.source) // signals.lanes, signals.lanes * signals.samples),
    )


@part
def _bring(tile, source, here):
    """The next samples of a group onto lanes, to the first row; source: addresses."""
    group, lanes, at, count = here
    first = group * lanes
    t = 0
    while t + lanes <= count:
        # The row's own place serves as the square: what is there has been worked on.
        for lane in range(lanes):
            store(tile, (t + lane) * lanes, load_at(tile, source[first + lane], at + t))
        transpose(tile, t * lanes, lanes, tile, t * lanes, lanes)
        t += lanes
    for rest in range(t, count):
        for lane in range(lanes):
            tile[rest * lanes + lane] = peek(tile, source[first + lane], at + rest)


@part
def _pieces(places, at, count, weights, pieces):
    """Cuts samples ``at…at + count − 1`` where frames lie; returns into how many pieces.

    pieces: of each its frame, −1 in front of the first one, and its end, counted from ``at``. weights: how much each
    sample has of the next frame.
    """
    low, high = 0, len(places)
    while low < high:
        middle = (low + high) // 2
        if places[middle] <= at:
            low = middle + 1
        else:
            high = middle
    frame, t, number = low - 1, 0, 0
    while t < count:
        end = count
        if frame + 1 < len(places):
            end = min(count, max(math.ceil(places[frame + 1]) - at, t))
        if 0 <= frame < len(places) - 1:
            since, step = at - places[frame], 1.0 / (places[frame + 1] - places[frame])
            for i in range(t, end):
                # 32 bits: vectors have no other conversion to float64.
                weights[i] = (since + np.int32(i)) * step
        pieces[number, 0], pieces[number, 1] = frame, end
        number += end > t
        t, frame = end, frame + 1
    return number


@part
def _frame(tile, square, address, stride, offsets, control, frame, here):
    """A frame's values of a control on lanes."""
    first = here.group * here.lanes
    for lane in range(here.lanes):
        square[lane] = peek(tile, address, offsets[control, first + lane] * stride + frame)
    return load(square, 0)


@part
def _line(tile, square, lines, curves, places, control, frame, here):
    """Puts a control's straight line behind a frame into ``lines``: where it begins, and by how much it changes."""
    to = 2 * control * here.lanes
    address, stride, offsets = curves
    left = _frame(tile, square, address, stride, offsets, control, max(frame, 0), here)
    store(lines, to, left)
    change = zeros(tile)
    if 0 <= frame < len(places) - 1:
        change = _frame(tile, square, address, stride, offsets, control, frame + 1, here) - left
    store(lines, to + here.lanes, change)


@part
def _draw(tile, to, lines, control, begin, end, moves, weights, lanes):
    """Samples ``begin…end − 1`` of a control's curve, to the row at ``tile[to]``."""
    place = 2 * control * lanes
    left, change = load(lines, place), load(lines, place + lanes)
    if moves:
        for i in range(begin, end):
            store(tile, to + i * lanes, left + splat(weights, i) * change)
    else:
        for i in range(begin, end):
            store(tile, to + i * lanes, left)


@part
def _slope(tile, square, address, stride, offsets, places, control, frame, here):
    """The change per sample behind a frame; none in front of the first and behind the last."""
    if frame < 0 or frame >= len(places) - 1:
        return zeros(tile)
    left = _frame(tile, square, address, stride, offsets, control, frame, here)
    right = _frame(tile, square, address, stride, offsets, control, frame + 1, here)
    return (right - left) * fill(tile, 1.0 / (places[frame + 1] - places[frame]))


@part
def _near(places, begin, end, half):
    """The frames whose corners may touch samples ``begin…end − 1``: first, last + 1."""
    low, high = 0, len(places)
    while low < high:
        middle = (low + high) // 2
        if places[middle] <= begin - half:
            low = middle + 1
        else:
            high = middle
    high = low
    while high < len(places) and places[high] < end - 1 + half:
        high += 1
    return low, high


@part
def _round(tile, to, bend, corner, half, start, clip, here):
    """Rounds one corner of a curve that was drawn: a change of slope of Δ at distance d adds Δ·(h − |d|)²/(4h)."""
    begin, lanes = start + here.at, here.lanes
    reach, centre = math.ceil(half) + 1, math.floor(corner)
    for place in range(max(begin, centre - reach), min(begin + here.samples, centre + reach + 1)):
        wide = min(half, float(min(place, clip - 1 - place)))
        away = abs(place - corner)
        if wide > away:
            share = fill(tile, (wide - away) * (wide - away) / (4 * wide))
            row = to + (place - begin) * lanes
            store(tile, row, load(tile, row) + bend * share)


@part
def _remember(state, begin, states, address, like, here, signals):
    """Puts a link's states at an address onto lanes."""
    for lane in range(here.lanes):
        signal = min(here.group * here.lanes + lane, signals - 1)
        for k in range(states):
            state[begin + k * here.lanes + lane] = peek(like, address, signal * states + k)


@part
def _hand_on(state, begin, states, address, like, here, signals):
    """The way back."""
    for lane in range(min(here.lanes, signals - here.group * here.lanes)):
        signal = here.group * here.lanes + lane
        for k in range(states):
            poke(like, address, signal * states + k, state[begin + k * here.lanes + lane])


@lru_cache(maxsize=1)
def _compile() -> Any:
    @kept
    def run_chain(low, high, signals, curves, chain, memory):
        lanes, samples = signals.lanes, signals.samples
        row, count_of_links = row_size(lanes), len(chain.functions)
        tile = np.empty(chain.rows * row, np.float32)
        square = np.empty(lanes * lanes, np.float32)
        state = np.empty(chain.states.sum() * lanes + 1, np.float32)
        weights = np.empty(AT_ONCE, np.float32)
        pieces = np.empty((AT_ONCE + 1, 2), np.int64)
        source, functions, inputs, states = signals.source, chain.functions, chain.inputs, chain.states
        begins, halves, first, last = chain.begins, curves.halves, memory.first, memory.last
        places, offsets, address, stride = curves.places, curves.offsets, curves.address, curves.stride
        start, clip = curves.start, curves.samples
        lines = np.empty(2 * len(offsets) * lanes + 1, np.float32)
        seen = np.empty(len(offsets), np.int64)
        tile_at, state_at, numbers_at = tile.ctypes.data, state.ctypes.data, chain.numbers.ctypes.data
        for group in range(low, high):
            whole = Stretch(group, lanes, row - row, samples)
            begin = 0
            seen[:] = UNSEEN
            for k in range(count_of_links):
                _remember(state, begin, states[k], first[k], tile, whole, signals.rows)
                begin += states[k] * lanes
            for at in range(0, samples, AT_ONCE):
                here = Stretch(group, lanes, at, min(AT_ONCE, samples - at))
                _bring(tile, source, here)
                cut = _pieces(places, start + at, here.samples, weights, pieces)
                base, begin, control = 0, 0, 0
                for k in range(count_of_links):
                    for number in range(1, inputs[k]):
                        to, t = base + number * row, 0
                        for piece in range(cut):
                            frame, end = pieces[piece, 0], pieces[piece, 1]
                            if seen[control] != frame:  # most often it is the line of the samples before
                                _line(
                                    tile,
                                    square,
                                    lines,
                                    (address, stride, offsets),
                                    places,
                                    control,
                                    frame,
                                    here,
                                )
                                seen[control] = frame
                            moves = 0 <= frame < len(places) - 1
                            _draw(tile, to, lines, control, t, end, moves, weights, lanes)
                            t = end
                        half = halves[control]
                        if half > 0:
                            low_corner, high_corner = _near(
                                places, start + at, start + at + here.samples, half
                            )
                            for corner in range(low_corner, high_corner):
                                bend = _slope(
                                    tile, square, address, stride, offsets, places, control, corner, here
                                ) - _slope(
                                    tile, square, address, stride, offsets, places, control, corner - 1, here
                                )
                                _round(tile, to, bend, places[corner], half, start, clip, here)
                        control += 1
                    _call(
                        functions[k],
                        tile_at + 4 * base,
                        state_at + 4 * begin,
                        numbers_at + 8 * begins[k],
                        here.samples,
                        lanes,
                    )
                    base += inputs[k] * row
                    begin += states[k] * lanes
                scatter(tile, base, square, signals.target, samples, signals.rows, here)
            begin = 0
            for k in range(count_of_links):
                _hand_on(state, begin, states[k], last[k], tile, whole, signals.rows)
                begin += states[k] * lanes

    return run_chain
