"""Commands that print: validate, layout, explain, graphs, schema, effects, plugins."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import pytest
from torch import Tensor

import djgraph
from djgraph.effects import Block, Control, ControlModel, SettingModel, State, TimeEffect
from djgraph.inspection.flow import flow_text
from djgraph.plugins import hookimpl, registry, reset

from .conftest import Run

GOOD = """\
djgraph: 1
name: tiny
inputs: [{name: deck}]
mixer:
  - {strip: deck, input: deck, chain: [gain], to: master}
  - bus: master
outputs: [master]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(GOOD)
    return path


def test_validate_says_what_is_there(run: Run, tiny: Path) -> None:
    graph = djgraph.load("dj_mixer")
    text = run("validate", tiny, "dj_mixer").stdout.splitlines()
    assert text[0].startswith(f"{tiny}: tiny, ")
    assert "1 control, output master" in text[0]
    assert f"dj_mixer, {len(graph.nodes)} nodes, 54 controls" in text[1]


def test_validate_goes_on_after_a_bad_file(run: Run, tiny: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD.replace("chain: [gain]", "chain: [gian]"))
    result = run("validate", bad, tmp_path / "none.yaml", tiny, code=1)
    assert f"{bad}:5:" in result.stderr
    assert "did you mean: gain" in result.stderr
    assert "none.yaml" in result.stderr
    assert "2 of 3 graphs wrong" in result.stderr
    assert "tiny, " in result.stdout


def test_validate_warns_and_strictly_refuses(run: Run, tiny: Path) -> None:
    tiny.write_text(GOOD.replace("  - bus: master", "  - {bus: fx, chain: [reverb]}\n  - bus: master"))
    result = run("validate", tiny)
    assert f"warning: {tiny}:6:11: nobody hears bus 'fx'\n  at: mixer[1].bus\n" in result.stderr
    assert "tiny, " in result.stdout
    result = run("validate", "--strict", tiny, "dj_mixer", code=1)
    assert f"error: {tiny}:6:11: nobody hears bus 'fx'" in result.stderr
    assert "1 of 2 graphs wrong" in result.stderr
    assert "tiny" not in result.stdout


def test_validate_looks_into_templates_that_nothing_uses(run: Run, tiny: Path) -> None:
    tiny.write_text(GOOD.replace("mixer:", "templates: {spare: {chain: [gian]}}\nmixer:"))
    run("layout", tiny)
    assert f"{tiny}:4:29: there is no effect 'gian'" in run("validate", tiny, code=1).stderr


def test_a_missing_argument_names_the_option(run: Run, tiny: Path) -> None:
    tiny.write_text(GOOD.replace("mixer:", "args: {size: null}\nmixer:"))
    assert "hint: --arg size=…" in run("validate", tiny, code=1).stderr
    with pytest.raises(djgraph.DocumentError, match=r"hint: djgraph.load\(…, size=…\)"):
        djgraph.load(tiny)


def test_layout_in_every_format(run: Run) -> None:
    names = djgraph.ParameterLayout.from_graph(djgraph.load("dj_mixer")).names
    table = run("layout", "dj_mixer").stdout.splitlines()
    assert [line.split()[1] for line in table[2:56]] == list(names)
    assert table[-1].startswith("54 controls, fingerprint ")
    rows = list(csv.DictReader(io.StringIO(run("layout", "dj_mixer", "--format", "csv").stdout)))
    assert [row["name"] for row in rows] == list(names)
    text = run("layout", "dj_mixer", "-f", "json").stdout
    assert djgraph.ParameterLayout.from_json(text).names == names
    assert json.loads(text)["columns"][0]["name"] == "track_a.drums.gain"
    markdown = run("layout", "dj_mixer", "-f", "markdown").stdout.splitlines()
    assert len([line for line in markdown if line.startswith("|")]) == 56


def test_layout_to_a_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "layout.csv"
    assert run("layout", "dj_mixer", "-f", "csv", "-o", out).stdout == ""
    assert out.read_text() == run("layout", "dj_mixer", "-f", "csv").stdout
    message = run("layout", "dj_mixer", "-o", tmp_path / "no" / "layout.csv", code=1).stderr
    assert "does not exist" in message


def test_layout_of_a_graph_without_controls(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "wire.yaml"
    path.write_text(GOOD.replace("chain: [gain], ", ""))
    assert "0 controls, fingerprint" in run("layout", path).stdout


@pytest.mark.slow
def test_explain(run: Run) -> None:
    mixer = djgraph.compile("dj_mixer")
    assert run("explain", "dj_mixer").stdout == mixer.explain(verbose=False) + "\n"
    assert run("explain", "dj_mixer", "--verbose").stdout == mixer.explain() + "\n"
    assert run("explain", "dj_mixer", "--stage", "graph").stdout == f"{mixer.graph}\n"
    assert run("explain", "dj_mixer", "--stage", "lower", "-v").stdout == mixer.explain("lower") + "\n"
    data = json.loads(run("explain", "dj_mixer", "--json").stdout)
    assert data["controls"] == 54
    assert [stage["name"] for stage in data["stages"]] == [stage.name for stage in mixer.stages()]
    one = json.loads(run("explain", "dj_mixer", "--json", "--stage", "lower").stdout)
    assert [stage["name"] for stage in one["stages"]] == ["lower"]
    assert "no stage 'lowr'" in run("explain", "dj_mixer", "--stage", "lowr", code=1).stderr
    run("explain", "dj_mixer", "--stage", "lowr", "--json", code=1)


def test_explain_the_signal_flow(run: Run) -> None:
    said = run("explain", "podcast_ducker", "--flow").stdout
    assert said == flow_text(djgraph.load("podcast_ducker")) + "\n"
    assert "ducker: sidechain hears strip voice after gate" in said
    (stage,) = json.loads(run("explain", "podcast_ducker", "--flow", "--json").stdout)["stages"]
    assert stage == {"name": "flow", "text": said.removesuffix("\n")}
    assert run("explain", "podcast_ducker", "--stage", "flow").stdout == said
    for other in (["--stage", "lower"], ["--diff"], ["--stream"]):
        assert "--flow goes with none of" in run("explain", "podcast_ducker", "--flow", *other, code=2).stderr


def test_the_signal_flow_of_each_of_equal_strips(run: Run) -> None:
    graph = djgraph.load("dj_mixer")
    assert run("explain", "dj_mixer", "--flow").stdout == flow_text(graph) + "\n"
    every = run("explain", "dj_mixer", "--flow", "--unfold").stdout
    assert every == flow_text(graph, unfold=True) + "\n"
    assert every.count("\nstrip ") == 8
    (stage,) = json.loads(run("explain", "dj_mixer", "--flow", "--unfold", "--json").stdout)["stages"]
    assert stage["text"] + "\n" == every
    assert "--unfold goes with --flow" in run("explain", "dj_mixer", "--unfold", code=2).stderr


def test_explain_a_stream(run: Run) -> None:
    mixer = djgraph.compile("filter_knob")
    said = run("explain", "filter_knob", "--stream").stdout
    assert said == mixer.explain(stream=True, verbose=False) + "\n"
    assert run("explain", "filter_knob", "--stream", "-v").stdout == mixer.explain(stream=True) + "\n"
    assert said.endswith("latency of the stream: 2047 samples, 46.4 ms at 44100 Hz\n")
    assert "align: operations" in run("explain", "filter_knob", "--stream", "--diff").stdout
    data = json.loads(run("explain", "filter_knob", "--stream", "--json").stdout)
    assert data["latency"] == 2047
    assert "workload" not in data
    names = [stage["name"] for stage in data["stages"]]
    assert names == [stage.name for stage in mixer.stages(stream=True)]
    assert names.index("align") == names.index("fuse") + 1
    last = data["stages"][-1]
    assert last["latencies"]["sum:master"] == 2047
    assert "costs" not in last
    assert data["stages"][0]["latencies"] is None
    assert "no stage 'align'" in run("explain", "filter_knob", "--stage", "align", code=1).stderr


def test_graphs(run: Run) -> None:
    assert "dj_mixer" in run("graphs").stdout
    listed = json.loads(run("graphs", "--json").stdout)
    assert {entry["name"] for entry in listed} == set(djgraph.registry().graphs)
    assert all(Path(entry["path"]).is_file() for entry in listed)


def test_schema_accepts_what_ships(run: Run, tmp_path: Path) -> None:
    schema = json.loads(run("schema").stdout)
    assert run("schema", "-o", tmp_path / "schema.json").stdout == ""
    assert json.loads((tmp_path / "schema.json").read_text()) == schema
    assert "eq3" in json.dumps(schema)


def test_effects(run: Run) -> None:
    text = run("effects").stdout
    for name, entry in djgraph.registry().effects.items():
        assert name in text
        assert entry.effect.description in text
    lines = text.splitlines()
    heads = [line for before, line in pairwise(lines) if not before]
    assert heads[:3] == ["level", "filters", "dynamics"]
    for head, wanted, clock in (("level", "trim", False), ("modulation", "trans", True)):
        below = lines[lines.index(head) :]
        (row,) = [line for line in below[: (*below, "").index("")] if line.startswith(f"{wanted} ")]
        assert ("clock" in row.split()) == clock
    listed = json.loads(run("effects", "--json").stdout)
    assert [effect["name"] for effect in listed] == list(djgraph.registry().effects)


def test_one_effect(run: Run) -> None:
    text = run("effects", "eq3").stdout
    controls, _, settings = text.partition("settings\n")
    assert "order" in settings
    rows = {line.split()[0]: line for line in controls.splitlines() if line.strip()}
    for control in djgraph.effect("eq3").controls:
        assert f"{control.min:g} … {control.max:g}" in rows[control.id]
        assert control.description in rows[control.id]
    assert "at neutral an all-pass" in run("effects", "isolator").stdout
    settings = json.loads(run("effects", "convolve", "--json").stdout)["settings"]
    assert {one["name"]: one["type"] for one in settings} == {
        "file": "file",
        "level": "string",
        "pre_delay": "number",
    }
    assert "all-pass" not in text
    text = run("effects", "saturate").stdout
    assert "of the family colour, in → out" in text
    assert "no latency" in text
    assert "tanh, cubic, hard, fold" in text
    assert "0.125, 0.25, 0.5, 1, 2, 4, 8, 16" in run("effects", "trans").stdout
    assert "follows the clock" in run("effects", "trans").stdout
    data = json.loads(run("effects", "trans", "--json").stdout)
    assert (data["family"], data["follows_clock"], data["latency"]) == ("modulation", True, 0)
    data = json.loads(run("effects", "eq3", "--json").stdout)
    assert [control["id"] for control in data["controls"]] == ["low", "mid", "high"]
    assert data["controls"][0]["neutral"] == 1
    assert {setting["name"] for setting in data["settings"]} >= {"low", "high"}


def test_unknown_effect(run: Run) -> None:
    message = run("effects", "equaliser", code=1).stderr
    assert "there is no effect 'equaliser'" in message
    assert "eq3" in message


def test_plugins(run: Run) -> None:
    text = run("plugins").stdout
    assert "fx" in text
    data = json.loads(run("plugins", "--json").stdout)
    loaded = {plugin["name"]: plugin for plugin in data["loaded"]}
    assert "eq3" in loaded["fx"]["effects"]
    assert data["failed"] == []
    assert max(map(len, text.splitlines())) <= 100  # nobody tells a width here


@pytest.mark.parametrize("width", [40, 72, 200])
def test_plugins_are_listed_in_the_width_of_the_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """No name is broken or lost, and only what stands before the lists may be wider than the terminal."""
    monkeypatch.setenv("COLUMNS", str(width))
    text = run("plugins").stdout
    data = json.loads(run("plugins", "--json").stdout)
    words = set(text.replace(",", " ").split())
    for plugin in data["loaded"]:
        assert words >= {*plugin["effects"], *plugin["graphs"], *plugin["recipes"]}
    assert max(map(len, text.splitlines())) <= max(width, 60)
    assert f"{len(data['loaded'][0]['effects'])} effects:" in text


class Broken:
    """An entry point whose module raises on import."""

    name, group, value = "broken", "djgraph", "broken_module"
    dist = None

    def load(self) -> object:
        raise ImportError("no module named so")


def test_a_failed_plugin_is_listed_and_not_fatal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    entry_points = importlib.metadata.entry_points
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda **kwargs: [*entry_points(**kwargs), Broken()]
    )
    reset()
    try:
        result = run("plugins")
        assert "failed to load:" in result.stdout
        assert "ImportError: no module named so" in result.stdout
        assert result.stderr == ""
        failed = json.loads(run("plugins", "--json").stdout)["failed"]
        assert failed[0]["name"] == "broken"
        assert "Traceback" in failed[0]["traceback"]
        reset()
        assert "warning: left out" in run("effects").stderr
        reset()
        monkeypatch.setenv("DJGRAPH_STRICT_PLUGINS", "1")
        assert "failed to load: ImportError" in run("plugins", code=1).stderr
    finally:
        monkeypatch.undo()
        reset()


class Odd(TimeEffect):
    type = "odd_test_effect"
    description = "An effect | with [odd] text"

    class Settings(SettingModel):
        ratio: float
        words: tuple[str, ...] = ("a", "b")

    class Controls(ControlModel):
        amount: Annotated[float, Control(1, 1000, scale="log", unit="Hz")] = 10.0

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        return {"out": audio["in"]}, state


class Plugin:
    @hookimpl
    def djgraph_effects(self) -> list[type[TimeEffect]]:
        return [Odd]


def test_an_effect_of_a_stranger_is_described(run: Run) -> None:
    reset()
    try:
        registry().register(Plugin(), name="odd")
        text = run("effects", "odd_test_effect").stdout
        assert "An effect | with [odd] text" in text
        assert "1 … 1000" in text
        assert "none" in text
        assert "required" in text
        data = json.loads(run("effects", "odd_test_effect", "--json").stdout)
        assert data["controls"][0]["neutral"] is None
    finally:
        reset()


def test_validate_builds_effects(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "slow.yaml"
    path.write_text(
        "djgraph: 1\nname: slow\nsample_rate: 8000\ninputs: [{name: a}]\n"
        "mixer:\n  - {strip: a, input: a, chain: [isolator4], to: m}\n  - bus: m\noutputs: [m]\n"
    )
    message = run("validate", str(path), code=1).stderr
    assert "slow.yaml:6" in message
    assert "below 4000 Hz" in message


def test_pictures_in_every_format(run: Run, tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    svg, png, page = (tmp_path / f"tiny{suffix}" for suffix in (".svg", ".PNG", ".html"))
    for out in (svg, png, page):
        assert run("draw", tiny, "-o", out, "--theme", "dark").stdout == ""
    assert svg.read_text() == run("draw", tiny, "--theme", "dark").stdout
    assert png.read_bytes().startswith(b"\x89PNG")
    assert svg.read_text() in page.read_text()
    assert svg.read_text() != run("draw", tiny).stdout
    message = run("draw", tiny, "-o", tmp_path / "tiny.pdf", code=1).stderr
    assert "tiny.pdf: pictures of graphs are written to .svg, .png and .html" in message
    run("draw", tiny, "--theme", "pink", code=2)


def test_equal_strips_share_a_box_unless_unfolded(run: Run) -> None:
    assert "×4" in run("draw", "dj_mixer").stdout
    unfolded = run("draw", "dj_mixer", "--unfold").stdout
    assert "×4" not in unfolded
    assert all(f">track_b.{stem}<" in unfolded for stem in ("drums", "bass", "vocals", "other"))
