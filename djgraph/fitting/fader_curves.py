"""Where faders stood in front of what bends their tracks: least squares in what is heard, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.fitting.alone import BLOCK
from djgraph.fitting.knots import KnotGrid, Tridiagonal
from djgraph.fitting.level_law import HOP, LevelLaw

Array = NDArray[np.float64]
FLOOR = 1e-4
"""Share of a block's energy that is expected to be left."""
LOWEST = 1e-4
"""Of a fader, below which a law's gain stays as it is there."""


class Behind(Protocol):
    """What is behind one fader. sources: how many signals of the sums are its own."""

    @property
    def sources(self) -> int: ...

    def amounts(self, fader: Array, seconds: float) -> tuple[Array, Array]:
        """For the fader's gain in each block: how much there is of each source, ``[blocks, sources]``, and how fast
        that changes with the fader where this moves for ``seconds``."""


@dataclass(frozen=True)
class Plain:
    """Nothing. level: by which all of it is heard."""

    level: float
    sources: int = 1

    def amounts(self, fader: Array, seconds: float) -> tuple[Array, Array]:
        return self.level * fader[:, None], np.full((len(fader), 1), self.level)


@dataclass(frozen=True)
class Compressed:
    """A compressor. peaks: :func:`djgraph.fitting.level_law.peaks_of` the track."""

    law: LevelLaw
    peaks: Array
    rate: int
    sources: int = 1

    def amounts(self, fader: Array, seconds: float) -> tuple[Array, Array]:
        gain = self.gain(fader)
        # What moves faster than the law does not change its gain.
        follows = seconds / (seconds + self.law.release / 1000)
        slope = gain * (1 - self.law.slope * follows)
        return (gain * fader)[:, None], slope[:, None]

    def gain(self, fader: Array) -> Array:
        """The law's, by block; fader: by block."""
        decibels = self.law.gain(self.law.level(self.peaks, hops(fader, len(self.peaks)), self.rate))
        per = BLOCK // HOP
        return np.asarray(10 ** (decibels[: len(fader) * per].reshape(-1, per).mean(1) / 20))


def hops(fader: Array, count: int) -> Array:
    """A curve by blocks as one by hops."""
    per = BLOCK // HOP
    places = (np.arange(count) + 0.5) / per - 0.5
    return np.maximum(np.interp(places, np.arange(len(fader)), fader), LOWEST)


@dataclass(frozen=True)
class FaderCurves:
    """The squared distance from the recording as a function of the faders, as a share of what is heard.

    gram, cross, energy: weighted sums of all sources, ``[blocks, …]``. behind: for each fader. samples: of the clip.
    seconds: of the clip.
    """

    gram: Tensor
    cross: Tensor
    energy: Tensor
    behind: tuple[Behind, ...]
    samples: int
    seconds: float

    @classmethod
    def of(
        cls, gram: Tensor, left: Tensor, behind: tuple[Behind, ...], samples: int, rate: int
    ) -> FaderCurves:
        """gram: of the sources and, last, the recording (:func:`djgraph.fitting.alone.products`). left: what no gain
        explains of each block, as a share: so much less it counts. Quiet blocks count a little more than by energy."""
        energy = gram[:, -1, -1]
        weight = (energy + 1e-2 * energy.mean() + 1e-12) ** -0.5
        weight = weight / (left + max(float(left.median()), FLOOR))
        weight = weight / (weight * energy).sum().clamp(min=1e-30)
        return cls(
            gram[:, :-1, :-1] * weight[:, None, None],
            gram[:, :-1, -1] * weight[:, None],
            energy * weight,
            behind,
            samples,
            samples / rate,
        )

    def grid(self, frames: int) -> KnotGrid:
        places = (torch.arange(len(self.energy), dtype=torch.float64, device="cpu") + 0.5) * BLOCK
        return KnotGrid.at(places, self.samples, frames)

    def loss(self, u: Tensor) -> float:
        """For positions ``[frames, faders]``."""
        return float(self.errors(u).sum())

    def errors(self, u: Tensor) -> Tensor:
        """The loss of each block."""
        amounts, _ = self._amounts(u)
        pull = torch.einsum("bij,bj->bi", self.gram, amounts) - 2 * self.cross
        return (amounts * pull).sum(1) + self.energy

    def linearize(self, u: Tensor) -> tuple[float, Tensor, Tridiagonal]:
        """Loss, gradient ``[frames, faders]`` and Gauss-Newton matrix."""
        amounts, slopes = self._amounts(u)
        pull = torch.einsum("bij,bj->bi", self.gram, amounts) - self.cross
        loss = float((amounts * (pull - self.cross)).sum() + self.energy.sum())
        jacobian = torch.zeros(
            len(amounts), amounts.shape[1], len(self.behind), dtype=torch.float64, device="cpu"
        )
        at = 0
        for fader, one in enumerate(self.behind):
            jacobian[:, at : at + one.sources, fader] = slopes[:, at : at + one.sources]
            at += one.sources
        grid = self.grid(len(u))
        gradient = 2 * torch.einsum("bif,bi->bf", jacobian, pull)
        squares = 2 * jacobian.mT @ (self.gram @ jacobian)
        return loss, grid.collect(gradient), grid.collect_squares(squares)

    def _amounts(self, u: Tensor) -> tuple[Tensor, Tensor]:
        read = self.grid(len(u)).read(u.double()).numpy()
        spacing = self.seconds / max(1, len(u) - 1)
        found = [one.amounts(np.ascontiguousarray(read[:, f]), spacing) for f, one in enumerate(self.behind)]
        return tuple(  # type: ignore[return-value]
            torch.from_numpy(np.concatenate([part[which] for part in found], 1)) for which in (0, 1)
        )
