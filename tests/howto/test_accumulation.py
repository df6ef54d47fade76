"""What docs/howto/pytorch.md says of gradients that are added up: those of halves are those of the whole."""

from __future__ import annotations

import pytest
import torch

import djgraph
from djgraph import losses


@pytest.mark.slow
def test_gradients_of_halves_add_up_to_those_of_the_whole() -> None:
    mixer = djgraph.compile("filter_knob")
    loss_of = losses.MultiResolutionSTFT(sizes=(256,))
    tracks = {name: 0.1 * torch.randn(4, 2, 2048) for name in mixer.graph.inputs}
    target = 0.1 * torch.randn(4, 2, 2048)
    params = mixer.layout.neutral.expand(4, 2, -1).clone().requires_grad_()
    (whole,) = torch.autograd.grad(loss_of(mixer(tracks, params), target), params)
    for part in (slice(0, 2), slice(2, 4)):
        some = {name: x[part] for name, x in tracks.items()}
        (loss_of(mixer(some, params[part]), target[part]) / 2).backward()
    torch.testing.assert_close(params.grad, whole, rtol=1e-4, atol=1e-6)
