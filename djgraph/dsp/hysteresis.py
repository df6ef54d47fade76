"""A switch with two thresholds: what gates open and close by."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.dsp.checked import check_signal, checked_control, checked_state
from djgraph.dsp.derivatives import followed
from djgraph.errors import DJGraphError


def hysteresis(
    level: Tensor,
    rise: Tensor | float,
    fall: Tensor | float,
    state: Tensor | None = None,
    *,
    softness: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """1 from where ``level > rise`` on, 0 from where ``level < fall`` on, between them as it was (a Schmitt trigger).

    level: ``[…, samples]``, any number of samples from 0 up: an amplitude, a power, or decibels. rise, fall: numbers or
    tensors of shape ``[…, 1]`` or ``[…, samples]`` that broadcast to the level; where fall is above rise, rise decides.
    state: the value of the sample before, ``[…, 1]``; None is 0, closed. softness: above 0, in the unit of the level.

    Returns 0 and 1, shaped as the level, and the state that the next block starts from.

    Gradients: none to the level and the state, which is right almost everywhere. To the thresholds goes a *surrogate*,
    so that they can be learned: the slope of ``sigmoid((level − threshold)/softness)`` at that of the two which the
    sample was held against (fall where it was open before, else rise). DJGraphError where shapes or types do not fit.
    The host waits for nothing.
    """
    check_signal("hysteresis", "level", level)
    if not softness > 0:
        raise DJGraphError(f"hysteresis: softness has to be above 0, not {softness}")
    up, down = (
        checked_control("hysteresis", name, given, level, "level", level.dtype)[0]
        for name, given in (("rise", rise), ("fall", fall))
    )
    state = checked_state("hysteresis", state, level, 1)
    with torch.no_grad():
        line = torch.cat((state.detach(), _switched(level, up, down)), dim=-1)
        places = torch.arange(line.shape[-1], device=line.device).expand(line.shape)
        # The last place up to each sample at which something was decided; the first one is the state's.
        decided = torch.where(line.isnan(), 0, places).cummax(-1).values
        switched = line.gather(-1, decided)
        before = switched[..., :-1] > 0.5
    if not followed((up, down)):  # what follows is for their gradients
        return switched[..., 1:].clone(), switched[..., -1:].clone()
    soft = torch.sigmoid((level.detach() - torch.where(before, down, up)) / softness)
    # Exactly 0 and 1: what is added is a number less itself.
    return switched[..., 1:] + (soft - soft.detach()), switched[..., -1:].clone()


def _switched(level: Tensor, rise: Tensor, fall: Tensor) -> Tensor:
    """1 where it opens, 0 where it closes, NaN where nothing is decided."""
    kept = torch.where(level < fall, 0.0, torch.nan)
    return torch.where(level > rise, 1.0, kept).to(level.dtype)
