"""Short blocks of a recording in time: what is heard of each track in each, and in which nothing else is heard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 1024
"""Samples of a block."""
EMPHASIS = 0.95
"""Of the sample before, which is taken away, so that the bass does not outweigh the rest."""
CHUNK = 256
"""Blocks at a time."""
ALONE = 2e-3
"""Share of what is heard that others may have where a track is alone."""
CLEAN = 3.0
"""So many times more than elsewhere may be left of the recording: where it was clipped, a gain says little."""
MARGIN = 0.5
"""Seconds by which a track is alone on both sides."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """gram: products of the sources and, last, the recording, ``[blocks, sources + 1, sources + 1]``. gains: of least
    squares ``[blocks, sources]``. share: of what is heard that each source has, ``[blocks, sources]``. left: of the
    recording's energy, what these gains leave, ``[blocks]``."""

    gram: Array
    gains: Array
    share: Array
    left: Array

    @classmethod
    def of(cls, sources: list[Tensor], target: Tensor, valid: Tensor) -> Blocks:
        """Sources and target ``[channels, samples]``; valid ``[samples]``, 1 where the target is known."""
        gram = products(sources, target, valid).numpy()
        count = len(sources)
        own = np.einsum("bii->bi", gram)[:, :count]
        ridge = np.eye(count) * (1e-6 * own.sum(1) + 1e-12)[:, None, None]
        inner, cross, energy = gram[:, :count, :count], gram[:, :count, count], gram[:, count, count]
        gains = np.linalg.solve(inner + ridge, cross[..., None])[..., 0]
        heard = gains**2 * own
        left = energy - 2 * (gains * cross).sum(1) + np.einsum("bi,bij,bj->b", gains, inner, gains)
        share = heard / (heard.sum(1, keepdims=True) + 1e-15)
        return cls(gram, gains, share, np.maximum(left, 0) / (energy + 1e-12))

    def alone(self, source: int, rate: int) -> NDArray[np.bool_]:
        """The blocks in which nothing but a source is heard, and that is."""
        others = np.delete(self.share, source, 1).sum(1)
        if not len(others):
            return np.zeros(0, dtype=bool)
        reach = round(MARGIN * rate / BLOCK)
        # (All of the convolution, and then its middle: NumPy's "same" is as long as the longer of the two.)
        around = np.convolve(others > ALONE, np.ones(2 * reach + 1))[reach : reach + len(others)]
        quiet = around < 0.5
        own = self.gram[:, source, source]
        energy = self.gram[:, -1, -1]
        heard = (own > 1e-4 * own.mean()) & (energy > 1e-5 * energy.mean()) & (self.gains[:, source] > 1e-3)
        kept = quiet & heard
        if kept.any():
            kept &= self.left <= max(CLEAN * float(np.median(self.left[kept])), 1e-5)
        return np.asarray(kept)


def products(signals: list[Tensor], target: Tensor, valid: Tensor) -> Tensor:
    """Sums of products over blocks of all signals and, last, the target: ``[blocks, signals + 1, signals + 1]``."""
    channels = max(len(one) for one in (*signals, target))
    samples = target.shape[-1]
    count = samples // BLOCK
    parts = []
    for first in range(0, count, CHUNK):
        start, stop = first * BLOCK, min(first + CHUNK, count) * BLOCK
        here = [emphasised(one, start, stop).expand(channels, -1) for one in (*signals, target)]
        rows = (torch.stack(here) * valid[start:stop]).unflatten(-1, (-1, BLOCK))
        rows = rows.permute(2, 0, 1, 3).flatten(2).double()
        parts.append(rows @ rows.mT)
    size = len(signals) + 1
    return torch.cat(parts) if parts else torch.zeros(0, size, size, dtype=torch.float64, device="cpu")


def emphasised(audio: Tensor, start: int, stop: int) -> Tensor:
    """``[channels, stop − start]`` with less bass."""
    whole = torch.nn.functional.pad(audio[:, max(start - 1, 0) : stop], (1 if start == 0 else 0, 0))
    return whole[:, 1:] - EMPHASIS * whole[:, :-1]
