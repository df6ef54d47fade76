"""Errors as text: the nearest name in bounded time, nothing hidden, nothing endless."""

from __future__ import annotations

import difflib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djgraph.errors import (
    MESSAGE,
    DJGraphError,
    DocumentError,
    InputError,
    Position,
    Problem,
    did_you_mean,
    format_path,
    nearest,
    shorten,
)

NAMES = st.text("abcde_.G", min_size=1, max_size=12)


@given(NAMES, st.lists(NAMES, max_size=12))
def test_the_nearest_name_is_the_one_of_difflib(name: str, options: list[str]) -> None:
    folded = {option.lower(): option for option in options}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.55)
    assert nearest(name, options) == (folded[close[0]] if close else None)


def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fills with the work of each comparison letter by letter."""
    work: list[int] = []
    ratio = difflib.SequenceMatcher.ratio

    def counted(self: difflib.SequenceMatcher[str]) -> float:
        work.append(len(self.a) * len(self.b))
        return ratio(self)

    monkeypatch.setattr(difflib.SequenceMatcher, "ratio", counted)
    return work


def test_did_you_mean_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    work = compared(monkeypatch)
    many = [f"{'ab' * 45}{i:05d}" for i in range(20_000)]
    assert did_you_mean("ba" * 45 + "x", many)
    assert len(work) <= 12
    assert sum(work) <= 12 * 100 * 100
    del work[:]
    long = ["a" * 10_000 + str(i) for i in range(1000)]
    text = did_you_mean("a" * 10_000, long)
    assert not work
    assert len(text) < 24 * 300
    assert nearest("a" * 10_000, ["a" * 10_000, "b"]) is None
    assert nearest("vocals", ["x" * 10**6, "vocal"]) == "vocal"


def test_of_many_names_the_same_with_other_letters_is_found() -> None:
    many = [f"track_{i}.gain" for i in range(20_000)]
    assert nearest("Track_777.GAIN", many) == "track_777.gain"
    assert nearest("track_377.gian", many[:400]) == "track_377.gain"
    assert nearest("track_777.gian", many) is not None


def test_a_list_of_names_is_short() -> None:
    assert shorten(["a", "b"]) == "a, b"
    assert shorten([str(i) for i in range(30)], 3) == "0, 1, 2, … (27 more)"
    assert len(shorten(["x" * 10**6] * 1000)) < 24 * 300
    assert shorten(["a\x1b[31m", "b\nc"]) == "a\\x1b[31m, b\\nc"


HIDDEN = "\x1b]0;title\x07\u202e\x00\n error: forged"


def test_no_part_of_a_problem_reaches_a_terminal_unescaped() -> None:
    problem = Problem(
        f"unknown key {HIDDEN!r}",
        Position(f"x{HIDDEN}.yaml", 1, 2),
        ("mixer", 0, HIDDEN),
        (f"{HIDDEN}a",),
        f"{HIDDEN}b",
        f"it is written as {HIDDEN}",
    )
    for text in (str(problem), str(DocumentError(problem)), str(InputError(str(problem)))):
        assert not {"\x1b", "\x07", "\u202e", "\x00"} & set(text)
        assert len(text.splitlines()) == 5
        assert text.count("\\x1b]0;title\\x07\\u202e\\x00") == 6
    assert DocumentError(problem).problems == (problem,)
    assert pickle.loads(pickle.dumps(DocumentError(problem))).problems == (problem,)


def test_other_errors_are_escaped_too() -> None:
    assert str(DJGraphError("no\x1b[2J file\x9b\udcff\nfor it")) == "no\\x1b[2J file\\x9b\\udcff\nfor it"
    assert DJGraphError("\x1b").args == ("\x1b",)


def test_no_message_is_endless() -> None:
    long = "x" * 10**6
    problem = Problem(f"there is no {long!r}", Position("f", 1, 1), (long, long), (long,) * 100, long, long)
    assert len(str(problem)) < 12_000
    assert len(str(DocumentError(*[problem] * 100))) < MESSAGE + 100
    assert len(str(DJGraphError(long * 10))) < MESSAGE + 100
    assert len(format_path((long, 3, long))) < 300
    assert format_path(("mixer", 0, "bus")) == "mixer[0].bus"
