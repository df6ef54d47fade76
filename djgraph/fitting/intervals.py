"""An interval for every control and moment that holds what was played in nine of ten cases."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.fitting.identify import Identified
from djgraph.fitting.prepare import fold
from djgraph.fitting.problem import POOL, FitProblem, Listened
from djgraph.fitting.progress import Standing
from djgraph.fitting.reaction import reaction
from djgraph.fitting.residue import residue
from djgraph.fitting.spread import spread

CONFIDENCE = 0.9
"""Share of the intervals that hold what was played."""
SPREAD, REACTION, STEP = 2.4, 0.5, 0.5
"""Half an interval is ``SPREAD · spread + REACTION · reaction + STEP · |steps of the curve|``. About the narrowest with
which nine in ten of each series hold, and three in four of each kind of control, moved or not, in 30 fits of seeds 4
and 5 of ``benchmarks.unmix``; docs/unmixing.md has the coverage on others."""
REST = 5.0
"""Reactions from where a control rests, within which it may have rested: what nobody touched is likelier than what was
moved a little."""
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
    left = heard.target - heard.through(fold(mix, material.channels), standing.level)
    turning = len(material.sources) if response.turning else 0
    sources = [heard.turned(signal) for signal in material.sources]
    found = residue(sources, left, heard.valid, problem.bands, POOL, turning)
    scale = heard.weights / (heard.weights * heard.sources.energy).sum().clamp(min=1e-30)
    sketch, u = standing.measured or standing.sketch, standing.positions
    seconds = material.samples / problem.graph.sample_rate
    wide = spread(sketch, u, found, scale, problem.rest, seconds)
    share = (found.energy / heard.sources.energy.clamp(min=1e-20)).clamp(max=1)
    # As in the descent through the mixer.
    priors = problem.priors.scaled(0.1)
    far = reaction(sketch, u, found, share, scale, problem.rest, priors, seconds)
    low, high = _around(u, wide, far, problem.rest.position)
    unheard = ~_heard_nearby(identified.audible, seconds)[_nearest(len(identified.audible), len(u))]
    low, high = torch.where(unheard, 0.0, low), torch.where(unheard, 1.0, high)
    return Intervals(low, high, high - low < WIDE)


def _around(u: Tensor, wide: Tensor, far: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Ends of the intervals around ``u``, for its spread and its reaction, all ``[frames, controls]``; rest:
    ``[controls]``."""
    half = SPREAD * wide + REACTION * far + STEP * _steps(u)
    rested = (u - rest).abs() <= REST * far
    low = torch.where(rested, torch.minimum(u - half, rest), u - half)
    high = torch.where(rested, torch.maximum(u + half, rest), u + half)
    return low.clamp(min=0), high.clamp(max=1)


def _steps(u: Tensor) -> Tensor:
    """How far each curve goes from frame to frame: what moves may have moved a little earlier or later."""
    steps = torch.zeros_like(u)
    if len(u) > 2:
        steps[1:-1] = (u[2:] - u[:-2]).abs() / 2
        steps[0], steps[-1] = (u[1] - u[0]).abs(), (u[-1] - u[-2]).abs()
    return steps


def widened(around: Intervals, u: Tensor, slopes: Tensor) -> Intervals:
    """Around positions ``u``, where a move by some dB is heard by ``1 − slopes`` of them, ``[controls]``."""
    factor = 1 / (1 - slopes).clamp(min=0.05)
    low, high = (u - (u - around.low) * factor).clamp(min=0), (u + (around.high - u) * factor).clamp(max=1)
    return Intervals(low, high, high - low < WIDE)


def _nearest(blocks: int, frames: int) -> Tensor:
    """The block at each frame."""
    return torch.linspace(0, blocks - 1, frames, dtype=torch.float64, device="cpu").round().long()


def _heard_nearby(audible: Tensor, seconds: float) -> Tensor:
    """``[blocks, controls]``, with NEARBY on each side: between two hits of a drum its fader is known."""
    reach = max(1, round(NEARBY * len(audible) / seconds))
    spread_out = torch.nn.functional.max_pool1d(audible.float().T[:, None], 2 * reach + 1, 1, reach)
    return spread_out[:, 0].T > 0
