"""One column for several controls: each of its positions is one of all of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from effort import examples
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from djgraph.errors import DocumentError
from djgraph.graph import Graph, load
from djgraph.mixer import Mixer
from djgraph.validation import validate

IN_BEATS: dict[str, dict[str, Any]] = {
    "roll": {"controls": {"on": 1}},
    "echo": {"settings": {"sync": "beats"}, "controls": {"mix": 0.5}},
    "tremolo": {"settings": {"sync": "beats"}, "controls": {"depth": 1}},
    "trans": {"controls": {"depth": 1}},
    "stutter": {"controls": {"on": 1}},
}
"""Effects with a control in beats, in a state in which it matters."""


def document(*chain: Any) -> dict[str, Any]:
    strip = {"strip": "s", "input": "mic", "chain": list(chain), "to": "master"}
    mixer = [strip, {"bus": "master"}]
    return {"djgraph": 1, "name": "ties", "inputs": [{"name": "mic"}], "mixer": mixer, "outputs": ["master"]}


def node(effect: str, beats: Any) -> dict[str, Any]:
    given = IN_BEATS[effect]
    return {"effect": effect, **given, "controls": {**given["controls"], "beats": beats}}


def mix(graph: Graph, **columns: float) -> torch.Tensor:
    layout = [columns.get(c.name.rpartition(".")[2], c.control.default) for c in graph.columns]
    generator = torch.Generator().manual_seed(1)
    audio = torch.randn(1, 2, 12000, generator=generator, dtype=torch.float64)
    made = Mixer(graph).double()(
        {"mic": audio}, torch.tensor(layout, dtype=torch.float64)[None, None], tempo=150.0
    )
    assert isinstance(made, torch.Tensor)
    return made


@given(st.lists(st.sampled_from(sorted(IN_BEATS)), min_size=2, max_size=3, unique=True), st.data())
@settings(max_examples=examples(25), deadline=None)
def test_what_an_error_says_to_write_makes_one_knob_of_several(
    effects: list[str], data: st.DataObject
) -> None:
    """Whatever is tied to whatever: the hint is enough, and the mix that of as many knobs as there are controls."""
    first, *others = effects
    beats: dict[str, Any] = {"as": "beats"}
    tied = [node(effect, {"tie": "beats"}) for effect in others]
    try:
        graph = load(document(node(first, beats), *tied))
    except DocumentError as error:
        for problem in error.problems:
            assert "'s.beats' goes from" in problem.message
        hints = {
            (problem.hint or "").partition("in common: ")[2].partition(";")[0] for problem in error.problems
        }
        (words,) = hints
        for word in words.split(", "):
            key, _, number = word.partition(": ")
            beats[key] = float(number)
        graph = load(document(node(first, beats), *tied))
    (column,) = [c for c in graph.columns if c.name == "s.beats"]
    assert len(column.drives) == len(effects)
    value = data.draw(st.sampled_from(column.control.choices))
    plain = [node(effect, {"as": f"beats_{effect}"}) for effect in effects]
    apart = load(document(*plain))
    fits = [c for c in apart.columns if "beats" in c.name]
    assert all(c.control.min <= column.control.min and column.control.max <= c.control.max for c in fits)
    assume(all(value in c.control.choices for c in fits))
    separate = {f"beats_{effect}": value for effect in effects}
    torch.testing.assert_close(mix(graph, beats=value), mix(apart, **separate), rtol=0, atol=1e-12)


def test_the_range_that_all_have_in_common_is_told_with_its_place() -> None:
    text = """\
djgraph: 1
name: x
inputs: [{name: mic}]
mixer:
  - strip: s
    input: mic
    chain:
      - {effect: tremolo, controls: {beats: {as: beats}}}
      - {effect: echo, controls: {beats: {tie: beats}}}
      - {effect: roll, controls: {beats: {tie: beats}}}
    to: master
  - bus: master
outputs: [master]
"""
    with pytest.raises(DocumentError) as caught:
        load(text)
    assert [(p.position.line, p.message) for p in caught.value.problems if p.position] == [
        (9, "'s.beats' goes from 0.125 to 16, and beats only from 0.125 to 4"),
        (10, "'s.beats' goes from 0.125 to 16, and beats only from 0.03125 to 4"),
    ]
    for problem in caught.value.problems:
        assert problem.hint == (
            "say where 's.beats' stands (at <text>:8:45) what all have in common: max: 4; "
            "or a macro can drive both, each through its own curve"
        )


def test_a_default_outside_of_what_is_common_is_told_too() -> None:
    chain = node("tremolo", {"as": "beats", "default": "16 beats"})
    other = node("echo", {"tie": "beats"})
    with pytest.raises(DocumentError) as caught:
        load(document(chain, other))
    (problem,) = caught.value.problems
    assert problem.hint is not None
    words = problem.hint.partition("in common: ")[2].partition(";")[0]
    changes = {key: float(number) for key, number in (one.split(": ") for one in words.split(", "))}
    assert changes == {"max": 4, "default": 4}
    chain["controls"]["beats"] |= changes
    assert load(document(chain, other)).columns


def test_ranges_without_anything_in_common() -> None:
    """A gain from 0 to 1, and an echo's time from 20 ms: there is only a macro."""
    chain = [
        {"effect": "gain", "controls": {"gain": {"as": "knob"}}},
        {"effect": "echo", "controls": {"time": {"tie": "knob"}}},
    ]
    with pytest.raises(DocumentError) as caught:
        load(document(*chain))
    (problem,) = caught.value.problems
    assert problem.hint == "a macro can drive both, each through its own curve"


def test_values_that_a_tied_control_cannot_take_are_a_warning() -> None:
    chain = [node("echo", {"as": "beats"}), node("tremolo", {"tie": "beats"})]
    (warning,) = [one for one in validate(document(*chain)).warnings if "cannot be" in one.message]
    assert warning.message == "tremolo.beats cannot be 0.375, 0.75, 1.5, 3, as 's.beats' can"
    assert warning.path == ("mixer", 0, "chain", 1, "controls", "beats", "tie")
    assert warning.hint == (
        "it takes the nearest value that it can; or let 's.beats' be tied to this one, which then says max: 4"
    )
    other = [node("echo", {"tie": "beats"}), node("tremolo", {"as": "beats", "max": 4})]
    assert not [one for one in validate(document(*other)).warnings if "cannot be" in one.message]
