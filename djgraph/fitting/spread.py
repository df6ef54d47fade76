"""How far the controls of a fit may be off: two standard deviations, from the matrix that the small problem has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from djgraph.fitting.knots import Tridiagonal
from djgraph.fitting.newton import RIDGE
from djgraph.fitting.priors import Priors, Rest
from djgraph.fitting.residue import Residue
from djgraph.fitting.sketch import CHUNK, Sketch, unit_slopes

FORGOTTEN = 10.0
"""Seconds after which a control's position says nothing of where it is, if nothing is heard of it."""
ANYWHERE = 1 / 12
"""Variance of a position of which nothing is known but that it lies in 0…1."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of positions, ``[frames, controls]``.

    noise: of the estimate, were what is left over drawn anew; the priors hold it as they held the estimate. free: of
    what the recording leaves open to somebody who does not prefer controls at rest, but curves without wiggles.
    """

    noise: Tensor
    free: Tensor


def spread(
    sketch: Sketch, u: Tensor, residue: Residue, scale: Tensor, rest: Rest, priors: Priors, seconds: float
) -> Spread:
    """For positions ``u`` ``[frames, controls]`` that minimise the sketch's loss and ``priors``.

    residue: of the mix that they make. scale: ``[blocks, bands]``, by which the sketch's sums are weighted. seconds:
    length of the clip.

    The estimate answers to a push of the loss's gradient by A⁻¹, A being the loss's matrix and the priors'; noise
    pushes it with the covariance K, so that A⁻¹·K·A⁻¹ is the estimate's (Huber's sandwich). Without a preference
    for rest A is the matrix of the data and of the penalty on wiggles, whose own covariance is what noise of the size
    of K's would make it; a control of which nothing is heard is anywhere in 0…1.
    """
    fisher, push = _matrices(sketch, u, residue, scale)
    eye = torch.eye(u.shape[1], dtype=u.dtype, device="cpu").expand(len(u), -1, -1)
    prior = priors.curvature(u, rest)
    held = Tridiagonal(fisher.diagonal + prior.diagonal + RIDGE * eye, fisher.upper + prior.upper)
    noise = held.inverse_diagonal(push)
    size = _trace(push) / max(_trace(fisher), 1e-300)  # of noise, in the units of the loss
    drawn = replace(priors, neutral=0.0).curvature(u, rest)
    box = size * seconds / len(u) / FORGOTTEN / ANYWHERE
    drawn = Tridiagonal(drawn.diagonal + box * eye, drawn.upper)
    small = RIDGE * float(fisher.diagonal.diagonal(dim1=1, dim2=2).mean()) * eye
    open_ = Tridiagonal(fisher.diagonal + drawn.diagonal + small, fisher.upper + drawn.upper)
    both = Tridiagonal(push.diagonal + size * drawn.diagonal, push.upper + size * drawn.upper)
    free = open_.inverse_diagonal(both)
    return Spread(noise.clamp(min=0).sqrt(), free.clamp(min=0).sqrt())


def _matrices(sketch: Sketch, u: Tensor, residue: Residue, scale: Tensor) -> tuple[Tridiagonal, Tridiagonal]:
    """The matrix of the sketch's loss, and the covariance of its gradient."""
    statistics = sketch.statistics
    knots, per_unit = unit_slopes(sketch.response.layout, u)
    grid = sketch.grid(len(u))
    values = grid.read(knots).float()
    own = torch.diagonal(statistics.gram, dim1=2, dim2=3)
    # The sketch's sums are weighted, and so is what is left.
    weighted = replace(residue, energy=residue.energy * scale, cross=residue.cross * scale[..., None])
    inputs = residue.cross.shape[-1]
    step = float(statistics.positions[-1] - statistics.positions[0]) / max(1, len(own) - 1)
    rate = sketch.response.graph.sample_rate
    times = weighted.correlation(own[..., :inputs], sketch.response.bands, max(step, 1.0) / rate).sqrt()
    if own.shape[-1] > inputs:  # of what was measured through the mixer nobody looked
        mean = times.mean(1, keepdim=True).expand(-1, own.shape[-1] - inputs)
        times = torch.cat((times, mean), 1)
    variance = weighted.variance

    fisher, push = [], []
    for start in range(0, len(values), CHUNK):
        here = slice(start, start + CHUNK)
        _, slopes = sketch.sources_slopes(values[here])
        d = sketch.level * slopes.permute(0, 3, 2, 1)  # [blocks, bands, sources, controls]
        gram = statistics.gram[here]
        fisher.append(2 * d.flatten(1, 2).mT @ (gram @ d).flatten(1, 2))
        d = d * times[here, None, :, None]
        push.append(4 * d.flatten(1, 2).mT @ (gram @ d * variance[here, :, None, None]).flatten(1, 2))
    made = [grid.collect_squares(torch.cat(parts).double()).scale(per_unit) for parts in (fisher, push)]
    return made[0], made[1]


def _trace(matrix: Tridiagonal) -> float:
    return float(torch.diagonal(matrix.diagonal, dim1=1, dim2=2).sum())
