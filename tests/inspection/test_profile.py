"""Profiles: one measurement for each operation of the plan, forward and backward, and nothing left behind."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
import torch
from effort import few
from runtime.documents import REGISTRY

import djgraph
from djgraph.errors import InputError
from djgraph.graph import load
from djgraph.inspection.profile import Profile

SHIPPED = ("dj_mixer", "club_console", "djtransgan", "filter_knob")


def compiled(mixer: list[Any], outputs: Any = ("mix",)) -> djgraph.Mixer:
    document = {
        "djgraph": 1,
        "name": "test",
        "sample_rate": 22050,
        "transform": {"size": 64, "hop": 16},
        "inputs": [{"name": "deck"}, {"name": "mic", "channels": "mono", "optional": True}],
        "mixer": mixer,
        "outputs": list(outputs),
    }
    return djgraph.Mixer(load(document, registry=REGISTRY))


@pytest.mark.parametrize("name", few(SHIPPED, 1))
def test_every_operation_of_the_plan_is_measured(name: str) -> None:
    mixer = djgraph.compile(name)
    made = mixer.profile(0.1, repeats=1)
    assert [op.estimate.writes for op in made.operations] == [op.writes for op in mixer.plan.ops]
    assert all(op.forward.seconds > 0 for op in made.operations)
    starts = [op.forward.start for op in made.operations]
    assert starts == sorted(starts)
    assert sum(op.forward.seconds for op in made.operations) <= made.forward_seconds
    # Wherever params have a say a gradient passes, and nowhere else.
    assert [op.backward is not None for op in made.operations] == [
        op.estimate.backward is not None for op in made.operations
    ]
    assert made.backward_seconds is not None
    backward = [op.backward for op in made.operations if op.backward is not None]
    starts = [one.start for one in backward]
    assert starts == sorted(starts, reverse=True)
    assert sum(one.seconds for one in backward) <= made.backward_seconds


def test_memory_is_near_what_the_operations_allocate() -> None:
    made = djgraph.compile("dj_mixer").profile(1.0, batch=2, repeats=1)
    audio = 2 * 2 * 44100 * 4
    region, *_, total = [op for op in made.operations if op.estimate.calls or "sum" in op.estimate.label]
    assert total.forward.memory == audio
    assert region.forward.memory > 2 * audio
    for op in made.operations:
        if op.estimate.label != "input":
            assert 0.4 * op.estimate.forward.memory < op.forward.memory < 2.5 * op.estimate.forward.memory
    assert made.forward_peak >= max(op.forward.memory for op in made.operations)
    assert made.backward_peak is not None
    assert made.backward_peak >= max(op.backward.memory for op in made.operations if op.backward)


def test_without_backward() -> None:
    made = djgraph.compile("dj_mixer").profile(0.1, backward=False, repeats=2)
    assert made.backward_seconds is None
    assert made.backward_peak is None
    assert all(op.backward is None for op in made.operations)
    assert "back ms" not in str(made)


def test_the_mixer_stays_as_it_was() -> None:
    mixer = compiled([{"strip": "deck", "input": "deck", "chain": ["drive", "shaper"]}], ["deck"])
    executor, weights = mixer._executors[False], [w.clone() for w in mixer.parameters()]
    random = torch.random.get_rng_state()
    made = mixer.profile(0.05, repeats=1)
    assert mixer._executors[False] is executor
    assert all(weight.grad is None for weight in mixer.parameters())
    assert all(torch.equal(a, b) for a, b in zip(mixer.parameters(), weights, strict=True))
    assert torch.equal(torch.random.get_rng_state(), random)
    assert made.operations[-1].backward is not None


def test_graphs_out_of_the_ordinary() -> None:
    """Optional inputs, buses of silence, several outputs, ports, latency, no controls at all."""
    duck = {"effect": "duck", "inputs": {"key": "deck@split.rest"}}
    odd = compiled(
        [
            {"strip": "deck", "input": "deck", "chain": ["split", "look_ahead", duck], "to": "mix"},
            {"strip": "mic", "input": "mic", "chain": ["clip_gain"]},
            {"bus": "mix"},
            {"bus": "none"},
        ],
        ["mix", "none", {"name": "rest", "from": "deck@split.rest"}, "mic"],
    )
    made = odd.profile(0.05, batch=2, dtype=torch.float64, repeats=1)
    silence = next(op for op in made.operations if op.estimate.label == "silence")
    assert silence.backward is None
    split = next(op for op in made.operations if op.estimate.label.startswith("split"))
    assert split.backward is not None
    wire = compiled([{"strip": "deck", "input": "deck", "to": "mix"}, {"bus": "mix"}])
    assert len(wire.layout) == 0
    assert wire.profile(0.05, repeats=1).backward_seconds is None


def test_one_sample() -> None:
    made = djgraph.compile("dj_mixer").profile(1 / 44100, frames=1, repeats=1)
    assert len(made.operations) == len(djgraph.compile("dj_mixer").plan.ops)


def test_unoptimised_plans_too() -> None:
    mixer = djgraph.compile("djtransgan", optimize=False)
    made = mixer.profile(0.1, repeats=1)
    assert len(made.operations) == len(mixer.plan.ops)


@pytest.fixture(scope="module")
def made() -> Profile:
    return djgraph.compile("club_console").profile(0.2, repeats=2)


def test_table(made: Profile) -> None:
    lines = str(made).splitlines()
    assert max(map(len, lines)) <= 120
    assert lines[0].startswith(
        "profile club_console: 0.2 s at 44100 Hz, batch 1, 64 control frames, float32; cpu, 1 thread"
    )
    for op in made.operations:
        if op.estimate.label != "input":
            assert any(
                line.startswith(f"{op.estimate.index} ") and op.estimate.label in line for line in lines
            )
    assert f"{made.forward_seconds * 1e3:.1f}" in lines[-1]


def test_data_is_json(made: Profile) -> None:
    data = json.loads(json.dumps(made.to_dict()))
    assert len(data["operations"]) == len(made.operations)
    assert data["operations"][4]["forward"]["seconds"] == made.operations[4].forward.seconds
    assert data["operations"][4]["estimate"]["calls"] == 1
    assert data["threads"] == torch.get_num_threads()


def test_trace_is_in_the_trace_event_format(made: Profile) -> None:
    trace = json.loads(json.dumps(made.chrome_trace()))
    events = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    forward = [event for event in events if event["cat"] == "forward"]
    backward = [event for event in events if event["cat"] == "backward"]
    assert [event["args"]["operation"] for event in forward] == list(range(len(made.operations)))
    assert len(backward) == sum(op.backward is not None for op in made.operations)
    assert {event["tid"] for event in forward}.isdisjoint({event["tid"] for event in backward})
    named = {
        event["tid"]: event["args"]["name"]
        for event in trace["traceEvents"]
        if event["name"] == "thread_name"
    }
    assert named == {forward[0]["tid"]: "forward", backward[0]["tid"]: "backward"}
    for track in (forward, sorted(backward, key=lambda event: event["ts"])):
        for event, after in pairwise(track):
            assert event["ts"] + event["dur"] <= after["ts"] + 1e-3  # µs
    assert forward[4]["dur"] == pytest.approx(1e6 * made.operations[4].forward.seconds)
    assert min(event["ts"] for event in backward) >= 1e6 * made.forward_seconds


def test_wrong_requests_are_refused() -> None:
    mixer = djgraph.compile("djtransgan")
    with pytest.raises(InputError, match="repeats must be at least 1"):
        mixer.profile(0.1, repeats=0)
    with pytest.raises(InputError, match="at least one sample"):
        mixer.profile(-1.0)


def test_what_plays_inputs_is_measured_by_itself() -> None:
    document: dict[str, Any] = {
        "djgraph": 1,
        "name": "played",
        "inputs": [{"name": "deck", "source": "deck"}, {"name": "mic"}],
        "mixer": [
            {"strip": "one", "input": "deck", "chain": ["gain"], "to": "mix"},
            {"strip": "two", "input": "mic", "to": "mix"},
            {"bus": "mix"},
        ],
        "outputs": ["mix"],
    }
    made = djgraph.compile(document).profile(0.3, repeats=1)
    (source,) = made.sources
    assert (source.input, source.effect) == ("deck", "deck")
    assert source.forward.seconds > 0
    assert source.forward.memory >= 2 * round(0.3 * 44100) * 4
    assert source.backward is not None
    assert source.backward.seconds > 0
    measured = source.forward.seconds + sum(op.forward.seconds for op in made.operations)
    assert measured <= made.forward_seconds
    (row,) = [line for line in str(made).splitlines() if line.split()[:1] == ["deck"]]
    assert f"{source.forward.seconds * 1e3:.1f}" in row
    (told,) = made.to_dict()["sources"]
    assert told["estimate"]["forward"]["flops"] == round(source.estimate.forward.flops)
    assert source.estimate.forward.memory == pytest.approx(source.forward.memory, rel=0.5)
    assert told["backward"]["seconds"] == source.backward.seconds
    names = [event["name"] for event in made.chrome_trace()["traceEvents"]]
    assert names.count("deck of deck") == 2
    ahead = djgraph.compile(document).profile(0.3, repeats=1, backward=False)
    assert ahead.sources[0].backward is None
    document["inputs"][0]["source"] = {"effect": "deck", "settings": {"sync": "bar"}}
    assert djgraph.compile(document).profile(0.1, batch=2, repeats=1).sources[0].forward.seconds > 0
    assert "sources" not in djgraph.compile("filter_knob").profile(0.1, repeats=1).to_dict()
