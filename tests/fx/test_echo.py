"""Echo and multitap: against loops over samples, tempos that change, fades, tape, range ends."""

import numpy as np
import pytest
import torch
from delayed_reads import read
from djgraph_fx import Echo, Multitap
from effort import few, gradcheck
from pydantic import ValidationError

from djgraph.effects import Environment

from .bench import RATE, build, clock_of, noise, process, unit

SAMPLES = 900


def steady(samples, batch=1, dtype=torch.float64, **values):
    given = {control.id: control.default for control in Echo.controls} | values
    return {name: torch.full((batch, 1, samples), value, dtype=dtype) for name, value in given.items()}


def moving(samples, batch=2):
    """Every control at random, times short enough to be heard."""
    u = [unit(batch, 1, samples, seed=20 + k) for k in range(5)]
    return {
        "mix": u[0],
        "time": 20 + 20 * u[1],
        "beats": torch.full((batch, 1, samples), 0.125, dtype=torch.float64),
        "feedback": 0.95 * u[2],
        "lowpass": 200 * 20 ** u[3],
        "highpass": 10 * 20 ** u[4],
    }


def sample_loop(signal, values, heads, crossed):
    """One item, ``[channels, samples]``; heads: delay and gain at every sample."""
    channels, samples = signal.shape
    room, shortest = 2000, int(20 * RATE / 1000)
    x, order = signal.copy(), list(range(channels))
    if crossed:
        for left in range(0, channels - 1, 2):
            x[left], x[left + 1] = (signal[left] + signal[left + 1]) / 2, 0
            order[left], order[left + 1] = left + 1, left
    line, wet = np.zeros((channels, room + samples + 1)), np.zeros((channels, samples))
    low, high = np.zeros(channels), np.zeros(channels)
    a, b = (1 - np.exp(-2 * np.pi * values[name] / RATE) for name in ("lowpass", "highpass"))
    for n in range(samples):
        for c in range(channels):
            y = sum(
                gain[n] * read(line[c], room + n - delay[n], room + n - shortest) for delay, gain in heads
            )
            low[c] += a[n] * (y - low[c])
            high[c] += b[n] * (low[c] - high[c])
            wet[c, n] = low[c] - high[c]
        for c in range(channels):
            line[c, room + n] = x[c, n] + values["feedback"][n] * wet[order[c], n]
    return (1 - values["mix"]) * signal + values["mix"] * wet


def faded_heads(delay, period):
    marks = delay[::period]
    stretch = np.arange(len(delay)) // period
    share = np.arange(len(delay)) % period / period
    return [(marks[np.maximum(stretch - 1, 0)], 1 - share), (marks[stretch], share)]


def taped_head(delay, milliseconds):
    pole = np.exp(-1000 / (milliseconds * RATE))
    out, last = np.empty_like(delay), delay[0]
    for n, d in enumerate(delay):
        out[n] = last = (1 - pole) * d + pole * last
    return [(out, np.ones(len(delay)))]


@pytest.mark.parametrize(
    ("mode", "channels", "change", "sync"),
    few(
        [
            (*signal, change, sync)
            for sync in ("ms", "beats")
            for change in ("fade", "tape")
            for signal in (("stereo", 1), ("stereo", 2), ("ping_pong", 2), ("ping_pong", 3))
        ],
        4,
    ),
)
def test_against_a_sample_loop(mode, channels, change, sync):
    audio, values = noise(2, channels, SAMPLES), moving(SAMPLES)
    clock = clock_of(200 + 100 * unit(2, 1, SAMPLES, seed=4))
    effect = build(Echo, sync=sync, mode=mode, change=change, fade=10)
    out, _ = process(effect, audio, values, clock=clock)
    for item in range(2):
        mine = {name: curve[item, 0].numpy() for name, curve in values.items()}
        delay = mine["time"] * RATE / 1000
        if sync == "beats":
            delay = np.maximum(0.125 * 60 * RATE / clock.tempo[item, 0].numpy(), int(20 * RATE / 1000))
        heads = faded_heads(delay, round(RATE / 100)) if change == "fade" else taped_head(delay, 10)
        want = sample_loop(audio[item].numpy(), mine, heads, mode == "ping_pong")
        np.testing.assert_allclose(out[item].numpy(), want, rtol=0, atol=1e-7)


@pytest.mark.parametrize("change", ["fade", "tape"])
@pytest.mark.parametrize("mode", ["stereo", "ping_pong"])
def test_blocks_equal_the_whole(mode, change):
    audio, values = noise(2, 2, SAMPLES), moving(SAMPLES)
    effect = build(Echo, mode=mode, change=change, fade=7)
    whole, last = process(effect, audio, values)
    parts, state = process(effect, audio, values, cuts=[1, 76, 1, 77, 78, 3, 500, 164])
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-10)
    for name, tensor in last.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=1e-10)


@pytest.mark.parametrize("hours", [0, 5])
@pytest.mark.parametrize("tempo", [97.0, 120.0, 174.0])
def test_an_echo_in_beats_comes_on_its_beat(tempo, hours):
    """Whatever the hour: the peak of a click's echo lies at beats·60/tempo seconds, to the sample."""
    samples = 2 * RATE
    clock = clock_of(torch.full((1, 1, samples), tempo, dtype=torch.float64), beat=hours * 60 * tempo)
    audio = torch.zeros(1, 1, samples)
    audio[..., 100] = 1
    values = steady(samples, dtype=torch.float32, mix=1.0, beats=0.75)
    out, _ = process(build(Echo, sync="beats"), audio, values, clock=clock)
    assert int(out[0, 0].abs().argmax()) == pytest.approx(100 + 0.75 * 60 / tempo * RATE, abs=0.6)


def test_a_change_of_tempo_moves_the_echo_once_the_fade_is_over():
    """120 to 150 BPM at once: a click long after it is echoed at the new distance, and nothing at the old one."""
    samples, change = 2 * RATE, RATE // 2
    tempo = torch.full((1, 1, samples), 120.0, dtype=torch.float64)
    tempo[..., change:] = 150
    period = round(50 * RATE / 1000)
    audio = torch.zeros(1, 1, samples, dtype=torch.float64)
    click = change + 2 * period
    audio[..., click] = 1
    out, _ = process(
        build(Echo, sync="beats"), audio, steady(samples, mix=1.0, beats=0.5), clock=clock_of(tempo)
    )
    assert int(out[0, 0].abs().argmax()) == click + round(0.5 * 60 / 150 * RATE)
    assert out[0, 0, click + round(0.5 * 60 / 120 * RATE) + 5].abs() < 0.01


def test_a_fade_makes_no_click():
    """A slow sine through a jump of the time: as smooth as the sine and its fade, where a jump would be a step."""
    samples = RATE
    audio = torch.sin(2 * np.pi * 40 / RATE * torch.arange(samples, dtype=torch.float64))[None, None]
    values = steady(samples, mix=1.0)
    values["time"][..., : samples // 2], values["time"][..., samples // 2 :] = 50.0, 61.0
    out, _ = process(build(Echo), audio, values)
    steps = out[0, 0, RATE // 4 :].diff().abs()
    assert steps.max() < 1.2 * 2 * np.pi * 40 / RATE


def test_tape_bends_the_pitch_while_it_moves():
    """A delay that shrinks is read faster, and is at its new length some time constants later."""
    samples = RATE
    values = steady(samples, mix=1.0)
    values["time"][..., : samples // 2], values["time"][..., samples // 2 :] = 100.0, 80.0
    audio = torch.sin(2 * np.pi * 300 / RATE * torch.arange(samples, dtype=torch.float64))[None, None]
    out, _ = process(build(Echo, change="tape", fade=40), audio, values)
    crossings = np.diff(np.sign(out[0, 0].numpy())) > 0
    periods = np.diff(np.flatnonzero(crossings))
    at_change = np.flatnonzero(crossings)[:-1]
    bent = periods[(at_change > samples // 2) & (at_change < samples // 2 + RATE // 50)]
    after = periods[at_change > samples // 2 + RATE // 3]
    assert bent.mean() < 0.85 * RATE / 300
    assert after.mean() == pytest.approx(RATE / 300, rel=0.01)


def test_ping_pong_goes_from_side_to_side():
    audio = torch.zeros(1, 2, 2000, dtype=torch.float64)
    audio[:, 1, 0] = 1  # on the right only
    delay = 441
    values = steady(2000, mix=1.0, time=20.0, feedback=0.5)
    values["time"] = torch.full((1, 1, 2000), 1000 * delay / RATE, dtype=torch.float64)
    out, _ = process(build(Echo, mode="ping_pong"), audio, values)
    peaks = [out[0, :, delay * k].abs() for k in (1, 2, 3)]
    for k, (left, right) in enumerate(peaks):
        loud, quiet = (right, left) if k % 2 else (left, right)
        assert loud > 0.3 * 0.5**k * 0.5
        assert quiet < 1e-3


def test_neutral_changes_no_bit():
    audio = noise(2, 2, SAMPLES, dtype=torch.float32)
    values = {name: value.float() for name, value in moving(SAMPLES).items()}
    values["mix"] = torch.zeros(2, 1, SAMPLES)
    for settings in ({}, {"mode": "ping_pong"}, {"change": "tape"}):
        assert torch.equal(process(build(Echo, **settings), audio, values)[0], audio)
    assert torch.equal(process(build(Multitap), audio, {"mix": values["mix"]})[0], audio)


@pytest.mark.parametrize("change", ["fade", "tape"])
@pytest.mark.parametrize("time", [20.0, 2000.0])
def test_it_is_bounded_and_finite_at_the_ends_of_its_range(time, change):
    for audio in (noise(1, 2, 4 * RATE), torch.zeros(1, 2, 500, dtype=torch.float64), noise(1, 1, 1)):
        values = {
            name: curve.requires_grad_()
            for name, curve in steady(audio.shape[-1], mix=1.0, time=time, feedback=0.95).items()
        }
        out, _ = process(build(Echo, change=change), audio, values)
        out.square().sum().backward()
        assert out.abs().max() <= 30 * max(1.0, float(audio.abs().max()))
        assert all(v.grad is None or v.grad.isfinite().all() for v in values.values())


@pytest.mark.parametrize("change", ["fade", "tape"])
def test_gradients(change):
    effect = build(Echo, Environment(500), change=change, fade=6)
    values = {name: curve[..., :25] for name, curve in moving(25, 1).items()}
    names = [name for name in values if name != "beats"]

    def run(audio, *curves):
        return process(effect, audio, {**values, **dict(zip(names, curves))}, [7, 18])[0]

    leaves = (noise(1, 2, 25), *(values[name] for name in names))
    assert gradcheck(run, [leaf.clone().requires_grad_() for leaf in leaves])


def test_taps_are_the_very_samples():
    """In ms, where times are whole numbers of samples."""
    environment = Environment(1000)
    effect = build(Multitap, environment, times=(3.0, 10.0), levels=(0.5, -0.25))
    audio = noise(1, 2, 50)
    out, _ = process(effect, audio, {"mix": torch.ones(1, 1, 50, dtype=torch.float64)}, cuts=[1, 4, 45])
    padded = torch.cat((torch.zeros(1, 2, 10, dtype=torch.float64), audio), -1)
    torch.testing.assert_close(out, 0.5 * padded[..., 7:57] - 0.25 * padded[..., :50], rtol=0, atol=1e-15)


def test_taps_in_beats_follow_the_tempo():
    samples, period = 2 * RATE, round(50 * RATE / 1000)
    tempo = torch.full((1, 1, samples), 120.0, dtype=torch.float64)
    tempo[..., RATE // 2 :] = 160
    audio = torch.zeros(1, 1, samples, dtype=torch.float64)
    click = RATE // 2 + 2 * period
    audio[..., click] = 1
    effect = build(Multitap, sync="beats", times=(0.5, 1.0), levels=(1.0, 0.5))
    out, _ = process(effect, audio, {"mix": torch.ones_like(audio)}, clock=clock_of(tempo))
    beat = RATE * 60 / 160
    for beats, level in ((0.5, 1.0), (1.0, 0.5)):
        place = round(click + beats * beat)
        assert float(out[0, 0, place - 2 : place + 3].sum()) == pytest.approx(level, abs=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"times": (1.0, 2.0)},
        {"times": (0.0,), "levels": (1.0,)},
        {"times": (5.0,), "levels": (1.5,)},
        {"times": (5000.0,), "levels": (1.0,)},
        {"times": (), "levels": ()},
    ],
)
def test_settings_of_a_multitap_are_checked(wrong):
    with pytest.raises(ValidationError):
        Multitap.Settings(**wrong)
