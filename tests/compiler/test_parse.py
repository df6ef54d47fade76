"""The text of a plan, read back, is the plan."""

from __future__ import annotations

from typing import Any

import pytest
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime.documents import REGISTRY, documents, looped_documents

import djgraph
from djgraph.compiler.parse import parse_plan
from djgraph.compiler.pipeline import PASS_NAMES
from djgraph.compiler.plan import Process
from djgraph.errors import CompileError
from djgraph.graph import load
from djgraph.mixer import Mixer

from .test_passes import document, strip


def assert_round_trip(mixer: Mixer) -> None:
    for stage in (*mixer.stages(taps=True), *mixer.stages(taps=True, stream=True)):
        assert parse_plan(str(stage.plan), mixer.compiled.graph) == stage.plan, stage.name


@pytest.mark.parametrize("name", ["dj_mixer", "club_console", "djtransgan", "filter_knob", "mastering"])
def test_shipped_graphs(name: str) -> None:
    assert_round_trip(djgraph.compile(name))


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    made=documents() | looped_documents(),
    optimize=st.sampled_from([True, False]) | st.sets(st.sampled_from(PASS_NAMES)),
)
def test_random_graphs(made: Any, optimize: Any) -> None:
    assert_round_trip(Mixer(load(made, registry=REGISTRY), optimize=optimize))


def test_a_plan_that_frees_nothing_has_been_freed_all_the_same() -> None:
    plan = Mixer(load(document([strip("a", []), {"bus": "mix"}]))).plan
    assert plan.frees == ((),)
    assert str(plan).splitlines() == [
        "plan test: 1 operations, 0 calls",
        "  in:in.s0 = input",
        "  free nothing",
        "  output output mix = in:in.s0",
    ]
    assert parse_plan(str(plan), plan.graph) == plan


def test_nodes_with_weights_of_their_own_say_so() -> None:
    made = document([strip("a", ["drive"]), strip("b", ["drive"], stem="s1"), {"bus": "mix"}])
    plan = Mixer(load(made, registry=REGISTRY)).plan
    assert plan.kernels == {"a.drive": "a.drive", "b.drive": "b.drive"}
    assert "  kernel of b.drive = b.drive" in str(plan).splitlines()
    assert parse_plan(str(plan), plan.graph) == plan


def test_settings_are_shown_where_they_are_not_the_usual_ones() -> None:
    chain = [{"effect": "reverb", "settings": {"decay_time": 0.1}}]
    plan = Mixer(load(document([strip("a", chain), {"bus": "mix"}]))).plan
    assert "a.reverb = reverb{decay_time=0.1}[mix=@a.reverb.mix](in:in.s0)" in str(plan)
    (call,) = [op for op in plan.ops if isinstance(op, Process)]
    parsed = parse_plan(str(plan), plan.graph)
    assert call in parsed.ops


GRAPH = load(document([strip("a", ["gain", "eq3"]), {"bus": "mix"}]))
TEXT = str(Mixer(GRAPH).plan)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("plan test", "plan other", "line 1: expected 'plan test: …'"),
        ("plan test", "a text", "line 1: expected 'plan test: …'"),
        ("plan test", "stream plan test", "line 2: every operation of a stream plan has a latency"),
        ("in:in.s0 = input", "in:in.s9 = input", "line 2: the graph has no node in:in.s9"),
        ("in:in.s0 = input", "in:in.s0 → input", "line 2: expected 'value = …'"),
        ("in:in.s0 = input", "in:in.s0 = input  (latency 3)", "line 2: every operation of a stream"),
        ("gain[gain=@a.gain.gain]", "gain[gain=0.5]", r"line 3: expected gain\[gain=@a.gain.gain\]\("),
        ("](in:in.s0)", "](in:in.s1)", "line 3: no operation before gives in:in.s1"),
        ("= stft(a.gain)", "= stft(in:in.s0)", "line 3: no transform of the region reads a.gain"),
        ("istft(sum:mix) = istft(~a.eq3)", "istft(sum:mix) = input", "line 3: the graph has no node istft"),
        ("  output", "  kernel of a.gain = b.gain\n  output", "line 9: a kernel of nodes that the graph"),
    ],
)
def test_what_is_no_plan_of_the_graph_is_refused(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(CompileError, match=message):
        parse_plan(TEXT.replace(old, new, 1), GRAPH)


def test_text_may_be_indented_and_counts_be_left_out() -> None:
    plan = parse_plan(
        """
        plan test
          in:in.s0 = input
          gain × 1
            a.gain = gain[gain=@a.gain.gain](in:in.s0)
          output mix = a.gain
        """,
        GRAPH,
    )
    assert [op.writes for op in plan.ops] == [("in:in.s0",), ("a.gain",)]
    assert plan.outputs == {"mix": "a.gain"}
