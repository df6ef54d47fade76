"""Files that appear whole: long names, what kills leave, writers at the same time, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from djgraph import signals
from djgraph.atomic import atomic_writer, atomic_writers, check_target, hidden, write_text
from djgraph.errors import DJGraphError, Terminated

HANGING = """
import sys, time
from djgraph.atomic import atomic_writer
with atomic_writer(sys.argv[1]) as file:
    file.write(b"half"); file.flush()
    print("ready", flush=True)
    time.sleep(100)
"""
posix = pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")


@pytest.mark.parametrize(
    "name", ["x" * 245, "x" * 255, "ä" * 127, "日" * 85, "日" * 83 + "abcde", os.fsdecode(b"\xe9" * 250)]
)
def test_names_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    with atomic_writer(tmp_path / name) as file:
        file.write(b"whole")
        inside = os.listdir(tmp_path)
        assert all(len(os.fsencode(part)) <= 255 for part in inside)
        assert all(part.startswith(".") and part.endswith(".part") for part in inside)
        if "日" in name:
            inside[0].encode()  # cut between characters
    assert os.listdir(tmp_path) == [name]
    assert len(os.fsencode(hidden(tmp_path / name, ".fit.json").name)) <= 255


@pytest.mark.parametrize("name", ["x" * 256, "a\0b", "日" * 86])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    for function in (check_target, lambda path: write_text(path, "")):
        with pytest.raises(DJGraphError):
            function(tmp_path / name)
    assert os.listdir(tmp_path) == []


@posix
def test_what_a_kill_leaves_is_taken_away_and_a_living_writer_is_not(tmp_path: Path) -> None:
    path = tmp_path / "mix.wav"
    child = subprocess.Popen([sys.executable, "-c", HANGING, str(path)], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        left = [tmp_path / name for name in os.listdir(tmp_path)]
        assert [part.read_bytes() for part in left] == [b"half"]
        write_text(path, "another's")  # while it lives
        assert left[0].read_bytes() == b"half"
        assert path.read_text() == "another's"
    finally:
        child.kill()
        child.communicate()
    assert left[0].exists()
    write_text(path, "mine")
    assert os.listdir(tmp_path) == ["mix.wav"]
    assert path.read_text() == "mine"


@posix
def test_what_is_no_leftover_is_left_alone(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "other"
    other.write_text("precious")
    (tmp_path / ".a.part").symlink_to(other)
    os.mkfifo(tmp_path / ".a.1.part")
    (tmp_path / ".a.2.part").mkdir()
    write_text(path, "x")
    assert path.read_text() == "x"
    assert other.read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == [".a.1.part", ".a.2.part", ".a.part", "a", "other"]


def test_file_names_that_are_no_text_are_escaped_as_json_has_them(tmp_path: Path) -> None:
    write_text(tmp_path / "a.json", f'"{os.fsdecode(bytes([99, 97, 102, 0xE9]))}"')
    assert (tmp_path / "a.json").read_bytes() == rb'"caf\udce9"'


# -- signals ---------------------------------------------------------------------------------------------

WRITING = """
import signal, sys, torch
from djgraph import audio
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
def end(number, frame): sys.exit(128 + number)
signal.signal(signal.SIGTERM, end); signal.signal(signal.SIGHUP, end)
sound = 0.1 * torch.randn(2, 44100 * 60)
def told(samples):
    global told; told = lambda samples: None
    print("ready", flush=True)
audio.write(sys.argv[1], sound, 44100, progress=lambda samples: told(samples))
"""


@pytest.mark.slow
@posix
@pytest.mark.parametrize(("name", "code"), [("SIGINT", -2), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_while_a_file_is_written(tmp_path: Path, name: str, code: int) -> None:
    path = tmp_path / "mix.mp3"  # whose encoder calls back all the time
    path.write_text("old")
    child = subprocess.Popen(
        [sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(getattr(signal, name))
    _, errors = child.communicate(timeout=100)
    assert (child.returncode, b"cffi" in errors) == (code, False), errors
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_text() == "old"


@posix
@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)],
    ids=["INT", "TERM"],
)
def test_a_signal_in_a_finaliser_is_not_lost(number: int, error: type[BaseException]) -> None:
    """Where Python forgets what is raised."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(128 + number)

    class Finalised:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)
            time.sleep(0)  # the handler runs here

    def lose_one() -> None:
        with signals.insistent():
            Finalised()
            time.sleep(10)

    before = signal.signal(number, end)
    try:
        with pytest.raises(error):
            lose_one()
    finally:
        signal.signal(number, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0)  # Python's handler runs between two of its own instructions


def test_held_signals_are_handed_on_where_asked_for() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        steps: list[str] = []

        def handed_on_in_the_middle() -> None:
            with signals.held() as hand_on:
                press()
                steps.append("held")
                hand_on()
                steps.append("never")

        def handed_on_at_the_end() -> None:
            with signals.held():
                press()
                steps.append("held to the end")

        def with_an_error() -> None:
            with signals.held():
                press()
                raise ValueError("at the same time")

        for function in (handed_on_in_the_middle, handed_on_at_the_end, with_an_error):
            with pytest.raises(KeyboardInterrupt):
                function()
        assert steps == ["held", "held to the end"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals.held() as hand_on:
            press()
            hand_on()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# -- several files -----------------------------------------------------------------------------------


def several(folder: Path, *names: str) -> list[Path]:
    return [folder / name for name in names]


def write_all(paths: list[Path], problem: BaseException | None = None) -> None:
    with atomic_writers(paths) as files:
        for file in files:
            file.write(b"new")
            if problem is not None:
                raise problem


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_several_files_take_their_names_together(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"old")
    with atomic_writers(several(tmp_path, "a", "b", "c")) as files:
        for number, file in enumerate(files):
            file.write(bytes([number]))
        assert (tmp_path / "b").read_bytes() == b"old"
        assert not (tmp_path / "a").exists()
    assert contents(tmp_path) == {"a": b"\0", "b": b"\1", "c": b"\2"}


@pytest.mark.parametrize(
    "problem", [ValueError("no"), KeyboardInterrupt(), OSError(28, "No space left on device")]
)
def test_none_of_several_files_where_one_fails(tmp_path: Path, problem: BaseException) -> None:
    (tmp_path / "b").write_bytes(b"old")
    kind = DJGraphError if isinstance(problem, OSError) else type(problem)
    with pytest.raises(kind):
        write_all(several(tmp_path, "a", "b"), problem)
    assert contents(tmp_path) == {"b": b"old"}


def test_none_of_several_files_where_one_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(DJGraphError, match=r"the folder .* does not exist"):
        write_all([tmp_path / "a", tmp_path / "none" / "b"])
    with pytest.raises(DJGraphError, match="two of the files to write have this name"):
        write_all([tmp_path / "a", tmp_path / "c", tmp_path / "." / "a"])
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_renames_are_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int, there: bool
) -> None:
    for name in "ab" if there else "":
        (tmp_path / name).write_bytes(b"old")
    before, replace, done = contents(tmp_path), os.replace, 0

    def fails(source: Path, target: Path) -> None:
        nonlocal done
        if source.name.endswith(".part"):
            done += 1
            if done == failing + 1:
                raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(DJGraphError, match=f"{'abc'[failing]}: cannot be written: Permission denied"):
        write_all(several(tmp_path, "a", "b", "c"))
    assert contents(tmp_path) == before
    monkeypatch.undo()
    write_all(several(tmp_path, "a", "b", "c"))
    assert contents(tmp_path) == dict.fromkeys("abc", b"new")
