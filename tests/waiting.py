"""Waits for what another thread does: for as long as a very busy machine may take, since no test asserts a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 120.0
"""Seconds."""


def until(
    ready: Callable[[], Any],
    what: str = "it does not come about",
    wait: Callable[[float], None] = time.sleep,
) -> Any:
    """Wait for a condition, and return what it gave; AssertionError with ``what`` where it never holds."""
    ends = time.monotonic() + PATIENCE
    while not (found := ready()):
        if time.monotonic() > ends:
            raise AssertionError(what)
        wait(0.005)
    return found
