"""The graphs that ship: their columns, what they read, and that the schema knows them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from djgraph.graph import EffectNode, Graph, MacroCurve, Point, SumNode, load
from djgraph.language import load_document
from djgraph.language.schema import json_schema
from djgraph.mixer import Mixer
from djgraph.plugins import Registry

Validate = Callable[[Any], None]
FOLDER = Path(__file__).parents[2] / "graphs"
NAMES = [
    "club_console",
    "club_mixer",
    "dj_mixer",
    "dj_mixer_live",
    "djtransgan",
    "dub_desk",
    "filter_knob",
    "mastering",
    "podcast_ducker",
    "stem_performer",
]


def shipped(name: str, registry: Registry, **args: Any) -> Graph:
    return load(FOLDER / f"{name}.yaml", registry=registry, **args)


def names(graph: Graph) -> list[str]:
    return [column.name for column in graph.columns]


def settings(graph: Graph, node: str) -> dict[str, Any]:
    found = graph.by_id[node]
    assert isinstance(found, EffectNode)
    return found.settings.model_dump()


def test_these_ship() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_name_title_and_description(name: str, registry: Registry) -> None:
    graph = shipped(name, registry)
    assert graph.name == name
    assert graph.title
    assert f"{len(graph.columns)} controls." in graph.description


@pytest.mark.parametrize("name", NAMES)
def test_every_column_rests_at_neutral(name: str, registry: Registry) -> None:
    for column in shipped(name, registry).columns:
        assert column.control.default == column.control.neutral, column.name


# fmt: off
DJ_MIXER = [
    "track_a.drums.gain", "track_a.drums.eq_low", "track_a.drums.eq_mid",
    "track_a.drums.eq_high", "track_a.drums.lpf", "track_a.drums.hpf",
    "track_a.bass.gain", "track_a.bass.eq_low", "track_a.bass.eq_mid",
    "track_a.bass.eq_high", "track_a.bass.lpf", "track_a.bass.hpf",
    "track_a.vocals.gain", "track_a.vocals.eq_low", "track_a.vocals.eq_mid",
    "track_a.vocals.eq_high", "track_a.vocals.lpf", "track_a.vocals.hpf",
    "track_a.other.gain", "track_a.other.eq_low", "track_a.other.eq_mid",
    "track_a.other.eq_high", "track_a.other.lpf", "track_a.other.hpf",
    "track_a.reverb_send", "track_a.delay_send", "track_a.delay_feedback",
    "track_b.drums.gain", "track_b.drums.eq_low", "track_b.drums.eq_mid",
    "track_b.drums.eq_high", "track_b.drums.lpf", "track_b.drums.hpf",
    "track_b.bass.gain", "track_b.bass.eq_low", "track_b.bass.eq_mid",
    "track_b.bass.eq_high", "track_b.bass.lpf", "track_b.bass.hpf",
    "track_b.vocals.gain", "track_b.vocals.eq_low", "track_b.vocals.eq_mid",
    "track_b.vocals.eq_high", "track_b.vocals.lpf", "track_b.vocals.hpf",
    "track_b.other.gain", "track_b.other.eq_low", "track_b.other.eq_mid",
    "track_b.other.eq_high", "track_b.other.lpf", "track_b.other.hpf",
    "track_b.reverb_send", "track_b.delay_send", "track_b.delay_feedback",
]
# fmt: on


def test_dj_mixer_has_the_54_columns(registry: Registry) -> None:
    graph = shipped("dj_mixer", registry)
    assert names(graph) == DJ_MIXER
    assert len(DJ_MIXER) == 54
    ranges = {
        name.rpartition(".")[2]: (c.control.min, c.control.max, c.control.default)
        for name, c in zip(DJ_MIXER, graph.columns)
    }
    assert ranges == {
        "gain": (0, 1, 1),
        "eq_low": (0, 2, 1),
        "eq_mid": (0, 2, 1),
        "eq_high": (0, 2, 1),
        "lpf": (0, 1, 1),
        "hpf": (0, 1, 0),
        "reverb_send": (0, 1, 0),
        "delay_send": (0, 1, 0),
        "delay_feedback": (0, 1, 0),
    }


def test_dj_mixer_is_short() -> None:
    assert len((FOLDER / "dj_mixer.yaml").read_text().splitlines()) < 50


def test_dj_mixer_is_wired_as_the_seed_says(registry: Registry) -> None:
    graph = shipped("dj_mixer", registry)
    chain = ["gain", "eq3", "lowpass", "highpass"]
    before = Point("in:track_b.vocals")
    for name in chain:
        node = graph.by_id[f"track_b.vocals.{name}"]
        assert isinstance(node, EffectNode)
        assert node.effect.type == name
        assert node.sources == {"in": before}
        before = Point(node.id)
    stems = tuple(Point(f"track_b.{stem}.highpass") for stem in ("drums", "bass", "vocals", "other"))
    assert graph.by_id["sum:track_b"] == SumNode("sum:track_b", stems, 2, graph.by_id["sum:track_b"].position)
    reverb, delay = graph.by_id["track_b.reverb"], graph.by_id["track_b.delay"]
    assert isinstance(reverb, EffectNode)
    assert isinstance(delay, EffectNode)
    assert reverb.sources == {"in": Point("sum:track_b")}
    assert delay.sources == {"in": Point("track_b.reverb")}
    master = graph.by_id["sum:master"]
    assert isinstance(master, SumNode)
    assert master.sources == (Point("track_a.delay"), Point("track_b.delay"))
    assert list(graph.taps) == [
        *(f"track_a.{stem}" for stem in ("drums", "bass", "vocals", "other")),
        "track_a",
        *(f"track_b.{stem}" for stem in ("drums", "bass", "vocals", "other")),
        "track_b",
        "master",
    ]


def test_dj_mixer_takes_the_seeds_configuration(registry: Registry) -> None:
    graph = shipped(
        "dj_mixer",
        registry,
        sample_rate=22050,
        n_fft=1024,
        hop_length=256,
        reverb_decay_time=2.0,
        reverb_damping=0.3,
        delay_default_ms=250.0,
        delay_max_feedback=0.5,
    )
    assert (graph.sample_rate, graph.transform.size, graph.transform.hop) == (22050, 1024, 256)
    reverb, delay = settings(graph, "track_a.reverb"), settings(graph, "track_b.delay")
    assert (reverb["decay_time"], reverb["damping"]) == (2.0, 0.3)
    assert (delay["time"], delay["max_feedback"]) == (250.0, 0.5)
    default = shipped("dj_mixer", registry)
    assert (default.sample_rate, default.transform.size, default.transform.hop) == (44100, 2048, 512)
    reverb, delay = settings(default, "track_a.reverb"), settings(default, "track_b.delay")
    assert (reverb["decay_time"], reverb["damping"]) == (1.5, 0.5)
    assert (delay["time"], delay["max_feedback"]) == (375.0, 0.7)


def test_djtransgan(registry: Registry) -> None:
    graph = shipped("djtransgan", registry)
    assert graph.inputs == {"track_a": None, "track_b": None}
    assert names(graph) == [f"track_{t}.{c}" for t in "ab" for c in ("eq_low", "eq_mid", "eq_high", "fader")]
    assert shipped("djtransgan", registry, low=250).by_id["track_a.eq3"].settings.low == 250  # type: ignore[union-attr]


def test_filter_knob(registry: Registry) -> None:
    graph = shipped("filter_knob", registry)
    assert names(graph) == ["track_a.fader", "track_a.filter", "track_b.fader", "track_b.filter"]
    low, high = graph.by_id["track_b.lowpass"], graph.by_id["track_b.highpass"]
    assert isinstance(low, EffectNode)
    assert isinstance(high, EffectNode)
    closing, opening = low.bindings["cutoff"], high.bindings["cutoff"]
    assert isinstance(closing, MacroCurve)
    assert isinstance(opening, MacroCurve)
    assert (closing.column, opening.column) == ("track_b.filter", "track_b.filter")
    assert closing.points[0][1] < closing.points[1][1] == closing.points[2][1] == 1
    assert opening.points[2][1] > opening.points[1][1] == opening.points[0][1] == 0


def test_club_console(registry: Registry) -> None:
    graph = shipped("club_console", registry)
    deck = ["trim", "eq_low", "eq_mid", "eq_high", "fader", "cue", "reverb_send", "echo_send", "filter"]
    decks = [f"deck_{n}.{control}" for n in range(1, 5) for control in deck]
    assert names(graph) == [*decks, "crossfader", "echo.feedback"]
    assert list(graph.outputs) == ["master", "cue"]
    cue, reverb = graph.by_id["deck_3.send:cue"], graph.by_id["deck_3.send:reverb"]
    assert isinstance(cue, EffectNode)
    assert isinstance(reverb, EffectNode)
    assert cue.sources == {"in": Point("deck_3.highpass")}, "the cue is heard before the fader"
    assert reverb.sources == {"in": Point("deck_3.cross")}, "the sends behind it, crossfader included"
    for returned in ("reverb.reverb", "echo.delay"):
        node = graph.by_id[returned]
        assert isinstance(node, EffectNode)
        assert getattr(node.bindings["mix"], "value", None) == 1, "a return is all wet"
    sides = {n: graph.by_id[f"deck_{n}.cross"].bindings["gain"].points for n in range(1, 5)}  # type: ignore[union-attr]
    left, right = ((0, 1), (0.5, 1), (1, 0)), ((0, 0), (0.5, 1), (1, 1))
    assert sides == {1: left, 2: right, 3: left, 4: right}


def test_mastering(registry: Registry) -> None:
    graph = shipped("mastering", registry)
    eq = [
        f"{band}_{what}"
        for band in ("low", "bell1", "bell2", "bell3", "bell4", "high")
        for what in ("frequency", "gain", "q")
    ]
    compressor = ["threshold", "ratio", "attack", "release", "makeup"]
    assert names(graph) == [
        "track.gain",
        *(f"track.eq.{control}" for control in ("low_cut", *eq, "high_cut")),
        "track.tilt",
        "track.width",
        *(f"{band}.{control}" for band in ("low", "mid", "high") for control in compressor),
        "master.gain",
        "master.ceiling",
        "master.release",
    ]
    for band in ("low", "mid", "high"):
        node = graph.by_id[f"{band}.compressor"]
        assert isinstance(node, EffectNode)
        assert node.sources == dict.fromkeys(("in", "sidechain"), Point("track.split", band))
    other = shipped("mastering", registry, low_crossover=120, high_crossover=5000).by_id["track.split"]
    assert isinstance(other, EffectNode)
    assert [getattr(other.bindings[name], "value", None) for name in ("low", "high")] == [120, 5000]


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_knows_shipped_graphs(name: str, validate: Validate, validate_installed: Validate) -> None:
    data = load_document(FOLDER / f"{name}.yaml").source.data
    validate(data)
    validate_installed(data)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(ouputs=d.pop("outputs")),
        lambda d: d.update(djgraph=2),
        lambda d: d["inputs"][0].update(chanels="mono"),
        lambda d: d["inputs"][0].update(channels="quadro"),
        lambda d: strip(d).update(inptu="x"),
        lambda d: strip(d).update(bus="x"),
        lambda d: strip(d)["chain"][0].update(efect="gain"),
        lambda d: strip(d)["chain"][0].update(effect="gian"),
        lambda d: strip(d)["chain"].append("gian"),
        lambda d: strip(d)["chain"][1].update(settings={"lo": 3}),
        lambda d: strip(d)["chain"][1].update(settings={"low": "x"}),
        lambda d: strip(d)["chain"][1].update(controls={"lo": 1}),
        lambda d: strip(d)["chain"][1].update(controls={"low": {"deflt": 1}}),
        lambda d: strip(d)["chain"][1].update(controls={"low": 3}),
        lambda d: d.update(templates={"t": {}}),
        lambda d: d["mixer"].append({"for": {"a": [1], "b": [2]}, "do": []}),
        lambda d: d["mixer"].append({"strp": "x"}),
    ],
)
def test_the_schema_refuses_what_the_parser_refuses(spoil: Any, validate: Validate) -> None:
    data = copy.deepcopy(dict(load_document(FOLDER / "dj_mixer.yaml").source.data))
    validate(data)
    spoil(data)
    with pytest.raises(jsonschema.ValidationError):
        validate(data)


def strip(document: Any) -> Any:
    """The one strip of dj_mixer, within its repeats."""
    return document["mixer"][0]["do"][0]["do"][0]


def test_the_schema_takes_references_and_old_ids(validate: Validate) -> None:
    node = {
        "effect": "picky",
        "settings": {"count": "$n", "band": {"gain": 2}},
        "controls": {"beats": "$n", "tone": "$(n)"},
    }
    document = {
        "djgraph": 1,
        "name": "x",
        "sample_rate": "$rate",
        "mixer": [
            {"bus": "b$n", "chain": [node, "$fx", {"effect": "$fx"}, {"use": "t", "with": {"a": [1]}}]}
        ],
        "outputs": ["$b"],
    }
    validate(document)


def test_the_schema_explains_effects(registry: Registry) -> None:
    definitions = json_schema(registry)["$defs"]
    names = [option["const"] for option in definitions["EffectName"]["anyOf"] if "const" in option]
    assert names == sorted(registry.effects)
    controls = definitions["gain node"]["properties"]["controls"]["allOf"][0]["then"]
    text = controls["properties"]["gain"]["description"]
    assert "0 … 1" in text
    assert "default 1" in text


def test_dj_mixer_live(registry: Registry) -> None:
    """The columns of the default mixer stay in their places, so that its params and automation fit."""
    live = shipped("dj_mixer_live", registry)
    assert names(live) == [*DJ_MIXER, "master.volume"]
    mixer = Mixer(live, lowering="causal")
    assert mixer.stream().latency == 111 + 66  # the smoothing of gains, and the limiter's look-ahead
