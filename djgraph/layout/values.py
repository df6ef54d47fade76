"""Values by name to a tensor of parameters and back, and the check of a tensor of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import whole
from djgraph.effects import Control, grid
from djgraph.errors import InputError, LayoutError
from djgraph.layout.names import Names
from djgraph.layout.units import Units

Value = float | Sequence[float] | Tensor
"""What :func:`pack` takes for a control: a number, ``[frames]`` or ``[batch, frames]``."""


def pack(
    names: Names,
    default: Tensor,
    mapping: Mapping[str, Value],
    n_frames: int | None,
    batch: int | None,
    dtype: torch.dtype | None,
) -> Tensor:
    """See :meth:`ParameterLayout.pack`. default: ``[controls]``, float64."""
    given: dict[int, Tensor] = {}
    asked: dict[int, str] = {}
    for name, value in mapping.items():
        column = names.index(name)
        if column in given:
            raise LayoutError(f"{asked[column]!r} and {name!r} are the same control; give it once")
        given[column], asked[column] = _tensor(name, value), name
    n_frames, batch = _size("n_frames", n_frames), _size("batch", batch)
    for value in given.values():  # the first that has frames, or a batch, says how many there are
        if value.ndim and n_frames is None:
            n_frames = value.shape[-1]
        if value.ndim == 2 and batch is None:
            batch = value.shape[0]
    n_frames = 1 if n_frames is None else n_frames
    for column, value in given.items():
        if list(value.shape) not in ([], [n_frames], [batch, n_frames]):
            expected = f"a number, [{n_frames}] (frames) or [{batch or 'batch'}, {n_frames}] (batch, frames)"
            raise LayoutError(f"{asked[column]!r}: expected {expected}, got shape {list(value.shape)}")
    tensors = [value for value in mapping.values() if isinstance(value, Tensor)]
    if dtype is None:
        floating = [value.dtype for value in tensors if value.is_floating_point()]
        dtype = reduce(torch.promote_types, floating) if floating else torch.get_default_dtype()
    device = tensors[0].device if tensors else home()
    shape = [n_frames] if batch is None else [batch, n_frames]
    base = default.to(device, dtype).expand(*shape, len(names.names))
    if not given:
        return base.clone()
    columns = torch.tensor(list(given), dtype=torch.int64, device=device)
    values = [value.to(device, dtype).expand(shape) for value in given.values()]
    return base.index_copy(-1, columns, torch.stack(values, -1))


def home() -> torch.device:
    """Where values go that nobody named a device for: torch's default, unless that holds no values."""
    device = torch.get_default_device()
    return torch.device("cpu") if device.type == "meta" else device


def _tensor(name: str, value: Value) -> Tensor:
    try:
        if isinstance(value, (list, tuple)) and any(isinstance(item, Tensor) for item in value):
            given = [item for item in value if isinstance(item, Tensor)]
            value = torch.stack(
                [torch.as_tensor(item, device=given[0].device) for item in value]
            )  # keeps gradients
        tensor = (
            value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.float64, device="cpu")
        )
    except (TypeError, ValueError, RuntimeError) as error:
        expected = "a number, or numbers of shape [frames] or [batch, frames]"
        raise LayoutError(f"{name!r}: expected {expected}, got {_describe(value)}") from error
    if tensor.is_complex():
        raise LayoutError(f"{name!r}: expected real numbers, got {tensor.dtype}")
    return tensor


def _size(name: str, value: int | None) -> int | None:
    return None if value is None else whole(value, name, 1, error=LayoutError)


def check_shape(params: Any, controls: int) -> None:
    """InputError unless params is a floating tensor ``[frames, controls]`` or ``[batch, frames,
    controls]``."""
    expected = f"params: expected [batch, frames, {controls}] or [frames, {controls}] of floating point"
    if not isinstance(params, Tensor):
        raise InputError(f"{expected}, got {_describe(params)}")
    if not params.is_floating_point():
        raise InputError(f"{expected}, got {params.dtype}")
    if params.ndim not in (2, 3) or params.shape[-1] != controls or 0 in params.shape[:-1]:
        raise InputError(f"{expected}, with one frame or more, got shape {list(params.shape)}")


def check(
    names: Names, units: Units, controls: Sequence[Control], params: Tensor, out_of_range: bool
) -> None:
    """See :meth:`ParameterLayout.check`."""
    check_shape(params, len(names.names))
    values = params.detach()
    # Comparisons with NaN are false, so one test of the range covers everything.
    inside = (values >= units.minimum) & (values <= units.maximum) if out_of_range else values.isfinite()
    if not inside.all():
        raise InputError(_complaint(names, units, controls, values, ~inside))
    if out_of_range and units.grid and not (allowed := units.grid.allows(values)).all():
        raise InputError(_complaint(names, units, controls, values, ~allowed))


def _complaint(names: Names, units: Units, controls: Sequence[Control], values: Tensor, bad: Tensor) -> str:
    places = bad.nonzero()
    *batch, frame, column = places[0].tolist()
    value = values[tuple(places[0])].item()
    where = f"control {names.names[column]!r} (column {column}) at frame {frame}"
    where += f" of batch item {batch[0]}" if batch else ""
    if value != value or value in (float("inf"), float("-inf")):
        text = f"params: {where} is {value}; expected a finite number"
    else:
        low, high = units.minimum[column].item(), units.maximum[column].item()
        fault = grid.off_grid(controls[column], value) if low <= value <= high else None
        text = f"params: {where} is {fault or f'{value:g}; its range is {low:g} … {high:g}'}"
    text += " (frames" + (" and batch items" if batch else "") + " count from 0)"
    more = len(places) - 1
    return text + (f"; {more} more value{'s are' if more > 1 else ' is'} wrong" if more else "")


def _describe(value: object) -> str:
    text = " ".join(repr(value).split())
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '…'}"
