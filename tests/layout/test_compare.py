"""Fingerprints, diffs, and tensors moved from one layout to another."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from effort import examples
from fake_layouts import column, layouts, mixed_layout, seed_layout
from hypothesis import given, settings

from djgraph.errors import LayoutError, Position
from djgraph.layout import ParameterLayout


def small(**changes: Any) -> ParameterLayout:
    fields: dict[str, Any] = {"low": 0, "high": 2, "neutral": 1.0, "unit": "ratio", "description": "Low band"}
    return ParameterLayout([column("deck.eq_low", **(fields | changes)), column("deck.gain")])


def test_the_fingerprint_is_the_same_for_ever() -> None:
    assert small().fingerprint == "128de34a3f62233f"
    assert mixed_layout().fingerprint == "87d15e3be13b272e"
    assert ParameterLayout([]).fingerprint == "4f53cda18c2baa0c"


@pytest.mark.parametrize(
    "change",
    [
        {"low": -1},
        {"high": 4},
        {"scale": "db"},
        {"scale": "power"},
        {"unit": "dB"},
        {"step": 0.5},
        {"choices": (0.0, 1.0, 2.0)},
    ],
)
def test_the_fingerprint_sees_what_numbers_mean(change: dict[str, Any]) -> None:
    assert small(**change).fingerprint != small().fingerprint


def test_the_fingerprint_sees_names_order_and_the_exponent_of_a_power_law() -> None:
    layout = small()
    prints = {
        layout.fingerprint,
        ParameterLayout(reversed(layout.columns)).fingerprint,
        ParameterLayout(layout.columns[:1]).fingerprint,
        ParameterLayout(
            [dataclasses.replace(layout.columns[0], name="deck.low"), layout.columns[1]]
        ).fingerprint,
        small(scale="power", exponent=2.0).fingerprint,
        small(scale="power", exponent=3.0).fingerprint,
    }
    assert len(prints) == 6


@pytest.mark.parametrize(
    "change",
    [
        {"label": "Bass"},
        {"description": "The low band"},
        {"default": 0.5},
        {"neutral": None},
        {"aliases": ("low",)},
        {"exponent": 3.0},
        {"smoothing": 5.0},
        {"low": 0.0, "high": 2.0},
        {"low": -0.0},
        {"id": "something_else"},
    ],
)
def test_the_fingerprint_does_not_see_the_rest(change: dict[str, Any]) -> None:
    assert small(**change).fingerprint == small().fingerprint


@given(layouts())
def test_equal_layouts_have_equal_fingerprints_and_no_diff(layout: ParameterLayout) -> None:
    placed = ParameterLayout([dataclasses.replace(c, position=Position("x.yaml", 3, 4)) for c in layout])
    assert placed == layout
    assert placed.fingerprint == layout.fingerprint
    assert layout.diff(placed) == ""


@settings(max_examples=examples(40))
@given(layouts(), layouts())
def test_layouts_differ_in_their_fingerprint_exactly_where_they_have_a_diff(
    a: ParameterLayout, b: ParameterLayout
) -> None:
    assert (a.diff(b) == "") == (a.fingerprint == b.fingerprint)


def test_the_diff_reads_well() -> None:
    old = ParameterLayout(
        [
            column("a.gain"),
            column("a.low", 0, 2),
            column("a.mid"),
            column("a.high"),
            column("a.gone"),
            column("z.end"),
        ]
    )
    new = ParameterLayout(
        [
            column("z.end"),
            column("a.gain", unit="dB"),
            column("a.eq_low", 0, 4, aliases=("low",), step=0.5),
            column("a.mid"),
            column("a.high"),
            column("a.pan"),
        ]
    )
    assert old.diff(new).splitlines() == [
        "removed: a.gone (column 4)",
        "added: a.pan (column 5)",
        "renamed: a.low → a.eq_low",
        "changed: a.gain: unit ratio → dB",
        "changed: a.eq_low: max 2 → 4, step none → 0.5",
        "moved: z.end: column 5 → 0",
        "moved: a.gain … a.high: columns 0…3 → 1…4",
    ]
    assert "renamed: a.eq_low → a.low" in new.diff(old)


def test_remap_moves_by_name_and_fills_in_defaults() -> None:
    old, new = (
        seed_layout(),
        ParameterLayout([*reversed(seed_layout().columns), column("master.gain", default=0.75)]),
    )
    params = torch.rand(2, 5, 54, requires_grad=True)
    moved = new.remap(params, old)
    assert moved.shape == (2, 5, 55)
    for i, name in enumerate(old.names):
        assert torch.equal(moved[..., new.index(name)], params[..., i])
    assert (moved[..., 54] == 0.75).all()
    assert torch.equal(old.remap(moved, new), params)
    moved.sum().backward()
    assert params.grad is not None
    assert (params.grad == 1).all()


def test_remap_follows_renamed_columns_both_ways() -> None:
    old = ParameterLayout([column("deck.low"), column("deck.mid"), column("deck.gone")])
    new = ParameterLayout(
        [
            column("deck.eq_mid", aliases=("mid",)),
            column("deck.new"),
            column("deck.eq_low", aliases=("bass", "low")),
        ]
    )
    params = torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float64)
    moved = new.remap(params, old)
    assert moved.tolist() == [[0.2, 0.5, 0.1]]
    assert moved.dtype == torch.float64
    assert old.remap(moved, new).tolist() == [[0.1, 0.2, 0.5]]


def test_remap_prefers_a_name_to_an_alias_and_uses_no_column_twice() -> None:
    old = ParameterLayout([column("a.x"), column("a.y")])
    new = ParameterLayout(
        [
            column("a.z", aliases=("x",)),
            column("a.x"),
            column("a.w", aliases=("y",)),
            column("a.v", aliases=("y",)),
        ]
    )
    assert new.remap(torch.tensor([[0.1, 0.2]]), old)[0].tolist() == pytest.approx([0.5, 0.1, 0.2, 0.5])


@settings(max_examples=examples(40))
@given(layouts(), layouts())
def test_remap_agrees_with_a_dictionary(old: ParameterLayout, new: ParameterLayout) -> None:
    params = torch.rand(3, len(old), dtype=torch.float64)
    values = dict(zip(old.names, params.T))
    expected = [values.get(c.name, torch.full((3,), c.control.default, dtype=torch.float64)) for c in new]
    assert torch.equal(
        new.remap(params, old), torch.stack(expected, -1) if expected else torch.zeros(3, 0).double()
    )


def test_remap_of_a_tensor_that_is_not_of_the_old_layout() -> None:
    with pytest.raises(LayoutError, match=r"expected a tensor \[..., 54\] in the old layout, got \[3, 9\]"):
        mixed_layout().remap(torch.zeros(3, 9), seed_layout())
