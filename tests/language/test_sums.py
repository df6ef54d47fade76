"""Sums in references: what Python makes of the same text, and what is refused."""

from __future__ import annotations

import operator
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djgraph.language.sums import NoSum, evaluate

NAMES: dict[str, Any] = {"n": 3, "beat": 0.5, "deck": "a", "flag": True, "stems": [1]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("n", 3),
        ("n + 1", 4),
        ("n-1", 2),
        ("2·n", 6),
        ("n * n / 9", 1),
        ("beat / 2", 0.25),
        ("n / 2", 1.5),
        ("1 + 2 * n − 4", 3),
        ("-n + 1", -2),
        ("1.5 + beat", 2.0),
        ("deck", "a"),
        ("stems", [1]),
    ],
)
def test_values(text: str, value: Any) -> None:
    result = evaluate(text, NAMES.__getitem__)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing between the parentheses"),
        ("n +", "ends where a number should stand"),
        ("n n", "'n' stands where \\+"),
        ("n ** 2", "'\\*' stands where a number"),
        ("n % 2", "'% 2' is no part of a sum"),
        ("n / 0", "a division by 0"),
        ("deck + 1", "'deck' is text 'a'"),
        ("flag + 1", "'flag' is true"),
        ("stems * 2", "'stems' is a list"),
        ("__import__", "is no part of a sum"),
        ("1 + " + "9" * 400, "too large"),
    ],
)
def test_what_is_no_sum(text: str, message: str) -> None:
    with pytest.raises(NoSum, match=message):
        evaluate(text, NAMES.__getitem__)


@given(
    st.lists(st.integers(-50, 50).filter(bool), min_size=1, max_size=6),
    st.lists(st.sampled_from("+-*/"), min_size=5, max_size=5),
)
def test_it_is_what_python_makes_of_it(numbers: list[int], signs: list[str]) -> None:
    names = {f"x{index}": number for index, number in enumerate(numbers)}
    text = " ".join(f"{sign} {name}" for sign, name in zip(["", *signs], names)).strip()
    expected = eval(text, {}, names)
    assert evaluate(text, names.__getitem__) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_whole_numbers_stay_whole() -> None:
    total = reduce(operator.mul, range(1, 6))
    assert evaluate("·".join("12345"), NAMES.__getitem__) == total
    assert isinstance(evaluate("6 / 3", NAMES.__getitem__), int)
