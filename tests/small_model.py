"""A model with a head for a small layout: what checkpoints are made of."""

from __future__ import annotations

import torch
from fake_layouts import column
from torch import nn

from djgraph import ParameterLayout
from djgraph.nn import ControlHead

LAYOUT = ParameterLayout(
    [column("a.gain", neutral=1.0), column("a.low", 0, 2, neutral=1.0), column("b.gain")]
)
OTHER = ParameterLayout([column("b.gain"), column("a.gain", neutral=1.0), column("c.gain", neutral=1.0)])


class Model(nn.Module):
    def __init__(self, layout: ParameterLayout, width: int = 4) -> None:
        super().__init__()
        self.body = nn.Linear(3, width)
        self.head = ControlHead(width, layout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).tanh())
