"""A way to write down where an error must point: a ▸ in the text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Marked = Callable[[str], tuple[str, int, int]]


@pytest.fixture(scope="session")
def marked() -> Marked:
    """Takes the one ▸ out of a text, and says in which line and column it stood."""

    def take_out(text: str) -> tuple[str, int, int]:
        before, _, after = text.partition("▸")
        assert "▸" not in after
        return before + after, before.count("\n") + 1, len(before) - before.rfind("\n")

    return take_out
