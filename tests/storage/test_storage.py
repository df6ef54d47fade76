"""A folder, a local file system behind file://, and memory:// are one thing to whoever stores."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from djgraph.errors import CorpusError
from djgraph.storage import Storage, announced, check_seen, is_url, open_storage


@pytest.fixture(params=["folder", "file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param != "folder":
        pytest.importorskip("fsspec").filesystem("memory").store.clear()
    place = {"folder": tmp_path / "at", "file": (tmp_path / "at").as_uri(), "memory": "memory://at"}
    return open_storage(place[request.param], CorpusError)


def test_files_by_name(storage: Storage, tmp_path: Path) -> None:
    assert storage.sizes() == storage.sizes("deep") == {}
    storage.write("one.txt", b"12345")
    (tmp_path / "source").write_bytes(bytes(range(256)))
    storage.put("deep/two.bin", tmp_path / "source")
    assert storage.sizes() == {"one.txt": 5}
    assert storage.sizes("deep") == {"two.bin": 256}
    assert storage.read("one.txt", 5) == b"12345"
    with pytest.raises(CorpusError, match="limit"):
        storage.read("one.txt", 4)
    assert storage.part("deep/two.bin", 3, 6) == b"\3\4\5"
    with storage.open("deep/two.bin") as file:
        file.seek(250)
        assert file.read() == bytes(range(250, 256))
    storage.write("one.txt", b"again")
    assert storage.read("one.txt", 9) == b"again"
    for _ in range(2):
        storage.remove("one.txt")
    assert storage.sizes() == {}
    for read in (lambda: storage.read("one.txt", 9), lambda: storage.open("one.txt")):
        with pytest.raises(CorpusError, match=r"one\.txt"):
            read()
    again = pickle.loads(pickle.dumps(storage))
    assert again.read("deep/two.bin", 256) == bytes(range(256))


def test_whether_others_see_the_same_place(storage: Storage, tmp_path: Path) -> None:
    other = open_storage(tmp_path / "elsewhere", CorpusError)
    with (
        announced(storage, True) as one,
        announced(storage, True) as two,
    ):  # two that work there do not get mixed up
        for word in (one, two):
            check_seen(storage, word)
            with pytest.raises(
                CorpusError, match=r"does not see .*elsewhere .* a folder that all machines share"
            ):
                check_seen(other, word)
    with pytest.raises(CorpusError, match="does not see"):
        check_seen(storage, one)
    assert storage.sizes() == {}
    with announced(storage, False) as none:
        check_seen(other, none)


def test_what_is_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("s3://bucket/x", "memory://x", "file:///x", "simplecache::s3://bucket/x", "gs://b"):
        assert is_url(url)
    for path in ("x", "/x", "./a:b", r"C:\x", "C:/x", Path("s3://x"), "a b://c"):
        assert not is_url(path)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.delitem(sys.modules, "fsspec.core", raising=False)
    with pytest.raises(CorpusError, match=r'pip install "djgraph\[scale\]"'):
        open_storage("memory://x", CorpusError)


def test_errors_are_told() -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(CorpusError, match="nonsense"):
        open_storage("nonsense://x", CorpusError)
    with pytest.raises(CorpusError, match="use one worker"):
        open_storage("memory://x", CorpusError, shared=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for place in (tmp_path / "at", (tmp_path / "at").as_uri()):
        with pytest.raises(CorpusError, match="ermission"):
            open_storage(place, CorpusError).write("x", b"")


def test_parts_of_files_in_s3(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file system has a version where others have the part's beginning."""
    read = type(memory).cat_file

    def cat_file(self: Any, path: str, version_id: Any = None, start: Any = None, end: Any = None) -> Any:
        assert version_id is None
        return read(self, path, start=start, end=end)

    monkeypatch.setattr(type(memory), "cat_file", cat_file)
    memory.pipe("/at/one", b"01234")
    storage = open_storage("memory://at", CorpusError)
    assert storage.part("one", 1, 3) == b"12"
    assert storage.read("one", 5) == b"01234"
