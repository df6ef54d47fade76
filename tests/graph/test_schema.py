"""The JSON Schema against the loader: both refuse the same, but for a list; and where an editor points."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from effort import few

from djgraph.errors import DocumentError, DocumentPath
from djgraph.graph import load
from djgraph.language import load_document
from djgraph.language.schema import json_schema
from djgraph.language.text import parse
from djgraph.plugins import Registry
from tests.graph.test_all_at_once import MUTATED, mutations, paths, problems
from tests.graph.test_problems import DOCUMENT_CASES, GRAPH_CASES, with_templates
from tests.language.test_model import CASES

MISTAKES = {
    **{name: text for name, (text, _, _) in CASES.items()},
    **{name: text for name, (text, _, _) in GRAPH_CASES.items()},
    **{name: with_templates(text) for name, (text, _, _) in DOCUMENT_CASES.items()},
}
"""Every mistake of the suite that is not one of YAML's."""

BEYOND = {
    "names have to be those of something else in the file": (
        "unknown bus",
        "unknown bus in a list",
        "to a strip",
        "send to nowhere",
        "tap at nowhere",
        "pre-fader without a fader",
        "unknown fader",
        "unknown input",
        "input with stems as a whole",
        "point of an unknown strip",
        "point at an unknown node",
        "unknown output port",
        "unknown output",
        "an input that is not there, by the name of its strip",
        "the same of a strip without nodes",
        "tie to nothing",
        "macro of an unknown control",
        "graph-wide macro of an unknown control",
        "a curve that is not there",
        "a macro that is not there",
        "a pattern that matches nothing",
        "a role of a control that is not there",
        "a role whose pattern matches nothing",
        "a macro that drives nothing",
        "a fault within a repeat of sends",
        "unknown template",
        "template of the other kind",
        "missing argument",
        "unknown argument",
        "unknown reference",
        "for over something unknown",
        "for over the stems of one signal",
    ),
    "names have to differ, however they are written": (
        "two sends to one bus",
        "second output of a name",
        "second strip of a name",
        "second node of a name",
        "second column of a name",
        "second input of a name",
        "one control by two names",
        "keys that become one",
    ),
    "what units and sums come to": (
        "a setting with another unit",
        "a control with another unit",
        "a delay that is no time",
        "a loop of an hour",
        "a loop of many beats",
        "decibels of what is no amplitude",
        "a quantity outside the range",
        "a unit that nobody knows",
        "a sum of text",
        "a sum with something else",
        "a repeat of inputs over inputs",
    ),
    "how signals, controls and templates hang together": (
        "an effect that listens to itself",
        "no input",
        "generator within a chain",
        "generator with an input",
        "before a generator",
        "circle",
        "circle of one",
        "circle through a port",
        "circle of strips without nodes",
        "a send back that closes no loop",
        "a loop without a delay",
        "a loop through an echo that lets something through",
        "macros in a circle",
        "a macro that rests where another puts it",
        "a control with two roles",
        "two faders of one strip",
        "a role of what a macro drives",
        "a role of a macro that a macro drives",
        "a role of a tied control",
        "a role of a constant",
        "stereo into a mono port",
        "stereo into a quad bus",
        "5.1 and quad in one bus",
        "stereo into a quad strip",
        "a quad strip without a chain",
        "a stereo strip without a chain on a mono input",
        "a quad strip that begins with a stereo effect",
        "an output that is not what it says",
        "tie to itself",
        "tie to a control that a macro drives",
        "tie to a control that is tied",
        "tie to a constant",
        "tie to a wider column",
        "macro: driven twice",
        "driven, with value: 1",
        "driven, with tie: m",
        "driven, with default: 0",
        "driven, with neutral: 0",
        "templates in a circle",
    ),
    "one number has to fit another one": (
        "hop too large",
        "empty range",
        "a billion repeats",
        "settings that do not fit together",
        "default outside the narrower range",
        "neutral out of range",
        "macro: x descends",
        "macro: x stays",
        "macro: begins late",
        "macro: ends early",
        "macro: y out of range",
        "macro: macro default",
        "macro: macro range",
        "macro: neutral that is not",
    ),
    "what references stand for": (
        "a lone dollar",
        "a list within a text",
        "wrong type after substitution",
        "not a name after substitution",
        "a default that refers to an argument",
    ),
}
"""What a schema cannot say, and the mistakes of the suite that it lets pass for that."""

DIFFERENCES = {name for names in BEYOND.values() for name in names}


@pytest.fixture(scope="module")
def validator(registry: Registry) -> Any:
    schema = json_schema(registry)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def faults(validator: Any, data: Any) -> list[DocumentPath]:
    """Where the schema finds something wrong."""
    return [tuple(error.absolute_path) for error in validator.iter_errors(data)]


@pytest.mark.parametrize("case", few(MISTAKES, 60))
def test_every_mistake_is_refused_by_both_or_listed(case: str, validator: Any, registry: Registry) -> None:
    text = MISTAKES[case].replace("▸", "")
    found = faults(validator, parse(text).data)
    assert bool(found) != (case in DIFFERENCES)
    # An editor points at the fault, or at what holds it, and nowhere above.
    told = problems(text, registry)[0].path
    if found:
        assert any(place in (told, told[:-1]) for place in found)


def test_the_list_of_differences_is_up_to_date() -> None:
    assert set(MISTAKES) >= DIFFERENCES
    assert len(DIFFERENCES) == sum(map(len, BEYOND.values()))


@pytest.mark.parametrize("name", few([name for name in MUTATED if name.startswith("example")], 4))
def test_the_schema_takes_whatever_the_loader_takes(name: str, validator: Any, registry: Registry) -> None:
    data = load_document(MUTATED[name]).source.data
    taken = 0
    for changed in _mutated(data):
        if not problems(changed, registry):
            assert not faults(validator, changed), changed
            taken += 1
    assert taken > 5


def _mutated(data: Any) -> Iterator[Any]:
    for path in paths(data):
        if path:
            yield from mutations(data, path)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"stirp": "x"}, ("mixer", 0)),
        (
            {"strip": "s", "input": "a", "chain": [{"effect": "gain", "id": "pre"}]},
            ("mixer", 0, "chain", 0, "id"),
        ),
        ({"strip": "s", "input": "a", "chain": ["gian"]}, ("mixer", 0, "chain", 0)),
        ({"strip": "s", "input": "a", "chain": ["duck"]}, ("mixer", 0, "chain", 0)),
        ({"strip": "s", "input": "a", "chain": [{"effect": "duck"}]}, ("mixer", 0, "chain", 0)),
        (
            {"strip": "s", "input": "a", "chain": [{"effect": "duck", "inputs": {"sidechan": "b"}}]},
            ("mixer", 0, "chain", 0, "inputs"),
        ),
        ({"strip": "s", "input": "a", "chain": ["demanding"]}, ("mixer", 0, "chain", 0)),
        (
            {"strip": "s", "input": "a", "chain": [{"effect": "gain", "controls": {"gain": {"max": 3}}}]},
            ("mixer", 0, "chain", 0, "controls", "gain", "max"),
        ),
        (
            {
                "strip": "s",
                "input": "a",
                "chain": [{"effect": "gain", "controls": {"gain": {"tie": "x", "as": "y"}}}],
            },
            ("mixer", 0, "chain", 0, "controls", "gain"),
        ),
        ({"strip": "s", "input": "a", "sends": [{"to": "b", "level": 2}]}, ("mixer", 0, "sends", 0, "level")),
        ({"strip": "s", "input": "a", "to": ["b", "b"]}, ("mixer", 0, "to")),
        ({"for": {"x": [1]}, "do": [{"strip": 3, "input": "a"}]}, ("mixer", 0, "do", 0, "strip")),
        ({"for": {"$x": [1]}, "do": []}, ("mixer", 0, "for")),
        ({"macro": "m", "drives": {"b.x": [[0, 1]]}}, ("mixer", 0, "drives", "b.x")),
        ({"macro": "m", "drives": {}}, ("mixer", 0, "drives")),
        ({"bus": "c", "chain": [{"use": 3}]}, ("mixer", 0, "chain", 0, "use")),
    ],
)
def test_an_editor_points_at_the_fault(
    change: Any, place: DocumentPath, validator: Any, registry: Registry
) -> None:
    document = {
        "djgraph": 1, "name": "x", "inputs": [{"name": "a"}], "mixer": [change, {"bus": "b"}], "outputs": ["b"],
    }  # fmt: skip
    assert set(faults(validator, document)) == {place}
    with pytest.raises(DocumentError):
        load(document, registry=registry)


def test_a_json_file_may_name_its_schema(validator: Any, registry: Registry, tmp_path: Path) -> None:
    data = {
        "$schema": "djgraph.schema.json",
        "djgraph": 1,
        "name": "x",
        "mixer": [{"bus": "b"}],
        "outputs": ["b"],
    }
    assert not faults(validator, data)
    path = tmp_path / "x.json"
    path.write_text(json.dumps(data))
    assert load(path, registry=registry) == load(path, registry=registry)
    assert load_document(path).source.position(("outputs", 0)) is not None
    wrong = copy.deepcopy(data) | {"$schema": 3, "name": 3}
    assert faults(validator, wrong)
    assert {problem.message for problem in problems(wrong, registry)} == {
        "unknown key '$schema'",
        "expected a name, got the number 3",
    }
