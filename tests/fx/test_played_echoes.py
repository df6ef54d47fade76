"""dub_echo and spiral: against loops over samples, self-oscillation, held tails, pitch, streams, gradients."""

import numpy as np
import pytest
import torch
from delayed_reads import read
from djgraph_fx import DubEcho, Spiral
from effort import few, gradcheck

from djgraph.effects import Environment

from .bench import RATE, build, clock_of, noise, process, unit
from .held import steady

SAMPLES = 700
SLOW = Environment(1000)


def line_loop(x, heads, feedback, rate, lowpass=None, highpass=None, shape=lambda back: back):
    """One channel through a delay line, sample by sample; heads: delay and gain at every sample."""
    room, shortest = 3000, 20 * rate // 1000
    line, wet = np.zeros(room + len(x) + 1), np.zeros(len(x))
    low = high = 0.0
    for n in range(len(x)):
        y = sum(
            gain[n] * read(line, room + n - max(delay[n], shortest), room + n - shortest)
            for delay, gain in heads
        )
        wet[n] = y
        if lowpass is not None:
            low += (1 - np.exp(-2 * np.pi * lowpass[n] / rate)) * (y - low)
            high += (1 - np.exp(-2 * np.pi * highpass[n] / rate)) * (low - high)
            wet[n] = low - high
        line[room + n] = x[n] + feedback[n] * shape(wet[n])
    return wet


def glide(delay, milliseconds, rate):
    pole = np.exp(-1000 / (milliseconds * rate))
    out, last = np.empty_like(delay), delay[0]
    for n, wanted in enumerate(delay):
        out[n] = last = (1 - pole) * wanted + pole * last
    return out


def moving(kind, samples, batch=2):
    u = [unit(batch, 1, samples, seed=30 + k) for k in range(6)]
    values = steady(kind, samples, batch, time=0.0, beats=0.125)
    values["time"] = 40 + 40 * u[0]
    values["feedback"] = (1.2 if kind is DubEcho else 0.95) * u[1]
    if kind is DubEcho:
        values |= {"send": u[2], "dry": u[3], "lowpass": 100 + 300 * u[4], "highpass": 10 + 30 * u[5]}
    else:
        values |= {"mix": u[2], "shift": 24 * u[3] - 12}
    return values


def wanted_delay(values, clock, sync, rate):
    if sync == "ms":
        return values["time"] * rate / 1000
    return np.clip(values["beats"] * 60 * rate / clock.tempo[0, 0].numpy(), 20 * rate // 1000, 2 * rate)


@pytest.mark.parametrize("sync", ["ms", "beats"])
@pytest.mark.parametrize("channels", few([2, 1, 4], 1))
def test_a_dub_echo_against_a_sample_loop(channels, sync):
    audio, values = noise(2, channels, SAMPLES), moving(DubEcho, SAMPLES)
    clock = clock_of((90 + 60 * unit(1, 1, SAMPLES, seed=4)).expand(2, 1, SAMPLES), rate=1000)
    effect = build(DubEcho, SLOW, sync=sync, fade=10, drive=12)
    got, _ = process(effect, audio, values, [1, 300, 399], clock=clock)
    gain = 10 ** (12 / 20)
    for item, channel in np.ndindex(2, channels):
        mine = {name: curve[item, 0].numpy() for name, curve in values.items()}
        x = audio[item, channel].numpy()
        delay = glide(wanted_delay(mine, clock, sync, 1000), 10, 1000)
        wet = line_loop(
            mine["send"] * x, [(delay, np.ones(SAMPLES))], mine["feedback"], 1000, mine["lowpass"], mine["highpass"],
            lambda back: np.tanh(gain * back) / gain,
        )  # fmt: skip
        np.testing.assert_allclose(got[item, channel].numpy(), mine["dry"] * x + wet, rtol=0, atol=1e-7)


@pytest.mark.parametrize("sync", ["ms", "beats"])
@pytest.mark.parametrize("channels", few([2, 1, 4], 1))
def test_a_spiral_against_a_sample_loop(channels, sync):
    audio, values = noise(2, channels, SAMPLES), moving(Spiral, SAMPLES)
    clock = clock_of((90 + 60 * unit(1, 1, SAMPLES, seed=4)).expand(2, 1, SAMPLES), rate=1000)
    got, _ = process(build(Spiral, SLOW, sync=sync, glide=10), audio, values, [1, 300, 399], clock=clock)
    for item, channel in np.ndindex(2, channels):
        mine = {name: curve[item, 0].numpy() for name, curve in values.items()}
        x = audio[item, channel].numpy()
        delay = glide(wanted_delay(mine, clock, sync, 1000), 10, 1000)
        turned, heads = 0.0, []
        along = np.empty(SAMPLES)
        for n in range(SAMPLES):
            along[n] = turned
            turned += (2 ** (mine["shift"][n] / 12) - 1) / 60
        for offset in (0, 0.5):
            place = (along + offset) % 1
            heads.append((delay + 60 * (0.5 - place), np.sin(np.pi * place) ** 2))
        want = (1 - mine["mix"]) * x + mine["mix"] * line_loop(x, heads, mine["feedback"], 1000)
        np.testing.assert_allclose(got[item, channel].numpy(), want, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", [DubEcho, Spiral])
def test_blocks_are_the_whole_in_float32(kind):
    audio = noise(2, 2, 3000, dtype=torch.float32)
    values = {name: value.float() for name, value in moving(kind, 3000).items()}
    whole, _ = process(build(kind), audio, values)
    parts, _ = process(build(kind), audio, values, [1, 2, 997, 1, 1999])
    torch.testing.assert_close(parts, whole, rtol=0, atol=2e-6)


def test_a_closed_send_holds_the_tail():
    """What was sent sounds on as if nothing came in; what comes in later is heard dry only."""
    samples = 2 * RATE
    audio = noise(1, 2, samples)
    values = steady(DubEcho, samples, time=100.0)
    values["send"][..., : RATE // 2] = 1
    out, _ = process(build(DubEcho), audio, values)
    sent = audio.clone()
    sent[..., RATE // 2 :] = 0
    alone, _ = process(build(DubEcho), sent, steady(DubEcho, samples, time=100.0, send=1.0, dry=0.0))
    torch.testing.assert_close(out - audio, alone)
    assert alone[..., -RATE // 2 :].abs().max() > 1e-3


def test_it_sounds_on_by_itself_and_stays_bounded():
    samples = 8 * RATE
    audio = 10 * noise(1, 1, samples)
    audio[..., RATE:] = 0
    values = steady(DubEcho, samples, time=50.0, send=1.0, dry=0.0, feedback=1.2)
    out, _ = process(build(DubEcho), audio, values)
    level = [float(out[..., k * RATE : (k + 1) * RATE].square().mean().sqrt()) for k in (5, 7)]
    assert level[1] > 0.05
    assert level[1] == pytest.approx(level[0], rel=0.3)
    assert out[..., 2 * RATE :].abs().max() < 2 * 1.2 * 10 ** (-6 / 20)


@pytest.mark.parametrize("shift", [-5.0, 0.0, 4.0])
def test_each_echo_of_a_spiral_is_further_away(shift):
    """A tone of 0.1 s: the k-th echo has its frequency times r to the k."""
    samples, delay = 2 * RATE, 400
    place = torch.arange(samples, dtype=torch.float64)
    audio = torch.sin(2 * np.pi * 500 / RATE * place) * (place < 0.3 * RATE)
    values = steady(Spiral, samples, time=float(delay), feedback=0.9, shift=shift, mix=1.0)
    out, _ = process(build(Spiral), audio[None, None], values)
    for number in (1, 2, 3):
        start = round(number * delay * RATE / 1000)
        around = out[0, 0, start + RATE // 20 : start + RATE // 4].numpy()
        spectrum = np.abs(np.fft.rfft(around * np.hanning(len(around)), 1 << 17))
        peak = spectrum.argmax() * RATE / (1 << 17)
        assert peak == pytest.approx(500 * 2 ** (number * shift / 12), rel=0.03)


def test_neutral_changes_no_bit():
    audio = noise(2, 2, 900, dtype=torch.float32)
    for kind, still in ((DubEcho, {"send": 0.0, "dry": 1.0}), (Spiral, {"mix": 0.0})):
        values = {name: value.float() for name, value in moving(kind, 900).items()}
        values |= {name: torch.full((2, 1, 900), value) for name, value in still.items()}
        assert torch.equal(process(build(kind), audio, values, [400, 500])[0], audio)


@pytest.mark.parametrize("kind", [DubEcho, Spiral])
def test_gradients(kind):
    environment, samples = Environment(500), 40
    values = moving(kind, samples, 1)
    names = [control.id for control in kind.controls if control.gradient == "exact"]

    def run(audio, *curves):
        return process(build(kind, environment), audio, {**values, **dict(zip(names, curves))}, [17, 23])[0]

    leaves = (noise(1, 2, samples), *(values[name] for name in names))
    assert gradcheck(run, [leaf.clone().requires_grad_() for leaf in leaves])
