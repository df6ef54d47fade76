"""By how much a recording lags a line, in windows: correlation of envelopes, where waveforms were taken apart."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.alignment.delays import Delays, Line
from djgraph.alignment.features import RATE

HOP = 32
"""Samples at :data:`~djgraph.alignment.features.RATE` from frame to frame: 2.9 ms."""
_SIZE = 256
_BANDS = 16
_LOWEST, _HIGHEST = 80.0, 4800.0
_SLOW = 0.25
"""Seconds over which levels are averaged, and taken off: attacks stay."""
_LOOK = 6
"""Frames either way in which the top of a correlation is looked for."""
_QUIET = 1e-4
_AT_ONCE = 1 << 14


def envelopes(audio: Tensor) -> Tensor:
    """``[bands, frames]`` of ``[samples]`` at :data:`~djgraph.alignment.features.RATE`: how far each band's level is
    above its mean around; frame n is centred on sample ``n · HOP``."""
    frames = audio.shape[-1] // HOP + 1
    padded = torch.nn.functional.pad(audio, (_SIZE // 2, _SIZE))
    window = torch.hann_window(_SIZE, dtype=torch.float32, device="cpu")
    hertz = torch.arange(_SIZE // 2 + 1, dtype=torch.float32, device="cpu") * (RATE / _SIZE)
    edges = _LOWEST * (_HIGHEST / _LOWEST) ** (
        torch.arange(_BANDS + 1, dtype=torch.float32, device="cpu") / _BANDS
    )
    width = RATE / _SIZE
    # A bin lies in a band by the share of its width that does.
    low, high = hertz - width / 2, hertz + width / 2
    share = (torch.minimum(high, edges[1:, None]) - torch.maximum(low, edges[:-1, None])).clamp(min=0) / width
    energy = torch.empty(_BANDS, frames, dtype=torch.float32, device="cpu")
    for first in range(0, frames, _AT_ONCE):
        count = min(_AT_ONCE, frames - first)
        pieces = padded[first * HOP : (first + count - 1) * HOP + _SIZE].unfold(0, _SIZE, HOP)
        spectrum = torch.view_as_real(torch.fft.rfft(pieces * window))
        energy[:, first : first + count] = share @ spectrum.square().sum(-1).T
    level = (energy + _QUIET * energy.mean() + 1e-12).log()
    half = round(_SLOW * RATE / HOP / 2)
    slow = torch.nn.functional.avg_pool1d(level[None], 2 * half + 1, 1, half, count_include_pad=False)[0]
    return level - slow


def measure_envelopes(
    recording: Tensor,
    track: Tensor,
    line: Line,
    centres: NDArray[np.float64],
    seconds: float,
    most: float,
    rate: int,
) -> Delays:
    """As :func:`djgraph.alignment.delays.measure`, of envelopes.

    recording, track: of :func:`envelopes`. line, centres, most: in samples at a ``rate``, as are the lags that are
    found. seconds: of a window.
    """
    step = HOP * rate / RATE  # samples of a frame
    size, reach = round(seconds * RATE / HOP), max(2, round(most / step))
    lags, strengths = [], []
    for centre in centres:
        first = round(centre / step) - size // 2
        at = torch.arange(first, first + size, device="cpu")
        place = (line.start + line.rate * (at.double() * step - line.begins)) / step
        y = _at(track, place)
        x = _at(
            recording, torch.arange(first - reach, first + size + reach, dtype=torch.float64, device="cpu")
        )
        length = 1 << (size + 2 * reach - 1).bit_length()
        cross = (torch.fft.rfft(x, length) * torch.fft.rfft(y, length).conj()).sum(0)
        values = torch.fft.irfft(cross, length)[: 2 * reach + 1]
        scale = float((y.square().sum() * x[:, reach:-reach].square().sum()).sqrt())
        best = int(values.argmax())
        shift = 0.0
        if 0 < best < 2 * reach:
            left, middle, right = (float(value) for value in values[best - 1 : best + 2])
            bend = left - 2 * middle + right
            shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
        lags.append((best - reach + shift) * step)
        strengths.append(float(values[best]) / scale if scale > 0 else 0.0)
    return Delays(np.asarray(centres, np.float64), np.array(lags), np.array(strengths))


def blur(recording: Tensor, track: Tensor, line: Line, begins: float, ends: float, rate: int) -> float | None:
    """By how much a recording's attacks are blurred or scattered against a track's, a standard deviation in samples at
    a ``rate``: that by which both correlate less sharply than the track's with themselves. None where nothing tells.

    recording, track: of :func:`envelopes`. begins, ends: of the recording, in samples.
    """
    step = HOP * rate / RATE
    at = torch.arange(max(0, round(begins / step)), round(ends / step), dtype=torch.float64, device="cpu")
    if len(at) < _SIZE:
        return None
    x, y = _at(recording, at), _at(track, (line.start + line.rate * (at * step - line.begins)) / step)
    length = 1 << (2 * len(at) - 1).bit_length()
    first, second = torch.fft.rfft(x, length), torch.fft.rfft(y, length)
    cross = torch.fft.irfft((first * second.conj()).sum(0), length)
    own = torch.fft.irfft(second.abs().square().sum(0), length)
    top = int(torch.cat((cross[-_LOOK:], cross[: _LOOK + 1])).argmax()) - _LOOK
    widths = [_variance(cross, top), _variance(own, 0)]
    if widths[0] is None or widths[1] is None:
        return None
    return float(max(0.0, widths[0] - widths[1]) ** 0.5 * step)


def _variance(values: Tensor, top: int) -> float | None:
    """Of the bell, in frames, that falls from its top as values do on both sides."""
    middle, beside = float(values[top]), float(values[top - 1] + values[top + 1]) / 2
    if not 0 < beside < middle:
        return None
    return -0.5 / math.log(beside / middle)


def _at(rows: Tensor, place: Tensor) -> Tensor:
    """Rows at places between frames, by straight lines; 0 beyond both ends."""
    whole = place.floor()
    part = (place - whole).float()
    index = whole.long()
    inside = (index >= 0) & (index < rows.shape[1] - 1)
    index = index.clamp(0, max(0, rows.shape[1] - 2))
    following = (index + 1).clamp(max=rows.shape[1] - 1)
    return torch.where(inside, rows[:, index] * (1 - part) + rows[:, following] * part, 0.0)
