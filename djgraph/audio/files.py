"""Audio files read into tensors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from djgraph.audio.opening import check_duration, opened, path_of
from djgraph.audio.width import check_serves, from_file
from djgraph.errors import AudioFileError

_BLOCK = 1 << 16


def read(path: str | os.PathLike[str]) -> tuple[Tensor, int]:
    """A WAV, FLAC, OGG, AIFF or MP3 file as ``[channels, samples]`` float32, and its sample rate in Hz.

    Full scale is ±1. Also read are RF64, W64, CAF, AU and Opus. Nothing that the header claims is trusted with
    memory: the file is read block by block up to :data:`djgraph.audio.formats.MAX_SECONDS`. Raises AudioFileError,
    with the file's name, for a file that is missing, no audio, cut short, empty, too long, or that holds NaN or
    infinity. A container whose writer did not know the length (a stream) is read to the file's end; an MP3 to its last
    whole frame, whatever its header says, as long as there are as many as that promises.
    """
    return read_as_wide(path_of(path), None)


def read_as_wide(path: Path, channels: int | None) -> tuple[Tensor, int]:
    """The same for a signal of so many channels (None: as the file is), which the file has or can be put on:
    ``[channels of the file, samples]``, in our order. AudioFileError for a file that does not serve."""
    with opened(path) as file:
        check_serves(path, file, channels)
        rate = int(file.samplerate)
        blocks, samples = [], 0
        while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
            blocks.append(from_file(file, block))
            samples += len(block)
            check_duration(path, samples, rate)
        if samples < file.frames and file.format != "MP3":  # whose frames have been counted
            raise AudioFileError(
                f"{path} is cut short: it promises {file.frames} samples and holds {samples}"
            )
    if not samples:
        raise AudioFileError(f"{path} holds no samples")
    audio = np.ascontiguousarray(np.concatenate(blocks).T)
    if not np.isfinite(audio).all():
        bad = np.flatnonzero(~np.isfinite(audio).all(axis=0))
        raise AudioFileError(f"{path} holds NaN or infinity, {len(bad)} samples, first at sample {bad[0]}")
    return torch.from_numpy(audio), rate
