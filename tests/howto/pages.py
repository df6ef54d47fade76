"""Pages of questions and answers, cut into blocks that can be run, and what runs them.

A block whose first line is ``# NAME.EXT`` is a file of that name. Other ``python`` blocks are run, and the commands of
``bash`` blocks; what they print, or the error that they end in, has to hold the lines of the ``text`` block behind
them. A comment above a block says what is special: ``<!-- fails -->`` (it ends in an error of djgraph),
``<!-- not run: WHY -->`` (only its words are checked), ``<!-- needs: PACKAGE -->`` (skipped without it).
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import itertools
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from djgraph.cli import app
from djgraph.errors import DJGraphError

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)
NAME = re.compile(r"\A# (?P<name>[\w-]+(?:/[\w-]+)?\.(?:yaml|toml))\n")
OTHERS = ("pip", "cd", "python", "pytest", "torchrun", "demucs", "ffmpeg", "export")
"""What a command may begin with beside djgraph: it is not run."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    code: str
    mark: str
    line: int
    """The line of the page before its first one."""

    @property
    def commands(self) -> list[str]:
        """What a ``bash`` block runs: its lines, with those that end in a backslash joined to the next."""
        return self.code.replace("\\\n", " ").splitlines()

    @property
    def file(self) -> str | None:
        named = NAME.match(self.code)
        return named["name"] if named else None


@dataclass(frozen=True)
class Section:
    """A question, and the blocks of its answer."""

    page: Path
    title: str
    text: str
    blocks: tuple[Block, ...]

    @property
    def anchor(self) -> str:
        """What the heading is called in links, on GitHub and in MkDocs."""
        return slug(self.title)


def slug(heading: str) -> str:
    """What a heading is called in links."""
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


def read(name: str) -> tuple[Section, list[Section]]:
    """What stands on a page above its first question, and its questions."""
    page = DOCS / name
    text = page.read_text(encoding="utf-8")
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    sections, offset = [], 0
    for title, body in zip(["", *parts[1::2]], parts[::2]):
        offset = text.index(body, offset)
        first = text[:offset].count("\n")
        blocks = tuple(
            Block(
                found["language"],
                found["code"],
                found["mark"] or "",
                first + body[: found.start("code")].count("\n"),
            )
            for found in BLOCK.finditer(body)
        )
        assert len(blocks) == body.count("```") / 2, f"a block of {page.name}, {title!r}, is not read"
        sections.append(Section(page, title, body, blocks))
    return sections[0], sections[1:]


def run(section: Section, namespace: dict[str, Any]) -> None:
    """Run all blocks of a section, in the working directory."""
    said: str | None = None
    for block in section.blocks:
        where = f"{section.page.name}, line {block.line + 1}"
        if block.mark.startswith("needs: "):
            for package in block.mark.removeprefix("needs: ").split(", "):
                if importlib.util.find_spec(package) is None:
                    pytest.skip(f"{package} is not installed")
        if block.language == "text":
            assert said is not None, f"{where}: nothing was said before"
            holds(said.replace("howto_answer", "__main__"), block.code, where)
        elif block.file is not None:
            Path(block.file).parent.mkdir(exist_ok=True)
            Path(block.file).write_text(block.code, encoding="utf-8")
        elif block.mark.startswith("not run: "):
            assert block.language == "bash", where
            for command in block.commands:
                known(command, where)
        elif block.language == "python":
            said = _python(block, section.page, namespace, where)
        elif block.language == "bash":
            said = "".join(_command(line, block.mark == "fails", where) for line in block.commands)
        else:
            raise AssertionError(f"{where}: what is a block of {block.language!r} without a name?")


def _python(block: Block, page: Path, namespace: dict[str, Any], where: str) -> str:
    written = io.StringIO()
    code = compile("\n" * block.line + block.code, str(page), "exec", dont_inherit=True)
    with contextlib.redirect_stdout(written):
        if block.mark != "fails":
            exec(code, namespace)
            return written.getvalue()
        with pytest.raises(DJGraphError) as caught:
            exec(code, namespace)
    return written.getvalue() + str(caught.value)


def _command(line: str, fails: bool, where: str) -> str:
    words = shlex.split(line, comments=True)
    if words[0] != "djgraph":
        known(line, where)
        return ""
    result = CliRunner().invoke(app, words[1:], env={"COLUMNS": "200"})
    assert (result.exit_code == 1) if fails else (result.exit_code == 0), f"{where}: {line}\n{result.output}"
    return result.output


def known(line: str, where: str) -> None:
    """A command that is not run names a command and options that there are."""
    words = shlex.split(line, comments=True)
    if words[0] != "djgraph":
        assert words[0] in OTHERS, f"{where}: {line}"
        return
    name = list(itertools.takewhile(lambda word: re.fullmatch(r"[a-z]+", word), words[1:]))
    options = _options(*(name[:2] if name[0] in ("dataset", "new") or name == ["set", "new"] else name[:1]))
    lost = [word for word in words if re.match(r"-{1,2}[a-z]", word) and word.split("=")[0] not in options]
    assert not lost, f"{where}: {line} has no {', '.join(lost)}"


@functools.cache
def _options(*command: str) -> set[str]:
    """The options of a command, as its help has them."""
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, f"djgraph {' '.join(command)} --help: {result.output}"
    return set(re.findall(r"(?<![\w-])-{1,2}[a-z][\w-]*", result.output)) | {"-j"}


def holds(said: str, wanted: str, where: str) -> None:
    """The lines of ``wanted`` stand in what was said, in order; ``…`` stands for anything within a line, or, alone, for
    lines."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for line in wanted.splitlines():
        text = " ".join(line.split())
        if text in ("", "…"):
            continue
        pattern = ".*".join(re.escape(part) for part in text.split("…"))
        at = next((i for i, found in enumerate(lines) if re.fullmatch(pattern, found)), None)
        assert at is not None, f"{where}: {line!r} is not in\n{said}"
        lines = lines[at + 1 :]
