"""The vectors' code, PyTorch's tiles and the reference: equal outputs and gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from effort import examples, few
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime.documents import REGISTRY, documents
from runtime.mixes import SHIPPED, assert_same, evaluate, leaves, make_inputs, make_params
from torch import Tensor

import djgraph
from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer
from djgraph.region.engines.vectors import passes as vectors
from djgraph.runtime.reference import Reference

ALL = frozenset({"inputs", "params", "weights"})
RANDOM = {
    "max_examples": examples(30),
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
CASE = {
    "document": documents(),
    "batch": st.integers(1, 3),
    "samples": st.integers(1, 400),
    "frames": st.integers(1, 9),
    "frames_per_tile": st.sampled_from([None, None, 1, 3]),
    "grads": st.sets(st.sampled_from(sorted(ALL)), min_size=1),
    "seed": st.integers(0, 1000),
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the vectors' code was called for."""
    made: list[str] = []
    for name in ("forward", "backward"):
        real = getattr(vectors, name)

        def called(*arguments: Any, name: str = name, real: Any = real) -> Any:
            made.append(name)
            return real(*arguments)

        monkeypatch.setattr(vectors, name, called)
    return made


def compare(
    graph: Graph,
    *,
    batch: int = 2,
    samples: int = 300,
    frames: int = 4,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    frames_per_tile: int | None = None,
    grads: frozenset[str] = ALL,
    others: str = "both",
) -> None:
    """The vectors' code (``tiles``: PyTorch's) against PyTorch's tiles, the reference, or both."""
    mixers = [Mixer(graph, simd=simd, frames_per_tile=frames_per_tile) for simd in (True, False)]
    modules: list[Any] = {"both": [*mixers, Reference(graph)], "tiles": mixers}.get(
        others, [mixers[1], Reference(graph)]
    )
    inputs, params = (
        make_inputs(graph, batch, samples, dtype, seed),
        make_params(mixers[0], batch, frames, dtype, seed),
    )
    for tensor in leaves(inputs):
        tensor.requires_grad_("inputs" in grads)
    params.requires_grad_("params" in grads)
    found = []
    for module in modules:
        module.load_state_dict(mixers[0].state_dict(), strict=False)
        module.to(dtype).requires_grad_("weights" in grads)
        found.append(evaluate(module, inputs, params, set(grads)))
    (outputs, gradients), *expected = found
    double = dtype == torch.float64
    for other_outputs, other_gradients in expected:
        assert_same(outputs, other_outputs, 1e-9 if double else 1e-5)
        assert_same(gradients, other_gradients, 1e-9 if double else 1e-3)


@settings(**RANDOM)
@given(**CASE)
def test_both_engines_agree_on_random_graphs(document: Any, grads: set[str], **case: Any) -> None:
    compare(load(document, registry=REGISTRY), grads=frozenset(grads), others="tiles", **case)


@settings(**RANDOM)
@given(**CASE)
def test_pytorchs_tiles_agree_with_the_reference(document: Any, grads: set[str], **case: Any) -> None:
    compare(load(document, registry=REGISTRY), grads=frozenset(grads), others="reference", **case)


@pytest.mark.slow
@settings(**{**RANDOM, "max_examples": examples(10)})
@given(**{name: value for name, value in CASE.items() if name != "grads"})
def test_both_engines_agree_in_single_precision(document: Any, **case: Any) -> None:
    """Outputs only: a drive's gradients are as large as its audio is loud."""
    graph = load(document, registry=REGISTRY)
    compare(graph, dtype=torch.float32, grads=frozenset(), others="tiles", **case)


@pytest.mark.parametrize("name", few(SHIPPED, 2))
@pytest.mark.parametrize("dtype", few([torch.float64, torch.float32], 1))
def test_shipped_graphs(name: str, dtype: torch.dtype, calls: list[str]) -> None:
    compare(djgraph.load(name), samples=30_000, frames=5, dtype=dtype, others="tiles")
    assert {"forward", "backward"} == set(calls)
    compare(djgraph.load(name), samples=5000, frames=5, dtype=dtype, others="reference")


FADER, CLOSING = {"effect": "gain", "id": "fader"}, {"effect": "lowpass", "id": "closing"}


def small(size: int, hop: int, *chain: Any, channels: str = "stereo") -> Graph:
    """Two strips with the same chain, one of them with a fader and a low-pass more, and two outputs."""
    document = {
        "djgraph": 1,
        "name": "small",
        "sample_rate": 22050,
        "transform": {"size": size, "hop": hop},
        "inputs": [{"name": "a", "channels": channels}, {"name": "b", "channels": channels}],
        "mixer": [
            {"strip": "a", "input": "a", "chain": list(chain), "to": ["one", "two"]},
            {"strip": "b", "input": "b", "chain": [FADER, *chain, CLOSING], "to": ["one"]},
            {"bus": "one", "to": ["two"]},
            {"bus": "two", "chain": ["highpass"]},
        ],
        "outputs": ["one", "two"],
    }
    return load(document, registry=REGISTRY)


@pytest.mark.parametrize(
    ("size", "hop", "vectorised"),
    [
        (48, 12, False),
        (20, 10, False),
        (16, 8, True),
        (64, 12, True),
        (64, 5, True),
        (64, 1, True),
        (32, 16, True),
        (512, 128, True),
    ],
)
def test_transforms_of_all_sizes(size: int, hop: int, vectorised: bool, calls: list[str]) -> None:
    compare(small(size, hop, "eq3", "shaper"), samples=401)
    assert bool(calls) == vectorised


@pytest.mark.parametrize("frames_per_tile", few([None, 1, 2, 5], 1))
def test_hops_that_do_not_divide_the_size_on_many_stretches(frames_per_tile: int | None) -> None:
    compare(small(64, 12, "drive", "eq3"), samples=1001, frames_per_tile=frames_per_tile)
    compare(small(64, 20, "clip_gain", "shaper"), samples=1001, frames_per_tile=frames_per_tile)


def test_mono(calls: list[str]) -> None:
    graph = small(64, 16, "gain", "eq3", channels="mono")
    compare(graph, samples=700)
    inputs = make_inputs(graph, 2, 700, torch.float32, 0)
    out = Mixer(graph)(inputs, torch.zeros(1, len(Mixer(graph).layout)))
    assert out["two"].shape == (2, 1, 700)
    assert set(calls) == {"forward", "backward"}


@pytest.mark.parametrize("samples", [1, 2, 15, 16, 17, 31, 63, 64, 65, 129, 1000])
def test_short_clips(samples: int) -> None:
    compare(small(64, 16, "eq3"), batch=1, samples=samples, frames=3)


@pytest.mark.slow
def test_one_sample_is_as_exact_as_the_reference() -> None:
    """A clip of one sample is a constant, which a high-pass takes away: what is left is small, and mostly rounding.

    Relative to itself its error may be anything (1e-3 was seen, of every engine); relative to what went in it is
    that of the reference.
    """
    graph = load("dj_mixer")
    engines = {"reference": Reference(graph), "vectors": Mixer(graph), "operators": Mixer(graph, simd=False)}
    errors: dict[str, list[float]] = {name: [] for name in engines}
    for seed in range(16):
        torch.manual_seed(seed)
        params = engines["vectors"].layout.from_unit(torch.rand(1, 1, 54))
        audio = {
            track: {stem: torch.randn(1, 2, 1) for stem in stems}
            for track, stems in graph.inputs.items()
            if stems is not None
        }

        def gradient(name: str, dtype: torch.dtype) -> Tensor:
            knobs = params.to(dtype, copy=True).requires_grad_()  # noqa: B023
            cast = {track: {s: a.to(dtype) for s, a in stems.items()} for track, stems in audio.items()}  # noqa: B023
            engines[name](cast, knobs).sum().backward()
            assert knobs.grad is not None
            return knobs.grad.double()

        exact = gradient("reference", torch.float64)
        for name, found in errors.items():
            found.append(float((gradient(name, torch.float32) - exact).abs().max()))
    bound = 3 * max(errors["reference"])
    assert max(errors["vectors"]) <= bound
    assert max(errors["operators"]) <= bound


def test_items_of_a_batch_do_not_hear_each_other() -> None:
    graph = small(64, 16, "gain", "eq3", "shaper")
    mixer = Mixer(graph).double()
    inputs, params = make_inputs(graph, 5, 500, torch.float64, 1), make_params(mixer, 5, 6, torch.float64, 1)
    together = mixer(inputs, params)
    for item in range(5):
        alone = mixer(
            {name: audio[item : item + 1] for name, audio in inputs.items()}, params[item : item + 1]
        )
        for name, audio in alone.items():
            torch.testing.assert_close(audio[0], together[name][item], rtol=0, atol=1e-13)


def test_one_clip_for_a_batch_of_params_and_strided_audio() -> None:
    graph = small(64, 16, "gain", "eq3", "drive")
    found = []
    for simd in (True, False):
        mixer = Mixer(graph, simd=simd).double()
        params = make_params(mixer, 3, 4, torch.float64, 2).requires_grad_()
        one = make_inputs(graph, 1, 500, torch.float64, 2)
        a = one["a"].requires_grad_()
        b = torch.randn(1, 500, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        b.requires_grad_()
        out = mixer({"a": a, "b": b.transpose(1, 2)}, params)
        total = out["one"].square().sum() + out["two"].sum()
        found.append([*out.values(), *torch.autograd.grad(total, [a, b, params, *mixer.parameters()])])
    assert_same(found[0], found[1], 1e-10)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch", few([1, 3], 1))
def test_threads_make_no_difference(threads: int, batch: int) -> None:
    graph = small(64, 16, "gain", "eq3", "shaper")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        compare(graph, batch=batch, samples=3000, frames=7, others="tiles")
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "grads", few([{"inputs"}, {"weights"}, {"inputs", "weights"}, {"params", "weights"}], 2)
)
@pytest.mark.parametrize("chain", [["eq3", "shaper"], ["shaper", "eq3"], ["lowpass", "eq3", "shaper"]])
def test_ratios_beside_learnable_tables(chain: list[str], grads: set[str]) -> None:
    """Where nobody wants the ratios' own gradient, they have to stay as they are."""
    compare(small(64, 16, *chain), samples=700, grads=frozenset(grads), others="tiles")


@pytest.mark.parametrize("grads", [{"params"}, ALL])
def test_constant_ratios_beside_tables_with_controls(grads: set[str]) -> None:
    fixed = {"effect": "eq3", "controls": {"low": 0.3, "mid": 1.2, "high": 0.8}}
    document = {
        "djgraph": 1,
        "name": "constant",
        "sample_rate": 22050,
        "transform": {"size": 64, "hop": 16},
        "inputs": [{"name": "a"}],
        "mixer": [{"strip": "a", "input": "a", "chain": [fixed, "shaper"], "to": "one"}, {"bus": "one"}],
        "outputs": ["one"],
    }
    compare(load(document, registry=REGISTRY), samples=700, grads=frozenset(grads), others="tiles")
