"""In graphs: streams equal clips, and what torchaudio cannot do is told where it stands in the file."""

from __future__ import annotations

import djgraph_torchaudio
import pytest
import torch

import djgraph
from djgraph.errors import DJGraphError
from djgraph.plugins import registry, reset


@pytest.fixture(autouse=True)
def installed():
    """The plugin in the process's registry, as if it were installed."""
    reset()
    if "torchaudio_gain" not in registry().effects:
        registry().register(djgraph_torchaudio, name="torchaudio")
    yield
    reset()


def graph(chain, **more):
    return {
        "djgraph": 1,
        "name": "wrapped",
        "inputs": [{"name": "track"}],
        "mixer": [
            {"strip": "track", "input": "track", "chain": chain, "to": "master"},
            {"bus": "master"},
        ],
        "outputs": ["master"],
        **more,
    }


def test_a_stream_is_the_clip():
    chain = ["torchaudio_lowpass_biquad", "torchaudio_overdrive", "torchaudio_bass_biquad"]
    mixer = djgraph.compile(djgraph.load(graph(chain)))
    generator = torch.Generator().manual_seed(0)
    sound = 0.2 * torch.randn(1, 2, 7000, generator=generator)
    params = mixer.layout.default.float()[None, None].repeat(1, 2, 1)
    for name, (start, end) in {
        "track.torchaudio_lowpass_biquad.mix": (1.0, 1.0),
        "track.torchaudio_lowpass_biquad.cutoff_freq": (300.0, 6000.0),
        "track.torchaudio_overdrive.mix": (0.0, 1.0),
        "track.torchaudio_bass_biquad.gain": (-12.0, 12.0),
    }.items():
        params[0, :, mixer.layout.index(name)] = torch.tensor([start, end])
    with torch.no_grad():
        whole = mixer({"track": sound}, params)
        stream = mixer.stream(score=(params, torch.tensor([0, 6999])))
        pieces = [stream({"track": part}) for part in sound.split(700, -1)]
        streamed = torch.cat([*pieces, stream.finish()], -1)[..., stream.latency :]
    assert float((whole - sound).abs().max()) > 0.1
    assert float((streamed - whole).abs().max()) < 1e-5


@pytest.mark.parametrize(
    ("chain", "more", "message"),
    [
        (
            [{"effect": "torchaudio_lfilter", "settings": {"b_coeffs": [1, 0], "a_coeffs": [1, -1.5]}}],
            {},
            "unstable: a pole at a distance of 1.5 from 0",
        ),
        (
            [{"effect": "torchaudio_lfilter", "settings": {"b_coeffs": [1, 0, 0]}}],
            {},
            "3 coefficients b and 2 a",
        ),
        (["torchaudio_riaa_biquad"], {"sample_rate": 22050}, "not known at 22050 Hz"),
        (
            [{"effect": "torchaudio_lowpass_biquad", "controls": {"cutoff_freq": 15000}}],
            {"sample_rate": 22050},
            "more than a sample rate of 22050 Hz holds",
        ),
    ],
)
def test_what_cannot_be_is_told(chain, more, message):
    with pytest.raises(DJGraphError, match=message):
        djgraph.load(graph(chain, **more))
