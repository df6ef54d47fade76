"""Audio files written, without ever leaving half a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from djgraph.atomic import atomic_writer
from djgraph.audio.formats import MAX_CHANNELS, check_format, whole_number
from djgraph.audio.opening import reason
from djgraph.errors import AudioFileError
from djgraph.signals import held

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 1 << 16
_FULL_SCALE = {torch.int16: 1 << 15, torch.int32: 1 << 31}


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
    import soundfile

    path = Path(path)
    samples = _as_tensor(path, audio)
    rate = whole_number(sample_rate, f"{path}: the sample rate")
    container, subtype = check_format(path, rate, len(samples), samples.shape[1], subtype)
    if samples.dtype in _FULL_SCALE and not subtype.startswith("PCM"):
        samples = samples.double() / _FULL_SCALE[samples.dtype]
    if samples.is_floating_point():
        samples = samples.to(torch.float32)
        _check_finite(path, samples)
    clipping = samples.is_floating_point() and subtype not in ("FLOAT", "DOUBLE")
    clipped = int((samples.abs() > 1).sum()) if clipping else 0
    with atomic_writer(path, AudioFileError) as file, held() as interrupted:
        sink = _Sink(file)
        try:
            with soundfile.SoundFile(
                sink, "w", rate, len(samples), subtype=subtype, format=container
            ) as encoder:
                for block in samples.split(_BLOCK, dim=1):
                    encoder.write(np.ascontiguousarray(block.numpy().T))
                    sink.check()
                    interrupted()
                    if progress is not None:
                        progress(block.shape[1])
        except (soundfile.SoundFileError, AssertionError) as problem:
            sink.check()
            raise AudioFileError(f"{path} cannot be written as {container}: {reason(problem)}") from problem
        sink.check()
    return clipped


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
    if not audio.is_floating_point() and audio.dtype not in _FULL_SCALE:
        raise AudioFileError(
            f"{path}: audio to write is floating-point, full scale ±1, or int16 or int32 (their full scale), not"
            f" {str(audio.dtype).removeprefix('torch.')}; scale it to ±1 first"
        )
    return audio


def _check_finite(path: Path, audio: Tensor) -> None:
    if not torch.isfinite(audio).all():
        bad = (~torch.isfinite(audio)).any(0).nonzero()[:, 0]
        raise AudioFileError(
            f"{path}: the audio to write holds NaN or infinity, {len(bad)} samples, first at sample {int(bad[0])}"
        )


class _Sink:
    """A file for libsndfile to write to that remembers what went wrong.

    libsndfile calls back from C, where an exception is printed and lost; a full disk would then pass for success.
    (Signals are held meanwhile: their exception might come anywhere in a callback, also outside of this class.)
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
