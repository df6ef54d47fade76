"""The graph dub_desk: at rest the sum, echoes on the beat from side to side, streams, the reference, gradients."""

import pytest
import torch

import djgraph
from djgraph.runtime.reference import Reference

from .bench import noise

RATE = 44100
STEMS = ("drums", "bass", "vocals", "other")


@pytest.fixture(scope="module")
def mixer():
    return djgraph.compile("dub_desk")


def tune(samples, dtype=torch.float64):
    return {"tune": {stem: 0.1 * noise(1, 2, samples, seed=i, dtype=dtype) for i, stem in enumerate(STEMS)}}


def busy(layout):
    """Every control somewhere within its range, the sends open."""
    position = 0.3 + 0.4 * torch.rand(
        1, 3, len(layout), generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    params = layout.from_unit(position)
    params[..., layout.index("echo.beats")] = 0.125
    for name in (*(f"{stem}.fader" for stem in STEMS), "echo.return", "master.volume"):
        params[..., layout.index(name)] = 0
    return params


def test_at_rest_it_is_the_sum(mixer):
    audio = tune(4000)
    rest = mixer.layout.default.double()[None, None]
    torch.testing.assert_close(mixer(audio, rest, tempo=120.0), sum(audio["tune"].values()))


def test_echoes_come_on_the_beat_from_side_to_side(mixer):
    audio = {"tune": {stem: torch.zeros(1, 2, RATE, dtype=torch.float64) for stem in STEMS}}
    audio["tune"]["drums"][:, 0, 0] = 0.5
    params = mixer.layout.default.double()[None, None].clone()
    for name, value in {"drums.echo_send": 1, "echo.beats": 0.5, "echo.feedback": 0.5}.items():
        params[..., mixer.layout.index(name)] = value
    out = mixer(audio, params, tempo=150.0)[0]
    half_beat = round(RATE * 60 / 150 / 2)
    loud = [(int(c), int(n)) for c, n in (out.abs() > 0.05).nonzero()]
    assert (0, 0) in loud
    echoes = sorted({(round(n / half_beat), c) for c, n in loud if n > 100})
    assert echoes[:3] == [(1, 0), (2, 1), (3, 0)] or echoes[:3] == [(1, 1), (2, 0), (3, 1)], echoes
    assert all(abs(n - round(n / half_beat) * half_beat) <= 3 for _, n in loud)


def test_it_equals_the_graph_run_node_by_node(mixer):
    audio = tune(6000)
    params = busy(mixer.layout)
    want = Reference(mixer.graph)(audio, params, tempo=140.0)
    torch.testing.assert_close(mixer(audio, params, tempo=140.0), want, rtol=0, atol=1e-9)


def test_a_stream_is_the_whole_clip(mixer):
    audio = tune(9000, torch.float32)
    params = busy(mixer.layout).float()
    whole = mixer(audio, params, tempo=140.0, positions=[0, 3000, 8000])
    stream = mixer.stream(score=(params, [0, 3000, 8000]), tempo=140.0)
    parts = [
        stream({"tune": {stem: one[..., start : start + 777] for stem, one in audio["tune"].items()}})
        for start in range(0, 9000, 777)
    ]
    streamed = torch.cat([*parts, stream.finish()], -1)[..., stream.latency :]
    torch.testing.assert_close(streamed, whole, rtol=0, atol=1e-5)


def test_gradients_reach_what_is_heard(mixer):
    audio = tune(12000)
    params = busy(mixer.layout).requires_grad_()
    mixer(audio, params, tempo=140.0).square().mean().backward()
    assert params.grad.isfinite().all()
    heard = params.grad.abs().amax((0, 1)) > 0
    silent = {name for name, moved in zip(mixer.layout.names, heard.tolist()) if not moved}
    assert silent <= {"echo.beats"}  # a choice, whose gradient is declared to be none
