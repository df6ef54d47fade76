"""How hard tests try: a few examples and cases in the daily loop, all of them before a merge."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import torch

FULL = os.environ.get("DJGRAPH_EXAMPLES") == "full"
"""Whether every example is tried; ``.ci/run`` says so."""
QUICK_SHARE = 0.1
QUICK_LEAST = 5


def examples(count: int, least: int = QUICK_LEAST) -> int:
    """``max_examples`` of a property test: ``count``, or a tenth of it (at least ``least``) in the quick profile."""
    return count if FULL else min(count, max(least, round(QUICK_SHARE * count)))


def few(cases: Iterable[Any], keep: int) -> list[Any]:
    """Cases for ``pytest.mark.parametrize``, of which the daily loop runs ``keep``: the first, or several spread evenly
    from the first to the last. The others are marked ``slow``. A tuple is a row of values, one for each name."""
    rows = [case if isinstance(case, tuple) else (case,) for case in cases]
    kept = {round(i * (len(rows) - 1) / max(keep - 1, 1)) for i in range(keep)}
    return [pytest.param(*row, marks=() if i in kept else pytest.mark.slow) for i, row in enumerate(rows)]


def gradcheck(function: Any, inputs: Any, **options: Any) -> bool:
    """Of PyTorch: against finite differences, along random directions in the daily loop, else entry by entry."""
    return torch.autograd.gradcheck(function, inputs, **_quickly(inputs) | options)


def gradgradcheck(function: Any, inputs: Any, **options: Any) -> bool:
    """The same of the second derivative."""
    return torch.autograd.gradgradcheck(function, inputs, **_quickly(inputs) | options)


def _quickly(inputs: Any) -> dict[str, bool]:
    given = [inputs] if isinstance(inputs, torch.Tensor) else inputs
    # Along random directions PyTorch also moves what needs no gradient (2.14), and finds faults that are none.
    every = all(one.requires_grad for one in given if isinstance(one, torch.Tensor))
    return {"fast_mode": not FULL and every}


def spread(mark: pytest.MarkDecorator, shares: Mapping[str, int]) -> pytest.MarkDecorator:
    """Of ``parametrize_with_checks``: a check with a share of n runs in the daily loop for one effect of n, another
    check for the effect after it. The others are marked ``slow``. What has no share runs for every effect."""
    names, cases = mark.args
    effects: dict[str, int] = {}
    rows = []
    for case in cases:
        effect, _, check = case.id.rpartition("-")
        place = effects.setdefault(effect, len(effects))
        late = check in shares and (place + list(shares).index(check)) % shares[check]
        rows.append(
            pytest.param(*case.values, id=case.id, marks=(*case.marks, *[pytest.mark.slow] * bool(late)))
        )
    return pytest.mark.parametrize(names, rows)
