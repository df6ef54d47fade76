"""The response of a graph against the formulas of its effects."""

from __future__ import annotations

import numpy as np
import torch

import djgraph
from djgraph.effects import Transform
from djgraph.fitting.bands import bands_of
from djgraph.fitting.response import Response

from .conftest import RATE


def test_response_is_the_formula_of_the_effects(mixer: djgraph.Mixer) -> None:
    bands = bands_of(RATE, Transform(256, 64))
    response = Response(mixer.graph, mixer.graph.outputs["master"], bands)
    assert response.names == ["a.low", "a.high", "b"]
    assert response.unknown == []
    params = (
        mixer.layout.pack(
            {
                "a.low.gain": 0.3,
                "a.high.eq3.low": 0.2,
                "a.high.eq3.high": 1.7,
                "b.lowpass.cutoff": 0.6,
                "b.highpass.cutoff": 0.3,
            },
            dtype=torch.float64,
        )
        if "b.lowpass.cutoff" in mixer.layout
        else None
    )
    assert params is not None, mixer.layout.names
    made = response(params)[0].numpy()
    f = bands.frequencies.numpy()
    low, high = 1 / (1 + (f / 300) ** 4), (f / 2000) ** 4 / (1 + (f / 2000) ** 4)
    mid = 1 - low - high
    np.testing.assert_allclose(made[0], 0.3, atol=1e-9)
    np.testing.assert_allclose(made[1], 0.2 * low + mid + 1.7 * high, atol=1e-6)
    lowpass = 1 / (1 + (f / (20 * 1000**0.6)) ** 4)
    highpass = 1 / (1 + (20 * 1000**0.3 / f) ** 4)
    np.testing.assert_allclose(made[2], lowpass * highpass, atol=1e-6)
    _, slopes = response.slopes(params)
    column = mixer.layout.index("a.high.eq3.low")
    np.testing.assert_allclose(slopes[0, column, 1], low, atol=1e-6)
    assert float(slopes[0, column, [0, 2]].abs().max()) == 0


def test_what_the_response_does_not_know_is_named() -> None:
    graph = djgraph.load("dj_mixer")
    response = Response(graph, graph.outputs["master"], bands_of(44100, graph.transform))
    names = [graph.columns[i].name for i in response.unknown]
    assert names == [f"track_{t}.{c}" for t in "ab" for c in ("reverb_send", "delay_send", "delay_feedback")]
    for group in response.groups:
        inputs = [i for column in group for i in response.reach[column]]
        assert len(inputs) == len(set(inputs))


def test_filters_in_time_are_known_by_their_magnitude() -> None:
    graph = djgraph.load(
        {
            "djgraph": 1,
            "name": "knobs",
            "inputs": [{"name": "a"}],
            "mixer": [
                {
                    "strip": "a",
                    "input": "a",
                    "chain": ["filter", "filter_knob", "trim", "tremolo"],
                    "to": "m",
                },
                {"bus": "m"},
            ],
            "outputs": ["m"],
        }
    )
    response = Response(graph, graph.outputs["m"], bands_of(44100, graph.transform))
    names = [column.name for column in graph.columns]
    assert {names[i] for i in response.unknown} == {f"a.tremolo.{c}" for c in ("depth", "rate", "beats")}
    costs = dict(zip(names, response.costs().tolist()))
    assert costs["a.trim.gain"] == 1
    assert costs["a.filter.cutoff"] == costs["a.filter_knob.knob"] == 1.5


BANDS = {"settings": {"low": 300, "high": 2000}}
TURNING = {
    "djgraph": 1,
    "name": "turning",
    "sample_rate": RATE,
    "transform": {"size": 256, "hop": 64},
    "inputs": [{"name": "a"}, {"name": "b"}],
    "mixer": [
        {
            "strip": "a",
            "input": "a",
            "chain": ["filter_knob", "tilt", {"effect": "eq3", **BANDS}],
            "to": "master",
        },
        {"strip": "b", "input": "b", "chain": [{"effect": "isolator", **BANDS}, "lowpass"], "to": "master"},
        {"bus": "master"},
    ],
    "outputs": ["master"],
}


def test_the_response_with_phases_is_the_spectrum_of_an_impulse() -> None:
    mixer = djgraph.compile(TURNING, lowering="causal")
    bands = bands_of(RATE, Transform(256, 64))
    response = Response(mixer.compiled.graph, mixer.outputs["master"], bands)
    assert response.turning
    assert response.names == ["a", "b"]
    assert response.sources == 4
    params = mixer.layout.pack(
        {
            "a.filter_knob.knob": -0.4,
            "a.tilt.tilt": 4.0,
            "a.eq3.mid": 0.4,
            "b.isolator.low": -9.0,
            "b.lowpass.cutoff": 0.7,
        },
        dtype=torch.float64,
    )
    gains = response(params)[0]
    silence, impulse = torch.zeros(1, 1, 8192), torch.zeros(1, 1, 8192)
    impulse[..., 0] = 1
    at = bands.frequencies.numpy()
    for index, name in enumerate(("a", "b")):
        inputs = {"a": silence, "b": silence} | {name: impulse}
        out = mixer(inputs, params.float())[0, 0].numpy()
        waves = np.exp(-2j * np.pi * at[:, None] * np.arange(8192) / RATE)
        want = waves @ out
        np.testing.assert_allclose(gains[index] + 1j * gains[2 + index], want, atol=2e-3)
        np.testing.assert_allclose(response.loudness(gains)[index], np.abs(want), atol=2e-3)
    # A control reaches an input and its quarter turn.
    assert response.reach[mixer.layout.index("b.isolator.low")] == (1, 3)


def test_what_comes_round_in_a_loop_is_not_known() -> None:
    """It is left to the descent through the mixer: the send back, and what stands on the way back alone."""
    graph = djgraph.load(
        {
            "djgraph": 1,
            "name": "loop",
            "inputs": [{"name": "a"}],
            "mixer": [
                {"strip": "a", "input": "a", "to": "echo"},
                {"bus": "echo", "chain": ["gain"], "sends": [{"to": "back"}], "to": "master"},
                {
                    "bus": "back",
                    "chain": ["gain"],
                    "sends": [{"to": "echo", "feedback": True, "delay": "100 ms", "level": {"max": 0.9}}],
                },
                {"bus": "master"},
            ],
            "outputs": ["master"],
        }
    )
    response = Response(graph, graph.outputs["master"], bands_of(44100, graph.transform))
    names = {graph.columns[i].name for i in response.unknown}
    assert names == {"echo.back_send", "back.gain.gain", "back.echo_send"}
