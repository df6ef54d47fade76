"""Whatever standard output and error are: closed, of few characters, a terminal that obeys escapes."""

from __future__ import annotations

import codecs
import io
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from effort import few
from runtime.documents import registry_with

from djgraph.cli import main
from djgraph.cli.streams import FALLBACK, Screen, screens
from djgraph.effects import TimeEffect

from .conftest import Run, write_track

PYTHON = [sys.executable, "-m", "djgraph"]
HIDDEN = "\x1b]0;owned\x07\u202e\x9b2J\x00"

GRAPH = f"""
djgraph: 1
name: small
title: {json.dumps("Größe → " + HIDDEN)}
inputs: [{{name: a}}]
mixer:
  - {{strip: s, input: a, chain: [{{effect: gain, id: fader}}], to: out}}
  - bus: out
outputs: [out]
"""


class Printed(io.TextIOWrapper):
    """A stream in memory with an encoding of its own."""

    def __init__(self, encoding: str, errors: str = "strict") -> None:
        self.kept = io.BytesIO()
        super().__init__(self.kept, encoding, errors, write_through=True)

    @property
    def text(self) -> str:
        return self.kept.getvalue().decode(self.encoding)


def printed(
    monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: object, code: int = 0
) -> tuple[str, str]:
    """What a command prints to streams of an encoding: standard output and error."""
    out, err = Printed(encoding), Printed(encoding)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        assert main([str(argument) for argument in arguments]) == code, err.text
        assert (sys.stdout, sys.stderr) == (out, err)
    assert (out.errors, err.errors) == ("strict", "strict")
    return out.text, err.text


COMMANDS = [
    ("layout", "g.yaml"),
    ("layout", "g.yaml", "-f", "json"),
    ("layout", "g.yaml", "-f", "markdown"),
    ("layout", "g.yaml", "-f", "csv"),
    ("explain", "g.yaml"),
    ("explain", "g.yaml", "--json"),
    ("explain", "g.yaml", "--stage", "graph"),
    ("draw", "g.yaml"),
    ("validate", "g.yaml"),
    ("schema",),
    ("graphs",),
    ("graphs", "--json"),
    ("effects",),
    ("effects", "eq3"),
    ("effects", "--json"),
    ("plugins",),
    ("transitions",),
    ("transitions", "bass_swap"),
    ("render", "g.yaml", "-i", "a=a.wav", "-o", "mix.wav"),
    ("render", "g.yaml", "-i", "a=a.wav", "-o", "mix.wav", "--json"),
    ("--help",),
    ("render", "--help"),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.yaml").write_text(GRAPH, encoding="utf-8")
    folder = write_track(tmp_path / "stems", "track_a")
    os.replace(folder / "drums.wav", tmp_path / "a.wav")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("encoding", few(["cp1252", "cp437", "ascii", "utf-8"], 1))
def test_every_command_prints_in_every_encoding(
    here: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, command: tuple[str, ...]
) -> None:
    out, err = printed(monkeypatch, encoding, *command)
    assert out
    assert "Traceback" not in err
    for text in (out, err):
        assert not {"\x1b", "\x07", "\u202e", "\x9b", "\x00"} & set(text)
    if "--json" in command or command[0] == "schema" or "json" in command:
        data = json.loads(out)
        unicode, _ = printed(monkeypatch, "utf-8", *command)
        if command[0] != "render":  # which measures times
            assert data == json.loads(unicode)
    if command[0] == "draw":
        title = ElementTree.fromstring(out.lstrip("\ufeff")).find("{http://www.w3.org/2000/svg}title")
        assert title is not None
        assert title.text == "Größe → \\x1b]0;owned\\x07\\u202e\\x9b2J\\x00"


def test_what_an_encoding_lacks_is_written_in_ascii() -> None:
    assert "─→…×“ä”".encode("ascii", FALLBACK) == b'->...x"\\xe4"'
    assert "─→…×“ä”".encode("cp1252", FALLBACK) == "->…×“ä”".encode("cp1252")
    assert "\udcff\U0001f3a7".encode("utf-8", FALLBACK) == b"\\udcff" + "\U0001f3a7".encode()
    with pytest.raises(UnicodeDecodeError):
        codecs.decode(b"\xff", "utf-8", FALLBACK)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
def test_file_names_that_are_no_text(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.fsdecode(b"\xff\xfeg\x07.yaml")
    (here / name).write_text(GRAPH, encoding="utf-8")
    for encoding in ("utf-8", "latin-1", "ascii"):
        out, _ = printed(monkeypatch, encoding, "validate", name)
        assert out.startswith("\\udcff\\udcfeg\\x07.yaml: small")
        (here / name).write_text("a: [", encoding="utf-8")
        _, err = printed(monkeypatch, encoding, "validate", name, code=1)
        assert err.startswith("error: \\udcff\\udcfeg\\x07.yaml:1:")
        printed(monkeypatch, encoding, "layout", f"no{name}", code=1)
        (here / name).write_text(GRAPH, encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("validate", "no\x1b[31m\u202e.yaml"), 1),
        (("no\x1b[31m\u202ecommand",), 2),
        (("layout", "g.yaml", "--no\x1b[31m\u202e"), 2),
        (("layout", "g.yaml", "--arg", "no\x1b[31m\u202e"), 2),
        (("effects", "\x1b[31m\u202e"), 1),
        (("render", "g.yaml", "-i", "\x1b[31m\u202e=a.wav"), 1),
        (("layout", "bad.yaml"), 1),
    ],
)
def test_what_a_terminal_obeys_is_shown(
    here: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int
) -> None:
    (here / "bad.yaml").write_text(GRAPH + '"\\e[31m\\u202e": 1\n', encoding="utf-8")
    out, err = printed(monkeypatch, "utf-8", *arguments, code=code)
    assert "\\x1b[31m\\u202e" in err
    assert not {"\x1b", "\u202e"} & set(out + err)


def test_closed_streams_are_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with open(os.devnull, "w") as closed:
        pass
    for nothing in (None, closed):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", nothing)
            assert main(["layout", "g.yaml"]) == 0
            assert main(["layout", "no.yaml"]) == 1
            patch.setattr(sys, "stdout", nothing)
            assert main(["render", "g.yaml", "-i", "a=a.wav", "-o", "mix.wav"]) == 0
            assert main(["layout", "g.yaml", "-o", "layout.txt"]) == 0
            assert main(["validate", "g.yaml"]) == 0
            assert main(["layout", "g.yaml"]) == 1  # what it prints is lost
            assert main(["graphs", "--json"]) == 1
            assert sys.stdout is nothing
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", nothing)
            assert main(["graphs"]) == 1
            assert "standard output is closed" in capfd.readouterr().err
    assert (here / "mix.wav").exists()
    assert (here / "layout.txt").read_text().startswith("index")


def test_screens_lie_within_one_another_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with screens():
        first = sys.stdout
        assert isinstance(first, Screen)
        with screens():
            assert sys.stdout is first
            print("a\x1b")
        sys.stdout.writelines(["b\x07", "\n"])
    assert sys.stdout is out
    assert out.getvalue() == "a\\x1b\nb\\x07\n"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="closes streams as a shell does")
def test_streams_that_the_shell_closes(here: Path) -> None:
    command = " ".join([*PYTHON, "layout", "g.yaml"])
    done = subprocess.run(["/bin/sh", "-c", f"{command} >&- 2>err"], check=False)
    assert done.returncode == 1
    assert (
        here / "err"
    ).read_text() == "error: standard output is closed, so what this command prints is lost\n"
    done = subprocess.run(["/bin/sh", "-c", f"{command} -o layout.txt <&- >&- 2>&-"], check=False)
    assert done.returncode == 0
    assert (here / "layout.txt").read_text().startswith("index")


@pytest.mark.slow
def test_python_without_assertions_reads_graphs(here: Path) -> None:
    program = (
        "import sys, djgraph\n"
        "from djgraph.cli import main\n"
        "for command in (['validate', 'dj_mixer', 'g.yaml'], ['graphs'], ['transitions'],\n"
        "                ['render', 'g.yaml', '-i', 'a=a.wav', '-t', 'moves.yaml', '-o', 'mix.wav']):\n"
        "    assert False, 'assertions are on'\n"
        "    if code := main(command): sys.exit(code)\n"
    )
    (here / "moves.yaml").write_text(
        "automation: 1\nname: m\ncurves:\n  - {control: s.fader.gain, points: [[0s, 1], [1s, 0]]}\n"
    )
    done = subprocess.run([sys.executable, "-O", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 nodes" in done.stdout or "nodes" in done.stdout
    assert (here / "mix.wav").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize(
    "arguments", [("validate", "pipe.yaml"), ("transitions", "pipe.yaml"), ("transitions", "pipe.csv")]
)
def test_a_named_pipe_is_no_file(
    here: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    os.mkfifo(here / arguments[-1])
    _, err = printed(monkeypatch, "utf-8", *arguments, code=1)
    assert f"{arguments[-1]} is a named pipe, not " in err
    _, err = printed(monkeypatch, "utf-8", "validate", "/dev/null", code=1)
    assert "/dev/null is a device, not a graph file" in err


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="this system has no /dev/stdin")
def test_a_graph_may_come_from_another_program(here: Path) -> None:
    done = subprocess.run(
        [*PYTHON, "validate", "/dev/stdin"], input=GRAPH, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("/dev/stdin: small")


class Chatty(TimeEffect):
    """An effect whose author left a print in it."""

    type = "chatty"

    def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
        print("processing")
        return {"out": audio["in"]}, state


@pytest.mark.parametrize(
    "command",
    [
        ("render", "g.yaml", "-i", "a=a.wav", "-o", "mix.wav", "--json"),
        ("explain", "g.yaml", "--seconds", "1", "--json"),
        ("profile", "g.yaml", "--seconds", "1", "--repeats", "1", "--json"),
    ],
    ids=lambda command: command[0],
)
def test_what_an_effect_prints_does_not_stand_in_json(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    registry = registry_with(Chatty)
    monkeypatch.setattr("djgraph.plugins.registry", lambda: registry)
    Path("g.yaml").write_text(
        "{djgraph: 1, name: g, inputs: [{name: a}], outputs: [m],"
        " mixer: [{strip: s, input: a, chain: [chatty], to: m}, {bus: m}]}"
    )
    soundfile.write("a.wav", np.zeros((4410, 2)), 44100)
    result = run(*command)
    assert isinstance(json.loads(result.stdout), dict)
    assert "processing" in result.stderr
    assert "processing" in run(*command[:-1]).stdout
