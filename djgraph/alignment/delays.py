"""By how much a recording lags a line, in windows: correlation of waveforms, to a fraction of a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph.dsp import read_material
from djgraph.dsp.material import material_reach

LOWEST = 60.0
"""Hz below which nothing counts: filters turn phases there, and periods are long."""
_SMOOTH = 33
_AT_ONCE = 1 << 20
_NEWTON = 4


@dataclass(frozen=True)
class Line:
    """Track position ``start`` at sample ``begins`` of the recording, from there on at a rate."""

    begins: float
    start: float
    rate: float

    def position(self, sample: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """The track's sample that sounds at a sample of the recording."""
        return np.asarray(self.start + self.rate * (np.asarray(sample, np.float64) - self.begins))

    def moved(self, lag: float, slope: float, at: float) -> Line:
        """The line that a recording is on which lags this one by ``lag + slope · (n − at)`` samples at sample n."""
        begin = lag + slope * (self.begins - at)
        return Line(self.begins, self.start - self.rate * begin, self.rate * (1 - slope))


@dataclass(frozen=True)
class Delays:
    """at: samples of the recording in the middle of windows. lag: samples by which it lags the line there. strength:
    normalised correlation at that lag, signed, −1 to 1."""

    at: NDArray[np.float64]
    lag: NDArray[np.float64]
    strength: NDArray[np.float64]


def played(track: Tensor, line: Line, first: int, samples: int) -> Tensor:
    """``[samples]`` of a track, ``[any]``, as it sounds on a line from a sample of the recording on."""
    at = torch.arange(first, first + samples, dtype=torch.float64, device="cpu")
    return _read(track, line.start + line.rate * (at - line.begins), line.rate)


def _read(track: Tensor, position: Tensor, rate: float) -> Tensor:
    reach = material_reach(rate)
    begins = min(max(0, int(position.min()) - reach), len(track))
    ends = max(begins, min(len(track), int(position.max()) + reach + 2))
    if ends == begins:
        return torch.zeros(len(position), dtype=torch.float32, device="cpu")
    return read_material(track[None, begins:ends], position, rate, begins=begins)[0]


def measure(
    recording: Tensor,
    track: Tensor,
    line: Line,
    centres: NDArray[np.int64],
    size: int,
    most: int,
    band: tuple[float, float],
    pitch: float | None = None,
) -> Delays:
    """Lags of up to ±``most`` samples in windows of ``size`` samples around some centres.

    recording, track: ``[samples]``. band: what counts, as shares of the sample rate. pitch: rate at which the track is
    read around the line, where that is not the line's: 1 for a track whose pitch was kept. Both spectra are
    divided by the root of their smoothed power (the smoothed coherence transform; Carter, Nuttall and Cable, Proc.
    IEEE 61(10), 1973), and the peak is found between samples by Newton's method on the correlation itself.
    """
    rows = max(1, _AT_ONCE // (2 * size))
    parts = [
        _measure(recording, track, line, centres[first : first + rows], size, most, band, pitch)
        for first in range(0, len(centres), rows)
    ]
    if not parts:
        return Delays(np.zeros(0), np.zeros(0), np.zeros(0))
    lag, strength = (np.concatenate([part[i] for part in parts]) for i in range(2))
    return Delays(centres.astype(np.float64), lag, strength)


def _measure(
    recording: Tensor,
    track: Tensor,
    line: Line,
    centres: NDArray[np.int64],
    size: int,
    most: int,
    band: tuple[float, float],
    pitch: float | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    middle = torch.from_numpy(centres)
    offsets = torch.arange(-(size // 2), size - size // 2, device="cpu")
    at = middle[:, None] + offsets
    heard = torch.where((at >= 0) & (at < len(recording)), recording[at.clamp(0, len(recording) - 1)], 0.0)
    speed = line.rate if pitch is None else pitch
    centre = line.start + line.rate * (middle.double() - line.begins)
    window = torch.hann_window(size, dtype=torch.float32, device="cpu")
    expected = torch.stack([_read(track, one + speed * offsets.double(), speed) for one in centre])
    x, y = (torch.fft.rfft(one * window, 2 * size) for one in (heard, expected))
    frequency = torch.arange(x.shape[1], device="cpu") / (2 * size)
    counts = (frequency >= band[0]) & (frequency <= band[1])
    x, y = (torch.where(counts, one, 0) for one in (x, y))
    x, y = _whitened(x), _whitened(y)
    scale = (x.abs().square().sum(1) * y.abs().square().sum(1)).sqrt()
    cross = x * y.conj()
    found = torch.fft.irfft(cross, 2 * size)
    around = torch.cat([found[:, -most:], found[:, : most + 1]], dim=1)
    best = around.abs().argmax(1)
    sign = around.gather(1, best[:, None])[:, 0].sign()
    lag = (best - most).double()
    omega = 2 * torch.pi * frequency.double()
    cross = cross.to(torch.complex128) * sign[:, None]
    value = torch.zeros_like(lag)
    for _ in range(_NEWTON):
        turned = cross * torch.polar(torch.ones_like(omega), omega * lag[:, None])
        value = turned.real.sum(1)
        slope = -(turned.imag * omega).sum(1)
        bend = -(turned.real * omega.square()).sum(1)
        lag = lag + torch.where(bend < 0, -slope / bend, 0.0).clamp(-0.5, 0.5)
    lag = lag.clamp(-most, most)
    strength = torch.where(scale > 0, value / scale.clamp(min=1e-20), 0.0) * sign
    return lag.numpy(), strength.double().numpy()


def _whitened(spectrum: Tensor) -> Tensor:
    power = spectrum.abs().square()
    smooth = torch.nn.functional.avg_pool1d(
        power[:, None], _SMOOTH, 1, _SMOOTH // 2, count_include_pad=False
    )[:, 0]
    floor = 1e-6 * smooth.amax(1, keepdim=True) + 1e-20
    return spectrum / (smooth + floor).sqrt()
