"""The page's example runs, and finds what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "finding.md"


@pytest.mark.slow
def test_the_example_runs() -> None:
    (block,) = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    space: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), space)
    (passage,) = space["found"].passages
    assert passage.position(11025) == pytest.approx(33075, abs=0.1)
    assert passage.rate == pytest.approx(1, abs=1e-5)
