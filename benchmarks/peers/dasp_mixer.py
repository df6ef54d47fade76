"""Like work for dasp-pytorch: gain and a six-band parametric EQ per stem, and a noise reverb for each track.

dasp-pytorch has no controls that change over time and no delay, so this is less than what the DJ mixer does. Its
reverb convolves in the time domain with all 65 536 samples of its response, which takes minutes on a CPU: hence the
strips can be run without it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.peers import load
from benchmarks.plain import STEMS, TRACKS
from benchmarks.work import SAMPLE_RATE, Inputs, tensors

BANDS = {
    "low_shelf": 100.0,
    "band0": 300.0,
    "band1": 800.0,
    "band2": 2000.0,
    "band3": 4000.0,
    "high_shelf": 8000.0,
}
REVERB_BANDS = 12
RESPONSE_SAMPLES = 65536  # 1.49 s; its reverb wants it so


class DaspMixer(nn.Module):
    """Its parameters are random and learnable. ``reverb``: with a reverb for each track, or the strips' sum only.

    Raises Unavailable where dasp-pytorch is not installed.
    """

    def __init__(self, *, reverb: bool, seed: int = 0) -> None:
        super().__init__()
        self._dasp = load("dasp_pytorch.functional")
        generator = torch.Generator().manual_seed(seed)
        stems, tracks = len(TRACKS) * len(STEMS), len(TRACKS)
        self.levels = nn.Parameter(6 * torch.rand(1 + len(BANDS), stems, generator=generator) - 3)  # dB
        shape = (2 * REVERB_BANDS + 1, tracks, 1)
        self.reverb = nn.Parameter(torch.rand(shape, generator=generator)) if reverb else None

    def forward(self, inputs: Inputs) -> Tensor:
        """The mix, ``[1, 2, samples]``."""
        audio = torch.cat(tensors(inputs))
        audio = self._dasp.gain(audio, SAMPLE_RATE, self.levels[0])
        bands = {}
        for name, level in zip(BANDS, self.levels[1:]):
            bands[f"{name}_gain_db"] = level
            bands[f"{name}_cutoff_freq"] = torch.full_like(level, BANDS[name])
            bands[f"{name}_q_factor"] = torch.full_like(level, 0.7)
        audio = self._dasp.parametric_eq(audio, SAMPLE_RATE, **bands)
        buses = torch.stack([part.sum(0) for part in audio.split(len(STEMS))])
        if self.reverb is None:
            return buses.sum(0, keepdim=True)
        settings = {f"band{band}_gain": self.reverb[band] for band in range(REVERB_BANDS)}
        settings |= {f"band{band}_decay": self.reverb[REVERB_BANDS + band] for band in range(REVERB_BANDS)}
        wet: Tensor = self._dasp.noise_shaped_reverberation(
            buses, SAMPLE_RATE, **settings, mix=self.reverb[-1], num_samples=RESPONSE_SAMPLES
        )
        return wet.sum(0, keepdim=True)
