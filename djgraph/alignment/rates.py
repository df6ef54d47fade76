"""At which rates a track is played somewhere in a recording: windows of it, at every rate, against all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.alignment.features import BANDS, FRAMES, Spectra

WINDOW = 8.0
"""Seconds of a track that are looked for as one."""
STEP = 0.008
"""From rate to rate, as a share: half of it moves the ends of a window by 16 ms."""
CHANCE = 0.12
"""Correlation that a window reaches somewhere in any recording of its tempo."""
_POOL = 2
_SIZE = 2048


@dataclass(frozen=True)
class Candidate:
    """A rate at which windows of a track are found. score: mean square of what their correlation is above chance."""

    rate: float
    key_locked: bool
    score: float


class Recording:
    """Features of a recording, and their transforms in blocks."""

    def __init__(self, audio: Tensor) -> None:
        """audio: ``[samples]`` at :data:`djgraph.alignment.features.RATE`."""
        self.features = Spectra(audio).features()
        self.frames = self.features.shape[1]
        pooled = pool(self.features)
        self.window = round(WINDOW * FRAMES / _POOL)
        self.step = _SIZE - self.window + 1
        self.pooled = pooled.shape[1]
        blocks = max(1, -(-self.pooled // self.step))
        padded = torch.nn.functional.pad(pooled, (0, (blocks - 1) * self.step + _SIZE - self.pooled))
        spectrum = torch.fft.rfft(padded.unfold(1, _SIZE, self.step), dim=-1)
        self.spectrum = spectrum.permute(2, 1, 0).contiguous()


def pool(features: Tensor) -> Tensor:
    """Frames in pairs."""
    whole = features.shape[1] // _POOL * _POOL
    return features[:, :whole].unflatten(1, (-1, _POOL)).mean(-1)


def grid(low: float, high: float) -> NDArray[np.float64]:
    """Rates from low to high, 1 among them where it is between."""
    first, last = math.floor(math.log(low) / STEP), math.ceil(math.log(high) / STEP)
    return np.exp(STEP * np.arange(first, last + 1))


def scan(recording: Recording, track: Spectra, low: float, high: float) -> list[Candidate]:
    """The rates that explain windows of the track, best first: at most one for each peak of the scores."""
    rates = grid(low, high)
    scores = np.zeros((2, len(rates)))
    kept = pool(track.features())
    for column, rate in enumerate(rates):
        for row, features in enumerate((pool(track.features(rate)), kept)):
            found = _peaks(recording, features, float(rate))
            scores[row, column] = np.mean(np.maximum(found - CHANCE, 0) ** 2) if len(found) else 0
    candidates = []
    for row in range(2):
        for column in range(len(rates)):
            around = scores[row, max(0, column - 2) : column + 3]
            if scores[row, column] == around.max() > 0:
                candidates.append(_peak(rates, scores[row], column, bool(row)))
    return sorted(candidates, key=lambda one: -one.score)


def _peak(rates: NDArray[np.float64], scores: NDArray[np.float64], at: int, key_locked: bool) -> Candidate:
    """By a parabola through three scores."""
    shift = 0.0
    if 0 < at < len(rates) - 1:
        left, middle, right = scores[at - 1 : at + 2]
        bend = left - 2 * middle + right
        shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return Candidate(float(rates[at] * math.exp(STEP * shift)), key_locked, float(scores[at]))


def _peaks(recording: Recording, features: Tensor, rate: float) -> NDArray[np.float64]:
    """The highest correlation of each window of a track with the recording."""
    windows = at_rate(features, rate, recording.window)
    if not windows.shape[1]:
        return np.zeros(0)
    size = windows.square().sum((0, 2)).sqrt()
    spectrum = torch.fft.rfft(windows, _SIZE, dim=-1).conj().permute(2, 0, 1).contiguous()
    products = torch.bmm(recording.spectrum, spectrum).permute(2, 1, 0)
    values = torch.fft.irfft(products, _SIZE, dim=-1)[..., : recording.step].flatten(1)
    best = values[:, : recording.pooled].amax(1) / size.clamp(min=1e-6)
    loud = size > 0.3 * math.sqrt(BANDS * recording.window)
    return (best[loud] / math.sqrt(0.9 * BANDS * recording.window)).double().numpy()


def at_rate(features: Tensor, rate: float, window: int) -> Tensor:
    """``[bands, windows, frames]``: windows side by side, of features as they are when the track is played at a rate.

    The last window ends with the track. A track shorter than a window is one, with silence behind it.
    """
    played = max(1, math.floor((features.shape[1] - 1) / rate))
    starts = torch.arange(0, max(1, played - window // 2), window, device="cpu")
    starts = torch.minimum(starts, torch.tensor(max(0, played - window), device="cpu")).unique()
    at = starts[:, None] + torch.arange(window, device="cpu")
    return stretched(features, rate, at)


def stretched(features: Tensor, rate: float, at: Tensor) -> Tensor:
    """Features at frames ``rate · at``, by straight lines; 0 beyond both ends. ``[bands, *at.shape]``."""
    place = rate * at.double()
    whole = place.floor()
    part = (place - whole).float()
    index = whole.long()
    inside = (index >= 0) & (index < features.shape[1] - 1)
    index = index.clamp(0, max(0, features.shape[1] - 2))
    following = (index + 1).clamp(max=features.shape[1] - 1)
    return torch.where(inside, features[:, index] * (1 - part) + features[:, following] * part, 0.0)
