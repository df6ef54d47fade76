"""The plans of the graphs that ship, kept as text, so that a change of the compiler is seen and reviewed.

To accept new plans, run this file with ``DJGRAPH_WRITE_GOLDEN=1`` in the environment and review what
``git diff tests/compiler/golden`` shows: more calls, more transforms or later frees are a step back.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import djgraph

FOLDER = Path(__file__).parent / "golden"
WRITE = "DJGRAPH_WRITE_GOLDEN"
SHIPPED = [name for name, entry in djgraph.registry().graphs.items() if entry.distribution == "djgraph"]


@pytest.mark.parametrize("name", SHIPPED)
def test_plan_is_the_reviewed_one(name: str) -> None:
    path = FOLDER / f"{name}.txt"
    made = djgraph.compile(name).explain(costs=False) + "\n"
    if os.environ.get(WRITE):
        path.write_text(made, encoding="utf-8")
        pytest.skip(f"wrote {path.name}; review it with git diff")
    assert path.exists(), f"{path.name} is missing: run with {WRITE}=1 and review what it writes"
    assert made == path.read_text(encoding="utf-8"), (
        f"the plan of {name} changed: if that is meant, run with {WRITE}=1 and review the difference"
    )


def test_no_golden_plan_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(SHIPPED)
