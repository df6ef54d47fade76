"""Latencies in stream plans: what align inserts, and that whatever meets is of one time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime.documents import REGISTRY, documents

import djgraph
from djgraph.compiler.passes import align
from djgraph.compiler.pipeline import PASS_NAMES, stream_stages
from djgraph.compiler.plan import Add, Delay, Lag, Load, Plan, Process, Region, Silence
from djgraph.graph import load
from djgraph.graph.ir import Graph
from djgraph.host.build import build_effects
from djgraph.mixer import Mixer
from djgraph.runtime.lags import lags

from .test_passes import document, strip

SIZE = 64  # of the transform in ``document``


def stream_plan(graph: Graph, given: Mapping[str, Lag] | None = None, optimize: Any = True) -> Plan:
    mixer = Mixer(graph)
    known = lags(graph, build_effects(graph)) if given is None else given
    return stream_stages(graph, graph.outputs, mixer.compiled.kernels, known, optimize)[-1].plan


def delays(plan: Plan) -> list[tuple[str, int]]:
    return [(op.source, op.samples) for op in plan.ops if isinstance(op, Delay)]


def test_the_quicker_way_is_delayed_where_two_meet() -> None:
    graph = load(document([strip("a", ["eq3"]), strip("b", ["gain"], stem="s1"), {"bus": "mix"}]))
    plan = stream_plan(graph, {})
    assert delays(plan) == [("in:in.s1", SIZE - 1)]  # before the gain, which is as good as behind it
    assert plan.latency == SIZE - 1


def test_audio_waits_for_the_curves_that_its_node_looks_ahead_on() -> None:
    plan = stream_plan(load(document([strip("a", ["gain"]), {"bus": "mix"}])))
    # 5 ms at 44.1 kHz are 220.5 samples; half of them, in whole samples, lie ahead.
    assert delays(plan) == [("in:in.s0", 111)]
    assert plan.latency == 111


def test_behind_a_transform_the_curves_are_known() -> None:
    graph = load(document([strip("a", ["eq3", "gain"]), {"bus": "mix"}]))
    plan = stream_plan(graph, {"a.gain": Lag(lookahead=SIZE - 1)})
    assert delays(plan) == []
    plan = stream_plan(graph, {"a.gain": Lag(lookahead=SIZE)})
    assert delays(plan) == [("in:in.s0", 1)]


def test_the_prologue_of_a_region_looks_ahead_for_all_its_inlets() -> None:
    strips = [strip("a", ["gain", "eq3"]), strip("b", ["eq3"], stem="s1"), {"bus": "mix"}]
    plan = stream_plan(load(document(strips)), {"a.gain": Lag(lookahead=10)})
    assert delays(plan) == []  # a region gathers samples for its frames, and waits for curves by itself
    assert plan.latency == 10 + SIZE - 1


def test_one_delay_serves_all_that_read_it() -> None:
    strips = [
        strip("a", ["eq3"], to=["one", "two"]),
        strip("b", [], stem="s1", to=["one", "two"]),
        {"bus": "one"},
        {"bus": "two"},
    ]
    plan = stream_plan(load(document(strips, outputs=["one", "two"])), {})
    assert delays(plan) == [("in:in.s1", SIZE - 1)]


def test_outputs_share_one_latency() -> None:
    strips = [
        strip("a", ["eq3"], to="late"),
        strip("b", ["gain"], stem="s1", to="early"),
        {"bus": "late"},
        {"bus": "early"},
    ]
    plan = stream_plan(load(document(strips, outputs=["early", "late"])), {})
    assert plan.latencies is not None
    assert {plan.latencies[value] for value in plan.outputs.values()} == {SIZE - 1}
    assert delays(plan) == [("in:in.s1", SIZE - 1)]


def test_silence_is_never_delayed() -> None:
    strips = [strip("a", ["eq3"]), {"bus": "nothing", "to": "mix"}, {"bus": "mix"}]
    plan = stream_plan(load(document(strips)), {}, optimize=False)
    assert delays(plan) == []


def test_calls_that_can_wait_for_one_another_do() -> None:
    strips = [strip("a", ["eq3", "gain"]), strip("b", ["gain"], stem="s1"), {"bus": "mix"}]
    plan = stream_plan(load(document(strips)), {})
    (call,) = [op for op in plan.ops if isinstance(op, Process)]
    assert {node.id for node in call.nodes} == {"a.gain", "b.gain"}


def test_calls_share_only_what_arrives_together() -> None:
    strips = [strip("a", ["eq3", "gain"]), strip("b", ["gain", "eq3"], stem="s1"), {"bus": "mix"}]
    graph = load(document(strips, outputs=["mix", {"name": "dry", "from": "b@gain"}]))
    plan = stream_plan(graph, {})
    calls = [op for op in plan.ops if isinstance(op, Process)]
    assert [[node.id for node in op.nodes] for op in calls] == [["b.gain"], ["a.gain"]]
    assert delays(plan) == [("b.gain", SIZE - 1)]


def test_what_waits_is_delayed_once() -> None:
    graph = load(document([strip("a", ["eq3"]), strip("b", ["gain"], stem="s1"), {"bus": "mix"}]))
    plan = stream_plan(graph, {"b.gain": Lag(lookahead=10, latency=5)})
    assert delays(plan) == [("in:in.s1", SIZE - 1 - 5)]


def test_a_spectrum_outside_regions_is_refused() -> None:
    plan = Mixer(load(document([strip("a", ["eq3"]), {"bus": "mix"}])), optimize=False).plan
    with pytest.raises(TypeError, match="fuse"):
        align.run(plan, {})


def test_lags_follow_what_effects_declare() -> None:
    chain = ["look_ahead", "split", "gain", "shaper", {"effect": "clip_gain"}]
    made = document([strip("a", chain), {"bus": "mix"}])
    graph = load({**made, "sample_rate": 22050}, registry=REGISTRY)
    assert lags(graph, build_effects(graph)) == {
        "a.look_ahead": Lag(0, 20),
        "a.split": Lag(1, 15),  # blocks of whole hops of 16
        "a.gain": Lag(56, 0),  # half of 5 ms
        "a.shaper": Lag(0, 0),
        "a.clip_gain": Lag(0, 0),
    }


def arrivals(plan: Plan, lags: Mapping[str, Lag]) -> dict[str, set[int]]:
    """For each value, the delays of all ways from an input to it, followed one by one."""
    ways: dict[str, set[int]] = {}
    for op in plan.ops:
        match op:
            case Silence():
                ways[op.out] = set()
            case Load():
                ways[op.out] = {0}
            case Delay():
                ways[op.out] = {way + op.samples for way in ways[op.source]}
            case Add():
                ways[op.out] = {way for name in op.sources for way in ways[name]}
            case Process():
                for node, ins, outs in zip(op.nodes, op.ins, op.outs):
                    came = {way for name in ins for way in ways[name]}
                    assert all(way >= lags[node.id].lookahead for way in came)
                    later = {way + lags[node.id].latency for way in came}
                    ways |= {name: later for name in outs}
            case Region():
                came = {way for name in op.reads for way in ways[name]}
                # It waits by itself, for its curves and until it is due.
                ahead = max((lags[node.id].lookahead for node in op.nodes), default=0)
                due = plan.latencies[op.writes[0]] if plan.latencies else 0
                assert all(due >= max(way, ahead) + plan.graph.transform.size - 1 for way in came)
                ways |= {name: {due} if came else set() for name in op.writes}
    return ways


def longest_way(plan: Plan, lags: Mapping[str, Lag]) -> int:
    """The latency that no alignment can go below: that of the outputs if everything ran as soon as it can."""

    @cache
    def arrival(value: str) -> int:
        if value in plan.silent:
            return 0
        op = writers[value]
        nodes = list(op.nodes) if isinstance(op, (Process, Region)) else []
        start = max([*map(arrival, op.reads), *(lags[node.id].lookahead for node in nodes)], default=0)
        if isinstance(op, Region):
            return start + plan.graph.transform.size - 1
        return start + max((lags[node.id].latency for node in nodes), default=0)

    writers = {name: op for op in plan.ops for name in op.writes}
    return max(map(arrival, plan.outputs.values()))


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    made=documents(),
    optimize=st.sampled_from([True, False]) | st.sets(st.sampled_from(PASS_NAMES)),
    extra=st.lists(st.builds(Lag, st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=4),
)
def test_every_way_takes_as_long(made: Any, optimize: Any, extra: list[Lag]) -> None:
    graph = load(made, registry=REGISTRY)
    kernels = Mixer(graph).compiled.kernels
    places = {kernel: place for place, kernel in enumerate(dict.fromkeys(kernels.values()))}
    lags = {node: extra[places[kernel] % len(extra)] for node, kernel in kernels.items()}
    stages = {
        stage.name: stage.plan for stage in stream_stages(graph, graph.outputs, kernels, lags, optimize)
    }
    plan = list(stages.values())[-1]
    assert plan.latency == longest_way(stages["fuse"], lags)
    ways = arrivals(plan, lags)
    assert plan.latencies is not None
    for name, came in ways.items():
        assert came in (set(), {plan.latencies[name]})
    assert {way for value in plan.outputs.values() for way in ways[value]} <= {plan.latency}


def test_streams_of_shipped_graphs_lag_by_little_more_than_a_transform() -> None:
    latencies = {name: stream_plan(djgraph.load(name)).latency for name in djgraph.registry().graphs}
    assert latencies.pop("mastering") == 111, "no transform, smoothed controls"
    assert all(2047 <= latency <= 2047 + 2 * 111 for latency in latencies.values() if latency is not None)
