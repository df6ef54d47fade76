"""Meter and mid/side: against NumPy, the file meter, round trips, and through a graph whose outputs are levels."""

import numpy as np
import pytest
import torch
from djgraph_fx import Meter, MsJoin, MsSplit
from effort import gradcheck

import djgraph
from djgraph.audio import lufs
from djgraph.effects import Block, Environment

from .bench import RATE, build, noise

PORTS = ("out", "peak", "rms", "loudness")


def measured(effect, audio, cuts=None):
    """All outputs, by name."""
    state = effect.initial_state(*audio.shape[:2], audio)
    parts, start = [], 0
    for length in cuts or [audio.shape[-1]]:
        block = Block(start, length, effect.environment.sample_rate, None)
        made, state = effect.process({"in": audio[..., start : start + length]}, {}, state, block)
        parts.append(made)
        start += length
    return {port: torch.cat([part[port] for part in parts], -1) for port in PORTS}


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_peak_and_rms_are_those_of_the_window(channels):
    audio, window = noise(2, channels, 400), round(0.01 * RATE)
    made = measured(build(Meter, window=10), audio)
    assert torch.equal(made["out"], audio)
    padded = np.concatenate((np.zeros((2, channels, window - 1)), audio.numpy()), -1)
    seen = np.lib.stride_tricks.sliding_window_view(padded, window, -1)
    np.testing.assert_array_equal(made["peak"][:, 0].numpy(), np.abs(seen).max((1, 3)))
    np.testing.assert_allclose(made["rms"][:, 0].numpy(), np.sqrt((seen**2).mean((1, 3))), rtol=1e-9)


@pytest.mark.parametrize("channels", [1, 2])
def test_loudness_is_that_of_the_file_meter(channels):
    """A steady sine: momentary and integrated loudness are the same."""
    tone = 0.2 * torch.sin(2 * torch.pi * 997 / 48000 * torch.arange(96000, dtype=torch.float64))
    audio = tone.expand(1, channels, -1)
    loudness = measured(build(Meter, Environment(48000)), audio)["loudness"][0, 0, -1]
    assert 20 * float(loudness.log10()) == pytest.approx(lufs(audio[0].float(), 48000), abs=0.05)


def test_full_scale_is_0():
    """A full-scale sine at 997 Hz in one channel is −3.01 LUFS, its peak 0 dB, its RMS −3.01 dB (BS.1770)."""
    audio = torch.sin(2 * torch.pi * 997 / 48000 * torch.arange(96000, dtype=torch.float64))[None, None]
    made = measured(build(Meter, Environment(48000), window=1000), audio)
    levels = {port: 20 * float(made[port][0, 0, -1].log10()) for port in PORTS[1:]}
    assert levels == pytest.approx({"peak": 0, "rms": -3.01, "loudness": -3.01}, abs=0.02)


def test_blocks_equal_the_whole():
    audio = noise(2, 2, 1000)
    whole, parts = measured(build(Meter), audio), measured(build(Meter), audio, [1, 2, 300, 7, 690])
    for port in PORTS:
        torch.testing.assert_close(parts[port], whole[port], rtol=0, atol=1e-9)


def test_silence_measures_0_and_has_gradients():
    audio = torch.zeros(1, 2, 2000, requires_grad=True)
    made = measured(build(Meter), audio)
    assert not any(made[port].any() for port in PORTS)
    sum(made[port].sum() for port in PORTS).backward()
    assert audio.grad.isfinite().all()


def test_gradients():
    effect = build(Meter, Environment(200), window=40)
    audio = noise(1, 2, 30).requires_grad_()
    assert gradcheck(lambda x: tuple(measured(effect, x, [4, 26])[port] for port in PORTS), (audio,))


GRAPH = {
    "djgraph": 1,
    "name": "metered",
    "inputs": [{"name": "track"}],
    "mixer": [
        {
            "strip": "deck",
            "input": "track",
            "chain": [{"effect": "gain", "controls": {"gain": 0.5}}, "meter"],
            "to": "master",
        },
        {"strip": "loudness", "input": "deck@meter.loudness"},
        {"strip": "peak", "input": "deck@meter.peak"},
        {"bus": "master"},
    ],
    "outputs": ["master", "loudness", "peak"],
}


def test_a_graph_gives_levels_as_outputs():
    """The whole clip and a stream, block by block."""
    mixer = djgraph.compile(GRAPH)
    audio = noise(1, 2, 20000, dtype=torch.float32)
    params = torch.zeros(1, len(mixer.layout))
    made = mixer({"track": audio}, params)
    assert torch.equal(made["master"], audio * 0.5)
    assert made["loudness"].shape == made["peak"].shape == (1, 1, 20000)
    want = measured(build(Meter, Environment(44100)), audio * 0.5)
    torch.testing.assert_close(made["peak"], want["peak"])
    torch.testing.assert_close(made["loudness"], want["loudness"], rtol=1e-4, atol=1e-6)
    assert mixer({"track": audio}, params, return_intermediates=True)[1]["peak"].shape == (1, 1, 20000)


def through(kind, audio):
    made, _ = build(kind).process(audio, {}, {}, Block(0, next(iter(audio.values())).shape[-1], RATE, None))
    return made


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_split_and_join_are_a_round_trip(channels):
    audio = noise(2, channels, 100)
    parts = through(MsSplit, {"in": audio})
    torch.testing.assert_close(parts["mid"] + parts["side"], audio, rtol=0, atol=1e-15)
    torch.testing.assert_close(through(MsJoin, parts)["out"], audio, rtol=0, atol=1e-15)


def test_mid_and_side_are_half_of_sum_and_difference():
    audio = noise(1, 3, 50)
    left, right, alone = audio[0]
    parts = through(MsSplit, {"in": audio})
    torch.testing.assert_close(parts["mid"][0], torch.stack(((left + right) / 2,) * 2 + (alone,)))
    half = (left - right) / 2
    torch.testing.assert_close(
        parts["side"][0], torch.stack((half, -half, torch.zeros(50, dtype=torch.float64)))
    )


def test_join_takes_nothing_but_mid_from_mid_and_side_from_side():
    a, b = noise(1, 2, 50), noise(1, 2, 50, seed=1)
    joined = through(MsJoin, {"mid": a, "side": b})["out"]
    parts = through(MsSplit, {"in": joined})
    torch.testing.assert_close(parts["mid"], a.mean(1, keepdim=True).expand(1, 2, 50))
    torch.testing.assert_close(parts["side"][:, 0], (b[:, 0] - b[:, 1]) / 2)
