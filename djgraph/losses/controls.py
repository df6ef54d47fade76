"""Losses of the controls themselves: how far they travel, how many are away from neutral, which way they go.

All are taken on positions 0…1 along each control's scale, where a step means the same for a gain in ratios and
for a cutoff in hertz, and are means over the batch and the chosen controls, so that their weights keep their
meaning from graph to graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import several, shown
from djgraph.errors import InputError
from djgraph.layout import ParameterLayout

Patterns = str | Sequence[str]
"""One pattern over dotted control names, or several; see :meth:`djgraph.ParameterLayout.select`."""

DIRECTIONS: dict[str, float] = {"rising": 1.0, "falling": -1.0}


def total_variation(
    params: Tensor, layout: ParameterLayout, controls: Patterns = "**", *, positions: bool = False
) -> Tensor:
    """How far each control travels in the clip, in full turns of its knob: ``Σ_t |u_{t+1} − u_t|``.

    params: ``[batch, frames, controls]`` or ``[frames, controls]`` in plain units, or, with ``positions``,
    0…1. The sum runs over the frames, so the same movement costs the same at any frame rate; the mean over
    batch and ``controls`` is returned, a scalar. A single frame travels nowhere: 0.

    Raises LayoutError for a pattern that matches nothing and for a wrong shape.
    """
    turned = _positions(params, layout, controls, positions)
    return turned.diff(dim=-2).abs().sum(-2).mean()


def neutral_sparsity(
    params: Tensor, layout: ParameterLayout, controls: Patterns = "**", *, positions: bool = False
) -> Tensor:
    """How far controls stand away from neutral, ``|u − u_neutral|``, as a mean over everything: a scalar in
    0…1.

    The absolute value pulls equally hard near neutral and far from it, so that what is not needed ends exactly
    there. A control without a neutral value counts from its default. Arguments and errors as for
    :func:`total_variation`.
    """
    positioned, chosen = _positions(params, layout, controls, positions), _columns(layout, controls)
    home = layout.to_unit(layout.neutral.to(device=params.device, dtype=torch.float64)).to(params.dtype)
    return (positioned - home[chosen]).abs().mean()


def monotone(
    params: Tensor,
    layout: ParameterLayout,
    directions: Mapping[str, str],
    *,
    positions: bool = False,
) -> Tensor:
    """How far controls travel the wrong way, ``Σ_t max(0, −d·(u_{t+1} − u_t))``; 0 where none does.

    directions: pattern → ``rising`` or ``falling``, as ``{"track_a.*.gain": "falling", "track_b.*.gain":
    "rising"}``. Other arguments, the mean and the errors as for :func:`total_variation`; InputError for
    another direction, for no direction at all, and for a control that two patterns send two ways.
    """
    _check_layout(layout)
    if not isinstance(directions, Mapping):
        raise InputError(f"directions: expected a mapping of pattern → direction, got {shown(directions)}")
    signs: dict[int, float] = {}
    for pattern, direction in directions.items():
        if direction not in DIRECTIONS:
            raise InputError(f"{pattern}: direction is {direction!r}; allowed: {', '.join(DIRECTIONS)}")
        for column in layout.select(pattern):
            if signs.setdefault(column, DIRECTIONS[direction]) != DIRECTIONS[direction]:
                raise InputError(f"{layout.names[column]} is asked to be both rising and falling")
    if not signs:
        raise InputError("no direction given; expected a mapping of pattern → rising or falling")
    turned = _positions(params, layout, "**", positions)[..., list(signs)]
    sign = torch.tensor(list(signs.values()), dtype=turned.dtype, device=turned.device)
    return (-sign * turned.diff(dim=-2)).clamp_min(0).sum(-2).mean()


def control_distance(
    params: Tensor,
    truth: Tensor,
    layout: ParameterLayout,
    controls: Patterns = "**",
    *,
    positions: bool = False,
) -> Tensor:
    """How far controls are from known ones, ``|u − u_truth|``, as a mean over everything: a scalar in 0…1.

    truth: of the shape of ``params``, in the same units. Arguments and errors as for :func:`total_variation`;
    InputError for shapes that differ.
    """
    shapes = [list(x.shape) if isinstance(x, Tensor) else type(x).__name__ for x in (params, truth)]
    if shapes[0] != shapes[1]:
        raise InputError(f"params and truth: expected the same shape, got {shapes[0]} and {shapes[1]}")
    here = _positions(params, layout, controls, positions)
    return (here - _positions(truth.to(params), layout, controls, positions)).abs().mean()


def control_groups(layout: ParameterLayout) -> dict[str, str]:
    """All controls of a layout by what they do, the last part of their names: ``{"gain": "**.gain", …}``."""
    _check_layout(layout)
    last = dict.fromkeys(name.rpartition(".")[2] for name in layout.names)
    return {name: f"**.{name}" if any(f".{name}" in full for full in layout.names) else name for name in last}


def per_group(
    loss: Callable[..., Tensor],
    params: Tensor,
    *arguments: Any,
    groups: Mapping[str, Patterns] | None = None,
    **options: Any,
) -> dict[str, Tensor]:
    """A loss of controls for each group of them: a mapping of names to scalars, in the order of the groups.

    loss: :func:`total_variation`, :func:`neutral_sparsity`, :func:`control_distance`, or any function that takes
    ``params``, ``arguments`` and then ``controls=``. groups: name → pattern or patterns (default: by
    :func:`control_groups`, of the layout among the arguments). Raises what the loss raises.
    """
    if groups is None:
        layout = next((one for one in arguments if isinstance(one, ParameterLayout)), None)
        if layout is None:
            raise InputError("per_group: expected a layout among the arguments, or groups")
        groups = control_groups(layout)
    if not isinstance(groups, Mapping) or not groups:
        raise InputError(f"groups: expected a mapping of names to patterns, got {shown(groups)}")
    return {name: loss(params, *arguments, controls=patterns, **options) for name, patterns in groups.items()}


def _check_layout(layout: Any) -> None:
    if not isinstance(layout, ParameterLayout):
        raise InputError(f"layout: expected a ParameterLayout, got {shown(layout)}")


def _positions(params: Tensor, layout: ParameterLayout, controls: Patterns, ready: bool) -> Tensor:
    _check_layout(layout)
    if not isinstance(params, Tensor) or params.ndim not in (2, 3) or not params.shape[-2]:
        came = list(params.shape) if isinstance(params, Tensor) else type(params).__name__
        raise InputError(f"params: expected [batch, frames, controls] or [frames, controls], got {came}")
    turned = layout.to_unit(params) if not ready else params
    if turned.shape[-1] != len(layout):
        raise InputError(f"positions: expected {len(layout)} controls, got shape {list(params.shape)}")
    return turned[..., _columns(layout, controls)]


def _columns(layout: ParameterLayout, controls: Patterns) -> list[int]:
    patterns = [controls] if isinstance(controls, str) else several(controls, "controls", "patterns of names")
    return sorted({column for pattern in patterns for column in layout.select(pattern)})
