"""Grids of many controls at once: the nearest value that each may take, for whole tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.dsp.resident import resident
from djgraph.effects import grid
from djgraph.effects.control import Control

ULPS = 4
"""How many rounding errors of the largest value in a control's range a number may be off its grid."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The steps and choices of some controls; see :func:`grid_of`. Controls without keep their value.

    All in float64, whatever the dtype of the values: a value on the grid is the one float nearest to it.
    """

    stepped: Tensor  # indices of controls with a step; its lower end, step, last number, and upper end
    low: Tensor
    step: Tensor
    last: Tensor
    high: Tensor
    chosen: Tensor  # of controls with choices; [controls, most choices] values, and the borders between them
    values: Tensor
    borders: Tensor
    slack: Tensor  # [controls]: how far a value may be off, in float64

    def __bool__(self) -> bool:
        """Whether any control has a grid."""
        return bool(self.stepped.numel() or self.chosen.numel())

    def to(self, device: torch.device) -> Grid:
        """The same on another device."""
        exact = torch.float32 if device.type == "mps" else None  # which has no float64
        return Grid(
            *(
                resident(field, device, exact if field.is_floating_point() else None)
                for field in (getattr(self, f.name) for f in dataclasses.fields(self))
            )
        )

    def snap(self, values: Tensor) -> Tensor:
        """Plain values ``[…, controls]`` to the nearest ones that the controls may take, without a gradient.

        That is a whole number of steps from the minimum, or the choice that is nearest in position.
        """
        values = values.detach()
        snapped = values
        if self.stepped.numel():
            wide = values.index_select(-1, self.stepped).to(self.low.dtype)
            count = torch.minimum(torch.round((wide - self.low) / self.step).clamp(min=0), self.last)
            near = torch.minimum(self.low + count * self.step, self.high)
            snapped = snapped.index_copy(-1, self.stepped, near.to(values.dtype))
        if self.chosen.numel():
            wide = values.index_select(-1, self.chosen).to(self.values.dtype)
            place = (wide.unsqueeze(-1) > self.borders).sum(-1)
            rows = torch.arange(self.chosen.numel(), device=values.device)
            snapped = snapped.index_copy(-1, self.chosen, self.values[rows, place].to(values.dtype))
        return snapped

    def allows(self, values: Tensor) -> Tensor:
        """Whether each of ``[…, controls]`` values is one that its control may take, up to rounding."""
        values = values.detach()
        exact = self.slack.dtype
        rounding = ULPS * torch.finfo(values.dtype).eps * values.abs().to(exact)
        return (values.to(exact) - self.snap(values).to(exact)).abs() <= self.slack + rounding


def grid_of(controls: Sequence[Control], middle: Callable[[Tensor], Tensor]) -> Grid:
    """The :class:`Grid` of these controls, float64 on the CPU.

    middle: from ``[choices, controls]`` values in rows, ascending, to the values half-way between each and the next in
    position, ``[choices − 1, controls]``.
    """

    def floats(numbers: Iterable[float]) -> Tensor:
        return torch.tensor(list(numbers), dtype=torch.float64, device="cpu")

    def indices(columns: Sequence[int]) -> Tensor:
        return torch.tensor(columns, dtype=torch.long, device="cpu")

    chosen = [i for i, c in enumerate(controls) if c.choices]
    stepped = [i for i, c in enumerate(controls) if c.step and not c.choices]
    most = max((len(controls[i].choices) for i in chosen), default=1)
    # Shorter lists repeat their last choice, which is never found behind a border at infinity.
    padded = [sorted(controls[i].choices) for i in chosen]
    values = floats(v for row in padded for v in (*row, *[row[-1]] * (most - len(row)))).view(-1, most)
    full = floats(c.min for c in controls).repeat(most, 1).index_copy(1, indices(chosen), values.T)
    borders = middle(full).index_select(1, indices(chosen)).T.clone()
    for row, choices in zip(borders, padded):
        row[len(choices) - 1 :] = torch.inf
    return Grid(
        stepped=indices(stepped),
        low=floats(controls[i].min for i in stepped),
        step=floats(controls[i].step or 1.0 for i in stepped),
        last=floats(grid.size(controls[i]) - 1 for i in stepped),
        high=floats(controls[i].max for i in stepped),
        chosen=indices(chosen),
        values=values,
        borders=borders.contiguous(),
        slack=floats(_slack(c) for c in controls),
    )


def straight_through(values: Tensor, snapped: Tensor) -> Tensor:
    """``snapped``, exactly, with the gradient of ``values``, as often as anybody differentiates."""
    return snapped + (values - values.detach())


def _slack(control: Control) -> float:
    return grid.ROUNDING * (control.max - control.min if control.choices else control.step or 0.0)
