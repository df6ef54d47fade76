"""When nothing of a signal is left in what an effect remembers."""

from __future__ import annotations

import torch
from torch import Tensor

QUIET = 2.0**-80
"""What counts as nothing: −480 dB. It changes no bit of a sample that is heard, in double precision either."""


def is_silent(*memory: Tensor, below: float = QUIET) -> bool:
    """Whether nothing of a signal is left in these tensors: all values lie within ±``below``.

    For :meth:`djgraph.effects.TimeEffect.at_rest`. A recursion that rings out comes there sooner than to exact zeros,
    which with rounding it may never reach. NaN is not silent.
    """
    for tensor in memory:
        if tensor.numel():
            low, high = torch.aminmax(tensor.detach())
            if not bool((low >= -below) & (high <= below)):
                return False
    return True
