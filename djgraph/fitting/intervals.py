"""An interval for every control and moment that holds what was played in nine of ten cases."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.fitting.identify import Identified
from djgraph.fitting.prepare import fold
from djgraph.fitting.problem import POOL, FitProblem, Listened
from djgraph.fitting.progress import Standing
from djgraph.fitting.residue import residue
from djgraph.fitting.spread import Spread, spread

CONFIDENCE = 0.9
"""Share of the intervals that hold what was played."""
NOISE, FREE, FACTOR, MOMENT = 0.95, 0.15, 7.5, 8.0
"""Half an interval is ``FACTOR · noise**NOISE · free**FREE + MOMENT · |steps of the curve|``. Set by quantile
regression (Koenker and Bassett, Econometrica 46(1), 1978) on 14 transitions of ``benchmarks.unmix``, seeds 4 and 5,
half of them as MP3s; docs/unmixing.md has the coverage on others."""
NEARBY = 0.25
"""Seconds from a moment in which a control is heard, within which it is not taken to be anywhere."""
WIDE = 0.3
"""Share of a control's range from which on an interval says nothing."""


@dataclass(frozen=True)
class Intervals:
    """low, high: positions 0…1, ``[frames, controls]``. told: where an interval says something, ``[frames,
    controls]``."""

    low: Tensor
    high: Tensor
    told: Tensor


def intervals(
    problem: FitProblem, listened: Listened, standing: Standing, identified: Identified, mix: Tensor
) -> Intervals:
    """Around the positions of ``standing``. mix: what they make, ``[channels, samples]``. identified: of them."""
    heard, material, response = listened.heard, listened.material, problem.response
    left = heard.target - standing.level * heard.through(fold(mix, material.channels))
    turning = len(material.sources) if response.turning else 0
    sources = [heard.through(signal) for signal in material.sources]
    found = residue(sources, left, heard.valid, problem.bands, POOL, turning)
    scale = heard.weights / (heard.weights * heard.sources.energy).sum().clamp(min=1e-30)
    sketch, u = standing.measured or standing.sketch, standing.positions
    # As in the descent through the mixer.
    priors = problem.priors.scaled(0.1)
    seconds = material.samples / problem.graph.sample_rate
    half = half_widths(u, spread(sketch, u, found, scale, problem.rest, priors, seconds))
    unheard = ~_heard_nearby(identified.audible, seconds)[_nearest(len(identified.audible), len(u))]
    low = torch.where(unheard, 0.0, (u - half).clamp(min=0))
    high = torch.where(unheard, 1.0, (u + half).clamp(max=1))
    return Intervals(low, high, high - low < WIDE)


def _nearest(blocks: int, frames: int) -> Tensor:
    """The block at each frame."""
    return torch.linspace(0, blocks - 1, frames, dtype=torch.float64, device="cpu").round().long()


def _heard_nearby(audible: Tensor, seconds: float) -> Tensor:
    """``[blocks, controls]``, with NEARBY on each side: between two hits of a drum its fader is known."""
    reach = max(1, round(NEARBY * len(audible) / seconds))
    spread_out = torch.nn.functional.max_pool1d(audible.float().T[:, None], 2 * reach + 1, 1, reach)
    return spread_out[:, 0].T > 0


def half_widths(u: Tensor, of: Spread) -> Tensor:
    """Half of each interval, ``[frames, controls]``, not yet cut at the ends of the range.

    Noise alone would make it 1.645 standard deviations. What is left of a recording is no noise, and what the priors
    chose may be wrong; and where a curve moves it may have moved a little earlier or later.
    """
    steps = torch.zeros_like(u)
    if len(u) > 2:
        steps[1:-1] = (u[2:] - u[:-2]).abs() / 2
        steps[0], steps[-1] = (u[1] - u[0]).abs(), (u[-1] - u[-2]).abs()
    return FACTOR * of.noise**NOISE * of.free**FREE + MOMENT * steps
