"""Polarity: a sign that a switch turns."""

import pytest
import torch
from djgraph_fx import Polarity
from effort import gradcheck

import djgraph
from djgraph.errors import GraphError

from .bench import build, noise, process


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_is_a_sign_for_all_channels(channels):
    audio, invert = noise(2, channels, 40), (noise(2, 1, 40, seed=3) > 0).double()
    out, state = process(build(Polarity), audio, {"invert": invert})
    assert torch.equal(out, torch.where(invert.bool(), -audio, audio))
    assert state == {}


def test_gradients():
    effect, invert = build(Polarity), torch.tensor([[[0.0, 1, 1, 0]]]).double()
    audio = noise(1, 2, 4).requires_grad_()
    assert gradcheck(lambda x: process(effect, x, {"invert": invert})[0], (audio,))


def document(**controls):
    return {
        "djgraph": 1,
        "name": "one",
        "inputs": [{"name": "in"}],
        "mixer": [{"strip": "s", "input": "in", "chain": [{"effect": "polarity", "controls": controls}]}],
        "outputs": ["s"],
    }


def test_a_mixer_snaps_the_switch_and_passes_the_declared_gradient():
    mixer, audio = djgraph.compile(document()), noise(1, 2, 3000, dtype=torch.float32)
    assert mixer.layout.names == ("s.polarity.invert",)
    frames = 1 + 3000 // mixer.graph.transform.hop
    for value, sign in ((0.2, 1), (0.8, -1)):
        params = torch.full((1, frames, 1), value, requires_grad=True)
        out = mixer({"in": audio}, params)
        assert torch.equal(out, sign * audio)
        (gradient,) = torch.autograd.grad(out.mul(audio).sum(), params)
        torch.testing.assert_close(gradient.sum(), -2 * audio.square().sum(), rtol=1e-4, atol=0)


def test_a_setting_between_the_two_is_refused():
    with pytest.raises(GraphError, match="invert"):
        djgraph.compile(document(invert=0.5))
