"""Mixers on a GPU that is there, against the CPU, without a wait in between: run by ``.ci/gpu``, skipped elsewhere."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from runtime.mixes import assert_same, evaluate, leaves, make_inputs, make_params
from torch.utils._pytree import tree_map

import djgraph
from djgraph.replay import Replayed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="there is no CUDA device: nothing is run on one"
    ),
    pytest.mark.skipif(
        os.environ.get("TRITON_INTERPRET") == "1", reason="kernels are interpreted; run .ci/gpu"
    ),
]
SAMPLES = 30_000


def made(name: str) -> tuple[Any, Any, torch.Tensor]:
    mixer = djgraph.compile(name)
    inputs = make_inputs(mixer.graph, 2, SAMPLES, torch.float32, 0)
    return mixer, inputs, make_params(mixer, 2, 9, torch.float32, 1)


@pytest.mark.parametrize("name", ["dj_mixer", "filter_knob", "club_console", "dj_mixer_live", "mastering"])
def test_as_on_the_cpu(name: str) -> None:
    """The second call with every wait of the host an error."""
    mixer, inputs, params = made(name)
    grads = {"inputs", "params"}
    for tensor in (*leaves(inputs), params):
        tensor.requires_grad_()
    outputs, gradients = evaluate(mixer, inputs, params, grads)
    there = tree_map(lambda one: one.detach().cuda().requires_grad_(), inputs)
    moved = params.detach().cuda().requires_grad_()
    mixer.cuda()
    mixer(there, moved).square().mean().backward()
    for leaf in (*leaves(there), moved):
        leaf.grad = None
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        mixer(there, moved).square().mean().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    found, backwards = evaluate(mixer, there, moved, grads)
    assert_same([one.cpu() for one in found], outputs, 1e-4)
    assert_same([None if one is None else one.cpu() for one in backwards], gradients, 1e-2)


def test_replayed() -> None:
    mixer, inputs, params = made("dj_mixer")
    mixer.cuda()
    there = tree_map(lambda one: one.cuda(), inputs)
    moved = params.cuda().requires_grad_()
    want = mixer(there, moved)
    (gradient,) = torch.autograd.grad(want.square().mean(), moved)
    replayed = Replayed(mixer, there, moved)
    for _ in range(2):
        found = replayed(there, moved)
        torch.testing.assert_close(found, want)
        torch.testing.assert_close(torch.autograd.grad(found.square().mean(), moved)[0], gradient)
