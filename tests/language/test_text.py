"""Text → plain data with positions: YAML 1.2, JSON, what is refused, and the limits."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from effort import examples, few
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.errors import DocumentError, Position, Problem
from djgraph.language import limits, parse, plain


def refusal(text: str) -> tuple[str, int, int]:
    """The message and the place at which a text is refused."""
    with pytest.raises(DocumentError) as caught:
        parse(text, "g.yaml")
    (problem,) = caught.value.problems
    assert problem.position is not None
    assert problem.position.file == "g.yaml"
    return problem.message, problem.position.line, problem.position.column


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-2.", -2.0),
        ("+7", 7),
        ("-0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("~", None),
        ("null", None),
        ("", None),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-02", "2024-01-02"),
        ("1e", "1e"),
        ("'1'", "1"),
        ('"no"', "no"),
        ("!!str 1", "1"),
        ("!!float 1", 1),
        ("$low", "$low"),
    ],
)
def test_scalars_follow_yaml_1_2(written: str, value: object) -> None:
    data = parse(f"a: {written}\n").data
    assert data == {"a": value}
    assert type(data["a"]) is type(value)


def test_positions_of_values_and_keys_lie_beside_the_data() -> None:
    source = parse("a: 1\nlist:\n  - x\n  - {deep: [10, 20]}\n", "g.yaml")
    assert source.data == {"a": 1, "list": ["x", {"deep": [10, 20]}]}
    assert source.position(()) == Position("g.yaml", 1, 1)
    assert source.position(("a",)) == Position("g.yaml", 1, 4)
    assert source.position(("a",), key=True) == Position("g.yaml", 1, 1)
    assert source.position(("list", 1, "deep", 1)) == Position("g.yaml", 4, 17)
    assert source.position(("list", 1, "deep"), key=True) == Position("g.yaml", 4, 6)


def test_a_path_that_is_not_there_is_placed_at_what_is_around_it() -> None:
    source = parse("a:\n  b: 1\n", "g.yaml")
    assert source.position(("a", "gone", 3)) == Position("g.yaml", 2, 3)


def test_an_alias_gives_the_value_and_the_place_of_its_anchor() -> None:
    source = parse("a: &x [1, 2]\nb: *x\n", "g.yaml")
    assert source.data == {"a": [1, 2], "b": [1, 2]}
    assert source.position(("b", 1)) == Position("g.yaml", 1, 11)
    assert source.position(("b",), key=True) == Position("g.yaml", 2, 1)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a: *.fader\n", 'quote it: "*.fader"'),
        ("a: [*_a.fader, b]\n", 'quote it: "*_a.fader"'),
        ("a: {*.gain.gain: 1}\n", 'quote it: "*.gain.gain"'),
        ("*.gain.gain: 1\n", 'quote it: "*.gain.gain"'),
        ("a: *\n", 'quote it: "*"'),
        ("a: **.low\n", 'quote it: "**.low"'),
    ],
)
def test_an_unquoted_pattern_is_told_to_be_quoted(text: str, hint: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert problem.hint == hint


@given(st.text("ab:-*#'\"{}[], \n", max_size=60))
def test_whatever_the_text_only_one_kind_of_error(text: str) -> None:
    with contextlib.suppress(DocumentError):
        parse(text)


def test_unknown_position_without_text() -> None:
    assert plain({"a": 1}).position(("a",)) is None


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate key 'a'; it stands first at g.yaml:1:1", 3, 1),
        ("x: {k: 1, k: 2}\n", "duplicate key 'k'; it stands first at g.yaml:1:5", 1, 11),
        ('{"a": 1,\n "a": 2}', "duplicate key 'a'; it stands first at g.yaml:1:2", 2, 2),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "tag !!python/object/apply:os.system is not allowed",
            1,
            4,
        ),
        ("a: !effect gain\n", "tag !effect is not allowed", 1, 4),
        ("a: !!int x\n", "the value does not fit its tag !!int", 1, 4),
        ("base: &b {a: 1}\nc:\n  <<: *b\n", "merge keys (<<) are not allowed", 3, 3),
        ("1: x\n", "a key must be text, and '1' is not; write \"1\"", 1, 1),
        ("a: {true: x}\n", "a key must be text", 1, 5),
        ("? [a]\n: x\n", "a key must be plain text", 1, 3),
        ("a: &x [1, *x]\n", "alias *x lies inside what it names", 1, 11),
        ("a: *nobody\n", "alias *nobody names no anchor above it", 1, 4),
        ("a: *.fader\n", "alias *.fader names no anchor above it", 1, 4),
        ("- {*.a: 1}\n", "a key must be plain text", 1, 4),
        ("a: *\nb: 1\n", "a text that begins with * is an alias in YAML", 1, 4),
        ("a:\n    - b\n   - c\n", "indented by 3; this list began at 4", 3, 4),
        ("a:\n    - b:\n      - d\n   - c\n", "indented by 3; this list began at 4", 4, 4),
        ("a:\n  - b\n   - c: 1\n", "indented by 3; this list began at 2", 3, 4),
        ("a:\n  - b: 1\n    c: 2\n   - d\n", "indented by 3; this list began at 2", 4, 4),
        ("a:\n  - b: 1\n    c: 2\n   d: 3\n", "indented by 3; these keys began at 4", 4, 4),
        ("a:\n    b: 1\n\n    # c\n  d: 2\n", "indented by 2; these keys began at 4", 5, 3),
        ("a:\n  b: 1\n    c: 2\n", "indented by 4; these keys began at 2", 3, 5),
        ("  a: 1\nb: 2\n", "indented by 0; these keys began at 2", 2, 1),
        ("a: b: c\n", "this is not YAML", 1, 5),
        ("a: .inf\n", ".inf is not a finite number", 1, 4),
        ("a: [.nan]\n", ".nan is not a finite number", 1, 5),
        ("a: 1e999\n", "1e999 is too large for a number", 1, 4),
        ("a: " + "1" * 50 + "\n", "a number of more than 40 characters (the limit)", 1, 4),
        ("a: 1\n---\nb: 2\n", "a second YAML document begins here", 2, 1),
        ("%YAML 1.1\n---\na: 1\n", "this says it is YAML 1.1; djgraph reads YAML 1.2", 2, 1),
        ("a: 1\n\tb: 2\n", "this is not YAML", 2, 1),
        ("a: [1, 2\nb: 3\n", "this is not YAML", 2, 2),
        ("a: 'open\n", "this is not YAML", 2, 1),
        ("a: b: c\n", "this is not YAML: mapping values are not allowed here", 1, 5),
        ("a: \x01\n", "character '\\x01' is not allowed in a graph file", 1, 4),
        ('a: "\\ud83d"\n', "half a surrogate pair is no character", 1, 4),
        ("", "there is nothing in it", 1, 1),
        ("# only a comment\n", "there is nothing in it", 1, 1),
    ],
)
def test_what_is_refused_and_where(text: str, message: str, line: int, column: int) -> None:
    found, at_line, at_column = refusal(text)
    assert found.startswith(message)
    assert (at_line, at_column) == (line, column)


def test_a_broken_json_file_is_not_json() -> None:
    with pytest.raises(DocumentError, match=r"moves\.json:1:9: this is not JSON"):
        parse('{"a": [1}', "moves.json")


def test_an_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    message, line, _ = refusal("\n".join(lines))
    assert message == "more than 100 000 values after aliases are expanded (the limit)"
    # Line n makes nine times what the line before made, and a list: 10, 91, 820, 7381, 66430, all in all 74732.
    assert line == 6


@pytest.mark.slow
def test_deep_nesting_is_refused() -> None:
    assert parse("[" * 64 + "]" * 64).data is not None
    message, line, column = refusal("[" * 100_000)
    assert message == "nested more than 64 deep (the limit)"
    assert (line, column) == (1, 66)


def test_aliases_cannot_hide_depth() -> None:
    lines = ["a0: &a0 [[[[[[[[[[x]]]]]]]]]]"]
    lines += [f"a{i}: &a{i} [[[[[[[[[[*a{i - 1}]]]]]]]]]]" for i in range(1, 8)]
    message, line, _ = refusal("\n".join(lines))
    assert message == "nested more than 64 deep (the limit)"
    assert line == 7


def test_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.VALUES == 100_000
    monkeypatch.setattr(limits, "VALUES", 500)  # the real limit takes seconds to reach
    assert len(parse("[" + "1," * 499 + "]").data) == 499
    message, _, _ = refusal("[" + "1," * 500 + "]")
    assert message == "more than 500 values after aliases are expanded (the limit)"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=examples(150), deadline=None)
@given(json_values, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_json_reads_the_same_as_with_the_json_module(value: object, indent: object, ascii_only: bool) -> None:
    # One mapping around it, because a JSON document of djgraph is always a mapping.
    text = json.dumps({"value": value}, indent=indent, ensure_ascii=ascii_only)
    if (
        not text.isprintable()
        and not ascii_only
        and not text.replace("\n", "").replace("\t", "").isprintable()
    ):
        return  # YAML wants characters such as U+2028 escaped
    expected = json.loads(text)
    found = parse(text).data
    assert json.dumps(found) == json.dumps(expected)


def test_json_may_indent_with_tabs_and_columns_count_characters() -> None:
    source = parse('{\n\t"a":\t"x\\ty",\n\t"b": [1,\t2]\n}\n', "g.json")
    assert source.data == {"a": "x\ty", "b": [1, 2]}
    assert source.position(("b", 1)) == Position("g.json", 3, 11)


@settings(max_examples=examples(200), deadline=None)
@given(st.text(st.sampled_from(list("ab1 :-[]{},&*!|>'\"%@`#?\n\t\\$<~ué\U0001f600.\u2028")), max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        parse(text, "g.yaml")
    except DocumentError as error:
        problems = error.problems
    assert all(problem.position is not None for problem in problems)


def test_python_data_keeps_the_same_rules() -> None:
    assert plain({"a": (1, 2.5, True, None, "x")}).data == {"a": [1, 2.5, True, None, "x"]}
    for bad, message in (
        ({1: 2}, "a key must be text, and 1 is not"),
        ({"a": math.nan}, "nan is not a finite number"),
        ({"a": math.inf}, "inf is not a finite number"),
        ({"a": object()}, "object is not plain data"),
        ({"a": {1, 2}}, "set is not plain data"),
    ):
        with pytest.raises(DocumentError, match=message):
            plain(bad)


def test_python_data_that_holds_itself_is_refused() -> None:
    data: dict[str, object] = {}
    data["self"] = data
    with pytest.raises(DocumentError, match="nested more than 64 deep"):
        plain(data)


def test_numbers_of_numpy_are_numbers() -> None:
    import numpy as np

    assert plain({"a": np.float32(0.5), "b": np.int64(3)}).data == {"a": 0.5, "b": 3}


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a:\tb\n", {"a": "b"}),
        ("a: \t b\n", {"a": "b"}),
        ("a: b\t\n", {"a": "b"}),
        ("a: b\t# c\n", {"a": "b"}),
        ('a: "x"\t\nb: 2\n', {"a": "x", "b": 2}),
        ("a:\t\n  b: 1\n", {"a": {"b": 1}}),
        ("a:\t\r\n  b:\t1\r\n", {"a": {"b": 1}}),
        ("- a:\tb\n  c:\td\n", [{"a": "b", "c": "d"}]),
        ("-\tx\n- \ty\n", ["x", "y"]),
        ("-\t[1,\t2]\n", [[1, 2]]),
        ("a:\t{b:\t1}\n", {"a": {"b": 1}}),
        ("a:\t|\n  x\ty\n", {"a": "x\ty\n"}),
        ("a: |\n  k:\tv\n", {"a": "k:\tv\n"}),
        ("a: 'k:\tv'\n", {"a": "k:\tv"}),
        ("a\t:\tb\n", {"a": "b"}),
        ("a: 1\n\t\n\t# note\nb: 2\n", {"a": 1, "b": 2}),
        ("a:\t&x\t1\nb:\t*x\n", {"a": 1, "b": 1}),
    ],
)
def test_tabs_may_part_what_stands_in_a_line(text: str, data: object) -> None:
    assert parse(text).data == data
    assert parse(text.replace("\t", " ")).data == (
        data if "|" not in text and "'" not in text else parse(text.replace("\t", " ")).data
    )


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a:\n\tb: 1\n", 2, "YAML does not allow tabs"),
        ("a:\n  b: 1\n \tc: 2\n", 3, "YAML does not allow tabs"),
        ("-\t- x\n", 1, "YAML does not allow tabs"),
        ("-\ta: x\n  b: y\n", 1, "YAML does not allow tabs"),
        ("a: b\tc\n", 1, "needs quotes"),
    ],
)
def test_a_tab_where_none_may_stand_is_told(text: str, line: int, hint: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert problem.position is not None
    assert problem.position.line == line
    assert hint in (problem.hint or "")


@pytest.mark.parametrize(
    "text",
    few(["a: " + "[" * 20_000, "{a: " * 20_000, '{"a":' * 20_000, "- " * 20_000 + "x", '[{"a":' * 20_000], 2),
)
def test_however_deep_a_text_goes_its_first_levels_are_enough_to_refuse_it(text: str) -> None:
    with pytest.raises(DocumentError, match="nested more than 64 deep"):
        parse(text)
