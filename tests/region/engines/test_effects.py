"""Ratio and amplitude effects: what their contract says, and that every engine keeps to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import djgraph_fx
import numpy as np
import pytest
import torch
from effort import few
from runtime.mixes import assert_same, evaluate, leaves, make_inputs, make_params
from torch import Tensor, nn

from djgraph.effects import (
    AmplitudeEffect,
    Block,
    Control,
    ControlModel,
    Environment,
    Port,
    RatioEffect,
    Transform,
)
from djgraph.errors import EffectError
from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer
from djgraph.plugins import Registry, hookimpl
from djgraph.runtime.reference import Reference

ENVIRONMENT = Environment(22050, Transform(64, 16))


def bumps(environment: Environment, count: int) -> Tensor:
    """Smooth curves, ``[count, bins]``, all above 0."""
    place = torch.linspace(0, 1, environment.transform.bins, dtype=torch.float64)
    centre = torch.linspace(0, 1, count, dtype=torch.float64)
    return 0.1 + torch.exp(-20 * (place - centre[:, None]).square())


class Blend(RatioEffect):
    """Five curves over two, weighted by a control of the clip, one of the frame, and weights of its own."""

    type = "blend"

    class Controls(ControlModel):
        amount: Annotated[float, Control(0, 1, neutral=0, rate="frame")] = 0.0
        depth: Annotated[float, Control(0, 1, neutral=0, rate="clip")] = 0.0

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.share = nn.Parameter(torch.linspace(0.2, 1.3, 5))

    def constants(self) -> dict[str, Tensor]:
        return {"above": bumps(self.environment, 5), "below": bumps(self.environment, 2)}

    def weights(self, controls: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        share = self.share.to(controls["amount"].dtype)
        above = share * (0.5 + controls["amount"]) * (1 + controls["depth"])
        below = torch.cat((1 + controls["amount"].square(), 0.5 + share[:1] * controls["amount"]), dim=-1)
        return above, below


class Tilt(RatioEffect):
    """No controls; learnable; nothing below."""

    type = "turn"

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.share = nn.Parameter(torch.tensor([0.4, 0.9, 0.2]))

    def constants(self) -> dict[str, Tensor]:
        return {"above": bumps(self.environment, 3)}

    def weights(self, controls: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        return self.share, None


class Fixed(RatioEffect):
    """No controls, and nothing to learn."""

    type = "fixed"

    def constants(self) -> dict[str, Tensor]:
        return {"above": bumps(self.environment, 2), "below": bumps(self.environment, 3)}

    def weights(self, controls: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        above, below = torch.tensor([0.3, 0.8]), torch.tensor([[[0.2, 0.4, 0.5]]])
        return above.double(), below.double()


class Tremble(AmplitudeEffect):
    """A control of the sample, one of the clip, and a weight of its own."""

    type = "tremble"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 2, neutral=1, smoothing=1.0)] = 1.0
        depth: Annotated[float, Control(0, 1, neutral=0, rate="clip")] = 0.0

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.rate = nn.Parameter(torch.tensor(0.7))

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        level = controls["level"]
        return torch.sin(level * self.rate.to(level.dtype)) + controls["depth"]


class ClipLevel(AmplitudeEffect):
    """Read once per clip."""

    type = "clip_level"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 2, neutral=1, rate="clip")] = 1.0

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        return controls["level"].square()


class Half(AmplitudeEffect):
    """No controls; learnable."""

    type = "half"

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.level = nn.Parameter(torch.full((1, 1, 1), 0.5))

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        return self.level


class Effects:
    @hookimpl
    def djgraph_effects(self) -> list[type]:
        return [Blend, Tilt, Fixed, Tremble, ClipLevel, Half]


REGISTRY = Registry()
REGISTRY.register(djgraph_fx, name="fx", distribution="djgraph")
REGISTRY.register(Effects(), name="test", distribution="tests")


def graph_of(*chains: list[Any]) -> Graph:
    """A strip for each chain, one of them heard twice, and a low-pass on the sum."""
    document = {
        "djgraph": 1,
        "name": "effects",
        "sample_rate": 22050,
        "transform": {"size": 64, "hop": 16},
        "inputs": [{"name": f"in{n}"} for n in range(len(chains))],
        "mixer": [
            *(
                {"strip": f"s{n}", "input": f"in{n}", "chain": chain, "to": ["main", "side"][: 1 + (n == 0)]}
                for n, chain in enumerate(chains)
            ),
            {"bus": "main", "chain": ["lowpass"]},
            {"bus": "side"},
        ],
        "outputs": ["main", "side"],
    }
    return load(document, registry=REGISTRY)


def named(effect: str, name: str, **controls: float) -> dict[str, Any]:
    return {"effect": effect, "id": name, "controls": controls}


GRAPHS = {
    "blend": graph_of(["blend"], [named("blend", "one"), named("blend", "two", amount=0.4, depth=0.3)]),
    "turn": graph_of(["turn"], [named("turn", "one"), "eq3", named("turn", "two")]),
    "fixed": graph_of(["fixed"], ["blend", "fixed"]),
    "tremble": graph_of(
        ["tremble"], ["tremble", "gain", "eq3"], [named("tremble", "still", level=1.5, depth=0.2)]
    ),
    "clip_level": graph_of(["clip_level", "blend"], ["clip_level"]),
    "half": graph_of(["half", "turn"], ["half"], ["gain", "half"]),
    "all": graph_of(["tremble", "half", "clip_level", "eq3", "blend", "turn", "highpass"], ["half", "fixed"]),
}


@pytest.mark.parametrize("name", sorted(GRAPHS))
@pytest.mark.parametrize(
    "grads",
    few([{"inputs", "params", "weights"}, {"weights"}, {"inputs"}, {"params"}, {"inputs", "weights"}], 1),
    ids=sorted,
)
@pytest.mark.parametrize("frames_per_tile", [None, 3])
def test_engines_and_reference_agree(name: str, grads: set[str], frames_per_tile: int | None) -> None:
    graph = GRAPHS[name]
    engines = [Mixer(graph, simd=simd, frames_per_tile=frames_per_tile) for simd in (True, False)]
    inputs = make_inputs(graph, 2, 601, torch.float64, 4)
    params = make_params(engines[0], 2, 5, torch.float64, 4).requires_grad_("params" in grads)
    for tensor in leaves(inputs):
        tensor.requires_grad_("inputs" in grads)
    found = []
    for module in (*engines, Reference(graph)):
        module.load_state_dict(engines[0].state_dict(), strict=False)
        module.to(torch.float64).requires_grad_("weights" in grads)
        found.append(evaluate(module, inputs, params, grads))
    for outputs, gradients in found[1:]:
        assert_same(found[0][0], outputs, 1e-9)
        assert_same(found[0][1], gradients, 1e-9)


@pytest.mark.parametrize("simd", [True, False])
@pytest.mark.parametrize("name", ["blend", "turn", "tremble", "half"])
def test_weights_of_effects_get_gradients(name: str, simd: bool) -> None:
    """Against differences of the loss."""
    mixer = Mixer(GRAPHS[name], simd=simd).double()
    inputs = make_inputs(mixer.graph, 1, 300, torch.float64, 5)
    params = make_params(mixer, 1, 3, torch.float64, 5)

    def loss() -> Tensor:
        return sum((out.square().sum() for out in mixer(inputs, params).values()), torch.zeros(()))

    weights = list(mixer.parameters())
    assert weights
    gradients = torch.autograd.grad(loss(), weights)
    for weight, gradient in zip(weights, gradients):
        direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(6)).double()
        values = []
        with torch.no_grad():
            for step in (1e-5, -2e-5, 1e-5):
                values.append(loss().item())
                weight += step * direction
        # The values are those at 0, 1e-5 and −1e-5.
        assert (values[1] - values[2]) / 2e-5 == pytest.approx((gradient * direction).sum().item(), rel=1e-6)
        assert gradient.abs().max() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_mask_of_a_ratio_is_above_over_below(dtype: torch.dtype) -> None:
    effect = Blend(Blend.Settings(), ENVIRONMENT).to(dtype)
    generator = torch.Generator().manual_seed(7)
    controls = {
        "amount": torch.rand(2, 4, 1, dtype=dtype, generator=generator),
        "depth": torch.rand(2, 1, 1, dtype=dtype, generator=generator),
    }
    got = effect.mask(controls)
    assert got.dtype == dtype
    curves = {name: curve.numpy() for name, curve in effect.constants().items()}
    share = effect.share.detach().numpy()
    expected = np.empty((2, 4, 33))
    for item in range(2):
        for frame in range(4):
            amount, depth = controls["amount"][item, frame, 0].item(), controls["depth"][item, 0, 0].item()
            above = sum(share[r] * (0.5 + amount) * (1 + depth) * curves["above"][r] for r in range(5))
            below = (1 + amount**2) * curves["below"][0] + (0.5 + share[0] * amount) * curves["below"][1]
            expected[item, frame] = above / below
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-5 if dtype == torch.float32 else 1e-12)


def test_the_mask_of_a_ratio_with_nothing_below() -> None:
    effect = Tilt(Tilt.Settings(), ENVIRONMENT)
    expected = sum(w * curve for w, curve in zip([0.4, 0.9, 0.2], effect.constants()["above"].numpy()))
    np.testing.assert_allclose(effect.mask({}).detach().numpy(), expected, rtol=1e-6)


def test_an_amplitude_is_one_number_for_all_channels_at_every_sample() -> None:
    effect = Tremble(Tremble.Settings(), ENVIRONMENT)
    audio = torch.randn(2, 2, 9, generator=torch.Generator().manual_seed(8))
    level, depth = torch.rand(2, 1, 9), torch.rand(2, 1, 1)
    out, state = effect.process({"in": audio}, {"level": level, "depth": depth}, {}, Block(0, 9, 22050))
    assert state == {}
    assert effect.memoryless
    for item in range(2):
        for channel in range(2):
            factor = np.sin(level[item, 0].numpy() * 0.7) + depth[item, 0, 0].item()
            expected = audio[item, channel].numpy() * factor
            np.testing.assert_allclose(out["out"][item, channel].detach().numpy(), expected, rtol=1e-5)


def test_a_ratio_may_not_bring_a_mask_of_its_own() -> None:
    with pytest.raises(EffectError, match=r"Own.*has weights\(\), and no mask\(\) of its own"):

        class Own(RatioEffect):
            type = "own"

            def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
                return torch.ones(33)

    with pytest.raises(EffectError, match=r"Heir.*no mask\(\)"):

        class Heir(Tilt):
            type = "heir"

            def mask(self, controls: Mapping[str, Tensor]) -> Tensor:
                return super().mask(controls)


def test_an_amplitude_may_not_bring_a_process_of_its_own() -> None:
    with pytest.raises(EffectError, match=r"Own.*has amplitude\(\), and no process\(\) of its own"):

        class Own(AmplitudeEffect):
            type = "own"

            def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
                return {"out": audio["in"]}, state


@pytest.mark.parametrize(
    "ports",
    [
        {"inputs": (Port("in"), Port("key"))},
        {"outputs": (Port("out"), Port("rest"))},
        {"inputs": (Port("signal"),)},
        {"inputs": ()},
    ],
)
def test_an_amplitude_has_one_way_in_and_one_out(ports: dict[str, Any]) -> None:
    with pytest.raises(EffectError, match="one input, in, and one output, out"):
        type("Ports", (AmplitudeEffect,), {"type": "ports", **ports})


def test_a_ratio_reads_no_control_at_every_sample() -> None:
    class Level(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=1, rate="sample")] = 1.0

    with pytest.raises(EffectError, match="per frame or per clip"):
        type("Fast", (RatioEffect,), {"type": "fast", "Controls": Level})
