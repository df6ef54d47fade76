"""Gauss-Newton within bounds on the small problem, from few knots to many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from djgraph.fitting.knots import KnotGrid, Tridiagonal
from djgraph.fitting.priors import Priors, Rest

RIDGE = 1e-10
"""Added to the diagonal, so that nothing is singular."""


class Distance(Protocol):
    """What is minimised: a distance from a recording, as a function of positions ``[frames, controls]``."""

    def loss(self, u: Tensor) -> float: ...

    def linearize(self, u: Tensor) -> tuple[float, Tensor, Tridiagonal]:
        """Loss, gradient and Gauss-Newton matrix."""


def refine(u: Tensor, frames: int) -> Tensor:
    """Positions ``[knots, controls]`` on another number of knots, along straight lines."""
    if frames == len(u):
        return u.clone()
    points = (
        torch.linspace(0, 1, frames, dtype=torch.float64, device="cpu")
        if frames > 1
        else torch.zeros(1, dtype=torch.float64, device="cpu")
    )
    # A clip of many samples, so that positions between knots are met closely.
    return KnotGrid.at(points * 1e9, 1_000_000_001, len(u)).read(u)


def held(u: Tensor, gradient: Tensor) -> Tensor:
    """Positions at an end of 0…1 that the gradient would push out."""
    return ((u <= 0) & (gradient > 0)) | ((u >= 1) & (gradient < 0))


def solve(matrix: Tridiagonal, gradient: Tensor, pinned: Tensor, damping: float) -> Tensor:
    """The step −A⁻¹·gradient with ``pinned`` positions left where they are."""
    diagonal = torch.diagonal(matrix.diagonal, dim1=1, dim2=2)
    ridge = torch.diag_embed(damping * diagonal + RIDGE)
    system = Tridiagonal(matrix.diagonal + ridge, matrix.upper).pin(pinned)
    return -system.factor().solve(torch.where(pinned, 0.0, gradient))


def gauss_newton(
    sketch: Distance,
    u: Tensor,
    rest: Rest,
    priors: Priors,
    steps: int = 20,
    tolerance: float = 1e-3,
    report: Callable[[float], None] | None = None,
) -> Tensor:
    """Positions ``[frames, controls]`` that minimise the sketch's loss and the priors, starting at ``u``.

    Stops where a step gains less than ``tolerance`` of the loss.
    """
    damping = 1e-3
    data, gradient, matrix = sketch.linearize(u)
    loss = data + float(priors.value(u, rest))
    for _ in range(steps):
        with torch.enable_grad():
            leaf = u.detach().requires_grad_()
            (pull,) = torch.autograd.grad(priors.value(leaf, rest), leaf)
        total = gradient + pull
        pinned = held(u, total)
        system = matrix + priors.curvature(u, rest)
        better = None
        for _ in range(6):
            trial = (u + solve(system, total, pinned, damping)).clamp(0, 1)
            value = sketch.loss(trial) + float(priors.value(trial, rest))
            if value < loss:
                better = trial
                break
            damping = max(damping, 1e-4) * 8
        if better is None:
            break
        gained = loss - value
        u, loss, damping = better, value, max(damping / 4, 1e-6)
        if report is not None:
            report(loss)
        if gained < tolerance * loss:
            break
        data, gradient, matrix = sketch.linearize(u)
    return u
