"""Integrated loudness of whole signals."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.arguments import real
from djgraph.audio.loudness import check_tensor
from djgraph.audio.meter import LOUDNESS_CHANNELS, Meter
from djgraph.errors import InputError
from djgraph.speakers import loudness_weights

_PYLOUDNORM = (1.0, 1.0, 1.0, 1.41, 1.41)
"""The weights that pyloudnorm has, by channel."""


def lufs(audio: Tensor, sample_rate: int) -> float | None:
    """Integrated loudness of ``[channels, samples]`` in LUFS, after ITU-R BS.1770-5 (by pyloudnorm, where its weights
    are those of the layout).

    channels: 1 to 8, in the order of their layout (:mod:`djgraph.speakers`): the LFE does not count, surrounds to the
    side count 1.5 dB more. −inf where nothing passes the absolute gate at −70 LUFS; None for clips shorter than one
    block of 0.4 s, whose loudness is not defined. Raises InputError for other shapes and more than eight channels.
    """
    import numpy as np
    import pyloudnorm

    check_tensor(audio)
    real(sample_rate, "sample_rate", 1)
    if audio.ndim != 2 or not 1 <= audio.shape[0] <= LOUDNESS_CHANNELS:
        raise InputError(
            f"loudness is defined for [channels, samples] with 1 to {LOUDNESS_CHANNELS} channels, not "
            f"{list(audio.shape)}"
        )
    if loudness_weights(len(audio)) != _PYLOUDNORM[: len(audio)]:
        measured = Meter(len(audio), sample_rate, true_peak=False)
        measured.add(audio)
        return measured.lufs
    # The standard's own filters, as in djgraph.losses; the default ones are up to 0.2 dB beside them.
    meter = pyloudnorm.Meter(sample_rate, filter_class="DeMan")
    if audio.shape[1] <= meter.block_size * sample_rate:
        return None
    samples = np.ascontiguousarray(audio.detach().to("cpu", torch.float64).numpy().T)
    with np.errstate(divide="ignore", invalid="ignore"):  # pyloudnorm takes the logarithm of silent blocks
        return float(meter.integrated_loudness(samples))
