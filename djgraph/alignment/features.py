"""What tracks and recordings are compared by: the movement of energy in narrow bands, free of levels and equalisers."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

RATE = 11025
"""Hz at which features are computed."""
HOP = 128
"""Samples of that from frame to frame: 11.6 ms."""
FRAMES = RATE / HOP
"""Frames of a second."""
BANDS = 57
_LONG, _SHORT = 1024, 256
_LOW = (4, 55.0, 104.0)
_NOTES = 48
_FIRST_NOTE = 110.0
_HIGH = (5, 1860.0, 4600.0)
_DRIFT = 2.0
"""Seconds over which a band's level is averaged, and taken off."""
_SPAN = 4.0
"""Seconds over which what is left is brought to one size."""
_QUIET = 1e-4
"""Energy, as a share of a band's neighbourhood, that is as good as silence."""
_FLOOR = 0.35
"""Movement, in natural logarithms of energy, below which bands are not brought up."""
_AT_ONCE = 1 << 13


class Spectra:
    """Energies of an audio signal over time, of which features at any pitch are made.

    long: ``[513, frames]`` of windows of 93 ms; short: ``[129, frames]`` of windows of 23 ms around the same moments.
    Frame n is centred on sample ``n · HOP`` at :data:`RATE`.
    """

    def __init__(self, audio: Tensor) -> None:
        """audio: ``[samples]`` at :data:`RATE`, float32."""
        self.frames = audio.shape[-1] // HOP + 1
        self.long = _energies(audio, _LONG, self.frames)
        self.short = _energies(audio, _SHORT, self.frames)

    def features(self, pitch: float = 1.0) -> Tensor:
        """``[BANDS, frames]``: what :func:`features` would hear, were each frequency ``pitch`` times as high."""
        low, high = _filters(round(1e6 * pitch))
        return _moved(torch.cat([low @ self.long, high @ self.short]))


def _energies(audio: Tensor, size: int, frames: int) -> Tensor:
    window = torch.hann_window(size, dtype=torch.float32, device="cpu")
    padded = torch.nn.functional.pad(audio, (size // 2, size))
    out = torch.empty(size // 2 + 1, frames, dtype=torch.float32, device="cpu")
    for first in range(0, frames, _AT_ONCE):
        count = min(_AT_ONCE, frames - first)
        pieces = padded[first * HOP : (first + count - 1) * HOP + size].unfold(0, size, HOP)
        spectrum = torch.view_as_real(torch.fft.rfft(pieces * window))
        out[:, first : first + count] = spectrum.square().sum(-1).T
    return out


@functools.lru_cache(maxsize=256)
def _filters(millionths: int) -> tuple[Tensor, Tensor]:
    """Of notes and what is below them on long windows, of what is above on short ones."""
    pitch = millionths / 1e6
    count, first, last = _LOW
    low = [first * (last / first) ** (i / count) for i in range(-1, count + 1)]
    notes = [_FIRST_NOTE * 2 ** (i / 12) for i in range(-1, _NOTES + 1)]
    count, first, last = _HIGH
    high = [first * (last / first) ** (i / (count - 1)) for i in range(-1, count + 1)]
    return torch.cat([_triangles(low, _LONG, pitch), _triangles(notes, _LONG, pitch)]), _triangles(
        high, _SHORT, pitch
    )


def _triangles(corners: list[float], size: int, pitch: float) -> Tensor:
    """``[bands, bins]``: triangles in frequency, whose sides are at least a bin wide."""
    hertz = torch.arange(size // 2 + 1, dtype=torch.float64, device="cpu") * (RATE / size)
    rows = []
    for left, middle, right in zip(corners, corners[1:], corners[2:]):
        left, middle, right = left / pitch, middle / pitch, right / pitch
        left, right = min(left, middle - RATE / size), max(right, middle + RATE / size)
        up, down = (hertz - left) / (middle - left), (right - hertz) / (right - middle)
        rows.append(torch.minimum(up, down).clamp(min=0))
    return torch.stack(rows).float()


def _moved(energy: Tensor) -> Tensor:
    """Logarithms of energies, without their slow part, each brought to one size."""
    around = _mean(energy.mean(0, keepdim=True), _SPAN)
    level = (energy + _QUIET * around + 1e-12).log()
    level -= _mean(level, _DRIFT)
    return level / (_mean(level.square(), _SPAN) + _FLOOR**2).sqrt()


def _mean(rows: Tensor, seconds: float) -> Tensor:
    """Means over the seconds around each frame, fewer at both ends."""
    half = max(1, math.floor(seconds * FRAMES / 2))
    sums = torch.nn.functional.pad(rows.double().cumsum(-1), (1, 0))
    frames = rows.shape[-1]
    at = torch.arange(frames, device="cpu")
    first, last = (at - half).clamp(min=0), (at + half + 1).clamp(max=frames)
    return ((sums[..., last] - sums[..., first]) / (last - first)).float()
