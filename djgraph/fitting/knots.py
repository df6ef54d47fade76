"""Controls between frames: from knots to any positions and back, and block tridiagonal systems over knots."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TINY = 1e-30
"""An imaginary step: its square is nothing beside 1, so that a derivative along it is exact."""


@dataclass(frozen=True)
class KnotGrid:
    """``frames`` control frames (knots) along ``samples``, read at ``positions``, with straight lines between.

    left: the knot at or before each position; weight: how far it is to the next, 0…1.
    """

    frames: int
    left: Tensor
    weight: Tensor

    @classmethod
    def at(cls, positions: Tensor, samples: int, frames: int) -> KnotGrid:
        if frames == 1 or samples == 1:
            zero = torch.zeros(len(positions), dtype=torch.long, device="cpu")
            return cls(frames, zero, zero.double())
        scaled = positions.double() * (frames - 1) / (samples - 1)
        left = scaled.floor().clamp(0, frames - 2).long()
        return cls(frames, left, (scaled - left).clamp(0, 1))

    def read(self, values: Tensor) -> Tensor:
        """``[frames, …]`` → ``[positions, …]``."""
        right = (self.left + 1).clamp(max=self.frames - 1)
        weight = self.weight.to(values).view(-1, *[1] * (values.ndim - 1))
        return torch.lerp(values[self.left], values[right], weight)

    def collect(self, values: Tensor) -> Tensor:
        """The transpose of :meth:`read`: ``[positions, …]`` → ``[frames, …]``."""
        right = (self.left + 1).clamp(max=self.frames - 1)
        weight = self.weight.to(values).view(-1, *[1] * (values.ndim - 1))
        result = values.new_zeros(self.frames, *values.shape[1:])
        return result.index_add_(0, self.left, values * (1 - weight)).index_add_(0, right, values * weight)

    def collect_squares(self, blocks: Tensor) -> Tridiagonal:
        """``Wᵀ·diag(blocks)·W`` for the matrix W of :meth:`read`; blocks ``[positions, size, size]``."""
        right = (self.left + 1).clamp(max=self.frames - 1)
        w = self.weight.to(blocks).view(-1, 1, 1)
        diagonal = blocks.new_zeros(self.frames, *blocks.shape[1:])
        diagonal.index_add_(0, self.left, blocks * (1 - w).square())
        diagonal.index_add_(0, right, blocks * w.square())
        upper = blocks.new_zeros(max(self.frames - 1, 0), *blocks.shape[1:])
        if self.frames > 1:
            upper.index_add_(0, self.left, blocks * (w * (1 - w)))
        return Tridiagonal(diagonal, upper)


@dataclass(frozen=True)
class Tridiagonal:
    """A symmetric block tridiagonal matrix: diagonal ``[n, size, size]``, blocks (i, i + 1) ``[n − 1, size, size]``."""

    diagonal: Tensor
    upper: Tensor

    def __add__(self, other: Tridiagonal) -> Tridiagonal:
        return Tridiagonal(self.diagonal + other.diagonal, self.upper + other.upper)

    def scale(self, factors: Tensor) -> Tridiagonal:
        """``D·A·D`` for the diagonal matrix D of ``factors``, ``[n, size]``."""
        rows, columns = factors.unsqueeze(-1), factors.unsqueeze(-2)
        return Tridiagonal(self.diagonal * rows * columns, self.upper * rows[:-1] * columns[1:])

    def times(self, vector: Tensor) -> Tensor:
        """The product with ``[n, size]``."""
        result = torch.einsum("nij,nj->ni", self.diagonal, vector)
        result[:-1] += torch.einsum("nij,nj->ni", self.upper, vector[1:])
        result[1:] += torch.einsum("nij,ni->nj", self.upper, vector[:-1])
        return result

    def pin(self, pinned: Tensor) -> Tridiagonal:
        """Rows and columns where ``pinned`` (``[n, size]``) holds replaced by those of the identity."""
        free = (~pinned).to(self.diagonal)
        kept = self.scale(free)
        return Tridiagonal(kept.diagonal + torch.diag_embed(1 - free), kept.upper)

    def inverse_diagonal(self, between: Tridiagonal | None = None) -> Tensor:
        """The diagonal of the inverse A⁻¹, ``[n, size]``; of A⁻¹·B·A⁻¹ with ``between`` as B.

        Two sweeps find the blocks of A⁻¹ on its diagonal, and nothing else of it (Erisman and Tinney, "On Computing
        Certain Elements of the Inverse of a Sparse Matrix", CACM 18(3), 1975). A⁻¹·B·A⁻¹ is minus the derivative of
        (A + t·B)⁻¹ at t = 0, read off an imaginary t too small to be rounded against.
        """
        diagonal, upper = self.diagonal, self.upper
        if between is not None:
            diagonal = torch.complex(diagonal, TINY * between.diagonal)
            upper = torch.complex(upper, TINY * between.upper)
        inverses = [torch.linalg.inv(diagonal[0])]
        for block, link in zip(diagonal[1:], upper):
            inverses.append(torch.linalg.inv(block - link.mT @ inverses[-1] @ link))
        found = inverses[-1]
        result = [torch.diagonal(found)]
        for inverse, link in zip(reversed(inverses[:-1]), upper.flip(0)):
            way = inverse @ link
            found = inverse + way @ found @ way.mT
            result.append(torch.diagonal(found))
        stacked = torch.stack(result[::-1])
        return stacked if between is None else -stacked.imag / TINY

    def factor(self) -> Factor:
        """Its Cholesky factor. The matrix has to be positive definite."""
        lower, links = [], []
        block = self.diagonal[0]
        for i in range(len(self.diagonal)):
            root = torch.linalg.cholesky(block)
            lower.append(root)
            if i + 1 < len(self.diagonal):
                link = torch.linalg.solve_triangular(root, self.upper[i], upper=False)
                links.append(link)
                block = self.diagonal[i + 1] - link.T @ link
        return Factor(lower, links)


@dataclass(frozen=True)
class Factor:
    """A block bidiagonal Cholesky factor; see :meth:`Tridiagonal.factor`."""

    lower: list[Tensor]
    links: list[Tensor]

    def solve(self, right: Tensor) -> Tensor:
        """x with A·x = right, ``[n, size]``."""
        forward: list[Tensor] = []
        for i, root in enumerate(self.lower):
            rest = right[i] if i == 0 else right[i] - self.links[i - 1].T @ forward[-1]
            forward.append(torch.linalg.solve_triangular(root, rest[:, None], upper=False)[:, 0])
        result: list[Tensor] = [right.new_empty(0)] * len(self.lower)
        for i in reversed(range(len(self.lower))):
            rest = forward[i] if i + 1 == len(self.lower) else forward[i] - self.links[i] @ result[i + 1]
            result[i] = torch.linalg.solve_triangular(self.lower[i].T, rest[:, None], upper=True)[:, 0]
        return torch.stack(result)
