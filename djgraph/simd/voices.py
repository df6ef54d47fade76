"""Copies of a signal read through delays that swing, mixed with the signal: choruses and vibratos.

    y[n] = (1 − mix[n])·x[n] + mix[n]·scale·Σ_v x(n − delay[n] − depth[n]·s(cycle[n] + v/V))

x(·) is read as in :mod:`djgraph.simd.delays`, s is that of :mod:`djgraph.simd.swing`. Delays are computed a stretch at
a time in float64, and never written to memory.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from djgraph.simd.delays import STEP, Curves, add, held, joined, slope, value
from djgraph.simd.functions import fill, where_greater
from djgraph.simd.jit import kept, part
from djgraph.simd.lanes import BYTES, floor, load, pick, store, zeros
from djgraph.simd.swing import (
    DEPTH,
    LANES,
    LOW,
    STRETCH,
    Wave,
    WaveGradients,
    collect,
    collect_cycle,
    read_curve,
    read_cycle,
    swing,
    swing_slope,
    write,
)
from djgraph.simd.threads import over_rows


class Voices(NamedTuple):
    """wave: of the delays in samples. mix: one curve in the type of the audio. voices: how many. scale: of each."""

    wave: Wave
    mix: Curves
    voices: int
    scale: float


class Gradients(NamedTuple):
    """output: given. line: ``[signals, history + samples]``, float64, of what is read, added to.

    audio: ``[signals, samples]``, float64, of what is mixed in dry, written to. wave, mix: added to.
    """

    output: NDArray
    line: NDArray
    audio: NDArray
    wave: WaveGradients
    mix: NDArray


def run_forward(audio: NDArray, past: NDArray, voices: Voices, output: NDArray) -> None:
    """``[signals, samples]`` → ``output``. past: ``[signals, longest + 2]``."""
    kernel = _forward()
    over_rows(lambda rows: kernel(rows.start, rows.stop, audio, past, voices, output), len(audio), audio.size)


def run_backward(audio: NDArray, past: NDArray, voices: Voices, gradients: Gradients) -> None:
    """The adjoint of :func:`run_forward`, which needs nothing that it made."""
    kernel = _backward()
    over_rows(
        lambda rows: kernel(rows.start, rows.stop, audio, past, voices, gradients), len(audio), audio.size
    )


@part
def _read_stretch(voices, row, start, count, cycle, low, depth, mix):
    """The curves of a stretch → buffers."""
    read_cycle(voices.wave, row, start, count, cycle)
    read_curve(voices.wave.curves, LOW, row, start, count, low)
    read_curve(voices.wave.curves, DEPTH, row, start, count, depth)
    read_curve(voices.mix, 0, row, start, count, mix)


@part
def _delays(shape, ahead, count, cycle, low, depth, delay):
    """Delays of one voice on a stretch → ``delay``."""
    for i in range(0, count, LANES):
        store(delay, i, load(low, i) + load(depth, i) * swing(shape, cycle, i, ahead))


@part
def _split(count, longest, delay, exact, whole, f):
    """Delays, held within their limits, as whole numbers and fractions; where ``delay``, which is replaced, is whole
    in the type of the audio, too."""
    for i in range(0, count, LANES):
        given, least, most = load(delay, i), zeros(delay), fill(delay, longest)
        late = where_greater(given, least, given, least)  # NaN is 0, since it becomes an address
        late = where_greater(most, late, late, most)
        store(delay, i, floor(late))
        store(exact, i, late - floor(late))
    for t in range(count):
        whole[t] = delay[t]
        f[t] = exact[t]


@part
def _weights(i, whole, f, newer, w0, w1, w2):
    """What the four neighbours of a delay count: of those of :func:`djgraph.simd.delays.value`."""
    x, one, half, three = load(f, i), fill(f, 1.0), fill(f, 0.5), fill(f, 3.0)
    late = x * (x * (one - half * x) - half)
    a = one + x * x * (fill(f, 1.5) * x - fill(f, 2.5))
    b = x * (half + x * (fill(f, 2.0) - fill(f, 1.5) * x))
    c = half * x * x * (x - one)
    # Below one sample there is no later neighbour; the parabola takes its weight.
    near = load(whole, i)
    none = zeros(f)
    edge = where_greater(one, near, late, none)
    store(newer, i, late - edge)
    store(w0, i, a + three * edge)
    store(w1, i, b - three * edge)
    store(w2, i, c + edge)


@lru_cache(maxsize=1)
def _forward() -> Any:
    @kept
    def voices_forward(first, stop, audio, past, voices, output):
        room, samples = past.shape[1], audio.shape[1]
        longest, lanes = room - 2.0, BYTES // audio.itemsize
        cycle, low, depth = np.zeros(STRETCH), np.zeros(STRETCH), np.zeros(STRETCH)
        delay, exact = np.zeros(STRETCH), np.zeros(STRETCH)
        whole, f = np.zeros(STRETCH, audio.dtype), np.zeros(STRETCH, audio.dtype)
        newer, w0 = np.zeros(STRETCH, audio.dtype), np.zeros(STRETCH, audio.dtype)
        w1, w2 = np.zeros(STRETCH, audio.dtype), np.zeros(STRETCH, audio.dtype)
        wet, mix = np.zeros(STRETCH, audio.dtype), np.zeros(STRETCH, audio.dtype)
        line = np.zeros(room + samples + lanes, audio.dtype)
        for row in range(first, stop):
            joined(line, past, audio, row)
            for start in range(0, samples, STRETCH):
                count = min(STRETCH, samples - start)
                _read_stretch(voices, row, start, count, cycle, low, depth, mix)
                for t in range(count):
                    wet[t] = 0.0
                for voice in range(voices.voices):
                    _delays(voices.wave.shape, voice / voices.voices, count, cycle, low, depth, delay)
                    _split(count, longest, delay, exact, whole, f)
                    for i in range(0, count, lanes):
                        _weights(i, whole, f, newer, w0, w1, w2)
                    for t in range(count):
                        at = room + start + t - int(delay[t])
                        wet[t] += (newer[t] * pick(line, at + 1) + w0[t] * pick(line, at)) + (
                            w1[t] * pick(line, at - 1) + w2[t] * pick(line, at - 2)
                        )
                scale, one = fill(wet, voices.scale), fill(wet, 1.0)
                for i in range(0, count, lanes):
                    share, dry = load(mix, i), load(line, room + start + i)
                    store(wet, i, (one - share) * dry + share * (scale * load(wet, i)))
                write(wet, count, output, row * samples + start)

    return voices_forward


@lru_cache(maxsize=1)
def _backward() -> Any:
    @kept
    def voices_backward(first, stop, audio, past, voices, gradients):
        of_output, of_line, of_audio, (of_cycle, of_low, of_depth), of_mix = gradients
        room, samples = past.shape[1], audio.shape[1]
        longest, shape = room - 2.0, voices.wave.shape
        table, mixed = voices.wave.curves.table, voices.mix.table
        cycle, low, depth, delay = np.zeros(STRETCH), np.zeros(STRETCH), np.zeros(STRETCH), np.zeros(STRETCH)
        by_cycle, by_depth = np.zeros(STRETCH), np.zeros(STRETCH)
        all_cycle, all_depth, all_low = np.zeros(STRETCH), np.zeros(STRETCH), np.zeros(STRETCH)
        wet, mix = np.zeros(STRETCH), np.zeros(STRETCH, audio.dtype)
        line = np.empty(room + samples, audio.dtype)
        for row in range(first, stop):
            joined(line, past, audio, row)
            for start in range(0, samples, STRETCH):
                count = min(STRETCH, samples - start)
                _read_stretch(voices, row, start, count, cycle, low, depth, mix)
                for t in range(count):
                    wet[t], all_cycle[t], all_depth[t], all_low[t] = 0.0, 0.0, 0.0, 0.0
                for voice in range(voices.voices):
                    ahead = voice / voices.voices
                    _delays(shape, ahead, count, cycle, low, depth, delay)
                    for i in range(0, count, LANES):
                        store(by_depth, i, swing(shape, cycle, i, ahead))
                        store(by_cycle, i, load(depth, i) * swing_slope(shape, cycle, i, ahead))
                    for t in range(count):
                        late = held(delay[t], 0.0, longest)
                        whole = int(late)
                        at, edge, f = room + start + t - whole, whole == 0, late - whole
                        amount = of_output[row, start + t] * np.float64(mix[t]) * voices.scale
                        wet[t] += value(line, at, edge, f)
                        add(of_line[row], at, edge, f, amount)
                        steep = amount * slope(line, at, edge, f) if late == delay[t] else 0.0
                        all_low[t] += steep
                        all_depth[t] += steep * by_depth[t]
                        all_cycle[t] += steep * by_cycle[t]
                for t in range(count):
                    given = np.float64(of_output[row, start + t])
                    of_audio[row, start + t] = (1.0 - mix[t]) * given
                    wet[t] = given * (voices.scale * wet[t] - audio[row, start + t])
                collect_cycle(all_cycle, start, count, voices.wave, row, of_cycle)
                collect(all_low, start, count, table[LOW, STEP], row, of_low)
                collect(all_depth, start, count, table[DEPTH, STEP], row, of_depth)
                collect(wet, start, count, mixed[0, STEP], row, of_mix)

    return voices_backward
