"""What follows what: curves at the control, by name and by pattern, and macros that drive macros.

Each way of writing is held against the plainest one: the graph in which every macro lists what it drives. What macros
in a row do is held against interpolation one curve after the other, by NumPy.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.controls.bank import ControlBank
from djgraph.errors import DocumentError
from djgraph.graph import EffectNode, Graph, MacroCurve, load
from djgraph.graph.controls import composed
from djgraph.mixer import Mixer

LEFT, RIGHT = [[0, 1], [0.5, 1], [1, 0]], [[0, 0], [0.5, 1], [1, 1]]
DECKS = ["a", "b", "c", "d"]


def graph_of(*mixer: Any, **more: Any) -> Graph:
    inputs = [{"name": name} for name in DECKS]
    document = {"djgraph": 1, "name": "test", "inputs": inputs, "mixer": [*mixer, {"bus": "master"}]}
    return load({**document, "outputs": ["master"], **more})


def strip(name: str, *chain: Any, **more: Any) -> dict[str, Any]:
    return {"strip": name, "input": name, "chain": list(chain), "to": "master", **more}


def same(one: Graph, other: Graph) -> bool:
    """Nodes, bindings and columns, but for where they stand in the file."""
    return str(one) == str(other) and [(c.name, c.control, c.kind, c.drives) for c in one.columns] == [
        (c.name, c.control, c.kind, c.drives) for c in other.columns
    ]


def plain() -> Graph:
    drives = {f"{deck}.gain.gain": LEFT if deck in "ac" else RIGHT for deck in DECKS}
    return graph_of(*[strip(deck, "gain") for deck in DECKS], {"macro": "cross", "drives": drives})


def following(curve: Any) -> dict[str, Any]:
    return {"effect": "gain", "controls": {"gain": {"follow": "cross", "curve": curve}}}


def test_controls_follow() -> None:
    strips = [strip(deck, following(LEFT if deck in "ac" else RIGHT)) for deck in DECKS]
    assert same(plain(), graph_of(*strips, {"macro": "cross"}))


def test_curves_by_name_within_a_repeat() -> None:
    curves = {"left": LEFT, "right": RIGHT}
    sides = [("a", "left"), ("b", "right"), ("c", "left"), ("d", "right")]
    strips = [strip(deck, following(side)) for deck, side in sides]
    assert same(plain(), graph_of(*strips, {"macro": "cross"}, curves=curves))


def test_curves_by_name_are_references_too() -> None:
    template = {"args": {"side": None}, "chain": [following("$side")]}
    strips = [
        strip(deck, {"use": "channel", "with": {"side": "left" if deck in "ac" else "right"}})
        for deck in DECKS
    ]
    graph = graph_of(
        *strips, {"macro": "cross"}, curves={"left": LEFT, "right": RIGHT}, templates={"channel": template}
    )
    assert same(plain(), graph)


def test_drives_by_repeats_and_by_names_of_curves() -> None:
    drives = [
        {"for": {"deck": ["a", "c"]}, "do": [{"$deck.gain.gain": "left"}]},
        {"for": {"deck": ["b", "d"]}, "do": [{"$deck.gain.gain": "right"}]},
    ]
    macro = {"macro": "cross", "drives": drives}
    curves = {"left": LEFT, "right": RIGHT}
    assert same(plain(), graph_of(*[strip(deck, "gain") for deck in DECKS], macro, curves=curves))


def test_an_exact_name_goes_before_a_pattern() -> None:
    drives = {"*.gain.gain": RIGHT, "a.gain.gain": LEFT, "c.gain.gain": LEFT}
    assert same(
        plain(), graph_of(*[strip(deck, "gain") for deck in DECKS], {"macro": "cross", "drives": drives})
    )


@pytest.mark.parametrize(
    ("pattern", "driven"),
    [
        ("*.gain.gain", ["a", "b"]),
        ("**.gain", ["a", "b", "c.x"]),
        ("c.*.gain.gain", ["c.x"]),
        ("?.gain.gain", []),
    ],
)
def test_patterns(pattern: str, driven: list[str]) -> None:
    mixer = [{"strip": name, "input": "a", "chain": ["gain"]} for name in ("a", "b", "c.x")]
    macro = {"macro": "m", "drives": {pattern: [[0, 0], [1, 1]]}}
    if not driven:
        with pytest.raises(DocumentError, match="there is no control"):
            graph_of(*mixer, macro)
        return
    graph = graph_of(*mixer, macro)
    assert next(c for c in graph.columns if c.name == "m").drives == tuple(
        (f"{name}.gain", "gain") for name in driven
    )


def test_a_pattern_does_not_mean_its_own_macro() -> None:
    graph = graph_of(
        {"macro": "all", "drives": {"**": [[0, 0], [1, 1]]}}, strip("a", "gain"), strip("b", "gain")
    )
    assert [(c.name, c.drives) for c in graph.columns] == [("all", (("a.gain", "gain"), ("b.gain", "gain")))]


def test_a_macros_pattern_is_its_own_strips_first() -> None:
    own = {"name": "m", "drives": {"*.gain": [[0, 0], [1, 1]]}}
    graph = graph_of(strip("a", "gain", {"effect": "gain", "id": "two"}, macros=[own]), strip("b", "gain"))
    assert {c.name: c.drives for c in graph.columns}["a.m"] == (("a.gain", "gain"), ("a.two", "gain"))


def test_a_level_follows() -> None:
    send = {"to": "master", "level": {"follow": "cross", "curve": LEFT}}
    graph = graph_of({"strip": "s", "input": "a", "sends": [send]}, {"macro": "cross"})
    assert [c.name for c in graph.columns] == ["cross"]
    assert graph.columns[0].drives == (("s.send:master", "gain"),)


def test_without_a_curve_it_goes_straight_over_the_whole_range() -> None:
    narrow = {"effect": "filter", "controls": {"cutoff": {"follow": "m", "min": "100 Hz", "max": "10 kHz"}}}
    graph = graph_of(strip("a", narrow), {"macro": "m", "min": -1})
    node = graph.by_id["a.filter"]
    assert isinstance(node, EffectNode)
    assert node.bindings["cutoff"] == MacroCurve("m", ((-1, 100), (1, 10000)))


def test_points_have_units() -> None:
    macro = {
        "macro": "m",
        "drives": {
            "a.filter.cutoff": [[0, "80 Hz"], [1, "12 kHz"]],
            "a.gain.gain": [[0, "-6 dB"], [1, "0 dB"]],
        },
    }
    graph = graph_of(strip("a", "filter", "gain"), macro)
    assert graph.by_id["a.filter"].bindings["cutoff"].points == ((0, 80), (1, 12000))  # type: ignore[union-attr]
    assert graph.by_id["a.gain"].bindings["gain"].points[0][1] == pytest.approx(10 ** (-6 / 20))  # type: ignore[union-attr]


def test_a_macro_follows_a_macro() -> None:
    """A strip's own knob that the whole graph's turns: it has no column, and its curves come after the other's."""
    down = [[0, 1], [1, 0]]
    knob = {"name": "knob", "drives": {"gain.gain": RIGHT}, "follow": "all", "curve": down}
    knobs = [strip(deck, "gain", macros=[knob]) for deck in DECKS]
    graph = graph_of({"macro": "all"}, *knobs)
    assert [c.name for c in graph.columns] == ["all"]
    assert len(graph.columns[0].drives) == 4
    node = graph.by_id["a.gain"]
    assert isinstance(node, EffectNode)
    assert node.bindings["gain"] == MacroCurve("all", ((0, 1), (0.5, 1), (1, 0)))
    drives = {f"{deck}.knob": down for deck in DECKS}
    own = [strip(deck, "gain", macros=[{"name": "knob", "drives": {"gain.gain": RIGHT}}]) for deck in DECKS]
    assert same(graph, graph_of({"macro": "all", "drives": drives}, *own))
    assert same(graph, graph_of({"macro": "all", "drives": {"*.knob": down}}, *own))


def test_too_many_points_are_refused() -> None:
    """Each macro of a row doubles the points: a small file may not ask for 2^40 of them."""
    zigzag = [[i / 8, i % 2] for i in range(9)]
    row: list[Any] = [{"macro": "m0"}]
    row += [{"macro": f"m{i}", "follow": f"m{i - 1}", "curve": zigzag} for i in range(1, 12)]
    with pytest.raises(DocumentError, match="a curve of more than 1000 points"):
        graph_of(
            *row, strip("a", {"effect": "gain", "controls": {"gain": {"follow": "m11", "curve": zigzag}}})
        )


@st.composite
def curves(draw: st.DrawFn) -> tuple[tuple[float, float], ...]:
    inside = draw(st.lists(st.integers(1, 63), unique=True, max_size=6))
    xs = [0.0, *sorted(x / 64 for x in inside), 1.0]
    ys = draw(st.lists(st.integers(0, 32).map(lambda y: y / 32), min_size=len(xs), max_size=len(xs)))
    return tuple(zip(xs, ys))


@given(curves(), curves(), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_composed_is_one_curve_after_the_other(inner: Any, outer: Any, places: list[float]) -> None:
    result = composed(inner, outer)
    xs = np.array([*places, *(x for x, _ in inner)])
    expected = np.interp(np.interp(xs, *zip(*inner)), *zip(*outer))
    np.testing.assert_allclose(np.interp(xs, *zip(*result)), expected, atol=1e-12)
    assert all(before < after for (before, _), (after, _) in pairwise(result))
    assert (result[0][0], result[-1][0]) == (0, 1)


@given(curves(), curves(), curves())
def test_a_mix_through_macros_in_a_row(first: Any, second: Any, last: Any) -> None:
    """Sound and gradient: those of the gain, set from outside to what NumPy makes of the curves."""
    as_lists = [[list(point) for point in curve] for curve in (first, second, last)]
    chain = {"effect": "gain", "controls": {"gain": {"follow": "inner", "curve": as_lists[2]}}}
    rows = {"macro": "top"}, {"macro": "mid", "follow": "top", "curve": as_lists[0]}
    mixer = Mixer(
        graph_of(*rows, {"macro": "inner", "follow": "mid", "curve": as_lists[1]}, strip("a", chain))
    ).double()
    free = Mixer(graph_of(strip("a", "gain"))).double()
    top = np.linspace(0.013, 0.98, 7)
    gain = np.interp(np.interp(np.interp(top, *zip(*first)), *zip(*second)), *zip(*last))
    audio = {name: torch.ones(1, 2, 600, dtype=torch.float64) for name in DECKS}
    made = mixer(audio, torch.tensor(top).view(1, 7, 1))
    expected = free(audio, torch.tensor(gain).view(1, 7, 1))
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-9)


SWITCHED = ("one", "two", "three")


@st.composite
def driven_macros(draw: st.DrawFn) -> list[tuple[dict[str, Any], int | None, Any]]:
    """Macros m0, m1, … of which each later one is driven by an earlier one, through a curve or by a choice of curves;
    the switch that chooses may be driven, too. Each with its driver and what stands in its ``curve``."""
    row: list[tuple[dict[str, Any], int | None, Any]] = [({"macro": "m0"}, None, None)]
    for index in range(1, draw(st.integers(2, 4))):
        driver = draw(st.integers(0, index - 1))
        if draw(st.booleans()):
            curve: Any = [list(point) for point in draw(curves())]
        else:
            chosen = [[list(point) for point in draw(curves())], draw(st.sampled_from([0, 0.25, 1]))]
            chosen.append([list(point) for point in draw(curves())])
            by = draw(st.sampled_from(["free", "turned"]))
            curve = {"by": by, "choices": dict(zip(SWITCHED, chosen))}
        row.append(({"macro": f"m{index}", "follow": f"m{driver}", "curve": curve}, driver, curve))
    return row


def after(points: Any, then: Any) -> Any:
    """What a curve, or a value that is kept, makes of a number, and then something else of that."""
    if isinstance(points, int | float):
        return lambda x, switches: then(points, switches)
    return lambda x, switches: then(np.interp(x, *zip(*points)), switches)


def followed(row: Any, index: int, then: Any) -> Any:
    """What follows macro ``index``, as a function of m0 and of the positions of switches."""
    _, driver, curve = row[index]
    if driver is None:
        return then
    if not isinstance(curve, dict):
        return followed(row, driver, after(curve, then))
    ways = [followed(row, driver, after(curve["choices"][name], then)) for name in SWITCHED]

    def choose(x: float, switches: Any) -> float:
        weights = [np.interp(switches[curve["by"]], range(3), np.eye(3)[k]) for k in range(3)]
        return float(sum(weight * way(x, switches) for weight, way in zip(weights, ways)))

    return choose


@given(driven_macros(), curves(), st.floats(0, 1), st.floats(0, 2), st.floats(0, 1))
@settings(max_examples=examples(40), deadline=None)
def test_macros_follow_choices_among_curves(
    row: Any, last: Any, turn: float, free: float, knob: float
) -> None:
    """What comes of macros, choices and driven switches in a row is what NumPy makes of them one after the other."""
    points = [list(point) for point in last]
    chain = {"effect": "gain", "controls": {"gain": {"follow": f"m{len(row) - 1}", "curve": points}}}
    graph = graph_of(
        {"switch": "free", "choices": list(SWITCHED)},
        {"switch": "turned", "choices": list(SWITCHED)},
        {"macro": "knob", "drives": {"turned": [[0, 0], [1, 2]]}},
        *(macro for macro, _, _ in row),
        strip("a", chain, {"effect": "gain", "id": "used", "controls": {"gain": {"follow": "knob"}}}),
        {**strip("b"), "switch": {"by": "free", "choices": {name: [] for name in SWITCHED}}},
        strip(
            "d",
            *(
                {"effect": "gain", "id": f"g{i}", "controls": {"gain": {"follow": f"m{i}"}}}
                for i in range(len(row))
            ),
        ),
        {**strip("c"), "switch": {"by": "turned", "choices": {name: [] for name in SWITCHED}}},
    )
    columns = {"m0": turn, "free": free, "knob": knob}
    node = graph.by_id["a.gain"]
    assert isinstance(node, EffectNode)
    binding = node.bindings["gain"]
    terms = ((binding,),) if isinstance(binding, MacroCurve) else binding.terms  # type: ignore[union-attr]
    made = sum(np.prod([np.interp(columns[c.column], *zip(*c.points)) for c in term]) for term in terms)
    # A switch that a macro turns chooses by where that puts it.
    at = {"free": free, "turned": 2 * knob}
    expected = followed(row, len(row) - 1, after(last, lambda x, _: x))(turn, at)
    assert made == pytest.approx(expected, abs=1e-9)
    bank = ControlBank(graph)
    params = torch.tensor([[[columns.get(c.name, 0.0) for c in graph.columns]]], dtype=torch.float64)
    (control,) = node.effect.controls
    assert float(bank.rows(params)[bank.row(node, control)]) == pytest.approx(expected, abs=1e-9)


def test_a_macro_hands_its_choice_on() -> None:
    """A strip's macro that follows a choice is what its controls would be that each follow the choice themselves."""
    switch = {"switch": "assign", "choices": ["a", "thru", "b"]}
    drives = {"gain.gain": [[0, 1], [1, 0]], "eq3.low": [[0, 1], [1, 0.25]]}
    handed = {
        "name": "away",
        "follow": "cross",
        "curve": {"by": "assign", "choices": {"a": LEFT, "thru": 0.5, "b": RIGHT}},
        "drives": drives,
    }

    def own(first: float, last: float) -> Any:
        line = [[0, first], [1, last]]
        made = {
            "a": composed(tuple(map(tuple, LEFT)), tuple(map(tuple, line))),
            "thru": (first + last) / 2,
            "b": composed(tuple(map(tuple, RIGHT)), tuple(map(tuple, line))),
        }
        choices = {
            key: [list(point) for point in one] if isinstance(one, tuple) else one
            for key, one in made.items()
        }
        return {"follow": "cross", "curve": {"by": "assign", "choices": choices}}

    plain = [
        {"effect": "gain", "controls": {"gain": own(1, 0)}},
        {"effect": "eq3", "controls": {"low": own(1, 0.25)}},
    ]
    one = graph_of({"macro": "cross"}, strip("a", "gain", "eq3", macros=[switch, handed]))
    assert same(one, graph_of({"macro": "cross"}, strip("a", *plain, macros=[switch])))


def test_a_driven_macros_choice_is_by_its_own_strips_switch() -> None:
    """A macro of the whole graph drives those of strips, each by the switch of its own strip."""
    choice = {"by": "assign", "choices": {"a": LEFT, "b": RIGHT}}
    own = [
        {"switch": "assign", "choices": ["a", "b"]},
        {"name": "away", "drives": {"gain.gain": [[0, 0], [1, 1]]}},
    ]
    strips = [strip(deck, "gain", macros=own) for deck in ("a", "b")]
    graph = graph_of({"macro": "cross", "drives": {"*.away": choice}}, *strips)
    assert {c.name: [node for node, _ in c.drives] for c in graph.columns} == {
        "cross": ["a.gain", "b.gain"],
        "a.assign": ["a.gain"],
        "b.assign": ["b.gain"],
    }


def test_circles_through_switches_are_refused() -> None:
    """A macro that turns the switch by which it chooses its own curve."""
    choice = {"by": "assign", "choices": {"a": LEFT, "b": RIGHT}}
    mixer = [
        {"macro": "cross"},
        {"switch": "assign", "choices": ["a", "b"]},
        {"macro": "away", "follow": "cross", "curve": choice, "drives": {"assign": [[0, 0], [1, 1]]}},
        strip("a", {"effect": "gain", "controls": {"gain": {"follow": "away"}}}),
    ]
    with pytest.raises(
        DocumentError, match=r"in a circle: (away → assign → away|assign → away → assign)"
    ) as caught:
        graph_of(*mixer)
    assert len(caught.value.problems) == 1


def test_too_many_choices_in_a_row_are_refused() -> None:
    """Each of a row has four times the curves of the one before: a small file may not ask for 4^40 of them."""
    choice = {"by": "s", "choices": {"a": LEFT, "b": RIGHT, "c": 0, "d": 1}}
    row: list[Any] = [{"switch": "s", "choices": ["a", "b", "c", "d"]}, {"macro": "m0"}]
    row += [{"macro": f"m{i}", "follow": f"m{i - 1}", "curve": choice} for i in range(1, 40)]
    last = {"effect": "gain", "controls": {"gain": {"follow": "m39"}}}
    with pytest.raises(DocumentError, match="more than 1000 curves at once") as caught:
        graph_of(*row, strip("a", last))
    assert caught.value.problems[0].path == ("mixer", 6, "curve")


@pytest.mark.parametrize("path", [("macros", 1, "curve", "choices", "a"), ("macros", 1, "curve", "by")])
def test_what_is_wrong_with_a_macros_choice_is_told_at_its_place(path: Any) -> None:
    """Once, however much the macro drives."""
    choice: dict[str, Any] = {"by": "assign", "choices": {"a": LEFT, "b": RIGHT}}
    if path[-1] == "by":
        choice["by"] = "asign"
    else:
        choice["choices"]["a"] = [[0, 0], [1, 2]]
    macros = [
        {"switch": "assign", "choices": ["a", "b"]},
        {
            "name": "away",
            "follow": "cross",
            "curve": choice,
            "drives": {"gain.gain": RIGHT, "eq3.low": RIGHT},
        },
    ]
    with pytest.raises(DocumentError) as caught:
        graph_of({"macro": "cross"}, strip("a", "gain", "eq3", macros=macros))
    (problem,) = caught.value.problems
    assert problem.path[2 : 2 + len(path)] == path
