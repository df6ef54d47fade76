"""Audio files read into tensors, and resampled."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from djgraph.audio.opening import check_duration, opened
from djgraph.audio.whole import is_joined_flac
from djgraph.errors import AudioFileError

_BLOCK = 1 << 16
_MAX_KERNEL = 1 << 24  # values in torchaudio's resampling kernel: numerator times denominator of the ratio


def read(path: str | os.PathLike[str]) -> tuple[Tensor, int]:
    """A WAV, FLAC, OGG, AIFF or MP3 file as ``[channels, samples]`` float32, and its sample rate in Hz.

    Full scale is ±1. Also read are RF64, W64, CAF, AU and Opus. Nothing that the header claims is trusted with
    memory: the file is read block by block up to :data:`djgraph.audio.formats.MAX_SECONDS`. Raises AudioFileError,
    with the file's name, for a file that is missing, no audio, cut short, empty, too long, or that holds NaN or
    infinity. A container whose writer did not know the length (a stream) is read to the file's end; an MP3 to its last
    whole frame, whatever its header says, as long as there are as many as that promises.
    """
    path = Path(path)
    with opened(path) as file:
        rate = int(file.samplerate)
        blocks, samples = [], 0
        while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
            blocks.append(block)
            samples += len(block)
            check_duration(path, samples, rate)
        if file.format == "FLAC" and is_joined_flac(path):
            raise AudioFileError(f"{path} is several FLAC files joined end to end; join their audio instead")
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


def resample(audio: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Audio at another sample rate: ``[…, samples]`` → ``[…, ceil(samples·to/from)]``.

    A band-limited sinc interpolation (torchaudio). Raises AudioFileError where torchaudio cannot be imported,
    and for a ratio of rates without small whole numbers, such as 44101 to 44100, which would need gigabytes.
    """
    if from_rate == to_rate:
        return audio
    ratio = Fraction(to_rate, from_rate)
    if ratio.numerator * ratio.denominator > _MAX_KERNEL:
        raise AudioFileError(
            f"resampling from {from_rate} Hz to {to_rate} Hz, a ratio of {ratio},"
            " takes too much memory; give the audio a common sample rate first"
        )
    with torch.device(
        audio.device
    ):  # whatever the process has made the default: torchaudio's constants go there
        return _torchaudio_resample()(audio, from_rate, to_rate)


def _torchaudio_resample() -> Callable[[Tensor, int, int], Tensor]:
    try:
        from torchaudio.functional import resample
    except (ImportError, OSError, RuntimeError) as problem:
        # torchaudio's library refuses a torch that was built for another CUDA version, or for none.
        raise AudioFileError(
            f"resampling needs torchaudio, which does not import here: {problem}\n"
            f"  its build has to match that of torch (here {torch.__version__}); install both together:\n"
            '  pip install "torch>=2.11,<2.15" torchaudio'
        ) from problem
    return resample
