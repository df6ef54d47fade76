"""Sums in references, ``$(n + 1)``: + − · / on numbers and names. Nothing else, so that a file stays data."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from djgraph.language.words import describe

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([a-z][a-z0-9_]*)|([-+*/·−]))")
_SIGNS = {"·": "*", "−": "-"}
RULE = "a sum is of numbers and names with + − · / between them"


class NoSum(ValueError):
    """The text is no sum, or has none."""


def evaluate(text: str, look_up: Callable[[str], Any]) -> Any:
    """The value of a sum. A name alone keeps its value, of whatever type.

    look_up: name → value. Whole numbers stay whole where they can. Raises NoSum in plain words.
    """
    tokens = _tokens(text)
    if len(tokens) == 1 and tokens[0][0].islower():
        return look_up(tokens[0])
    reader = _Reader(tokens, look_up)
    value = reader.sum()
    if reader.left:
        raise NoSum(f"{reader.left[0]!r} stands where + − · or / should; {RULE}")
    return value


def _tokens(text: str) -> list[str]:
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise NoSum(f"{text[place:].strip()[:20]!r} is no part of a sum; {RULE}")
        token = match[1] or match[2] or match[3]
        tokens.append(_SIGNS.get(token, token))
        place = match.end()
    if not tokens:
        raise NoSum(f"there is nothing between the parentheses; {RULE}")
    return tokens


class _Reader:
    """Products before sums, from left to right."""

    def __init__(self, tokens: list[str], look_up: Callable[[str], Any]) -> None:
        self.left = tokens
        self._look_up = look_up

    def sum(self) -> int | float:
        value = self._product()
        while self._next("+-"):
            sign = self._take()
            other = self._product()
            value = _finite(value + other if sign == "+" else value - other)
        return value

    def _product(self) -> int | float:
        value = self._number()
        while self._next("*/"):
            value = _times(value, self._number()) if self._take() == "*" else _quotient(value, self._number())
        return value

    def _number(self) -> int | float:
        negative = False
        while self._next("+-"):
            negative ^= self._take() == "-"
        if not self.left:
            raise NoSum(f"the sum ends where a number should stand; {RULE}")
        token = self._take()
        if token in "*/":
            raise NoSum(f"{token!r} stands where a number should; {RULE}")
        value: Any
        if token[0].isdigit():
            value = float(token) if "." in token else int(token)
        else:
            value = self._look_up(token)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise NoSum(f"{token!r} is {describe(value)}; {RULE}")
        return _finite(-value if negative else value)

    def _next(self, signs: str) -> bool:
        return bool(self.left) and self.left[0] in signs

    def _take(self) -> str:
        return self.left.pop(0)


def _times(value: int | float, by: int | float) -> int | float:
    return _finite(value * by)


def _quotient(value: int | float, by: int | float) -> int | float:
    if by == 0:
        raise NoSum("a division by 0")
    if isinstance(value, int) and isinstance(by, int) and value % by == 0:
        return value // by
    return _finite(value / by)


def _finite(value: int | float) -> int | float:
    if not abs(value) <= 1e300:
        raise NoSum("the sum is too large")
    return value
