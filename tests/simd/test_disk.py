"""Compiled code on disk: kept, found again, and compiled anew where what is there is not fit to be used."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from effort import few
from numba.core import config

from djgraph.simd import disk, jit


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for compiled code; warnings come again."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(disk, "_said", set())
    return tmp_path / "cache"


def make(factor: int = 3) -> Any:
    """The same function each time, as another process would make it."""

    def times(x):
        return factor * x

    return jit.kept(times)


def compiled(function: Any) -> bool:
    """Whether it was not found on disk."""
    return not sum(function.stats.cache_hits.values())


def only(cache: Path) -> Path:
    (file,) = [path for path in cache.rglob("*") if path.is_file()]
    return file


def test_code_is_found_again(cache: Path) -> None:
    first, second = make(), make()
    assert first(4) == 12
    assert compiled(first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert second(4) == 12
    assert not compiled(second)


def test_another_signature_another_stamp_and_other_constants_are_not_mixed_up(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make()(4) == 12
    assert make()(4.5) == 13.5
    assert len(list(cache.rglob("*.nbc"))) == 2
    assert make(5)(4) == 20
    monkeypatch.setattr(jit, "stamp", lambda: "other sources")
    changed = make(5)
    assert changed(4) == 20
    assert compiled(changed)
    assert len(list(cache.rglob("*.nbc"))) == 2  # what is out of date is overwritten, not left beside the new


def flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


DAMAGES: dict[str, Any] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "a bit of the machine code": lambda data: flip(data, len(data) // 2),
    "a bit of the sum": lambda data: flip(data, 30),
    "zeros": lambda data: bytes(len(data)),
    "text": lambda data: b"<html>404</html>" * 100,
    "a pickle": lambda data: pickle.dumps({"some": "thing"}),
    "half a pickle": lambda data: pickle.dumps(list(range(1000)))[:99],
    "an index of Numba's": lambda data: pickle.dumps("0.68.1") + pickle.dumps(((1, 2), {})),
}


@pytest.mark.parametrize("damage", few(DAMAGES, 4))
def test_a_damaged_file_is_replaced_and_said_once(cache: Path, damage: str) -> None:
    make()(4)
    file = only(cache)
    whole = file.read_bytes()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            file.write_bytes(DAMAGES[damage](whole))
            assert make()(4) == 12
    assert len(said) == 1
    assert "not used, and its code is compiled anew" in str(said[0].message)
    third = make()
    assert third(4) == 12
    assert not compiled(third)


def test_well_kept_nonsense_is_not_used(cache: Path) -> None:
    """A right sum over something that is not what was asked for."""
    import hashlib

    make()(4)
    file = only(cache)
    for payload in (pickle.dumps((1, 2)), pickle.dumps(None), b"cut"):
        file.write_bytes(disk._BEGINNING + hashlib.sha256(payload).digest() + payload)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert make()(4) == 12


class Trap:
    """Unpickling it leaves a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
@pytest.mark.parametrize("how", ["no sum", "group may write", "all may write", "another owner"])
def test_nothing_is_unpickled_that_another_user_could_have_written(
    cache: Path, tmp_path: Path, how: str
) -> None:
    import hashlib

    make()(4)
    file, sprung = only(cache), tmp_path / "sprung"
    payload = pickle.dumps(Trap(sprung))
    head = b"" if how == "no sum" else disk._BEGINNING + hashlib.sha256(payload).digest()
    file.write_bytes(head + payload)
    if how == "another owner":
        if os.geteuid():
            pytest.skip("only root can give a file away")
        os.chown(file, 12345, 12345)
    file.chmod({"group may write": 0o664, "all may write": 0o606}.get(how, 0o644))
    with pytest.warns(RuntimeWarning, match="not used"):
        assert make()(4) == 12
    assert not sprung.exists()


@pytest.mark.skipif(os.name != "posix", reason="needs umask")
def test_a_generous_umask_does_not_make_the_cache_useless(cache: Path) -> None:
    before = os.umask(0)
    try:
        make()(4)
    finally:
        os.umask(before)
    again = make()
    assert again(4) == 12
    assert not compiled(again)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a link to nowhere", "a link in a circle"])
def test_something_else_in_its_place(cache: Path, kind: str) -> None:
    make()(4)
    file = only(cache)
    file.unlink()
    if kind == "a pipe":
        os.mkfifo(file)
    elif kind == "a folder":
        file.mkdir()
    else:
        file.symlink_to(file if "circle" in kind else file.with_name("nothing"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert make()(4) == 12
        assert make()(4) == 12
    assert len(said) <= 2  # it cannot be read, and cannot be written
    assert all("compile" in str(warning.message) for warning in said)


def test_a_disk_without_room(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RLIMIT_FSIZE stands in for a full disk: the system refuses to write beyond it."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    function = make()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.warns(RuntimeWarning, match="compiled code is not kept"):
            assert function(4) == 12
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in cache.rglob("*") if path.is_file()]  # nor half of it


def test_a_folder_that_goes_away(cache: Path) -> None:
    function = make()
    shutil.rmtree(cache, ignore_errors=True)
    cache.write_text("now a file")
    with pytest.warns(RuntimeWarning):
        assert function(4) == 12
    assert cache.read_text() == "now a file"


def test_a_folder_that_is_a_file_leaves_the_next_place(cache: Path) -> None:
    cache.write_text("a file")
    assert make()(4) == 12


PROGRAM = """
import sys, warnings
warnings.simplefilter("error")
from djgraph.simd import jit
def times(x):
    return 3 * x
function = jit.kept(times)
sys.stdin.readline()
print([function(kind(4)) for kind in (int, float, complex)])
"""


@pytest.mark.slow
def test_two_processes_at_once(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    children = [
        subprocess.Popen([sys.executable, script], env=environment, text=True, stdin=-1, stdout=-1, stderr=-1)
        for _ in range(2)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        assert child.communicate(timeout=300) == ("[12, 12.0, (12+0j)]\n", "")
    assert len(list((tmp_path / "cache").rglob("*.nbc"))) == 3
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_recompiling_forgets_what_is_on_disk(cache: Path) -> None:
    function = make()
    function(4)
    function.recompile()
    assert function(4) == 12
    assert make()(4) == 12
