"""The model: an LSTM over the beats, a ControlHead at its end."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from djgraph.layout import ParameterLayout
from djgraph.nn import ControlHead


class TransitionModel(nn.Module):
    """Features of the beats to control frames in plain units.

    size: features of a step. layout: of the mixer. hidden: units of the LSTM, which reads both ways, since a DJ knows
    both tracks to their ends. layers: LSTMs one upon the other.
    """

    def __init__(self, size: int, layout: ParameterLayout, hidden: int = 96, layers: int = 1) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(size, hidden), nn.ReLU())
        self.lstm = nn.LSTM(hidden, hidden, layers, batch_first=True, bidirectional=True)
        self.mixdown = nn.Sequential(nn.Linear(3 * hidden, hidden), nn.ReLU())
        self.head = ControlHead(hidden, layout)

    def forward(self, features: Tensor, spread: Tensor, steps: Tensor | None = None) -> Tensor:
        """``[batch, frames, controls]``. features ``[batch, steps, size]``; spread ``[batch, frames, steps]``: how
        control frames are made of steps; steps ``[batch]``: how many of them count, all where left out."""
        seen = self.encoder(features)
        if steps is None:
            heard, _ = self.lstm(seen)
        else:  # what pads a short clip must not be heard from behind
            packed = pack_padded_sequence(seen, steps.cpu(), batch_first=True, enforce_sorted=False)
            heard, _ = pad_packed_sequence(
                self.lstm(packed)[0], batch_first=True, total_length=features.shape[1]
            )
        states = self.mixdown(torch.cat([seen, heard], -1))
        controls: Tensor = self.head(spread.to(states.dtype) @ states)
        return controls
