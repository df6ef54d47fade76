"""The shipped mastering graph: flat at rest, its bands those of SciPy's filters, streamed, and trained through."""

import numpy as np
import pytest
import torch
from scipy.signal import butter, lfilter

import djgraph

from .bench import noise

RATE = 44100


@pytest.fixture(scope="module")
def mixer():
    return djgraph.compile("mastering")


def params(mixer, **values):
    """One frame: what the layout rests at, but for columns given with ``__`` for a dot."""
    row = mixer.layout.default.double().clone()
    names = [column.name for column in mixer.layout.columns]
    for name, value in values.items():
        row[names.index(name.replace("__", "."))] = value
    return row[None, None]


def test_at_rest_every_frequency_keeps_its_level(mixer):
    impulse = torch.zeros(1, 2, RATE, dtype=torch.float64)
    impulse[..., 0] = 0.5  # below the ceiling
    made = mixer({"track": impulse}, params(mixer))
    magnitude = 2 * torch.fft.rfft(made).abs()
    torch.testing.assert_close(magnitude, torch.ones_like(magnitude), rtol=0, atol=1e-6)


def test_makeup_gains_weight_the_bands_of_crossovers(mixer):
    """By Butterworth filters of SciPy's, twice each, and all-passes."""
    audio, gains = 0.01 * noise(1, 2, 8000), {"low": 6.0, "mid": -3.0, "high": 12.0}
    made = mixer({"track": audio}, params(mixer, **{f"{band}__makeup": gain for band, gain in gains.items()}))

    def side(signal, cutoff, kind):
        b, a = butter(2, cutoff, kind, fs=RATE)
        return lfilter(b, a, lfilter(b, a, signal))

    _, turn = butter(2, 3500, fs=RATE)
    low, rest = (side(audio.numpy(), 160, kind) for kind in ("low", "high"))
    bands = lfilter(turn[::-1], turn, low), side(rest, 3500, "low"), side(rest, 3500, "high")
    want = sum(10 ** (gain / 20) * band for gain, band in zip(gains.values(), bands))
    np.testing.assert_allclose(made.numpy(), want, atol=1e-9)


def test_a_loud_band_is_turned_down_alone(mixer):
    time = torch.arange(RATE, dtype=torch.float64) / RATE
    bass, treble = torch.sin(2 * torch.pi * 60 * time), 0.1 * torch.sin(2 * torch.pi * 8000 * time)
    audio = (bass + treble).expand(1, 2, -1)
    made = mixer({"track": audio}, params(mixer, low__threshold=-20.0, low__ratio=4.0))
    spectrum = [torch.fft.rfft(one[0, 0, RATE // 2 :]).abs() for one in (audio, made)]
    change = 20 * (spectrum[1] / spectrum[0]).log10()
    assert -16 < float(change[30]) < -8  # 60 Hz: about 17 dB above the threshold, four for one
    assert float(change[4000]) == pytest.approx(0, abs=0.1)


def test_a_stream_is_the_whole_clip(mixer):
    audio = noise(1, 2, 5000, dtype=torch.float32) * 0.2
    position = torch.rand(1, 1, len(mixer.layout), generator=torch.Generator().manual_seed(3))
    values = mixer.layout.from_unit(0.3 + 0.4 * position)
    whole = mixer({"track": audio}, values)
    stream = mixer.stream(score=(values, [0]))
    parts = [stream({"track": audio[..., start : start + 777]}) for start in range(0, 5000, 777)]
    streamed = torch.cat([*parts, stream.finish()], -1)[..., stream.latency :]
    torch.testing.assert_close(streamed, whole, rtol=0, atol=1e-4)


def test_every_column_gets_a_gradient_where_the_chain_works(mixer):
    audio = noise(1, 2, 4000)
    values = mixer.layout.from_unit(torch.full((1, 1, len(mixer.layout)), 0.45, dtype=torch.float64))
    # All bands are above their thresholds, and what comes out is above the ceiling.
    for name, value in {
        "low.threshold": -50,
        "mid.threshold": -50,
        "high.threshold": -50,
        "track.gain": 0,
        "master.gain": 18,
        "master.ceiling": -20,
    }.items():
        values[..., mixer.layout.index(name)] = value
    values.requires_grad_()
    mixer({"track": audio}, values).square().mean().backward()
    assert values.grad.isfinite().all()
    assert (values.grad.abs() > 0).all()


def test_it_equals_the_graph_run_node_by_node(mixer):
    from djgraph.runtime.reference import Reference

    audio = noise(1, 2, 3000)
    values = mixer.layout.from_unit(0.3 + 0.4 * torch.rand(1, 3, len(mixer.layout), dtype=torch.float64))
    want = Reference(mixer.graph)({"track": audio}, values)
    torch.testing.assert_close(mixer({"track": audio}, values), want, rtol=0, atol=1e-10)


def test_nothing_is_above_the_ceiling(mixer):
    made = mixer({"track": 4 * noise(1, 2, 8000)}, params(mixer, master__gain=12.0, master__ceiling=-6.0))
    assert float(made.abs().max()) <= 10 ** (-6 / 20) + 1e-12
