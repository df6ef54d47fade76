"""Triton kernels of recursions: a linear one of one or two states as a chunked scan, and one that branches.

A program goes along one signal, or a segment of one, chunk by chunk. Inside a chunk the steps are joined in parallel
(Blelloch 1990, "Prefix sums and their applications"); the state behind it is carried to the next. So each number is
read and written once.
"""

import triton
import triton.language as tl


@triton.jit
def _after_one(a, u, b, v):
    """A step, then another: s ↦ b·(a·s + u) + v."""
    return b * a, b * u + v


@triton.jit
def _after_two(a11, a12, a21, a22, u1, u2, b11, b12, b21, b22, v1, v2):
    """The same with matrices: s ↦ B·(A·s + u) + v."""
    return (
        b11 * a11 + b12 * a21,
        b11 * a12 + b12 * a22,
        b21 * a11 + b22 * a21,
        b21 * a12 + b22 * a22,
        b11 * u1 + b12 * u2 + v1,
        b21 * u1 + b22 * u2 + v2,
    )


@triton.jit
def _last(values, lane, BLOCK: tl.constexpr):
    return tl.sum(tl.where(lane == BLOCK - 1, values, 0), axis=0)


@triton.jit
def _places(step, samples, BACKWARDS: tl.constexpr):
    """Of steps along a signal their samples, and those whose factors are read; with each, where it is within."""
    inside = step < samples
    if BACKWARDS:
        time = (samples - 1 - step).to(tl.int64)
        # The last sample has none behind it: its state is what was carried there.
        moved = time + 1
        known = inside & (moved < samples)
    else:
        time = step.to(tl.int64)
        moved = time
        known = inside
    return time, inside, moved, known


@triton.jit
def scan_one(
    decay, drive, initial, states, totals, samples, chunks, segments,
    decay_signal, decay_time, drive_signal, drive_time, initial_signal, initial_segment,
    states_signal, states_time,
    BACKWARDS: tl.constexpr, TOTALS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """``s[n] = decay[n]·s[n−1] + drive[n]`` of one signal's segment of so many chunks.

    BACKWARDS: ``s[n] = decay[n+1]·s[n+1] + drive[n]``. TOTALS: only what the whole segment makes of a state.
    """
    signal = tl.program_id(0).to(tl.int64)
    segment = tl.program_id(1)
    lane = tl.arange(0, BLOCK)
    carried = tl.full((), 0, drive.dtype.element_ty)
    product = tl.full((), 1, drive.dtype.element_ty)
    if not TOTALS:
        carried = tl.load(initial + signal * initial_signal + segment * initial_segment)
    for chunk in range(chunks):
        time, inside, moved, known = _places((segment * chunks + chunk) * BLOCK + lane, samples, BACKWARDS)
        a = tl.load(decay + signal * decay_signal + moved * decay_time, mask=known, other=1.0)
        u = tl.load(drive + signal * drive_signal + time * drive_time, mask=inside, other=0.0)
        joined_a, joined_u = tl.associative_scan((a, u), 0, _after_one)
        now = joined_a * carried + joined_u
        if TOTALS:
            product = product * _last(joined_a, lane, BLOCK)
        else:
            tl.store(states + signal * states_signal + time * states_time, now, mask=inside)
        carried = _last(now, lane, BLOCK)
    if TOTALS:
        place = totals + (signal * segments + segment) * 2
        tl.store(place, product)
        tl.store(place + 1, carried)


@triton.jit
def scan_two(
    matrix, drive, initial, states, totals, samples, chunks, segments,
    matrix_signal, matrix_row, matrix_column, matrix_time, drive_signal, drive_row, drive_time,
    initial_signal, initial_row, initial_segment, states_signal, states_row, states_time,
    BACKWARDS: tl.constexpr, TOTALS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """``s[n] = A[n]·s[n−1] + u[n]`` of two states; as :func:`scan_one`. Transposed where the strides are."""
    signal = tl.program_id(0).to(tl.int64)
    segment = tl.program_id(1)
    lane = tl.arange(0, BLOCK)
    one = tl.full((), 0, drive.dtype.element_ty)
    two = one
    p11, p12, p21, p22 = one + 1, one, one, one + 1
    if not TOTALS:
        first = initial + signal * initial_signal + segment * initial_segment
        one = tl.load(first)
        two = tl.load(first + initial_row)
    for chunk in range(chunks):
        time, inside, moved, known = _places((segment * chunks + chunk) * BLOCK + lane, samples, BACKWARDS)
        row = matrix + signal * matrix_signal + moved * matrix_time
        a11 = tl.load(row, mask=known, other=1.0)
        a12 = tl.load(row + matrix_column, mask=known, other=0.0)
        a21 = tl.load(row + matrix_row, mask=known, other=0.0)
        a22 = tl.load(row + matrix_row + matrix_column, mask=known, other=1.0)
        source = drive + signal * drive_signal + time * drive_time
        u1 = tl.load(source, mask=inside, other=0.0)
        u2 = tl.load(source + drive_row, mask=inside, other=0.0)
        j11, j12, j21, j22, w1, w2 = tl.associative_scan((a11, a12, a21, a22, u1, u2), 0, _after_two)
        now1 = j11 * one + j12 * two + w1
        now2 = j21 * one + j22 * two + w2
        if TOTALS:
            l11 = _last(j11, lane, BLOCK)
            l12 = _last(j12, lane, BLOCK)
            l21 = _last(j21, lane, BLOCK)
            l22 = _last(j22, lane, BLOCK)
            p11, p12, p21, p22 = (
                l11 * p11 + l12 * p21,
                l11 * p12 + l12 * p22,
                l21 * p11 + l22 * p21,
                l21 * p12 + l22 * p22,
            )
        else:
            target = states + signal * states_signal + time * states_time
            tl.store(target, now1, mask=inside)
            tl.store(target + states_row, now2, mask=inside)
        one = _last(now1, lane, BLOCK)
        two = _last(now2, lane, BLOCK)
    if TOTALS:
        place = totals + (signal * segments + segment) * 6
        tl.store(place, p11)
        tl.store(place + 1, p12)
        tl.store(place + 2, p21)
        tl.store(place + 3, p22)
        tl.store(place + 4, one)
        tl.store(place + 5, two)


@triton.jit
def branch(level, rise, fall, initial, rising, signals, samples, LANES: tl.constexpr):
    """Where a level lies above ``y[n−1]``, with ``y[n] = y[n−1] + share·(x[n] − y[n−1])``, the share being ``rise``
    there, else ``fall``. Sample by sample, a signal on each lane: what comes next depends on which branch was taken."""
    signal = tl.program_id(0) * LANES + tl.arange(0, LANES)
    inside = signal < signals
    row = signal.to(tl.int64) * samples
    state = tl.load(initial + signal, mask=inside, other=0.0)
    for time in range(samples):
        x = tl.load(level + row + time, mask=inside, other=0.0)
        up = tl.load(rise + row + time, mask=inside, other=0.0)
        down = tl.load(fall + row + time, mask=inside, other=0.0)
        above = x > state
        tl.store(rising + row + time, above, mask=inside)
        # As the scan has it, so that both see the same branches.
        share = tl.where(above, up, down)
        state = (1 - share) * state + share * x
