"""How hard tests try: a few examples and cases in the daily loop, all of them before a merge."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest

FULL = os.environ.get("DJGRAPH_EXAMPLES") == "full"
"""Whether every example is tried; ``.ci/run`` says so."""
QUICK_SHARE = 0.1
QUICK_LEAST = 5


def examples(count: int) -> int:
    """``max_examples`` of a property test: ``count``, or a tenth of it (at least 5) in the quick profile."""
    return count if FULL else min(count, max(QUICK_LEAST, round(QUICK_SHARE * count)))


def few(cases: Iterable[Any], keep: int) -> list[Any]:
    """Cases for ``pytest.mark.parametrize``, of which the daily loop runs ``keep``: the first, or several spread evenly
    from the first to the last. The others are marked ``slow``. A tuple is a row of values, one for each name."""
    rows = [case if isinstance(case, tuple) else (case,) for case in cases]
    kept = {round(i * (len(rows) - 1) / max(keep - 1, 1)) for i in range(keep)}
    return [pytest.param(*row, marks=() if i in kept else pytest.mark.slow) for i, row in enumerate(rows)]
