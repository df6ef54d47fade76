"""How loud audio is: peak and RMS; and scaling it to a peak."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import real, shown
from djgraph.errors import InputError


def check_tensor(audio: Any) -> None:
    """Raise InputError for audio that is no tensor."""
    if not isinstance(audio, Tensor):
        raise InputError(f"audio: expected a tensor [channels, samples], got {shown(audio)}")


def peak_dbfs(audio: Tensor) -> float:
    """Largest absolute sample of ``[…, samples]`` in dB of full scale; −inf for silence, NaN where a sample is NaN.
    Raises InputError for what is no tensor."""
    check_tensor(audio)
    return decibels(float(audio.detach().abs().max())) if audio.numel() else -math.inf


def rms_dbfs(audio: Tensor) -> float:
    """Root mean square over all channels and samples in dB of full scale (a full-scale square wave is 0 dB);
    −inf for silence, NaN where a sample is NaN. Raises InputError for what is no tensor."""
    check_tensor(audio)
    return decibels(float(audio.detach().double().square().mean().sqrt())) if audio.numel() else -math.inf


def normalize(audio: Tensor, peak: float = -1.0) -> Tensor:
    """Audio scaled as a whole so that its largest sample lies at ``peak`` dBFS; silence stays silence.

    Raises InputError for audio that holds NaN or infinity.
    """
    gain = peak_gain([audio], peak)
    return audio if gain == 1 else audio * gain


def peak_gain(signals: Sequence[Tensor], peak: float = -1.0) -> float:
    """The factor that brings the largest sample of several signals together to ``peak`` dBFS; 1 for silence.

    Scaled by one factor, the outputs of a mixer keep their balance. Raises InputError for NaN and infinity.
    """
    real(peak, "peak")
    for signal in signals:
        check_tensor(signal)
    level = max((float(signal.detach().abs().max()) for signal in signals if signal.numel()), default=0.0)
    if not all(bool(torch.isfinite(signal).all()) for signal in signals):
        raise InputError("audio that holds NaN or infinity cannot be scaled to a peak")
    return gain_to(level, peak)


def gain_to(level: float, peak: float) -> float:
    """The factor that brings a largest absolute sample to ``peak`` dBFS; 1 for silence."""
    return 10 ** (peak / 20) / level if level > 0 else 1.0


def decibels(amplitude: float) -> float:
    """An amplitude in dB of 1; −inf for 0, NaN for NaN."""
    return amplitude if math.isnan(amplitude) else 20 * math.log10(amplitude) if amplitude > 0 else -math.inf
