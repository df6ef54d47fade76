"""What a distortion behind a fader does to a track: a curve that every sample goes through, and a filter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.fitting.alone import BLOCK, EMPHASIS

Array = NDArray[np.float64]
KNOTS = (0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.65)
"""Shares of a track's loudest samples at which the curve may bend, both ways."""
FOOT = 35.0
"""Hz of the one-pole low pass that the curve's second part goes through: a distortion's DC is taken out so."""
KEPT, TURNS = 0.6, 5
"""Share of the blocks, those that are explained best, in which a fader is taken to rest; how often they are chosen."""
STEPS = np.array([0.0, 0.03, 0.06, 0.1, 0.15, 0.22, 0.3, 0.4, 0.52, 0.66, 0.82, 1.0])
"""Gains of a fader between which what is heard is taken to lie on straight lines."""
WARM = 8192
"""Samples after which the low pass has forgotten."""


@dataclass(frozen=True)
class Curve:
    """``E(u) = c·φ(u) + LP(d·φ(u))``; φ: u, and hinges at ``knots`` (ascending, both signs).

    direct, low: c and d, ``[1 + knots]``. pole: of the low pass. left: share of resting blocks that the curve leaves,
    in the median; linear: that a gain and the low pass leave.
    """

    knots: Array
    direct: Array
    low: Array
    pole: float
    left: float
    linear: float

    def __call__(self, audio: Array) -> Array:
        """``[…, samples]``."""
        from scipy.signal import lfilter

        hinged = hinges(audio, self.knots)
        low = np.tensordot(self.low, hinged, 1)
        return np.asarray(
            np.tensordot(self.direct, hinged, 1) + lfilter([1 - self.pole], [1, -self.pole], low)
        )


def hinges(audio: Array, knots: Array) -> Array:
    """``[1 + knots, …, samples]``."""
    return np.stack(
        [
            audio,
            *(np.maximum(audio - one, 0) if one >= 0 else np.minimum(audio - one, 0) for one in knots),
        ]
    )


def _grams(columns: Array, target: Array, places: NDArray[np.int64]) -> Array:
    """Products of ``[columns, samples]`` and, last, the target ``[samples]`` in blocks, with less bass."""
    both = np.concatenate((columns, target[None]))
    both[:, 1:] -= EMPHASIS * both[:, :-1].copy()
    rows = np.stack([both[:, place * BLOCK : (place + 1) * BLOCK] for place in places])
    return np.asarray(rows @ rows.transpose(0, 2, 1))


def find_curve(audio: Tensor, target: Tensor, places: NDArray[np.int64], rate: int) -> Curve | None:
    """The curve that explains most of the blocks ``places`` in which a track is heard alone, of which in most its fader
    rests. audio, target: ``[channels, samples]``. None for too few blocks."""
    from scipy.signal import lfilter

    if len(places) < 90:
        return None
    first = max(0, int(places[0]) * BLOCK - WARM) // BLOCK
    stop = (int(places[-1]) + 1) * BLOCK
    x = audio[0, first * BLOCK : stop].double().numpy()
    y = target[0, first * BLOCK : stop].double().numpy()
    top = float(np.quantile(np.abs(x[::7]), 0.999))
    if top <= 0:
        return None
    knots = np.array(sorted([-top * one for one in KNOTS] + [top * one for one in KNOTS]))
    pole = float(np.exp(-2 * np.pi * FOOT / rate))
    columns = hinges(x, knots)
    low = lfilter([1 - pole], [1, -pole], columns)
    gram = _grams(np.concatenate((columns, low)), y, places - first)
    size = len(columns)
    found = _trimmed(gram)
    straight = _trimmed(gram[:, [0, size, 2 * size]][:, :, [0, size, 2 * size]])
    return Curve(knots, found[0][:size], found[0][size:], pole, found[1], straight[1])


def _trimmed(gram: Array) -> tuple[Array, float]:
    """Coefficients of least squares of the last signal in those blocks that they explain best, and what they leave."""
    energy = gram[:, -1, -1] + 1e-12
    chosen = np.arange(len(gram))
    coefficients, left = np.zeros(gram.shape[1] - 1), np.ones(len(gram))
    for _ in range(TURNS):
        total = (gram[chosen] / energy[chosen, None, None]).sum(0)
        inner = total[:-1, :-1]
        ridge = 1e-9 * np.trace(inner) / len(inner) * np.eye(len(inner))
        coefficients = np.linalg.solve(inner + ridge, total[:-1, -1])
        v = np.append(-coefficients, 1.0)
        left = np.einsum("i,bij,j->b", v, gram, v) / energy
        chosen = np.flatnonzero(left <= np.quantile(left, KEPT))
    return coefficients, float(np.median(left[chosen]))


@dataclass(frozen=True)
class Bent:
    """A distortion behind a fader: sources are what is heard with it at :data:`STEPS`, but for the first, silence."""

    sources: int = len(STEPS) - 1

    def amounts(self, fader: Array, seconds: float) -> tuple[Array, Array]:
        at = np.clip(np.searchsorted(STEPS, fader, side="right") - 1, 0, len(STEPS) - 2)
        width = STEPS[at + 1] - STEPS[at]
        share = (fader - STEPS[at]) / width
        amounts, slopes = np.zeros((len(fader), len(STEPS))), np.zeros((len(fader), len(STEPS)))
        rows = np.arange(len(fader))
        amounts[rows, at], amounts[rows, at + 1] = 1 - share, share
        slopes[rows, at], slopes[rows, at + 1] = -1 / width, 1 / width
        return amounts[:, 1:], slopes[:, 1:]


def bent_products(curves: list[Curve], tracks: list[Tensor], target: Tensor, valid: Tensor) -> Tensor:
    """As :func:`djgraph.fitting.alone.products`, of what is heard of each track at :data:`STEPS` of its fader."""
    from djgraph.fitting.alone import CHUNK, products

    count, parts = target.shape[-1] // BLOCK, []
    for first in range(0, count, CHUNK):
        before = max(0, first - WARM // BLOCK)
        stop = min(first + CHUNK, count)
        signals = [
            torch.from_numpy(curve(step * track[:, before * BLOCK : stop * BLOCK].double().numpy())).float()
            for curve, track in zip(curves, tracks)
            for step in STEPS[1:]
        ]
        here = slice(before * BLOCK, stop * BLOCK)
        parts.append(products(signals, target[:, here], valid[here])[first - before :])
    return torch.cat(parts)
