"""Positions 0…1 ↔ plain units along each control's scale, for all columns at once, and the clamp."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph.dsp.derivatives import followed
from djgraph.dsp.resident import resident
from djgraph.effects.control import DB_TAPER, Control
from djgraph.layout.grid import Grid, grid_of, straight_through

SLOPE = 0.05
"""Bound of a power law's slope at the bottom of its travel: it is held within SLOPE … 1/SLOPE.

A power law is flat or infinitely steep at its lower end, where most controls have their neutral value: nothing
could be learned from there (and Adam would remember the steepness for a thousand steps). The values are exact;
only the gradient is held.
"""


def clamp_inward(x: Tensor, minimum: Tensor, maximum: Tensor) -> Tensor:
    """``x`` clamped to ``minimum … maximum`` (broadcast to x), with a gradient that points back inside.

    Inside and at the bounds the gradient passes, so that a control that rests at the end of its range can
    leave it. Outside it passes only where a step of gradient descent moves x back: x > maximum passes
    positive gradients, x < minimum negative ones. NaN stays NaN.
    """
    if not followed((x,)):
        return torch.clamp(x, minimum, maximum)
    function = _ClampInward if torch.compiler.is_compiling() else _ClampInwardForward
    clamped: Tensor = function.apply(x, minimum, maximum)
    return clamped


class _ClampInward(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, minimum: Tensor, maximum: Tensor) -> Tensor:
        return torch.clamp(x, minimum, maximum)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        x, minimum, maximum = ctx.saved_tensors
        outward = ((x > maximum) & (grad <= 0)) | ((x < minimum) & (grad >= 0))
        return torch.where(outward, 0, grad), None, None


class _ClampInwardForward(_ClampInward):
    """With forward mode, at which torch.compile stops."""

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        x, minimum, maximum = ctx.saved_tensors
        return torch.where((x > maximum) | (x < minimum), 0, tangent)


@dataclass(frozen=True, eq=False)
class Units:
    """The ranges and scales of a layout's columns as tensors; see :func:`units_of`.

    minimum, maximum: ``[controls]``. The other fields hold, for the few columns that are not plain linear
    ones, their indices and what their law needs. The laws, for a position u and its share t of the range:

    - linear: t = u
    - log: p = min·(max/min)^u, that is t = (e^(L·u) − 1)/(e^L − 1) with L = ln(max/min)
    - db: the same with L = ln 10^(60/20), so that 60 dB of the range are travelled evenly
    - power: t = u^exponent
    """

    minimum: Tensor
    maximum: Tensor
    curved: Tensor  # log and db: indices, and L
    bend: Tensor
    powered: Tensor  # power: indices, exponent, and the position below which the slope is held
    exponent: Tensor
    knee: Tensor
    grid: Grid

    def to(self, like: Tensor) -> Units:
        """The same in the dtype and on the device of ``like``."""
        tensors = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "grid"}
        moved = {
            name: resident(field, like.device, like.dtype if field.is_floating_point() else None)
            for name, field in tensors.items()
        }
        return Units(grid=self.grid.to(like.device), **moved)

    def clamp(self, values: Tensor) -> Tensor:
        """Plain values ``[…, controls]`` clamped to their ranges; see :func:`clamp_inward`."""
        return clamp_inward(values, self.minimum, self.maximum)

    def from_unit(self, position: Tensor, snap: bool = False) -> Tensor:
        """Positions ``[…, controls]`` to plain values."""
        position = _clamp_unit(position)
        share = position
        if self.curved.numel():
            u = position.index_select(-1, self.curved)
            t = torch.expm1(self.bend * u) / torch.expm1(self.bend)
            share = share.index_copy(-1, self.curved, _exact_ends(t, u))
        if self.powered.numel():
            u = position.index_select(-1, self.powered)
            share = share.index_copy(-1, self.powered, _power(u, self.exponent, self.knee))
        value = torch.lerp(self.minimum, self.maximum, share)
        return straight_through(value, self.grid.snap(value)) if snap and self.grid else value

    def to_unit(self, values: Tensor) -> Tensor:
        """Plain values ``[…, controls]`` to positions."""
        share = (self.clamp(values) - self.minimum) / (self.maximum - self.minimum)
        position = share
        if self.curved.numel():
            t = share.index_select(-1, self.curved)
            u = torch.log1p(t * torch.expm1(self.bend)) / self.bend
            position = position.index_copy(-1, self.curved, _exact_ends(u, t))
        if self.powered.numel():
            t = share.index_select(-1, self.powered)
            u = _power(t, 1 / self.exponent, self.knee**self.exponent)
            position = position.index_copy(-1, self.powered, u)
        return position


def units_of(controls: Sequence[Control]) -> Units:
    """The :class:`Units` of these controls, float64 on the CPU."""

    def floats(values: Iterable[float]) -> Tensor:
        return torch.tensor(list(values), dtype=torch.float64, device="cpu")

    def indices(columns: Iterable[int]) -> Tensor:
        return torch.tensor(list(columns), dtype=torch.long, device="cpu")

    curved = [i for i, c in enumerate(controls) if c.scale in ("log", "db")]
    powered = [i for i, c in enumerate(controls) if c.scale == "power" and c.exponent != 1]
    # Neither the inference mode nor the default device of whoever builds a layout may leak into its
    # constants.
    with torch.inference_mode(False), torch.no_grad():
        plain = Units(
            minimum=floats(c.min for c in controls),
            maximum=floats(c.max for c in controls),
            curved=indices(curved),
            bend=floats(_bend(controls[i]) for i in curved),
            powered=indices(powered),
            exponent=floats(controls[i].exponent for i in powered),
            knee=floats(_knee(controls[i].exponent) for i in powered),
            grid=grid_of((), lambda values: values[1:]),
        )

        def middle(values: Tensor) -> Tensor:
            positions = plain.to_unit(values)
            return plain.from_unit((positions[1:] + positions[:-1]) / 2)

        return dataclasses.replace(plain, grid=grid_of(controls, middle))


def _clamp_unit(position: Tensor) -> Tensor:
    bounds = torch.arange(2, dtype=position.dtype, device=position.device)
    return clamp_inward(position, bounds[0], bounds[1])


def _exact_ends(result: Tensor, argument: Tensor) -> Tensor:
    """``result``, a map of 0…1 to 0…1, freed of the rounding that would miss an end or overshoot it."""
    exact = torch.where(argument >= 1, 1, torch.where(argument <= 0, 0, result.detach().clamp(0, 1)))
    return straight_through(result, exact)


def _power(x: Tensor, exponent: Tensor, knee: Tensor) -> Tensor:
    """x^exponent; below ``knee`` with the gradient at ``knee``."""
    # An exponent near 1 has its knee below what the dtype can hold; 0 to a negative power is infinite.
    knee = knee.clamp(min=torch.finfo(x.dtype).tiny)
    held = straight_through(x, torch.maximum(x.detach(), knee))
    return straight_through(held**exponent, x.detach() ** exponent)


def _bend(control: Control) -> float:
    if control.scale == "db":
        return DB_TAPER / 20 * math.log(10)
    return math.log1p((control.max - control.min) / control.min)


def _knee(exponent: float) -> float:
    """Where the slope exponent·u^(exponent − 1) reaches SLOPE, or 1/SLOPE for exponents below 1."""
    slope = SLOPE if exponent > 1 else 1 / SLOPE
    return math.exp(math.log(slope / exponent) / (exponent - 1))
