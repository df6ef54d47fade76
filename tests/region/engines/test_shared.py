"""Many candidates, one set of stems: mixes and gradients are those of copies, and what is shared is transformed
once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import djgraph_fx
import numpy as np
import pytest
import torch
from effort import examples, gradcheck
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime.documents import REGISTRY, documents, registry_with
from runtime.mixes import make_inputs, make_params
from torch import Tensor

import djgraph
from djgraph.effects import AmplitudeEffect, Control, ControlModel, RatioEffect, Transform
from djgraph.graph import load
from djgraph.plugins import Registry, hookimpl
from djgraph.region.engines import ENGINES, choose
from djgraph.region.engines.shared import Shared, back, hats, programs
from djgraph.region.load import RegionLoad
from djgraph.simd.candidates import SCALED
from djgraph.simd.program import ADD, ANALYSE, SCALE, SYNTHESISE

DECKS: dict[str, Any] = {
    "djgraph": 1,
    "name": "decks",
    "inputs": [{"name": "one"}, {"name": "two"}],
    "mixer": [
        {"strip": "a", "input": "one", "chain": [{"effect": "gain", "id": "fader"}, "eq3"], "to": "master"},
        {"strip": "b", "input": "two", "chain": ["eq3", "highpass"], "to": "master"},
        {"bus": "master", "chain": [{"effect": "gain", "id": "level"}]},
    ],
    "outputs": ["master"],
}


def drawn(
    mixer: djgraph.Mixer, batch: int, frames: int, samples: int, dtype: torch.dtype
) -> tuple[Any, Tensor]:
    """One set of stems, ``[1, channels, samples]``, and params of many."""
    generator = torch.Generator().manual_seed(batch + frames)
    noise = {"generator": generator, "dtype": dtype}
    inputs = {
        name: 0.1 * torch.randn(1, 2, samples, **noise)
        if stems is None
        else {stem: 0.1 * torch.randn(1, 2, samples, **noise) for stem in stems}
        for name, stems in mixer.graph.inputs.items()
    }
    unit = torch.rand(batch, frames, len(mixer.layout), **noise)
    return inputs, mixer.layout.from_unit(unit)


def each(inputs: Any, change: Any) -> Any:
    return {k: each(v, change) for k, v in inputs.items()} if isinstance(inputs, dict) else change(inputs)


def small(document: dict[str, Any] = DECKS) -> djgraph.Mixer:
    return djgraph.compile({**document, "sample_rate": 11025, "transform": {"size": 64, "hop": 16}})


def leaves(inputs: Any) -> list[Tensor]:
    return [x for v in inputs.values() for x in leaves(v)] if isinstance(inputs, dict) else [inputs]


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each call of the shared engine, which takes all it can, had something to share."""
    found: list[bool] = []
    real = hats.hats_of

    def spy(*arguments: Any) -> Any:
        hats = real(*arguments)
        found.append(hats is not None)
        return hats

    monkeypatch.setattr(hats, "hats_of", spy)
    monkeypatch.setattr(Shared, "seconds", lambda self, load: -math.inf)
    return found


def compare(mixer: djgraph.Mixer, inputs: Any, params: Tensor, bound: float, **how: Any) -> None:
    """Mix and gradients with one set of stems, as it is and spread, and with a copy of it for each candidate."""
    batch = len(params)
    weights = torch.linspace(0.5, 1.5, batch, dtype=params.dtype).view(-1, 1, 1)

    def found(change: Any, of_stems: bool = True) -> list[Tensor]:
        stems = each(inputs, lambda x: x.clone().requires_grad_(of_stems))
        controls = params.clone().requires_grad_()
        mixed = mixer(each(stems, change), controls, **how)
        outputs = list(mixed.values()) if isinstance(mixed, dict) else [mixed]
        total = torch.stack([(weights * one).square().sum() for one in outputs]).sum()
        if total.requires_grad:
            total.backward()
        wanted = [controls, *(leaves(stems) if of_stems else [])]
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in wanted]
        return [*(one.detach() for one in outputs), *gradients]

    copied = found(lambda x: x.repeat(batch, 1, 1))
    for change in (lambda x: x, lambda x: x.expand(batch, -1, -1)):
        for of_stems in (True, False):
            for one, other in zip(found(change, of_stems), copied):
                torch.testing.assert_close(
                    one,
                    other,
                    rtol=0,
                    atol=bound * float(other.norm(torch.inf) if other.numel() else 0) + 1e-18,
                )


@pytest.fixture
def back_at_once(monkeypatch: pytest.MonkeyPatch, used: list[bool]) -> list[bool]:
    """Calls of the shared backward pass: for each whether a source's gradient was wanted."""
    found: list[bool] = []
    real = back.backward

    def spy(*arguments: Any) -> Any:
        totals = real(*arguments)
        found.append(any(total is not None for total in totals[1]))
        assert all(total is None or len(total) == 1 for total in totals[1])
        return totals

    monkeypatch.setattr(back, "backward", spy)
    return found


LOAD = RegionLoad(
    strips=8, scaled=8, processed=0, nodes=24, tables=0, results=2, channels=2, transform=Transform(2048, 512),
    batch=64, frames=800, dtype=torch.float32, device=torch.device("cpu"),
)  # fmt: skip
SIZES = [  # batch, control frames, samples
    (16, 5, 3000), (19, 1, 2000), (33, 2, 2500), (3, 12, 4000), (17, 4, 100), (16, 3, 256)
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "frames", "samples"), SIZES)
def test_candidates_sound_as_with_stems_of_their_own(
    batch: int, frames: int, samples: int, used: list[bool]
) -> None:
    for graph, dtype, bound in (("dj_mixer", torch.float32, 2e-5), (DECKS, torch.float64, 1e-11)):
        mixer = djgraph.compile(graph, sample_rate=11025, n_fft=256, hop_length=64) if graph == "dj_mixer" else (
            djgraph.compile({**DECKS, "sample_rate": 11025, "transform": {"size": 256, "hop": 64}})
        )  # fmt: skip
        compare(mixer, *drawn(mixer, batch, frames, samples, dtype), bound)
    assert used
    assert all(used)


@pytest.mark.slow
def test_one_set_of_stems_has_one_gradient(back_at_once: list[bool]) -> None:
    compare(small(), *drawn(small(), 3, 4, 300, torch.float64), 1e-11)
    # As they are: with gradients of stems, and without; spread: without. A spread tensor has one for each candidate.
    assert back_at_once == [True, False, False]


def test_a_tensor_that_was_spread_has_a_gradient_for_each_candidate(back_at_once: list[bool]) -> None:
    mixer = small()
    inputs, params = drawn(mixer, 3, 2, 200, torch.float64)
    found = []
    for change in (lambda x: x.expand(3, -1, -1), lambda x: x.repeat(3, 1, 1)):
        stems = each(inputs, lambda x: change(x.clone().requires_grad_()))  # noqa: B023
        found.append(torch.autograd.grad(mixer(stems, params).pow(2).sum(), leaves(stems)))
    for spread, copied in zip(*found):
        torch.testing.assert_close(spread, copied, rtol=1e-11, atol=1e-13)
        assert not torch.equal(spread[0], spread[1])
    assert back_at_once == []


@pytest.mark.slow
@pytest.mark.parametrize(("of_params", "of_stems"), [(True, True), (True, False), (False, True)], ids=str)
def test_gradients_against_finite_differences(
    of_params: bool, of_stems: bool, back_at_once: list[bool]
) -> None:
    mixer = small()
    inputs, params = drawn(mixer, 3, 3, 90, torch.float64)
    inputs = {name: audio.requires_grad_(of_stems) for name, audio in inputs.items()}
    # Away from the ends of the range, where clamping cuts a difference short.
    unit = 0.2 + 0.6 * torch.rand(3, 3, len(mixer.layout), dtype=torch.float64)
    params = mixer.layout.from_unit(unit).requires_grad_(of_params)
    assert gradcheck(
        lambda one, two, p: mixer({"one": one, "two": two}, p), (inputs["one"], inputs["two"], params)
    )
    assert back_at_once
    assert set(back_at_once) == {of_stems}


@pytest.mark.slow
def test_second_derivatives_of_one_set_of_stems(used: list[bool]) -> None:
    mixer = small()
    inputs, params = drawn(mixer, 2, 2, 70, torch.float64)

    def curvature(change: Any) -> list[Tensor]:
        stems = each(inputs, lambda x: x.clone().requires_grad_())
        p = params.clone().requires_grad_()
        wanted = [p, *leaves(stems)]
        first = torch.autograd.grad(mixer(each(stems, change), p).pow(2).sum(), wanted, create_graph=True)
        total = torch.stack([one.pow(2).sum() for one in first]).sum()
        return list(torch.autograd.grad(total, wanted))

    for one, copied in zip(curvature(lambda x: x), curvature(lambda x: x.repeat(2, 1, 1))):
        torch.testing.assert_close(one, copied, rtol=1e-9, atol=1e-11)


class Learnt(RatioEffect):
    """A ratio with a weight of its own."""

    type = "t_learnt"

    class Controls(ControlModel):
        amount: Annotated[float, Control(0, 1, neutral=0, rate="frame")] = 0.0

    def __init__(self, settings: Any, environment: Any) -> None:
        super().__init__(settings, environment)
        self.weight = torch.nn.Parameter(torch.tensor(0.5))

    def constants(self) -> dict[str, Tensor]:
        ramp = torch.linspace(0, 1, self.environment.transform.bins, dtype=torch.float64, device="cpu")
        return {"above": torch.stack((torch.ones_like(ramp), ramp))}

    def weights(self, controls: Mapping[str, Tensor]) -> tuple[Tensor, None]:
        amount = controls["amount"]
        return torch.cat((torch.ones_like(amount), amount * self.weight.to(amount.dtype)), dim=-1), None


@pytest.mark.slow
def test_weights_of_effects_learn_from_all_candidates(back_at_once: list[bool]) -> None:
    document = {**DECKS, "sample_rate": 11025, "transform": {"size": 64, "hop": 16}}
    one, two, master = DECKS["mixer"]
    document["mixer"] = [
        {**one, "chain": ["t_learnt"]}, two, {**master, "chain": [{"effect": "t_learnt", "id": "late"}]}
    ]  # fmt: skip
    mixer = djgraph.compile(djgraph.load(document, registry=registry_with(Learnt)))
    inputs, params = drawn(mixer, 5, 3, 250, torch.float64)
    found = []
    for change in (lambda x: x, lambda x: x.repeat(5, 1, 1)):
        mixer.zero_grad()
        mixer(each(inputs, change), params).square().sum().backward()
        found.append([weight.grad.clone() for weight in mixer.parameters() if weight.grad is not None])
    assert len(found[0]) == len(found[1]) > 0
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=0)
    assert back_at_once == [False]


@pytest.mark.slow
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    document=documents(),
    batch=st.integers(1, 19),
    frames=st.integers(1, 5),
    samples=st.integers(1, 400),
)
def test_random_graphs(
    document: dict[str, Any], batch: int, frames: int, samples: int, used: list[bool]
) -> None:
    """Mono and wide ones, effects that are not linear, of one candidate, a sample long."""
    mixer = djgraph.compile(load(document, registry=REGISTRY))
    compare(mixer, make_inputs(mixer.graph, 1, samples, torch.float64, 0),
            make_params(mixer, batch, frames, torch.float64, 1), 1e-9)  # fmt: skip


@pytest.mark.slow
def test_several_threads_add_up_the_same(back_at_once: list[bool]) -> None:
    mixer, threads = small(), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        compare(mixer, *drawn(mixer, 37, 3, 700, torch.float64), 1e-11)
    finally:
        torch.set_num_threads(threads)
    assert back_at_once == [True, False, False]


def test_a_strip_that_is_read_again_keeps_its_slot() -> None:
    analysed, scaled, out = [ANALYSE, 3, 0, 0, 0], [SCALE, 7, 0, 1, 1], [SYNTHESISE, 0, 1, 0, 0]
    for again in ([SCALE, 8, 0, 2, 0], [ADD, 0, 2, 0, 0], [SYNTHESISE, 1, 0, 0, 0]):
        steps = np.array([analysed, scaled, out, again])
        assert np.array_equal(programs.fused(steps), steps)
    for after in (out, [ANALYSE, 4, 0, 0, 0], [ADD, 1, 0, 0, 0]):
        found = programs.fused(np.array([analysed, scaled, after, out]))
        assert found.tolist() == [[SCALED, 3, 7, 1, 1], after, out]
    in_place = np.array([analysed, [SCALE, 7, 0, 0, 0], [SYNTHESISE, 0, 0, 0, 0]])
    assert programs.fused(in_place).tolist() == [[SCALED, 3, 7, 0, 0], [SYNTHESISE, 0, 0, 0, 0]]


class Squared(AmplitudeEffect):
    """No sum of hats: its amplitude is not its control."""

    type = "t_squared"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=1)] = 1.0

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        return controls["level"].square()


class Stepped(AmplitudeEffect):
    """No sum of hats: its values are held."""

    type = "t_stepped"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=1, step=0.25)] = 1.0

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        return controls["level"]


class Once(AmplitudeEffect):
    """One hat, which is 1 everywhere: it is read once a clip."""

    type = "t_once"

    class Controls(ControlModel):
        level: Annotated[float, Control(0, 1, neutral=1, rate="clip")] = 1.0

    def amplitude(self, controls: Mapping[str, Tensor]) -> Tensor:
        return controls["level"]


class Faders:
    @hookimpl
    def djgraph_effects(self) -> list[type[AmplitudeEffect]]:
        return [Squared, Stepped, Once]


def faders() -> Registry:
    registry = Registry()
    registry.register(djgraph_fx, name="fx", distribution="djgraph")
    registry.register(Faders(), name="test", distribution="tests")
    return registry


@pytest.mark.slow
def test_faders_that_are_read_once_and_those_of_several_strips(back_at_once: list[bool]) -> None:
    """Gradients of one column come from all strips that it moves."""
    chains: dict[str, dict[str, Any]] = {
        "a": {"effect": "gain", "id": "fader"},
        "b": {"effect": "gain", "id": "fader", "controls": {"gain": {"tie": "a.fader.gain"}}},
        "c": {"effect": "t_once", "id": "fader"},
        "d": {"effect": "t_once", "id": "fader", "controls": {"level": {"tie": "c.fader.level"}}},
    }
    strips = [
        {"strip": name, "input": "two" if name in "bd" else "one", "chain": [link, "eq3"], "to": "master"}
        for name, link in chains.items()
    ]
    document = {**DECKS, "sample_rate": 11025, "transform": {"size": 64, "hop": 16}}
    document["mixer"] = [*strips, DECKS["mixer"][-1]]
    mixer = djgraph.compile(djgraph.load(document, registry=faders()))
    compare(mixer, *drawn(mixer, 3, 8, 900, torch.float64), 1e-11)
    assert back_at_once == [True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Squared, Stepped])
def test_faders_that_are_no_sums_of_hats_are_left_to_others(
    kind: type[AmplitudeEffect], used: list[bool]
) -> None:
    one, *others = DECKS["mixer"]
    strip = {**one, "chain": [{"effect": kind.type, "id": "fader"}, "eq3"]}
    document = {**DECKS, "sample_rate": 11025, "transform": {"size": 256, "hop": 64}}
    mixer = djgraph.compile(djgraph.load({**document, "mixer": [strip, *others]}, registry=faders()))
    compare(mixer, *drawn(mixer, 16, 3, 1500, torch.float64), 1e-11)
    assert not any(used)


@pytest.mark.slow
def test_frames_that_lie_where_they_are_put(used: list[bool]) -> None:
    mixer = djgraph.compile("dj_mixer", sample_rate=11025, n_fft=256, hop_length=64)
    inputs, params = drawn(mixer, 16, 4, 3000, torch.float32)
    compare(mixer, inputs, params, 2e-5, positions=[-500, 700, 701, 2600])
    assert used
    assert all(used)


@pytest.mark.slow
def test_faders_that_move_too_often_are_left_to_others(used: list[bool]) -> None:
    mixer = djgraph.compile("dj_mixer", sample_rate=11025, n_fft=256, hop_length=64)
    inputs, params = drawn(mixer, 16, 200, 3000, torch.float32)
    compare(mixer, inputs, params, 2e-5)
    assert not any(used)


def test_operators_take_candidates_without_copies() -> None:
    mixer = djgraph.compile("dj_mixer", sample_rate=11025, n_fft=256, hop_length=64, simd=False)
    compare(mixer, *drawn(mixer, 5, 3, 1500, torch.float32), 2e-5)


@pytest.mark.usefixtures("engines_by_cost")
def test_it_is_chosen_where_it_is_worth_it() -> None:
    def chosen(batch: int, **changes: Any) -> str:
        return choose(replace(LOAD, batch=batch, **{"shared": True} | changes)).name

    assert [engine.name for engine in ENGINES][:2] == ["operators", "vectors"]
    if not any(engine.takes(LOAD) for engine in ENGINES if engine.name == "vectors"):
        pytest.skip("no vector units here")
    assert chosen(64) == chosen(16) == "shared"
    assert chosen(1) == chosen(8) == chosen(17) == chosen(64, shared=False) == "vectors"
    assert chosen(64, simd=False) == "operators"
