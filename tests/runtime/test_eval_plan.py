"""Every stage of a plan, whole clips and streams, means what the graph means."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from effort import examples, few
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import djgraph
from djgraph.compiler.pipeline import PASS_NAMES
from djgraph.controls.bank import ControlBank
from djgraph.dsp.curve import Timeline
from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer
from djgraph.runtime.eval_plan import EvalClip, eval_plan
from djgraph.runtime.inputs import prepare_audio
from djgraph.runtime.reference import Reference

from .documents import CHAINS, REGISTRY, causal_graph, documents
from .mixes import make_inputs, make_params


def assert_stages_agree(
    graph: Graph, samples: int, frames: int, optimize: Any, seed: int = 0, lowering: Any = "studio"
) -> None:
    mixer = Mixer(graph, optimize=optimize, lowering=lowering).double()
    graph = mixer.compiled.graph
    reference = Reference(graph, mixer.compiled.modules).double()
    inputs = make_inputs(graph, 2, samples, torch.float64, seed)
    params = make_params(mixer, 2, frames, torch.float64, seed)
    with torch.no_grad():
        made, taps = reference(inputs, params, return_intermediates=True)
        outputs = made if isinstance(made, dict) else dict(zip(graph.outputs, [made]))
        expected = {f"output {name}": audio for name, audio in outputs.items()}
        expected |= {f"tap {name}": audio for name, audio in taps.items()}
        audio, _, _ = prepare_audio(graph, inputs)
        bank = ControlBank(graph)
        timeline = Timeline(samples, frames)
        clip = EvalClip(mixer.compiled.modules, audio, bank, bank.rows(params), timeline)
        for stage in (*mixer.stages(taps=True), *mixer.stages(taps=True, stream=True)):
            got = eval_plan(stage.plan, clip)
            assert got.keys() == expected.keys(), stage.name
            for name, signal in expected.items():
                scale = max(1e-3, signal.abs().max().item())
                assert (got[name] - signal).abs().max() <= 1e-9 * scale, (stage.name, name)


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    made=documents(),
    samples=st.integers(1, 300),
    frames=st.integers(1, 7),
    optimize=st.sampled_from([True, False]) | st.sets(st.sampled_from(PASS_NAMES)),
    seed=st.integers(0, 1000),
)
def test_random_graphs(made: Any, samples: int, frames: int, optimize: Any, seed: int) -> None:
    assert_stages_agree(load(made, registry=REGISTRY), samples, frames, optimize, seed)


@pytest.mark.parametrize("name", few(["dj_mixer", "club_console", "djtransgan", "filter_knob"], 2))
def test_shipped_graphs(name: str) -> None:
    assert_stages_agree(djgraph.load(name), 3000, 5, True)


def test_what_is_freed_too_early_is_missed() -> None:
    mixer = djgraph.compile("filter_knob")
    plan = mixer.plan
    audio = {node.id: torch.zeros(1, 2, 100) for node in mixer.graph.nodes if hasattr(node, "stem")}
    early = plan.with_ops(plan.ops, frees=(("in:track_a",), *plan.frees[1:]))
    bank = ControlBank(mixer.graph)
    rows = bank.rows(make_params(mixer, 1, 2, torch.float32, 0))
    clip = EvalClip(mixer.compiled.modules, audio, bank, rows, Timeline(100, 2))
    assert eval_plan(plan, clip).keys() == plan.outputs.keys()
    with pytest.raises(KeyError, match="in:track_a"):
        eval_plan(early, clip)


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chains=CHAINS, seed=st.integers(0, 1000), optimize=st.sampled_from([True, False]))
def test_every_stage_of_the_causal_lowering_means_what_the_graph_means(
    chains: list[list[str]], seed: int, optimize: bool
) -> None:
    assert_stages_agree(causal_graph(chains), 300, 4, optimize, seed, lowering="causal")
