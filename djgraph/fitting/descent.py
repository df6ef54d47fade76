"""Descent through the mixer itself: exact gradients, with the small problem's curvature as the metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from djgraph.fitting.knots import Factor, Tridiagonal
from djgraph.fitting.newton import RIDGE, held

MEMORY = 8
"""Pairs of steps and gradient changes that are remembered (L-BFGS; Nocedal, Mathematics of Computation 35, 1980)."""
TRIES = 4
"""Directions that are tried in one step."""

Evaluate = Callable[[Tensor], tuple[float, Tensor]]


@dataclass
class Descent:
    """Projected L-BFGS on positions 0…1, ``[frames, controls]``, that starts from a Gauss-Newton matrix.

    evaluate: positions → loss and gradient. Call :meth:`step` until it returns False.
    """

    evaluate: Evaluate
    u: Tensor
    matrix: Tridiagonal
    damping: float = 1e-3
    loss: float = field(init=False)
    gradient: Tensor = field(init=False)
    pairs: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loss, self.gradient = self.evaluate(self.u)

    def step(self) -> bool:
        """One step downhill; False where none is found."""
        pinned = held(self.u, self.gradient)
        direction = self._direction(pinned)
        scale = 1.0
        for _ in range(TRIES):
            trial = (self.u + scale * direction).clamp(0, 1)
            loss, gradient = self.evaluate(trial)
            if loss < self.loss:
                self._remember(trial - self.u, gradient - self.gradient)
                self.u, self.loss, self.gradient = trial, loss, gradient
                if scale == 1:
                    self.damping = max(self.damping / 2, 1e-5)
                return True
            # Too bold: forget what earlier steps taught, trust the matrix less, and go less far.
            self.pairs.clear()
            self.damping = max(self.damping, 1e-3) * 4
            direction = self._direction(pinned)
            scale /= 4
        return False

    def _direction(self, pinned: Tensor) -> Tensor:
        factor = self._factor(pinned)
        q = torch.where(pinned, 0.0, self.gradient)
        used = []
        for s, y in reversed(self.pairs):
            s, y = torch.where(pinned, 0.0, s), torch.where(pinned, 0.0, y)
            product = float((s * y).sum())
            if product <= 1e-12 * float(s.norm() * y.norm()):
                continue
            share = float((s * q).sum()) / product
            q = q - share * y
            used.append((s, y, product, share))
        r = factor.solve(q)
        for s, y, product, share in reversed(used):
            r = r + s * (share - float((y * r).sum()) / product)
        return -torch.where(pinned, 0.0, r)

    def _factor(self, pinned: Tensor) -> Factor:
        diagonal = torch.diagonal(self.matrix.diagonal, dim1=1, dim2=2)
        ridge = torch.diag_embed(self.damping * diagonal + RIDGE)
        return Tridiagonal(self.matrix.diagonal + ridge, self.matrix.upper).pin(pinned).factor()

    def _remember(self, s: Tensor, y: Tensor) -> None:
        self.pairs = [*self.pairs, (s, y)][-MEMORY:]
