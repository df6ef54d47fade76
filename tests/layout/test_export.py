"""A layout as JSON and back, Markdown, CSV and rows."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from effort import examples
from fake_layouts import column, layouts, mixed_layout, seed_layout
from hypothesis import given, settings

from djgraph.errors import LayoutError
from djgraph.graph.ir import Column
from djgraph.layout import ParameterLayout
from djgraph.layout.export import HEADER


@settings(max_examples=examples(40))
@given(layouts())
def test_json_is_lossless(layout: ParameterLayout) -> None:
    for indent in (None, 2):
        again = ParameterLayout.from_json(layout.to_json(indent))
        assert again == layout
        assert again.to_json() == layout.to_json()
        assert again.fingerprint == layout.fingerprint
        assert [c.control for c in again] == [c.control for c in layout]


def test_json_keeps_kind_effect_and_drives() -> None:
    plain = column("deck.filter")
    layout = ParameterLayout(
        [Column(plain.name, plain.control, "macro", "", (("deck.lowpass", "cutoff"), ("n", "x")))]
    )
    assert ParameterLayout.from_json(layout.to_json()).columns == layout.columns


def test_layouts_from_before_these_fields_are_read() -> None:
    layout = mixed_layout()
    document = json.loads(layout.to_json())
    for row in document["columns"]:
        for field in ("amplitude", "names", "role", "below_rate"):
            del row["control"][field]
    again = ParameterLayout.from_json(json.dumps(document))
    assert again == layout
    assert {one.control.below_rate for one in again} == {None}
    document["columns"][0]["control"]["below_rate"] = {}
    with pytest.raises(LayoutError, match=r"below_rate is \{\}; expected a number"):
        ParameterLayout.from_json(json.dumps(document))


def _without(document: dict[str, Any], *path: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    del document[path[-1]]


def _with(document: dict[str, Any], value: Any, *path: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: _without(d, "djgraph_layout"), "no key 'djgraph_layout'"),
        (lambda d: _with(d, 2, "djgraph_layout"), "layout version 2: this djgraph reads version 1"),
        (lambda d: _with(d, {}, "columns"), "'columns' are no list"),
        (lambda d: _with(d, 3, "columns", 0), r"columns\[0\] is no mapping"),
        (lambda d: _without(d, "columns", 1, "name"), r"columns\[1\] lacks name"),
        (
            lambda d: _with(d, 1, "columns", 1, "nam"),
            r"columns\[1\] has an unknown key 'nam'; did you mean 'name'",
        ),
        (lambda d: _with(d, 3, "columns", 0, "name"), "name and effect are text"),
        (lambda d: _with(d, "knob", "columns", 0, "kind"), "expected one of control, macro, send"),
        (lambda d: _with(d, [["a"]], "columns", 0, "drives"), "drives is no list of pairs"),
        (lambda d: _with(d, "0", "columns", 0, "control", "min"), r"control.min is '0'; expected a number"),
        (lambda d: _with(d, True, "columns", 0, "control", "max"), r"control.max is True; expected a number"),
        (lambda d: _with(d, None, "columns", 0, "control", "default"), "control.default is None"),
        (lambda d: _with(d, 5, "columns", 0, "control", "unit"), r"control.unit is 5; expected text"),
        (lambda d: _with(d, ["x"], "columns", 0, "control", "choices"), "choices is no list of numbers"),
        (lambda d: _with(d, "x", "columns", 0, "control", "aliases"), "aliases is no list of names"),
        (lambda d: _with(d, "cubic", "columns", 0, "control", "scale"), "scale 'cubic' is none of"),
        (lambda d: _with(d, 9.0, "columns", 0, "control", "default"), r"default 9.0 is outside"),
    ],
)
def test_json_that_is_no_layout(change: Any, message: str) -> None:
    document = json.loads(mixed_layout().to_json())
    change(document)
    with pytest.raises(LayoutError, match=message):
        ParameterLayout.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000])
def test_text_that_is_no_layout(text: str) -> None:
    with pytest.raises(LayoutError, match="JSON"):
        ParameterLayout.from_json(text)


def test_csv_reads_back() -> None:
    layout = ParameterLayout(
        [column("a", 0.1, 0.30000000000000004, description='a "b", c\nd'), *mixed_layout()]
    )
    rows = list(csv.DictReader(io.StringIO(layout.to_csv())))
    assert list(rows[0]) == list(HEADER)
    for i, (row, c) in enumerate(zip(rows, layout, strict=True)):
        assert int(row["index"]) == i
        assert row["name"] == c.name
        assert float(row["min"]) == c.control.min
        assert float(row["max"]) == c.control.max
        assert float(row["default"]) == c.control.default
        assert (float(row["neutral"]) if row["neutral"] else None) == c.control.neutral
        assert row["description"] == c.control.description
    assert layout.to_csv().count("\r") == 0


def test_markdown_is_a_table_with_a_row_per_column() -> None:
    layout = ParameterLayout([column("a|b", id="a", description="one | two\nthree"), *seed_layout()])
    lines = layout.to_markdown().splitlines()
    assert len(lines) == 2 + 55
    assert {line.replace("\\|", "").count("|") for line in lines} == {len(HEADER) + 1}
    assert (
        "| 0 | a\\|b | 0 | 1 | 0.5 |  | ratio | linear | sample | control |  | one \\| two three |" in lines
    )
    assert lines[4].startswith("| 2 | track_a.drums.eq_low | 0 | 2 | 1 | 1 | ratio |")


def test_rows_hold_numbers() -> None:
    row = mixed_layout().to_rows()[2]
    assert row["name"] == "deck.cutoff"
    assert (row["index"], row["min"], row["max"], row["neutral"], row["unit"]) == (
        2,
        20.0,
        20000.0,
        20000.0,
        "Hz",
    )
    assert mixed_layout().to_rows()[6]["neutral"] is None
