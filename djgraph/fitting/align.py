"""Where a target lies in time against its stems, to a fraction of a sample."""

from __future__ import annotations

import torch
from torch import Tensor

WHITENING = 0.5
"""Power of the spectra that is divided out before correlating: between plain correlation (0), whose peak the bass
makes wide, and the phase transform (1; Knapp and Carter, IEEE Trans. ASSP 24(4), 1976), which lossy codecs' empty bands
upset."""
NEGLIGIBLE = 0.01
"""Fraction of a sample that is not worth a shift: less than what the search errs by in music."""
FINE = 16
"""Steps per sample in the search for the fraction, before a parabola through the best three."""


def find_delay(target: Tensor, reference: Tensor, most: int | None = None) -> tuple[float, float]:
    """Samples by which ``target`` lags ``reference``, and how far the peak stands out, 0…1.

    Both ``[samples]``, of any lengths. most: the largest delay looked for, either way. The second number is the
    normalised correlation of the whitened signals at the peak: 1 for a shifted copy, near 0 for other music.
    """
    size = 1 << (len(target) + len(reference) - 1).bit_length()
    a, b = torch.fft.rfft(target.double(), size), torch.fft.rfft(reference.double(), size)
    a, b = _whiten(a), _whiten(b)
    scale = (a.abs().square().sum() * b.abs().square().sum()).sqrt()
    if float(scale) == 0:
        return 0.0, 0.0
    cross = a * b.conj()
    correlation = torch.fft.irfft(cross, size)
    lags = torch.arange(size, device="cpu")
    lags = torch.where(lags < size // 2, lags, lags - size)
    limit = size // 2 if most is None else most
    correlation[lags.abs() > limit] = -torch.inf
    whole = int(lags[correlation.argmax()])
    fractions = torch.arange(-FINE, FINE + 1, dtype=torch.float64, device="cpu") / FINE
    omega = torch.arange(len(cross), dtype=torch.float64, device="cpu") * (2 * torch.pi / size)
    centred = cross * torch.polar(torch.ones_like(omega), omega * whole)
    values = torch.stack(
        [(centred.real * torch.cos(omega * f) - centred.imag * torch.sin(omega * f)).sum() for f in fractions]
    )
    best = min(max(int(values.argmax()), 1), 2 * FINE - 1)
    left, middle, right = values[best - 1], values[best], values[best + 1]
    bend = left - 2 * middle + right
    shift = float((left - right) / (2 * bend)) if float(bend) < 0 else 0.0
    return whole + float(fractions[best]) + shift / FINE, float(values.max() / scale)


def advance(audio: Tensor, delay: float, samples: int) -> tuple[Tensor, Tensor]:
    """``audio`` moved ``delay`` samples towards the start, on a clip of ``samples``; and where it is known.

    audio: ``[channels, any]``. Returns ``[channels, samples]`` with zeros where there is nothing, and ``[samples]``
    of 1 and 0. A fraction of a sample is a band-limited shift, exact but for the ends.
    """
    whole = round(delay)
    fraction = delay - whole
    if abs(fraction) > NEGLIGIBLE:
        audio = _shift(audio, fraction)
    length = audio.shape[-1]
    result = audio.new_zeros(len(audio), samples)
    valid = audio.new_zeros(samples)
    start, stop = max(0, -whole), min(samples, length - whole)
    if stop > start:
        result[:, start:stop] = audio[:, start + whole : stop + whole]
        valid[start:stop] = 1
    return result, valid


def _shift(audio: Tensor, fraction: float) -> Tensor:
    """``audio[t + fraction]`` for |fraction| < 1, by a phase that is linear in frequency."""
    length = audio.shape[-1]
    size = 1 << (length + 64 - 1).bit_length()
    spectrum = torch.fft.rfft(audio.double(), size)
    omega = torch.arange(spectrum.shape[-1], dtype=torch.float64, device="cpu") * (2 * torch.pi / size)
    turned = spectrum * torch.polar(torch.ones_like(omega), omega * fraction)
    return torch.fft.irfft(turned, size)[..., :length].to(audio.dtype)


def _whiten(spectrum: Tensor) -> Tensor:
    magnitude = spectrum.abs()
    # Averaged over neighbours: single bins of music are noise, dividing by them would be noise too.
    smooth = torch.nn.functional.avg_pool1d(magnitude[None, None], 65, 1, 32, count_include_pad=False)[0, 0]
    floor = 1e-3 * smooth.mean() + 1e-12
    return spectrum / (smooth + floor) ** WHITENING
