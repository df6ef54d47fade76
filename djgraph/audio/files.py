"""Audio files: read into tensors, resample, write without ever leaving half a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from djgraph.atomic import atomic_writer
from djgraph.errors import AudioFileError

FORMATS: dict[str, tuple[str, str]] = {
    ".wav": ("WAV", "PCM_24"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".aiff": ("AIFF", "PCM_24"),
    ".aif": ("AIFF", "PCM_24"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Suffix → libsndfile's format and the subtype that :func:`write` takes where none is asked for."""

MAX_SECONDS = 4 * 3600
"""Longest file that is read, in seconds."""
MAX_CHANNELS = 32
"""Most channels that are read."""
SAMPLE_RATES = (1_000, 768_000)
"""Lowest and highest sample rate in Hz that are taken for one."""

_BLOCK = 1 << 16
_UNKNOWN_LENGTH = 1 << 62
_MAX_KERNEL = 1 << 24  # values in torchaudio's resampling kernel: numerator times denominator of the ratio


def read(path: str | os.PathLike[str]) -> tuple[Tensor, int]:
    """A WAV, FLAC, OGG, AIFF or MP3 file as ``[channels, samples]`` float32, and its sample rate in Hz.

    Full scale is ±1. Nothing that the header claims is trusted with memory: the file is read block by block
    up to :data:`MAX_SECONDS`. Raises AudioFileError, with the file's name, for a file that is missing, no
    audio, cut short, empty, too long, or that holds NaN or infinity.
    """
    import soundfile

    path = Path(path)
    if not path.exists():
        raise AudioFileError(f"{path} does not exist")
    if not path.is_file():
        raise AudioFileError(
            f"{path} is {'a folder' if path.is_dir() else 'no ordinary file'}, not an audio file"
        )
    try:
        with soundfile.SoundFile(os.fspath(path)) as file:
            rate = int(file.samplerate)
            _check_header(path, file.channels, rate, file.frames)
            blocks, samples = [], 0
            while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
                blocks.append(block)
                samples += len(block)
                _check_duration(path, samples, rate)
            if samples < file.frames and file.format != "MP3":  # whose header's length is an estimate
                raise AudioFileError(
                    f"{path} is cut short: it promises {file.frames} samples and holds {samples}"
                )
    except soundfile.SoundFileError as problem:
        raise AudioFileError(f"{path} cannot be read as audio: {_reason(problem)}") from problem
    except OSError as problem:
        raise AudioFileError(f"{path} cannot be read: {problem.strerror or problem}") from problem
    if not samples:
        raise AudioFileError(f"{path} holds no samples")
    audio = np.ascontiguousarray(np.concatenate(blocks).T)
    if not np.isfinite(audio).all():
        bad = np.flatnonzero(~np.isfinite(audio).all(axis=0))
        raise AudioFileError(f"{path} holds NaN or infinity, {len(bad)} samples, first at sample {bad[0]}")
    return torch.from_numpy(audio), rate


def _check_header(path: Path, channels: int, rate: int, samples: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioFileError(f"{path} has {channels} channels; at most {MAX_CHANNELS} are read")
    if not SAMPLE_RATES[0] <= rate <= SAMPLE_RATES[1]:
        raise AudioFileError(
            f"{path} has a sample rate of {rate} Hz; from {SAMPLE_RATES[0]} to {SAMPLE_RATES[1]} Hz are read"
        )
    if samples >= _UNKNOWN_LENGTH:  # a FLAC that was written to a pipe; libsndfile cannot read to its end
        raise AudioFileError(f"{path} does not say how long it is; write it anew, for instance as WAV")
    _check_duration(path, samples, rate)


def _check_duration(path: Path, samples: int, rate: int) -> None:
    if samples > MAX_SECONDS * rate:
        raise AudioFileError(f"{path} is longer than the limit of {MAX_SECONDS / 3600:g} hours")


def _reason(problem: Exception) -> str:
    """libsndfile's own words, without the file name and prefix that soundfile puts before them."""
    return str(getattr(problem, "error_string", problem)).removeprefix("Error : ").rstrip(".")


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


def write(
    path: str | os.PathLike[str],
    audio: Tensor,
    sample_rate: int,
    *,
    subtype: str | None = None,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Write ``[channels, samples]`` to a file whose suffix names the format; return how many values clipped.

    A value clips where it lies beyond ±1 and the subtype is not a floating-point one; the caller decides
    whether to warn or to scale (:func:`djgraph.audio.normalize`). subtype is libsndfile's name (``PCM_16``,
    ``FLOAT``, …), 24-bit PCM unless the format is a lossy one. ``progress`` is called with the number of
    samples written since the last call. The file appears under its name only when it is complete.

    Raises AudioFileError for an unknown suffix or subtype, a folder that does not exist, a full disk, audio
    that is empty, not finite or of another shape.
    """
    import soundfile

    path = Path(path)
    container, default_subtype = format_of(path)
    subtype = (subtype or default_subtype).upper()
    if not soundfile.check_format(container, subtype):
        allowed = ", ".join(soundfile.available_subtypes(container))
        raise AudioFileError(f"{path}: {container} has no subtype {subtype!r}; it has: {allowed}")
    _check_audio(path, audio)
    samples = audio.detach().to("cpu", torch.float32)
    clipped = 0 if subtype in ("FLOAT", "DOUBLE") else int((samples.abs() > 1).sum())
    with atomic_writer(path, AudioFileError) as file:
        sink = _Sink(file)
        try:
            with soundfile.SoundFile(
                sink, "w", sample_rate, len(samples), subtype=subtype, format=container
            ) as encoder:
                for block in samples.split(_BLOCK, dim=1):
                    encoder.write(np.ascontiguousarray(block.numpy().T))
                    sink.check()
                    if progress is not None:
                        progress(block.shape[1])
        except (soundfile.SoundFileError, AssertionError) as problem:
            sink.check()
            raise AudioFileError(f"{path} cannot be written as {container}: {_reason(problem)}") from problem
        sink.check()
    return clipped


def format_of(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Format and default subtype that a name's suffix asks for; AudioFileError where it names none."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        what = f"the suffix {suffix!r} names no format" if suffix else "the name has no suffix"
        raise AudioFileError(f"{path}: {what} that audio is written in; allowed: {', '.join(FORMATS)}")
    return FORMATS[suffix]


def _check_audio(path: Path, audio: Tensor) -> None:
    if audio.ndim != 2:
        raise AudioFileError(f"{path}: audio to write is [channels, samples], not {list(audio.shape)}")
    if not audio.numel():
        raise AudioFileError(f"{path}: there is no audio to write, its shape is {list(audio.shape)}")
    if not torch.isfinite(audio).all():
        raise AudioFileError(f"{path}: the audio to write holds NaN or infinity")


class _Sink:
    """A file for libsndfile to write to that remembers what went wrong.

    libsndfile calls back from C, where an exception is printed and lost; a full disk, or Ctrl-C at the wrong
    moment, would then pass for success.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._problem: BaseException | None = None

    def check(self) -> None:
        """Raise the first problem there was."""
        if self._problem is not None:
            raise self._problem

    def _do(self, method: Callable[..., Any], *args: Any) -> Any:
        try:
            return method(*args)
        except BaseException as problem:
            self._problem = self._problem or problem
            return 0

    def write(self, data: bytes) -> int:
        return int(self._do(self._file.write, data))

    def read(self, size: int = -1) -> bytes:
        return self._do(self._file.read, size) or b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._do(self._file.seek, offset, whence))

    def tell(self) -> int:
        return int(self._do(self._file.tell))
