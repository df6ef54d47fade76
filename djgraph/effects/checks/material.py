"""What the conformance checks have a source effect play: material in memory, read in operations that autograd knows."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.effects.source import Beats, Material

CROSSINGS = 12
"""Zero crossings of the sinc to either side."""


class Noise(Material):
    """audio: ``[batch, channels, samples]``. Its beats come every 0.47 s, the first after 0.01 s."""

    def __init__(self, audio: Tensor) -> None:
        self._audio = audio
        self.channels, self.samples = audio.shape[1:]
        times = [[0.0, 1.0], [0.01, 0.48]]
        self.beats = Beats(*torch.tensor(times, dtype=torch.float64, device="cpu"))

    def read(self, position: Tensor, rate: Tensor) -> Tensor:
        """A sinc under a Hann window, as wide at every rate."""
        batch, channels, length = self._audio.shape
        position = torch.where(position.isnan(), -9.0 * CROSSINGS, position)  # silence
        place = position.expand(batch, -1).to(self._audio.dtype)
        first = place.detach().floor().nan_to_num().clamp(-2 * CROSSINGS, length + 2 * CROSSINGS).long()
        around = torch.arange(1 - CROSSINGS, CROSSINGS + 1, device=first.device)
        taps = first.unsqueeze(-1) + around
        away = place.unsqueeze(-1) - taps
        window = torch.where(away.abs() < CROSSINGS, 0.5 + 0.5 * torch.cos(torch.pi * away / CROSSINGS), 0)
        weights = _sinc(away) * window
        padded = torch.nn.functional.pad(self._audio, (4 * CROSSINGS, 4 * CROSSINGS))
        at = (taps + 4 * CROSSINGS).flatten(1).unsqueeze(1).expand(-1, channels, -1)
        samples = padded.gather(-1, at.clamp(0, padded.shape[-1] - 1)).unflatten(-1, taps.shape[1:])
        read: Tensor = (samples * weights.unsqueeze(1)).sum(-1)
        return read


def _sinc(x: Tensor) -> Tensor:
    """``torch.sinc``, whose gradient is rounding alone near 0."""
    near = x.abs() < 1e-3
    safe = torch.pi * torch.where(near, 1.0, x)
    square = (torch.pi * x) ** 2
    value: Tensor = torch.where(near, 1 - square / 6 * (1 - square / 20), torch.sin(safe) / safe)
    return value
