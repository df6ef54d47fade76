"""A transformer over the beats, a ControlHead at its end."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from djgraph.layout import ParameterLayout
from djgraph.nn import ControlHead

HEAD = 32
"""Width of an attention head, as far as the model's width allows."""


class TransformerModel(nn.Module):
    """Features of the beats to control frames in plain units, as :class:`TransitionModel`.

    size: features of a step. layout: of the mixer. hidden: width, an even number. layers: each attention among all
    steps and a network of four times the width (A. Vaswani et al., 2017; normalised before, R. Xiong et al., 2020).
    Where a step lies is told by sines.
    """

    def __init__(self, size: int, layout: ParameterLayout, hidden: int = 96, layers: int = 2) -> None:
        super().__init__()
        hidden += hidden % 2  # sines come in pairs
        self.encoder = nn.Linear(size, hidden)
        self.body = body_of(hidden, layers)
        self.norm = nn.LayerNorm(hidden)
        self.head = ControlHead(hidden, layout)

    def forward(self, features: Tensor, spread: Tensor, steps: Tensor | None = None) -> Tensor:
        """``[batch, frames, controls]``; arguments as of :meth:`TransitionModel.forward`."""
        count = features.shape[1]
        seen = self.encoder(features)
        seen = seen + sines(count, seen.shape[-1]).to(seen)
        hidden = heard_steps(features, steps)
        states = self.norm(self.body(seen, src_key_padding_mask=hidden))
        if hidden is not None:
            states = states.masked_fill(hidden[..., None], 0.0)
        controls: Tensor = self.head(spread.to(states.dtype) @ states)
        return controls


def body_of(hidden: int, layers: int) -> nn.TransformerEncoder:
    """Layers of attention and networks of four times the width."""
    heads = next(count for count in range(max(1, hidden // HEAD), 0, -1) if hidden % count == 0)
    layer = nn.TransformerEncoderLayer(
        hidden, heads, 4 * hidden, dropout=0.0, batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


def heard_steps(features: Tensor, steps: Tensor | None) -> Tensor | None:
    """True for the steps ``[batch, steps]`` that pad a short clip, which are not looked at; None where all count."""
    if steps is None:
        return None
    return torch.arange(features.shape[1], device=features.device) >= steps.to(features.device)[:, None]


def sines(count: int, width: int) -> Tensor:
    """Sine and cosine of each place at wavelengths from 2π to 2π·10⁴ steps, ``[count, width]``."""
    place = torch.arange(count, dtype=torch.float32, device="cpu")[:, None]
    pairs = torch.arange(0, width, 2, dtype=torch.float32, device="cpu")
    angle = place * torch.exp(-math.log(1e4) / width * pairs)
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(1)
