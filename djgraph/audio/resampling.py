"""Sample rates: whole signals resampled, and signals that come in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType

import torch
from torch import Tensor

from djgraph.arguments import whole
from djgraph.audio.loudness import check_tensor
from djgraph.errors import AudioFileError

_REACH = 7
"""Periods of the lower rate that the kernel spans each way: torchaudio's are 6, widened by a rolloff of 0.99."""
_MAX_KERNEL = 1 << 24  # values in torchaudio's resampling kernel: numerator times denominator of the ratio


def resample(audio: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Audio at another sample rate: ``[…, samples]`` → ``[…, ceil(samples·to/from)]``.

    A band-limited sinc interpolation (torchaudio). Raises AudioFileError where torchaudio cannot be imported,
    and for a ratio of rates without small whole numbers, such as 44101 to 44100, which would need gigabytes.
    """
    if from_rate == to_rate:
        return audio
    check_tensor(audio)
    _check_ratio(whole(from_rate, "from_rate", 1), whole(to_rate, "to_rate", 1))
    with torch.device(
        audio.device
    ):  # whatever the process has made the default: torchaudio's constants go there
        return _torchaudio().functional.resample(audio, from_rate, to_rate)


class Cycle:
    """How two rates go together: ``down`` samples of a file become ``up`` of the target, each such block by the same
    filters. ``margin``: blocks on each side of one that its filters reach."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        common = math.gcd(from_rate, to_rate)
        self.down, self.up = from_rate // common, to_rate // common
        self.margin = math.ceil(_REACH * max(1.0, self.down / self.up) / self.down) + 1


class Resampler:
    """:func:`resample` for a signal that comes in blocks, by the same kernel.

    What :meth:`push` and then :meth:`finish` return, joined, is what ``resample`` makes of the whole signal, to
    rounding. Between calls it keeps the last samples alone, as far back as the kernel reaches.
    """

    def __init__(self, channels: int, from_rate: int, to_rate: int) -> None:
        """Raises AudioFileError as :func:`resample` does."""
        _check_ratio(from_rate, to_rate)
        self._cycle = Cycle(from_rate, to_rate)
        self._history = torch.zeros(channels, 0, dtype=torch.float32, device="cpu")
        self._done = 0  # blocks at the beginning of the history whose output has been returned
        self._run: Callable[[Tensor], Tensor] | None = None
        if from_rate != to_rate:
            with torch.device("cpu"):
                self._run = _torchaudio().transforms.Resample(from_rate, to_rate, dtype=torch.float32)

    def push(self, block: Tensor) -> Tensor:
        """Take ``[channels, n]`` float32 of the signal; return what can be told of its output by now."""
        if self._run is None:
            return block
        history = torch.cat([self._history, block], dim=1)
        down, up, margin = self._cycle.down, self._cycle.up, self._cycle.margin
        whole = history.shape[1] // down
        ready = max(self._done, whole - margin)
        fresh = history.new_zeros(len(history), 0)
        if ready > self._done:
            with torch.device("cpu"):
                fresh = self._run(history[:, : whole * down].contiguous())[:, self._done * up : ready * up]
        forget = max(0, ready - margin)
        self._history, self._done = history[:, forget * down :].clone(), ready - forget
        return fresh

    def finish(self) -> Tensor:
        """The rest of the output: the signal has ended."""
        history, done = self._history, self._done * self._cycle.up
        if self._run is None or not history.shape[1]:
            return history
        self._history, self._done = history[:, :0], 0
        with torch.device("cpu"):
            return self._run(history)[:, done:]


def _check_ratio(from_rate: int, to_rate: int) -> None:
    ratio = Fraction(to_rate, from_rate)
    if ratio.numerator * ratio.denominator > _MAX_KERNEL:
        raise AudioFileError(
            f"resampling from {from_rate} Hz to {to_rate} Hz, a ratio of {ratio},"
            " takes too much memory; give the audio a common sample rate first"
        )


def _torchaudio() -> ModuleType:
    try:
        import torchaudio.functional
        import torchaudio.transforms
    except (ImportError, OSError, RuntimeError) as problem:
        # torchaudio's library refuses a torch that was built for another CUDA version, or for none.
        raise AudioFileError(
            f"resampling needs torchaudio, which does not import here: {problem}\n"
            f"  its build has to match that of torch (here {torch.__version__}); install both together:\n"
            '  pip install "torch>=2.11,<2.15" torchaudio'
        ) from problem
    return torchaudio
