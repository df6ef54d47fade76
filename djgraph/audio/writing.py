"""Audio files written, without ever leaving half a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from djgraph.atomic import atomic_writer
from djgraph.audio.encoding import BLOCK, FULL_SCALE, Encoder, check_finite
from djgraph.audio.formats import MAX_CHANNELS, check_format, whole_number
from djgraph.audio.opening import path_of
from djgraph.errors import AudioFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write(
    path: str | os.PathLike[str],
    audio: Tensor | NDArray[Any],
    sample_rate: int,
    *,
    subtype: str | None = None,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Write ``[channels, samples]`` to a file whose suffix names the format; return how many values clipped.

    audio: a tensor or a NumPy array of floats, full scale ±1, or of int16 or int32, whose full scale is that of their
    type. sample_rate: a whole number of Hz. A value clips where it lies beyond ±1 and the subtype is not a
    floating-point one; the caller decides whether to warn or to scale (:func:`djgraph.audio.normalize`). subtype is
    libsndfile's name (``PCM_16``, ``FLOAT``, …), 24-bit PCM unless the format is a lossy one. A WAV of more than 4 GiB
    becomes RF64, which readers of WAV know. ``progress`` is called with the number of samples written since the last
    call. The file appears under its name only when it is complete.

    Raises AudioFileError for an unknown suffix or subtype, a sample rate or number of channels that the format does
    not take, a folder that does not exist, a full disk, audio that is empty, not finite, of another shape or type.
    """
    path = path_of(path)
    samples = _as_tensor(path, audio)
    rate = whole_number(sample_rate, f"{path}: the sample rate")
    container, subtype = check_format(path, rate, len(samples), samples.shape[1], subtype)
    check_finite(path, samples)
    with atomic_writer(path, AudioFileError) as file:
        with Encoder(path, file, container, subtype, rate, len(samples)) as encoder:
            for block in samples.split(BLOCK, dim=1):
                encoder.write(block)
                if progress is not None:
                    progress(block.shape[1])
        return encoder.clipped


def _as_tensor(path: Path, audio: object) -> Tensor:
    """The audio on the CPU, its shape and type checked."""
    if isinstance(audio, np.ndarray) and audio.dtype.kind in "fi" and audio.dtype.itemsize <= 8:
        native = np.ascontiguousarray(audio, audio.dtype.newbyteorder("="))
        audio = torch.from_numpy(native if native.flags.writeable else native.copy())
    if not isinstance(audio, Tensor):
        kind = f"an array of {audio.dtype}" if isinstance(audio, np.ndarray) else type(audio).__name__
        raise AudioFileError(f"{path}: audio to write is a tensor or a NumPy array of floats, not {kind}")
    audio = audio.detach().to("cpu")
    shape = list(audio.shape)
    if audio.ndim != 2:
        raise AudioFileError(f"{path}: audio to write is [channels, samples], not {shape}")
    if not audio.numel():
        raise AudioFileError(f"{path}: there is no audio to write, its shape is {shape}")
    if shape[0] > MAX_CHANNELS:
        turned = "; this looks like [samples, channels]: give audio.T" if shape[1] <= MAX_CHANNELS else ""
        raise AudioFileError(
            f"{path}: audio to write is [channels, samples], with at most {MAX_CHANNELS} channels, not {shape}{turned}"
        )
    if not audio.is_floating_point() and audio.dtype not in FULL_SCALE:
        raise AudioFileError(
            f"{path}: audio to write is floating-point, full scale ±1, or int16 or int32 (their full scale), not"
            f" {str(audio.dtype).removeprefix('torch.')}; scale it to ±1 first"
        )
    return audio
