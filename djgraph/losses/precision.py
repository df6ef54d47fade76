"""Losses in the precision of the audio: under autocast their sums over bins would be of bfloat16's eight bits."""

from __future__ import annotations

import torch
from torch import Tensor


def as_it_is(like: Tensor) -> torch.autocast:
    """Inside, matrix products of tensors like this are in its own dtype, whatever autocast says outside."""
    return torch.autocast(like.device.type, enabled=False)
