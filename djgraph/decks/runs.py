"""A stretch of a mix in which a track is played without a cut, and where in the track each sample of it lies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from djgraph.dsp import warp_positions


@dataclass(frozen=True)
class Run:
    """begins, ends: samples of the mix between which it is heard. clip, track: its markers, samples of the mix and
    those of the track that sound there, ``[markers]``, float64, ascending, at least two: the rate is constant between
    them, and goes on beyond the first and the last."""

    begins: float
    ends: float
    clip: Tensor
    track: Tensor

    def positions(self, first: int, samples: int) -> tuple[Tensor, Tensor]:
        """Position and rate at each sample of a block, of the markers around it alone: an hour of ramps has many."""
        ends = torch.tensor([first, first + samples], dtype=torch.float64, device="cpu")
        low, high = (int(i) for i in torch.searchsorted(self.clip, ends, right=True))
        low, high = max(0, min(low - 1, len(self.clip) - 2)), min(len(self.clip), high + 2)
        return warp_positions(self.clip[low:high], self.track[low:high], samples, first=first)

    def at(self, samples: Tensor) -> Tensor:
        """Positions at samples in any order, ``[…]``, float64."""
        places = samples.to(torch.float64)
        marker = (torch.searchsorted(self.clip, places, right=True) - 1).clamp(0, len(self._rates) - 1)
        return self.track[marker] + self._rates[marker] * (places - self.clip[marker])

    @cached_property
    def _rates(self) -> Tensor:
        return self.track.diff() / self.clip.diff()

    @property
    def rates(self) -> tuple[float, float]:
        """The lowest and the highest of those between markers."""
        return float(self._rates.min()), float(self._rates.max())
