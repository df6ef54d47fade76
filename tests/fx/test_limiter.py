"""The limiter: never above its ceiling, against a loop over samples, its times by a step, by 8x oversampling."""

import math

import numpy as np
import pytest
import torch
from djgraph_fx import Limiter
from effort import examples, gradcheck
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample, upfirdn

from djgraph.dsp.true_peak import interpolator

from .bench import RATE, build, noise, process, unit

RANGES = {"ceiling": (-24, 0), "release": (1, 300), "mix": (0, 1)}
KINDS = pytest.mark.parametrize("true_peak", [False, True], ids=["sample", "true"])


def constant(samples, dtype=torch.float64, **values):
    neutral = {control.id: control.neutral for control in Limiter.controls} | {"mix": 1} | values
    return {name: torch.full((1, 1, samples), float(v), dtype=dtype) for name, v in neutral.items()}


def moving(batch, samples, seed=0):
    return {
        name: low + (high - low) * unit(batch, 1, samples, seed=seed + number)
        for number, (name, (low, high)) in enumerate(RANGES.items())
    }


def limited(effect, audio, controls):
    """The output without its latency: as much silence is fed, and the first samples are dropped."""
    lag = effect.latency()
    longer = torch.nn.functional.pad(audio, (0, lag))
    held = {name: torch.cat((c, c[..., -1:].expand(-1, -1, lag)), -1) for name, c in controls.items()}
    return process(effect, longer, held)[0][..., lag:]


def sample_loop(audio, controls, ahead, linked, true_peak):
    """``[channels, samples]``, window by window, from the definition; the lag is in the output."""
    channels, samples = audio.shape
    c, mix = 10 ** (controls["ceiling"] / 20), controls["mix"]
    level, late = np.abs(audio), 6 if true_peak else 0
    if true_peak:
        taps = interpolator(torch.float64, torch.device("cpu"))[:, 0].flip(1).T.reshape(-1).numpy()
        between = np.abs(np.stack([upfirdn(taps, row, up=4)[: 4 * samples] for row in audio]))
        between = between.reshape(channels, samples, 4).max(-1)
        level = np.pad(level, ((0, 0), (6, 0)))[:, :samples]
        level = np.maximum(level, between)
        c = np.concatenate((np.ones(6), c))[:samples]
    if linked:
        level = np.broadcast_to(level.max(0), level.shape)
    needed = np.zeros_like(audio)
    for n in range(samples):
        for channel in range(channels):
            needed[channel, n] = 20 * np.log10(max(level[channel, n], c[n]) / c[n])
    out = np.zeros_like(audio)
    first = ahead // 2 + 1
    second = ahead + 2 - first
    for channel in range(channels):
        padded = np.pad(needed[channel], (ahead + late // 6, 0))
        released, state = np.zeros(samples), 0.0
        for n in range(samples):
            held = padded[n : n + ahead + 1 + late // 6].max()
            alpha = np.exp(-1000 / (controls["release"][n] * RATE))
            state = held if held > state else alpha * state + (1 - alpha) * held
            released[n] = state
        smooth = np.convolve(np.convolve(released, np.ones(first) / first), np.ones(second) / second)
        for n in range(ahead + late, samples):
            m = n - ahead - late
            out[channel, n] = audio[channel, m] * 10 ** (-mix[m] * smooth[n] / 20)
    return out


@KINDS
@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("lookahead", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_equals_a_loop_over_samples(channels, lookahead, linked, true_peak):
    effect = build(Limiter, lookahead=lookahead, linked=linked, true_peak=true_peak)
    audio, controls = noise(2, channels, 300), moving(2, 300)
    out, _ = process(effect, audio, controls)
    for item in range(2):
        curves = {name: values[item, 0].numpy() for name, values in controls.items()}
        ahead = round(lookahead * RATE / 1000)
        want = sample_loop(audio[item].numpy(), curves, ahead, linked, true_peak)
        np.testing.assert_allclose(out[item].numpy(), want, rtol=1e-9, atol=1e-12)


def adversarial(kind, samples, seed):
    n, random = torch.arange(samples), torch.Generator().manual_seed(seed)
    match kind:
        case "noise":
            audio = 3 * torch.randn(2, samples, generator=random)
        case "impulses":
            audio = 50.0 * (torch.rand(2, samples, generator=random) < 0.01)
        case "rising":
            audio = torch.stack((1.001**n, -(1.002**n))).clamp(-1e3, 1e3)
        case "square":
            audio = torch.stack((torch.where(n % 200 < 100, 4.0, -4.0), torch.where(n % 7 < 3, 1.5, -1.5)))
        case "clicks in silence":
            audio = torch.zeros(2, samples)
            audio[:, [0, 1, 57, samples // 2, samples - 1]] = torch.tensor([1e3, -2.0, 1.0001, 8.0, -99.0])
        case "sine at a quarter of the rate":
            audio = 2 * torch.sin(math.pi / 2 * n + math.pi / 4).expand(2, -1)
    return audio[None].to(torch.float32)


KIND_OF_SOUND = [
    "noise",
    "impulses",
    "rising",
    "square",
    "clicks in silence",
    "sine at a quarter of the rate",
]


@KINDS
@settings(max_examples=examples(60), deadline=None)
@given(
    kind=st.sampled_from(KIND_OF_SOUND),
    lookahead=st.sampled_from([0.0, 0.1, 1.0, 5.0]),
    linked=st.booleans(),
    ceiling=st.floats(-24, 0),
    release=st.floats(1, 2500),
    seed=st.integers(0, 1000),
)
def test_no_sample_is_ever_above_the_ceiling(true_peak, kind, lookahead, linked, ceiling, release, seed):
    """Not by a rounding, in single precision."""
    audio = adversarial(kind, 2000, seed)
    effect = build(Limiter, lookahead=lookahead, linked=linked, true_peak=true_peak)
    controls = constant(2000, torch.float32, ceiling=ceiling, release=release)
    out, _ = process(effect, audio, controls, [1, 700, 1299])
    assert float(out.abs().max()) <= float((10 ** (controls["ceiling"] / 20)).max())
    assert not out[..., : effect.latency()].any()


@KINDS
def test_no_sample_is_above_a_ceiling_that_moves(true_peak):
    audio = adversarial("noise", 4000, 1)
    controls = constant(4000, torch.float32)
    controls["ceiling"] = -24 * unit(1, 1, 4000, dtype=torch.float32).round()
    out = limited(build(Limiter, true_peak=true_peak), audio, controls)
    assert bool((out.abs() <= 10 ** (controls["ceiling"] / 20)).all())


def bandlimited(samples, seed, highest):
    """Noise without anything above ``highest`` cycles per sample."""
    spectrum = torch.fft.rfft(noise(1, 2, samples, seed=seed))
    spectrum[..., int(2 * highest * spectrum.shape[-1]) :] = 0
    return torch.fft.irfft(spectrum, samples)


def largest_between(audio, times=8):
    return float(np.abs(resample(audio.numpy(), times * audio.shape[-1], axis=-1)).max())


@pytest.mark.parametrize(
    ("highest", "tolerance"), [(0.25, 0.15), (0.4, 0.45), (0.5, 1.6)], ids=["quarter", "four fifths", "all"]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_true_peaks_by_eight_fold_oversampling(highest, tolerance, seed):
    """In dB above the ceiling, by how far the band goes: the standard's twelve taps end well below half the rate."""
    audio = 4 * bandlimited(1 << 14, seed, highest) / highest**0.5
    controls = constant(1 << 14, ceiling=-1)
    out = limited(build(Limiter, true_peak=True), audio, controls)
    above = 20 * math.log10(largest_between(out)) + 1
    assert above <= tolerance
    plain = limited(build(Limiter), audio, controls)
    assert 20 * math.log10(largest_between(plain)) + 1 > above


def test_a_sine_whose_samples_miss_its_peaks():
    """Its samples are at −3 dB of its peaks: only the limiter of true peaks turns it down."""
    n = torch.arange(8000, dtype=torch.float64)
    audio = (1.2 * torch.sin(math.pi / 2 * n + math.pi / 4))[None, None]
    controls = constant(8000, ceiling=0)
    assert torch.equal(limited(build(Limiter), audio, controls), audio)
    out = limited(build(Limiter, true_peak=True), audio, controls)
    # Away from its ends, where the sine begins and breaks off.
    assert largest_between(out[..., 2000:6000] * torch.hann_window(4000, dtype=torch.float64)) <= 1.01


@KINDS
@pytest.mark.parametrize("ceiling", [-24.0, -1.0, 0.0])
def test_what_stays_below_the_ceiling_is_the_signal_bit_for_bit(ceiling, true_peak):
    audio = noise(1, 2, 3000, dtype=torch.float32)
    audio = 0.5 * 10 ** (ceiling / 20) * audio / audio.abs().max()
    out = limited(build(Limiter, true_peak=true_peak), audio, constant(3000, torch.float32, ceiling=ceiling))
    assert torch.equal(out, audio)


@KINDS
def test_mix_0_is_the_signal_bit_for_bit_however_loud(true_peak):
    audio = 100 * noise(1, 2, 3000, dtype=torch.float32)
    out = limited(build(Limiter, true_peak=true_peak), audio, constant(3000, torch.float32, mix=0))
    assert torch.equal(out, audio)


def test_it_turns_down_within_the_look_ahead_and_up_by_the_release():
    """One loud stretch of 12 dB above: the gain begins to fall a look-ahead before it, and 63 % of the way back are
    done a release after its hold."""
    begin, end, samples = 2000, 3000, 8000
    audio = torch.full((1, 1, samples), 0.1, dtype=torch.float64)
    audio[..., begin:end] = 10 ** (12 / 20)
    effect = build(Limiter, lookahead=5.0)
    out = limited(effect, audio, constant(samples, ceiling=0, release=100.0))
    reduction = -20 * torch.log10(out / audio)[0, 0].numpy()
    ahead = effect.latency()
    assert not reduction[: begin - ahead].any()
    assert np.all(np.diff(reduction[begin - ahead : begin + 1]) > 0)
    np.testing.assert_allclose(reduction[begin:end], 12, rtol=1e-9)
    assert reduction[begin - ahead // 2] == pytest.approx(6, abs=0.5)
    # It is held to the end. The box filters are late by the half of the look-ahead.
    after = end + round(0.1 * RATE) + ahead // 2
    assert reduction[after] == pytest.approx(12 * math.exp(-1), rel=0.02)


def test_linked_channels_keep_their_balance():
    audio, controls = 4 * noise(1, 2, 2000), constant(2000)
    audio[:, 1] = 0.25 * audio[:, 0]
    out = limited(build(Limiter), audio, controls)
    torch.testing.assert_close(out[:, 1], 0.25 * out[:, 0])
    alone = limited(build(Limiter, linked=False), audio, controls)
    torch.testing.assert_close(alone[:, :1], limited(build(Limiter), audio[:, :1], controls))


@KINDS
@settings(max_examples=examples(20), deadline=None)
@given(cuts=st.lists(st.integers(1, 200), min_size=1, max_size=6), linked=st.booleans())
def test_blocks_equal_the_whole(true_peak, cuts, linked):
    effect, samples = build(Limiter, lookahead=3, true_peak=true_peak, linked=linked), sum(cuts)
    audio, controls = noise(2, 2, samples), moving(2, samples)
    whole, last = process(effect, audio, controls)
    streamed, state = process(effect, audio, controls, cuts)
    torch.testing.assert_close(streamed, whole, rtol=1e-11, atol=1e-11)
    for name, tensor in state.items():
        torch.testing.assert_close(tensor, last[name], rtol=1e-11, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("linked", [True, False])
@KINDS
def test_gradients(true_peak, linked):
    effect = build(Limiter, lookahead=0.5, true_peak=true_peak, linked=linked)
    audio = noise(1, 2, 24, seed=5).requires_grad_()
    controls = [values.requires_grad_() for values in moving(1, 24, seed=6).values()]

    def run(audio, *others):
        out, last = process(effect, audio, dict(zip(RANGES, others)), [9, 15])
        return out, *last.values()

    assert gradcheck(run, (audio, *controls))


def test_silence_and_one_sample():
    for samples in (1, 500):
        audio = torch.zeros(1, 2, samples, dtype=torch.float64, requires_grad=True)
        controls = {name: values.requires_grad_() for name, values in constant(samples).items()}
        out, _ = process(build(Limiter, true_peak=True, lookahead=0), audio, controls)
        out.sum().backward()
        assert not out.any()
        assert all(bool(tensor.grad.isfinite().all()) for tensor in (audio, *controls.values()))


@KINDS
def test_an_hour_of_state_is_as_good_as_a_minute(true_peak):
    """Blocks of a second: what comes after half a minute of full level is what comes from a fresh state."""
    effect = build(Limiter, true_peak=true_peak)
    audio, controls = noise(1, 1, RATE, dtype=torch.float32), constant(RATE, torch.float32, release=30)
    state = effect.initial_state(1, 1, audio)
    for _ in range(30):
        _, state = process(effect, 10 * noise(1, 1, RATE, seed=1, dtype=torch.float32), controls, state=state)
    old, _ = process(effect, audio, controls, state=state)
    new, _ = process(effect, audio, controls)
    torch.testing.assert_close(old[..., RATE // 2 :], new[..., RATE // 2 :], rtol=1e-5, atol=1e-6)
