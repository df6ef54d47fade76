"""The mel filter bank: triangles over an FFT's bins, evenly spaced in pitch as heard."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from djgraph.errors import InputError

_LINEAR = 200 / 3  # Hz a mel, below the corner
_CORNER = 1000.0  # Hz; 15 mel
_STEP = math.log(6.4) / 27  # of the logarithm a mel, above it


def mel_filters(sample_rate: int, size: int, bands: int) -> Tensor:
    """Filters ``[bands, size // 2 + 1]`` from 0 Hz to half the sample rate, float64; each adds up to 1, so that
    a band is the weighted mean of its bins.

    The mel scale is that of Slaney's Auditory Toolbox (1998): linear up to 1 kHz, logarithmic above, as
    librosa's and auraloss's default. Raises InputError where there are so many bands that one holds no bin.
    """
    edges = _hertz(torch.linspace(0, _mel(sample_rate / 2), bands + 2, dtype=torch.float64, device="cpu"))
    bins = torch.linspace(0, sample_rate / 2, size // 2 + 1, dtype=torch.float64, device="cpu")
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    up, down = (bins - low) / (middle - low), (high - bins) / (high - middle)
    filters = torch.minimum(up, down).clamp_min(0)
    area = filters.sum(-1, keepdim=True)
    if not bool((area > 0).all()):
        raise InputError(
            f"{bands} mel bands are too many for an FFT of {size} at {sample_rate} Hz: a band would hold no bin;"
            " take fewer bands or a larger size"
        )
    return filters / area


def _mel(hertz: float) -> float:
    if hertz < _CORNER:
        return hertz / _LINEAR
    return _CORNER / _LINEAR + math.log(hertz / _CORNER) / _STEP


def _hertz(mel: Tensor) -> Tensor:
    corner = _CORNER / _LINEAR
    return torch.where(mel < corner, mel * _LINEAR, _CORNER * torch.exp(_STEP * (mel - corner)))
