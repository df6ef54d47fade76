"""The graph podcast_ducker: against the reference, in a stream, and how far music is ducked, how loud it gets."""

import math

import pytest
import torch

import djgraph
from djgraph.audio import Meter
from djgraph.losses import loudness
from djgraph.runtime.reference import Reference

RATE = 44100


def speech(seconds, batch=1, seed=0):
    """Noise in syllables of 0.2 s, then silence for the second half."""
    samples = int(seconds * RATE)
    n = torch.arange(samples)
    noise = torch.randn(batch, 2, samples, generator=torch.Generator().manual_seed(seed))
    shape = torch.sin(math.pi * n / (0.2 * RATE)).square() * (n < samples // 2)
    return 0.2 * noise * shape


def music(seconds, batch=1):
    n = torch.arange(int(seconds * RATE), dtype=torch.float64)
    tone = 0.2 * torch.sin(2 * math.pi * 330 * n / RATE).float()
    return tone.expand(batch, 2, -1).clone()


def frame(layout, **values):
    params = layout.default.clone()
    for name, value in values.items():
        params[layout.names.index(name.replace("__", "."))] = value
    return params[None, None]


def busy(layout):
    return frame(
        layout, voice__low_cut=1, voice__gate_range=30, voice__ess_depth=6, voice__threshold=-25,
        voice__ratio=3, voice__leveling=1, music__duck=15, music__duck_release=200,
    )  # fmt: skip


def test_it_equals_the_reference_and_its_stream():
    graph = djgraph.load("podcast_ducker")
    mixer, reference = djgraph.compile(graph), Reference(graph)
    inputs = {"voice": speech(0.5), "music": music(0.5)}
    params = busy(mixer.layout)
    got, want = mixer(inputs, params), reference(inputs, params)
    for name in want:
        torch.testing.assert_close(got[name], want[name], rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        stream, parts = mixer.stream(), []
        for start in range(0, RATE // 2, 4410):
            block = {name: audio[..., start : start + 4410] for name, audio in inputs.items()}
            parts.append(stream(block, params[:, 0]))
        parts.append(stream.finish())
    for name in want:
        streamed = torch.cat([part[name] for part in parts], -1)[..., stream.latency :]
        torch.testing.assert_close(streamed, want[name], rtol=1e-3, atol=1e-4)


def test_music_goes_down_while_the_voice_speaks_and_comes_back():
    mixer = djgraph.compile("podcast_ducker")
    inputs = {"voice": speech(4.0), "music": music(4.0)}
    params = frame(mixer.layout, music__duck=12, music__duck_release=200)
    with torch.no_grad():
        _, taps = mixer(inputs, params, return_intermediates=True)
    gain = 10 * torch.log10(taps["music"].square().mean(1) / inputs["music"].square().mean(1))[0]
    quiet = inputs["music"][0, 0].abs() > 0.05
    spoken = gain[RATE : 2 * RATE][quiet[RATE : 2 * RATE]]
    assert float(spoken.median()) == pytest.approx(-12, abs=0.5)
    assert float(gain[-RATE:][quiet[-RATE:]].median()) == pytest.approx(0, abs=0.3)


def test_at_rest_only_the_limiter_is_heard():
    mixer = djgraph.compile("podcast_ducker")
    inputs = {"voice": 0.5 * speech(1.0), "music": music(1.0)}
    with torch.no_grad():
        made = mixer(inputs, mixer.layout.default[None, None])
    total = inputs["voice"] + inputs["music"]
    assert float(total.abs().max()) < 0.89
    torch.testing.assert_close(made["master"], total, rtol=0, atol=1e-6)
    torch.testing.assert_close(made["voice"], inputs["voice"], rtol=0, atol=0)


def test_the_sum_stays_below_its_ceiling():
    mixer = djgraph.compile("podcast_ducker")
    inputs = {"voice": 10 * speech(1.0), "music": 8 * music(1.0)}
    with torch.no_grad():
        made = mixer(inputs, mixer.layout.default[None, None])["master"][0]
    meter = Meter(2, RATE, loudness=False)
    meter.add(made)
    assert meter.peak <= 10 ** (-1 / 20)
    assert meter.true_peak_dbtp <= -1 + 0.3


@pytest.mark.slow
def test_the_voice_comes_to_its_loudness():
    graph = djgraph.load("podcast_ducker", voice_loudness=-20)
    mixer = djgraph.compile(graph)
    voice = 0.03 * torch.randn(1, 2, 20 * RATE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        made = mixer(
            {"voice": voice, "music": torch.zeros_like(voice)}, frame(mixer.layout, voice__leveling=1)
        )
    assert float(loudness(made["voice"][..., -4 * RATE :], RATE)) == pytest.approx(-20, abs=0.3)
    assert float(loudness(voice, RATE)) < -24


@pytest.mark.slow
def test_it_can_be_trained_through():
    mixer = djgraph.compile("podcast_ducker")
    inputs = {"voice": speech(0.3), "music": music(0.3)}
    params = busy(mixer.layout).requires_grad_()
    mixer(inputs, params)["master"].square().mean().backward()
    assert bool(params.grad.isfinite().all())
    assert float(params.grad[..., mixer.layout.names.index("music.duck")]) < 0
