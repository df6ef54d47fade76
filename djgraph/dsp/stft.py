"""The short-time Fourier transform in pieces: windows, reflected edges, frames, overlap-add.

Periodic Hann window, centred frames with reflected edges, least-squares inverse (Griffin and Lim, 1984: the
overlap-added windowed frames over the overlap-added squared window).
"""

from __future__ import annotations

import torch
from torch import Tensor


def window(size: int, like: Tensor) -> Tensor:
    """Periodic Hann window, ``[size]``."""
    return torch.hann_window(size, periodic=True, dtype=like.dtype, device=like.device)


def reflect_index(positions: Tensor, samples: int) -> Tensor:
    """Sample that each position reads when the clip is mirrored at its first and last sample, again and again."""
    if samples == 1:
        return torch.zeros_like(positions)
    period = 2 * (samples - 1)
    folded = positions.remainder(period)
    return torch.minimum(folded, period - folded)


def reflected_span(start: int, stop: int, samples: int) -> tuple[int, int]:
    """The first of the samples that positions ``start…stop−1`` read by :func:`reflect_index`, and the one after the
    last: from numbers alone, since those of a tensor on a GPU would have to be waited for."""
    if samples == 1:
        return 0, 1
    period = 2 * (samples - 1)
    ends = [min(place % period, period - place % period) for place in (start, stop - 1)]
    meets = [-(-start // period) * period, -(-(start - samples + 1) // period) * period + samples - 1]
    low = 0 if meets[0] < stop else min(ends)
    return low, samples if meets[1] < stop else max(ends) + 1


def frame_positions(samples: int, hop: int, start: int, stop: int, device: torch.device) -> Tensor:
    """Sample at the centre of frames ``start…stop−1``; beyond the clip's end, its last sample."""
    return (torch.arange(start, stop, device=device) * hop).clamp_(max=samples - 1)


def add_frames(target: Tensor, frames: Tensor, window: Tensor, hop: int) -> None:
    """Adds windowed frames ``[..., frames, size]``, laid ``hop`` apart, to ``[..., (frames − 1)·hop + size]``.

    Whole rows are added where the hop divides the size (four additions for 2048/512), else frame by frame.
    """
    *_, count, size = frames.shape
    if size % hop:
        for t in range(count):
            target[..., t * hop : t * hop + size].addcmul_(frames[..., t, :], window)
        return
    rows = target.unflatten(-1, (-1, hop))
    columns, shares = frames.split(hop, -1), window.split(hop)
    for part, (column, share) in enumerate(zip(columns, shares)):
        rows.narrow(-2, part, count).addcmul_(column, share)


def overlap_add(frames: Tensor, window: Tensor, hop: int) -> Tensor:
    """Sum of windowed frames ``[..., frames, size]`` laid ``hop`` apart: ``[..., (frames − 1)·hop + size]``.

    Differentiable.
    """
    *rest, count, size = frames.shape
    if count == 1:
        return frames.squeeze(-2) * window
    result = frames.new_zeros(*rest, (count - 1) * hop + size)
    add_frames(result, frames, window, hop)
    return result


def squared_window_sum(size: int, hop: int, frames: int, start: int, stop: int, like: Tensor) -> Tensor:
    """Overlap-added squared window at samples ``start…stop−1`` of a clip with that many centred frames."""
    square = window(size, like).square()
    positions = torch.arange(start, stop, device=like.device) + size // 2
    # Frame t covers padded positions t·hop … t·hop + size − 1.
    newest = torch.div(positions, hop, rounding_mode="floor")
    total = like.new_zeros(stop - start)
    for back in range(-(-size // hop)):
        frame = newest - back
        offset = positions - frame * hop
        inside = (frame >= 0) & (frame < frames) & (offset < size)
        total += torch.where(inside, square[offset.clamp(0, size - 1)], 0.0)
    return total


def analyse(audio: Tensor, size: int, hop: int) -> Tensor:
    """Spectra of a whole clip: ``[…, samples]`` → ``[…, frames, size/2 + 1]``. Differentiable."""
    samples = audio.shape[-1]
    padded = samples // hop * hop + size
    index = reflect_index(torch.arange(padded, device=audio.device) - size // 2, samples)
    return torch.fft.rfft(audio[..., index].unfold(-1, size, hop) * window(size, audio))


def synthesise(spectra: Tensor, size: int, hop: int, samples: int) -> Tensor:
    """The least-squares inverse of :func:`analyse`: ``[…, frames, size/2 + 1]`` → ``[…, samples]``. Differentiable."""
    frames = torch.fft.irfft(spectra, n=size)
    shape = window(size, frames)
    padded = overlap_add(frames, shape, hop)
    envelope = squared_window_sum(size, hop, spectra.shape[-2], 0, samples, shape)
    return padded[..., size // 2 : size // 2 + samples] / envelope
