"""Cross spectra, block by block, against sums over SciPy's transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal as scipy_signal

from djgraph.effects import Transform
from djgraph.fitting.bands import bands_of
from djgraph.fitting.statistics import gather

from .conftest import RATE


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("samples", [1, 999, pytest.param(4000, marks=pytest.mark.slow)])
def test_statistics_are_sums_over_scipys_transform(samples: int, channels: int) -> None:
    transform, pool = Transform(64, 16), 3
    bands = bands_of(RATE, transform)
    rng = np.random.RandomState(0)
    x, y, z = rng.standard_normal((3, channels, samples)).astype(np.float32)
    valid = np.ones(samples, np.float32)
    if samples > 1:
        valid[: samples // 3] = 0
    found = gather(
        [torch.from_numpy(x), torch.from_numpy(y)], torch.from_numpy(z), torch.from_numpy(valid), bands, pool
    )

    def transformed(audio: np.ndarray) -> np.ndarray:
        padded = np.pad(audio, ((0, 0), (32, 32)), mode="reflect" if samples > 32 else "edge")
        window = scipy_signal.windows.hann(64, sym=False)
        frames = 1 + samples // 16
        return np.stack([np.fft.rfft(padded[:, 16 * t : 16 * t + 64] * window) for t in range(frames)], 1)

    spectra = [transformed(audio) for audio in (x, y, z)]
    frames = spectra[0].shape[1]
    known = [valid[max(0, 16 * t - 32) : min(samples, 16 * t + 32)].all() for t in range(frames)]
    for block in range(-(-frames // pool)):
        here = [t for t in range(block * pool, min(block * pool + pool, frames)) if known[t]]
        for band in range(len(bands)):
            bins = slice(bands.edges[band], bands.edges[band + 1])
            part = [s[:, here, bins] for s in spectra]
            gram = [[np.real(np.sum(np.conj(a) * b)) for b in part[:2]] for a in part[:2]]
            np.testing.assert_allclose(found.gram[block, band], gram, atol=2e-3)
            cross = [np.real(np.sum(np.conj(a) * part[2])) for a in part[:2]]
            np.testing.assert_allclose(found.cross[block, band], cross, atol=2e-3)
            np.testing.assert_allclose(found.energy[block, band], np.sum(np.abs(part[2]) ** 2), atol=2e-3)
    merged = found.merge(2)
    np.testing.assert_allclose(merged.energy.sum(0), found.energy.sum(0), rtol=1e-5)
