"""The Python in the layout and training guides runs, block after block."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from effort import few

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", few(["layout.md", "training.md"], 1))
def test_the_guide_runs(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    assert len(blocks) >= 4
    namespace: dict[str, Any] = {"__name__": "guide"}
    for block in blocks:
        line = text[: block.start(1)].count("\n")
        exec(compile("\n" * line + block[1], str(DOCS / name), "exec"), namespace)
