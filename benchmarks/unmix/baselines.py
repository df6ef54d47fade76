"""What the fit is compared with: the best linear crossfade, and stem gains by least squares frame by frame."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmarks.unmix.cases import Tracks

FRAMES_PER_SECOND = 10


def linear_crossfade(stems: Tracks, target: Tensor) -> tuple[Tensor, Tensor]:
    """The linear crossfade, of all start and end points on a grid of 1/20 of the clip, that is nearest to the target.

    Returns its mix ``[2, samples]`` and both tracks' gains ``[2, frames]``.
    """
    a, b = (torch.stack(list(track.values())).sum(0) for track in stems.values())
    place = torch.linspace(0, 1, a.shape[-1])
    best: tuple[float, Tensor, Tensor] | None = None
    for first in range(20):
        for last in range(first + 1, 21):
            share = ((place - first / 20) / ((last - first) / 20)).clamp(0, 1)
            made = torch.lerp(a, b, share)
            error = float((made - target).square().sum())
            if best is None or error < best[0]:
                best = error, made, share
    assert best is not None
    frames = round(a.shape[-1] / 44100 * FRAMES_PER_SECOND) + 1
    at = torch.linspace(0, a.shape[-1] - 1, frames).long()
    return best[1], torch.stack([1 - best[2][at], best[2][at]])


def frame_gains(stems: Tracks, target: Tensor) -> tuple[Tensor, Tensor]:
    """A gain for every stem and frame, 0…1, by least squares on the samples around each frame.

    Returns the mix of these gains (lines between frames), ``[2, samples]``, and the gains ``[stems, frames]``.
    """
    audio = torch.stack([signal for track in stems.values() for signal in track.values()]).double()
    samples = audio.shape[-1]
    frames = round(samples / 44100 * FRAMES_PER_SECOND) + 1
    half = (samples - 1) / (frames - 1)
    gains = []
    for frame in range(frames):
        low, high = max(0, round((frame - 1) * half)), min(samples, round((frame + 1) * half) + 1)
        x = audio[..., low:high].flatten(1)
        gram = x @ x.T
        ridge = (1e-6 * gram.trace() / len(gram) + 1e-9) * torch.eye(len(gram), dtype=gram.dtype)
        gains.append(torch.linalg.solve(gram + ridge, x @ target[:, low:high].double().flatten()).clamp(0, 1))
    found = torch.stack(gains, 1)
    at, knots = np.arange(samples), np.linspace(0, samples - 1, frames)
    curves = torch.from_numpy(np.stack([np.interp(at, knots, row.numpy()) for row in found]))
    return (curves[:, None] * audio).sum(0).float(), found
