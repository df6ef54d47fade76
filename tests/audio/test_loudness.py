"""Peak, RMS and loudness against values known beforehand."""

from __future__ import annotations

import math

import pytest
import torch

from djgraph.audio import lufs, normalize, peak_dbfs, rms_dbfs
from djgraph.errors import InputError


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
