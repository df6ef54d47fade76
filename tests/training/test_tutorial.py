"""docs/tutorial.md: every command and snippet runs in order, on fewer transitions and fewer epochs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from djgraph.cli import app
from djgraph.data import Corpus

from .conftest import ROOT, Script

PAGE = ROOT / "docs" / "tutorial.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^(?:<!-- (run|run slow) -->\n)?```(python|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SMALL = {"--count": "6", "--seconds": "1", "sample_rate": "11025"}
FEW = ["--epochs", "1", "--device", "cpu", "--hidden", "8", "--batch", "2"]


def smaller(words: list[str]) -> list[str]:
    """A command of djgraph dataset make, with less to do."""
    words = list(words)
    for option in ("--count", "--seconds"):
        words[words.index(option) + 1] = SMALL[option]
    return [re.sub("sample_rate=.*", f"sample_rate={SMALL['sample_rate']}", word) for word in words] + [
        "-j",
        "1",
    ]


@pytest.mark.slow
def test_the_tutorial_runs(
    script: Callable[[str], Script], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "tutorial"}
    ran: list[str] = []
    for block in BLOCK.finditer(TEXT):
        mark, language, code = block.groups()
        line = TEXT[: block.start(3)].count("\n")
        if language == "python":
            exec(compile("\n" * line + code, str(PAGE), "exec"), namespace)
            ran.append("python")
        elif mark is not None:
            for command in code.splitlines():
                ran.append(run(shlex.split(command), command, script))
    assert ran.count("python") == 3
    assert ran.count("djgraph") == 5
    assert ran.count("examples") == 7
    assert {path.name for path in tmp_path.iterdir()} >= {
        "mix.flac",
        "moves.yaml",
        "heard.yaml",
        "run",
        "run2",
        "gan",
    }
    assert len(Corpus("corpus")) == 6
    for name in ("run", "run2", "listener", "gan"):
        files = {path.name for path in (tmp_path / name).iterdir()}
        assert files >= {"checkpoint.safetensors", "log.jsonl", "report.json"}


def run(words: list[str], command: str, script: Callable[[str], Script]) -> str:
    """Run a command; what kind it was."""
    if words[0] == "echo":
        subprocess.run(command, shell=True, check=True)
        return "shell"
    if words[0] == "djgraph":
        result = CliRunner().invoke(app, smaller(words[1:]) if "make" in words else words[1:])
        assert result.exit_code == 0, f"{command}\n{result.output}"
        return "djgraph"
    at = next(i for i, word in enumerate(words) if word.startswith("examples/"))
    name, options = Path(words[at]).stem, words[at + 1 :]
    if name != "play_transition":
        options += FEW
    if words[0] == "python":
        assert script(name)(*options) == 0, command
    else:
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words[1:at]]
        done = subprocess.run(
            [*start, str(ROOT / words[at]), *options],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
    return "examples"


def test_every_command_exists() -> None:
    """The quick half: what is written names commands and scripts that there are."""
    commands = [
        line for _, language, code in BLOCK.findall(TEXT) if language == "bash" for line in code.splitlines()
    ]
    assert len(commands) > 12
    for command in commands:
        words = shlex.split(command)
        assert words[0] in ("djgraph", "python", "torchrun", "echo", "pip"), command
        if words[0] == "djgraph":
            found = CliRunner().invoke(
                app, [words[1], *(["make"] if words[1] == "dataset" else []), "--help"]
            )
            assert found.exit_code == 0, command
        for word in words:
            assert not word.startswith("examples/") or (ROOT / word).is_file(), command
