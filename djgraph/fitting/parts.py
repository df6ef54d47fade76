"""A mix before its controls are known: gains of sources, constant for 0.4 s in each of a few parts of the spectrum."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.dsp.stft import window
from djgraph.fitting.bands import Bands

RUN = 0.4
"""Seconds in which gains are constant."""
PARTS = 8
"""Parts of the spectrum in which they are free."""
WHITENING = 0.7
"""Power of a cell's energy that is divided out, as in the fit."""


class Parts:
    """Least squares of signals in sources ``[channels, samples]``, in cells of a run and a part of the spectrum.

    turning: so many sources, from the first on, also count a quarter of a cycle ahead.
    """

    def __init__(self, sources: list[Tensor], bands: Bands, turning: int) -> None:
        self.size = bands.transform.size
        self.samples = sources[0].shape[-1]
        self.run = max(1, round(RUN * bands.sample_rate / (self.size // 2)))
        part = bands.of_bin * PARTS // len(bands)
        self.bins = [torch.nonzero(part == number)[:, 0] for number in range(PARTS)]
        channels = max(len(signal) for signal in sources)
        spectra = self._spectra(torch.stack([signal.expand(channels, -1) for signal in sources]))
        spectra = torch.cat((spectra, 1j * spectra[:turning]))
        self.rows = [self._rows(spectra, bins) for bins in self.bins]
        self.roots = [self._root(rows) for rows in self.rows]

    def left(self, signals: Tensor) -> tuple[Tensor, Tensor]:
        """Of ``[signals, channels, samples]``: what the sources' gains leave of their products, and the products,
        ``[signals, signals]`` each, float64. Cells count by the inverse of a power of the last signal's energy."""
        spectra = self._spectra(signals)
        left, whole, energies = [], [], []
        for rows, root, bins in zip(self.rows, self.roots, self.bins):
            own = self._rows(spectra, bins)
            both = (own @ own.mT).double()
            solved = torch.linalg.solve_triangular(root, (rows @ own.mT).double(), upper=False)
            left.append(both - solved.mT @ solved)
            whole.append(both)
            energies.append(both[:, -1, -1] / max(1, len(bins)))
        energy = torch.stack(energies)
        floor = 1e-4 * energy.mean(1, keepdim=True) + 1e-5 * energy.mean() + 1e-20
        count = (energy + floor) ** -WHITENING
        return tuple((count[..., None, None] * torch.stack(one)).sum((0, 1)) for one in (left, whole))  # type: ignore[return-value]

    def model(self, signal: Tensor) -> Tensor:
        """The mix of the sources that comes nearest to ``[channels, samples]``."""
        spectrum = self._spectra(signal[None])
        frames = spectrum.shape[-1]
        found = torch.zeros_like(spectrum[0])
        for rows, root, bins in zip(self.rows, self.roots, self.bins):
            own = self._rows(spectrum, bins)
            gains = torch.cholesky_solve((rows @ own.mT).double(), root).to(rows)
            made = (gains.mT @ rows)[:, 0].unflatten(1, (len(found), len(bins), self.run, 2))
            made = torch.view_as_complex(made.contiguous()).permute(1, 2, 0, 3).flatten(2)
            found[:, bins] = made[..., :frames]
        return torch.istft(
            found, self.size, self.size // 2, window=window(self.size, signal), length=self.samples
        )

    def _spectra(self, signals: Tensor) -> Tensor:
        """``[signals, channels, bins, frames]``."""
        mode = "reflect" if self.samples > self.size // 2 else "constant"
        flat = signals.flatten(0, 1)
        made = torch.stft(
            flat,
            self.size,
            self.size // 2,
            window=window(self.size, flat),
            pad_mode=mode,
            return_complex=True,
        )
        return made.unflatten(0, signals.shape[:2])

    def _rows(self, spectra: Tensor, bins: Tensor) -> Tensor:
        """``[runs, signals, channels · bins · frames of a run · 2]``."""
        chosen = torch.nn.functional.pad(spectra[:, :, bins], (0, -spectra.shape[-1] % self.run))
        return torch.view_as_real(
            chosen.unflatten(-1, (-1, self.run)).permute(3, 0, 1, 2, 4).contiguous()
        ).flatten(2)

    @staticmethod
    def _root(rows: Tensor) -> Tensor:
        gram = (rows @ rows.mT).double()
        trace = torch.diagonal(gram, dim1=-2, dim2=-1).sum(-1)[:, None, None]
        return torch.linalg.cholesky(
            gram + (1e-6 * trace + 1e-12) * torch.eye(gram.shape[-1], dtype=gram.dtype, device="cpu")
        )
