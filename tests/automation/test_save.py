"""Automation to files and back: nothing lost, and never half a file."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.automation import SHAPES, Automation, Curve, First, Moment, Point, Span, TempoMap, Term, load
from djgraph.automation.tempo import RAMPS
from djgraph.errors import AutomationError, DocumentError
from djgraph.layout import ParameterLayout

amounts = st.floats(0, 1000).map(lambda x: round(x, 4))
terms = st.builds(Term, amounts, st.sampled_from(["s", "beats", "bars", "%"]))
values = st.floats(-1e9, 1e9) | st.sampled_from(["default", "neutral", "min", "max"])
bends = st.none() | st.floats(-200, 200)


@st.composite
def curves(draw: st.DrawFn, plain: bool = False) -> Curve:
    unit = draw(st.sampled_from(["s", "beats", "bars", "%"]))
    times = sorted(draw(st.lists(amounts, min_size=1, max_size=5)))
    points = tuple(
        Point(Moment((Term(t, unit),)), draw(values), draw(st.sampled_from(list(SHAPES))), draw(bends))
        for t in times
    )
    fader = not plain and draw(st.booleans())
    names = st.sampled_from(["a.gain", "**.hpf", "1st.*.gain", "x", "track_a.*"])
    targets = ("1st.*",) if fader else tuple(draw(st.lists(names, min_size=1, max_size=3, unique=True)))
    return Curve(targets, points, fader, not plain and draw(st.booleans()))


tempos = st.none() | st.dictionaries(
    st.integers(0, 99), st.tuples(st.floats(1, 500), st.sampled_from(RAMPS)), min_size=1, max_size=3
).map(lambda d: TempoMap([(beat, bpm, ramp) for beat, (bpm, ramp) in sorted(d.items())]))
texts = st.text(max_size=20).filter(lambda s: s.isprintable())


@settings(max_examples=examples(50), deadline=None)
@given(
    st.lists(
        curves() | st.lists(curves(), min_size=1, max_size=3).map(lambda c: First(tuple(c))), max_size=4
    ),
    texts,
    texts,
    tempos,
    st.integers(1, 16),
    st.none() | st.builds(Span, terms.map(lambda t: Moment((t,))), terms.map(lambda t: Moment((t,)))),
)
def test_yaml_json_and_dict_lose_nothing(
    items: list[Curve | First],
    title: str,
    description: str,
    tempo: TempoMap | None,
    bar: int,
    span: Span | None,
) -> None:
    if tempo is not None and len(tempo.points) == 1:
        tempo = TempoMap(tempo.points[0][1])
    auto = Automation(tuple(items), "moves", title, description, tempo, bar, span)
    assert load(auto.to_dict()) == auto
    assert load(auto.to_yaml()) == auto
    assert load("\n" + auto.to_json()) == auto


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(curves(plain=True), min_size=1, max_size=4), tempos, st.integers(1, 16))
def test_csv_loses_no_breakpoint(items: list[Curve], tempo: TempoMap | None, bar: int) -> None:
    items = [Curve((f"c{i}",), item.points) for i, item in enumerate(items)]
    auto = Automation(tuple(items), tempo=tempo, beats_per_bar=bar)
    again = load(auto.to_csv())
    assert again.tempo == auto.tempo
    assert again.beats_per_bar == bar
    assert again.curves == auto.curves


def test_csv_is_one_line_a_breakpoint() -> None:
    auto = load(
        {
            "automation": 1,
            "tempo": [[0, 120], [8, 125.5]],
            "span": {"start": "4s", "length": "16beats"},
            "curves": [
                {
                    "control": ["a.gain", "b.gain"],
                    "points": [["0%", 1, "sine"], ["50%", 0], ["100% + 1beat", "max"]],
                },
                {"control": "a.pan", "points": [[0, 1, "exponential", 12]]},
            ],
        }
    )
    lines = list(csv.DictReader(io.StringIO(auto.to_csv())))
    assert [tuple(line.values()) for line in lines] == [
        ("@tempo", "0beats", "120.0", "", ""),
        ("@tempo", "8beats", "125.5", "", ""),
        ("a.gain", "4", "1", "sine", ""),
        ("a.gain", "4s + 8beats", "0", "", ""),
        ("a.gain", "4s + 17beats", "max", "", ""),
        ("b.gain", "4", "1", "sine", ""),
        ("b.gain", "4s + 8beats", "0", "", ""),
        ("b.gain", "4s + 17beats", "max", "", ""),
        ("a.pan", "4", "1", "exponential", "12.0"),
    ]


@pytest.mark.parametrize("name", ["bass_swap", "echo_out", "eq_blend", "drum_swap"])
def test_a_resolved_recipe_renders_the_same_from_csv(mixer_layout: ParameterLayout, name: str) -> None:
    auto = load(name)
    wanted = auto.render(mixer_layout, 500, 40.0, tempo=120)
    resolved = auto.resolve(mixer_layout)
    assert all(isinstance(curve, Curve) and not curve.fader for curve in resolved.curves)
    assert torch.equal(resolved.render(mixer_layout, 500, 40.0, tempo=120), wanted)
    again = load(resolved.to_csv())
    torch.testing.assert_close(again.render(mixer_layout, 500, 40.0, tempo=120), wanted, rtol=0, atol=1e-6)


def test_what_csv_cannot_hold() -> None:
    for name, word in [("linear", "faders"), ("echo_out", "faders")]:
        with pytest.raises(AutomationError, match=f"CSV has no place for {word}\n(.|\n)*resolve"):
            load(name).to_csv()
    optional = load({"automation": 1, "curves": [{"control": "a", "value": 1, "optional": True}]})
    with pytest.raises(AutomationError, match="optional curves"):
        optional.to_csv()


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("control,tim,value\na,0,1\n", 1, 1, ["unknown column 'tim'", "did you mean: time"]),
        ("control,value\na,1\n", 1, 1, ["lacks column 'time'"]),
        ("control,time,value,time\n", 1, 1, ["two columns are called 'time'"]),
        ("control,time,value\na,0,1,2\n", 2, 1, ["4 fields in a table of 3 columns"]),
        ("control,time,value\na,0,1\na,soon,1\n", 3, 3, ["expected a time, got text 'soon'"]),
        ("control,time,value\na,0, High\n", 2, 6, ["expected a number, got text 'High'"]),
        ("control,time,value,shape\na,0,1,liner\n", 2, 7, ["did you mean: linear"]),
        ("control,time,value\na,4,1\nb,0,1\na,3,0\n", 4, 3, ["time runs backwards: 3s comes after 4s"]),
        ("control,time,value\na,4\n", 2, 1, ["missing key 'value'"]),
        ("control,time,value\n@tempo,0beats,0\n", 2, 8, ["tempo is 0 BPM"]),
        ("control,time,value\n@tempo,0,\n", 2, 1, ["@tempo needs a value"]),
        ('control,time,value\n"a,0,1\n', 2, 1, ["this is not CSV"]),
        ("control,time,value\nA!,0,1\n", 2, 1, ["a control's name or a pattern"]),
    ],
)
def test_what_is_wrong_with_a_table(
    tmp_path: Path, text: str, line: int, column: int, words: list[str]
) -> None:
    path = tmp_path / "moves.csv"
    path.write_text(text)
    with pytest.raises(AutomationError) as caught:
        load(path)
    problem = caught.value.problems[0]
    assert problem.position is not None
    assert (problem.position.file, problem.position.line, problem.position.column) == (
        str(path),
        line,
        column,
    )
    for word in words:
        assert word in str(problem)


def test_a_table_points_at_values_out_of_range(tmp_path: Path, small: ParameterLayout) -> None:
    path = tmp_path / "moves.csv"
    path.write_text("control,time,value,shape\n\na.gain,0,1,\na.gain,1s,  7,\n")
    with pytest.raises(AutomationError, match=r"moves\.csv:4:13: 7 is out of the range of a\.gain"):
        load(path).check(small)


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".json", ".csv"])
def test_saved_and_loaded(tmp_path: Path, suffix: str) -> None:
    points = (Point(Moment.parse(0), 0.25), Point(Moment.parse("1.5s"), 1.0))
    auto = Automation((Curve(("a.gain",), points),), name="moves")
    path = tmp_path / f"moves{suffix}"
    auto.save(path)
    assert load(path) == auto
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auto = load("linear")
    path = tmp_path / "moves.yaml"
    path.write_text("as it was")

    def full(fd: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AutomationError, match=r"moves\.yaml: cannot be written: No space"):
        auto.save(path)
    assert path.read_text() == "as it was"
    assert [p.name for p in tmp_path.iterdir()] == ["moves.yaml"]


def test_refusals(tmp_path: Path) -> None:
    auto = load("linear")
    with pytest.raises(
        AutomationError, match=r"moves.txt: an automation is written to .yaml, .yml, .json, .csv"
    ):
        auto.save(tmp_path / "moves.txt")
    with pytest.raises(AutomationError, match="does not exist"):
        auto.save(tmp_path / "no" / "moves.yaml")
    with pytest.raises(AutomationError, match="CSV has no place"):
        auto.save(tmp_path / "moves.csv")
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from djgraph.language import limits

    auto = load({"automation": 1, "curves": [{"control": "a", "points": [[i, 0.5] for i in range(50)]}]})
    monkeypatch.setattr(limits, "VALUES", 10)
    with pytest.raises(AutomationError, match="too large to be read again"):
        auto.save(tmp_path / "moves.yaml")
    monkeypatch.undo()
    monkeypatch.setattr(limits, "FILE_BYTES", 10)
    with pytest.raises(DocumentError, match="larger than 80 bytes"):
        load(auto.to_yaml())
