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
            if path == ("curves",) and changed.get("curves") == {"zzz": 1}:
                continue  # a curve of another name takes the place of those that are missed
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


def mistakes(data: Any) -> Iterator[tuple[DocumentPath, Callable[[Any], None]]]:
    """What people get wrong, at each place: a word misspelt or no word, a number too large or none, a key too many or
    misspelt, a value of the wrong kind."""

    def put(path: DocumentPath, value: Any) -> tuple[DocumentPath, Callable[[Any], None]]:
        return path, lambda changed: at(changed, path[:-1]).__setitem__(path[-1], value)

    def rename(changed: Any, path: DocumentPath) -> None:
        holder = at(changed, path[:-1])
        items = [(f"{key}zq" if key == path[-1] else key, value) for key, value in holder.items()]
        holder.clear()
        holder.update(items)

    for path in paths(data):
        value = at(data, path)
        if not path or path[0] in ("djgraph", "name") or value is None:
            continue
        if isinstance(value, str):
            yield from (put(path, other) for other in (f"{value}zq", 7, "Ab c"))
        elif isinstance(value, bool):
            yield put(path, "maybe")
        elif isinstance(value, int | float):
            yield from (put(path, other) for other in (1e9, "§", [3]))
        else:
            yield put(path, 7)
            yield put(path, {**value, "zzz": 3} if isinstance(value, dict) else [*value, 7])
        if isinstance(path[-1], str):
            yield path, lambda changed, path=path: rename(changed, path)


TOLD_LAST = (
    "goes round", "in this loop", "closes no loop", "drives nothing", "chooses nothing", "channel counts", "takes mono",
    "takes stereo", "in a circle", "is quad, and", "is mono, and", "is stereo, and", "is 5.1, and", "is 6.1, and",
)  # fmt: skip
"""What is looked at once all names and effects are there."""

VALUES = {
    "settings", "default", "min", "max", "value", "neutral", "delay", "feedback", "optional", "channels", "label",
    "description", "sample_rate", "transform", "drives", "curve", "title", "tie", "follow", "tap", "to", "from",
    "outputs", "zzz", "aliases", "roles", "fader",
}  # fmt: skip
"""Where no names are declared that stand elsewhere."""


def may_hide(hider: DocumentPath, problem: Problem, data: Any) -> bool:
    """Whether a mistake may keep another from being told: it may have been what the other looks for, or says what the
    other is about."""
    if overlap(hider, problem.path):
        return True
    if problem.seeks == "curve" and {"curve", "drives"} & set(hider):
        return True
    # What a loop makes is not known where its variable is not: no names are looked for.
    if not VALUES & set(hider) or {"for", "do"} & set(hider) or hider[0] == "inputs":
        if problem.name is not None:
            return True  # a name that is missing may be that of what is wrong
        if {"drives", "curve"} & set(problem.path):
            return True  # and what a curve drives
    around = next((n for n in range(len(hider), 0, -1) if hider[n - 1 : n] == ("effect",)), None)
    if around is not None and problem.path[: around - 1] == hider[: around - 1]:
        return True  # without its effect nothing is known of a node
    if hider[:-2] == problem.path[:-1] or hider[:-1] == problem.path[:-1]:
        return True  # points of one curve, keys of one mapping
    if hider[0] == "templates":
        return True  # a template that is wrong uses no others
    # What is not of its kind at all says nothing about what is in it.
    return any(
        isinstance(part, str) and "$" in str(at(data, known_path(data, problem.path))) for part in hider
    )


def known_path(data: Any, path: DocumentPath) -> DocumentPath:
    value = data
    for depth, part in enumerate(path):
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return path[:depth]
    return path


def overlap(one: DocumentPath, other: DocumentPath) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]


@settings(max_examples=examples(1500, least=150), deadline=None)
@given(st.data())
def test_two_mistakes_are_both_told(registry: Registry, data: st.DataObject) -> None:
    """Whatever they are, wherever: unless one is what the other looks for."""
    document = load_document(data.draw(st.sampled_from([*EXAMPLES.values()]))).source.data
    made = [*mistakes(document)]
    one, other = (made[data.draw(st.integers(0, len(made) - 1))] for _ in range(2))
    if overlap(one[0], other[0]):
        return
    both, first, second = (copy.deepcopy(document) for _ in range(3))
    # Keys that are renamed last do not move what is below them.
    for _, change in sorted((one, other), key=lambda mistake: -len(mistake[0])):
        change(both)
    one[1](first)
    other[1](second)
    found = {problem.message for problem in problems(both, registry)}
    alone = [problems(changed, registry) for changed in (first, second)]
    if not all(alone):
        return
    for (own, by), (hider, changed) in zip(((0, 1), (1, 0)), ((other[0], first), (one[0], second))):
        told = [p for p in alone[own] if not any(words in p.message for words in TOLD_LAST)]
        if not told or any(problem.message in found for problem in told):
            continue
        places = [hider, *(problem.path for problem in alone[by])]
        assert any(may_hide(place, problem, changed) for problem in told for place in places), (
            [problem.message for problem in told],
            hider,
        )


def test_a_mute_that_is_none_hides_nothing_of_its_strip(registry: Registry) -> None:
    text = """\
djgraph: 1
name: x
inputs: [{name: mic}]
mixer:
  - {strip: s, input: mic, mute: {tie: t.mute}, solo: 3, chain: [gian, {effect: eq3, settings: {lo: 3}}], to: mastr}
  - bus: master
outputs: [master]
"""
    assert [problem.message for problem in problems(text, registry)] == [
        "expected true or false, got a mapping",
        "expected true, false or the name of a group, got the number 3",
        "there is no effect 'gian'",
        "eq3 has no setting 'lo'",
        "there is no bus 'mastr'",
    ]


def test_a_wrong_argument_hides_nothing_of_the_file_or_the_strip(registry: Registry) -> None:
    text = """\
djgraph: 1
name: x
args: {rate: fast, where: 7}
sample_rate: $rate
inputs: [{name: mic}]
mixer:
  - {strip: Lead Voice, input: mic, chain: [gian], sends: [{to: $where}, {to: $wher}], to: mastr}
  - {strip: s, input: mic, chain: [{effect: eq3, settings: {low: $lo, hi: 3}}], to: master}
  - {bus: master, channels: $where}
outputs: [master, lead_voice]
"""
    assert [problem.message for problem in problems(text, registry)] == [
        "expected a whole number from 1 to 1000000, got text 'fast'",
        "expected a name, got text 'Lead Voice'",
        "there is no effect 'gian'",
        "expected a name, got the number 7",
        "there is no argument or variable 'wher'",
        "there is no bus 'mastr'",
        "there is no argument or variable 'lo'",
        "eq3 has no setting 'hi'",
    ]
