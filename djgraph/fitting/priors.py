"""What is preferred where the sound does not decide: controls at rest, and curves without wiggles."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.fitting.knots import Tridiagonal


@dataclass(frozen=True)
class Rest:
    """Where controls are at rest: positions ``[controls]``, and what a move of each costs, ``[controls]``.

    The cost is for the whole way from the position to the far end of the range. still: weights of the mean squared
    slope per clip that come on top, ``[controls]``, of controls that are set once.
    """

    position: Tensor
    cost: Tensor
    still: Tensor | None = None

    @property
    def weight(self) -> Tensor:
        """Cost for each unit of position, ``[controls]``."""
        return self.cost / torch.maximum(self.position, 1 - self.position)


@dataclass(frozen=True)
class Priors:
    """Three penalties on positions ``[frames, controls]``; a loss of 1 is all of the target's energy.

    Distances are shares of the way from a control's neutral position to the far end of its range, times its cost.

    neutral: weight of the mean distance from the neutral position (summed over controls). Where gain trades against
    the three EQ gains, the fewest and shortest moves are the cheapest, so that a plain fade is written as one.
    variation: weight of the total variation, which fades and cuts of the same depth share.
    smooth: weight of the mean squared slope per clip, which draws straight lines through silence.
    width: below this, the first two are quadratic instead of absolute values.
    """

    neutral: float = 3e-4
    variation: float = 1e-4
    smooth: float = 1e-7
    width: float = 3e-3

    def scaled(self, factor: float) -> Priors:
        return Priors(self.neutral * factor, self.variation * factor, self.smooth * factor, self.width)

    def value(self, u: Tensor, rest: Rest) -> Tensor:
        """The penalty, differentiable."""
        frames, positions = len(u), u
        u = (u - rest.position) * rest.weight
        total = self.neutral / frames * self._absolute(u).sum()
        if frames > 1:
            steps = u.diff(dim=0)
            total = total + self.variation * self._absolute(steps).sum()
            total = total + self.smooth * (frames - 1) * steps.square().sum()
            if rest.still is not None:
                total = total + (frames - 1) * (rest.still * positions.diff(dim=0).square()).sum()
        return total

    def curvature(self, u: Tensor, rest: Rest) -> Tridiagonal:
        """The matrix of the quadratic that touches the penalty at ``u`` from above."""
        frames, controls = u.shape
        scale = rest.weight
        u = (u - rest.position) * scale
        diagonal = self.neutral / frames / self._root(u)
        upper = u.new_zeros(max(frames - 1, 0), controls)
        if frames > 1:
            steps = u.diff(dim=0)
            upper = self.variation / self._root(steps) + 2 * self.smooth * (frames - 1)
            diagonal = diagonal.clone()
            diagonal[1:] += upper
            diagonal[:-1] += upper
        square = scale.square()
        diagonal, upper = diagonal * square, upper * square
        if frames > 1 and rest.still is not None:
            held = 2 * (frames - 1) * rest.still
            diagonal[1:] += held
            diagonal[:-1] += held
            upper = upper + held
        return Tridiagonal(torch.diag_embed(diagonal), torch.diag_embed(-upper))

    def _root(self, x: Tensor) -> Tensor:
        return (x.square() + self.width**2).sqrt()

    def _absolute(self, x: Tensor) -> Tensor:
        return self._root(x) - self.width
