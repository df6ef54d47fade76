"""Whether a recording was clipped, softly or hard: the curve that each of its samples went through."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.fitting.bands import Bands
from djgraph.fitting.parts import Parts

EXCERPT = 16.0
"""Seconds, the loudest, of which the curve is found: it is the same everywhere."""
QUANTILES = (0.3, 0.5, 0.65, 0.77, 0.86, 0.92, 0.955, 0.975, 0.987, 0.994, 0.9972, 0.999, 0.9997, 0.9999)
"""Of the recording's magnitudes: where the curve may bend."""
UNEXPLAINED = 2e-4
"""Share of the recording that constant gains leave, from which on a curve is looked for."""
GAINED = 0.85
"""A curve is believed if it leaves less than this share of what is left without one."""
LEAST_DB = 0.5
"""And if it takes so much off the loudest sample."""
FLAT = 5e-4
"""Samples within this share of the highest lie on a plateau, as a hard clipper leaves one,"""
MANY = 2e-5
"""if so large a share of all samples does,"""
SOME = 12
"""and so many."""
ROUNDS = 12
"""How often samples on a plateau are put where the sources' gains have them."""


@dataclass(frozen=True)
class Clipping:
    """The curve: straight lines between points, ``went_in`` → ``came_out``, both ascending, float64; behind the
    outermost it goes on as it came. low, high: plateaus that a hard clipper left, −∞ and ∞ where there is none. left:
    the share of what constant gains leave that is left with it. most: dB that it takes off the loudest sample."""

    went_in: Tensor
    came_out: Tensor
    low: float
    high: float
    left: float
    most: float

    def __call__(self, audio: Tensor) -> Tensor:
        """What comes out, differentiable."""
        return _through(audio, self.went_in, self.came_out).clamp(self.low, self.high)

    def undone(self, audio: Tensor, model: Tensor | None = None) -> Tensor:
        """What went in. model: the same up to errors: tells how far samples went that lie on a plateau."""
        found = _through(audio, self.came_out, self.went_in)
        if model is None or not self.hard:
            return found
        return self.put(audio, found, model)

    def put(self, audio: Tensor, found: Tensor, model: Tensor) -> Tensor:
        """``found`` with samples that lie on a plateau of ``audio`` where the model has them."""
        top, bottom = audio >= self.high * (1 - FLAT), audio <= self.low * (1 - FLAT)
        found = torch.where(top, torch.maximum(model, found), found)
        return torch.where(bottom, torch.minimum(model, found), found)

    @property
    def hard(self) -> bool:
        return self.low > -math.inf or self.high < math.inf

    def described(self) -> dict[str, float | str]:
        """For the report: its kind, how loud the loudest is that comes out, by how much that was turned down, and from
        which level on it is by 1 dB."""
        peak = float(self.came_out.abs().max())
        points = torch.linspace(0, 1, 513, dtype=torch.float64, device="cpu")[1:] * peak
        inside = torch.maximum(self.undone(points), -self.undone(-points))
        taken = 20 * (inside / points).clamp(min=1e-9).log10()
        bends = peak if self.hard else float(points[taken >= min(1.0, float(taken.max()))][0])
        return {
            "kind": "hard" if self.hard else "soft",
            "peak_db": round(20 * math.log10(peak), 2),
            "most_db": round(self.most, 2),
            "bends_db": round(20 * math.log10(bends), 2),
        }


def find_clipping(
    sources: list[Tensor], target: Tensor, valid: Tensor, bands: Bands, turning: int
) -> Clipping | None:
    """The curve whose inverse makes the recording most like a mix of the sources; None where none does.

    sources, target: aligned, ``[channels, samples]`` each; valid: 1 where the target is known, ``[samples]``. turning:
    as for :class:`djgraph.fitting.parts.Parts`.

    What went into a soft clipper is ``y + Σ a·(y − τ)₊`` above zero, and likewise below, with a ≥ 0: the inverse of a
    curve that bends down. Sources' gains are free in each cell, and of what is left then, a quadratic form in all a,
    the least is found by non-negative least squares: no gains have to be known yet. A hard clipper is told by its
    plateaus: how far their samples went is what the sources' gains say, which follow from all samples, in turns.
    """
    first, last = _loudest(target, valid, round(EXCERPT * bands.sample_rate))
    if last - first < bands.transform.size:
        return None
    y = target[:, first:last]
    parts = Parts([signal[:, first:last] for signal in sources], bands, turning)
    left, whole = parts.left(y[None])
    plain = float(left) / max(float(whole), 1e-30)
    if plain < UNEXPLAINED:
        return None
    high, low = _plateau(y), -_plateau(-y)
    if math.isfinite(high) or math.isfinite(low):
        edges = torch.tensor([-1.0, 1.0], dtype=torch.float64, device="cpu") * float(y.abs().max())
        found = Clipping(edges, edges, low, high, 1.0, 0.0)
        inside = _filled(found, parts, y)
        left, whole = parts.left(inside[None])
        share = float(left) / float(whole) / plain
        most = 20 * math.log10(float(inside.abs().max() / y.abs().max()))
        if share < GAINED and most > LEAST_DB:
            return Clipping(edges, edges, low, high, share, most)
    return _soft(parts, y, plain)


def undo(clipping: Clipping, sources: list[Tensor], target: Tensor, bands: Bands, turning: int) -> Tensor:
    """What went into the clipper, ``[channels, samples]``: plateaus by what the sources' gains have there."""
    if not clipping.hard:
        return clipping.undone(target)
    found, samples, length = target.clone(), target.shape[-1], round(EXCERPT * bands.sample_rate)
    for first in range(0, samples, length):
        last = min(first + length, samples)
        if last - first < bands.transform.size:
            continue
        parts = Parts([signal[:, first:last] for signal in sources], bands, turning)
        found[:, first:last] = _filled(clipping, parts, target[:, first:last])
    return found


def _filled(clipping: Clipping, parts: Parts, y: Tensor) -> Tensor:
    found = y
    for _ in range(ROUNDS):
        found = clipping.put(y, y, parts.model(found))
    return found


def _soft(parts: Parts, y: Tensor, plain: float) -> Clipping | None:
    above, below = _knots(y), _knots(-y)
    kinks = [(y - tau).clamp(min=0) for tau in above] + [-(-y - tau).clamp(min=0) for tau in below]
    if not kinks:
        return None
    left, whole = (one.numpy() for one in parts.left(torch.stack([*kinks, y])))
    scale = np.sqrt(np.maximum(np.diagonal(whole), 1e-30))
    a = _non_negative(left / np.outer(scale, scale)) * scale[-1] / scale
    share = float((a @ left @ a) / (a @ whole @ a)) / plain
    if not share < GAINED:
        return None
    up, down = float(y.max()), float(-y.min())
    high, low = _points(above, a[: len(above)], up), _points(below, a[len(above) : -1], down)
    most = 20 * math.log10(max(one[0][-1] / one[1][-1] for one in (high, low)))
    if most < LEAST_DB:
        return None
    went_in, came_out = (
        torch.from_numpy(np.concatenate((-negative[:0:-1], positive)))
        for negative, positive in zip(low, high)
    )
    return Clipping(went_in, came_out, -math.inf, math.inf, share, most)


def _loudest(target: Tensor, valid: Tensor, length: int) -> tuple[int, int]:
    """Where the loudest stretch of so many known samples, or fewer, begins and ends."""
    known = torch.nonzero(valid)[:, 0]
    if not len(known):
        return 0, 0
    begin, end = int(known[0]), int(known[-1]) + 1
    if end - begin <= length:
        return begin, end
    power = torch.nn.functional.pad(target[:, begin:end].double().square().sum(0).cumsum(0), (1, 0))
    first = begin + int((power[length:] - power[:-length]).argmax())
    return first, first + length


def _plateau(y: Tensor) -> float:
    """How high the plateau is on which the highest samples lie, one beside another; infinity where they do not."""
    peak = float(y.max())
    top = y >= (1 - FLAT) * peak
    count = int((top[:, 1:] & top[:, :-1]).sum())
    return peak if peak > 0 and count >= max(SOME, MANY * y.numel()) else math.inf


def _knots(y: Tensor) -> list[float]:
    """Where the curve may bend above zero, ascending."""
    high = np.sort(y[y > 0].double().numpy())
    if len(high) < 1000:
        return []
    found = [float(high[int(q * (len(high) - 1))]) for q in QUANTILES]
    return [tau for n, tau in enumerate(found) if n == 0 or tau > 1.01 * found[n - 1]]


def _points(
    knots: list[float], slopes: NDArray[np.float64], peak: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the half above zero: what went in, what came out."""
    out = np.array([0.0, *knots])
    if not knots or peak > 1.001 * knots[-1]:
        out = np.append(out, max(peak, 1e-6))
    return out + np.maximum(out[:, None] - np.array(knots), 0) @ slopes, out


def _non_negative(left: NDArray[np.float64]) -> NDArray[np.float64]:
    """The a ≥ 0 with a 1 behind that make a'·left·a least."""
    from scipy.optimize import nnls

    values, vectors = np.linalg.eigh((left + left.T) / 2)
    root = np.sqrt(np.maximum(values, 1e-12 * max(values[-1], 1e-300)))[:, None] * vectors.T
    return np.append(nnls(root[:, :-1], -root[:, -1])[0], 1.0)


def _through(audio: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Straight lines through the points, differentiable in the audio."""
    x, y = before.to(audio), after.to(audio)
    at = torch.bucketize(audio.detach().contiguous(), x).clamp(1, len(x) - 1)
    slope = (y[1:] - y[:-1]) / (x[1:] - x[:-1])
    return y[at - 1] + (audio - x[at - 1]) * slope[at - 1]
