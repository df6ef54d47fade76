"""Between audio in memory and frames on lanes, and back.

Lane l of a vector holds frame t + l. Sample i of hop r of the stretch that these frames cover stands at
``rows[i·stride + r]``: the vector of sample j·hop + i of all frames is then the one at ``rows[i·stride + j]``, so that
what overlaps in the frames is read from memory, and multiplied by a fader, once. On the way back the same rows add up
what overlaps.

A place in the clip before its first or behind its last sample reads what is mirrored there, or silence.
"""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import NDArray

from djgraph.simd.jit import part
from djgraph.simd.lanes import load, load_at, peek, poke, splat, store, store_at, transpose

# Columns of the table of sources.
LEFT, RIGHT, ITEM, LO, MIRRORED, FACTOR, FACTOR_ITEM, WINDOW = range(8)
SOURCE_COLUMNS = 8
# Columns of the table of targets.
TO_LEFT, TO_RIGHT, TO_ITEM, TO_LO, FOLDED, TO_WINDOW, SOURCE, TO_FACTOR, TO_FACTOR_ITEM = range(9)
TARGET_COLUMNS = 9


class Audio(NamedTuple):
    """Where signals are read and written: tables of addresses, and the windows that their rows name.

    sources: ``[sources, SOURCE_COLUMNS]``; targets: ``[targets, TARGET_COLUMNS]``; windows: ``[windows, size]``.
    """

    sources: NDArray
    targets: NDArray
    windows: NDArray


class Tiling(NamedTuple):
    """How frames lie in a clip of ``samples`` and in rows; ``stride``: hops that a vector's frames cover."""

    samples: int
    size: int
    hop: int
    lanes: int
    stride: int

    @classmethod
    def of(cls, samples: int, size: int, hop: int, lanes: int) -> Tiling:
        return cls(samples, size, hop, lanes, lanes + -(-size // hop) - 1)


class Frames(NamedTuple):
    """The frames on a vector's lanes: ``valid`` ones of a batch item from ``first`` on.

    ends: the clip's last frame is among them, so no later one adds to what they cover.
    """

    item: int
    first: int
    valid: int
    ends: bool


class Rows(NamedTuple):
    """Room for the rows of one signal, ``[hop·stride]`` a channel, and for ``stride`` hops in order, ``line``."""

    re: NDArray
    im: NDArray
    line: NDArray


@part
def begin(tiling, frames):
    """The place of the first sample that frames cover."""
    return frames.first * tiling.hop - tiling.size // 2


@part
def covered_by(tiling, frames):
    """How many samples frames cover."""
    return (frames.valid - 1) * tiling.hop + tiling.size


@part
def mirrored(place, samples):
    """The sample that a place reads where the clip is mirrored at its first and last sample, again and again."""
    if samples == 1:
        return 0
    period = 2 * (samples - 1)
    folded = place % period
    return min(folded, period - folded)


@part
def read(rows, tiling, frames, audio, s):
    """Fills rows with the samples of source ``s`` that frames cover, and zeros behind them."""
    count = -(-covered_by(tiling, frames) // tiling.hop)
    sources = audio.sources
    _read_channel(rows.line, sources[s, LEFT], tiling, frames, sources, s)
    _to_lanes(rows.line, rows.re, tiling, count)
    if sources[s, RIGHT]:
        _read_channel(rows.line, sources[s, RIGHT], tiling, frames, sources, s)
        _to_lanes(rows.line, rows.im, tiling, count)
    else:
        rows.im[:] = 0


@part
def _read_channel(line, address, tiling, frames, sources, s):
    samples, hop, lanes = tiling.samples, tiling.hop, tiling.lanes
    start, covered = begin(tiling, frames), covered_by(tiling, frames)
    shift = frames.item * sources[s, ITEM] - sources[s, LO]
    factor, factor_shift = sources[s, FACTOR], frames.item * sources[s, FACTOR_ITEM] - sources[s, LO]
    for r in range(-(-covered // hop)):
        first, at = start + r * hop, r * hop
        end = min(hop, covered - at)
        i = 0
        if first >= 0 and first + end <= samples:
            while i + lanes <= end:
                value = load_at(line, address, shift + first + i)
                if factor:
                    value = value * load_at(line, factor, factor_shift + first + i)
                store(line, at + i, value)
                i += lanes
        for rest in range(i, hop):
            place = first + rest
            x = line.dtype.type(0)
            if rest < end and (sources[s, MIRRORED] or 0 <= place < samples):
                place = mirrored(place, samples)
                x = peek(line, address, shift + place)
                if factor:
                    x *= peek(line, factor, factor_shift + place)
            line[at + rest] = x


@part
def _to_lanes(line, rows, tiling, count):
    """``rows[i·stride + r]`` = ``line[r·hop + i]`` for hops ``0…count−1``; zeros behind them."""
    hop, lanes, stride = tiling.hop, tiling.lanes, tiling.stride
    i = 0
    while i + lanes <= hop and lanes <= count:
        r = 0
        while r < count:
            r = min(r, count - lanes)  # the last square may overlap the one before it
            transpose(line, r * hop + i, hop, rows, i * stride + r, stride)
            r += lanes
        i += lanes
    for rest in range(i, hop):
        for r in range(count):
            rows[rest * stride + r] = line[r * hop + rest]
    if count < stride:
        for i in range(hop):
            for r in range(count, stride):
                rows[i * stride + r] = 0


@part
def to_frames(rows, window, slot, at, tiling, valid):
    """Windowed frames: ``slot[at…]`` as ``[size, lanes]``; lanes from ``valid`` on are silent."""
    size, hop, lanes, stride = tiling.size, tiling.hop, tiling.lanes, tiling.stride
    for first in range(0, size, hop):
        j = first // hop
        for n in range(first, min(first + hop, size)):
            store(slot, at + n * lanes, load(rows, (n - first) * stride + j) * splat(window, n))
    if valid < lanes:
        for n in range(size):
            for lane in range(valid, lanes):
                slot[at + n * lanes + lane] = 0


@part
def from_frames(slot, at, window, rows, tiling):
    """Adds windowed frames to rows."""
    size, hop, lanes, stride = tiling.size, tiling.hop, tiling.lanes, tiling.stride
    for first in range(0, size, hop):
        j = first // hop
        for n in range(first, min(first + hop, size)):
            place = (n - first) * stride + j
            store(rows, place, load(rows, place) + load(slot, at + n * lanes) * splat(window, n))


@part
def write(rows, tiling, frames, covered, audio, t, added):
    """Gives the first ``covered`` samples of rows, which frames begin with, to target ``t``.

    What lies outside the clip is dropped, or, for the gradient of what was mirrored, folded back. A target with a
    source is the gradient of its audio times its factor: it becomes that of each. added: to what is there.
    """
    sources, targets = audio.sources, audio.targets
    s, count = targets[t, SOURCE], -(-covered // tiling.hop)
    left, right = targets[t, TO_LEFT], targets[t, TO_RIGHT]
    heard_left, heard_right = (sources[s, LEFT], sources[s, RIGHT]) if s >= 0 else (0, 0)
    _from_lanes(rows.re, rows.line, tiling, count)
    _write_channel(rows.line, left, heard_left, tiling, frames, covered, audio, t, added)
    if heard_right if s >= 0 else right:
        _from_lanes(rows.im, rows.line, tiling, count)
        _write_channel(rows.line, right, heard_right, tiling, frames, covered, audio, t, added)


@part
def _from_lanes(rows, line, tiling, count):
    """``line[r·hop + i]`` = ``rows[i·stride + r]`` for hops ``0…count−1``."""
    hop, lanes, stride = tiling.hop, tiling.lanes, tiling.stride
    i = 0
    while i + lanes <= hop and lanes <= count:
        r = 0
        while r < count:
            r = min(r, count - lanes)
            transpose(rows, i * stride + r, stride, line, r * hop + i, hop)
            r += lanes
        i += lanes
    for rest in range(i, hop):
        for r in range(count):
            line[r * hop + rest] = rows[rest * stride + r]


@part
def _write_channel(line, address, heard, tiling, frames, covered, audio, t, added):
    """heard: the address of the channel that the factor was multiplied with, where there is a factor."""
    samples, hop, lanes, item, start = (
        tiling.samples,
        tiling.hop,
        tiling.lanes,
        frames.item,
        begin(tiling, frames),
    )
    sources, targets = audio.sources, audio.targets
    shift = item * targets[t, TO_ITEM] - targets[t, TO_LO]
    s, to_factor = targets[t, SOURCE], targets[t, TO_FACTOR]
    heard_shift, factor, factor_shift, to_shift = 0, 0, 0, 0
    if s >= 0:
        heard_shift = item * sources[s, ITEM] - sources[s, LO]
        factor, factor_shift = sources[s, FACTOR], item * sources[s, FACTOR_ITEM] - sources[s, LO]
        to_shift = item * targets[t, TO_FACTOR_ITEM] - sources[s, LO]
    for r in range(-(-covered // hop)):
        first, at = start + r * hop, r * hop
        end = min(hop, covered - at)
        i = 0
        if first >= 0 and first + end <= samples:
            while i + lanes <= end:
                value, place = load(line, at + i), first + i
                if factor:
                    if to_factor:
                        before = load_at(line, to_factor, to_shift + place)
                        product = value * load_at(line, heard, heard_shift + place)
                        store_at(line, to_factor, to_shift + place, before + product)
                    value = value * load_at(line, factor, factor_shift + place)
                if address:
                    if added:
                        value = value + load_at(line, address, shift + place)
                    store_at(line, address, shift + place, value)
                i += lanes
        elif not targets[t, FOLDED] and (first >= samples or first + end <= 0):
            continue
        for rest in range(i, end):
            place = first + rest
            if not 0 <= place < samples:
                if not targets[t, FOLDED]:
                    continue
                place = mirrored(place, samples)
            x = line[at + rest]
            if factor:
                if to_factor:
                    before = peek(line, to_factor, to_shift + place)
                    poke(
                        line, to_factor, to_shift + place, before + x * peek(line, heard, heard_shift + place)
                    )
                x *= peek(line, factor, factor_shift + place)
            if address:
                if added:
                    x += peek(line, address, shift + place)
                poke(line, address, shift + place, x)


@part
def move_up(rows, tiling, count):
    """Drops the first ``count`` hops of rows; the others move to their place, zeros follow."""
    hop, stride = tiling.hop, tiling.stride
    for i in range(hop):
        at = i * stride
        for r in range(stride - count):
            rows[at + r] = rows[at + r + count]
        for r in range(stride - count, stride):
            rows[at + r] = 0
