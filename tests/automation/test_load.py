"""Automation files that are wrong, and what is said of them: the place, what is allowed, the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import djgraph
from djgraph.automation import Curve, First, Moment, Point, Span, Term, load, template
from djgraph.errors import AutomationError, DocumentError, InputError, Problem
from djgraph.layout import ParameterLayout


def problems(text: str, layout: ParameterLayout | None = None, **clip: Any) -> list[Problem]:
    try:
        auto = load(text)
    except DocumentError as error:
        return list(error.problems)
    assert layout is not None, "this should not have loaded"
    with pytest.raises(AutomationError) as caught:
        auto.render(layout, **({"n_frames": 5} | clip))
    return list(caught.value.problems)


def only(text: str, layout: ParameterLayout | None = None, **clip: Any) -> tuple[int, int, str]:
    """Line, column and full text of the one problem."""
    (problem,) = problems(text, layout, **clip)
    assert problem.position is not None
    return problem.position.line, problem.position.column, str(problem)


HEAD = "automation: 1\ncurves:\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("automation: 2\ncurves: []\n", 1, 13, ["version 1", "newer djgraph"]),
        ("automation: 1\ncurvs: []\n", 2, 1, ["unknown key 'curvs'", "did you mean: curves"]),
        ("automation: 1\n", 1, 1, ["missing key 'curves'"]),
        ("[1]\n", 1, 1, ["expected a mapping that begins with `automation: 1`"]),
        ("automation: 1\ntempo: fast\ncurves: []\n", 2, 8, ["expected a tempo in BPM"]),
        ("automation: 1\ntempo: 0\ncurves: []\n", 2, 8, ["tempo is 0 BPM", "0.1 to 100,000"]),
        ("automation: 1\ntempo: [[0, 120], [4]]\ncurves: []\n", 2, 19, ["a pair [beat, BPM]"]),
        ("automation: 1\ntempo: [[0, 120, perbeat], [4, 1]]\ncurves: []\n", 2, 18,
         ["how the tempo goes on", "allowed: hold, per_beat, per_second", "did you mean: per_beat"]),
        ("automation: 1\ntempo: [[4, 120], [0, 1]]\ncurves: []\n", 2, 8, ["ascend"]),
        ("automation: 1\nbeats_per_bar: 0\ncurves: []\n", 2, 16, ["a whole number from 1 to 64"]),
        ("automation: 1\nspan: {strat: 4s}\ncurves: []\n", 2, 8, ["'strat'", "did you mean: start"]),
        (
            "automation: 1\nspan: {start: soon}\ncurves: []\n",
            2,
            15,
            ["expected a time, got text 'soon'", "16beats"],
        ),
        (HEAD + "  - {control: a.gain}\n", 3, 5, ["either `points` or one `value`"]),
        (HEAD + "  - {control: a.gain, value: 1, points: [[0, 1]]}\n", 3, 5, ["either `points`"]),
        (HEAD + "  - {value: 1}\n", 3, 5, ["either a `control`, a `fader` or a `role`"]),
        (HEAD + "  - {control: a.gain, fader: a, value: 1}\n", 3, 5, ["either a `control`"]),
        (HEAD + "  - {role: low, fader: a, value: 1}\n", 3, 5, ["either a `control`"]),
        (HEAD + "  - {control: a.gain, of: a, value: 1}\n", 3, 23, ["an `of` without a `role`"]),
        (HEAD + "  - {role: low, of: A, value: 1}\n", 3, 21, ["expected a track, or stems of one"]),
        (HEAD + "  - {role: Low, value: 1}\n", 3, 12, ["expected a name, got text 'Low'"]),
        (HEAD + "  - {control: a.gain, unit: amplitud, value: 1}\n", 3, 29, ["did you mean: amplitude"]),
        (HEAD + "  - {control: A.gain, value: 1}\n", 3, 15, ["a control's name or a pattern", "**.hpf"]),
        (HEAD + "  - {control: [a.gain, 3], value: 1}\n", 3, 24, ["a control's name or a pattern"]),
        (HEAD + "  - {control: [], value: 1}\n", 3, 15, ["a list of them, got a list"]),
        (HEAD + "  - {fader: a.b.c, value: 1}\n", 3, 13, ["expected a track, or stems of one"]),
        (HEAD + "  - {control: a.gain, points: []}\n", 3, 31, ["at least one point"]),
        (HEAD + "  - {control: a.gain, points: [[0]]}\n", 3, 32, ["a list of 1"]),
        (
            HEAD + "  - {control: a.gain, points: [{at: 0, valu: 1}]}\n",
            3,
            40,
            ["'valu'", "did you mean: value"],
        ),
        (
            HEAD + "  - {control: a.gain, points: [[0, High]]}\n",
            3,
            36,
            ["got text 'High'", "default, neutral, min, max"],
        ),
        (
            HEAD + "  - {control: a.gain, points: [[0, 1, liner]]}\n",
            3,
            39,
            ["did you mean: linear", "allowed: hold"],
        ),
        (HEAD + "  - {control: a.gain, points: [[0, 1, linear, 500]]}\n", 3, 47, ["from -200 to 200 dB"]),
        (HEAD + "  - {control: a.gain, points: [[4 beets, 1]]}\n", 3, 33, ["'beets'", "did you mean: beats"]),
        (HEAD + "  - first: []\n", 3, 12, ["at least one curve"]),
        (HEAD + "  - {control: a.gain, value: $x}\n", 3, 30, ["no argument or variable 'x'"]),
        ("automation: 1\nargs: {x: 3, Y: 2}\ncurves: []\n", 2, 14, ["'Y' is not a name"]),
        ("automation: 1\nargs: {x: {defualt: 2}}\ncurves: []\n", 2, 12, ["did you mean: default"]),
        ("automation: 1\nargs: {x: null}\ncurves: []\n", 2, 8, ["argument 'x' needs a value", "load(…, x=…)"]),
        (
            "automation: 1\nargs: {l: fast}\nspan: {length: $l}\ncurves: []\n",
            3,
            16,
            ["got text 'fast'", "written as $l"],
        ),
        ("automation: 1\nautomation: 1\n", 2, 1, ["duplicate key"]),
        ("", 1, 1, []),
        ("automation: 1\ncurves: !x []\n", 2, 9, ["an automation is plain data"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_document(text: str, line: int, column: int, words: list[str]) -> None:
    if not text:
        with pytest.raises(
            DocumentError, match="there is nothing in it; an automation begins with `automation: 1`"
        ):
            load("\n")
        return
    found = only(text)
    assert found[:2] == (line, column), found[2]
    for word in words:
        assert word in found[2]


def test_backwards_in_time_is_seen_without_a_clip() -> None:
    line, column, text = only(
        HEAD + "  - control: a.gain\n    points:\n      - [2beats, 1]\n      - [0.25bars, 1]\n"
    )
    assert (line, column) == (6, 10)
    assert "time runs backwards: 0.25bars comes after 2beats in the curve of a.gain" in text


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        (HEAD + "  - {control: a.gian, value: 1}\n", 3, 15, ["no control 'a.gian'", "did you mean: a.gain"]),
        (HEAD + '  - {control: "**.gian", value: 1}\n',
         3, 15, ["no control matches '**.gian'", "did you mean: **.gain"]),
        (HEAD + "  - {control: c.*, value: 1}\n", 3, 15, ["no control matches 'c.*'", "allowed: a.*, b.*"]),
        (HEAD + "  - {control: a.cutoff, unit: amplitude, value: 1}\n",
         3, 31, ["a.cutoff is in Hz, so its values cannot be said as amplitudes"]),
        (HEAD + "  - {control: a.cutoff, unit: position, value: 1.5}\n",
         3, 48, ["1.5, which is 2.999e+04 Hz, is out of the range of a.cutoff: 20 … 20000 Hz"]),
        (HEAD + "  - {role: low, of: a, value: 1}\n", 3, 12,
         ["no control with the role 'low' (the level of the low band)", "hint: a graph says which controls these are"]),
        (HEAD + "  - {control: a.gain, value: 1.5}\n",
         3, 30, ["1.5 is out of the range of a.gain: 0 … 1 ratio"]),
        (HEAD + '  - {control: "*.gain", points: [[0%, 0], [50%, 2]]}\n', 3, 49, ["a.gain (and 1 more)"]),
        (HEAD + "  - {control: a.gain, points: [{at: 0, value: 9}]}\n", 3, 47, ["9 is out of the range"]),
        (HEAD + "  - {control: a.gain, points: [[1s, 1], [4beats, 0]]}\n",
         3, 42, ["4beats needs a tempo", "give tempo=, or `tempo:` in the file"]),
        ("automation: 1\nspan: {start: 2bars}\ncurves: []\n", 2, 15, ["the start 2bars needs a tempo"]),
        ("automation: 1\nspan: {start: 3s}\ncurves: []\n",
         2, 7, ["does not fit the clip", "from 3 s to 11 s"]),
        (HEAD + "  - {control: a.gain, points: [[50%, 1], [3s, 0]]}\n",
         3, 43, ["3s (3 s) comes after 50% (4 s)"]),
        (HEAD + "  - {control: b.size, points: [[0%, 1], [1s, 0]]}\n", 3, 15, ["b.size is read once"]),
        (HEAD + "  - {fader: c, value: 1}\n", 3, 13, ["no track 'c' with a fader", "allowed: a, b"]),
        (HEAD + "  - {fader: a.drums, value: 1}\n",
         3, 13, ["no stem with a fader 'a.drums'", "a.drums.fader or a.drums.gain"]),
        (HEAD + "  - {control: 3rd.gain, value: 1}\n",
         3, 15, ["no 3rd track with a fader: there are 2: a, b"]),
        (HEAD + "  - first:\n    - {control: a.x, value: 1}\n    - {control: a.y, value: 1}\n",
         3, 5, ["none of the 2 alternatives", "'a.x'", "'a.y'"]),
        (HEAD + "  - {control: a.gain, value: 1}\n  - {control: [a.gain], value: 0}\n",
         4, 5, ["two curves are for the same control: a.gain"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_layout(
    small: ParameterLayout, text: str, line: int, column: int, words: list[str]
) -> None:
    found = only(text, small, duration=8.0)
    for word in words:
        assert word in found[2]
    assert found[:2] == (line, column), found[2]


def test_every_problem_is_told_in_file_order(small: ParameterLayout) -> None:
    text = (
        HEAD + "  - {control: a.x, value: 1}\n  - {control: a.pan, value: 2}\n  - {control: a.y, value: 1}\n"
    )
    found = problems(text, small)
    assert [p.position.line for p in found if p.position] == [3, 4, 5]


def test_a_fader_has_to_hold_the_ratios(small: ParameterLayout) -> None:
    from djgraph.effects import Control
    from djgraph.graph.ir import Column

    def fader(low: float, high: float) -> ParameterLayout:
        return ParameterLayout([Column("a.fader", Control(low, high, unit="dB", default=low, id="x"))])

    for low, high in ((-40, 6), (-60, -3)):
        _, _, text = only(HEAD + "  - {fader: a, value: 0}\n", fader(low, high))
        assert f"'a.fader' ({low} … {high} dB) cannot be faded" in text
        assert "its range has to hold decibels from -60 to 0" in text
    assert load(HEAD + "  - {fader: a, value: 0.1}\n").render(fader(-60, 6), 1, 1.0).item() == pytest.approx(
        -20
    )


def test_positions_name_the_file(tmp_path: Path, small: ParameterLayout) -> None:
    path = tmp_path / "moves.yaml"
    path.write_text(HEAD + "  - {control: a.gian, value: 1}\n")
    with pytest.raises(AutomationError) as caught:
        load(path).check(small)
    assert str(caught.value).startswith(
        f"{path}:3:15: there is no control 'a.gian'\n  at: curves[0].control\n"
    )


def test_a_dict_has_no_positions_but_paths(small: ParameterLayout) -> None:
    with pytest.raises(AutomationError, match=r"at: curves\[0\]\.value") as caught:
        load({"automation": 1, "curves": [{"control": "a.gain", "value": 7}]}).check(small)
    assert caught.value.problems[0].position is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("bass_swp", "no automation named 'bass_swp'"),
        ("no/such/file.yaml", "nor a folder"),
        (3, "cannot load an automation from int"),
    ],
)
def test_sources_that_are_none(source: Any, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        load(source)


def test_unknown_names_and_arguments_offer_the_nearest() -> None:
    with pytest.raises(DocumentError, match="did you mean: bass_swap"):
        load("bass_swp")
    with pytest.raises(AutomationError, match=r"no argument 'lenght'\n(.|\n)*did you mean: length"):
        load("bass_swap", lenght="4s")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\0\1")
    with pytest.raises(DocumentError, match="not text; an automation file is YAML, JSON or CSV in UTF-8"):
        load(tmp_path / "x.yaml")
    with pytest.raises(DocumentError, match="is a folder, not an automation file"):
        load(tmp_path)
    with pytest.raises(DocumentError, match=r"allowed: x\.yaml"):
        load(tmp_path / "y.yaml")


def test_a_graph_is_no_automation() -> None:
    found = problems("djgraph: 1\nname: x\nmixer: []\noutputs: [x]\n")
    assert any("this is a graph; an automation begins with" in str(problem) for problem in found)


def test_arguments_are_put_in_place() -> None:
    text = (
        "automation: 1\nargs: {deck: a, amount: {default: 0.5, description: How much}, gap: 1s}\ncurves:\n"
        "  - {control: $deck.gain, points: [[0%, $amount], [100% - $gap, 1]]}\n"
    )
    (curve,) = load(text, deck="b", gap="2beats").curves
    assert isinstance(curve, Curve)
    assert curve.targets == ("b.gain",)
    assert curve.points[0].value == 0.5
    assert curve.points[1].at.terms == (Term(100, "%"), Term(-2, "beats"))
    assert [(a.name, a.default, a.description) for a in template(text).arguments] == [
        ("deck", "a", ""),
        ("amount", 0.5, "How much"),
        ("gap", "1s", ""),
    ]


def test_defaults_of_a_curve_serve_its_points() -> None:
    text = HEAD + (
        "  - {control: a.gain, shape: exponential, bend: 12,\n"
        "     points: [[0, 1], [1, 0, sine], {at: 2, value: 1, bend: 6}]}\n"
    )
    (curve,) = load(text).curves
    assert isinstance(curve, Curve)
    assert [(p.shape, p.bend) for p in curve.points] == [
        ("exponential", 12),
        ("sine", None),
        ("exponential", 6),
    ]


def test_alternatives_and_optional_curves(small: ParameterLayout) -> None:
    text = HEAD + (
        "  - first: [{control: a.tone, value: 1}, {control: a.pan, value: 0.5}, {control: b.gain, value: 0}]\n"
        "  - {control: c.x, value: 1, optional: true}\n"
    )
    auto = load(text)
    assert isinstance(auto.curves[0], First)
    assert auto.render(small, 1)[0].tolist() == [1, 0.5, 20000, 0.5, 1]


def test_ordinals_are_tracks_in_the_order_of_the_layout(layouts: dict[str, ParameterLayout]) -> None:
    auto = load(HEAD + "  - {control: 3rd.trim, value: 0.5}\n  - {fader: 2nd, value: 0.25}\n")
    layout = layouts["club_console"]
    values = layout.unpack(auto.render(layout, 1))
    assert values["deck_3.trim"] == 0.5
    assert values["deck_2.fader"] == 0.25
    assert values["deck_2.trim"] == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Point(Moment.parse(0), 1, "liner"), "did you mean 'linear'"),
        (lambda: Point(Moment.parse(0), float("nan")), "finite"),
        (lambda: Point(Moment.parse(0), "to the top"), "default, neutral, min, max"),
        (lambda: Point(Moment.parse(0), 1, bend=1e9), "bend is"),
        (lambda: Curve(("a.gain",), ()), "at least one control and one point"),
    ],
)
def test_what_cannot_be_built_in_python(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_built_in_python(small: ParameterLayout) -> None:
    points = (Point(Moment.parse("0%"), 0), Point(Moment.parse("100%"), 1))
    auto = djgraph.automation.Automation(
        (Curve(("a.gain",), points),), span=Span(Moment.parse("25%"), Moment.parse("50%"))
    )
    assert auto.render(small, 5)[:, 0].tolist() == [0, 0, 0.5, 1, 1]
    assert load(auto.to_dict()) == auto
    with pytest.raises(AutomationError, match="no control 'z'"):
        djgraph.automation.Automation((Curve(("z",), points),)).render(small, 5)
