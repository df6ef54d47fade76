"""The compiled mixer against the reference: outputs and gradients, on shipped and on random graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from effort import examples, few
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import djgraph
from djgraph.compiler.causal import lowered
from djgraph.compiler.pipeline import PASS_NAMES
from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer
from djgraph.runtime.reference import Reference

from .documents import CHAINS, REGISTRY, causal_graph, documents, looped_documents
from .mixes import SHIPPED, assert_same, evaluate, leaves, make_inputs, make_params


def compare(
    graph: Graph,
    *,
    batch: int = 2,
    samples: int = 300,
    frames: int = 4,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    optimize: Any = True,
    frames_per_tile: int | None = None,
    grads: frozenset[str] = frozenset({"inputs", "params", "weights"}),
    positions: Sequence[int] | None = None,
    simd: bool = True,
    lowering: Any = "studio",
) -> None:
    mixer = Mixer(graph, optimize=optimize, frames_per_tile=frames_per_tile, simd=simd, lowering=lowering)
    reference = Reference(lowered(graph, lowering))
    reference.load_state_dict(mixer.state_dict(), strict=False)
    inputs = make_inputs(graph, batch, samples, dtype, seed)
    params = make_params(mixer, batch, frames if positions is None else len(positions), dtype, seed)
    for tensor in leaves(inputs):
        tensor.requires_grad_("inputs" in grads)
    params.requires_grad_("params" in grads)
    for module in (mixer, reference):
        module.to(dtype).requires_grad_("weights" in grads)
    tolerance = 1e-9 if dtype == torch.float64 else 2e-5
    outputs, gradients = evaluate(mixer, inputs, params, set(grads), positions)
    expected, expected_gradients = evaluate(reference, inputs, params, set(grads), positions)
    assert_same(outputs, expected, tolerance)
    assert_same(gradients, expected_gradients, tolerance if dtype == torch.float64 else 1e-3)


@settings(
    max_examples=examples(200),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    document=documents(),
    batch=st.integers(1, 3),
    samples=st.integers(1, 400),
    frames=st.integers(1, 9),
    frames_per_tile=st.sampled_from([None, 1, 3, 1000]),
    optimize=st.sampled_from([True, False]) | st.sets(st.sampled_from(PASS_NAMES)),
    grads=st.sets(st.sampled_from(["inputs", "params", "weights"]), min_size=1),
    seed=st.integers(0, 1000),
)
def test_random_graphs(document: Any, grads: set[str], **case: Any) -> None:
    compare(load(document, registry=REGISTRY), grads=frozenset(grads), **case)


@settings(
    max_examples=examples(80),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    document=documents(),
    samples=st.integers(1, 400),
    positions=st.sets(st.integers(-100, 500), min_size=1, max_size=12).map(sorted),
    frames_per_tile=st.sampled_from([None, 3]),
    optimize=st.booleans(),
    simd=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_random_graphs_with_positions(document: Any, **case: Any) -> None:
    compare(load(document, registry=REGISTRY), batch=2, **case)


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    document=looped_documents(),
    batch=st.integers(1, 3),
    samples=st.integers(1, 400),
    frames=st.integers(1, 9),
    optimize=st.sampled_from([True, False]) | st.sets(st.sampled_from(PASS_NAMES)),
    grads=st.sets(st.sampled_from(["inputs", "params", "weights"]), min_size=1),
    seed=st.integers(0, 1000),
)
def test_random_graphs_with_loops(document: Any, grads: set[str], **case: Any) -> None:
    compare(load(document, registry=REGISTRY), grads=frozenset(grads), **case)


@pytest.mark.parametrize("simd", [True, False])
@pytest.mark.parametrize("name", few(SHIPPED, 2))
def test_shipped_graphs_with_positions(name: str, simd: bool) -> None:
    positions = [-500, 3, 4, 900, 2047, 2048, 2900, 9000]
    compare(djgraph.load(name), samples=3333, positions=positions, dtype=torch.float32, simd=simd)


@pytest.mark.parametrize("name", few(SHIPPED, 4))
@pytest.mark.parametrize("dtype", few([torch.float64, torch.float32], 1))
def test_shipped_graphs(name: str, dtype: torch.dtype) -> None:
    compare(djgraph.load(name), samples=3333, frames=5, dtype=dtype)


@pytest.mark.parametrize("skipped", few(PASS_NAMES, 3))
def test_every_pass_can_be_switched_off(skipped: str) -> None:
    compare(djgraph.load("club_console"), samples=700, optimize=set(PASS_NAMES) - {skipped})


@pytest.mark.parametrize("only", few(PASS_NAMES, 3))
def test_every_pass_alone(only: str) -> None:
    compare(djgraph.load("dj_mixer"), samples=700, optimize={only})


@pytest.mark.parametrize("samples", [1, 2, 511, 512, 1024, 1025, 2047, 2048, 2049])
def test_awkward_lengths(samples: int) -> None:
    compare(djgraph.load("djtransgan"), batch=1, samples=samples, frames=3, frames_per_tile=2)


@pytest.mark.parametrize("frames", [1, 2, 1000, 3000])
def test_awkward_frame_counts(frames: int) -> None:
    compare(djgraph.load("djtransgan"), batch=1, samples=1000, frames=frames)


def test_silence_has_finite_gradients() -> None:
    mixer = djgraph.compile("dj_mixer")
    inputs = {t: {s: torch.zeros(1, 2, 3000) for s in stems} for t, stems in mixer.graph.inputs.items()}
    for params in (mixer.layout.minimum, mixer.layout.maximum, mixer.layout.neutral):
        values = params.expand(2, -1).clone().requires_grad_()
        out = mixer(inputs, values)
        (out - 0.1).square().sum().backward()
        assert torch.equal(out, torch.zeros_like(out))
        assert values.grad is not None
        assert values.grad.isfinite().all()


@pytest.mark.parametrize("name", few(["dj_mixer", "djtransgan"], 1))
def test_the_causal_lowering(name: str) -> None:
    compare(djgraph.load(name), lowering="causal", samples=900, frames=3)


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chains=CHAINS, seed=st.integers(0, 1000), samples=st.integers(1, 400), batch=st.integers(1, 2))
def test_random_chains_under_the_causal_lowering(
    chains: list[list[str]], seed: int, samples: int, batch: int
) -> None:
    compare(causal_graph(chains), lowering="causal", batch=batch, samples=samples, seed=seed)
