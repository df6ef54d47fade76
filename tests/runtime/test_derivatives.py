"""Derivatives beyond the first backward pass: second order, forward mode, torch.func, weights handed over.

What is right is computed by finite differences of outputs or of first gradients, or one item at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

import djgraph
from djgraph.errors import DJGraphError
from djgraph.graph import load
from djgraph.mixer import Mixer

from .documents import REGISTRY

DOCUMENT = {
    "djgraph": 1,
    "name": "derivatives",
    "sample_rate": 22050,
    "transform": {"size": 64, "hop": 16},
    "inputs": [{"name": "a"}, {"name": "b"}],
    "mixer": [
        {"strip": "a", "input": "a", "chain": ["drive", "eq3", "lowpass"], "to": "m", "sends": [{"to": "r"}]},
        {
            "strip": "b",
            "input": "b",
            "chain": ["gain", "shaper", "highpass"],
            "to": "m",
            "macros": [
                {
                    "name": "knob",
                    "default": 0.3,
                    "drives": {"highpass.cutoff": [[0, 0], [0.5, 0.2], [1, 0.9]]},
                }
            ],
        },
        {"bus": "r", "chain": [{"effect": "delay", "settings": {"time": 2}}], "to": "m"},
        {
            "bus": "m",
            "chain": [{"effect": "reverb", "settings": {"decay_time": 0.1, "pre_delay": 1}}, "lowpass"],
        },
    ],
    "outputs": ["m"],
}
SAMPLES, STEP = 190, 1e-6


@pytest.fixture(params=[True, False], ids=["vectors", "operators"])
def mixer(request: pytest.FixtureRequest) -> Mixer:
    made = Mixer(load(DOCUMENT, registry=REGISTRY), simd=request.param).double()
    torch.manual_seed(3)
    for weight in made.parameters():
        nn.init.uniform_(weight, 0.3, 0.9)
    return made


@lru_cache
def inputs(batch: int = 1) -> dict[str, Tensor]:
    noise = torch.randn(2, batch, 2, SAMPLES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return {"a": noise[0], "b": noise[1]}


def params(mixer: Mixer, batch: int = 1) -> Tensor:
    position = torch.rand(
        batch, 4, len(mixer.layout), dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    return mixer.layout.from_unit(0.2 + 0.6 * position)


def direction(like: Tensor, seed: int = 5) -> Tensor:
    return torch.randn(like.shape, dtype=like.dtype, generator=torch.Generator().manual_seed(seed))


def difference(function: Callable[[Tensor], Tensor], at: Tensor, along: Tensor) -> Tensor:
    return (function(at + STEP * along) - function(at - STEP * along)) / (2 * STEP)


def gradient(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    leaf = at.detach().clone().requires_grad_()
    return torch.autograd.grad(function(leaf), leaf)[0]


def near(found: Tensor, wanted: Tensor, tolerance: float = 1e-6) -> bool:
    return bool((found - wanted).norm() <= tolerance * wanted.norm())


def test_jacobian_times_vector_of_autograd(mixer: Mixer) -> None:
    def mix(p: Tensor) -> Tensor:
        return mixer(inputs(), p)

    p, v = params(mixer), direction(params(mixer))
    made = torch.autograd.functional.jvp(mix, p, v, strict=True)[1]
    assert near(made, difference(mix, p, v))


@pytest.mark.slow
def test_hessian_times_vector(mixer: Mixer) -> None:
    def loss(p: Tensor) -> Tensor:
        return mixer(inputs(), p).sin().sum()

    p, v = params(mixer), direction(params(mixer))
    wanted = difference(lambda q: gradient(loss, q), p, v)
    assert near(torch.autograd.functional.hvp(loss, p, v)[1], wanted)
    assert near(torch.func.jvp(torch.func.grad(loss), (p,), (v,))[1], wanted)
    assert near(torch.func.grad(lambda q: (torch.func.grad(loss)(q) * v).sum())(p), wanted)


@pytest.mark.parametrize("of", ["params", "audio", "weights"])
def test_gradient_penalties(mixer: Mixer, of: str) -> None:
    audio, p = inputs(), params(mixer)
    weights = dict(mixer.named_parameters())
    leaf = {"params": p, "audio": audio["a"], "weights": weights["effects.b/shaper.curve"]}[of]

    def loss(value: Tensor) -> Tensor:
        given = {**audio, "a": value} if of == "audio" else audio
        knobs = value if of == "params" else p
        swapped = {"effects.b/shaper.curve": value} if of == "weights" else {}
        return torch.func.functional_call(mixer, swapped, (given, knobs)).sin().sum()

    value = leaf.detach().clone().requires_grad_()
    (first,) = torch.autograd.grad(loss(value), value, create_graph=True)
    first.square().sum().backward()
    assert value.grad is not None
    # ∇|g|² = 2·H·g, and H·g is the derivative of the gradient along g.
    along = first.detach()
    assert near(value.grad, 2 * difference(lambda q: gradient(loss, q), leaf.detach(), along), 1e-5)


def test_third_derivatives(mixer: Mixer) -> None:
    def loss(p: Tensor) -> Tensor:
        return mixer(inputs(), p).sin().sum()

    p, v = params(mixer), direction(params(mixer))

    def curvature(q: Tensor) -> Tensor:
        return (torch.autograd.functional.hvp(loss, q, v)[1] * v).sum()

    leaf = p.clone().requires_grad_()
    (first,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
    (second,) = torch.autograd.grad((first * v).sum(), leaf, create_graph=True)
    (third,) = torch.autograd.grad((second * v).sum(), leaf)
    assert near((third * v).sum(), difference(curvature, p, v), 1e-4)


def test_forward_mode(mixer: Mixer) -> None:
    def mix(p: Tensor) -> Tensor:
        return mixer(inputs(), p)

    p, v = params(mixer), direction(params(mixer))
    wanted = difference(mix, p, v)
    assert near(torch.func.jvp(mix, (p,), (v,))[1], wanted)
    with forward_ad.dual_level():
        assert near(forward_ad.unpack_dual(mix(forward_ad.make_dual(p, v))).tangent, wanted)


def test_forward_mode_along_audio_and_controls_at_once(mixer: Mixer) -> None:
    audio, p = inputs(), params(mixer)
    v, w = direction(p), direction(audio["a"], 6)

    def mix(q: Tensor, a: Tensor) -> Tensor:
        return mixer({**audio, "a": a}, q)

    made = torch.func.jvp(mix, (p, audio["a"]), (v, w))[1]
    plus, minus = (mix(p + s * STEP * v, audio["a"] + s * STEP * w) for s in (1, -1))
    assert near(made, (plus - minus) / (2 * STEP))


def test_vmap_over_params_and_audio(mixer: Mixer) -> None:
    audio, many = inputs(3), params(mixer, 3)
    one_by_one = torch.stack(
        [mixer({k: a[i : i + 1] for k, a in audio.items()}, many[i : i + 1]) for i in range(3)]
    )
    made = torch.func.vmap(lambda a, b, p: mixer({"a": a[None], "b": b[None]}, p[None]))(
        audio["a"], audio["b"], many
    )
    assert near(made, one_by_one, 1e-12)
    same = torch.func.vmap(lambda p: mixer(inputs(), p[None]))(many)
    assert near(same, torch.stack([mixer(inputs(), p[None]) for p in many]), 1e-12)


def test_vmap_of_gradients(mixer: Mixer) -> None:
    def loss(p: Tensor) -> Tensor:
        return mixer(inputs(), p[None]).sin().sum()

    many = params(mixer, 3)
    made = torch.func.vmap(torch.func.grad(loss))(many)
    assert near(made, torch.stack([gradient(loss, p) for p in many]), 1e-12)


def test_jacobians_of_torch_func(mixer: Mixer) -> None:
    def some(p: Tensor) -> Tensor:
        return mixer(inputs(), p)[0, 0, 40:43]

    p = params(mixer)
    wanted = torch.autograd.functional.jacobian(some, p)
    assert near(torch.func.jacrev(some)(p), wanted, 1e-9)
    assert near(torch.func.jacfwd(some)(p), wanted, 1e-9)


def test_batched_gradients_of_old_autograd_name_the_way_out(mixer: Mixer) -> None:
    p = params(mixer).requires_grad_()
    mix = mixer(inputs(), p)
    with pytest.raises(DJGraphError, match=r"torch\.func\.jacrev"):
        torch.autograd.grad(mix, p, torch.ones(3, *mix.shape, dtype=mix.dtype), is_grads_batched=True)


def test_gradients_of_weights_handed_over_by_functional_call(mixer: Mixer) -> None:
    own = {name: weight.detach().clone() for name, weight in mixer.named_parameters()}
    given = {name: (weight * 0.5 + 0.1).requires_grad_() for name, weight in own.items()}
    loss = torch.func.functional_call(mixer, given, (inputs(), params(mixer))).sin().sum()
    found = torch.autograd.grad(loss, list(given.values()))
    assert all(torch.equal(weight, own[name]) for name, weight in mixer.named_parameters())

    def at(values: dict[str, Tensor]) -> Tensor:
        with torch.no_grad():
            for name, weight in mixer.named_parameters():
                weight.copy_(values[name])
        return mixer(inputs(), params(mixer)).sin().sum()

    for (name, weight), part in zip(given.items(), found):
        v = direction(weight)
        wanted = difference(lambda w, name=name: at({**given, name: w}), weight.detach(), v)  # type: ignore[misc]
        assert near((part * v).sum(), wanted.detach())


def test_weights_swapped_after_the_forward_pass(mixer: Mixer) -> None:
    """As a meta-learning step does: modules hold new tensors before the old pass is differentiated."""
    module: Any = mixer.effects["b/shaper"]
    first = module.curve
    loss = mixer(inputs(), params(mixer)).sin().sum()
    wanted = torch.autograd.grad(loss, first, retain_graph=True)[0]
    module.curve = nn.Parameter(torch.full_like(first, 7.0))
    assert torch.equal(torch.autograd.grad(loss, first)[0], wanted)
    assert bool((module.curve == 7).all())


def test_weights_computed_by_a_network(mixer: Mixer) -> None:
    """A hypernetwork: weights that are no leaves."""
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    own = {name: weight.detach().clone() for name, weight in mixer.named_parameters()}

    def loss(factor: Tensor) -> Tensor:
        given = {name: weight * factor for name, weight in own.items()}
        return torch.func.functional_call(mixer, given, (inputs(), params(mixer))).sin().sum()

    (found,) = torch.autograd.grad(loss(scale), scale)
    step = torch.tensor(1.0, dtype=torch.float64)
    assert near(found, difference(loss, scale.detach(), step))
    assert near(torch.func.grad(loss)(scale.detach()), found, 1e-12)


def test_ensembles_of_weights(mixer: Mixer) -> None:
    """torch.func's ensembles: one mixer, many sets of weights."""
    sets = {
        name: torch.stack([weight.detach(), weight.detach() * 0.5, weight.detach() - 0.2])
        for name, weight in mixer.named_parameters()
    }
    audio, knobs = inputs(), params(mixer)
    ensemble = torch.func.vmap(lambda given: torch.func.functional_call(mixer, given, (audio, knobs)))
    made = ensemble(sets)
    for number in range(3):
        one = {name: weights[number] for name, weights in sets.items()}
        wanted = torch.func.functional_call(mixer, one, (inputs(), params(mixer)))
        assert near(made[number], wanted, 1e-12)


def test_shipped_graph_twice() -> None:
    """The default mixer, of which version 0.1 said that second derivatives were an error, and returned wrong ones."""
    mixer = djgraph.compile("dj_mixer")
    noise = torch.randn(8, 1, 2, 3000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    stems = ("drums", "bass", "vocals", "other")
    audio = {
        track: {stem: noise[4 * t + s] for s, stem in enumerate(stems)}
        for t, track in enumerate(("track_a", "track_b"))
    }
    p = params(mixer)
    v = direction(p)

    def mix(q: Tensor) -> Tensor:
        return mixer(audio, q)

    made = torch.autograd.functional.jvp(mix, p, v, strict=True)[1]
    assert near(made, difference(mix, p, v), 1e-5)


@pytest.mark.slow
def test_second_derivatives_of_all_kinds_through_operators() -> None:
    """PyTorch's own check, by finite differences of first gradients: params and audio at once."""
    document = {
        **DOCUMENT,
        "transform": {"size": 16, "hop": 8},
        "inputs": [{"name": "a"}],
        "mixer": [{"strip": "a", "input": "a", "chain": ["gain", "eq3", "lowpass"]}],
        "outputs": ["a"],
    }
    mixer = Mixer(load(document, registry=REGISTRY), simd=False).double()
    p = mixer.layout.from_unit(0.2 + 0.6 * torch.rand(1, 2, len(mixer.layout), dtype=torch.float64))
    leaves = p.requires_grad_(), inputs()["a"][..., :40].clone().requires_grad_()
    assert torch.autograd.gradgradcheck(
        lambda knobs, audio: mixer({"a": audio}, knobs), leaves, fast_mode=True
    )
