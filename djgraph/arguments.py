"""Numbers that a caller hands over, whatever library they are of: Python's, NumPy's, a tensor's single one."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Mapping
from typing import Any, TypeGuard

from djgraph.errors import DJGraphError, InputError

SLOWEST, FASTEST = 0.1, 1e5
"""Tempos that there are, in BPM."""


def is_whole(value: Any) -> bool:
    """Whether it is a whole number: an ``int``, or NumPy's or PyTorch's like it. Truth values and 4.0 are none."""
    if isinstance(value, bool) or is_truth(value):
        return False
    try:
        operator.index(value)
    except (TypeError, ValueError, RuntimeError):  # a tensor of several numbers raises these
        return False
    return True


def whole(
    value: Any,
    name: str,
    low: int | None = None,
    high: int | None = None,
    error: type[DJGraphError] = InputError,
) -> int:
    """``value`` as an ``int``. Raises ``error``, with ``name``, for what is no whole number from low to high."""
    if is_whole(value):
        number = operator.index(value)
        if (low is None or number >= low) and (high is None or number <= high):
            return number
    raise error(f"{name} is {shown(value)}; expected a whole number{_between(low, high)}")


def is_real(value: Any) -> TypeGuard[float]:
    """Whether it is a real number, not NaN and not infinite: Python's or NumPy's. Truth values and text are none."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond 1e308
        return False


def real(
    value: Any,
    name: str,
    low: float | None = None,
    high: float | None = None,
    error: type[DJGraphError] = InputError,
) -> float:
    """``value`` as a ``float``. Raises ``error``, with ``name``, for what is no finite number from low to high."""
    if is_real(value) and (low is None or value >= low) and (high is None or value <= high):
        return float(value)
    raise error(f"{name} is {shown(value)}; expected a number{_between(low, high)}")


def several(value: Any, name: str, what: str, error: type[DJGraphError] = InputError) -> tuple[Any, ...]:
    """The items of ``value``. Raises ``error``, with ``name``, for text and for what holds no items, such as one
    number; ``what`` says what is expected."""
    if not isinstance(value, str | bytes):
        try:
            return tuple(value)
        except TypeError:
            pass
    raise error(f"{name}: expected {what}, got {shown(value)}")


def weights(values: Mapping[str, Any]) -> None:
    """Raises InputError where weights, by name, are not finite numbers from 0, or all 0."""
    for name, value in values.items():
        real(value, name, 0)
    if not any(values.values()):
        all_of = "both" if len(values) == 2 else "all"
        raise InputError(f"{', '.join(values)}: expected weights from 0, not {all_of} 0")


def shown(value: Any, most: int = 60) -> str:
    """A value for a message, cut to a readable length."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python writes no whole number of more than 4300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def is_truth(value: Any) -> bool:
    """NumPy's and PyTorch's truth values, which Python's ``operator.index`` takes for 0 and 1."""
    return getattr(getattr(value, "dtype", None), "kind", None) == "b" or (
        str(getattr(value, "dtype", "")) == "torch.bool"
    )


def _between(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f" up to {high:g}"
    return f" from {_plain(low)}" + ("" if high is None else f" to {_plain(high)}")


def _plain(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
