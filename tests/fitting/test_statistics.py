"""Cross spectra, block by block, against sums over SciPy's transform."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal as scipy_signal

from djgraph.effects import Transform
from djgraph.fitting.bands import bands_of
from djgraph.fitting.statistics import gather, spectrum

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


def test_quarter_turns_are_further_sources() -> None:
    bands = bands_of(RATE, Transform(64, 16))
    a, b, target = torch.from_numpy(np.random.RandomState(1).standard_normal((3, 2, 900))).float()
    plain = gather([a, b], target, torch.ones(900), bands, 3)
    found = gather([a, b], target, torch.ones(900), bands, 3, turning=2)
    torch.testing.assert_close(found.gram[..., :2, :2], plain.gram)
    torch.testing.assert_close(found.gram[..., 2:, 2:], plain.gram)  # both turned: as before
    own = torch.diagonal(found.gram, dim1=2, dim2=3)
    assert float((found.gram[..., 0, 2].abs() / own[..., 0].clamp(min=1e-3)).max()) < 1e-5  # at right angles
    torch.testing.assert_close(found.gram[..., 0, 3], -found.gram[..., 1, 2])
    # Gains of 0.6 + 0.8i for a and i for b, as one real number for each source: sums of squares by SciPy's spectra.
    gains = torch.tensor([0.6, 0.0, 0.8, 1.0])[:, None].expand(4, len(bands))
    made = found.combined(gains)
    spectra = [spectrum(x, 64, 16, 0, 57) for x in (a, b, target)]
    turned = [(0.6 + 0.8j) * spectra[0], 1j * spectra[1], spectra[2]]
    cross = sum(float((x.conj() * turned[2]).real.sum()) for x in turned[:2])
    assert float(made.cross.sum()) == pytest.approx(cross, rel=1e-4)
    square = float((turned[0].conj() * turned[1]).real.sum())
    assert float(made.gram[..., 0, 1].sum()) == pytest.approx(square, rel=1e-4)


def test_a_complex_gain_is_found_by_two_real_ones() -> None:
    bands = bands_of(RATE, Transform(64, 16))
    a = torch.from_numpy(np.random.RandomState(2).standard_normal((1, 4000))).float()
    late = torch.nn.functional.pad(a, (1, 0))[:, :4000]
    found = gather([a], late, torch.ones(4000), bands, 4, turning=1).merge(100)
    gain = torch.linalg.solve(found.gram[0], found.cross[0])
    turn = -2 * np.pi * bands.frequencies / RATE
    phase = torch.atan2(gain[:, 1], gain[:, 0])
    torch.testing.assert_close(phase[1:-1].double(), turn[1:-1], atol=0.1, rtol=0)
