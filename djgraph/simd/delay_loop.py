"""A feedback delay line with heads that move, filters in its loop, and channels that may cross.

    y[n] = Σ gain_h[n]·v(n − delay_h[n])            read as in :mod:`djgraph.simd.delays`
    l[n] = l[n−1] + low[n]·(y[n] − l[n−1])          a one-pole lowpass
    h[n] = h[n−1] + high[n]·(l[n] − h[n−1])         what the one-pole highpass takes away
    z[n] = l[n] − h[n]
    v[n] = x[n] + feedback[n]·z'[n]                 z' of the same channel, or of the other one of a pair; or tanh(z')

No head reads within ``shortest`` ≥ 1 samples of n, so that v[n] is known when it is read. Signals are taken in groups,
all channels of an item where they cross, one sample of each after the other. Curves are: delay and gain of each head,
then feedback, low, high.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.delays import ADDRESS, STEP, Curves, add, held, slope, value
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import peek
from djgraph.simd.threads import over_rows

FAINT = 1e-30
"""What is smaller is 0 when it goes round: numbers below float32's normal ones would circle for ever, slowly."""


class Loop(NamedTuple):
    """heads: how many. shortest: delay. together: signals of a group. crossed: 1 where pairs of channels cross.

    saturated: 1 where what comes back passes tanh.
    """

    heads: int
    shortest: int
    together: int
    crossed: int
    saturated: int


class Signals(NamedTuple):
    """line: ``[signals, history + samples]``, the past and, once it has run, v. wet: z, ``[signals, samples]``.

    low, high: ``[signals, samples + 1]``, float64: l and h, after the state before the first sample.
    """

    line: NDArray
    wet: NDArray
    low: NDArray
    high: NDArray


class Gradients(NamedTuple):
    """wet: given. line: ``[signals, history + samples]``, of v, its end given. low, high: ``[signals]``, replaced.

    curves: ``[curves, signals, samples]``, written to. All float64.
    """

    wet: NDArray
    line: NDArray
    low: NDArray
    high: NDArray
    curves: NDArray


def run_forward(audio: NDArray, curves: Curves, signals: Signals, loop: Loop) -> None:
    """Runs the loop over all samples: ``audio``, ``[signals, samples]`` → what :class:`Signals` says."""
    kernel = _forward()
    over_rows(
        lambda groups: kernel(groups.start, groups.stop, audio, curves, signals, loop),
        len(audio) // loop.together,
        audio.size,
    )


def run_backward(curves: Curves, signals: Signals, gradients: Gradients, loop: Loop) -> None:
    """The adjoint of :func:`run_forward`, after it; the gradient of the audio is the end of that of the line."""
    kernel = _backward()
    over_rows(
        lambda groups: kernel(groups.start, groups.stop, curves, signals, gradients, loop),
        len(signals.wet) // loop.together,
        signals.wet.size,
    )


@part
def _partner(row, loop):
    """Whose echo goes into a channel: where they cross, that of the other one of its pair, if it has one."""
    if not loop.crossed:
        return row
    first = row // loop.together * loop.together
    other = (row - first) ^ 1
    return first + other if other < loop.together else row


@part
def _flushed(number):
    return 0.0 if abs(number) < FAINT else number


@part
def _sent(back, loop):
    return math.tanh(back) if loop.saturated else back


@part
def _at(like, curves, number, row, n):
    return peek(
        like, curves.table[number, ADDRESS], curves.offsets[number, row] + n * curves.table[number, STEP]
    )


@part
def _echo(line, place, like, curves, row, n, loop):
    """y[n]"""
    longest = float(place - n - 2)  # what the past holds
    total = 0.0
    for head in range(loop.heads):
        delay = held(_at(like, curves, 2 * head, row, n), float(loop.shortest), longest)
        whole = int(delay)
        read = value(line, place - whole, whole == loop.shortest, delay - whole)
        total += _at(like, curves, 2 * head + 1, row, n) * read
    return total


@lru_cache(maxsize=1)
def _forward() -> Any:
    @kept
    def delay_loop(first, stop, audio, curves, signals, loop):
        line, wet, low, high = signals
        samples = audio.shape[1]
        room = line.shape[1] - samples
        like = np.empty(0)
        feedback = 2 * loop.heads
        for group in range(first, stop):
            rows = range(group * loop.together, (group + 1) * loop.together)
            for n in range(samples):
                for row in rows:
                    echo = _echo(line[row], room + n, like, curves, row, n, loop)
                    lo = low[row, n] + _at(like, curves, feedback + 1, row, n) * (echo - low[row, n])
                    hi = high[row, n] + _at(like, curves, feedback + 2, row, n) * (lo - high[row, n])
                    low[row, n + 1], high[row, n + 1] = _flushed(lo), _flushed(hi)
                    wet[row, n] = lo - hi
                for row in rows:
                    other = _partner(row, loop)
                    back = _sent(low[other, n + 1] - high[other, n + 1], loop)
                    line[row, room + n] = audio[row, n] + _flushed(_at(like, curves, feedback, row, n) * back)

    return delay_loop


@lru_cache(maxsize=1)
def _backward() -> Any:
    @kept
    def delay_loop_adjoint(first, stop, curves, signals, gradients, loop):
        line, _, low, high = signals
        of_wet, of_line, of_low, of_high, of_curves = gradients
        samples = of_wet.shape[1]
        room = line.shape[1] - samples
        like = np.empty(0)
        feedback = 2 * loop.heads
        wet = np.empty(loop.together)
        for group in range(first, stop):
            begin, end = group * loop.together, (group + 1) * loop.together
            for n in range(samples - 1, -1, -1):
                for row in range(begin, end):
                    other = _partner(row, loop)
                    back = _sent(low[other, n + 1] - high[other, n + 1], loop)
                    of_curves[feedback, row, n] = of_line[row, room + n] * back
                    sent = _at(like, curves, feedback, row, n) * of_line[row, room + n]
                    steep = 1.0 - back * back if loop.saturated else 1.0
                    wet[other - begin] = of_wet[other, n] + steep * sent
                for row in range(begin, end):
                    a, b = _at(like, curves, feedback + 1, row, n), _at(like, curves, feedback + 2, row, n)
                    hi = of_high[row] - wet[row - begin]
                    of_curves[feedback + 2, row, n] = hi * (low[row, n + 1] - high[row, n])
                    of_high[row] = (1 - b) * hi
                    lo = of_low[row] + wet[row - begin] + b * hi
                    place = room + n
                    echo = _echo(line[row], place, like, curves, row, n, loop)
                    of_curves[feedback + 1, row, n] = lo * (echo - low[row, n])
                    of_low[row] = (1 - a) * lo
                    longest = float(room - 2)
                    for head in range(loop.heads):
                        given = _at(like, curves, 2 * head, row, n)
                        delay = held(given, float(loop.shortest), longest)
                        whole = int(delay)
                        at, edge, f = place - whole, whole == loop.shortest, delay - whole
                        amount = a * lo * _at(like, curves, 2 * head + 1, row, n)
                        steep = slope(line[row], at, edge, f) if given == delay else 0.0
                        of_curves[2 * head, row, n] = amount * steep
                        of_curves[2 * head + 1, row, n] = a * lo * value(line[row], at, edge, f)
                        add(of_line[row], at, edge, f, amount)

    return delay_loop_adjoint
