"""Calls compiled functions that only other compiled ones call."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from numba import njit


@cache
def called(function: Any) -> Callable[..., Any]:
    """The function as one that Python can call."""

    @njit
    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call
