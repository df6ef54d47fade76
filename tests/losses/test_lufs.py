"""Loudness against pyloudnorm, the standard's and the EBU's signals, and plain recursions."""

from __future__ import annotations

import math

import numpy as np
import pyloudnorm
import pytest
import torch
from effort import few, gradcheck, gradgradcheck
from scipy.signal import lfilter
from torch import Tensor

from djgraph import audio
from djgraph.errors import InputError
from djgraph.losses import Loudness, Target, loudness
from djgraph.losses.lufs import k_weighted


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(0.1 * np.random.default_rng(seed).standard_normal(shape))


def tone(parts: list[tuple[float, float]], rate: int, frequency: float = 1000) -> Tensor:
    """Sines of so many dBFS for so many seconds, one after another."""
    samples = [round(seconds * rate) for _, seconds in parts]
    level = np.repeat([10 ** (decibels / 20) for decibels, _ in parts], samples)
    return torch.from_numpy(level * np.sin(2 * np.pi * frequency / rate * np.arange(len(level))))


def test_the_weighting_is_the_standards() -> None:
    """Tables 1 and 2 of BS.1770-5 at 48 kHz, sample by sample."""
    x = noise(2, 5000)
    shelf = lfilter(
        [1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585], x
    )
    expected = lfilter([1.0, -2.0, 1.0], [1, -1.99004745483398, 0.99007225036621], shelf)
    np.testing.assert_allclose(k_weighted(x, 48000), expected, atol=1e-9)


@pytest.mark.parametrize("rate", few([48000, 44100, 22050, 11025, 8000, 96000], 3))
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_against_pyloudnorm(rate: int, channels: int) -> None:
    # Falls by 60 dB, so that both gates close; whole blocks, since pyloudnorm counts one that is nearly whole.
    swell = torch.logspace(0, -3, round(2.4 * rate), dtype=torch.float64)
    sound = torch.stack([noise(channels, len(swell), seed=s) * swell * (1 + s) for s in range(2)])
    meter = pyloudnorm.Meter(rate, filter_class="DeMan")
    expected = [meter.integrated_loudness(item.T.numpy()) for item in sound]
    assert loudness(sound, rate).tolist() == pytest.approx(expected, abs=1e-6)
    assert loudness(sound.float(), rate).tolist() == pytest.approx(expected, abs=1e-4)
    assert audio.lufs(sound[0], rate) == pytest.approx(expected[0], abs=1e-6)


@pytest.mark.parametrize(
    ("parts", "expected"),
    few(
        [
            ([(-23, 20)], -23),
            ([(-33, 20)], -33),
            ([(-36, 10), (-23, 60), (-36, 10)], -23),
            ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
            ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
        ],
        2,
    ),
)
def test_signals_of_the_ebu(parts: list[tuple[float, float]], expected: float) -> None:
    """EBU Tech 3341, cases 1 to 5: ±0.1 LU."""
    signal = tone(parts, 24000).expand(1, 2, -1)
    assert float(loudness(signal, 24000)) == pytest.approx(expected, abs=0.1)


def test_surround_of_the_ebu() -> None:
    """Case 6: 5.0 channels."""
    channels = [tone([(level, 5)], 48000) for level in (-28, -28, -24, -30, -30)]
    assert float(loudness(torch.stack(channels)[None], 48000)) == pytest.approx(-23, abs=0.1)


def test_silence_and_one_silent_item() -> None:
    sound = noise(3, 2, 8000)
    sound[1] = 0
    sound[2] *= 1e-5
    leaf = sound.requires_grad_()
    values = loudness(leaf, 8000)
    assert values[1:].tolist() == [-70.0, -70.0]
    values.sum().backward()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()
    assert leaf.grad[0].abs().max() > 0
    assert leaf.grad[1:].abs().max() == 0
    assert float(values[0].detach()) == pytest.approx(float(loudness(sound[:1].detach(), 8000)))


def test_derivatives() -> None:
    sound = noise(2, 2, 100 * 9)
    sound[0, :, :300] *= 1e-2  # some blocks are gated
    leaf = sound.requires_grad_()
    assert gradcheck(lambda x: loudness(x, 1000), (leaf,))
    assert gradgradcheck(lambda x: loudness(x, 1000), (leaf,))
    # Twice as loud is 6.02 LU more, so the derivative along the sound itself is 20/ln 10.
    (gradient,) = torch.autograd.grad(loudness(leaf, 1000).sum(), leaf)
    assert float((gradient * leaf).sum()) / 2 == pytest.approx(20 / math.log(10))
    torch.testing.assert_close(torch.vmap(lambda x: loudness(x[None], 1000)[0])(sound), loudness(sound, 1000))


def test_the_loss() -> None:
    target = noise(2, 2, 8000)
    mix = target * torch.tensor([0.5, 2.0])[:, None, None]
    each = Loudness(8000, reduction="none")(mix, target)
    assert each.tolist() == pytest.approx([20 * math.log10(2)] * 2)
    assert float(Loudness(8000)(mix, Target(target))) == pytest.approx(20 * math.log10(2))
    assert float(Loudness(8000)(target, target)) == 0
    assert float(Loudness(8000)(torch.cat([target[:1], 2 * target[:1]]), target[:1])) == pytest.approx(
        10 * math.log10(2)
    )


def test_refusals() -> None:
    for wrong in (noise(2, 8000), noise(1, 9, 8000)):
        with pytest.raises(InputError, match="1 to 8 channels"):
            loudness(wrong, 8000)
    with pytest.raises(InputError, match=r"0\.399 s is not defined; expected 0\.4 s"):
        loudness(noise(1, 2, 3192), 8000)
    assert loudness(noise(1, 2, 3200), 8000).isfinite().all()
    with pytest.raises(InputError, match="sample_rate is nan"):
        loudness(noise(1, 2, 8000), math.nan)
    with pytest.raises(InputError, match="reduction"):
        Loudness(8000, reduction="sum")


def test_what_is_not_finite_is_not_silence() -> None:
    audio = 0.1 * torch.randn(3, 2, 24_000)
    audio[0, 0, 100], audio[1, 1, 23_999] = torch.nan, torch.inf
    measured = loudness(audio, 48_000)
    assert measured.isnan().tolist() == [True, True, False]
