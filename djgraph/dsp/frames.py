"""Controls of recursions: a number, a number for each sample, or frames with straight lines between them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.dsp.curve import interpolate
from djgraph.errors import DJGraphError


@dataclass(frozen=True, eq=False)
class Frames:
    """A control curve by its frames: frame t lies at sample t·hop of the block, the last one is held.

    Controls of rate ``frame`` come like this. A kernel reads the lines inside its loop, so no tensor holds them.

    values: ``[…, frames]``, at least one. hop: samples from a frame to the next, at least 1; else DJGraphError.
    """

    values: Tensor
    hop: int

    def __post_init__(self) -> None:
        if self.hop < 1 or self.values.ndim < 1 or self.values.shape[-1] < 1:
            raise DJGraphError(
                f"Frames takes at least one frame and a hop of at least 1, not values of shape "
                f"{list(self.values.shape)} and hop {self.hop}"
            )


Curve = Tensor | Frames | float
"""What a kernel takes as a control."""


def steady(control: Tensor) -> Tensor:
    """A control that was expanded along its samples as the one number that it is, ``[…, 1]``; any other as it is.

    What does not move over a block reaches an effect as an expanded tensor, ``[…, samples]`` of which all lie in one
    place. What is computed of the one number need not be computed at every sample, and broadcasts to the audio as well.
    Only the strides are looked at.
    """
    return control[..., :1] if control.shape[-1] > 1 and control.stride(-1) == 0 else control


def at_samples(values: Tensor, hop: int, samples: int) -> Tensor:
    """A control at every sample: ``[…, frames]`` → ``[…, samples]``; hop 0 where there is a number for each already."""
    frames = values.shape[-1]
    if not hop:
        return values
    if frames == 1:
        return values.expand(*values.shape[:-1], samples)
    place = torch.arange(samples, device=values.device)
    left = torch.div(place, hop, rounding_mode="floor").clamp_(max=frames - 2)
    weight = ((place - left * hop).to(torch.float64) / hop).clamp_(max=1)
    return interpolate(values, left, weight)
