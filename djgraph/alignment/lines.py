"""Straight lines through lags of which many are wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_STRONGEST = 48
_ROUNDS = 12
_TUKEY = 4.7


@dataclass(frozen=True)
class Fit:
    """lag, slope: of ``lag + slope · (n − at)``; at: the middle of what counts. spread: standard deviation of ``lag``.
    scatter: of single lags. agree: which lags lie on the line. beyond: how many standard deviations more of them do
    than by chance."""

    lag: float
    slope: float
    at: float
    spread: float
    slope_spread: float
    scatter: float
    agree: NDArray[np.bool_]
    beyond: float


def fit_line(
    at: Array, lag: Array, strength: Array, near: float, most: float, steepest: float, least: float = 0.01
) -> Fit | None:
    """The line that most of the strength lies on.

    near: samples from it within which a lag agrees. most: the largest lag that there can be: by chance a share
    of ``near / most`` agrees. steepest: the largest slope. least: the least scatter that is believed. None where fewer
    than three lags agree.
    """
    if len(at) < 3:
        return None
    weight = strength**2
    line = _consensus(at, lag, weight, near, steepest)
    if line is None:
        return None
    a, b = line
    centre = float(at.mean())
    a, near_now = a + b * centre, near
    scatter = near
    for _ in range(_ROUNDS):
        left = lag - a - b * (at - centre)
        inside = np.abs(left) < near_now
        if inside.sum() < 3:
            return None
        size = _median(np.abs(left[inside]), weight[inside]) * 1.4826
        scatter = max(size, least)
        near_now = min(near, max(_TUKEY * scatter, 4 * least))
        bell = np.where(np.abs(left) < near_now, (1 - (left / near_now) ** 2) ** 2, 0) * weight
        total = bell.sum()
        if total <= 0:
            return None
        middle = (bell * at).sum() / total
        x = at - middle
        across = (bell * x * x).sum()
        mean = (bell * lag).sum() / total
        b = float(np.clip((bell * x * lag).sum() / across, -steepest, steepest)) if across > 0 else 0.0
        a, centre = mean, middle
    left = lag - a - b * (at - centre)
    agree = np.abs(left) < near_now
    agree_loosely = np.abs(left) < near
    total = bell.sum()
    count = max(3.0, total**2 / (bell**2).sum())
    variance = max((bell * left**2).sum() / total, least**2)
    across = (bell * (at - centre) ** 2).sum() / total
    chance = min(1.0, near / most)
    expected = chance * len(at)
    beyond = (agree_loosely.sum() - expected) / np.sqrt(max(expected * (1 - chance), 0.25))
    return Fit(
        float(a),
        float(b),
        float(centre),
        float(np.sqrt(variance / max(1.0, count - 2))),
        float(np.sqrt(variance / max(1.0, count - 2) / across)) if across > 0 else 0.0,
        float(scatter),
        agree,
        float(beyond),
    )


def _consensus(
    at: Array, lag: Array, weight: Array, near: float, steepest: float
) -> tuple[float, float] | None:
    """Of lines through two strong lags each, and level ones, that with the most strength near it."""
    strong = np.argsort(weight)[-_STRONGEST:]
    i, j = np.triu_indices(len(strong), 1)
    first, second = strong[i], strong[j]
    apart = at[second] - at[first]
    usable = np.abs(apart) > 0.1 * np.ptp(at)
    first, second, apart = first[usable], second[usable], apart[usable]
    slope = (lag[second] - lag[first]) / apart if len(apart) else np.zeros(0)
    gentle = np.abs(slope) <= steepest
    slopes = np.concatenate([slope[gentle], np.zeros(len(strong))])
    origin = np.concatenate([(lag[first] - slope * at[first])[gentle], lag[strong]])
    if not len(slopes):
        return None
    # The closer to the line, the more a lag counts: of lines with equally many near, the middle one wins.
    left = (lag - origin[:, None] - slopes[:, None] * at) / near
    score = (np.clip(1 - left**2, 0, None) * weight).sum(1)
    best = int(score.argmax())
    return float(origin[best]), float(slopes[best])


def _median(values: Array, weight: Array) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])]) if total[-1] > 0 else 0.0
