"""How far a mix is from the target: finite on silence, in values and gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.dsp.stft import window
from djgraph.fitting.bands import Bands
from djgraph.fitting.statistics import Statistics, known_frames

WHITENING = 0.7
"""Power of the target's local spectrum that is divided out. At 0 only the bass counts, at 1 every band as much as the
loudest; lossy codecs' errors follow the spectrum nearly like this."""
FLOOR = 1e-4
"""What counts as silence in a band, as a share of the band's mean energy; a tenth of it of all bands' mean."""


CLEAN = 1e-2
"""Share of noise in a band below which it makes no difference."""


def weights(energy: Tensor, bands: Bands, noisy: Tensor | None = None) -> Tensor:
    """How much each block and band counts, from the target's energies ``[blocks, bands]``.

    noisy: the share of each band that is not explained (:func:`noise`); as with any measurement, what is noisy counts
    by the inverse of its variance.
    """
    density = energy / bands.widths.to(energy)
    # A neighbour on each side: a hit must not make its own attack count little and the gap before it much.
    smooth = torch.nn.functional.avg_pool1d(density.T[:, None], 3, 1, 1, count_include_pad=False)[:, 0].T
    floor = FLOOR * smooth.mean(0) + FLOOR / 10 * smooth.mean()
    whitening = (smooth + floor).clamp(min=1e-20) ** -WHITENING
    return whitening if noisy is None else whitening * (CLEAN / (CLEAN + noisy))


def noise(statistics: Statistics, blocks: int) -> Tensor:
    """Share of each band's energy that no gains of the sources explain, ``[bands]``, 0…1: what a codec did.

    Gains are free in each band and each stretch of ``blocks`` blocks.
    """
    merged = statistics.merge(blocks)
    gram, cross = merged.gram.double(), merged.cross.double()
    size = gram.shape[-1]
    trace = torch.diagonal(gram, dim1=2, dim2=3).sum(-1)
    ridge = 1e-6 * trace[..., None, None] * torch.eye(
        size, dtype=gram.dtype, device="cpu"
    ) + 1e-12 * torch.eye(size, dtype=gram.dtype, device="cpu")
    gains = torch.linalg.solve(gram + ridge, cross)
    left = merged.energy.double() - (gains * cross).sum(-1)
    return (left.clamp(min=0).sum(0) / merged.energy.double().sum(0).clamp(min=1e-20)).clamp(0, 1).float()


class MixLoss:
    """The default loss: squared differences of complex spectra, weighted, and of magnitudes at other resolutions.

    The complex part is the waveform's error with quiet bands and moments lifted; 1 means that nothing of the target
    is explained. The magnitude part forgives small errors of phase, which codecs and resampling make.

    target: ``[channels, samples]``. valid: ``[samples]``, 1 where the target is known. block_weights: ``[blocks,
    bands]`` for blocks of ``pool`` frames (:func:`weights`). sizes: windows of the magnitude part, with hops of a
    quarter. magnitude: its weight.
    """

    def __init__(
        self,
        target: Tensor,
        valid: Tensor,
        bands: Bands,
        block_weights: Tensor,
        pool: int,
        sizes: Sequence[int] = (512, 4096),
        magnitude: float = 0.02,
    ) -> None:
        self.transform = bands.transform
        self.valid = valid
        frames = self.transform.frames(target.shape[-1])
        known = known_frames(valid, self.transform.size, self.transform.hop)
        spread = block_weights.repeat_interleave(pool, 0)[:frames][:, bands.of_bin]
        self.target = target
        spectrum = self._complex(target)
        self.weight = (spread * known[:, None]).T
        total = (self.weight * spectrum.abs().square()).sum().clamp(min=1e-20)
        self.weight = self.weight / total
        self.magnitude = magnitude
        self.sizes = [size for size in sizes if size <= target.shape[-1]]
        self.magnitudes = [self._magnitude(target * valid, size) for size in self.sizes]

    def __call__(self, mix: Tensor) -> Tensor:
        """The loss of ``[channels, samples]``."""
        # The transform is linear: that of the difference is the difference of both.
        error = torch.view_as_real(self._complex(mix - self.target))
        total = (self.weight[..., None] * error.square()).sum()
        for size, wanted in zip(self.sizes, self.magnitudes):
            magnitude = self._magnitude(mix * self.valid, size)
            total = total + self.magnitude / len(self.sizes) * (magnitude - wanted).square().sum() / (
                wanted.square().sum() + 1e-8
            )
        return total

    def _complex(self, audio: Tensor) -> Tensor:
        return self._stft(audio, self.transform.size, self.transform.hop)

    def _magnitude(self, audio: Tensor, size: int) -> Tensor:
        spectrum = torch.view_as_real(self._stft(audio, size, size // 4))
        # Square root of the magnitude, so that what is quiet counts; the floor keeps slopes finite at silence.
        power = spectrum.square().sum(-1)
        return (power + 1e-8 * size).sqrt().sqrt()

    @staticmethod
    def _stft(audio: Tensor, size: int, hop: int) -> Tensor:
        # A clip shorter than half a window cannot be mirrored by torch; zeros serve as well.
        mode = "reflect" if audio.shape[-1] > size // 2 else "constant"
        return torch.stft(
            audio, size, hop, window=window(size, audio), center=True, pad_mode=mode, return_complex=True
        )
