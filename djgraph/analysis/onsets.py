"""Where sounds begin: how much energy rises, at every moment, in three bands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RATE = 22050
"""Hz of the signal that is listened to."""
HOP = 128
"""Samples from one value of an envelope to the next."""
FRAMES = RATE / HOP
"""Values of an envelope a second."""
_SIZE = 1024
_BANDS = ((20.0, 180.0), (180.0, 4000.0), (4000.0, 11000.0))
_MELS = 64
_STRETCH = 8192  # frames that are transformed at a time
_FINE_SIZE, _FINE_HOP = 256, 32
FINE = RATE / _FINE_HOP
"""Values a second of the fine envelope."""


@dataclass(frozen=True)
class Onsets:
    """Rises of energy, by band and over all.

    bands: ``[3, frames]``, low, middle and high, each with a mean square of 1, or 0 where the band is silent; frame i
    tells of the moment i / :data:`FRAMES` seconds. They are rises in dB, so that soft sounds count; ``strong`` are the
    same of amplitudes, so that loud ones do. fine: ``[n]``, over all bands, at :data:`FINE`, for exact times.
    """

    bands: Array
    strong: Array
    fine: Array
    seconds: float

    def with_share(self, other: Onsets, share: float) -> Onsets:
        """With some of another signal's of the same length."""
        return Onsets(
            self.bands + share * other.bands,
            self.strong + share * other.strong,
            self.fine + share * other.fine,
            self.seconds,
        )


def onsets(audio: NDArray[np.float32]) -> Onsets:
    """Of mono audio ``[samples]`` at :data:`RATE`."""
    import librosa

    mels = librosa.filters.mel(sr=RATE, n_fft=_SIZE, n_mels=_MELS, fmin=_BANDS[0][0], fmax=_BANDS[-1][1])
    centres = librosa.mel_frequencies(_MELS, fmin=_BANDS[0][0], fmax=_BANDS[-1][1])
    power = np.concatenate([mels @ part for part in powers(audio, _SIZE, HOP)], axis=1)
    level = 10 * np.log10(np.maximum(power, 1e-10))
    level = np.maximum(level, level.max(initial=-100.0) - 70)
    # Two frames apart: a rise that falls between two frames counts as much as any other.
    rise = np.zeros_like(level)
    rise[:, 1:-1] = np.maximum(level[:, 2:] - level[:, :-2], 0)
    loudness = np.sqrt(power)
    louder = np.zeros_like(loudness)
    louder[:, 1:-1] = np.maximum(loudness[:, 2:] - loudness[:, :-2], 0)
    masks = [(centres >= low) & (centres < high) for low, high in _BANDS]
    bands = [rise[mask].mean(0) for mask in masks]
    strong = [louder[mask].mean(0) for mask in masks]
    steep = _steep(audio)
    return Onsets(
        np.stack([_sharpened(band) for band in bands]),
        np.stack([_sharpened(band) for band in strong]),
        steep,
        len(audio) / RATE,
    )


def powers(audio: NDArray[np.float32], size: int, hop: int, bins: Any = slice(None)) -> Iterator[Array]:
    """Powers of a short-time transform, ``[bins, frames]``, some frames at a time; frame i is centred on sample
    i · hop. bins: those that are wanted."""
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, size // 2), size)[::hop]
    for i in range(0, len(frames), _STRETCH):
        spectra = np.fft.rfft(frames[i : i + _STRETCH] * window)[:, bins]
        yield np.square(np.abs(spectra)).T.astype(np.float64)


def _steep(audio: NDArray[np.float32]) -> Array:
    """The fine envelope: how steeply the level rises, over all bins."""
    loudest = (float(np.abs(audio).max(initial=0.0)) * _FINE_SIZE / 2) ** 2
    before = np.zeros((_FINE_SIZE // 2 + 1, 0))
    rises = [np.zeros(1)]
    for part in powers(audio, _FINE_SIZE, _FINE_HOP):
        level = 10 * np.log10(np.maximum(part, max(1e-8 * loudest, 1e-20)))
        level = np.concatenate([before, level], axis=1)
        rises.append(np.maximum(level[:, 2:] - level[:, :-2], 0).mean(0))
        before = level[:, -2:]
    rises.append(np.zeros(1))
    return np.concatenate(rises)


def _sharpened(band: Array) -> Array:
    """Less what is usual around it, so that a steady noise counts nothing."""
    from scipy.ndimage import gaussian_filter1d

    above = np.maximum(band - gaussian_filter1d(band, 0.5 * FRAMES), 0)
    size = float(np.sqrt(np.square(above).mean())) if above.size else 0.0
    return above / size if size > 1e-9 else np.zeros_like(above)
