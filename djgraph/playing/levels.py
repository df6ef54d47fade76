"""How loud it is: peaks of strips and buses, loudness and true peak of what is heard."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from djgraph.audio.meter import LOUDNESS_CHANNELS, Meter


class Levels:
    """One thread adds, any reads."""

    def __init__(self, channels: int, sample_rate: int) -> None:
        self._peaks: dict[str, NDArray[np.float32]] = {}
        self._lock = threading.Lock()
        self.begin(channels, sample_rate)

    def begin(self, channels: int, sample_rate: int) -> None:
        """Loudness is measured anew from here on, of so many channels."""
        self._meter = Meter(channels, sample_rate, loudness=channels <= LOUDNESS_CHANNELS)
        self._rate = sample_rate

    def add(self, audio: Tensor) -> None:
        """What is heard next, ``[channels, samples]``."""
        if len(audio) != self._meter.channels:
            self.begin(len(audio), self._rate)
        self._meter.add(audio)

    def see(self, taps: Mapping[str, Tensor]) -> None:
        """What comes out of strips and buses next, by name, ``[channels, samples]``."""
        with self._lock:
            for name, signal in taps.items():
                peak = signal.abs().amax(-1).numpy()
                before = self._peaks.get(name)
                self._peaks[name] = peak if before is None else np.maximum(before, peak)

    def peaks(self) -> Mapping[str, list[float]]:
        """The largest amplitude of every strip and bus, by channel, since this was last asked."""
        with self._lock:
            peaks, self._peaks = self._peaks, {}
        return {name: [round(float(value), 6) for value in peak] for name, peak in peaks.items()}

    @property
    def loudness(self) -> tuple[float | None, float | None, float | None]:
        """Momentary and integrated loudness in LUFS, true peak in dBTP; None where there is nothing to tell."""
        numbers = (self._meter.momentary, self._meter.lufs, self._meter.true_peak_dbtp)
        momentary, integrated, peak = (None if n is None or not math.isfinite(n) else n for n in numbers)
        return momentary, integrated, peak
