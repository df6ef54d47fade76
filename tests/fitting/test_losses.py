"""The loss of a mix: its scale, silence, and bands of noise."""

from __future__ import annotations

import pytest
import torch

from djgraph.effects import Transform
from djgraph.fitting.bands import bands_of
from djgraph.fitting.losses import MixLoss, noise, weights
from djgraph.fitting.statistics import gather, known_frames

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


@pytest.mark.parametrize("samples", [200, 3001])
def test_value_and_gradient_are_those_of_whole_spectra(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against torch.stft and autograd over all of the clip, which keep every spectrum."""
    monkeypatch.setattr("djgraph.fitting.losses.TILE", 600)
    target, mix = make_noise(1)[:, :samples], make_noise(2)[:, :samples].requires_grad_()
    valid = torch.ones(samples)
    valid[: samples // 7] = 0
    bands = bands_of(RATE, Transform(256, 64))
    counts = weights(gather([target], target, valid, bands).energy, bands)
    sizes, share = (64, 512), 0.3
    value = MixLoss(target, valid, bands, counts, 4, sizes, share)(mix)
    (gradient,) = torch.autograd.grad(value, mix)

    def spectrum(audio: torch.Tensor, size: int, hop: int) -> torch.Tensor:
        window = torch.hann_window(size)
        return torch.view_as_real(torch.stft(audio, size, hop, window=window, return_complex=True))

    frames = 1 + samples // 64
    weight = counts.repeat_interleave(4, 0)[:frames][:, bands.of_bin].T
    weight = weight * known_frames(valid, 256, 64)
    left = (weight[..., None] * spectrum(mix - target, 256, 64).square()).sum()
    known = left / (weight[..., None] * spectrum(target, 256, 64).square()).sum()
    used = [size for size in sizes if size <= samples]
    for size in used:
        loud, wanted = (
            (spectrum(x * valid, size, size // 4).square().sum(-1) + 1e-8 * size) ** 0.25
            for x in (mix, target)
        )
        known = known + share / len(used) * (loud - wanted).square().sum() / wanted.square().sum()
    (slope,) = torch.autograd.grad(known, mix)
    assert value.item() == pytest.approx(known.item(), rel=1e-5)
    assert gradient.numpy() == pytest.approx(slope.numpy(), abs=1e-5 * float(slope.abs().max()))


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
