"""The fitting problem in small: the mix's distance from the target as a function of the controls, without audio."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.fitting.knots import KnotGrid, Tridiagonal
from djgraph.fitting.response import Response
from djgraph.fitting.statistics import Statistics

CHUNK = 64
"""Blocks whose slopes are held at a time."""


@dataclass(frozen=True)
class Sketch:
    """Least squares in the gains of every input, block and band.

    The loss is the weighted squared distance between mix and target as a share of the target's weighted energy.
    ``response`` gives the gains for controls; what it leaves out is taken as at rest. measured: columns that it leaves
    out and whose effect on the mix has been measured; those signals are further sources, behind the inputs.
    """

    response: Response
    statistics: Statistics
    samples: int
    level: float = 1.0
    measured: tuple[int, ...] = ()

    @classmethod
    def make(
        cls,
        response: Response,
        statistics: Statistics,
        weights: Tensor,
        samples: int,
        measured: tuple[int, ...] = (),
    ) -> Sketch:
        """weights: ``[blocks, bands]``, how much each block and band counts."""
        scale = weights / (weights * statistics.energy).sum().clamp(min=1e-30)
        weighted = Statistics(
            statistics.gram * scale[..., None, None],
            statistics.cross * scale[..., None],
            statistics.energy * scale,
            statistics.positions,
        )
        return cls(response, weighted, samples, measured=measured)

    def at_level(self, level: float) -> Sketch:
        """The same for a target that is the mix times ``level``."""
        return dataclasses.replace(self, level=level)

    def merge(self, blocks: int) -> Sketch:
        """Coarser in time."""
        return dataclasses.replace(self, statistics=self.statistics.merge(blocks))

    def grid(self, frames: int) -> KnotGrid:
        return KnotGrid.at(self.statistics.positions, self.samples, frames)

    def error(self, gains: Tensor) -> Tensor:
        """Loss of each block ``[blocks]`` for gains ``[blocks, sources, bands]``."""
        m = self.level * gains.transpose(1, 2)
        s = self.statistics
        quadratic = torch.einsum("tbi,tbij,tbj->t", m, s.gram, m)
        return quadratic - 2 * (m * s.cross).sum((1, 2)) + s.energy.sum(1)

    def loss(self, u: Tensor) -> float:
        """Loss for positions ``[frames, controls]``."""
        values = self.grid(len(u)).read(self.response.layout.from_unit(u)).float()
        return float(self.error(self.response(values)).double().sum())

    def best_level(self, u: Tensor) -> float:
        """The level at which the mix of these controls comes nearest."""
        values = self.grid(len(u)).read(self.response.layout.from_unit(u)).float()
        m = self.response(values).transpose(1, 2)
        quadratic = torch.einsum("tbi,tbij,tbj->", m, self.statistics.gram, m)
        return float((m * self.statistics.cross).sum() / quadratic.clamp(min=1e-30))

    def linearize(self, u: Tensor) -> tuple[float, Tensor, Tridiagonal]:
        """Loss, gradient ``[frames, controls]`` and Gauss-Newton matrix for positions ``[frames, controls]``."""
        knots, scale = unit_slopes(self.response.layout, u)
        grid = self.grid(len(u))
        values = grid.read(knots).float()
        size = len(self.response.layout)
        loss, gradients, squares = 0.0, [], []
        s = self.statistics
        for start in range(0, len(values), CHUNK):
            here = slice(start, start + CHUNK)
            gains, slopes = self.sources_slopes(values[here])
            m = self.level * gains.transpose(1, 2)
            pull = torch.einsum("tbij,tbj->tbi", s.gram[here], m) - s.cross[here]
            loss += float((m * (pull - s.cross[here])).double().sum() + s.energy[here].double().sum())
            d = self.level * slopes.permute(0, 3, 2, 1)  # [blocks, bands, sources, controls]
            flat = d.flatten(1, 2)
            gradients.append(2 * torch.einsum("tkc,tk->tc", flat, pull.flatten(1)))
            spread = (s.gram[here] @ d).flatten(1, 2)
            squares.append(2 * flat.transpose(1, 2) @ spread)
        gradient = grid.collect(torch.cat(gradients).double()) * scale
        matrix = grid.collect_squares(torch.cat(squares).double()).scale(scale)
        assert gradient.shape == (len(u), size)
        return loss, gradient, matrix

    def sources_slopes(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Gains of all sources and their derivatives; a measured source stands for its control's derivative."""
        gains, slopes = self.response.slopes(values)
        if not self.measured:
            return gains, slopes
        more = len(self.measured)
        gains = torch.nn.functional.pad(gains, (0, 0, 0, more))
        slopes = torch.nn.functional.pad(slopes, (0, 0, 0, more))
        inputs = self.response.sources
        for index, column in enumerate(self.measured):
            slopes[:, column] = 0
            slopes[:, column, inputs + index] = 1
        return gains, slopes


def unit_slopes(layout: object, u: Tensor) -> tuple[Tensor, Tensor]:
    """Plain values of positions ``[frames, controls]``, and how fast they change with position."""
    with torch.enable_grad():
        leaf = u.detach().requires_grad_()
        values = layout.from_unit(leaf)  # type: ignore[attr-defined]
        (slopes,) = torch.autograd.grad(values.sum(), leaf)
    return values.detach(), slopes
