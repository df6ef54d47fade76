"""What waveforms are drawn from: the least, the largest and the mean amplitude of stretches, at several zoom levels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BASE = 128
"""Samples of a stretch at the finest level."""
FACTOR = 4
"""How many stretches of a level are one of the next."""
LEVELS = 5
UNIT = 16384
"""What stands for the amplitude 1; beyond 2 is cut."""
TILE = 4096
"""Stretches that are served at a time."""


@dataclass(frozen=True)
class Peaks:
    """levels: from the finest on, int16 ``[stretches, 3]``: the least and the largest sample of all channels, and the
    root of the mean square, in 1/:data:`UNIT`. digest: of the content, so that equal sounds have one."""

    samples: int
    levels: tuple[NDArray[np.int16], ...]
    digest: str

    @property
    def peak(self) -> float:
        """The largest amplitude."""
        coarsest = self.levels[-1][:, :2]
        return float(np.abs(coarsest.astype(np.int32)).max()) / UNIT if len(coarsest) else 0.0

    def tile(self, level: int, index: int) -> bytes | None:
        """A part of a level, little-endian; None where there is none."""
        if not (0 <= level < len(self.levels) and 0 <= index * TILE < len(self.levels[level])):
            return None
        return self.levels[level][index * TILE : (index + 1) * TILE].astype("<i2").tobytes()


class Measuring:
    """Peaks of a sound that comes in pieces; all but the last are whole multiples of :data:`BASE` samples."""

    def __init__(self) -> None:
        self._samples = 0
        self._parts: list[NDArray[np.float32]] = []

    def add(self, audio: NDArray[np.float32]) -> None:
        """The next ``[channels, samples]``."""
        if not audio.size:
            return
        starts = np.arange(0, audio.shape[-1], BASE)
        low = np.minimum.reduceat(audio.min(0), starts)
        high = np.maximum.reduceat(audio.max(0), starts)
        square = np.add.reduceat(np.square(audio).mean(0), starts)  # summed, so that short ends count as such
        self._parts.append(np.stack((low, high, square), 1).astype(np.float32))
        self._samples += audio.shape[-1]

    def done(self) -> Peaks:
        finest = np.concatenate([np.zeros((0, 3), np.float32), *self._parts])
        levels = [finest]
        for _ in range(LEVELS - 1):
            levels.append(_coarser(levels[-1]))
        sizes = (BASE * FACTOR**index for index in range(LEVELS))
        stored = tuple(_stored(level, _sizes(self._samples, size)) for level, size in zip(levels, sizes))
        digest = hashlib.blake2b(stored[0].tobytes(), digest_size=16, salt=str(self._samples).encode()[:16])
        return Peaks(self._samples, stored, digest.hexdigest())


def peaks_of(pieces: Iterable[NDArray[np.float32]]) -> Peaks:
    """Of ``[channels, samples]`` one behind the other, as :class:`Measuring` takes them."""
    measuring = Measuring()
    for piece in pieces:
        measuring.add(piece)
    return measuring.done()


def _coarser(level: NDArray[np.float32]) -> NDArray[np.float32]:
    if not len(level):
        return level
    starts = np.arange(0, len(level), FACTOR)
    square = np.add.reduceat(level[:, 2], starts)
    low, high = np.minimum.reduceat(level[:, 0], starts), np.maximum.reduceat(level[:, 1], starts)
    return np.stack((low, high, square), 1).astype(np.float32)


def _sizes(count: int, size: int) -> NDArray[np.float32]:
    """How many of ``count`` lie in each stretch of ``size``."""
    sizes = np.full(-(-count // size), size, np.float32)
    sizes[-1:] = count - (len(sizes) - 1) * size
    return sizes


def _stored(level: NDArray[np.float32], sizes: NDArray[np.float32]) -> NDArray[np.int16]:
    """Peaks are rounded away from zero, so that the quietest sound is seen. sizes: samples of each stretch."""
    scaled = np.clip(level[:, :2] * UNIT, -32767, 32767)
    out = np.empty(level.shape, np.int16)
    out[:, 0], out[:, 1] = np.floor(scaled[:, 0]), np.ceil(scaled[:, 1])
    out[:, 2] = np.minimum(np.round(np.sqrt(np.maximum(level[:, 2], 0) / sizes) * UNIT), 32767)
    return out
