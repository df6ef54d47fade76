"""Text of strangers: nothing hidden in it reaches a terminal, and nothing endless a message."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djgraph.text import brief, clip, clip_words, json_printable, one_line, printable

ANY = st.text(st.characters(codec=None, categories=None), max_size=40) | st.text(max_size=40)


@given(ANY)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = printable(text)
    kinds = {unicodedata.category(char) for char in shown if char not in "\n\t"}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(char) for char in shown} & set(
        ["LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"]
    )
    shown.encode("utf-8")
    assert printable(shown) == shown
    assert "\n" not in one_line(text)
    assert "\t" not in one_line(text)


def test_every_control_character_is_written_as_python_writes_it() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") and char not in "\n\t":
            assert printable(char) == repr(char)[1:-1].replace("\\r", "\\x0d")
            assert json.loads(f'"{json_printable(char)}"') == char or char < " "


def test_what_people_write_is_left_alone() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    for text in ("Größe → Ø “x”", "می\u200cخواهم", family, "日本語", "a\n\tb"):
        assert printable(text) == text


@pytest.mark.parametrize(
    "char", ["\x1b", "\x00", "\x9b", "\u202e", "\u2066", "\u200b", "\udcff", "\U000e0041"]
)
def test_json_stays_the_same_json(char: str) -> None:
    text = json_printable(json.dumps({char: [char]}, ensure_ascii=False))
    assert json.loads(text) == {char: [char]}
    assert printable(text) == text


@given(st.text(max_size=3000), st.integers(20, 400))
def test_clipped_text_keeps_its_ends_and_says_how_much_is_gone(text: str, limit: int) -> None:
    short = clip(text, limit)
    assert len(short) <= limit + 30
    if len(text) <= limit:
        assert short == text
    else:
        start, _, rest = short.partition(f"… ({len(text) - limit} more) …")
        assert len(start) + len(rest) == limit
        assert text.startswith(start)
        assert text.endswith(rest)


def test_a_long_word_is_cut_where_it_stands() -> None:
    assert clip_words(f"there is no {'x' * 10_000!r} here", 2000).startswith("there is no 'xxx")
    assert len(clip_words("x" * 10**7, 2000)) < 300
    assert len(clip_words("x " * 10**6, 2000)) < 2100
    assert clip_words("as it is", 2000) == "as it is"


def test_a_brief_value_is_short_however_much_it_holds() -> None:
    assert brief([1, "a"]) == "[1, 'a']"
    assert brief("drums") == "drums"
    assert brief("a\nb\x1b") == "a\\nb\\x1b"
    nested: object = "x" * 10_000
    for _ in range(60):
        nested = [nested] * 1000
    assert len(brief(nested)) < 2000
    assert len(brief({str(i): list(range(1000)) for i in range(1000)})) < 500
