"""Convolution with a long fixed response in short blocks: uniform partitions in the frequency domain, no latency.

The response is cut into partitions of P samples, the input at multiples of P. With X_j the spectrum of input partitions
j−1 and j, and H_i that of partition i of the response, the output's partition j is the second half of the inverse
transform of Σ_i X_{j−i}·H_i (overlap-save; Wefers, "Partitioned convolution algorithms for real-time auralization",
2015, chapter 5). All terms but i = 0 are known when a partition begins, and are added up once for it; the term i = 0 is
computed for every block, of what has come of the partition by then, which is what makes the latency zero.

Everything is in PyTorch's operators and out of place: gradients pass through blocks and states.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

TOGETHER = 1 << 19
"""Complex numbers that are multiplied before they are added up, 4 MB: fewer cost more in calls."""


def partition_size(length: int) -> int:
    """Samples of a partition for a response of ``length``: fewer cost more additions, more larger transforms."""
    return 1024 if length <= 1 << 17 else 2048 if length <= 1 << 19 else 4096


def partitions(response: Tensor, size: int) -> Tensor:
    """The spectra of a response ``[channels, length]`` by partition: ``[partitions, channels, size + 1]``."""
    count = -(-response.shape[-1] // size)
    padded = torch.nn.functional.pad(response, (0, count * size - response.shape[-1]))
    return torch.fft.rfft(padded.unflatten(-1, (count, size)).movedim(-2, 0), n=2 * size)


def begin(past: Tensor, spectra: Tensor, start: int) -> dict[str, Tensor]:
    """The state at sample ``start`` of a signal whose last samples are ``past``, ``[batch, channels, samples]``.

    spectra: as :func:`partitions` gives them. The state's tensors have the batch first:

    - ``recent``: the partition before, and what has come of this one, then zeros, ``[batch, channels, 2·size]``;
    - ``line``: X_{j−1}, X_{j−2}, … as real and imaginary parts, ``[batch, partitions, channels, bins, 2]``;
    - ``sum``: Σ_{i≥1} X_{j−i}·H_i, likewise, ``[batch, channels, bins, 2]``.
    """
    count, _, bins = spectra.shape
    size, filled = bins - 1, start % (bins - 1)
    needed = (count + 1) * size + filled
    held = min(past.shape[-1], needed)
    signal = torch.nn.functional.pad(past[..., past.shape[-1] - held :], (needed - held, size - filled))
    windows = signal.unfold(-1, 2 * size, size)  # partitions −count…0, each behind the one before
    line = torch.view_as_real(torch.fft.rfft(windows[..., :-1, :]).flip(-2).movedim(-2, 1))
    return {"recent": windows[..., -1, :], "line": line, "sum": _sum(line, spectra)}


def convolve_block(
    audio: Tensor, state: Mapping[str, Tensor], spectra: Tensor, start: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """The convolved samples of a block that begins at sample ``start``, and the state behind it.

    audio: ``[batch, channels, samples]`` of any length.
    """
    recent, line, total = state["recent"], state["line"], state["sum"]
    size, samples, made, position = recent.shape[-1] // 2, audio.shape[-1], [], 0
    while position < samples:
        filled = (start + position) % size
        count = min(size - filled, samples - position)
        piece = audio[..., position : position + count]
        recent = torch.cat((recent[..., : size + filled], piece, recent[..., size + filled + count :]), -1)
        newest = torch.fft.rfft(recent)
        spectrum = torch.view_as_complex(total) + newest * spectra[0]
        wet = torch.fft.irfft(spectrum, n=2 * size)
        made.append(wet[..., size + filled : size + filled + count])
        if filled + count == size:
            line = torch.cat((torch.view_as_real(newest).unsqueeze(1), line[:, :-1]), 1)
            total = _sum(line, spectra)
            recent = torch.nn.functional.pad(recent[..., size:], (0, size))
        position += count
    out = made[0] if len(made) == 1 else torch.cat([audio[..., :0], *made], -1)
    return out, {"recent": recent, "line": line, "sum": total}


def _sum(line: Tensor, spectra: Tensor) -> Tensor:
    """Σ_{i≥1} X_{j−i}·H_i as real and imaginary parts, ``[batch, channels, bins, 2]``."""
    batch, count, channels, bins, _ = line.shape
    values = torch.view_as_complex(line)
    step = max(1, TOGETHER // (batch * channels * bins))
    total = torch.zeros_like(values[:, 0])
    for first in range(1, count, step):
        last = min(first + step, count)
        total = total + (values[:, first - 1 : last - 1] * spectra[first:last]).sum(1)
    return torch.view_as_real(total)
