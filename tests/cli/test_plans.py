"""Commands about plans: explain with costs and differences, profile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import djgraph

from .conftest import Run, listing

GRAPH = "djtransgan"


@pytest.fixture(autouse=True)
def _threads() -> object:
    """``--threads`` is for the whole process."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_explain_takes_a_workload(run: Run) -> None:
    text = run("explain", GRAPH, "--seconds", 3, "--batch", 2, "--frames", 9, "--dtype", "float64").stdout
    assert "estimate for 3 s at 44100 Hz, batch 2, 9 control frames, float64" in text
    data = json.loads(run("explain", GRAPH, "--json", "--seconds", 0.5, "--stage", "group").stdout)
    assert data["workload"]["samples"] == 22050
    assert data["stages"][0]["costs"]["operations"]
    assert "at least one sample" in run("explain", GRAPH, "--seconds", 0, code=1).stderr
    run("explain", GRAPH, "--batch", 0, code=2)


def test_explain_graph_and_layout_as_data(run: Run) -> None:
    mixer = djgraph.compile(GRAPH)
    for stage in ("graph", "layout"):
        (item,) = json.loads(run("explain", GRAPH, "--json", "--stage", stage).stdout)["stages"]
        assert item == {"name": stage, "text": mixer.explain(stage)}


def test_passes_can_be_left_out(run: Run) -> None:
    plain = djgraph.compile(GRAPH, optimize=False)
    assert run("explain", GRAPH, "--no-optimize").stdout == plain.explain(verbose=False) + "\n"
    data = json.loads(run("explain", GRAPH, "--without", "fuse", "--without", "free", "--json").stdout)
    names = [stage.name for stage in djgraph.compile(GRAPH).stages() if stage.name not in ("fuse", "free")]
    assert [stage["name"] for stage in data["stages"]] == names
    assert "did you mean 'fuse'" in run("explain", GRAPH, "--without", "fuze", code=1).stderr


def test_explain_diff(run: Run) -> None:
    mixer = djgraph.compile(GRAPH)
    assert run("explain", GRAPH, "--diff").stdout == mixer.explain(diff=True) + "\n"
    one = run("explain", GRAPH, "--diff", "--stage", "fuse").stdout
    assert one == mixer.explain("fuse", diff=True) + "\n"
    assert one.startswith("fuse: operations ")
    assert (
        "no pass in this plan 'lower'" in run("explain", GRAPH, "--diff", "--stage", "lower", code=1).stderr
    )


def test_profile_prints_a_table(run: Run) -> None:
    text = run("profile", GRAPH, "--seconds", 0.2, "--repeats", 1, "--threads", 1).stdout
    lines = text.splitlines()
    assert lines[0] == (
        "profile djtransgan: 0.2 s at 44100 Hz, batch 1, 64 control frames, float32; cpu, 1 thread, median of 1"
    )
    assert "with backward" in lines[1]
    table = [line.split() for line in lines[5:]]
    operations = djgraph.compile(GRAPH).plan.ops
    # Two inputs share a line; behind the operations stand what is elsewhere, a rule and the sum.
    assert [row[0] for row in table[:-3]] == ["0–1", *(str(i) for i in range(2, len(operations)))]
    assert table[-1][0] == "total"


def test_profile_forward_only(run: Run) -> None:
    options = ["--seconds", 0.1, "--repeats", 1, "--no-backward", "--no-optimize", "--batch", 2]
    assert "back" not in run("profile", GRAPH, *options).stdout
    data = json.loads(run("profile", GRAPH, *options, "--json").stdout)
    assert data["backward_seconds"] is None
    assert len(data["operations"]) == len(djgraph.compile(GRAPH, optimize=False).plan.ops)
    assert data["workload"]["batch"] == 2


def test_profile_writes_a_trace(run: Run, tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    run("profile", GRAPH, "--seconds", 0.1, "--repeats", 1, "--trace", trace)
    events = json.loads(trace.read_text())["traceEvents"]
    assert {event["cat"] for event in events if event["ph"] == "X"} == {"forward", "backward"}
    assert listing(tmp_path) == ["trace.json"]


def test_profile_refuses_before_it_works(run: Run, tmp_path: Path) -> None:
    assert "does not exist" in run("profile", GRAPH, "--trace", tmp_path / "no" / "t.json", code=1).stderr
    assert "at least one sample" in run("profile", GRAPH, "--seconds", -1, code=1).stderr
    assert "djtransgan" in run("profile", "djtransgam", code=1).stderr
    run("profile", GRAPH, "--repeats", 0, code=2)


def test_the_causal_lowering_is_explained(run: Run) -> None:
    mixer = djgraph.compile(GRAPH, lowering="causal")
    text = run("explain", GRAPH, "--lowering", "causal", "--stream", "-v").stdout
    assert text == mixer.explain(stream=True) + "\n"
    assert "_causal" in text
    assert "stft" not in text
    assert "casual" in run("explain", GRAPH, "--lowering", "casual", code=2).stderr


def test_the_causal_lowering_is_profiled(run: Run) -> None:
    arguments = ("--seconds", 0.05, "--repeats", 1, "--no-backward", "--lowering", "causal")
    assert "_causal" in run("profile", GRAPH, *arguments).stdout


def test_effects_say_whether_they_have_a_causal_twin(run: Run) -> None:
    assert "causal twin: yes" in run("effects", "lowpass").stdout
    assert "causal twin" not in run("effects", "gain").stdout
    causal = {one["name"]: one["causal"] for one in json.loads(run("effects", "--json").stdout)}
    assert causal["lowpass"] is causal["gain"] is True
