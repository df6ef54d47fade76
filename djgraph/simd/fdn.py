"""A feedback delay network: lines of whole lengths, a damping filter in each, an orthogonal matrix between them.

    u_k[n] = v_k[n − D_k]
    y_k[n] = g·(h·s_k[n−1] + p·u_k[n])              a shelf of first order: g below its corner, g·r above
    s_k[n] = c·u_k[n] − q·s_k[n−1]                  the state of its all-pass, in normalised lattice form
    v_k[n] = x_k[n] + Σ_j H_kj·y_j[n]               H: Hadamard's matrix over √lines, symmetric and orthogonal

with g = e^(−D·low), r = e^(−D·(high − low)), A = K·√r, q = (A − 1)/(A + 1), c = √(1 − q²), h = (1 − r)·c/2 and
p = (1 + r)/2 + (1 − r)·q/2. low, high: what a line loses, in nepers per sample; K = tan(π·corner/rate).

No line is read within ``shortest`` samples of n, so the network runs in stretches of at most so many: filters line
by line, then the matrix for the whole stretch. Signals are ordered item by item, the lines of one behind each other.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.delays import ADDRESS, STEP, Curves
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import peek
from djgraph.simd.threads import over_rows

FAINT = 1e-30
"""What is smaller is 0 when it goes round: numbers below float32's normal ones would circle for ever, slowly."""
STRETCH = 256
"""Most samples of a stretch: those of all lines stay in the CPU's first or second cache."""

# Coefficients of a line's filter, then their derivatives with respect to ln r.
G, Q, C, H, P, OF_Q, OF_C, OF_H, OF_P = range(9)


class Network(NamedTuple):
    """delays: in samples, for each line. corner: K. stretch: samples of a stretch, at most the shortest delay."""

    delays: NDArray[np.int64]
    corner: float
    stretch: int


class Signals(NamedTuple):
    """line: ``[items·lines, longest + samples]``, the past and, once it has run, v. wet: y, ``[items·lines, samples]``.

    states: ``[items·lines, stretches + 1]``, float64: s before each stretch, the first one given, and behind the last.
    """

    line: NDArray
    wet: NDArray
    states: NDArray


class Gradients(NamedTuple):
    """wet: given. line: ``[items·lines, longest + samples]``, of v, its end given. states: ``[items·lines]``, replaced.

    curves: ``[2, items, samples]``, of low and high, written to. All float64.
    """

    wet: NDArray
    line: NDArray
    states: NDArray
    curves: NDArray


def run_forward(audio: NDArray, curves: Curves, signals: Signals, network: Network) -> None:
    """Runs the network over all samples: ``audio``, ``[items·lines, samples]`` → what :class:`Signals` says."""
    kernel = _forward()
    over_rows(
        lambda items: kernel(items.start, items.stop, audio, curves, signals, network),
        len(audio) // len(network.delays),
        audio.size,
    )


def run_backward(curves: Curves, signals: Signals, gradients: Gradients, network: Network) -> None:
    """The adjoint of :func:`run_forward`, after it; the gradient of the audio is the end of that of the line."""
    kernel = _backward()
    over_rows(
        lambda items: kernel(items.start, items.stop, curves, signals, gradients, network),
        len(signals.wet) // len(network.delays),
        signals.wet.size,
    )


@part
def _flushed(number):
    return 0.0 if abs(number) < FAINT else number


@part
def _at(like, curves, number, item, n):
    return peek(
        like, curves.table[number, ADDRESS], curves.offsets[number, item] + n * curves.table[number, STEP]
    )


@part
def _coefficients(into, delay, corner, low, high):
    into[G] = np.exp(-delay * low)
    r = np.exp(-delay * (high - low))
    a = corner * np.sqrt(r)
    root, square = np.sqrt(a), (1 + a) * (1 + a)
    q, c = (a - 1) / (1 + a), 2 * root / (1 + a)
    into[Q], into[C] = q, c
    into[H], into[P] = (1 - r) * c / 2, ((1 + r) + (1 - r) * q) / 2
    into[OF_Q], into[OF_C] = a / square, root * (1 - a) / (2 * square)
    into[OF_H] = ((1 - r) * into[OF_C] - r * c) / 2
    into[OF_P] = (r * (1 - q) + (1 - r) * into[OF_Q]) / 2


@part
def _mixed(parts, count):
    """Hadamard's matrix over √lines on each of ``count`` columns of ``[lines, …]``, in place."""
    lines = len(parts)
    half = 1
    while half < lines:
        for first in range(0, lines, 2 * half):
            for k in range(first, first + half):
                for t in range(count):
                    a, b = parts[k, t], parts[k + half, t]
                    parts[k, t], parts[k + half, t] = a + b, a - b
        half *= 2
    scale = 1 / np.sqrt(float(lines))
    for k in range(lines):
        for t in range(count):
            parts[k, t] *= scale


@lru_cache(maxsize=1)
def _forward() -> Any:
    @kept
    def feedback_delay_network(first, stop, audio, curves, signals, network):
        line, wet, states = signals
        delays, corner, stretch = network
        lines, samples = len(delays), audio.shape[1]
        room = line.shape[1] - samples
        like = np.empty(0)
        parts = np.empty((lines, stretch))
        has = np.empty(9)
        for item in range(first, stop):
            for number in range(states.shape[1] - 1):
                start = number * stretch
                count = min(stretch, samples - start)
                for k in range(lines):
                    row, delay = item * lines + k, delays[k]
                    low, high = np.nan, np.nan
                    s = states[row, number]
                    for t in range(count):
                        n = start + t
                        low_now, high_now = (
                            _at(like, curves, 0, item, n),
                            _at(like, curves, 1, item, n),
                        )
                        if low_now != low or high_now != high:
                            low, high = low_now, high_now
                            _coefficients(has, delay, corner, low, high)
                        u = np.float64(line[row, room + n - delay])
                        y = has[G] * (has[H] * s + has[P] * u)
                        s = has[C] * u - has[Q] * s
                        parts[k, t] = y
                        wet[row, n] = y
                    states[row, number + 1] = _flushed(s)
                _mixed(parts, count)
                for k in range(lines):
                    row = item * lines + k
                    for t in range(count):
                        line[row, room + start + t] = audio[row, start + t] + _flushed(parts[k, t])

    return feedback_delay_network


@lru_cache(maxsize=1)
def _backward() -> Any:
    @kept
    def feedback_delay_network_adjoint(first, stop, curves, signals, gradients, network):
        line, _, states = signals
        of_wet, of_line, of_states, of_curves = gradients
        delays, corner, stretch = network
        lines, samples = len(delays), of_wet.shape[1]
        room = line.shape[1] - samples
        like = np.empty(0)
        parts = np.empty((lines, stretch))
        inside = np.empty(stretch)
        has = np.empty(9)
        for item in range(first, stop):
            of_curves[:, item] = 0.0
            for number in range(states.shape[1] - 2, -1, -1):
                start = number * stretch
                count = min(stretch, samples - start)
                for k in range(lines):
                    for t in range(count):
                        parts[k, t] = of_line[item * lines + k, room + start + t]
                _mixed(parts, count)
                for k in range(lines):
                    row, delay = item * lines + k, delays[k]
                    low, high = np.nan, np.nan
                    s = states[row, number]
                    for t in range(count):
                        n = start + t
                        low_now, high_now = (
                            _at(like, curves, 0, item, n),
                            _at(like, curves, 1, item, n),
                        )
                        if low_now != low or high_now != high:
                            low, high = low_now, high_now
                            _coefficients(has, delay, corner, low, high)
                        inside[t] = s
                        s = has[C] * np.float64(line[row, room + n - delay]) - has[Q] * s
                    of_s = of_states[row]
                    for t in range(count - 1, -1, -1):
                        n = start + t
                        low_now, high_now = (
                            _at(like, curves, 0, item, n),
                            _at(like, curves, 1, item, n),
                        )
                        if low_now != low or high_now != high:
                            low, high = low_now, high_now
                            _coefficients(has, delay, corner, low, high)
                        u, s = np.float64(line[row, room + n - delay]), inside[t]
                        of_y = of_wet[row, n] + parts[k, t]
                        of_gain = of_y * (has[H] * s + has[P] * u)
                        of_y *= has[G]
                        of_ratio = of_y * (has[OF_H] * s + has[OF_P] * u)
                        of_ratio += of_s * (has[OF_C] * u - has[OF_Q] * s)
                        of_curves[0, item, n] += delay * (of_ratio - has[G] * of_gain)
                        of_curves[1, item, n] -= delay * of_ratio
                        of_line[row, room + n - delay] += has[P] * of_y + has[C] * of_s
                        of_s = has[H] * of_y - has[Q] * of_s
                    of_states[row] = of_s

    return feedback_delay_network_adjoint
