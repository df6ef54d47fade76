"""A document's keys and values: every problem at once, with place, what is allowed, and the nearest name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from djgraph.errors import DJGraphError, DocumentError
from djgraph.language import load_document

GOOD = """\
djgraph: 1
name: small
inputs: [{name: mic}]
mixer:
  - {strip: voice, input: mic, to: master}
  - bus: master
outputs: [master]
"""


def with_line(line: str, instead_of: str = "") -> str:
    """The good document with one more line at the end, or with one line replaced."""
    if instead_of:
        assert instead_of in GOOD
        return GOOD.replace(instead_of, line)
    return GOOD + line + "\n"


MIXER = "mixer:\n  - {strip: voice, input: mic, to: master}\n  - bus: master\n"

CASES = {
    "unknown key": (
        with_line("▸ouputs: [master]", "outputs: [master]"),
        "unknown key 'ouputs'",
        "did you mean: outputs",
    ),
    "unknown key of a strip": (
        with_line("strip: voice, ▸inptu: mic", "strip: voice, input: mic"),
        "unknown key 'inptu'",
        "did you mean: input",
    ),
    "solo with a truth of older YAML": (
        with_line("strip: voice, solo: ▸no, input: mic", "strip: voice, input: mic"),
        "expected true, false or the name of a group, got text 'no'",
        "hint: write false, or give the group another name",
    ),
    "missing key": (with_line("▸", "djgraph: 1\n"), "missing key 'djgraph'", ""),
    "wrong version": (
        with_line("djgraph: ▸2", "djgraph: 1"),
        "this djgraph reads version 1 of the language, got the number 2",
        "hint: a newer djgraph may read this file",
    ),
    "version as text": (
        with_line("djgraph: ▸'1'", "djgraph: 1"),
        "this djgraph reads version 1",
        "allowed: 1",
    ),
    "version true": (with_line("djgraph: ▸true", "djgraph: 1"), "this djgraph reads version 1", "got true"),
    "wrong type": (with_line("sample_rate: ▸fast"), "expected a whole number from 1 to 1000000", "'fast'"),
    "not a whole number": (with_line("sample_rate: ▸44100.5"), "expected a whole number", "44100.5"),
    "odd window": (with_line("transform: {size: ▸1023}"), "expected an even number from 16 to 65536", "1023"),
    "hop too large": (with_line("transform: ▸{size: 512}"), "hop 512 is more than half of size 512", ""),
    "not a name": (
        with_line("name: ▸Big Mixer", "name: small"),
        "expected a name, got text 'Big Mixer'",
        "lower-case",
    ),
    "name is a number": (with_line("title: ▸12"), "expected text, got the number 12", "write it in quotes"),
    "channels": (
        with_line("inputs: [{name: mic, channels: ▸sterio}]", "inputs: [{name: mic}]"),
        "text 'sterio' is no number of channels",
        "did you mean: stereo",
    ),
    "channels of a layout that has no name": (
        with_line("inputs: [{name: mic, channels: ▸2.1}]", "inputs: [{name: mic}]"),
        "the number 2.1 is no number of channels",
        "allowed: mono, stereo, 3.0, quad, 5.0, 5.1, 6.1, 7.1, a number from 1 to 32",
    ),
    "no channels": (
        with_line("inputs: [{name: mic, channels: ▸0}]", "inputs: [{name: mic}]"),
        "the number 0 is no number of channels",
        "",
    ),
    "too many channels": (
        with_line("inputs: [{name: mic, channels: ▸33}]", "inputs: [{name: mic}]"),
        "the number 33 is no number of channels",
        "a number from 1 to 32",
    ),
    "very many channels": (
        with_line("inputs: [{name: mic, channels: ▸1e300}]", "inputs: [{name: mic}]"),
        "the number 1e+300 is no number of channels",
        "",
    ),
    "channels that are true": (
        with_line("inputs: [{name: mic, channels: ▸true}]", "inputs: [{name: mic}]"),
        "true is no number of channels",
        "",
    ),
    "channels that are a list": (
        with_line("inputs: [{name: mic, channels: ▸[mono]}]", "inputs: [{name: mic}]"),
        "a list is no number of channels",
        "",
    ),
    "flag": (
        with_line("inputs: [{name: mic, optional: ▸yes}]", "inputs: [{name: mic}]"),
        "expected true or false, got text 'yes'",
        "",
    ),
    "a role that is no name": (
        with_line("roles: {▸Low: voice.low}"),
        "'Low' is not a name",
        "lower-case",
    ),
    "a role of what is no control": (
        with_line("roles: {low: ▸Voice Low}"),
        "expected a control's name or a pattern, got text 'Voice Low'",
        "such as deck_1.eq.low",
    ),
    "a role of a number": (
        with_line("roles: {low: [▸3]}"),
        "expected a control's name or a pattern, got the number 3",
        "",
    ),
    "no stems": (
        with_line("inputs: [{name: mic, stems: ▸[]}]", "inputs: [{name: mic}]"),
        "an input has at least one stem",
        "leave `stems` out",
    ),
    "no outputs": (with_line("outputs: ▸[]", "outputs: [master]"), "a graph has at least one output", ""),
    "empty value": (with_line("▸outputs:", "outputs: [master]"), "expected a list, got nothing", ""),
    "unknown item": (
        with_line("mixer:\n  - {▸stirp: voice}\n", MIXER),
        "unknown key 'stirp'",
        "did you mean: strip",
    ),
    "item without a kind": (
        with_line("mixer:\n  - ▸{input: mic}\n", MIXER),
        "this item does not say what it is",
        "allowed: strip, bus, macro, for, use",
    ),
    "item of two kinds": (
        with_line("mixer:\n  - ▸{strip: a, bus: b}\n", MIXER),
        "one item cannot be 'strip' and 'bus' at once",
        "allowed: strip, bus, macro, for, use",
    ),
    "item is text": (
        with_line("mixer: [▸master]\n", MIXER),
        "expected an item of the mixer",
        "got text 'master'",
    ),
    "unknown key of a node": (
        with_line("mixer: [{bus: master, chain: [{effect: gain, ▸setings: {}}]}]\n", MIXER),
        "unknown key 'setings'",
        "did you mean: settings",
    ),
    "node without an effect": (
        with_line("mixer: [{bus: master, chain: [▸{id: a}]}]\n", MIXER),
        "missing key 'effect'",
        "",
    ),
    "node is a number": (
        with_line("mixer: [{bus: master, chain: [▸3]}]\n", MIXER),
        "expected an effect's name, a node ({effect: …}) or a template ({use: …}), got the number 3",
        "",
    ),
    "reserved id": (
        with_line("mixer: [{bus: master, chain: [{effect: gain, id: ▸post}]}]\n", MIXER),
        "no node can have the id 'post'",
        "",
    ),
    "override": (
        with_line(
            "mixer: [{bus: master, chain: [{effect: gain, controls: {gain: {▸defualt: 1}}}]}]\n", MIXER
        ),
        "unknown key 'defualt'",
        "did you mean: default",
    ),
    "control is text": (
        with_line("mixer: [{bus: master, chain: [{effect: gain, controls: {gain: ▸loud}}]}]\n", MIXER),
        "expected a number, got text 'loud'",
        "",
    ),
    "constant with a range": (
        with_line(
            "mixer: [{bus: master, chain: [{effect: gain, controls: {gain: {value: 1, ▸min: 0}}}]}]\n", MIXER
        ),
        "a control with `value` is a constant, so it cannot have 'min' as well",
        "",
    ),
    "tie with a default": (
        with_line(
            "mixer: [{bus: master, chain: [{effect: gain, controls: {gain: {tie: a, ▸default: 0}}}]}]\n",
            MIXER,
        ),
        "a control with `tie` reads another column, so it cannot have 'default' as well",
        "",
    ),
    "curve of numbers": (
        with_line("mixer: [{macro: m, drives: {a.b.c: [[0, 1], ▸[1]]}}]\n", MIXER),
        "expected a point [x, y], got a list of 1",
        "",
    ),
    "macro drives nothing": (
        with_line("mixer: [{macro: m, drives: ▸{}}]\n", MIXER),
        "a macro drives at least one control",
        "",
    ),
    "two variables": (
        with_line("mixer: [{for: ▸{a: [1], b: [2]}, do: []}]\n", MIXER),
        "`for` takes one variable and its values, as in {track: inputs}, got 2 of them",
        "",
    ),
    "for over a number": (
        with_line("mixer: [{for: {a: ▸4}, do: []}]\n", MIXER),
        "expected a list, `inputs`, the stems of an input (`track_a.stems`) or a range",
        "",
    ),
    "a billion repeats": (
        with_line("mixer: [{for: {i: ▸{from: 1, to: 1000000}}, do: []}]\n", MIXER),
        "more than 10 000 repeats (the limit)",
        "",
    ),
    "empty range": (
        with_line("mixer: [{for: {i: ▸{from: 2, to: 1}}, do: []}]\n", MIXER),
        "the range 2 … 1 is empty",
        "",
    ),
    "template of both kinds": (
        with_line("templates: {t: ▸{chain: [], mixer: []}}"),
        "a template has either a `chain` or a `mixer`",
        "",
    ),
    "template name": (with_line("templates: {▸Deck: {chain: []}}"), "'Deck' is not a name", ""),
    "argument name": (with_line("args: {▸n-fft: 1}"), "'n-fft' is not a name", ""),
    "argument name that is a reference": (
        with_line("args: {a: 1, ▸$a: 1}"),
        "'$a' is not a name",
        "a reference cannot stand here",
    ),
    "template name that is a reference": (
        with_line("templates: {▸$a: {chain: []}}"),
        "'$a' is not a name",
        "a reference cannot stand here",
    ),
    "variable that is a reference": (
        with_line("mixer: [{for: {▸$a: [1]}, do: []}]\n", MIXER),
        "'$a' is not a name",
        "a reference cannot stand here",
    ),
    "version that is a reference": (
        with_line("djgraph: ▸$version", "djgraph: 1"),
        "a reference cannot stand here, got text '$version'",
        "",
    ),
    "whole document is a list": (
        "▸[1, 2]\n",
        "expected a mapping that begins with `djgraph: 1`, got a list",
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_problem_points_at_its_place(case: str, marked: Callable[[str], tuple[str, int, int]]) -> None:
    text, message, more = CASES[case]
    text, line, column = marked(text)
    with pytest.raises(DocumentError) as caught:
        load_document(text)
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert problem.position is not None
    assert (problem.position.line, problem.position.column) == (line, column)
    assert str(problem).startswith(f"<text>:{line}:{column}: ")
    assert more in str(problem)


def test_all_problems_are_reported_at_once_and_in_file_order() -> None:
    text = """\
djgraph: 3
nme: x
inputs:
  - {name: mic, stems: [drums, 3]}
  - {name: 7}
mixer:
  - {strip: a, chain: [gain, {effect: eq, controls: {low: {as: 3}}}], to: 4}
  - {macro: m, drives: {}}
"""
    with pytest.raises(DocumentError) as caught:
        load_document(text)
    found = [(p.position.line, p.message.split(",")[0]) for p in caught.value.problems if p.position]
    assert found == [
        (1, "missing key 'outputs'"),
        (1, "this djgraph reads version 1 of the language"),
        (2, "unknown key 'nme'"),
        (4, "expected a stem: its name"),
        (5, "expected a name"),
        (7, "expected a name"),
        (7, "expected a list"),
        (8, "a macro drives at least one control"),
    ]
    paths = {str(p).split("at: ")[1].split("\n")[0] for p in caught.value.problems if p.path}
    assert "mixer[0].chain[1].controls.low.as" in paths
    assert isinstance(caught.value, DJGraphError)
    assert isinstance(caught.value, ValueError)


def test_messages_have_no_jargon() -> None:
    for text, _, _ in CASES.values():
        with pytest.raises(DocumentError) as caught:
            load_document(text.replace("▸", ""))
        for word in (
            "Input should",
            "valid dictionary",
            "pydantic",
            "Extra inputs",
            "Field required",
            "str type",
        ):
            assert word not in str(caught.value)


def test_a_mapping_gives_paths_without_positions() -> None:
    with pytest.raises(DocumentError) as caught:
        load_document({"djgraph": 1, "name": "x", "mixer": [{"bus": "b", "chian": []}], "outputs": ["b"]})
    (problem,) = caught.value.problems
    assert problem.position is None
    assert problem.path == ("mixer", 0, "chian")
    assert "did you mean: chain" in str(problem)


def test_references_may_stand_for_any_value_before_expansion() -> None:
    load_document(
        """\
djgraph: 1
name: refs
args: {a: 1}
sample_rate: $a
transform: {size: $a, hop: $(a)}
inputs: [{name: $a, stems: $a, channels: $a, optional: $a}]
mixer:
  - strip: $a.$a
    input: $a@$a
    chain:
      - $a
      - {effect: $a, id: $a, settings: $a, controls: $a, inputs: $a}
      - effect: $a
        controls:
          x: $a
          y: {as: $a, default: $a, min: $a, max: $a, neutral: $a, label: $a, description: $a, aliases: $a}
          z: {tie: $a}
    fader: $a
    sends: [{to: $a, tap: $a, level: $a}]
    macros: [{name: $a, default: $a, min: $a, max: $a, neutral: $a, drives: {$a.x: [[$a, $a], $a]}}]
    to: $a
  - {for: {i: $a}, do: [{for: {j: {from: $a, to: $a}}, do: []}]}
outputs: [$a, {name: $a, from: $a}]
"""
    )


@pytest.mark.parametrize("line", ["sample_rate: $a$a", "sample_rate: 4$a", "transform: x$a"])
def test_a_number_is_one_reference_or_none(line: str) -> None:
    with pytest.raises(DocumentError, match="expected a"):
        load_document(with_line(line))


def test_a_misspelt_key_is_one_problem() -> None:
    with pytest.raises(DocumentError) as caught:
        load_document(GOOD.replace("outputs:", "ouputs:"))
    assert [problem.message for problem in caught.value.problems] == ["unknown key 'ouputs'"]
