"""The bare FFTs that the DJ mixer cannot avoid, and nothing else.

Counted: one forward real FFT of 2048 points for every STFT frame of every channel of every stem (16 channels at 10 s:
13 792 transforms), one inverse for every frame of each track's two channels (3448), and for the reverb one forward
and one inverse real FFT per channel of each track at the size that djgraph's convolution takes for the clip. The
response's own spectrum is cached and not counted; windows, gains, sums, framing and overlap-add are not counted.

The STFT frames lie ready in memory and go through in batches of 64 frames of every channel, the way a program that
minds its cache would run them, into results that are made afresh: that is the fastest way to call PyTorch's FFT here
(all frames in one batch take about three times as long, with ``out=`` even longer).
"""

from __future__ import annotations

import math

import torch

from djgraph.dsp.convolution import fft_size

FRAMES_PER_BATCH = 64


class Transforms:
    """sizes: samples of the clip and of the reverb's response, channels that go in and out."""

    def __init__(
        self,
        samples: int,
        response: int,
        *,
        channels_in: int = 16,
        channels_out: int = 4,
        size: int = 2048,
        hop: int = 512,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        frames = 1 + samples // hop
        self.batches = [FRAMES_PER_BATCH] * (frames // FRAMES_PER_BATCH)
        if frames % FRAMES_PER_BATCH:
            self.batches.append(frames % FRAMES_PER_BATCH)
        self.channels_in, self.channels_out, self.size = channels_in, channels_out, size
        self.points = fft_size(samples, response)
        self.blocks = math.ceil(samples / (self.points - response + 1))
        generator = torch.Generator().manual_seed(0)
        self.frames = torch.randn(FRAMES_PER_BATCH, channels_in, size, dtype=dtype, generator=generator)
        self.spectra = torch.fft.rfft(self.frames[:, :channels_out])
        shape = (channels_out, self.blocks, self.points)
        self.signal = torch.randn(shape, dtype=dtype, generator=generator)
        self.spectrum = torch.fft.rfft(self.signal)

    def __call__(self) -> None:
        for count in self.batches:
            torch.fft.rfft(self.frames[:count])
            torch.fft.irfft(self.spectra[:count], n=self.size)
        torch.fft.rfft(self.signal)
        torch.fft.irfft(self.spectrum, n=self.points)

    def describe(self) -> str:
        frames = sum(self.batches)
        return (
            f"{frames * self.channels_in} forward and {frames * self.channels_out} inverse transforms of "
            f"{self.size} points; {self.channels_out * self.blocks} forward and as many inverse of {self.points}"
        )
