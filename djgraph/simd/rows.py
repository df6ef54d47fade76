"""Between audio in memory and frames on lanes, and back.

Lane l of a vector holds frame t + l. Sample i of hop r of the stretch that these frames cover stands at
``rows[i·stride + r]``: the vector of sample j·hop + i of all frames is then the one at ``rows[i·stride + j]``, so that
what overlaps in the frames is read from memory, and multiplied by a fader, once. On the way back the same rows add up
what overlaps.

A place in the clip before its first or behind its last sample reads what is mirrored there, or silence.
"""

from __future__ import annotations

from numba import njit

from djgraph.simd.lanes import load, peek, poke, splat, store

# Columns of the table of sources.
LEFT, RIGHT, ITEM, LO, MIRRORED, FACTOR, FACTOR_ITEM, WINDOW = range(8)
SOURCE_COLUMNS = 8
# Columns of the table of targets.
TO_LEFT, TO_RIGHT, TO_ITEM, TO_LO, FOLDED, TO_WINDOW, SOURCE, TO_FACTOR, TO_FACTOR_ITEM = range(9)
TARGET_COLUMNS = 9
BLOCK = 16
"""Samples of each hop that are moved at a time: they and their places fit the first level of the cache."""


@njit(error_model="numpy")
def mirrored(place, samples):  # type: ignore[no-untyped-def]
    """The sample that a place reads where the clip is mirrored at its first and last sample, again and again."""
    if samples == 1:
        return 0
    period = 2 * (samples - 1)
    folded = place % period
    return min(folded, period - folded)


@njit(error_model="numpy")
def read(re, im, stride, hop, start, count, samples, item, sources, s):  # type: ignore[no-untyped-def]
    """Fills hops ``0…count−1`` of rows with a source's audio from place ``start`` on, the others with zeros."""
    lo = sources[s, LO]
    offset = item * sources[s, ITEM] - lo
    left, right = sources[s, LEFT], sources[s, RIGHT]
    factor, factor_offset = sources[s, FACTOR], item * sources[s, FACTOR_ITEM] - lo
    for low in range(0, hop, BLOCK):
        high = min(low + BLOCK, hop)
        for r in range(count):
            first = start + r * hop + low
            if first >= 0 and first + high - low <= samples:
                if factor:
                    for i in range(low, high):
                        place = first + i - low
                        f = peek(re, factor, factor_offset + place)
                        re[i * stride + r] = f * peek(re, left, offset + place)
                    if right:
                        for i in range(low, high):
                            place = first + i - low
                            f = peek(re, factor, factor_offset + place)
                            im[i * stride + r] = f * peek(re, right, offset + place)
                else:
                    for i in range(low, high):
                        re[i * stride + r] = peek(re, left, offset + first + i - low)
                    if right:
                        for i in range(low, high):
                            im[i * stride + r] = peek(re, right, offset + first + i - low)
                if not right:
                    for i in range(low, high):
                        im[i * stride + r] = 0
                continue
            for i in range(low, high):
                place = first + i - low
                x = re[0] * 0
                y = x
                if sources[s, MIRRORED] or 0 <= place < samples:
                    place = mirrored(place, samples)
                    x = peek(re, left, offset + place)
                    if right:
                        y = peek(re, right, offset + place)
                    if factor:
                        f = peek(re, factor, factor_offset + place)
                        x, y = f * x, f * y
                re[i * stride + r] = x
                im[i * stride + r] = y
    for i in range(hop):
        for r in range(count, stride):
            re[i * stride + r] = 0
            im[i * stride + r] = 0


@njit(error_model="numpy")
def to_frames(rows, stride, hop, window, slot, at, size, lanes, valid):  # type: ignore[no-untyped-def]
    """Windowed frames: ``slot[at…]`` as ``[size, lanes]``; lanes from ``valid`` on are silent."""
    for first in range(0, size, hop):
        j = first // hop
        for n in range(first, min(first + hop, size)):
            store(slot, at + n * lanes, load(rows, (n - first) * stride + j) * splat(window, n))
    if valid < lanes:
        for n in range(size):
            for lane in range(valid, lanes):
                slot[at + n * lanes + lane] = 0


@njit(error_model="numpy")
def from_frames(slot, at, size, lanes, window, rows, stride, hop):  # type: ignore[no-untyped-def]
    """Adds windowed frames to rows."""
    for first in range(0, size, hop):
        j = first // hop
        for n in range(first, min(first + hop, size)):
            place = (n - first) * stride + j
            store(rows, place, load(rows, place) + load(slot, at + n * lanes) * splat(window, n))


@njit(error_model="numpy")
def write(re, im, stride, hop, start, count, samples, item, targets, t, sources, added):  # type: ignore[no-untyped-def]
    """Gives hops ``0…count−1`` of rows to a target, whose first sample is place ``start`` of the clip.

    What lies outside the clip is dropped, or, for the gradient of what was mirrored, folded back. A target with a
    source is the gradient of its audio times its factor: it becomes that of each.
    """
    lo = targets[t, TO_LO]
    offset = item * targets[t, TO_ITEM] - lo
    left, right = targets[t, TO_LEFT], targets[t, TO_RIGHT]
    s = targets[t, SOURCE]
    for low in range(0, hop, BLOCK):
        high = min(low + BLOCK, hop)
        for r in range(count):
            first = start + r * hop + low
            inside = first >= 0 and first + high - low <= samples
            if not inside and not targets[t, FOLDED] and (first >= samples or first + high - low <= 0):
                continue
            if inside and s < 0 and not added:
                for i in range(low, high):
                    poke(re, left, offset + first + i - low, re[i * stride + r])
                if right:
                    for i in range(low, high):
                        poke(re, right, offset + first + i - low, im[i * stride + r])
                continue
            for i in range(low, high):
                place = first + i - low
                if not 0 <= place < samples:
                    if not targets[t, FOLDED]:
                        continue
                    place = mirrored(place, samples)
                x, y = re[i * stride + r], im[i * stride + r]
                if s >= 0:
                    x, y = _through_factor(re, x, y, place, item, targets, t, sources, s)
                if left:
                    before = peek(re, left, offset + place) if added else x * 0
                    poke(re, left, offset + place, before + x)
                    if right:
                        before = peek(re, right, offset + place) if added else x * 0
                        poke(re, right, offset + place, before + y)


@njit(error_model="numpy")
def _through_factor(like, x, y, place, item, targets, t, sources, s):  # type: ignore[no-untyped-def]
    """Adds the factor's gradient to its place; returns that of the audio."""
    lo = sources[s, LO]
    factor, factor_item = sources[s, FACTOR], sources[s, FACTOR_ITEM]
    to_factor = targets[t, TO_FACTOR]
    if to_factor:
        offset = item * sources[s, ITEM] - lo
        total = x * peek(like, sources[s, LEFT], offset + place)
        if sources[s, RIGHT]:
            total += y * peek(like, sources[s, RIGHT], offset + place)
        at = item * targets[t, TO_FACTOR_ITEM] - lo + place
        poke(like, to_factor, at, peek(like, to_factor, at) + total)
    f = peek(like, factor, item * factor_item - lo + place)
    return f * x, f * y


@njit(error_model="numpy")
def move_up(rows, stride, hop, count):  # type: ignore[no-untyped-def]
    """Drops the first ``count`` hops of rows; the others move to their place, zeros follow."""
    for i in range(hop):
        at = i * stride
        for r in range(stride - count):
            rows[at + r] = rows[at + r + count]
        for r in range(stride - count, stride):
            rows[at + r] = 0
