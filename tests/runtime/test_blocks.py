"""Whole clips in blocks: the same as at once, whatever the blocks' length."""

from __future__ import annotations

import pytest
import torch

import djgraph
from djgraph.effects import Effect
from djgraph.graph import load
from djgraph.runtime import blocks
from djgraph.runtime.reference import Reference

GRAPH = """
djgraph: 1
name: blocks
inputs: [{name: a}, {name: b}]
mixer:
  - strip: a
    input: a
    chain: [{effect: saturate, settings: {oversampling: 4}}, {effect: crossover2, id: split}]
  - {strip: low, input: a@split.low, chain: [{effect: chorus, settings: {sync: beats}}], to: master}
  - {strip: high, input: a@split.high, chain: [trim], to: master}
  - {strip: b, input: b, chain: [trans, peq, {effect: compressor, inputs: {sidechain: a@input}}, gain], to: master}
  - {bus: master, chain: [{effect: limiter, settings: {true_peak: true}}]}
outputs: [master]
"""
SAMPLES = 700


def made() -> tuple[dict[str, torch.Tensor], torch.Tensor, djgraph.Mixer, Reference]:
    generator = torch.Generator().manual_seed(0)
    graph = load(GRAPH)
    inputs = {
        name: 0.5 * torch.randn(2, 2, SAMPLES, generator=generator, dtype=torch.float64)
        for name in ("a", "b")
    }
    mixer = djgraph.compile(graph)
    layout = mixer.layout
    position = torch.rand(2, 5, len(layout), generator=generator, dtype=torch.float64)
    params = layout.minimum.double() + (layout.maximum - layout.minimum).double() * position
    return inputs, params, mixer, Reference(graph)


@pytest.mark.parametrize("length", [37, 699])
@pytest.mark.parametrize("every", [False, True])
def test_blocks_equal_the_whole(length: int, every: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, params, mixer, reference = made()
    tempo = torch.tensor([[100.0, 140.0, 90.0]])
    wanted = reference(inputs, params, tempo=tempo)
    monkeypatch.setattr(blocks, "SHORTEST", length)
    monkeypatch.setattr(blocks, "IN_CACHE", 1)
    monkeypatch.setattr(blocks, "AT_ONCE", length)
    if every:
        monkeypatch.setattr(Effect, "blockwise", True, raising=False)
    with torch.no_grad():
        torch.testing.assert_close(mixer(inputs, params, tempo=tempo), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", [300])
def test_gradients(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, params, mixer, reference = made()
    leaves = [*inputs.values(), params]
    for leaf in leaves:
        leaf.requires_grad_()
    weights = torch.sin(torch.arange(4 * SAMPLES, dtype=torch.float64)).view(2, 2, SAMPLES)
    wanted = torch.autograd.grad((reference(inputs, params, tempo=120.0) * weights).sum(), leaves)
    monkeypatch.setattr(blocks, "SHORTEST", length)
    monkeypatch.setattr(blocks, "IN_CACHE", 1)
    for module in mixer.modules():
        if isinstance(module, Effect):
            module.blockwise = True
    got = torch.autograd.grad((mixer(inputs, params, tempo=120.0) * weights).sum(), leaves)
    for one, other in zip(got, wanted):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-7)
