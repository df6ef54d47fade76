"""Levels in blocks are those of the whole, however it is cut, and those of pyloudnorm, SciPy and the standard."""

from __future__ import annotations

import math

import numpy as np
import pyloudnorm
import pytest
import torch
from effort import examples, few
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import upfirdn
from torch import Tensor

from djgraph.audio import Meter, lufs, peak_dbfs
from djgraph.dsp.true_peak import _PHASES
from djgraph.errors import InputError


def measured(audio: Tensor, rate: int, sizes: list[int]) -> Meter:
    meter, at, number = Meter(len(audio), rate), 0, 0
    while at < audio.shape[1]:
        size = sizes[number % len(sizes)]
        meter.add(audio[:, at : at + size])
        at, number = at + size, number + 1
    return meter


def music(channels: int, samples: int, seed: int = 0) -> Tensor:
    """Noise whose level moves by 60 dB, so that both gates have something to do."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.rand(1, 1, samples // 3000 + 2, generator=generator) * 3 - 3.5
    level = torch.nn.functional.interpolate(levels, samples, mode="linear")[0]
    return 10**level * torch.randn(channels, samples, generator=generator)


def true_peak(audio: Tensor) -> float:
    """The standard's figure: zeros put between samples, one filter of 48 taps."""
    taps = np.stack([*_PHASES, *(phase[::-1] for phase in reversed(_PHASES))], axis=1).reshape(-1)
    assert len(taps) == 48
    np.testing.assert_allclose(taps, taps[::-1])
    largest = max(np.abs(upfirdn(taps, channel, up=4)).max() for channel in audio.double().numpy())
    return 20 * math.log10(max(largest, float(audio.abs().max())))


@settings(max_examples=examples(40))
@given(
    channels=st.sampled_from([1, 2, 3, 5]),
    rate=st.sampled_from([8000, 11025, 22050, 44100, 48000]),
    samples=st.integers(1, 60_000),
    sizes=st.lists(st.sampled_from([1000, 4410, 7, 17_641, 100_000]), min_size=1, max_size=4),
)
def test_a_meter_does_not_hear_the_cuts(channels: int, rate: int, samples: int, sizes: list[int]) -> None:
    audio = music(channels, samples, samples)
    meter = measured(audio, rate, sizes)
    expected = lufs(audio, rate)
    if expected is None or math.isinf(expected):
        assert meter.lufs == expected
    else:
        assert meter.lufs == pytest.approx(expected, abs=1e-6)
    assert meter.peak_dbfs == peak_dbfs(audio)
    assert meter.true_peak_dbtp == pytest.approx(true_peak(audio), abs=1e-4)
    assert meter.samples == samples


@pytest.mark.parametrize("rate", few([44100, 48000, 22050, 11025, 44056], 2))
@pytest.mark.parametrize("seconds", [0.41, 0.449, 0.45, 0.4501, 0.5, 3.04, 3.05, 3.06])
def test_incomplete_blocks_at_the_end_are_those_of_pyloudnorm(rate: int, seconds: float) -> None:
    audio = music(2, round(rate * seconds))
    expected = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(audio.double().numpy().T)
    assert measured(audio, rate, [999]).lufs == pytest.approx(expected, abs=1e-6)


def test_levels_may_be_asked_for_on_the_way() -> None:
    audio = music(2, 100_000)
    meter = Meter(2, 44100)
    for end in range(10_000, 100_001, 10_000):
        meter.add(audio[:, end - 10_000 : end])
        expected = lufs(audio[:, :end], 44100)
        assert meter.lufs == (None if expected is None else pytest.approx(expected, abs=1e-6))
        assert meter.true_peak_dbtp == pytest.approx(true_peak(audio[:, :end]), abs=1e-4)


def test_silence_and_nothing() -> None:
    meter = Meter(2, 44100)
    assert (meter.peak_dbfs, meter.true_peak_dbtp, meter.lufs) == (-math.inf, -math.inf, None)
    meter.add(torch.zeros(2, 0))
    for _ in range(5):
        meter.add(torch.zeros(2, 10_000))
    assert (meter.peak_dbfs, meter.true_peak_dbtp, meter.lufs) == (-math.inf, -math.inf, -math.inf)


def test_one_sample() -> None:
    meter = Meter(1, 44100)
    meter.add(torch.tensor([[-0.5]]))
    assert (meter.peak, meter.lufs) == (0.5, None)
    assert meter.true_peak_dbtp == meter.peak_dbfs


def test_a_sample_that_is_none() -> None:
    meter = Meter(1, 44100)
    for value in (0.5, math.nan, 0.25):
        meter.add(torch.full((1, 10), value))
    assert math.isnan(meter.peak_dbfs)
    assert math.isnan(meter.true_peak_dbtp)


def test_the_tone_of_the_standard() -> None:
    """EBU Tech 3341, cases 1 and 2: a stereo sine of 1 kHz at −23 and −33 dBFS has as many LUFS."""
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(20 * 48000, dtype=torch.float64) / 48000).expand(
        2, -1
    )
    for level in (-23.0, -33.0):
        meter = measured(10 ** (level / 20) * tone, 48000, [4800])
        assert meter.lufs == pytest.approx(level, abs=0.1)
        assert meter.peak_dbfs == pytest.approx(level, abs=0.01)


@pytest.mark.parametrize(("divisor", "phase"), [(4, 0), (4, 45), (6, 60), (8, 67.5)])
def test_true_peaks_of_the_standard(divisor: int, phase: float) -> None:
    """As in EBU Tech 3341: tones whose peak of −6 dBTP lies between samples are told within +0.2 and −0.4 dB."""
    angle = 2 * torch.pi * torch.arange(48000, dtype=torch.float64) / divisor + math.radians(phase)
    fade = (torch.arange(48000) / 480).clamp(max=1) * (torch.arange(47999, -1, -1) / 480).clamp(max=1)
    meter = measured(0.5 * torch.sin(angle)[None] * fade, 48000, [1001])
    assert -6.02 - 0.4 <= meter.true_peak_dbtp <= -6.02 + 0.2


def test_what_is_not_measured() -> None:
    with pytest.raises(InputError, match="1 to 8 channels, not 9"):
        Meter(9, 44100)
    meter = Meter(9, 44100, loudness=False, true_peak=False)
    meter.add(torch.full((9, 10), 0.5))
    assert meter.peak == 0.5
    with pytest.raises(InputError, match="does not measure loudness"):
        _ = meter.lufs
    with pytest.raises(InputError, match="does not measure the true peak"):
        _ = meter.true_peak_dbtp
    with pytest.raises(InputError, match=r"takes \[9, samples\], not \[2, 10\]"):
        meter.add(torch.zeros(2, 10))
