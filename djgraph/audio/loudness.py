"""How loud audio is: peak, RMS, integrated loudness; and scaling it to a peak."""

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


def lufs(audio: Tensor, sample_rate: int) -> float | None:
    """Integrated loudness of ``[channels, samples]`` in LUFS, after ITU-R BS.1770-4 (pyloudnorm).

    −inf where nothing passes the absolute gate at −70 LUFS; None for clips shorter than one block of 0.4 s,
    whose loudness is not defined. Raises InputError for other shapes and more than five channels.
    """
    import numpy as np
    import pyloudnorm

    check_tensor(audio)
    real(sample_rate, "sample_rate", 1)
    if audio.ndim != 2 or not 1 <= audio.shape[0] <= 5:
        raise InputError(
            f"loudness is defined for [channels, samples] with 1 to 5 channels, not {list(audio.shape)}"
        )
    # The standard's own filters, as in djgraph.losses; the default ones are up to 0.2 dB beside them.
    meter = pyloudnorm.Meter(sample_rate, filter_class="DeMan")
    if audio.shape[1] <= meter.block_size * sample_rate:
        return None
    samples = np.ascontiguousarray(audio.detach().to("cpu", torch.float64).numpy().T)
    with np.errstate(divide="ignore", invalid="ignore"):  # pyloudnorm takes the logarithm of silent blocks
        return float(meter.integrated_loudness(samples))


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
