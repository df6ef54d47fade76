"""Peak, RMS and loudness against values known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pyloudnorm
import pytest
import torch
from scipy.signal import lfilter
from torch import Tensor

from djgraph.audio import Meter, lufs, normalize, peak_dbfs, rms_dbfs
from djgraph.errors import InputError
from djgraph.losses.lufs import loudness


def sine(
    frequency: float, amplitude: float, seconds: float, rate: int = 48000, channels: int = 2
) -> torch.Tensor:
    t = torch.arange(int(seconds * rate), dtype=torch.float64) / rate
    return (amplitude * torch.sin(2 * math.pi * frequency * t)).expand(channels, -1)


def test_peak_and_rms_of_a_sine() -> None:
    tone = sine(1000, 0.5, 1)
    assert peak_dbfs(tone) == pytest.approx(-6.0206, abs=1e-3)
    assert rms_dbfs(tone) == pytest.approx(-6.0206 - 3.0103, abs=1e-3)


def test_silence() -> None:
    silence = torch.zeros(2, 48000)
    assert peak_dbfs(silence) == rms_dbfs(silence) == lufs(silence, 48000) == -math.inf
    assert peak_dbfs(torch.zeros(2, 0)) == rms_dbfs(torch.zeros(2, 0)) == -math.inf


@pytest.mark.parametrize(("channels", "expected"), [(1, -23.0), (2, -20.0)])
def test_loudness_of_the_standards_own_tone(channels: int, expected: float) -> None:
    # BS.1770: a 997 Hz sine at full scale on one channel reads -3.01 LKFS. Two channels add 3.01 dB.
    tone = sine(997, 10 ** (-20 / 20), 5, channels=channels)
    assert lufs(tone, 48000) == pytest.approx(expected, abs=0.1)


def test_loudness_of_short_clips_is_undefined() -> None:
    assert lufs(sine(1000, 0.5, 0.4), 48000) is None
    assert lufs(sine(1000, 0.5, 0.41), 48000) == pytest.approx(-6.0, abs=0.3)


def test_loudness_refuses_other_shapes() -> None:
    with pytest.raises(InputError, match=r"not \[1, 2, 48000\]"):
        lufs(torch.zeros(1, 2, 48000), 48000)


def test_normalize() -> None:
    tone = sine(1000, 3.0, 0.1).float()
    scaled = normalize(tone, -1.0)
    assert float(scaled.abs().max()) == pytest.approx(0.8912509, abs=1e-6)
    assert torch.allclose(scaled / scaled.abs().max(), tone / tone.abs().max())
    assert torch.equal(normalize(torch.zeros(2, 10)), torch.zeros(2, 10))
    assert normalize(torch.zeros(2, 0)).shape == (2, 0)


WEIGHTS = {
    1: [1],
    2: [1, 1],
    3: [1, 1, 1],
    4: [1, 1, 1.41, 1.41],
    5: [1, 1, 1, 1.41, 1.41],
    6: [1, 1, 1, 0, 1.41, 1.41],
    7: [1, 1, 1, 0, 1, 1.41, 1.41],
    8: [1, 1, 1, 0, 1, 1, 1.41, 1.41],
}
"""BS.1770-5, tables 3 and 4: ±60° to ±120° has 1.41, behind that 1; the LFE is left out."""


def by_hand(audio: Tensor, rate: int, weights: list[float]) -> float:
    """The standard's formula, block by block, with pyloudnorm's filters and its bounds of blocks."""
    stages = [
        pyloudnorm.IIRfilter(3.99984385397, 0.7071752369554193, 1681.9744509555319, rate, "high_shelf_DeMan"),
        pyloudnorm.IIRfilter(0.0, 0.5003270373253953, 38.13547087613982, rate, "high_pass_DeMan"),
    ]
    heard = audio.double().numpy()
    for stage in stages:
        heard = lfilter(stage.b, stage.a, heard)
    count = int(np.round((heard.shape[1] / rate - 0.4) / 0.1) + 1)
    powers = []
    for number in range(count):
        block = heard[:, int(0.1 * number * rate) : int(0.4 * (number * 0.25 + 1) * rate)]
        powers.append(sum(w * np.sum(x**2) / (0.4 * rate) for w, x in zip(weights, block, strict=True)))
    loud = [power for power in powers if -0.691 + 10 * np.log10(power) >= -70]
    gate = max(np.mean(loud) / 10, 10 ** (-69.309 / 10))
    return float(-0.691 + 10 * np.log10(np.mean([power for power in loud if power > gate])))


@pytest.mark.parametrize("channels", WEIGHTS)
def test_each_layout_has_its_weights(channels: int) -> None:
    rate = 16000
    generator = torch.Generator().manual_seed(channels)
    swell = torch.logspace(0, -3, round(2.4 * rate))
    audio = 0.2 * torch.randn(channels, len(swell), generator=generator) * swell
    audio *= torch.linspace(0.5, 1.5, channels)[:, None]
    expected = by_hand(audio, rate, WEIGHTS[channels])
    assert lufs(audio, rate) == pytest.approx(expected, abs=1e-4)
    meter = Meter(channels, rate)
    for block in audio.split(1999, dim=1):
        meter.add(block)
    assert meter.lufs == pytest.approx(expected, abs=1e-4)
    assert float(loudness(audio[None], rate)) == pytest.approx(expected, abs=1e-3)


def test_an_lfe_is_not_heard() -> None:
    """However loud it is."""
    audio = 0.1 * torch.randn(6, 24000, generator=torch.Generator().manual_seed(0))
    before = lufs(audio, 24000)
    audio[3] *= 100
    assert lufs(audio, 24000) == pytest.approx(before, abs=1e-9)
