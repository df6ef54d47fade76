"""Convolution with a long fixed response in short blocks: uniform partitions in the frequency domain, no latency.

The response is cut into partitions of P samples, the input at multiples of P. With X_j the spectrum of input partitions
j−1 and j, and H_i that of partition i of the response, the output's partition j is the second half of the inverse
transform of Σ_i X_{j−i}·H_i (overlap-save; Wefers, "Partitioned convolution algorithms for real-time auralization",
2015, chapter 5). All terms but i = 0 are known when a partition begins. The term i = 0 is computed for every block, of
what has come of the partition by then, which is what makes the latency zero. The terms i ≥ 2 are known a whole
partition earlier, and are added up little by little while that passes, so that blocks take equally long.

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

    spectra: as :func:`partitions` gives them. Sample ``start`` lies in input partition j. The state's tensors have the
    batch first, spectra as real and imaginary parts:

    - ``recent``: partition j−1, and what has come of j, then zeros, ``[batch, channels, 2·size]``;
    - ``line``: X_{j−1}, X_{j−2}, …, as many as the response has partitions: a ring with X_m at −m modulo their number,
      ``[batch, partitions, channels, bins, 2]``;
    - ``sum``: Σ_{i≥1} X_{j−i}·H_i, ``[batch, channels, bins, 2]``;
    - ``next``: the first terms of Σ_{i≥2} X_{j+1−i}·H_i, as many as :func:`_terms` says, likewise.
    """
    count, _, bins = spectra.shape
    size = bins - 1
    partition, filled = divmod(start, size)
    needed = (count + 1) * size + filled
    held = min(past.shape[-1], needed)
    signal = torch.nn.functional.pad(past[..., past.shape[-1] - held :], (needed - held, size - filled))
    windows = signal.unfold(-1, 2 * size, size)  # partitions −count…0, each behind the one before
    newest_first = torch.fft.rfft(windows[..., :-1, :]).flip(-2).movedim(-2, 1)
    line = newest_first.roll(1 - partition, 1)
    nothing = torch.zeros_like(line[:, 0])
    known = _add_terms(nothing, line, spectra, partition, 1, count)
    ahead = _add_terms(nothing, line, spectra, partition + 1, 2, 2 + _terms(count, size, filled))
    return {"recent": windows[..., -1, :].clone(), **_as_real(line=line, sum=known, next=ahead)}


def past_of(state: Mapping[str, Tensor], start: int, samples: int) -> Tensor:
    """The last samples before sample ``start``, ``[batch, channels, samples]``: the state has them as spectra."""
    recent, line = state["recent"], torch.view_as_complex(state["line"])
    size, count = recent.shape[-1] // 2, line.shape[1]
    partition, filled = divmod(start, size)
    before = samples - size - filled  # that lie before the partitions that ``recent`` holds
    # A spectrum is that of two partitions: every second one has all, from the oldest on.
    oldest_first = range(2, 2 + max(-(-before // size), 0), 2)[::-1]
    spectra = line[:, [(term - partition) % count for term in oldest_first]]
    audio = torch.fft.irfft(spectra, n=2 * size).movedim(1, -2).flatten(-2)
    audio = torch.cat((audio, recent[..., : size + filled]), -1)
    return audio[..., audio.shape[-1] - samples :]


def convolve_block(
    audio: Tensor, state: Mapping[str, Tensor], spectra: Tensor, start: int, owned: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    """The convolved samples of a block that begins at sample ``start``, and the state behind it.

    audio: ``[batch, channels, samples]`` of any length. owned: the state may be written to, see
    :class:`djgraph.effects.Block`.
    """
    recent = state["recent"]
    line, known, ahead = (torch.view_as_complex(state[name]) for name in ("line", "sum", "next"))
    size, samples, count = recent.shape[-1] // 2, audio.shape[-1], len(spectra)
    parts, position = [], 0
    while position < samples:
        partition, filled = divmod(start + position, size)
        stop = min(size, filled + samples - position)
        piece = audio[..., position : position + stop - filled]
        recent = _put(recent, piece, -1, size + filled, owned)
        newest = torch.fft.rfft(recent)
        wet = torch.fft.irfft(torch.addcmul(known, newest, spectra[0]), n=2 * size)
        parts.append(wet[..., size + filled : size + stop])
        done, due = (2 + _terms(count, size, place) for place in (filled, stop))
        ahead = _add_terms(ahead, line, spectra, partition + 1, done, due)
        if stop == size:
            known = torch.addcmul(ahead, newest, spectra[1]) if count > 1 else ahead
            ahead = torch.zeros_like(known)
            line = _put(line, newest.unsqueeze(1), 1, -partition % count, owned)
            recent = torch.nn.functional.pad(recent[..., size:], (0, size))
        position += stop - filled
    convolved = parts[0] if len(parts) == 1 else torch.cat([audio[..., :0], *parts], -1)
    return convolved, {"recent": recent, **_as_real(line=line, sum=known, next=ahead)}


def _as_real(**spectra: Tensor) -> dict[str, Tensor]:
    return {name: torch.view_as_real(one) for name, one in spectra.items()}


def _put(tensor: Tensor, piece: Tensor, dimension: int, place: int, owned: bool) -> Tensor:
    """The tensor with a piece at that place; in place where it may be written to."""
    stop = place + piece.shape[dimension]
    if owned:
        tensor.narrow(dimension, place, stop - place).copy_(piece)
        return tensor
    after = tensor.narrow(dimension, stop, tensor.shape[dimension] - stop)
    return torch.cat((tensor.narrow(dimension, 0, place), piece, after), dimension)


def _terms(count: int, size: int, filled: int) -> int:
    """How many of the terms i ≥ 2 are added up when so many samples of a partition have come; all at its end."""
    return max(count - 2, 0) * filled // size


def _add_terms(total: Tensor, line: Tensor, spectra: Tensor, partition: int, first: int, last: int) -> Tensor:
    """``total`` + Σ X_{partition−i}·H_i over i = ``first…last−1``, ``[batch, channels, bins]``, complex."""
    count, step = len(spectra), max(1, TOGETHER // total.numel())
    low = first
    while low < last:
        place = (low - partition) % count
        high = min(low + step, last, low + count - place)  # up to the ring's end
        total = total + (line[:, place : place + high - low] * spectra[low:high]).sum(1)
        low = high
    return total
