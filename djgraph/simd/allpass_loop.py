"""A chain of all-passes of first order in a loop without delay, in normalised lattice form.

    u₀[n] = x[n] + f[n]·u_N[n]                     N stages; the equation is solved for u_N, which is linear in u₀
    u_{k+1}[n] = a[n]·u_k[n] + c[n]·s_k[n−1]
    s_k[n]     = c[n]·u_k[n] − a[n]·s_k[n−1]       c = √(1 − a²): each stage turns (s, u), and lengthens nothing

The output is u_N. States are kept every ``STRETCH`` samples; the backward pass computes those between again.
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

STRETCH = 256
"""Samples between two states that are kept."""
FAINT = 1e-30
"""What is smaller is 0 where states are kept: numbers below float32's normal ones would circle for ever, slowly."""


class Gradients(NamedTuple):
    """output: given. audio: ``[signals, samples]``, written to. states: ``[signals, stages]``, replaced. All float64.

    curves: ``[2, signals, samples]``, of a and f, written to.
    """

    output: NDArray
    audio: NDArray
    states: NDArray
    curves: NDArray


def run_forward(audio: NDArray, curves: Curves, states: NDArray, output: NDArray) -> None:
    """``[signals, samples]`` → ``output``. curves: a, f. states: ``[signals, stretches + 1, stages]``, float64: those
    before each stretch, the first ones given, and the last ones."""
    kernel = _forward()
    over_rows(
        lambda rows: kernel(rows.start, rows.stop, audio, curves, states, output), len(audio), audio.size
    )


def run_backward(audio: NDArray, curves: Curves, states: NDArray, gradients: Gradients) -> None:
    """The adjoint of :func:`run_forward`, after it."""
    kernel = _backward()
    over_rows(
        lambda rows: kernel(rows.start, rows.stop, audio, curves, states, gradients), len(audio), audio.size
    )


@part
def _at(like, curves, number, row, n):
    return peek(
        like, curves.table[number, ADDRESS], curves.offsets[number, row] + n * curves.table[number, STEP]
    )


@part
def _step(x, a, c, f, s, u):
    """One sample: states ``s`` are replaced, ``u`` (stages + 1) written to."""
    stages = len(s)
    straight, own = 1.0, 0.0
    for k in range(stages):
        straight, own = a * straight, a * own + c * s[k]
    u[0] = (x + f * own) / (1 - f * straight)
    for k in range(stages):
        u[k + 1] = a * u[k] + c * s[k]
        s[k] = c * u[k] - a * s[k]


@lru_cache(maxsize=1)
def _forward() -> Any:
    @kept
    def allpass_loop(first, stop, audio, curves, states, output):
        samples, stages = audio.shape[1], states.shape[2]
        like = np.empty(0)
        s, u = np.empty(stages), np.empty(stages + 1)
        for row in range(first, stop):
            s[:] = states[row, 0]
            for n in range(samples):
                a = _at(like, curves, 0, row, n)
                _step(np.float64(audio[row, n]), a, np.sqrt(1 - a * a), _at(like, curves, 1, row, n), s, u)
                output[row, n] = u[stages]
                if n % STRETCH == STRETCH - 1 or n == samples - 1:
                    for k in range(stages):
                        s[k] = 0.0 if abs(s[k]) < FAINT else s[k]
                    states[row, n // STRETCH + 1] = s

    return allpass_loop


@lru_cache(maxsize=1)
def _backward() -> Any:
    @kept
    def allpass_loop_adjoint(first, stop, audio, curves, states, gradients):
        of_output, of_audio, of_states, of_curves = gradients
        samples, stages = audio.shape[1], states.shape[2]
        like = np.empty(0)
        s, u = np.empty((STRETCH, stages)), np.empty((STRETCH, stages + 1))
        now, of_s = np.empty(stages), np.empty(stages)
        for row in range(first, stop):
            of_s[:] = of_states[row]
            for number in range(states.shape[1] - 2, -1, -1):
                start = number * STRETCH
                count = min(STRETCH, samples - start)
                now[:] = states[row, number]
                for t in range(count):
                    a = _at(like, curves, 0, row, start + t)
                    s[t] = now
                    _step(
                        np.float64(audio[row, start + t]),
                        a,
                        np.sqrt(1 - a * a),
                        _at(like, curves, 1, row, start + t),
                        now,
                        u[t],
                    )
                for t in range(count - 1, -1, -1):
                    n = start + t
                    a, f = _at(like, curves, 0, row, n), _at(like, curves, 1, row, n)
                    c = np.sqrt(1 - a * a)
                    # The same equation the other way: ∂u₀ is linear in ∂u_N, and comes back by f.
                    straight, own = 1.0, 0.0
                    for k in range(stages - 1, -1, -1):
                        straight, own = a * straight, a * own + c * of_s[k]
                    of_u = (of_output[row, n] + f * own) / (1 - f * straight)
                    of_a, of_c = 0.0, 0.0
                    for k in range(stages - 1, -1, -1):
                        of_a += of_u * u[t, k] - of_s[k] * s[t, k]
                        of_c += of_u * s[t, k] + of_s[k] * u[t, k]
                        of_u, of_s[k] = a * of_u + c * of_s[k], c * of_u - a * of_s[k]
                    of_audio[row, n] = of_u
                    of_curves[0, row, n] = of_a - of_c * a / c
                    of_curves[1, row, n] = of_u * u[t, stages]
            of_states[row] = of_s

    return allpass_loop_adjoint
