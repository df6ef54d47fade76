"""The guides to data and losses run: Python and commands, block after block."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from djgraph.cli import app

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "python", "commands"),
    [("data.md", 9, 4), ("scale.md", 1, 0), ("losses.md", 4, 0), ("reports.md", 2, 0), ("metrics.md", 2, 0)],
)
def test_the_guide_runs(
    name: str, python: int, commands: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / name).read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "guide"}
    ran = {"python": 0, "bash": 0}
    for block in re.finditer(r"^```(python|bash)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        line = text[: block.start(2)].count("\n")
        if block[1] == "python":
            exec(compile("\n" * line + block[2], str(DOCS / name), "exec"), namespace)
            ran["python"] += 1
            continue
        for command in block[2].splitlines():
            result = CliRunner().invoke(
                app,
                [
                    *shlex.split(command)[1:],
                    *(["-j", "1"] if " make " in command or " shard " in command else []),
                ],
            )
            assert result.exit_code == 0, result.output
            ran["bash"] += 1
    assert ran == {"python": python, "bash": commands}
