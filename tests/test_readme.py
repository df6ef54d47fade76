"""The README's snippets run, its links lead somewhere, and its picture is the graph it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import djgraph
from djgraph.drawing import to_svg

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_python_runs() -> None:
    namespace: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)
    assert namespace["audio"].shape == (1, 2, 44100)
    assert namespace["params"].grad.shape == (3, 54)


def test_the_page_on_streams_runs() -> None:
    text = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    found = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    namespace: dict[str, Any] = {}
    for block in found:
        exec(compile(block, "streams.md", "exec"), namespace)
    assert namespace["audio"].shape == (1, 2, 51200)
    assert namespace["live"].stream().latency == 111


def test_yaml_compiles(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    path = tmp_path / "two_faders.yaml"
    path.write_text(block)
    names = djgraph.compile(path).layout.names
    assert "left.fader.gain" in names
    assert "right.room_send" in names


def test_commands_exist() -> None:
    from typer.testing import CliRunner

    from djgraph.cli.app import app

    for command in set(
        re.findall(r"^djgraph (\w+)|&& djgraph (\w+)", "\n".join(blocks("bash")), re.MULTILINE)
    ):
        result = CliRunner().invoke(app, [command[0] or command[1], "--help"])
        assert result.exit_code == 0, result.output


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        text = re.sub(r"```.*?```|`[^`\n]*`(?!\])", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_picture_is_up_to_date() -> None:
    drawn = (ROOT / "docs" / "dj_mixer.svg").read_text(encoding="utf-8")
    assert drawn == to_svg(djgraph.load("dj_mixer")), "run: djgraph draw dj_mixer -o docs/dj_mixer.svg"
