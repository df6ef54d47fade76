"""The losses of transitions: closed forms, signals whose answer is known, and gradients against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from effort import gradcheck
from torch import Tensor

from djgraph import losses
from djgraph.errors import InputError
from djgraph.losses import hearing, keys, levels, overlaps, windows

RATE = 8000
SECONDS = 4.0


def sine(
    hertz: float, db: float = 0.0, seconds: float = SECONDS, phase: float = 0.0, rate: int = RATE
) -> Tensor:
    """``[1, 1, samples]``, float64."""
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return (10 ** (db / 20) * torch.sin(2 * math.pi * hertz * time + phase))[None, None]


def noise(seed: int, db: float = 0.0, seconds: float = SECONDS, rate: int = RATE) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    samples = round(seconds * rate)
    return 10 ** (db / 20) * torch.randn(1, 1, samples, generator=generator, dtype=torch.float64)


def chord(notes: list[int], rate: int = RATE, seconds: float = 10.0) -> Tensor:
    tones = [sine(440 * 2 ** ((note - 69) / 12), -20, seconds, phase=0.1 * note, rate=rate) for note in notes]
    return torch.stack(tones).sum(0)


C_MAJOR = [60, 62, 64, 65, 67, 69, 71, 60, 64, 67, 60]


def in_key(tonic: int) -> Tensor:
    """All notes of a major key, those of its triad louder."""
    return chord([note + tonic for note in C_MAJOR])


@pytest.mark.parametrize("down", [0.0, 6.0, 10.0, 20.0])
def test_two_basses_by_closed_form(down: float) -> None:
    floor = 10 ** (overlaps.FLOOR_DB / 10)
    one, other = 0.5, 0.5 * 10 ** (-down / 10)
    expected = 4 * one * other / (one + other + floor) ** 2
    found = losses.bass_overlap([sine(50), sine(60, -down)], RATE)
    assert float(found) == pytest.approx(expected, rel=1e-4)
    assert expected == pytest.approx(math.cosh(down * math.log(10) / 20) ** -2, rel=1e-4)


def test_of_basses_only_the_low_band_counts() -> None:
    assert float(losses.bass_overlap([sine(50), sine(400)], RATE)) < 1e-6
    # A sine of full scale has half its power at 150 Hz.
    at_150 = windows.powers(sine(150), RATE)[0, windows.Columns.low]
    assert at_150.mean() == pytest.approx(0.25, rel=1e-3)


def test_one_bass_after_the_other_is_no_overlap() -> None:
    first, second = sine(50), sine(60)
    half = first.shape[-1] // 2
    first[..., half:] = 0
    second[..., :half] = 0
    # Only the second in which they change places has both, of 3.7.
    assert float(losses.bass_overlap([first, second], RATE)) < 0.5 / 3.7
    assert float(losses.bass_overlap([first, 0 * second], RATE)) == 0


def test_three_at_once() -> None:
    found = losses.bass_overlap([sine(50), sine(60), sine(70)], RATE)
    assert float(found) == pytest.approx(4 / 3, rel=1e-3)


def test_powers_of_windows_are_mean_squares() -> None:
    audio = noise(1)
    banded = windows.powers(audio, RATE)[0]
    columns = windows.Columns(RATE)
    time = banded[columns.barks].sum(0)
    window = torch.hann_window(4 * windows.hop_of(RATE), dtype=torch.float64)
    cut = audio[0, 0].unfold(0, len(window), windows.hop_of(RATE)) * window
    below = 20 / (RATE / 2)  # of white noise, what lies under the lowest band
    expected = cut.square().sum(-1) / window.square().sum()
    torch.testing.assert_close(time, expected * (1 - below), rtol=0.01, atol=0)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_short_term_loudness_of_a_sine_is_that_of_the_standard(rate: int) -> None:
    audio = sine(997, -20, 4.0, rate=rate)
    found = levels.short_term(windows.powers(audio, rate)[:, windows.Columns.weighted])
    expected = float(losses.loudness(audio, rate)[0])
    assert expected == pytest.approx(-23.01, abs=0.05)
    torch.testing.assert_close(found, torch.full_like(found, expected), rtol=0, atol=0.02)


def test_a_hole_is_as_deep_as_it_was_made() -> None:
    audio = noise(2, -20, 30)
    gain = torch.ones_like(audio)
    gain[..., 12 * RATE : 18 * RATE] = 10 ** (-8 / 20)
    loudness = levels.short_term(windows.powers(audio * gain, RATE)[:, windows.Columns.weighted])
    depth = levels.holes(loudness)[0]
    middle = round(15 / windows.HOP) - 2
    assert float(depth[middle]) == pytest.approx(8, abs=0.5)
    assert float(depth[: round(8 / windows.HOP)].max()) < 0.5
    assert float(losses.loudness_hole(audio * gain, RATE)) > 0.5
    assert float(losses.loudness_hole(audio, RATE)) == 0


def test_beginnings_and_ends_in_silence_are_no_holes() -> None:
    audio = noise(3, -20, 30)
    ramp = torch.linspace(0, 1, audio.shape[-1], dtype=torch.float64)
    for way in (ramp, ramp.flip(0)):
        assert float(losses.loudness_hole(audio * way, RATE)) < 0.05


def test_a_jump_is_as_high_as_it_was_made() -> None:
    audio = noise(4, -40, 20)
    audio[..., 10 * RATE :] *= 10 ** (9 / 20)
    loudness = levels.short_term(windows.powers(audio, RATE)[:, windows.Columns.weighted])
    step = levels.jumps(loudness)[0]
    assert float(step.max()) == pytest.approx(9, abs=0.4)
    assert abs(int(step.argmax()) * windows.HOP + 0.2 - 10) < 0.5
    assert float(losses.loudness_jump(audio, RATE)) > 0
    assert float(losses.loudness_jump(noise(4, -40, 20), RATE)) == 0


def test_the_edges_of_a_hole_are_no_jumps() -> None:
    audio = noise(4, -20, 30)
    audio[..., 12 * RATE : 18 * RATE] *= 0.1
    assert float(losses.loudness_jump(audio, RATE)) == 0
    assert float(losses.loudness_hole(audio, RATE)) > 1


def test_clipping_is_in_decibels_over_the_ceiling() -> None:
    # A sine at a 32nd of the sample rate has its peaks found to 0.04 dB.
    assert float(losses.clipping(sine(250, 3.0), RATE)) == pytest.approx(3.0, abs=0.05)
    assert float(losses.clipping(sine(250, -0.5), RATE)) == 0
    assert float(losses.clipping(sine(250, -0.5), RATE, ceiling_db=-1)) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("gain", [1.0, 0.5, 0.1])
def test_a_track_beside_its_inverse_by_closed_form(gain: float) -> None:
    audio = noise(5)
    expected = max(0.0, 1 - 2 * (1 - gain) ** 2 / (1 + gain**2))
    assert float(losses.cancellation([audio, -gain * audio], RATE)) == pytest.approx(expected, abs=1e-4)
    assert float(losses.cancellation([audio, gain * audio], RATE)) == 0


def test_what_has_nothing_in_common_does_not_cancel() -> None:
    assert float(losses.cancellation([noise(6), noise(7)], RATE)) < 0.005


def test_keys_are_told_and_their_distance_counts() -> None:
    columns = windows.Columns(RATE)
    for tonic in (0, 3, 7):
        chroma = windows.powers(in_key(tonic), RATE)[:, None, columns.chroma]
        assert int(keys.keys(chroma)[0, 0, :, 40].argmax()) == tonic
    near = float(losses.key_clash([in_key(0), in_key(7)], RATE))
    same = float(losses.key_clash([in_key(0), in_key(0)], RATE))
    far = float(losses.key_clash([in_key(0), in_key(6)], RATE))
    assert max(same, near) < 0.1 < 0.5 < far <= 1


def test_the_wheel_is_that_of_the_analysis() -> None:
    from djgraph.analysis.key import Key, distance

    names = [Key(k % 12, k >= 12, 1.0).camelot for k in range(24)]
    expected = torch.tensor([[distance(a, b) for b in names] for a in names], dtype=torch.float64)
    certain = torch.eye(24, dtype=torch.float64)[:, None, :, None]
    for a in range(24):
        pair = torch.cat((certain[a : a + 1].expand(24, -1, -1, -1), certain), 1)
        found = keys.apart(pair)[:, 0, 0]
        torch.testing.assert_close(found, ((expected[a] - 1) / 5).clamp(0, 1))


def test_noise_has_no_key() -> None:
    assert float(losses.key_clash([noise(8, -20, 10), in_key(0)], RATE)) < 0.05


def test_audibility_by_closed_form() -> None:
    # One band each, the room far below: (D + 15)/30.
    barks = torch.zeros(1, 2, 24, 1, dtype=torch.float64)
    for down in (0.0, 6.0, 12.0, 15.0, 30.0):
        barks[0, :, 10, 0] = torch.tensor([1.0, 10 ** (-down / 10)], dtype=torch.float64)
        heard = hearing.audibility(barks)[0, :, 0]
        spread = 15.81 + 7.5 * 0.474 - 17.5 * math.sqrt(1 + 0.474**2)  # dB, of a band into itself
        assert float(heard[1]) == pytest.approx(max(0.0, (15 - down - spread) / 30), abs=1e-3)
        assert float(heard[0]) == pytest.approx(min(1.0, (15 + down - spread) / 30), abs=1e-3)


def test_what_lies_apart_in_frequency_is_heard() -> None:
    loud, soft = sine(100, 0), sine(3000, -40)
    assert float(losses.inaudible([loud, soft], RATE)) == 0
    masked = noise(9, -40)
    assert float(losses.inaudible([noise(10), masked], RATE)) > 0.5
    assert float(losses.inaudible([noise(10), 0 * masked], RATE)) == 0


PAIRS: list[Callable[..., Tensor]] = [
    losses.bass_overlap,
    losses.vocal_overlap,
    losses.key_clash,
    losses.inaudible,
    losses.cancellation,
]
MIXES: list[Callable[..., Tensor]] = [losses.loudness_hole, losses.loudness_jump, losses.clipping]


@pytest.mark.parametrize("loss", PAIRS)
def test_gradients_of_pairs(loss: Callable[..., Tensor]) -> None:
    rate = 4000
    one = (noise(11, -12, 0.6, rate) + sine(60, -6, 0.6, rate=rate)).requires_grad_()
    other = (noise(12, -26, 0.6, rate) - 0.3 * one.detach() + sine(70, -9, 0.6, rate=rate)).requires_grad_()

    def run(gains: Tensor) -> Tensor:
        return loss([gains[0] * one, gains[1] * other], rate)

    gains = torch.tensor([0.9, 0.4], dtype=torch.float64, requires_grad=True)
    assert gradcheck(run, (gains,))


@pytest.mark.parametrize("loss", MIXES)
def test_gradients_of_mixes(loss: Callable[..., Tensor]) -> None:
    rate, audio = 4000, noise(13, -6, 12, 4000)
    audio[..., 5 * rate : 7 * rate] *= 0.1

    def run(gains: Tensor) -> Tensor:
        curve = torch.nn.functional.interpolate(gains[None, None], audio.shape[-1], mode="linear")
        return loss(audio * curve, rate)

    gains = torch.tensor([0.2, 1.0, 0.3, 2.0, 2.5, 0.1], dtype=torch.float64, requires_grad=True)
    assert float(run(gains.detach())) > 0
    assert gradcheck(run, (gains,), atol=1e-4)


@pytest.mark.parametrize("loss", [*PAIRS, *MIXES])
def test_silence_is_finite_and_items_are_independent(loss: Callable[..., Tensor]) -> None:
    two = loss in PAIRS
    for dtype in (torch.float32, torch.float64):
        silent = torch.zeros(2, 2, RATE, dtype=dtype, requires_grad=True)
        value = loss([silent, silent] if two else silent, RATE)
        value.backward()
        assert value == 0
        assert silent.grad is not None
        assert torch.isfinite(silent.grad).all()
    batch = torch.cat((noise(14, -6), noise(15, 0), 0 * noise(16))).expand(-1, 2, -1)
    other = 0.7 * batch.flip(-1) - 0.1 * batch
    several = loss([batch, other] if two else batch, RATE, reduction="none")
    for i in range(3):
        alone = loss([batch[i : i + 1], other[i : i + 1]] if two else batch[i : i + 1], RATE)
        assert float(several[i]) == pytest.approx(float(alone), abs=1e-9)
    assert float(several.mean()) == pytest.approx(float(loss([batch, other] if two else batch, RATE)))


def test_what_does_not_fit_is_told() -> None:
    audio = sine(50)
    for wrong in ([audio], audio, [audio, audio[..., :-1]], [audio[..., :100], audio[..., :100]]):
        with pytest.raises(InputError):
            losses.bass_overlap(wrong, RATE)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="reduction"):
        losses.bass_overlap([audio, audio], RATE, reduction="sum")
    with pytest.raises(InputError, match="too short"):
        losses.clipping(audio[..., :100], RATE)
    with pytest.raises(InputError, match="sample_rate"):
        losses.clipping(audio, 100)
