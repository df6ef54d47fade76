"""Plans in words and figures: tables, data, and what each pass changed."""

from __future__ import annotations

import re

import pytest
import torch
from effort import few

import djgraph
from djgraph.errors import CompileError, InputError
from djgraph.inspection.explain import diff_stages, short

SHIPPED = ("dj_mixer", "club_console", "djtransgan", "filter_knob")


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile("dj_mixer")


def table_of(text: str) -> list[str]:
    lines = text.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("estimate for")) :]


@pytest.mark.parametrize("name", few(SHIPPED, 2))
@pytest.mark.parametrize("stage", [None, "lower"])
def test_table_has_every_operation_and_fits_a_screen(name: str, stage: str | None) -> None:
    mixer = djgraph.compile(name)
    text = mixer.explain(stage)
    plan = mixer.stages()[0].plan if stage else mixer.plan
    assert text.startswith(str(plan) + "\n\n")
    head, columns, rule, *rows = table_of(text)
    assert max(map(len, [head, columns, rule, *rows])) <= 120
    places: list[int] = []
    for row in rows[:-2]:
        first, _, last = row.split()[0].partition("–")
        places += range(int(first), int(last or first) + 1)
    assert places == list(range(len(plan.ops)))
    assert re.search(rf"total +{plan.calls()} ", rows[-1])


def test_table_says_what_it_is_for(mixer: djgraph.Mixer) -> None:
    text = mixer.explain(seconds=20, batch=4, frames=1, dtype=torch.float64)
    assert "estimate for 20 s at 44100 Hz, batch 4, 1 control frame, float64" in text
    assert mixer.explain(costs=False) == str(mixer.plan)


@pytest.mark.slow
def test_units_are_millions(mixer: djgraph.Mixer) -> None:
    data = mixer.explain_dict()["stages"][-1]["costs"]
    total = table_of(mixer.explain())[-1].split()
    assert total[0] == "total"
    assert f"{data['forward']['flops'] / 1e6:.1f}" in total
    assert f"{data['forward']['moved'] / 1e6:.1f}" in total
    assert f"{data['peak'] / 1e6:.1f}" in total
    assert f"{data['backward']['flops'] / 1e6:.1f}" == total[-1]


def test_data_has_every_stage(mixer: djgraph.Mixer) -> None:
    data = mixer.explain_dict(seconds=2.0, batch=3)
    assert data["workload"] == {
        "seconds": 2.0,
        "samples": 88200,
        "batch": 3,
        "frames": 64,
        "dtype": "float32",
    }
    for stage, item in zip(data["stages"], mixer.stages(), strict=True):
        assert stage["name"] == item.name
        assert stage["text"] == str(item.plan)
        operations = stage["costs"]["operations"]
        assert [tuple(op["writes"]) for op in operations] == [op.writes for op in item.plan.ops]
        assert stage["costs"]["calls"] == stage["calls"] == item.plan.calls()
        assert stage["costs"]["forward"]["flops"] == pytest.approx(
            sum(op["forward"]["flops"] for op in operations), abs=len(operations)
        )
    (one,) = mixer.explain_dict("fuse", seconds=0.1)["stages"]
    assert one["name"] == "fuse"


@pytest.mark.slow
def test_passes_lower_the_cost(mixer: djgraph.Mixer) -> None:
    stages = mixer.explain_dict()["stages"]
    first, last = stages[0]["costs"], stages[-1]["costs"]
    assert last["calls"] < first["calls"]
    assert last["forward"]["moved"] < first["forward"]["moved"] / 4
    assert last["peak"] < first["peak"] / 4


def test_diff_leads_from_stage_to_stage(mixer: djgraph.Mixer) -> None:
    stages = mixer.stages()
    for before, after, change in zip(stages[:-1], stages[1:], diff_stages(stages), strict=True):
        removed = [line[1:] for line in change.lines[2:] if line.startswith("-")]
        added = [line[1:] for line in change.lines[2:] if line.startswith("+")]
        old, new = (str(stage.plan).splitlines()[1:] for stage in (before, after))
        assert len(new) == len(old) - len(removed) + len(added)
        assert set(removed) <= set(old)
        assert set(added) <= set(new)
        assert change.name == after.name
        if old == new:
            assert change.summary.startswith(f"{after.name}: nothing changed")
        else:
            assert f"calls {before.plan.calls()} → {after.plan.calls()}" in change.summary
            assert f"operations {len(before.plan.ops)} → {len(after.plan.ops)}" in change.summary


def test_diff_of_one_pass_is_part_of_the_whole(mixer: djgraph.Mixer) -> None:
    whole = mixer.explain(diff=True)
    assert whole.count(" (") >= len(mixer.stages()) - 1
    for stage in mixer.stages()[1:]:
        assert mixer.explain(stage.name, diff=True) in whole
    assert djgraph.compile("dj_mixer", optimize=False).explain(diff=True) == "no pass has run"


def test_wrong_requests_are_refused(mixer: djgraph.Mixer) -> None:
    with pytest.raises(CompileError, match="did you mean 'layout'"):
        mixer.explain("layuot")
    with pytest.raises(CompileError, match="no pass in this plan 'lower'"):
        mixer.explain("lower", diff=True)
    with pytest.raises(CompileError, match="no stage 'groop'"):
        mixer.explain_dict("groop")
    for wrong, message in [
        ({"seconds": 0.0}, "at least one sample"),
        ({"seconds": float("nan")}, "at least one sample"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"frames": -1}, "frames must be at least 1"),
        ({"dtype": torch.float16}, "dtype must be"),
    ]:
        with pytest.raises(InputError, match=message):
            mixer.explain(**wrong)


def test_long_names_are_cut_in_the_middle() -> None:
    assert short(["name"], 24) == "name"
    assert short(["a", "b", "c"], 24) == "a +2"
    cut = short(["beginning.and.a.very.long.end", "b"], 24)
    assert len(cut) == 24
    assert cut.startswith("beginning")
    assert cut.endswith("end +1")
