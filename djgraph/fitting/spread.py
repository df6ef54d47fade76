"""How far the controls of a fit may be off: standard deviations, from the matrix that the small problem has."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from djgraph.fitting.knots import Tridiagonal
from djgraph.fitting.newton import RIDGE
from djgraph.fitting.priors import Rest
from djgraph.fitting.residue import Residue
from djgraph.fitting.sketch import CHUNK, Sketch, unit_slopes

STILL, PLAYED = 0.001, 0.3
"""Standard deviation of a position about which nothing is heard: of a control that nobody touches, and of one that is
played."""
TOUCHED = 0.1
"""How far from rest a control has to be to count as played, as a share of its range; half as far counts a quarter."""
NEARBY = 2.0
"""Seconds in which a control that was played before or will be counts as played."""
FORGOTTEN = 4.0
"""Seconds after which a control's position says little of where it is, if nothing is heard of it."""


def spread(sketch: Sketch, u: Tensor, residue: Residue, scale: Tensor, rest: Rest, seconds: float) -> Tensor:
    """Standard deviations of positions ``u``, ``[frames, controls]``, given the recording and which of them are played.

    residue: of the mix that they make. scale: ``[blocks, bands]``, by which the sketch's sums are weighted. seconds:
    length of the clip.

    Where gain trades against EQ the recording leaves a valley of answers. Of a strip of which only the gain moved the
    other ends of that valley are not likely; where both moved they are. So the controls are taken for random curves
    (Ornstein-Uhlenbeck processes about ``u``, which forget in FORGOTTEN seconds) that are wide where the fit moved a
    control, and narrow where it left it at rest: a spike and a slab (Mitchell and Beauchamp, JASA 83, 1988), chosen by
    the fit. With P the inverse of their covariance, F the matrix of the loss, K the covariance of its gradient under
    the noise that is left and s = tr K / tr F, the positions' covariance is (F + s·P)⁻¹·(K + s²·P)·(F + s·P)⁻¹; if
    K = s·F, that is s·(F + s·P)⁻¹, the posterior of Bayes.
    """
    fisher, push = _matrices(sketch, u, residue, scale)
    size = _trace(push) / max(_trace(fisher), 1e-300)  # of noise, in the units of the loss
    curves = _curves(_played(u, rest, seconds), seconds)
    eye = torch.eye(u.shape[1], dtype=u.dtype, device="cpu").expand(len(u), -1, -1)
    small = RIDGE * float(fisher.diagonal.diagonal(dim1=1, dim2=2).mean()) * eye
    known = Tridiagonal(fisher.diagonal + size * curves.diagonal + small, fisher.upper + size * curves.upper)
    pushed = Tridiagonal(push.diagonal + size**2 * curves.diagonal, push.upper + size**2 * curves.upper)
    return known.inverse_diagonal(pushed).clamp(min=0).sqrt()


def _played(u: Tensor, rest: Rest, seconds: float) -> Tensor:
    """Standard deviations ``[frames, controls]`` of positions of which nothing is heard."""
    reach = max(1, round(NEARBY * (len(u) - 1) / seconds))
    away = (u - rest.position).abs().T[:, None]
    most = torch.nn.functional.max_pool1d(away, 2 * reach + 1, 1, reach)[:, 0].T
    return STILL + PLAYED * (most / TOUCHED).clamp(max=1).square()


def _curves(deviation: Tensor, seconds: float) -> Tridiagonal:
    """The inverse of the covariance of random curves with ``deviation`` ``[frames, controls]`` whose values forget each
    other exponentially. It is tridiagonal, since they are Markov."""
    frames = len(deviation)
    square = deviation.square()
    if frames < 2:
        return Tridiagonal(torch.diag_embed(1 / square), torch.diag_embed(square[:0]))
    alike = math.exp(-seconds / (frames - 1) / FORGOTTEN)
    over = 1 / (1 - alike**2)
    diagonal = torch.full_like(deviation, over * (1 + alike**2))
    diagonal[0] = diagonal[-1] = over
    between = -alike * over / (deviation[:-1] * deviation[1:])
    return Tridiagonal(torch.diag_embed(diagonal / square), torch.diag_embed(between))


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
