"""The coefficients of torchaudio's biquads, computed by torchaudio's own code.

``torchaudio.functional.lowpass_biquad`` and its like compute coefficients and filter a whole waveform with them, all in
one. Here they are wanted alone, for many cutoffs at once, and without filtering. So each function's code runs with
other globals, in which ``biquad``, what it ends with, hands back the coefficients that it is given. The formulas stay
torchaudio's, and nothing of the library is changed. They are made of elementwise operations, so that a tensor of
cutoffs gives a tensor of coefficients, with gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torchaudio.functional import filtering

Coefficients = Callable[..., tuple[Tensor, Tensor]]


def coefficients_of(name: str) -> Coefficients:
    """The function of that name in torchaudio.functional, so that it returns ``(b, a)``, ``[…, 3]`` each, a[0] = 1.

    The result is called with the sample rate, in Hz, and the function's own further arguments by name: numbers or
    tensors of one shape, float64. Raises AttributeError where torchaudio has no such function.
    """
    function = getattr(filtering, name)
    code = FunctionType(
        function.__code__,
        {**vars(filtering), "biquad": _keep},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )

    def coefficients(sample_rate: int, like: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
        b, a = code(like.new_empty(0, dtype=torch.float64), sample_rate, **arguments)
        return b, a

    return coefficients


def _keep(waveform: Tensor, *coefficients: Tensor | float) -> tuple[Tensor, Tensor]:
    """In the place of ``biquad(waveform, b0, b1, b2, a0, a1, a2)``."""
    tensors = [torch.as_tensor(one, dtype=waveform.dtype, device=waveform.device) for one in coefficients]
    b0, b1, b2, a0, a1, a2 = torch.broadcast_tensors(*tensors)
    return torch.stack((b0, b1, b2), -1) / a0[..., None], torch.stack((a0, a1, a2), -1) / a0[..., None]
