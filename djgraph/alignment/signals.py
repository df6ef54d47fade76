"""What tracks and recordings are given as, read as one mono signal each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import shown
from djgraph.audio import open_signals, resample
from djgraph.audio.stems import find_signal
from djgraph.errors import InputError

Sound = Tensor | str | os.PathLike[str] | Sequence[Any] | Mapping[str, Any]
"""``[channels, samples]``, or ``[samples]``, at the sample rate that is said beside it; a file, or a folder of stems;
or several of these, whose sum is meant."""

SHORTEST = 1.0
"""Seconds of a track or recording at least."""
_BLOCK = 1 << 20
_SILENT = 1e-6
_CANCELLED = 1e-3
"""Energy of the channels' mean, as a share of the loudest one's, below which that one is listened to."""


def read_mono(sound: Sound, name: str, sample_rate: int) -> Tensor:
    """``[samples]`` float32 at a sample rate: the mean of the channels of the sum, or one where that is nothing.

    name: for messages. Raises InputError for what is no sound, is silent, holds numbers that are not finite, or is
    shorter than :data:`SHORTEST`; AudioFileError for files that cannot be read.
    """
    total: Tensor | None = None
    for part in _parts(sound, name):
        mono = part if isinstance(part, Tensor) else _from_files(part, sample_rate)
        if total is None:
            total = mono
        else:
            length = max(len(total), len(mono))
            total, mono = (torch.nn.functional.pad(one, (0, length - len(one))) for one in (total, mono))
            total = total + mono
    if total is None:
        raise InputError(f"{name} is the sum of no sounds")
    if len(total) < SHORTEST * sample_rate:
        raise InputError(
            f"{name} is {len(total) / sample_rate:.3f} s long; at least {SHORTEST:g} s are needed to find anything"
        )
    if not float(total.abs().max()) > _SILENT:
        raise InputError(f"{name} is silent")
    return total


def lowered(mono: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """``[samples]`` at another rate. Raises AudioFileError for rates that have no small ratio."""
    return resample(mono[None], from_rate, to_rate)[0]


def _parts(sound: Sound, name: str) -> Iterator[Tensor | list[Path]]:
    """Mono signals, and lists of files whose sum is one."""
    if isinstance(sound, Tensor):
        yield _mono(sound, name)
    elif isinstance(sound, str | os.PathLike):
        yield find_signal(sound)
    elif isinstance(sound, Mapping):
        for key, part in sound.items():
            yield from _parts(part, f"{name}.{key}")
    elif isinstance(sound, Sequence):
        for part in sound:
            yield from _parts(part, name)
    else:
        raise InputError(
            f"{name}: expected a tensor, a file, a folder of stems, or several, got {shown(sound)}"
        )


def _mono(audio: Tensor, name: str) -> Tensor:
    if audio.ndim == 3 and audio.shape[0] == 1:
        audio = audio[0]
    if audio.ndim not in (1, 2) or not audio.is_floating_point() or not audio.numel():
        raise InputError(
            f"{name}: expected floating point audio of shape [channels, samples], not {audio.dtype} of shape "
            f"{list(audio.shape)}"
        )
    audio = audio.detach().to(dtype=torch.float32, device="cpu")
    if not bool(torch.isfinite(audio).all()):
        raise InputError(f"{name} holds NaN or infinity")
    return audio if audio.ndim == 1 else _down(audio)


def _down(audio: Tensor) -> Tensor:
    """The mean of all channels; the loudest one where they cancel out."""
    mean = audio.mean(0)
    power = audio.square().mean(1)
    if len(audio) > 1 and float(mean.square().mean()) < _CANCELLED * float(power.max()):
        return audio[int(power.argmax())].clone()
    return mean


def _from_files(files: list[Path], sample_rate: int) -> Tensor:
    """Read in blocks, so that of several stems and channels no more than that is in memory."""
    mean, powers = _read(files, sample_rate, None)
    if len(powers) > 1 and float(mean.square().sum()) < _CANCELLED * max(powers):
        mean, _ = _read(files, sample_rate, powers.index(max(powers)))
    return mean


def _read(files: list[Path], sample_rate: int, channel: int | None) -> tuple[Tensor, list[float]]:
    """The mean of the channels, or one, of the sum of files; and each channel's energy."""
    blocks: list[Tensor] = []
    powers: list[float] = []
    with open_signals({"sum": files}, sample_rate, {"sum": None}, pad=True) as reader:
        while (block := reader.read(_BLOCK)["sum"]).shape[1]:
            blocks.append(block.mean(0) if channel is None else block[channel].clone())
            energy = block.double().square().sum(1).tolist()
            powers = [one + more for one, more in zip(powers or [0.0] * len(energy), energy)]
    if not blocks:
        return torch.zeros(0, dtype=torch.float32, device="cpu"), powers
    return torch.cat(blocks), powers
