"""Functions whose value or slope is infinite at 0, with a floor: silence trains, too.

Each is made of operations that autograd knows: derivatives of every order, any dtype and device. What the gradient is
below the floor is said, not left to chance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.errors import DJGraphError


def safe_sqrt(value: Tensor, floor: float = 1e-12) -> Tensor:
    """``√value`` from ``floor`` up; below, the straight line from 0 to √floor, and 0 for what is negative.

    The gradient is ``1/(2·√value)`` from the floor up and ``1/√floor`` below: never infinite, and at 0 it still points
    away from silence. What is negative has none. The default is −120 dB of a power. DJGraphError for a floor that is
    not above 0.
    """
    _check("safe_sqrt", floor)
    inside = value >= floor
    root = torch.where(inside, value, 1.0).sqrt()
    line = torch.where(value >= 0, value, 0.0) * floor**-0.5
    return torch.where(inside, root, line)


def safe_log10(value: Tensor, floor: float = 1e-12) -> Tensor:
    """``log₁₀`` of the value, or of ``floor`` where that is larger: there the gradient is 0.

    From the floor up the gradient is ``1/(value·ln 10)``. DJGraphError for a floor that is not above 0.
    """
    _check("safe_log10", floor)
    return value.clamp(min=floor).log10()


def safe_divide(above: Tensor, below: Tensor, floor: float = 1e-12) -> Tensor:
    """``above / below``, where a divisor nearer to 0 than ``floor`` counts as ``floor`` with its sign (+ at 0).

    There the gradient in ``below`` is 0; that in ``above`` is one over the divisor that counts. The tensors broadcast.
    DJGraphError for a floor that is not above 0.
    """
    _check("safe_divide", floor)
    least = torch.where(below.detach() < 0, -floor, floor).to(below.dtype)
    return above / torch.where(below.abs() >= floor, below, least)


def _check(name: str, floor: float) -> None:
    if not floor > 0:
        raise DJGraphError(f"{name}: floor has to be above 0, not {floor}")
