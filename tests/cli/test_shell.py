"""What a shell sees: exit codes, streams, help, interrupts, closed pipes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import typer
from interrupts import interruptible
from typer.testing import CliRunner

from djgraph.cli import app
from djgraph.cli.errors import Group
from djgraph.errors import DJGraphError

from .conftest import Run

COMMANDS = [command.name or "" for command in app.registered_commands]
PYTHON = [sys.executable, "-m", "djgraph"]


def shell(*arguments: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PYTHON, *arguments], capture_output=True, text=True, **kwargs)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(run: Run, command: str) -> None:
    text = run(command, "--help").stdout
    assert f"djgraph {command}" in text
    assert "Usage" in text


@pytest.mark.parametrize("arguments", [["--help"], ["render", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "djgraph", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    heavy = {"torch", "numpy", "soundfile", "networkx", "ruamel.yaml", "pluggy", "rich", "djgraph.plugins"}
    assert not heavy & imported


def test_version() -> None:
    done = shell("--version")
    assert done.returncode == 0
    assert re.match(r"djgraph (\d|, not installed)", done.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["render"],
        ["render", "dj_mixer", "--nonsense"],
        ["layout", "dj_mixer", "-f", "xml"],
        ["validate"],
    ],
)
def test_wrong_usage_is_2(run: Run, arguments: list[str]) -> None:
    assert "Usage" in run(*arguments, code=2).stderr


def test_no_command_prints_help() -> None:
    done = shell()
    assert done.returncode in (0, 2)  # click 8.2 and later say 2
    assert "Commands:" in done.stdout + done.stderr


def test_documentation_names_every_command_and_option() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    for command in COMMANDS:
        assert f"## {command}\n" in text
        usage = CliRunner().invoke(app, [command, "--help"]).stdout
        for option in re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", usage, re.MULTILINE):
            assert option in text or option == "--help", f"docs/cli.md does not name {option} of {command}"


def small_app(problem: BaseException) -> typer.Typer:
    app = typer.Typer(cls=Group, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.callback()
    def options(debug: bool = False) -> None: ...

    @app.command()
    def work() -> None:
        raise problem

    return app


@pytest.mark.parametrize(
    ("problem", "code", "message"),
    [
        (DJGraphError("it is wrong\n  at: mixer[0]"), 1, "error: it is wrong\n  at: mixer[0]\n"),
        (PermissionError(13, "Permission denied", "x.wav"), 1, "error: x.wav: Permission denied\n"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device\n"),
        (MemoryError(), 1, "error: not enough memory for this"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, "error: not enough memory for this"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
    ],
)
def test_errors_become_a_message_and_a_code(problem: BaseException, code: int, message: str) -> None:
    result = CliRunner().invoke(small_app(problem), ["work"])
    assert result.exit_code == code
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_bug_keeps_its_traceback() -> None:
    result = CliRunner().invoke(small_app(RuntimeError("shapes")), ["work"])
    assert isinstance(result.exception, RuntimeError)


@pytest.mark.slow
def test_debug_shows_the_traceback() -> None:
    result = CliRunner().invoke(small_app(DJGraphError("wrong")), ["--debug", "work"])
    assert isinstance(result.exception, DJGraphError)
    done = shell("effects", "no_such_effect", env={**os.environ, "DJGRAPH_DEBUG": "1"})
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    done = shell("effects", "no_such_effect")
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no effect 'no_such_effect'")
    assert "Traceback" not in done.stderr


def test_warnings_are_one_line() -> None:
    app = typer.Typer(cls=Group)

    @app.callback()
    def options() -> None: ...

    @app.command()
    def work() -> None:
        warnings.warn("a plugin was left out", UserWarning, stacklevel=1)

    assert CliRunner().invoke(app, ["work"]).stderr == "warning: a plugin was left out\n"


@pytest.mark.slow
def test_a_closed_pipe_is_quiet() -> None:
    with subprocess.Popen([*PYTHON, "effects"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*PYTHON, "effects"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_while_writing_leaves_nothing(tmp_path: Path, number: int, code: int) -> None:
    program = (
        "import os, sys\n"
        "from djgraph.audio.outputs import Outputs\n"
        "from djgraph.cli import main\n"
        "write = Outputs.write\n"
        "def killed(self, blocks):\n"
        "    write(self, blocks)\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "Outputs.write = killed\n"
        "sys.exit(main(['demo']))\n"
    )
    with interruptible():
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=with_path(),
        )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def with_path() -> dict[str, str]:
    """The environment, with imports as here also from another working folder."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.mark.parametrize("what", [EOFError("Ran out of input"), typer.Abort()])
def test_never_a_bare_abort(monkeypatch: pytest.MonkeyPatch, what: BaseException) -> None:
    """typer ends an EOFError from anywhere below with the one word "Aborted!"."""
    from djgraph.cli import graphs

    def failing() -> None:
        raise what

    small = typer.Typer(cls=Group, add_completion=False, pretty_exceptions_enable=False)
    small.command("fail")(failing)
    small.command("other")(graphs.schema)
    small.callback()(lambda debug=False: None)
    result = CliRunner().invoke(small, ["fail"])
    assert result.exit_code == 1
    assert "Aborted" not in result.output
    assert "ended too early" in result.output
    assert type(what).__name__ in result.output
