"""The stretch of signal that an effect carries from one block to the next."""

from __future__ import annotations

import torch
from torch import Tensor


def latest(past: Tensor, audio: Tensor) -> Tensor:
    """The last samples of ``past`` followed by ``audio``, as many as ``past`` has; both ``[…, samples]``.

    The result owns its memory, so keeping it does not keep the block alive.
    """
    keep, new = past.shape[-1], audio.shape[-1]
    if new >= keep:
        return audio[..., new - keep :].clone()
    return torch.cat((past[..., new:], audio), dim=-1)
