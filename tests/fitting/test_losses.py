"""The loss of a mix: its scale, silence, and bands of noise."""

from __future__ import annotations

import pytest
import torch

from djgraph.effects import Transform
from djgraph.fitting.bands import bands_of
from djgraph.fitting.losses import MixLoss, noise, weights
from djgraph.fitting.statistics import gather

from .conftest import RATE
from .conftest import noise as make_noise


def test_the_loss_is_1_for_silence_0_for_the_target_and_finite_on_silence() -> None:
    target = make_noise(1)
    valid = torch.ones(target.shape[-1])
    bands = bands_of(RATE, Transform(256, 64))
    statistics = gather([make_noise(2)], target, valid, bands)
    loss = MixLoss(target, valid, bands, weights(statistics.energy, bands), 4, magnitude=0.0)
    assert float(loss(torch.zeros_like(target))) == pytest.approx(1, rel=1e-4)
    assert float(loss(target)) == pytest.approx(0, abs=1e-9)
    assert float(loss(0.5 * target)) == pytest.approx(0.25, rel=1e-4)
    full = MixLoss(target, valid, bands, weights(statistics.energy, bands), 4, sizes=(64, 512))
    silence = torch.zeros_like(target).requires_grad_()
    value = full(silence)
    value.backward()
    assert torch.isfinite(value)
    assert bool(torch.isfinite(silence.grad).all())
    quiet = MixLoss(torch.zeros_like(target), valid, bands, weights(0 * statistics.energy, bands), 4)
    silence.grad = None
    quiet(silence).backward()
    assert bool(torch.isfinite(silence.grad).all())


def test_bands_of_noise_count_less() -> None:
    bands = bands_of(RATE, Transform(256, 64))
    source, other = make_noise(1), make_noise(2)
    spectrum = torch.fft.rfft(other)
    spectrum[:, : spectrum.shape[1] // 2] = 0  # noise above 2 kHz only
    target = source + torch.fft.irfft(spectrum, source.shape[-1])
    found = noise(gather([source], target, torch.ones(source.shape[-1]), bands), 8)
    frequencies = bands.frequencies
    assert float(found[frequencies < 1800].max()) < 0.05
    # As loud as the source: half of the energy.
    assert 0.35 < float(found[frequencies > 2300].mean()) < 0.6
