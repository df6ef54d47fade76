"""A signal at a multiple of its sample rate and back, for what makes frequencies that were not there."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from djgraph.dsp.checked import check_signal, checked_state
from djgraph.dsp.history import latest
from djgraph.errors import DJGraphError

FACTORS = (2, 4, 8)
HALF = 32
"""Samples at the lower rate from the middle of the filter to its ends: what each of the two functions lags by."""
BETA = 8.96
"""Of the Kaiser window: 90 dB of stop-band attenuation."""


def oversample(audio: Tensor, factor: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The same signal with ``factor`` times as many samples per second.

    Polyphase interpolation by a linear-phase FIR filter: a sinc, zero at every ``factor``-th tap, under a Kaiser
    window (J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974), ``HALF``
    samples of the lower rate to either side. So every ``factor``-th sample of the result is one of the signal's, bit
    for bit. In units of the lower rate: within 0.001 dB up to 0.454, −6 dB at 0.5, and what is above 0.546 is at
    least 90 dB below.

    audio: ``[…, samples]``, any number of samples from 0 up. factor: 2, 4 or 8. state: the last 64 samples before
    this block, ``[…, 64]``; None is silence.

    Returns ``[…, factor·samples]``, ``HALF`` = 32 samples of the lower rate late, and the state that the next block
    starts from. Linear, and differentiable as often as wanted. DJGraphError for other factors and states.
    """
    before = _checked("oversample", audio, factor, state, 2 * HALF)
    blocks = _blocks(audio, before, 2 * HALF)
    first, second = _matrices(_increase, factor, audio)
    between = blocks[..., :-1, :] @ first + blocks[..., 1:, :] @ second
    between = between.reshape(*between.shape[:-2], -1, factor - 1)[..., : audio.shape[-1], :]
    # What is HALF late passes as it is; the filter makes what lies between.
    kept = torch.cat((before[..., HALF:], audio), dim=-1)[..., : audio.shape[-1]]
    return torch.cat((kept[..., None], between), dim=-1).flatten(-2), latest(before, audio)


def decimate(audio: Tensor, factor: int, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The signal with a ``factor``-th of its samples per second, without what the lower rate cannot hold.

    The filter is that of :func:`oversample`, and as late; both together lag by 64 samples of the lower rate.

    audio: ``[…, factor·samples]``. factor: 2, 4 or 8. state: the last ``64·factor`` samples before this block; None
    is silence.

    Returns ``[…, samples]``, 32 samples of the lower rate late, and the state that the next block starts from. Linear,
    and differentiable as often as wanted. DJGraphError for other factors and states, and where the number of samples
    is no multiple of the factor.
    """
    before = _checked("decimate", audio, factor, state, 2 * HALF * factor)
    samples, rest = divmod(audio.shape[-1], factor)
    if rest:
        raise DJGraphError(f"decimate: {audio.shape[-1]} samples are no multiple of the factor {factor}")
    blocks = _blocks(audio, before, 2 * HALF * factor)
    first, second = _matrices(_reduce, factor, audio)
    low = blocks[..., :-1, :] @ first + blocks[..., 1:, :] @ second
    return low.flatten(-2)[..., :samples], latest(before, audio)


def _checked(name: str, audio: Tensor, factor: int, state: Tensor | None, length: int) -> Tensor:
    """The state, zeros where it is None."""
    if factor not in FACTORS:
        raise DJGraphError(f"{name} has a factor of 2, 4 or 8, not {factor}")
    check_signal(name, "audio", audio)
    return checked_state(name, state, audio, length)


def _blocks(audio: Tensor, before: Tensor, size: int) -> Tensor:
    """``before``, which is one block, and the signal in blocks, the last one filled up: ``[…, blocks, size]``."""
    fill = -audio.shape[-1] % size
    parts = (before, audio, audio.new_zeros(*audio.shape[:-1], fill)) if fill else (before, audio)
    return torch.cat(parts, dim=-1).unflatten(-1, (-1, size))


def lowpass_taps(factor: int) -> Tensor:
    """The filter, 1 in its middle, ``[2·HALF·factor + 1]``, float64."""
    length = 2 * HALF * factor + 1
    window = torch.kaiser_window(length, periodic=False, beta=BETA, dtype=torch.float64, device="cpu")
    place = torch.arange(length, dtype=torch.float64, device="cpu") - HALF * factor
    return torch.sinc(place / factor) * window


def _banded(taps: Tensor, sources: Tensor, targets: Tensor) -> Tensor:
    """What each source adds to each target, both given by their places at the higher rate: ``[sources, targets]``."""
    tap = targets - sources[:, None]
    inside = (tap >= 0) & (tap < len(taps))
    return torch.where(inside, taps[tap.clamp(0, len(taps) - 1)], 0.0)


def _matrices(make: Any, factor: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The two matrices, made once; a program of ``torch.compile``, which cannot look into the cache, makes its own.

    Matrices and not conv1d: on GPUs cuDNN's convolutions round to ten bits by default, and in double precision
    PyTorch's have no fast way on CPUs.
    """
    function: Callable[..., tuple[Tensor, Tensor]] = (
        make.__wrapped__ if torch.compiler.is_compiling() else make
    )
    return function(factor, like.dtype, like.device)


@lru_cache(maxsize=16)
def _increase(factor: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """What two blocks add to the samples between those of the second one, ``[size, size·(factor − 1)]`` each."""
    with torch.inference_mode(False):
        sources = torch.arange(-2 * HALF, 2 * HALF, device="cpu") * factor
        targets = torch.arange(2 * HALF * factor, device="cpu").unflatten(0, (-1, factor))[:, 1:].flatten()
        first, second = _banded(lowpass_taps(factor), sources, targets).chunk(2)
        return first.to(device, dtype), second.to(device, dtype)


@lru_cache(maxsize=16)
def _reduce(factor: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """What two blocks at the higher rate add to the second one at the lower, ``[size·factor, size]`` each."""
    with torch.inference_mode(False):
        sources = torch.arange(-2 * HALF * factor, 2 * HALF * factor, device="cpu")
        targets = torch.arange(2 * HALF, device="cpu") * factor
        first, second = _banded(lowpass_taps(factor) / factor, sources, targets).chunk(2)
        return first.to(device, dtype), second.to(device, dtype)
