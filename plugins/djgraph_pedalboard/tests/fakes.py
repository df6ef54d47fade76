"""A plugin with the interface that Pedalboard's VST3Plugin has, and parameters of Pedalboard's own class.

No VST3 plugin comes with this package or with Pedalboard. What Pedalboard makes of a plugin's parameters is its own
Python code, though, ``AudioProcessorParameter``, which reads them from a C++ object by a few methods; these are here.
So are the rules by which Pedalboard gives audio: single precision, fewer samples than it got until a plugin that lags
has caught up, memory until a reset.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pedalboard import AudioProcessorParameter
from scipy.signal import lfilter


class CppParameter:
    """What Pedalboard's ``_AudioProcessorParameter`` shows of a plugin's parameter."""

    is_automatable = True

    def __init__(
        self, name: str, text: Callable[[float], str], raw: float, label: str = "", discrete: bool = False
    ) -> None:
        self.name, self.label, self.is_discrete = name, label, discrete
        self._text, self.raw_value = text, raw

    @property
    def string_value(self) -> str:
        return self._text(self.raw_value)

    def get_text_for_raw_value(self, raw: float) -> str:
        return self._text(raw)

    def get_raw_value_for_text(self, text: str) -> float:
        return float(text)


def gain(raw: float) -> str:
    return f"{raw * 48 - 24:.2f}"


def cutoff(raw: float) -> str:
    return f"{20 * 1000**raw:.1f}"


def mode(raw: float) -> str:
    return ("Clean", "Warm", "Dirty")[min(int(raw * 3), 2)]


def switch(raw: float) -> str:
    return "On" if raw >= 0.5 else "Off"


class FakePlugin:
    """Gain, a one-pole lowpass, three modes (as it is, halved, squared), a bypass; lags by ``lag`` samples."""

    is_effect = True
    name = "Fake"
    slower: str | None = None
    """A mode in which it lags by 20 samples more."""

    def __init__(self, lag: int = 0) -> None:
        self.lag = lag
        self._cpp = {
            one.name: one
            for one in (
                CppParameter("Gain", gain, 0.5, "dB"),
                CppParameter("Cutoff", cutoff, 1.0, "Hz"),
                CppParameter("Mode", mode, 0.0, discrete=True),
                CppParameter("Bypass", switch, 0.0, discrete=True),
                CppParameter("Mix", lambda raw: f"{raw * 100:.1f}", 1.0, "%"),
            )
        }
        self.parameters = {
            one.python_name: one for one in (AudioProcessorParameter(self, name) for name in self._cpp)
        }
        self.sizes: list[int] = []
        self._clear()

    @property
    def reported_latency_samples(self) -> int:
        return self.lag + 20 * (self.slower is not None and mode(self._cpp["Mode"].raw_value) == self.slower)

    def load_preset(self, path: str) -> None:
        with open(path) as file:
            told = dict(line.split("=") for line in file.read().split())
        for name, raw in told.items():
            self._cpp[name].raw_value = float(raw)

    def _get_parameter(self, name: str) -> CppParameter:
        return self._cpp[name]

    def _clear(self) -> None:
        self._memory, self._queue, self._had = None, None, 0

    def process(self, audio: Any, sample_rate: float, buffer_size: int, reset: bool = True) -> Any:
        assert audio.dtype == np.float32
        assert audio.flags.c_contiguous
        assert audio.shape[1] <= buffer_size
        if reset:
            self._clear()
        channels, samples = audio.shape
        self.sizes.append(samples)
        if self._memory is None:
            self._memory = np.zeros((channels, 1), np.float32)
            self._queue = np.zeros((channels, self.lag), np.float32)
        raw = {name: one.raw_value for name, one in self._cpp.items()}
        factor = np.float32(10 ** ((raw["Gain"] * 48 - 24) / 20))
        share = np.float32(1 - np.exp(-2 * np.pi * 20 * 1000 ** raw["Cutoff"] / sample_rate))
        made = audio
        if samples:  # of nothing, SciPy makes no memory
            a = [np.float32(1), share - np.float32(1)]
            made, self._memory = lfilter([share], a, audio, zi=self._memory)
        made = made * factor
        kind = mode(raw["Mode"])
        made = made * np.float32(0.5) if kind == "Warm" else made**2 if kind == "Dirty" else made
        if raw["Bypass"] >= 0.5:
            made = audio.copy()
        self._queue = np.concatenate((self._queue, made), 1)
        out, self._queue = self._queue[:, :samples], self._queue[:, samples:]
        self._had += samples
        ready = min(samples, max(self._had - self.lag, 0))
        return out[:, samples - ready :]
