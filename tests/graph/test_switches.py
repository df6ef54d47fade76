"""Switches among chains, buses and curves; mute and solo.

What a switch lets through is held against graphs without it, whose mixes are weighted and added by hand: triangles
around each position, as NumPy interpolates them.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from djgraph.errors import DocumentError
from djgraph.graph import Graph, load
from djgraph.language import limits
from djgraph.layout import ParameterLayout
from djgraph.mixer import Mixer
from djgraph.runtime.reference import Reference
from djgraph.validation import validate

SAMPLES = 3000


def graph_of(*mixer: Any, outputs: Any = ("master",), **more: Any) -> Graph:
    inputs = [{"name": "mic"}, {"name": "deck"}]
    document = {"djgraph": 1, "name": "test", "inputs": inputs, "mixer": [*mixer, {"bus": "master"}]}
    return load({**document, "outputs": list(outputs), **more})


def strip(chain: Any = (), **more: Any) -> dict[str, Any]:
    return {"strip": "s", "input": "mic", "chain": list(chain), "to": "master", **more}


def audio(channels: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        name: torch.randn(1, channels, SAMPLES, generator=generator, dtype=torch.float64)
        for name in ("mic", "deck")
    }


def mix(graph: Graph, **columns: Any) -> Tensor:
    """The main output with these columns at these values over time, and all others at rest."""
    frames = max([len(np.atleast_1d(value)) for value in columns.values()], default=1)
    params = torch.tensor([c.control.default for c in graph.columns], dtype=torch.float64)
    params = params.repeat(1, frames, 1)
    names = [c.name.replace(".", "_") for c in graph.columns]
    for name, value in columns.items():
        params[0, :, names.index(name)] = torch.as_tensor(value, dtype=torch.float64)
    made = Mixer(graph).double()(audio(), params)
    assert isinstance(made, Tensor)
    return made


def weights(position: float, count: int) -> list[float]:
    return [float(np.interp(position, range(count), np.eye(count)[k])) for k in range(count)]


CHOICES: dict[str, list[Any]] = {
    "none": [],
    "loud": [{"effect": "saturate", "controls": {"drive": "12 dB", "mix": 1}}],
    "dark": [{"effect": "filter", "controls": {"cutoff": "500 Hz", "mix": 1}}, "crush"],
}


@pytest.mark.parametrize("position", [0, 1, 2, 0.25, 1.5])
def test_a_choice_among_chains(position: float) -> None:
    """The signal goes into the chosen chain: each chain hears its share of it."""
    graph = graph_of(strip([{"switch": "fx", "choices": CHOICES}]))
    expected = torch.zeros(1, 2, SAMPLES, dtype=torch.float64)
    for share, chain in zip(weights(position, 3), CHOICES.values()):
        share_of = {"effect": "gain", "id": "share", "controls": {"gain": share}}
        expected += mix(graph_of(strip([share_of, *chain])))
    torch.testing.assert_close(mix(graph, s_fx=position), expected, rtol=0, atol=1e-9)


def test_a_tail_rings_out() -> None:
    """What is in an echo's loop is heard when the switch has moved on."""
    chains = {
        "none": [],
        "echo": [{"effect": "delay", "settings": {"time": "20 ms"}, "controls": {"mix": 1}}],
    }
    graph = graph_of(strip([{"switch": "fx", "choices": chains}]))
    position = np.repeat([1.0, 0.0], 50)
    heard = mix(graph, s_fx=position) - audio()["mic"] * (
        1 - torch.tensor(np.interp(np.arange(SAMPLES) / (SAMPLES - 1) * 99, range(100), position))
    )
    assert heard[..., 2000:2300].abs().max() > 0.5


def test_columns_and_names() -> None:
    """After the controls of the chain and the sends: mute, solo, switches, macros."""
    fx = {"switch": "fx", "choices": CHOICES, "default": "dark", "label": "Effect"}
    sends = [
        {"to": "master", "name": "aux"},
        {"name": "unit", "switch": {"name": "which", "choices": {"a": "master", "b": []}}},
    ]
    macros = [
        {"name": "m", "drives": {"which": [[0, 0], [1, 1]]}},
        {"switch": "shape", "choices": ["soft", "hard", "kept"]},
    ]
    mixer = (
        {"macro": "fade"},
        strip([fx, following("shape")], mute=True, solo=True, sends=sends, macros=macros),
    )
    columns = {c.name: c for c in graph_of(*mixer).columns if c.kind != "control"}
    assert list(columns) == [
        "fade", "s.aux_send", "s.unit_send", "s.mute", "s.solo", "s.fx", "s.m", "s.shape"
    ]  # fmt: skip
    assert [c.kind for c in columns.values()] == ["macro", "send", "send", *["switch"] * 3, "macro", "switch"]
    control = columns["s.fx"].control
    assert (control.names, control.max, control.default, control.label) == (tuple(CHOICES), 2, 2, "Effect")
    layout = ParameterLayout(tuple(columns.values()))
    assert [c.control for c in ParameterLayout.from_json(layout.to_json()).columns] == [
        c.control for c in layout.columns
    ]


def following(switch: str) -> dict[str, Any]:
    curve = {"by": switch, "choices": {"soft": [[0, 0], [1, 1]], "hard": [[0, 1], [1, 0]], "kept": "-6 dB"}}
    return {"effect": "gain", "controls": {"gain": {"follow": "fade", "curve": curve}}}


@given(st.floats(0, 2), st.floats(0, 1))
@settings(max_examples=20)
def test_a_choice_among_curves(position: float, fade: float) -> None:
    switch = {"switch": "shape", "choices": ["soft", "hard", "kept"]}
    graph = graph_of({"macro": "fade"}, switch, strip([following("shape")]))
    soft, hard, kept = weights(position, 3)
    gain = soft * fade + hard * (1 - fade) + kept * 10 ** (-6 / 20)
    torch.testing.assert_close(
        mix(graph, fade=fade, shape=position), audio()["mic"] * gain, rtol=0, atol=1e-9
    )


def test_curves_are_chosen_by_a_strips_own_switch_first() -> None:
    own = {"switch": "shape", "choices": ["kept", "hard", "soft"], "default": "hard"}
    graph = graph_of(
        {"macro": "fade"},
        {"switch": "shape", "choices": ["soft", "hard", "kept"]},
        strip([following("shape")], macros=[own]),
        {"strip": "t", "input": "deck", "chain": [following("shape")]},
    )
    assert {c.name: c.drives for c in graph.columns} == {
        "fade": (("s.gain", "gain"), ("t.gain", "gain")),
        "shape": (("t.gain", "gain"),),
        "s.shape": (("s.gain", "gain"),),
    }


@pytest.mark.parametrize("position", [0, 1, 2, 0.5, 1.75])
def test_a_choice_among_buses(position: float) -> None:
    """A strip's end, and a send, go where their switch says; what has no bus is silence."""
    way = {"name": "assign", "choices": {"a": "left", "thru": ["left", "right"], "off": []}}
    buses = [{"bus": "left"}, {"bus": "right"}]
    plain = strip(switch=way) | {"to": []}
    sent = strip(sends=[{"name": "unit", "level": 1, "switch": {**way, "name": "assign"}}]) | {"to": []}
    first, thru, _ = weights(position, 3)
    for item in (plain, sent):
        for output, share in (("left", first + thru), ("right", thru)):
            graph = graph_of(item, *buses, outputs=[output])
            made = mix(graph, s_assign=position)
            torch.testing.assert_close(made, audio()["mic"] * share, rtol=0, atol=1e-9)


def test_two_choices_by_one_switch() -> None:
    chain = [
        {"by": "mode", "choices": {"off": [], "on": ["crush"]}},
        {"by": "mode", "id": "second", "choices": {"off": [], "on": ["saturate"]}},
    ]
    graph = graph_of({"switch": "mode", "choices": ["off", "on"]}, strip(chain))
    assert [drive[0] for drive in graph.columns[0].drives] == [
        "s.mode:off",
        "s.mode:on",
        "s.second:off",
        "s.second:on",
    ]
    assert str(graph.by_id["sum:s.second"]).count("Point") == 2


def test_points_and_taps_at_a_switch() -> None:
    chain = [
        "gain",
        {"switch": "fx", "choices": {"off": [], "on": ["crush"]}},
        {"effect": "gain", "id": "fader"},
    ]
    sends = [{"to": "cue", "tap": "pre"}, {"to": "cue", "name": "inside", "tap": "crush"}]
    graph = graph_of(
        strip(chain, sends=sends), {"bus": "cue"}, outputs=["master", {"name": "after", "from": "s@fx"}]
    )
    assert graph.outputs["after"].node == "sum:s.fx"
    assert graph.by_id["s.send:cue"].sources["in"].node == "sum:s.fx"  # type: ignore[union-attr]
    assert graph.by_id["s.send:inside"].sources["in"].node == "s.crush"  # type: ignore[union-attr]
    assert graph.by_id["s.fader"].sources["in"].node == "sum:s.fx"  # type: ignore[union-attr]


def decks(**more: Any) -> Graph:
    return graph_of(
        *({"strip": name, "input": name, "mute": True, "to": "master", **more} for name in ("mic", "deck")),
        {"strip": "third", "input": "deck", "to": "master"},
    )


@pytest.mark.parametrize(("mutes", "solos"), list(product(product((0, 1), repeat=2), repeat=2)))
def test_mute_and_solo(mutes: tuple[int, int], solos: tuple[int, int]) -> None:
    """As a console's logic: muted is silent; where any is soloed, those are heard that are. The third takes no part."""
    columns = {"mic_mute": mutes[0], "deck_mute": mutes[1], "mic_solo": solos[0], "deck_solo": solos[1]}
    made = mix(decks(solo=True), **columns)
    x = audio()
    expected = x["deck"].clone()
    for name, mute, solo in zip(("mic", "deck"), mutes, solos):
        expected += x[name] * float(not mute and (not any(solos) or solo))
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-12)


def test_groups_of_solo() -> None:
    graph = graph_of(
        *(
            {"strip": f"{group}{n}", "input": "mic", "solo": group, "to": "master"}
            for group in "ab"
            for n in (1, 2)
        )
    )
    torch.testing.assert_close(mix(graph, a1_solo=1), audio()["mic"] * 3, rtol=0, atol=1e-12)
    torch.testing.assert_close(mix(graph, a1_solo=1, b1_solo=1), audio()["mic"] * 2, rtol=0, atol=1e-12)


def test_very_many_solos_are_refused() -> None:
    many = [{"strip": f"s{n}", "input": "mic", "solo": True} for n in range(limits.SOLOS + 1)]
    with pytest.raises(DocumentError, match="more than 128 strips and buses solo in one group") as caught:
        graph_of(*many)
    assert len(caught.value.problems) == 1


def test_a_macro_mutes_a_group() -> None:
    graph = graph_of(
        *({"strip": name, "input": name, "mute": True, "to": "master"} for name in ("mic", "deck")),
        {"macro": "kill", "drives": {"*.mute": [[0, 0], [1, 1]]}},
    )
    assert [c.name for c in graph.columns] == ["kill"]
    assert mix(graph, kill=1).abs().max() == 0


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_random_uses_are_what_the_reference_says(data: st.DataObject) -> None:
    """Sound and gradients, with switches that move, whole clip."""
    effects = ["gain", "eq3", "lowpass", "crush", "trim", {"effect": "tilt"}]
    chain = st.lists(st.sampled_from(effects), max_size=2, unique_by=str)
    count = data.draw(st.integers(2, 4))
    names = [f"c{k}" for k in range(count)]
    nodes: list[Any] = []
    choices: dict[str, Any] = {}
    for name in names:
        drawn = [{"effect": one} if isinstance(one, str) else one for one in data.draw(chain)]
        choices[name] = [{**one, "id": f"{name}_{one['effect']}"} for one in drawn]
    nodes.append({"switch": "fx", "choices": choices})
    flags = {key: data.draw(st.booleans()) for key in ("mute", "solo")}
    way = {"name": "out", "choices": {"main": "master", "side": ["side", "master"]}}
    graph = graph_of(
        strip(nodes, switch=way, **flags) | {"to": []}, {"bus": "side", "chain": ["eq3"], "to": "master"}
    )
    seed = data.draw(st.integers(0, 1000))
    generator = torch.Generator().manual_seed(seed)
    low = torch.tensor([c.control.min for c in graph.columns], dtype=torch.float64)
    high = torch.tensor([c.control.max for c in graph.columns], dtype=torch.float64)
    params = low + (high - low) * torch.rand(1, 5, len(low), generator=generator, dtype=torch.float64)
    mixer, reference = Mixer(graph).double(), Reference(graph).double()
    results = []
    for model in (mixer, reference):
        leaf = params.clone().requires_grad_()
        made = model(audio(), leaf)
        assert isinstance(made, Tensor)
        (gradient,) = torch.autograd.grad(made.square().sum(), leaf)
        results.append((made.detach(), gradient))
    (made, gradient), (expected, wanted) = results
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(gradient, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (strip([{"switch": "fx", "choices": {"a": []}}]), "a switch has 2 to 64 choices, got 1"),
        (strip([{"choices": {"a": [], "b": []}}]), "a choice has either `switch`"),
        (strip([{"switch": "x", "by": "y", "choices": {"a": [], "b": []}}]), "has either `switch`"),
        (strip([{"by": "y", "choices": {"a": [], "b": []}}]), "there is no switch 'y'"),
        (strip([{"switch": "x", "default": "c", "choices": {"a": [], "b": []}}]), "there is no choice 'c'"),
        (strip(macros=[{"switch": "x", "choices": ["a", "b"]}]), "switch 's.x' chooses nothing"),
        (strip(macros=[{"switch": "x", "choices": ["a", "a"]}]), "a second choice is called 'a'"),
        (strip(switch={"name": "x", "choices": {"a": "master", "b": "mastr"}}), "there is no bus 'mastr'"),
        (strip(sends=[{"name": "u"}]), "missing key 'to'"),
        (strip(sends=[{"switch": {"name": "x", "choices": {"a": "master", "b": []}}}]), "needs a `name`"),
        (strip(solo=3), "expected true, false or the name of a group"),
        (strip(mute="yes"), "expected true or false"),
    ],
)
def test_what_is_wrong(item: dict[str, Any], message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        graph_of(item)


def test_choices_that_differ_from_the_switches() -> None:
    switch = {"switch": "mode", "choices": ["off", "on"]}
    with pytest.raises(DocumentError, match=r"switch 'mode' has the choices off, on"):
        graph_of(switch, strip([{"by": "mode", "choices": {"off": [], "onn": []}}]))


def test_a_macro_is_no_switch() -> None:
    with pytest.raises(DocumentError, match="'m' is a macro, and no switch"):
        graph_of(
            {"macro": "m", "drives": {"s.gain.gain": [[0, 0], [1, 1]]}},
            strip(["gain", {"by": "m", "choices": {"a": [], "b": []}}]),
        )


def alike(one: Graph, other: Graph) -> bool:
    """Nodes, bindings and columns, but for where they stand in the file."""
    return str(one) == str(other) and [(c.name, c.control, c.kind, c.drives) for c in one.columns] == [
        (c.name, c.control, c.kind, c.drives) for c in other.columns
    ]


def repeated(names: list[int], do: Any) -> dict[str, Any]:
    return {"for": {"n": names}, "do": [do]}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True), st.booleans())
@settings(max_examples=examples(20), deadline=None)
def test_choices_made_by_repeats_are_those_written_out(numbers: list[int], first: bool) -> None:
    """Of all kinds, with references in their names: the graph in which each stands by itself."""

    def both(of: Any, rest: dict[str, Any]) -> tuple[Any, Any]:
        """Pieces with a repeat, and one mapping; ``of`` a number or the reference."""
        pieces = [rest, repeated(numbers, of("$n"))]
        made: dict[str, Any] = {}
        for piece in [rest, *map(of, numbers)] if first else [*map(of, numbers), rest]:
            made |= piece
        return (pieces if first else pieces[::-1]), made

    chains = both(lambda n: {f"c{n}": [{"effect": "crush", "id": f"crush{n}"}]}, {"none": []})
    buses = both(lambda n: {f"b{n}": f"b{n}"}, {"all": ["master", "b"]})
    curves = both(lambda n: {f"k{n}": [[0, 0], [1, 1]]}, {"kept": "-6 dB"})
    names = both(lambda n: {f"k{n}": 0}, {"kept": 0})
    listed = ["kept", repeated(numbers, "k$n")] if first else [repeated(numbers, "k$n"), "kept"]

    def graph(which: int) -> Graph:
        gain = {"follow": "fade", "curve": {"by": "shape", "choices": curves[which]}}
        return graph_of(
            {"macro": "fade"},
            {"switch": "shape", "choices": list(names[1]) if which else listed},
            strip(
                [{"switch": "fx", "choices": chains[which]}, {"effect": "gain", "controls": {"gain": gain}}],
                switch={"name": "way", "choices": buses[which]},
                sends=[{"name": "unit", "switch": {"name": "unit", "choices": buses[which]}}],
            ),
            *({"bus": f"b{n}", "to": "master"} for n in numbers),
            {"bus": "b", "to": "master"},
        )

    assert alike(graph(0), graph(1))


def test_names_of_choices_are_references_in_templates_and_repeats() -> None:
    template = {
        "args": {"unit": None, "n": 0},
        "chain": [
            {"switch": "fx", "choices": {"none": [], "$unit": ["crush"], "$(unit)_$(n + 1)": ["tilt"]}}
        ],
    }
    use = {"use": "unit", "with": {"unit": "dirt", "n": "$n"}}
    graph = graph_of(
        {"for": {"n": [1, 2]}, "do": [{**strip([use]), "strip": "s$n"}]}, templates={"unit": template}
    )
    names = {c.name: c.control.names for c in graph.columns if c.kind == "switch"}
    assert names == {"s1.fx": ("none", "dirt", "dirt_2"), "s2.fx": ("none", "dirt", "dirt_3")}


PIECES = """\
djgraph: 1
name: x
inputs: [{name: mic}]
mixer:
  - {macro: m, drives: {s.gain.gain: {by: w, choices: [{a0: 1}, {for: {n: [1, 2]}, do: [{a$n: [[0, 0], [1, 2]]}]}]}}}
  - {switch: w, choices: [a0, {for: {n: [1, 2]}, do: [a$n]}, a1]}
  - strip: s
    input: mic
    chain: [gain, {switch: fx, choices: [{none: []}, {for: {n: [1, 2]}, do: [{c$n: [gian]}, {c2: []}, {$n: []}]}]}]
    switch: {name: way, choices: [{for: {n: [1]}, do: [{b$n: mastr}]}, {B: master}]}
    sends: [{name: u, switch: {name: u, choices: [{for: {n: [1, 2]}, do: [{u$n: mastr}]}]}}]
    to: master
  - {strip: t, input: mic, chain: [{switch: fx, choices: [{for: {n: [1]}, do: [{c$n: []}]}]}], to: master}
  - {strip: u, input: mic, chain: [{switch: fx, choices: [{a: []}, {b: []}, {a: [], b: []}]}], to: master}
  - bus: master
outputs: [master]
"""


def test_what_is_wrong_with_choices_in_pieces_is_told_at_its_place() -> None:
    with pytest.raises(DocumentError) as caught:
        load(PIECES)
    told = [
        (
            problem.position.line,
            problem.position.column,
            problem.message,
            (problem.hint or "").split("; ")[-1],
        )
        for problem in caught.value.problems
        if problem.position is not None
    ]
    lines = PIECES.split("\n")
    for line, column, message, _ in told:
        assert lines[line - 1][column - 1] not in " ", (line, column, message)
    assert [(line, message, last) for line, _, message, last in told] == [
        (5, "2 is outside the range of gain, 0 … 1", "in 2 of 2: n = 1, 2"),
        (6, "a second choice is called 'a1'", ""),
        (9, "a second choice is called 'c2'", "here n = 2"),
        (9, "there is no effect 'gian'", "in 2 of 2: n = 2, 1"),
        (9, "a second choice is called 'c2'", "here n = 2"),
        (9, "'1' is not a name", "in 2 of 2: n = 1, 2"),
        (10, "'B' is not a name", "a lower-case letter, then lower-case letters, digits and underscores"),
        (11, "there is no bus 'mastr'", "in 2 of 2: n = 1, 2"),
        (13, "a switch has 2 to 64 choices, got 1", ""),
        (14, "a second choice is called 'a'", ""),
        (14, "a second choice is called 'b'", ""),
    ]


def _unused(chain: Any) -> dict[str, Any]:
    """A sound document with a template that nothing uses."""
    return {
        "djgraph": 1,
        "name": "unused",
        "inputs": [{"name": "deck"}],
        "templates": {"y": {"args": {"n": None}, "chain": chain}},
        "mixer": [{"strip": "a", "input": "deck", "chain": ["gain"], "to": "master"}, {"bus": "master"}],
        "outputs": ["master"],
    }


@pytest.mark.parametrize(
    "choices",
    [
        {"$n": ["gain"], "none": []},
        [{"none": []}, {"for": {"i": "$n"}, "do": [{"$i": ["gain"]}]}],
    ],
)
def test_choices_that_nobody_knows_yet_are_not_counted(choices: Any) -> None:
    validate(_unused([{"switch": "k", "choices": choices}]))


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ([{"none": []}, {"for": {"n": "inptus"}, "do": [{"$n": ["gain"]}]}], ["inptus"]),
        ({"none": [], "x_$q": ["gain"]}, ["q"]),
        ({"none": []}, ["2 to 64 choices"]),
    ],
)
def test_what_is_wrong_with_choices_is_told_alone(choices: Any, said: list[str]) -> None:
    document = _unused(["gain"])
    document["mixer"][0]["chain"] = [{"switch": "k", "choices": choices}]
    with pytest.raises(DocumentError) as caught:
        validate(document)
    told = [problem.message for problem in caught.value.problems]
    assert len(told) == len(said)
    assert all(word in message for word, message in zip(said, told)), told
