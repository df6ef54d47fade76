"""Vibrato, chorus, flanger, phaser, ring modulator: against loops over samples, closed forms, and late in time."""

import math

import numpy as np
import pytest
import torch
from delayed_reads import read
from djgraph_fx import Chorus, DelayBeats, DelaySamples, Flanger, Phaser, RingMod, Vibrato
from effort import gradcheck

from djgraph.effects import Block, Environment

from .bench import RATE, build, clock_of, noise, process, unit

SAMPLES = 300
MS = RATE / 1000
MODULATED = [Vibrato, Chorus, Flanger, Phaser, RingMod]


def controls(effect_class, samples=SAMPLES, batch=2):
    """Every control at random within its range, at each sample."""
    made = {}
    for k, control in enumerate(effect_class.controls):
        position = unit(batch, 1, samples, seed=10 + k)
        if control.choices:
            choices = torch.tensor(control.choices, dtype=torch.float64)
            made[control.id] = choices[(position * len(choices)).long()]
        elif control.scale == "log":
            made[control.id] = control.min * (control.max / control.min) ** position
        else:
            made[control.id] = control.min + (control.max - control.min) * position
    return made


def changing_tempo(samples=SAMPLES, batch=2):
    return clock_of(80 + 100 * unit(batch, 1, samples, seed=4), beat=7.3)


def phases(values, item, sync, clock):
    """Cycles at every sample of an item."""
    if sync == "beats":
        return clock.beats[item, 0].numpy() / values["beats"][item, 0].numpy()
    step = values["rate"][item, 0].numpy() / RATE
    return np.cumsum(step) - step


def sine(cycle):
    return np.sin(np.pi * cycle) ** 2


def each(effect_class, channels, sync, **settings):
    """Runs an effect; yields item, channel, input, output, the controls and the phase of a channel."""
    audio, values, clock = noise(2, channels, SAMPLES), controls(effect_class), changing_tempo()
    effect = build(effect_class, sync=sync, spread=0.6, **settings)
    out, _ = process(effect, audio, values, clock=clock)
    for item in range(2):
        cycle = phases(values, item, sync, clock)
        mine = {name: curve[item, 0].numpy() for name, curve in values.items()}
        for channel in range(channels):
            ahead = 0.6 * channel / max(1, channels - 1)
            yield audio[item, channel].numpy(), out[item, channel].numpy(), mine, cycle + ahead


def late(signal, delay, shortest=0):
    """The signal that many samples ago, silence before it, by SciPy."""
    room = 700
    line = np.concatenate((np.zeros(room), signal, [0.0]))
    return np.array([read(line, room + n - d, room + n - shortest) for n, d in enumerate(delay)])


@pytest.mark.parametrize("sync", ["hz", "beats"])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_vibrato_against_a_sample_loop(channels, sync):
    for signal, out, values, cycle in each(Vibrato, channels, sync):
        want = late(signal, values["depth"] * MS * sine(cycle))
        np.testing.assert_allclose(out, want, rtol=0, atol=1e-8)


@pytest.mark.parametrize("sync", ["hz", "beats"])
@pytest.mark.parametrize("voices", [1, 3])
def test_chorus_against_a_sample_loop(voices, sync):
    for signal, out, values, cycle in each(Chorus, 2, sync, voices=voices):
        delay, depth, mix = values["delay"] * MS, values["depth"] * MS, values["mix"]
        wet = sum(late(signal, delay + depth * sine(cycle + v / voices)) for v in range(voices))
        want = (1 - mix) * signal + mix * wet / math.sqrt(voices)
        np.testing.assert_allclose(out, want, rtol=0, atol=1e-8)


@pytest.mark.parametrize("sync", ["hz", "beats"])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_flanger_against_a_sample_loop(channels, sync):
    shortest, room = int(0.5 * MS), 400
    for signal, out, values, cycle in each(Flanger, channels, sync):
        delay = (values["delay"] + values["depth"] * sine(cycle)) * MS
        line, wet = np.zeros(room + SAMPLES + 1), np.zeros(SAMPLES)
        for n in range(SAMPLES):
            wet[n] = read(line, room + n - delay[n], room + n - shortest)
            line[room + n] = signal[n] + values["feedback"][n] * wet[n]
        want = (1 - values["mix"]) * signal + values["mix"] * wet
        np.testing.assert_allclose(out, want, rtol=0, atol=1e-7)


@pytest.mark.parametrize("sync", ["hz", "beats"])
@pytest.mark.parametrize("stages", [2, 5, 12])
def test_phaser_against_a_sample_loop(stages, sync):
    for signal, out, values, cycle in each(Phaser, 2, sync, stages=stages):
        f = values["centre"] * 2 ** (values["depth"] * (sine(cycle) - 0.5)) / RATE
        turn = np.tan(np.pi * np.minimum(f, 0.49))
        a = (turn - 1) / (turn + 1)
        x = signal
        for _ in range(stages):
            y, before, last = np.zeros(SAMPLES), 0.0, 0.0
            for n in range(SAMPLES):
                last = a[n] * x[n] + before - a[n] * last
                before, y[n] = x[n], last
            x = y
        want = (1 - values["mix"]) * signal + values["mix"] * x
        np.testing.assert_allclose(out, want, rtol=0, atol=1e-9)


def steady(effect_class, samples, **values):
    given = {control.id: control.default for control in effect_class.controls} | values
    return {k: torch.full((1, 1, samples), v, dtype=torch.float64) for k, v in given.items()}


@pytest.mark.parametrize("stages", [2, 4, 12])
def test_a_resting_phaser_has_half_as_many_notches_as_stages(stages):
    """A chain of N turns the phase by −2N·arctan(tan(πf)/tan(πf₀)): a notch at odd multiples of 180°."""
    samples = 1 << 15
    audio = torch.zeros(1, 1, samples, dtype=torch.float64)
    audio[..., 0] = 1
    values = steady(Phaser, samples, mix=0.5, depth=0.0, centre=1000.0)
    out, _ = process(build(Phaser, stages=stages), audio, values)
    gain = np.abs(np.fft.rfft(out[0, 0].numpy()))
    f = np.fft.rfftfreq(samples)
    turned = 2 * stages * np.arctan(np.tan(np.pi * f[:-1]) / np.tan(np.pi * 1000 / RATE))
    np.testing.assert_allclose(gain[:-1], np.abs(np.cos(turned / 2)), atol=1e-6)
    assert (np.diff(np.sign(np.cos(turned / 2))) != 0).sum() == stages // 2


@pytest.mark.slow
@pytest.mark.parametrize("feedback", [-0.9, 0.5, 0.9])
def test_a_resting_phaser_with_feedback_resonates(feedback):
    """(1 + (1 + f)·A/(1 − f·A))/2 with A of gain 1 and the phase of the chain; the notches are where they were."""
    samples = 1 << 15
    audio = torch.zeros(1, 1, samples, dtype=torch.float64)
    audio[..., 0] = 1
    values = steady(Phaser, samples, mix=0.5, depth=0.0, centre=1000.0)
    out, _ = process(build(Phaser, stages=4, feedback=feedback), audio, values)
    f = np.fft.rfftfreq(samples)[:-1]
    chain = np.exp(-8j * np.arctan(np.tan(np.pi * f) / np.tan(np.pi * 1000 / RATE)))
    want = np.abs(1 + (1 + feedback) * chain / (1 - feedback * chain)) / 2
    np.testing.assert_allclose(np.abs(np.fft.rfft(out[0, 0].numpy()))[:-1], want, atol=1e-5)


@pytest.mark.parametrize("feedback", [-0.9, 0.9])
def test_a_phaser_with_feedback_stays_bounded_and_blocks_are_the_whole(feedback):
    """Controls at random at every sample: far beyond what smoothing lets through."""
    effect = build(Phaser, stages=6, feedback=feedback)
    audio, values = noise(2, 2, SAMPLES), controls(Phaser)
    whole, last = process(effect, audio, values)
    parts, state = process(effect, audio, values, cuts=[1, 100, 2, SAMPLES - 103])
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-9)
    torch.testing.assert_close(state["stages"], last["stages"], rtol=0, atol=1e-9)
    assert whole.abs().max() < 30 * audio.abs().max()


def test_a_resting_flanger_is_a_comb():
    """(1 − mix) + mix·z⁻ᴰ/(1 − g·z⁻ᴰ) for a delay of whole samples."""
    samples, delay, g = 1 << 14, 22, 0.8
    audio = torch.zeros(1, 1, samples, dtype=torch.float64)
    audio[..., 0] = 1
    values = steady(Flanger, samples, mix=0.5, depth=0.0, delay=delay / MS, feedback=g)
    out, _ = process(build(Flanger), audio, values)
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(samples) * delay)
    want = 0.5 + 0.5 * turn / (1 - g * turn)
    np.testing.assert_allclose(np.fft.rfft(out[0, 0].numpy()), want, atol=1e-8)


def test_vibrato_moves_the_pitch_as_far_as_the_formula_says():
    """1 ms at 5 Hz: π·rate·depth = 1.57 %, measured by the phase of a sine."""
    samples, frequency, depth, rate = RATE, 400.0, 1.0, 5.0
    sine_wave = torch.sin(2 * np.pi * frequency / RATE * torch.arange(samples, dtype=torch.float64))[
        None, None
    ]
    out, _ = process(build(Vibrato), sine_wave, steady(Vibrato, samples, depth=depth, rate=rate))
    t = np.arange(samples) / RATE
    delay = depth / 1000 * np.sin(np.pi * rate * t) ** 2
    want = np.sin(2 * np.pi * frequency * (t - delay))
    np.testing.assert_allclose(out[0, 0, 30:].numpy(), want[30:], atol=2e-3)
    pitch = 1 - np.gradient(delay, t)
    assert pitch.max() - 1 == pytest.approx(np.pi * rate * depth / 1000, rel=1e-3)


def test_ring_modulation_makes_sum_and_difference():
    samples = RATE
    n = torch.arange(samples, dtype=torch.float64)
    audio = torch.sin(2 * np.pi * 1000 / RATE * n)[None, None]
    out, _ = process(build(RingMod), audio, steady(RingMod, samples, mix=1.0, frequency=300.0))
    spectrum = np.abs(np.fft.rfft(out[0, 0].numpy())) * 2 / samples
    assert spectrum[700] == pytest.approx(0.5, abs=1e-6)
    assert spectrum[1300] == pytest.approx(0.5, abs=1e-6)
    assert np.delete(spectrum, [700, 1300]).max() < 1e-6


@pytest.mark.parametrize("effect_class", MODULATED)
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_blocks_equal_the_whole(effect_class, channels):
    audio, values = noise(2, channels, SAMPLES), controls(effect_class)
    effect = build(effect_class)
    whole, last = process(effect, audio, values)
    parts, state = process(effect, audio, values, cuts=[1, 130, 1, 168])
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-11)
    for name, tensor in last.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=1e-11)


@pytest.mark.parametrize("effect_class", MODULATED)
def test_neutral_changes_no_bit(effect_class):
    audio = noise(2, 2, SAMPLES, dtype=torch.float32)
    values = {name: value.float() for name, value in controls(effect_class).items()}
    neutral = "depth" if effect_class is Vibrato else "mix"
    values[neutral] = torch.zeros(2, 1, SAMPLES)
    assert torch.equal(process(build(effect_class), audio, values)[0], audio)


@pytest.mark.parametrize("effect_class", [Vibrato, Chorus, Flanger])
def test_an_hour_of_a_delay_is_as_exact_as_its_start(effect_class):
    """Float32, an hour of blocks behind it: the same phase and past give the very samples, and the phase is exact."""
    rate, block = 3.7, 4410
    effect = build(effect_class, Environment(44100))
    audio = noise(1, 1, block, dtype=torch.float32)
    values = {k: v.float() for k, v in steady(effect_class, block, rate=rate).items()}
    values |= {name: torch.ones(1, 1, block) for name in ("depth", "mix") if name in values}
    float_rate = float(np.float32(rate))
    state = effect.initial_state(1, 1, audio)
    hour = 3600 * 44100
    for start in range(0, 200 * block, block):  # 20 s, of which each moves the phase like any other
        _, state = effect.process({"in": audio}, values, state, Block(hour + start, block, 44100))
    want = float_rate / 44100 * 200 * block % 1
    assert float(state["phase"]) == pytest.approx(want, abs=1e-9)
    late_state = {**state, "phase": torch.full_like(state["phase"], 0.25)}
    first, _ = effect.process({"in": audio}, values, late_state, Block(0, block, 44100))
    later, _ = effect.process({"in": audio}, values, late_state, Block(hour, block, 44100))
    assert torch.equal(first["out"], later["out"])


@pytest.mark.parametrize("effect_class", MODULATED)
@pytest.mark.parametrize("kind", ["silence", "denormal", "loud"])
def test_silence_and_denormals_stay_finite(effect_class, kind):
    level = {"silence": 0.0, "denormal": 1e-42, "loud": 1e6}[kind]
    audio = (level * noise(1, 2, 5000)).float().requires_grad_()
    values = {name: v[:1].float().requires_grad_() for name, v in controls(effect_class, 5000).items()}
    out, _ = process(build(effect_class), audio, values)
    out.square().sum().backward()
    assert out.isfinite().all()
    if kind == "silence":
        assert not out.any()
    assert all(t.grad is None or t.grad.isfinite().all() for t in (audio, *values.values()))


@pytest.mark.parametrize("end", ["min", "max"])
def test_a_flanger_is_bounded_at_the_ends_of_its_range(end):
    """Feedback of 0.95 either way, the deepest and fastest sweep."""
    values = {c.id: torch.full((1, 1, 20000), getattr(c, end), dtype=torch.float64) for c in Flanger.controls}
    values["mix"] = torch.ones(1, 1, 20000, dtype=torch.float64)
    values["depth"] = torch.full((1, 1, 20000), 10.0, dtype=torch.float64)
    out, _ = process(build(Flanger), noise(1, 2, 20000), values)
    assert out.abs().max() < 100


@pytest.mark.parametrize("effect_class", MODULATED)
def test_gradients(effect_class):
    effect, values = build(effect_class), controls(effect_class, 8, 1)
    names = [control.id for control in effect_class.controls if not control.choices]

    def run(audio, *curves):
        return process(effect, audio, {**values, **dict(zip(names, curves))}, [3, 5])[0]

    leaves = (noise(1, 2, 8), *(values[name] for name in names))
    assert gradcheck(run, [leaf.clone().requires_grad_() for leaf in leaves])


@pytest.mark.slow
def test_a_training_run_finds_the_delay_of_a_flanger():
    """The gradient with respect to a delay leads to it, from half a sample away."""
    audio, target = noise(1, 1, 2000), steady(Flanger, 2000, mix=0.5, depth=0.0, delay=2.0)
    want, _ = process(build(Flanger), audio, target)
    delay = torch.tensor(2.0 + 0.5 / MS, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([delay], lr=2e-3)
    for _ in range(150):
        optimizer.zero_grad()
        out, _ = process(build(Flanger), audio, {**target, "delay": delay.expand(1, 1, 2000)})
        (out - want).square().mean().backward()
        optimizer.step()
    assert float(delay.detach()) == pytest.approx(2.0, abs=2e-3)


@pytest.mark.parametrize("samples", [0, 1, 7, 500])
def test_delay_samples_moves_the_very_samples(samples):
    audio = noise(2, 3, SAMPLES, dtype=torch.float32)
    want = torch.cat((torch.zeros(2, 3, samples), audio), -1)[..., :SAMPLES]
    effect = build(DelaySamples, samples=samples)
    for cuts in (None, [1, 130, 1, 168]):
        assert torch.equal(process(effect, audio, {}, cuts=cuts)[0], want)


@pytest.mark.parametrize("beats", [0, 1 / 64, 0.01])
def test_delay_beats_moves_the_very_samples(beats):
    audio = noise(2, 3, SAMPLES, dtype=torch.float32)
    held = round(beats * 60 * RATE / 120)
    want = torch.cat((torch.zeros(2, 3, held), audio), -1)[..., :SAMPLES]
    effect = build(DelayBeats, beats=beats)
    clock = clock_of(torch.full((1, 1, SAMPLES), 120.0, dtype=torch.float64))
    for cuts in (None, [1, 130, 1, 168]):
        assert torch.equal(process(effect, audio, {}, cuts=cuts, clock=clock)[0], want)
