"""What each pass does to a plan, and what it must leave alone."""

from __future__ import annotations

from typing import Any

import pytest

import djgraph
from djgraph.compiler.passes import drop, fold, free, fuse, group, share
from djgraph.compiler.pipeline import PASS_NAMES, stages
from djgraph.compiler.plan import Add, Analyse, Load, Mask, Plan, Process, Region, Synthesise
from djgraph.compiler.verify import verify
from djgraph.errors import CompileError
from djgraph.mixer import Mixer


def document(mixer: list[Any], stems: int = 2, outputs: Any = ("mix",)) -> dict[str, Any]:
    return {
        "djgraph": 1,
        "name": "test",
        "transform": {"size": 64, "hop": 16},
        "inputs": [{"name": "in", "stems": [f"s{i}" for i in range(stems)]}],
        "mixer": mixer,
        "outputs": list(outputs),
    }


def lowered(mixer: list[Any], **kwargs: Any) -> Plan:
    return Mixer(djgraph.load(document(mixer, **kwargs)), optimize=False).plan


def optimised(mixer: list[Any], **kwargs: Any) -> Plan:
    return Mixer(djgraph.load(document(mixer, **kwargs))).plan


def count(plan: Plan, kind: type) -> int:
    return sum(isinstance(op, kind) for op in plan.ops)


def strip(name: str, chain: list[Any], stem: str = "s0", to: Any = "mix", **more: Any) -> dict[str, Any]:
    return {"strip": name, "input": f"in.{stem}", "chain": chain, "to": to, **more}


NEUTRAL_EQ = {"effect": "eq3", "controls": {"low": 1.0, "mid": 1.0, "high": 1.0}}


def test_fold_removes_constant_neutral_effects_and_the_round_trip_around_them() -> None:
    plan = fold.run(
        lowered([strip("a", [NEUTRAL_EQ, {"effect": "gain", "controls": {"gain": 1}}]), {"bus": "mix"}])
    )
    assert not any(isinstance(op, (Mask, Process, Synthesise)) for op in plan.ops)
    assert plan.outputs == {"output mix": "in:in.s0"}


def test_fold_keeps_what_is_constant_but_does_something() -> None:
    loud = {"effect": "eq3", "controls": {"low": 1.5, "mid": 1.0, "high": 1.0}}
    plan = fold.run(
        lowered([strip("a", [loud, {"effect": "gain", "controls": {"gain": 0.5}}]), {"bus": "mix"}])
    )
    assert count(plan, Mask) == 1
    assert count(plan, Process) == 1


def test_fold_keeps_what_is_an_all_pass_at_neutral() -> None:
    still = {"effect": "isolator", "controls": {"low": 0.0, "mid": 0.0, "high": 0.0}}
    assert count(fold.run(lowered([strip("a", [still]), {"bus": "mix"}])), Process) == 1


def test_share_transforms_a_stem_once() -> None:
    strips = [strip("a", ["eq3"]), strip("b", ["lowpass"]), {"bus": "mix"}]
    before = lowered(strips)
    assert count(before, Analyse) == 2
    assert count(share.run(before), Analyse) == 1


def test_share_keeps_equal_effects_with_different_controls_apart() -> None:
    plan = share.run(lowered([strip("a", ["gain"]), strip("b", ["gain"]), {"bus": "mix"}]))
    assert count(plan, Process) == 2
    half = {"effect": "gain", "controls": {"gain": 0.5}}
    plan = share.run(lowered([strip("a", [half]), strip("b", [half]), {"bus": "mix"}]))
    assert count(plan, Process) == 1


def test_drop_removes_what_reaches_no_output() -> None:
    strips = [
        strip("a", ["gain"]),
        strip("b", ["reverb"], stem="s1", to="other"),
        {"bus": "mix"},
        {"bus": "other"},
    ]
    plan = drop.run(lowered(strips))
    assert [op.writes for op in plan.ops if isinstance(op, Load)] == [("in:in.s0",)]
    assert count(plan, Process) == 1


def test_fuse_makes_one_region_of_strips_that_meet_in_a_bus() -> None:
    strips = [
        strip("a", ["gain", "eq3", "lowpass"]),
        strip("b", ["gain", "eq3"], stem="s1"),
        {"bus": "mix", "chain": ["highpass"]},
    ]
    plan = fuse.run(lowered(strips))
    (region,) = [op for op in plan.ops if isinstance(op, Region)]
    assert [[node.id for node in s.nodes] for s in region.inlets] == [["a.gain"], ["b.gain"]]
    assert sum(isinstance(step, Mask) for step in region.body) == 4
    assert len(region.results) == 1
    assert count(plan, Process) == 0


def test_fuse_leaves_a_gain_that_somebody_else_reads() -> None:
    plan = fuse.run(
        lowered(
            [strip("a", ["gain", "eq3"]), {"bus": "mix"}], outputs=["mix", {"name": "x", "from": "a@gain"}]
        )
    )
    assert count(plan, Process) == 1


def test_fuse_splits_where_a_time_effect_lies_between() -> None:
    strips = [
        strip("a", ["eq3"], to=["early", "mix"]),
        {"bus": "early", "chain": [{"effect": "delay", "settings": {"time": 1}}], "to": "mix"},
        {"bus": "mix", "chain": ["lowpass"]},
    ]
    plan = fuse.run(share.run(fold.run(lowered(strips))))
    regions = [op for op in plan.ops if isinstance(op, Region)]
    assert len(regions) == 2
    verify(plan, "fuse")
    # The equaliser's spectrum is needed on both sides; each region computes it from its own transform.
    assert all("~a.eq3" in {step.out for step in region.body} for region in regions)


def test_group_stacks_equal_effects_at_different_depths() -> None:
    reverb = {"effect": "reverb", "settings": {"decay_time": 0.1}}
    delay = {"effect": "delay", "settings": {"time": 1}}
    strips = [
        strip("a", [reverb]),
        strip("b", [delay, reverb], stem="s1"),
        {"bus": "mix"},
    ]
    calls = [op for op in optimised(strips).ops if isinstance(op, Process)]
    assert [[node.id for node in op.nodes] for op in calls] == [["b.delay"], ["a.reverb", "b.reverb"]]


def test_group_keeps_different_settings_apart() -> None:
    def reverb(seed: int) -> dict[str, Any]:
        return {"effect": "reverb", "settings": {"decay_time": 0.1, "seed": seed}}

    plan = optimised([strip("a", [reverb(1)]), strip("b", [reverb(2)]), {"bus": "mix"}])
    assert count(plan, Process) == 2


def test_free_names_each_value_once_and_never_an_output() -> None:
    plan = djgraph.compile("club_console").plan
    freed = [name for names in plan.frees for name in names]
    assert len(freed) == len(set(freed))
    assert not set(freed) & set(plan.outputs.values())
    written = {name for op in plan.ops for name in op.writes}
    assert written - set(freed) == set(plan.outputs.values())
    assert free.run(plan).frees == plan.frees


def test_default_mixer_makes_one_transform_for_each_stem_and_one_inverse_for_each_track() -> None:
    plan = djgraph.compile("dj_mixer").plan
    (region,) = [op for op in plan.ops if isinstance(op, Region)]
    assert len(region.inlets) == 8
    assert len(region.results) == 2
    assert plan.calls() == 3


def console(strips: int = 24, submixes: int = 4) -> dict[str, Any]:
    """Strips of EQ, filter and gain into submixes, two shared returns, a master chain."""
    return document(
        [
            *(
                {
                    "strip": f"ch{i}",
                    "input": f"in.s{i}",
                    "chain": ["eq3", "lowpass", {"effect": "gain", "id": "fader"}],
                    "sends": [{"to": "room"}, {"to": "echo"}] if i % 12 == 0 else [],
                    "to": f"sub{i % submixes}",
                }
                for i in range(strips)
            ),
            *({"bus": f"sub{i}", "chain": ["eq3", "gain"], "to": "master"} for i in range(submixes)),
            {"bus": "room", "chain": [{"effect": "reverb", "controls": {"mix": 1}}], "to": "master"},
            {"bus": "echo", "chain": [{"effect": "delay", "controls": {"mix": 1}}], "to": "master"},
            {"bus": "master", "chain": ["eq3", "highpass", "gain"]},
        ],
        stems=strips,
        outputs=["master"],
    )


def test_a_console_of_100_nodes_takes_few_calls() -> None:
    graph = djgraph.load(console())
    assert sum(hasattr(node, "effect") for node in graph.nodes) >= 89
    plan = Mixer(graph).plan
    assert plan.calls() <= 14, plan


def test_the_order_of_items_does_not_change_the_calls() -> None:
    made = console()
    backwards = {**made, "mixer": made["mixer"][::-1]}
    assert Mixer(djgraph.load(made)).plan.calls() == Mixer(djgraph.load(backwards)).plan.calls()


def test_stages_are_listed_in_order() -> None:
    mixer = djgraph.compile("dj_mixer", optimize=["group", "fuse"])
    assert [stage.name for stage in mixer.stages()] == ["lower", "fuse", "group"]
    assert [stage.name for stage in djgraph.compile("dj_mixer").stages()] == ["lower", *PASS_NAMES]


def test_verify_finds_what_is_illegal() -> None:
    graph = djgraph.load(document([strip("a", ["eq3"]), {"bus": "mix"}]))
    plan = Mixer(graph, optimize=False).plan
    ops = list(plan.ops)
    for broken, message in [
        (plan.with_ops(ops[::-1]), "which nothing has written"),
        (plan.with_ops([*ops, ops[0]]), "a second time"),
        (plan.with_ops(ops[:-1]), "which nothing gives"),
        (
            plan.with_ops(
                [*ops, Add(("in:in.s0", "~a.eq3"), "mixed")], channels={**plan.channels, "mixed": 2}
            ),
            "adds audio",
        ),
        (
            plan.with_ops([*ops, Add(("in:in.s0",), "wide")], channels={**plan.channels, "wide": 3}),
            "channels",
        ),
    ]:
        with pytest.raises(CompileError, match=message):
            verify(broken, "test")


def test_group_alone_merges_regions_of_one_level() -> None:
    strips = [
        strip("a", ["eq3"], to="one"),
        strip("b", ["eq3"], stem="s1", to="two"),
        {"bus": "one"},
        {"bus": "two"},
    ]
    graph = djgraph.load(document(strips, outputs=["one", "two"]))
    points = dict(graph.outputs)
    kernels = Mixer(graph).compiled.kernels
    fused = stages(graph, points, kernels, ["fuse"])[-1].plan
    assert count(fused, Region) == 2
    assert count(group.run(fused), Region) == 1
