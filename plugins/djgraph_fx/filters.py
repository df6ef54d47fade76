"""Low-pass and high-pass with a sweepable cutoff, exactly transparent when wide open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from djgraph.effects import Control, ControlModel, SettingModel, SpectralEffect

LOWEST, HIGHEST = 20.0, 20000.0
"""Cutoff in Hz at the ends of the control's range."""
MIDDLE = math.sqrt(LOWEST * HIGHEST)
SPAN = math.log(HIGHEST / LOWEST)
"""Frequencies are taken relative to this, so that no power of them overflows in single precision."""
FADE = 0.1
"""Last part of the control's range, over which the filter fades out."""


class FilterSettings(SettingModel):
    """What both filters can be set to."""

    order: float = Field(4.0, ge=1, le=12, description="Steepness: 6·order dB per octave beyond the cutoff")


class _Filter(SpectralEffect):
    """``1 − fade · share``, where share is r/(1 + r) or 1/(1 + r) with r = (f/fc)^order, and the fade begins
    smoothly and arrives at the open end with a slope, so that a gradient there can still find its way in.
    """

    type: ClassVar[str]
    Settings = FilterSettings

    def constants(self) -> dict[str, Tensor]:
        """``power``: (f / MIDDLE)^order, ``[bins]``."""
        return {"power": (self.environment.frequencies() / MIDDLE) ** self.settings.order}

    def _attenuated(self, cutoff: Tensor, highs: bool) -> Tensor:
        """The gain; ``highs`` says what is taken away, and at which end of its range the filter is wide open."""
        # Half precision would not hold the powers.
        wide = cutoff.to(torch.promote_types(cutoff.dtype, torch.float32))
        power = self.constant("power", wide)
        return _Attenuate.apply(wide, power, self.settings.order, highs).to(cutoff.dtype)


class _Attenuate(torch.autograd.Function):
    """1 − fade·(1 − q) or 1 − fade·q with q = 1/(1 + ratio·power), in five passes over the bins.

    ratio = (MIDDLE/fc)^order and fade = u·(2 − u), where u is the distance from wide open over FADE, at most 1.
    ∂q/∂ratio = −q²·power. cutoff: ``[batch, frames, 1]``; power: ``[bins]``, without a gradient.
    """

    @staticmethod
    def forward(ctx: Any, cutoff: Tensor, power: Tensor, order: float, highs: bool) -> Tensor:
        ctx.order, ctx.highs = order, highs
        u, ratio = _curve(cutoff, order, highs)
        fade = u * (2 - u)
        q = (ratio * power).add_(1).reciprocal_()
        share = fade if highs else -fade
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(cutoff, power, q)
            gain = q * share
        else:
            gain = q.mul_(share)
        # (torch.addcmul takes longer than two operations where its tensors differ in shape.)
        return gain.add_(1 - fade) if highs else gain.add_(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        cutoff, power, q = ctx.saved_tensors
        u, ratio = _curve(cutoff, ctx.order, ctx.highs)
        if torch.is_grad_enabled():  # for second derivatives q has to depend on the cutoff
            q = (ratio * power + 1).reciprocal()
        weighted = gradient * q
        to_ratio = u * (2 - u) * torch.matmul(weighted * q, power).unsqueeze(-1)
        # As the cutoff rises, the ratio falls, and the fade falls for a low-pass and rises for a high-pass.
        steep = ratio * (ctx.order * SPAN)
        taken = weighted.sum(-1, keepdim=True)
        if ctx.highs:
            taken = gradient.sum(-1, keepdim=True) - taken
            steep = -steep
        slope = torch.where(u < 1, (2 - 2 * u) / FADE, 0.0)
        slope = slope if ctx.highs else -slope
        return taken * slope - to_ratio * steep, None, None, None


def _curve(cutoff: Tensor, order: float, highs: bool) -> tuple[Tensor, Tensor]:
    # No clamp at 0, whose gradient there would be 0.
    u = ((1 - cutoff if highs else cutoff) / FADE).clamp(max=1)
    return u, torch.exp((0.5 - cutoff) * (order * SPAN))


class Lowpass(_Filter):
    """Removes what is above the cutoff: ``1/(1 + (f/fc)^order)``, fc = 20 Hz · 1000^cutoff."""

    type = "lowpass"
    description = "Sweepable low-pass filter"

    class Controls(ControlModel):
        cutoff: Annotated[
            float,
            Control(0, 1, neutral=1, rate="frame", description="20 Hz … 20 kHz, exponential; 1 is wide open"),
        ] = 1.0

    def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
        return self._attenuated(controls["cutoff"], highs=True)


class Highpass(_Filter):
    """Removes what is below the cutoff: ``1/(1 + (fc/f)^order)``, fc = 20 Hz · 1000^cutoff."""

    type = "highpass"
    description = "Sweepable high-pass filter"

    class Controls(ControlModel):
        cutoff: Annotated[
            float,
            Control(0, 1, neutral=0, rate="frame", description="20 Hz … 20 kHz, exponential; 0 is wide open"),
        ] = 0.0

    def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
        return self._attenuated(controls["cutoff"], highs=False)
