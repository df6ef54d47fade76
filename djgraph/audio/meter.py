"""Levels of audio that comes in blocks: sample peak, true peak and integrated loudness after ITU-R BS.1770-4.

An implementation of its own, since the numbers are to be those of pyloudnorm, which measures whole clips, and since the
bindings of libebur128 for Python (pyebur128) have had two releases, in 2021 and 2024, and none for Python 3.13.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from djgraph.arguments import real, whole
from djgraph.audio.loudness import decibels
from djgraph.dsp.loudness import CUT_FREQUENCY, CUT_Q, OFFSET, SHELF_DB, SHELF_FREQUENCY, SHELF_Q
from djgraph.dsp.true_peak import TAPS, interpolator
from djgraph.errors import InputError
from djgraph.speakers import LAYOUTS, loudness_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK, _STEP = 0.4, 0.25
"""Seconds of a gating block, and the part of it by which the next one begins later."""
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0  # LUFS, LU
LOUDNESS_CHANNELS = len(LAYOUTS)
"""Most channels that loudness is defined for."""


class Meter:
    """Measures ``[channels, n]`` blocks of a signal, however it is cut.

    What it tells, at any time, is that of all the blocks together: :attr:`peak_dbfs` as
    :func:`djgraph.audio.peak_dbfs` and :attr:`lufs` as :func:`djgraph.audio.lufs` of the whole. Memory: less than a
    second of audio, and 80 bytes a second for the energies of gating blocks.
    """

    def __init__(
        self, channels: int, sample_rate: int, *, loudness: bool = True, true_peak: bool = True
    ) -> None:
        """sample_rate: Hz. loudness, true_peak: what to measure beside the sample peak; the others cost nothing.
        Raises InputError where the loudness of that many channels is not defined (more than eight)."""
        whole(channels, "channels")
        real(sample_rate, "sample_rate", 1)
        if channels < 1 or (loudness and channels > LOUDNESS_CHANNELS):
            raise InputError(
                f"loudness is defined for [channels, samples] with 1 to {LOUDNESS_CHANNELS} channels, not {channels}"
            )
        self.channels, self.samples = channels, 0
        self._peak = 0.0
        self._loudness = _GatedLoudness(channels, sample_rate) if loudness else None
        self._interpolator = _Interpolator(channels) if true_peak else None

    def add(self, block: Tensor) -> None:
        """Take the next ``[channels, n]`` of the signal, full scale ±1. Raises InputError for another shape."""
        if block.ndim != 2 or len(block) != self.channels:
            raise InputError(
                f"a meter for {self.channels} channels takes [{self.channels}, samples], not {list(block.shape)}"
            )
        if not block.shape[1]:
            return
        block = block.detach().to("cpu")
        self.samples += block.shape[1]
        level = float(block.abs().max())
        self._peak = level if math.isnan(level) else max(self._peak, level)
        if self._loudness is not None:
            self._loudness.add(block.double().numpy())
        if self._interpolator is not None:
            self._interpolator.add(block.float())

    @property
    def peak(self) -> float:
        """Largest absolute sample; 0 before the first, NaN where a sample is NaN."""
        return self._peak

    @property
    def peak_dbfs(self) -> float:
        """Largest absolute sample in dB of full scale; −inf for silence, NaN where a sample is NaN."""
        return decibels(self._peak)

    @property
    def true_peak_dbtp(self) -> float:
        """Largest absolute value between samples, or of one, in dB of full scale, by four-fold oversampling; −inf for
        silence. Raises InputError where it is not measured."""
        if self._interpolator is None:
            raise InputError("this meter does not measure the true peak; make it with true_peak=True")
        between = self._interpolator.peak()
        return decibels(between if math.isnan(self._peak + between) else max(self._peak, between))

    @property
    def lufs(self) -> float | None:
        """Integrated loudness in LUFS; −inf where nothing passes the absolute gate at −70 LUFS, None for less than one
        block of 0.4 s. Raises InputError where it is not measured."""
        if self._loudness is None:
            raise InputError("this meter does not measure loudness; make it with loudness=True")
        return self._loudness.integrated()

    @property
    def momentary(self) -> float:
        """Loudness of the last complete gating block of 400 ms in LUFS (EBU Tech 3341); −inf before the first, for
        silence, and where loudness is not measured."""
        return -math.inf if self._loudness is None else self._loudness.momentary()


class _GatedLoudness:
    """Energies of K-weighted gating blocks. Where they begin and end, and how many there are, is pyloudnorm's rule, so
    that the results are its own."""

    def __init__(self, channels: int, rate: int) -> None:
        import numpy as np
        import pyloudnorm

        self._rate = rate
        # The standard's own filters, as in djgraph.audio.lufs.
        stages = [
            pyloudnorm.IIRfilter(gain, q, frequency, rate, kind)
            for gain, q, frequency, kind in (
                (SHELF_DB, SHELF_Q, SHELF_FREQUENCY, "high_shelf_DeMan"),
                (0.0, CUT_Q, CUT_FREQUENCY, "high_pass_DeMan"),
            )
        ]
        self._sections = np.array([[*stage.b, *stage.a] for stage in stages])
        self._state = np.zeros((len(stages), channels, 2))
        self._weights = np.array(loudness_weights(channels))
        self._squares = np.zeros((channels, 0))  # of weighted samples, from `_first` on
        self._first = 0
        self._samples = 0
        self._powers = array("d")  # of complete gating blocks: mean squares, summed over weighted channels

    def add(self, block: NDArray[np.float64]) -> None:
        import numpy as np
        from scipy.signal import sosfilt

        weighted, self._state = sosfilt(self._sections, block, axis=-1, zi=self._state)
        self._squares = np.concatenate([self._squares, np.square(weighted)], axis=1)
        self._samples += block.shape[1]
        while self._bounds(len(self._powers))[1] <= self._samples:
            self._powers.append(self._power(len(self._powers)))
        begin = min(self._bounds(len(self._powers))[0], self._samples)
        self._squares, self._first = self._squares[:, begin - self._first :].copy(), begin

    def integrated(self) -> float | None:
        import numpy as np

        if self._samples <= _BLOCK * self._rate:
            return None
        seconds = self._samples / self._rate
        count = int(np.round((seconds - _BLOCK) / (_BLOCK * _STEP)) + 1)  # the last may be incomplete
        complete = self._powers[:count]
        last = [self._power(number) for number in range(len(complete), count)]
        powers = np.concatenate((np.array(complete), last))
        absolute = 10 ** ((_ABSOLUTE_GATE - OFFSET) / 10)
        heard = powers >= absolute
        if not heard.any():
            return -math.inf
        relative = powers[heard].mean() * 10 ** (_RELATIVE_GATE / 10)
        heard = (powers > absolute) & (powers > relative)
        return OFFSET + 10 * math.log10(powers[heard].mean()) if heard.any() else -math.inf

    def momentary(self) -> float:
        power = self._powers[-1] if self._powers else 0.0
        return OFFSET + 10 * math.log10(power) if power > 0 else -math.inf

    def _bounds(self, number: int) -> tuple[int, int]:
        """First sample of a gating block, and the one after its last."""
        return (
            int(_BLOCK * (number * _STEP) * self._rate),
            int(_BLOCK * (number * _STEP + 1) * self._rate),
        )

    def _power(self, number: int) -> float:
        begin, end = self._bounds(number)
        squares = self._squares[:, begin - self._first : end - self._first]
        return float(self._weights @ squares.sum(axis=1)) / (_BLOCK * self._rate)


class _Interpolator:
    """The largest value that the signal takes at four places between samples."""

    def __init__(self, channels: int) -> None:
        # Groups of one: every channel by itself.
        self._kernel = interpolator(torch.float32, torch.device("cpu"))
        self._history = torch.zeros(channels, TAPS - 1, dtype=torch.float32, device="cpu")
        self._peak = 0.0

    def add(self, block: Tensor) -> None:
        signal = torch.cat([self._history, block], dim=1)
        self._history = signal[:, 1 - TAPS :].clone()
        self._peak = _larger(self._peak, self._between(signal))

    def peak(self) -> float:
        """Of all that has come, and of the silence after it."""
        return _larger(self._peak, self._between(torch.nn.functional.pad(self._history, (0, TAPS - 1))))

    def _between(self, signal: Tensor) -> float:
        between = torch.nn.functional.conv1d(signal[:, None], self._kernel)
        low, high = between.aminmax()
        return max(-float(low), float(high))


def _larger(one: float, other: float) -> float:
    return one if math.isnan(one) else other if math.isnan(other) else max(one, other)
