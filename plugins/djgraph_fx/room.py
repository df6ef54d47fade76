"""The reverb's impulse response: noise that dies away, high frequencies sooner than low ones."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

DAMPING_CORNER = 2000.0
"""Frequency in Hz at which damping has half its effect."""
DAMPING_DEPTH = 0.9
"""By how much the decay time of the very highest frequencies shrinks at damping 1."""
LOWEST_BAND = 50.0
"""Centre of the lowest band in Hz."""
BANDS_PER_OCTAVE = 3

FloatArray = NDArray[np.float64]


@functools.lru_cache(maxsize=16)
def noise_response(
    sample_rate: int, silent: int, sounding: int, damping: float, seed: int, channels: int
) -> Tensor:
    """Impulse response ``[channels, silent + sounding]`` of unit energy per channel, float64.

    ``silent`` samples of nothing, then ``sounding`` samples of noise that falls by 60 dB over their length,
    at high frequencies sooner (:func:`decay_times`). White noise convolved with it keeps its RMS. The noise
    comes from the bits of a PCG64 generator seeded with (seed, channel), a stream that NumPy promises never
    to change (NEP 19): a seed is the same room for ever, on every machine, and channels are independent.

    Cached: the result is shared and must not be written to.
    """
    response = np.zeros((channels, silent + sounding))
    for channel in range(channels):
        decaying = _decaying(_noise(seed, channel, sounding), sample_rate, damping)
        response[channel, silent:] = decaying / np.sqrt(np.sum(decaying**2))
    return torch.from_numpy(response)


def decay_times(frequencies: FloatArray, damping: float) -> FloatArray:
    """Decay time at each frequency in Hz, relative to that of the lowest frequencies."""
    squared = np.square(frequencies)
    return 1 - DAMPING_DEPTH * damping * squared / (squared + DAMPING_CORNER**2)


def _noise(seed: int, channel: int, samples: int) -> FloatArray:
    """White noise, uniform in −1…1."""
    bits = np.random.PCG64(np.random.SeedSequence([seed, channel])).random_raw(samples)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1


def _decaying(noise: FloatArray, sample_rate: int, damping: float) -> FloatArray:
    """The noise split into third-octave bands that overlap and add up to it, each with a decay of its own."""
    samples = len(noise)
    seconds = np.arange(samples) / samples  # in decay times
    if damping == 0:
        return noise * 10.0 ** (-3 * seconds)
    bands = np.arange(max(1, np.ceil(BANDS_PER_OCTAVE * np.log2(sample_rate / 2 / LOWEST_BAND))))
    times = decay_times(LOWEST_BAND * 2.0 ** (bands / BANDS_PER_OCTAVE), damping)
    size = 1 << (samples - 1).bit_length()  # the FFT of an awkward length takes a second
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate)
    position = BANDS_PER_OCTAVE * np.log2(np.maximum(frequencies, LOWEST_BAND) / LOWEST_BAND)
    position = np.minimum(position, bands[-1])
    spectrum = np.fft.rfft(noise, size)
    result = np.zeros(samples)
    for band, time in zip(bands, times):
        share = np.maximum(0, 1 - np.abs(position - band))
        result += np.fft.irfft(spectrum * share, size)[:samples] * 10.0 ** (-3 * seconds / time)
    return result
