"""A chain of all-passes of first order whose coefficient moves, mixed with the signal.

    u₀[n] = x[n]
    u_{k+1}[n] = u_k[n−1] + a[n]·(u_k[n] − u_{k+1}[n−1])      N stages
    y[n] = (1 − mix[n])·x[n] + mix[n]·u_N[n]

One signal after another in float64: the stages of a sample overlap in the CPU's pipeline with those of the next one.
u₀ … u_N are the state. States are kept every ``STRETCH`` samples; the backward pass computes those between again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.delays import STEP, Curves
from djgraph.simd.jit import kept, part
from djgraph.simd.swing import STRETCH, collect, read_curve, write
from djgraph.simd.threads import over_rows

FAINT = 1e-30
"""What is smaller is 0 where states are kept: numbers below the normal ones would circle for ever, slowly."""


class Gradients(NamedTuple):
    """output: given. audio: ``[signals, samples]``, written to. states: ``[signals, stages + 1]``, replaced.

    a, mix: ``[signals, length of the curve]``, added to. But for the output's all are float64.
    """

    output: NDArray
    audio: NDArray
    states: NDArray
    a: NDArray
    mix: NDArray


def run_forward(audio: NDArray, a: Curves, mix: Curves, states: NDArray, output: NDArray) -> None:
    """``[signals, samples]`` → ``output``. a: float64. mix: in the type of the audio. states: float64,
    ``[signals, stretches + 1, stages + 1]``: those before each stretch, the first ones given, and the last ones."""
    kernel = _forward()
    over_rows(
        lambda rows: kernel(rows.start, rows.stop, audio, a, mix, states, output), len(audio), audio.size
    )


def run_backward(audio: NDArray, a: Curves, mix: Curves, states: NDArray, gradients: Gradients) -> None:
    """The adjoint of :func:`run_forward`, after it."""
    kernel = _backward()
    over_rows(
        lambda rows: kernel(rows.start, rows.stop, audio, a, mix, states, gradients), len(audio), audio.size
    )


@part
def _step(x, a, u):
    """One sample: ``u`` is replaced."""
    before, now = u[0], x
    u[0] = x
    for k in range(1, len(u)):
        last = u[k]
        now = before + a * (now - last)
        before, u[k] = last, now


@lru_cache(maxsize=1)
def _forward() -> Any:
    @kept
    def allpass_chain_forward(first, stop, audio, a, mix, states, output):
        samples, stages = audio.shape[1], states.shape[2] - 1
        turns, wet = np.zeros(STRETCH), np.zeros(STRETCH)
        share = np.zeros(STRETCH, audio.dtype)
        u = np.empty(stages + 1)
        for row in range(first, stop):
            for k in range(stages + 1):
                u[k] = states[row, 0, k]
            for number in range(states.shape[1] - 1):
                start = number * STRETCH
                count = min(STRETCH, samples - start)
                read_curve(a, 0, row, start, count, turns)
                read_curve(mix, 0, row, start, count, share)
                for t in range(count):
                    x = np.float64(audio[row, start + t])
                    _step(x, turns[t], u)
                    wet[t] = (1.0 - share[t]) * x + share[t] * u[stages]
                write(wet, count, output, row * samples + start)
                for k in range(stages + 1):
                    u[k] = 0.0 if abs(u[k]) < FAINT else u[k]
                    states[row, number + 1, k] = u[k]

    return allpass_chain_forward


@lru_cache(maxsize=1)
def _backward() -> Any:
    @kept
    def allpass_chain_backward(first, stop, audio, a, mix, states, gradients):
        of_output, of_audio, of_states, of_a, of_mix = gradients
        samples, stages = audio.shape[1], states.shape[2] - 1
        turns, by_a, by_mix = np.zeros(STRETCH), np.zeros(STRETCH), np.zeros(STRETCH)
        share = np.zeros(STRETCH, audio.dtype)
        now, of_u = np.empty(stages + 1), np.empty(stages + 1)
        u = np.empty((STRETCH + 1, stages + 1))  # of the sample before the stretch, then of its own
        for row in range(first, stop):
            for k in range(stages + 1):
                of_u[k] = of_states[row, k]
            for number in range(states.shape[1] - 2, -1, -1):
                start = number * STRETCH
                count = min(STRETCH, samples - start)
                read_curve(a, 0, row, start, count, turns)
                read_curve(mix, 0, row, start, count, share)
                for k in range(stages + 1):
                    now[k] = u[0, k] = states[row, number, k]
                for t in range(count):
                    _step(np.float64(audio[row, start + t]), turns[t], now)
                    for k in range(stages + 1):
                        u[t + 1, k] = now[k]
                for t in range(count - 1, -1, -1):
                    x, given = u[t + 1, 0], np.float64(of_output[row, start + t])
                    by_mix[t] = given * (u[t + 1, stages] - x)
                    turn, slope, later = turns[t], 0.0, 0.0
                    gradient = of_u[stages] + share[t] * given
                    for k in range(stages - 1, -1, -1):
                        slope += gradient * (u[t + 1, k] - u[t, k + 1])
                        of_u[k + 1], later, gradient = (
                            later - turn * gradient,
                            gradient,
                            of_u[k] + turn * gradient,
                        )
                    of_u[0] = later
                    by_a[t] = slope
                    of_audio[row, start + t] = gradient + (1.0 - share[t]) * given
                collect(by_a, start, count, a.table[0, STEP], row, of_a)
                collect(by_mix, start, count, mix.table[0, STEP], row, of_mix)
            for k in range(stages + 1):
                of_states[row, k] = of_u[k]

    return allpass_chain_backward
