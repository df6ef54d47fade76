"""Sidechains in whole mixers: connected or not, of other channel counts, against the reference and in streams."""

import pytest
import torch

import djgraph
from djgraph.compiler.plan import Process
from djgraph.effects import Port, TimeEffect
from djgraph.errors import EffectError
from djgraph.graph import load
from djgraph.runtime.reference import Reference

GRAPH = """
djgraph: 1
name: sidechains
inputs: [{name: voice, channels: mono}, {name: a}, {name: b}, {name: c, channels: mono}]
mixer:
  - {strip: a, input: a, chain: [compressor], to: master}
  - {strip: b, input: b, chain: [{effect: compressor, inputs: {sidechain: voice}}], to: master}
  - {strip: b2, input: b, chain: [{effect: compressor, inputs: {sidechain: a@input}}], to: master}
  - {strip: c, input: c, chain: [{effect: compressor, inputs: {sidechain: a}}], to: solo}
  - bus: master
  - bus: solo
outputs: [master, solo]
"""
VALUES = {"threshold": -40.0, "ratio": 8.0, "attack": 1.0, "release": 20.0}
SAMPLES = 6000


def made():
    generator = torch.Generator().manual_seed(0)
    sizes = {"voice": 1, "a": 2, "b": 2, "c": 1}
    return {
        name: torch.randn(2, count, SAMPLES, generator=generator, dtype=torch.float64)
        for name, count in sizes.items()
    }


def params_of(layout, **values):
    params = layout.default.double().expand(2, 1, -1).clone()
    for index, name in enumerate(layout.names):
        params[..., index] = values.get(name.rpartition(".")[2], params[..., index])
    return params


def test_a_mixer_equals_the_reference_whole_and_in_blocks():
    graph, inputs = load(GRAPH), made()
    mixer, reference = djgraph.compile(graph), Reference(graph)
    params = params_of(mixer.layout, **VALUES).requires_grad_()
    got, want = mixer(inputs, params), reference(inputs, params)
    for name in want:
        torch.testing.assert_close(got[name], want[name], rtol=1e-9, atol=1e-9)
    weights = {name: torch.sin(torch.arange(out.numel()).view(out.shape)) for name, out in want.items()}
    slopes = [
        torch.autograd.grad(sum((out[n] * w).sum() for n, w in weights.items()), params)[0]
        for out in (got, want)
    ]
    torch.testing.assert_close(*slopes, rtol=1e-7, atol=1e-7)
    with torch.no_grad():
        stream, parts = mixer.stream(batch=2, dtype=torch.float64), []
        for start, stop in ((0, 1), (1, 700), (700, SAMPLES)):
            block = {name: audio[..., start:stop] for name, audio in inputs.items()}
            parts.append(stream(block, params[:, 0]))
        parts.append(stream.finish())
    for name in want:
        streamed = torch.cat([part[name] for part in parts], dim=-1)[..., stream.latency :]
        torch.testing.assert_close(streamed, want[name], rtol=1e-9, atol=1e-9)


def test_what_is_not_connected_is_the_signal_itself():
    graph = load(GRAPH)
    assert graph.by_id["a.compressor"].sources["sidechain"] == graph.by_id["a.compressor"].sources["in"]
    assert str(graph.by_id["b.compressor"].sources["sidechain"]) == "in:voice"


def test_nodes_whose_sidechains_have_other_channel_counts_have_calls_of_their_own():
    plan = djgraph.compile(GRAPH).plan
    calls = [{node.id for node in op.nodes} for op in plan.ops if isinstance(op, Process)]
    # c's signal is mono, and b's sidechain: only a and b2 have the same counts at both ports.
    assert {"a.compressor", "b2.compressor"} in calls
    assert {"b.compressor"} in calls
    assert {"c.compressor"} in calls


@pytest.mark.parametrize("declared", [{"apart": True}, {"default": "in"}])
def test_only_further_inputs_may_be_apart_or_have_a_default(declared):
    with pytest.raises(EffectError, match="only an input behind the first"):
        type("First", (TimeEffect,), {"type": "first", "inputs": (Port("in", **declared),)})
    with pytest.raises(EffectError, match="only an input behind the first"):
        type("Out", (TimeEffect,), {"type": "outs", "outputs": (Port("out", **declared),)})
    ports = (Port("in"), Port("more", default="less"))
    with pytest.raises(EffectError, match="its default is an input before it"):
        type("Behind", (TimeEffect,), {"type": "behind", "inputs": ports})
