"""One mistake hides no other, and makes up none: what is sound of a wrong document is checked in the same run."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from effort import examples, few
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.errors import DocumentError, DocumentPath, Problem
from djgraph.graph import load
from djgraph.language import load_document
from djgraph.language.load import known
from djgraph.plugins import Registry
from tests.graph.test_language_page import EXAMPLES
from tests.graph.test_problems import GRAPH_CASES, HEAD
from tests.language.test_model import CASES

FOLDER = Path(__file__).parent.parent.parent / "graphs"
MUTATED = {
    **{f"example {number}": text for number, text in enumerate(EXAMPLES.values())},
    "podcast_ducker": (FOLDER / "podcast_ducker.yaml").read_text(),
}


def problems(source: Any, registry: Registry, **args: Any) -> list[Problem]:
    """What ``load`` finds wrong."""
    try:
        load(source, registry=registry, **args)
    except DocumentError as error:
        return list(error.problems)
    return []


def text_problems(source: Any) -> list[Problem]:
    """What is wrong with a document by itself, whatever effects there are."""
    try:
        load_document(source)
    except DocumentError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize("case", CASES)
def test_all_mistakes_of_the_text_are_told(case: str, registry: Registry) -> None:
    text = CASES[case][0].replace("▸", "")
    alone = text_problems(text)
    assert [problem for problem in problems(text, registry) if problem in alone] == alone


def paths(value: Any, path: DocumentPath = ()) -> Iterator[DocumentPath]:
    """All places of a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, item in items:
        yield from paths(item, (*path, part))


def at(data: Any, path: DocumentPath) -> Any:
    for part in path:
        data = data[part]
    return data


def mutations(data: Any, path: DocumentPath) -> Iterator[Any]:
    """The document with one thing wrong at a place."""
    for value in (7, "§", [], {}, None, [[1]], {"zzz": 1}):
        changed = copy.deepcopy(data)
        at(changed, path[:-1])[path[-1]] = value
        yield changed
    changed = copy.deepcopy(data)
    del at(changed, path[:-1])[path[-1]]
    yield changed
    if isinstance(at(data, path), dict):
        changed = copy.deepcopy(data)
        at(changed, path)["zzz"] = {"strip": 3}
        yield changed


@pytest.mark.parametrize(
    "name", [*few(list(MUTATED)[:-1], 3), pytest.param("podcast_ducker", marks=pytest.mark.slow)]
)
def test_one_mutation_of_the_text_makes_up_no_other_problem(name: str, registry: Registry) -> None:
    data = load_document(MUTATED[name]).source.data
    refused = 0
    for path in paths(data):
        if not path:
            continue
        for changed in mutations(data, path):
            alone = text_problems(changed)
            if alone:
                refused += 1
                assert problems(changed, registry) == alone, (path, at(changed, path[:-1]))
    assert refused > 50


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_several_mutations_are_told_by_their_places_in_the_document(
    registry: Registry, data: st.DataObject
) -> None:
    """Whatever is wrong: one kind of error, all of the text's problems in it, and paths that the document has."""
    changed = load_document(data.draw(st.sampled_from([*EXAMPLES.values()]))).source.data
    for _ in range(data.draw(st.integers(2, 4))):
        path = data.draw(st.sampled_from([path for path in paths(changed) if path]))
        changed = data.draw(st.sampled_from([*mutations(changed, path)]))
        if not any(paths(changed)):
            return
    found = problems(changed, registry)
    assert [problem for problem in found if problem in text_problems(changed)] == text_problems(changed)
    for problem in found:
        assert at(changed, problem.path) is not at


BOTH = """\
djgraph: 1
name: both
ouputs: [mastr]
inputs: [{name: a}, {name: b, chanels: mono}]
templates:
  fine: {args: {x: null}, chain: [{effect: gain, controls: {gian: $x}}]}
mixer:
  - {strip: Drums, input: a}
  - {strip: s, inptu: a, chain: [gian, {effect: eq3, setings: {lo: 3}}], to: mastr}
  - {strip: t, input: c, chain: [{use: fin}], sends: [{to: fx, levl: 2}, {to: gone}]}
  - {strip: u, input: b, chain: [{use: fine, with: {x: 1}}, {effect: gain, id: 3}], to: [master, gone]}
  - {macro: m, drives: {s.eq3.low: [[0, 0], [1]], t.eq3.lo: [[0, 0], [1, 1]]}}
  - {bus: master}
  - {bus: fx, qqq: 1}
"""


def test_mistakes_of_all_kinds_are_told_at_once_in_file_order(registry: Registry) -> None:
    found = problems(BOTH, registry)
    assert [(p.position.line, p.message) for p in found if p.position] == [
        (3, "unknown key 'ouputs'"),
        (3, "there is no signal called 'mastr'"),
        (4, "unknown key 'chanels'"),
        (6, "gain has no control 'gian'"),
        (8, "expected a name, got text 'Drums'"),
        (9, "unknown key 'inptu'"),
        (9, "there is no effect 'gian'"),
        (9, "unknown key 'setings'"),
        (9, "eq3 has no setting 'lo'"),
        (9, "there is no bus 'mastr'"),
        (10, "there is no signal called 'c'"),
        (10, "there is no template 'fin'"),
        (10, "unknown key 'levl'"),
        (10, "2 is outside the range of gain, 0 … 1"),
        (10, "there is no bus 'gone'"),
        (11, "expected a name, got the number 3"),
        (11, "there is no bus 'gone'"),
        (12, "expected a point [x, y], got a list of 1"),
        (14, "unknown key 'qqq'"),
    ]
    data = load_document_data(BOTH)
    for problem in found:
        assert known(data, problem.path) == problem.path
        assert data.position(problem.path, key=True) or problem.position


def load_document_data(text: str) -> Any:
    """The data and positions of a text, whatever is wrong with it."""
    from djgraph.language.text import parse

    return parse(text)


@pytest.mark.parametrize("case", GRAPH_CASES)
def test_an_unknown_key_hides_no_mistake_of_the_mixer(
    case: str, registry: Registry, marked: Callable[[str], tuple[str, int, int]]
) -> None:
    """Whatever is wrong with a mixer is told together with an unknown key above it, at the same place."""
    text, line, column = marked(GRAPH_CASES[case][0])
    assert text.startswith(HEAD)
    found = problems("zzz: {strip: 3}\n" + text, registry)
    alone = problems(text, registry)
    if any(
        words in alone[0].message
        for words in (
            "goes round",
            "in this loop",
            "closes no loop",
            "drives nothing",
            "channel counts",
            "takes mono",
            "takes stereo",
            "is quad, and",
            "is mono, and",
            "is stereo, and",
            "is 5.1, and",
        )
    ):
        assert len(found) == 1  # these are found only where all names and effects are
        return
    first, second = found
    assert first.message == "unknown key 'zzz'"
    moved = re.sub(r"(?<=<text>:)\d+", lambda match: str(int(match[0]) - 1), second.message)
    assert moved == alone[0].message
    assert second.position is not None
    assert (second.position.line, second.position.column) == (line + 1, column)


def test_a_misspelt_key_stands_for_the_one_that_was_meant(registry: Registry) -> None:
    text = """\
djgraph: 1
name: x
inputs: [{name: a}]
mixer: [{strip: s, inptu: a, chain: [gain], to: master}, {bsu: master}]
outputs: [master]
"""
    assert [problem.message for problem in problems(text, registry)] == [
        "unknown key 'inptu'",
        "unknown key 'bsu'",
    ]


def test_what_does_not_fit_the_key_that_is_nearest_is_no_second_problem(registry: Registry) -> None:
    text = """\
djgraph: 1
name: x
inputs: [{name: a}]
mixer: [{strip: s, inputs: {sidechain: a}, chain: [gain], to: mastr}, {bus: master, chains: 3}]
outputs: [master]
"""
    assert [problem.message for problem in problems(text, registry)] == [
        "unknown key 'inputs'",
        "there is no bus 'mastr'",
        "unknown key 'chains'",
    ]


def test_a_missing_argument_hides_nothing(registry: Registry) -> None:
    text = """\
djgraph: 1
name: x
args: {low: null}
inputs: [{name: a}]
mixer:
  - {strip: s, input: a, chain: [{effect: eq3, settings: {low: $low}}, gian], to: master}
  - {strip: t, input: a, sends: [{to: master, tap: eq3}]}
  - bus: master
outputs: [master]
"""
    assert [problem.message for problem in problems(text, registry)] == [
        "argument 'low' needs a value: its default is null",
        "there is no effect 'gian'",
        "strip 't' has no node 'eq3'",
    ]


def test_a_lost_node_is_not_missed(registry: Registry) -> None:
    text = """\
djgraph: 1
name: x
inputs: [{name: a}]
mixer:
  - strip: s
    input: a
    chain: [{use: gone}, {effect: gain, controls: {gain: {tie: eq3.low}}}]
    fader: volume
    sends: [{to: master, tap: eq3}]
    macros: [{name: m, drives: {eq3.high: [[0, 0], [1, 1]]}}]
  - {strip: t, input: s@eq3, chain: [{effect: gain, controls: {gain: {tie: s.eq3.low}}}], to: [master, gone]}
  - bus: master
outputs: [master]
"""
    assert [problem.message for problem in problems(text, registry)] == [
        "there is no template 'gone'",
        "there is no bus 'gone'",
    ]
