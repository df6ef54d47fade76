"""A track read once, in blocks: what all of the analysis works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from djgraph.analysis.onsets import RATE
from djgraph.audio import Meter, open_signals, read_header
from djgraph.audio.resampling import Resampler

STEP = 0.01
"""Seconds of an energy."""
_BLOCK = 1 << 18
_TONAL = ("bass", "vocals", "other", "guitar", "piano")


@dataclass(frozen=True)
class Heard:
    """audio: mono ``[samples]`` at :data:`~djgraph.analysis.onsets.RATE`; drums, tonal: the same of the stems that
    play rhythm or notes, or all of it where there are no stems. energies: by stem, mean squares of all channels for
    every :data:`STEP`. lufs, true_peak: of the sum, dB; None where not defined."""

    seconds: float
    audio: NDArray[np.float32]
    drums: NDArray[np.float32]
    tonal: NDArray[np.float32]
    energies: Mapping[str, NDArray[np.float64]]
    lufs: float | None
    true_peak: float | None


def listen(parts: Mapping[str, Path]) -> Heard:
    """parts: files by stem; one alone is the whole track. Raises AudioFileError for what cannot be read."""
    rate = max(read_header(path).sample_rate for path in parts.values())
    step = max(1, round(STEP * rate))
    meter: Meter | None = None
    mono: dict[str, list[torch.Tensor]] = {name: [] for name in parts}
    squares: dict[str, list[torch.Tensor]] = {name: [] for name in parts}
    left = {name: torch.zeros(0, dtype=torch.float64, device="cpu") for name in parts}
    resamplers = {name: Resampler(1, rate, RATE) for name in parts}
    total = 0
    files = {name: [path] for name, path in parts.items()}
    with open_signals(files, rate, dict.fromkeys(parts, 2), pad=True) as reader:
        while True:
            blocks = reader.read(_BLOCK)
            count = next(iter(blocks.values())).shape[1]
            if not count:
                break
            total += count
            mix = torch.stack(list(blocks.values())).sum(0)
            meter = meter or Meter(len(mix), rate)
            meter.add(mix)
            for name, block in blocks.items():
                mono[name].append(resamplers[name].push(block.mean(0, keepdim=True)))
                power = torch.cat([left[name], block.double().square().mean(0)])
                whole = len(power) // step
                squares[name].append(power[: whole * step].reshape(whole, step).mean(1))
                left[name] = power[whole * step :]
    signals = {
        name: torch.cat([*pieces, resamplers[name].finish()], dim=1)[0].numpy()
        for name, pieces in mono.items()
    }
    energies = {
        name: torch.cat([*pieces, left[name].mean(0, keepdim=True)] if len(left[name]) else pieces).numpy()
        for name, pieces in squares.items()
    }
    audio = _sum(list(signals.values()))
    drums = signals.get("drums", audio)
    notes = [signal for name, signal in signals.items() if name in _TONAL]
    tonal = _sum(notes) if notes else audio
    if not drums.any():
        drums = audio
    return Heard(
        total / rate,
        audio,
        drums,
        tonal if tonal.any() else audio,
        energies,
        _finite(meter.lufs if meter else None),
        _finite(meter.true_peak_dbtp if meter else None),
    )


def _sum(signals: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    total: NDArray[np.float32] = np.stack(signals).sum(0)
    return total


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
