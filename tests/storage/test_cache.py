"""What is fetched: whole or not at all, once, held against its sum, within a limit, and never while it is read."""

from __future__ import annotations

import contextvars
import functools
import http.server
import multiprocessing
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from djgraph import guard
from djgraph.errors import AudioFileError, CorpusError, InputError
from djgraph.storage import (
    UrlPath,
    cache,
    lies_in,
    local,
    open_storage,
    put_there,
    shown_url,
    sketched,
    versions,
)
from djgraph.storage.remote import Remote
from djgraph.storage.url import without_keys

AT = UrlPath("memory://at")


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json" and path.suffix]


def read(place: Path | UrlPath) -> bytes:
    with local(place, CorpusError) as path:
        return path.read_bytes()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in another process."""
    monkeypatch.setattr(cache, "_versions", {})
    monkeypatch.setattr(cache, "_checked", set())


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read from a storage."""
    names: list[str] = []
    chunks = Remote.chunks

    def counted(self: Remote, name: str, size: int) -> Iterator[bytes]:
        names.append(name)
        return chunks(self, name, size)

    monkeypatch.setattr(Remote, "chunks", counted)
    return names


def test_fetched_once_and_known_by_its_content(
    cached: Path, memory: Any, fetches: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    memory.pipe("/at/song/a.wav", b"one")
    for _ in range(2):
        assert read(AT / "song" / "a.wav") == b"one"
    assert read(UrlPath("memory://at/song", "a.wav")) == b"one"  # the same file by another URL
    forget(monkeypatch)
    assert read(AT / "song" / "a.wav") == b"one"
    assert fetches == ["song/a.wav"]
    with local(AT / "song" / "a.wav", CorpusError) as path:
        assert path.suffix == ".wav"
        assert path.is_relative_to(cached)
    memory.pipe("/at/song/a.wav", b"two")
    assert read(AT / "song" / "a.wav") == b"one"  # this process goes on with what it has begun with
    forget(monkeypatch)
    assert read(AT / "song" / "a.wav") == b"two"
    assert len(files_of(cached)) == 2
    (tmp_path / "x").write_bytes(b"here")
    assert read(tmp_path / "x") == b"here"


def test_damage_is_mended(
    cached: Path, memory: Any, fetches: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/at/a.wav", b"music")
    for damage in (b"mus", b"muzak", None):
        assert read(AT / "a.wav") == b"music"
        (path,) = files_of(cached)
        if damage is None:
            path.with_name(f"{path.name}.json").write_text("{")
        else:
            path.write_bytes(damage)
        forget(monkeypatch)
    assert read(AT / "a.wav") == b"music"
    assert len(fetches) == 4


def test_whole_or_not_at_all(cached: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/at/a.wav", b"0123456789")

    def cut(self: Remote, name: str, size: int) -> Iterator[bytes]:
        yield b"01234"

    def broken(self: Remote, name: str, size: int) -> Iterator[bytes]:
        yield b"01234"
        raise AudioFileError("the line is cut")

    def changed(self: Remote, name: str, size: int) -> Iterator[bytes]:
        yield b"0123456789"
        memory.pipe("/at/a.wav", b"9876543210")

    for chunks, words in ((cut, "10 bytes, and 5"), (broken, "cut"), (changed, "has changed")):
        with monkeypatch.context() as patch:
            patch.setattr(Remote, "chunks", chunks)
            with pytest.raises((CorpusError, AudioFileError), match=words):
                read(AT / "a.wav")
        assert files_of(cached) == []


def test_the_limit(cached: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.SIZE, "0.000003")  # 3000 bytes
    for name in "abcd":
        memory.pipe(f"/at/{name}.wav", name.encode() * 800)
    with local(AT / "a.wav", CorpusError) as held:
        for name in "bcd":
            assert read(AT / f"{name}.wav") == name.encode() * 800
        assert held.read_bytes() == b"a" * 800  # the oldest, and in use
    contents = sorted(path.read_bytes()[:1] for path in files_of(cached))
    assert b"a" in contents
    assert b"b" not in contents
    assert sum(path.stat().st_size for path in cached.rglob("*") if path.is_file()) < 3000
    assert read(AT / "b.wav") == b"b" * 800  # fetched again
    memory.pipe("/at/large.wav", bytes(4000))
    with pytest.raises(CorpusError, match=r"4000 bytes.*DJGRAPH_CACHE_GB"):
        read(AT / "large.wav")
    memory.pipe("/at/new.wav", b"new")
    for wrong in ("much", "-1", "nan"):
        monkeypatch.setenv(cache.SIZE, wrong)
        with pytest.raises(CorpusError, match="expected gigabytes"):
            read(AT / "new.wav")


def test_what_was_read_last_stays(
    cached: Path, memory: Any, fetches: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache.SIZE, "0.000002")  # 2000 bytes: two files, and what stands beside them
    for time, name in enumerate("ab"):
        memory.pipe(f"/at/{name}.wav", name.encode() * 800)
        with local(AT / f"{name}.wav", CorpusError) as path:
            os.utime(path, (time, time))
            os.utime(f"{path}.json", (0, 0))
        (path.parent / "gone").symlink_to("nowhere")  # as what is removed while the folder is listed
    assert read(AT / "a.wav") == b"a" * 800
    memory.pipe("/at/c.wav", b"c" * 800)
    assert read(AT / "c.wav") == b"c" * 800
    assert sorted(path.read_bytes()[:1] for path in files_of(cached)) == [b"a", b"c"]
    assert {path.with_suffix("") for path in cached.glob("??/*.json")} == set(files_of(cached))
    forget(monkeypatch)
    assert read(AT / "a.wav") == b"a" * 800
    assert fetches == ["a.wav", "b.wav", "c.wav"]


def test_one_fetches_and_others_wait(
    cached: Path, memory: Any, fetches: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fcntl", reason="without locks two may fetch the same")
    memory.pipe("/at/a.wav", b"one")
    chunks, got = Remote.chunks, list[bytes]()
    other = threading.Thread(target=lambda: got.append(read(AT / "a.wav")))

    def slow(self: Remote, name: str, size: int) -> Iterator[bytes]:
        if not fetches:
            other.start()
            other.join(0.1)  # it waits, or would be done by now
        return chunks(self, name, size)

    monkeypatch.setattr(Remote, "chunks", slow)
    assert read(AT / "a.wav") == b"one"
    other.join()
    assert (fetches, got) == (["a.wav"], [b"one"])


def test_sizes_that_are_not_known(cached: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/at/a.wav", bytes(5000))
    about = memory.info
    monkeypatch.setattr(type(memory), "info", lambda self, path, **_: {**about(path), "size": None})
    assert read(AT / "a.wav") == bytes(5000)
    forget(monkeypatch)
    monkeypatch.setattr(cache, "LARGEST", 4000)
    memory.pipe("/at/a.wav", bytes(5001))
    with pytest.raises(CorpusError, match="more than the 4000 bytes"):
        read(AT / "a.wav")


def test_errors_name_the_url(cached: Path, memory: Any) -> None:
    memory.pipe("/at/a.wav", b"one")
    with (
        pytest.raises(InputError, match=r"^memory://at/a\.wav is no music$"),
        local(AT / "a.wav", CorpusError) as path,
    ):
        raise InputError(f"{path} is no music")
    with pytest.raises(CorpusError, match=r"memory://at/b\.wav does not exist"):
        read(AT / "b.wav")
    with pytest.raises(CorpusError, match="is a folder"):
        read(AT)
    with pytest.raises(CorpusError, match="URLs are opened that the user gives"):
        read(UrlPath("memory://at", "a.wav", given=False))


def test_the_last_part_of_a_url() -> None:
    """Of a chain that of its first link with a path; no keys."""
    names = {
        "s3://bucket/x/song/": "song",
        "s3://bucket": "bucket",
        "https://host/a.wav?sig=abc/def": "a.wav",
        "zip://lib/one::file:///music/lib.zip": "one",
        "zip://::https://host/lib.zip?sig=abc": "lib.zip",
        "simplecache::s3://bucket/x/a.wav": "a.wav",
    }
    assert {url: UrlPath(url).name for url in names} == names
    assert UrlPath("s3://bucket", "x/b.wav").name == "b.wav"
    folders = {
        "s3://bucket/x/song/": "s3://bucket/x",
        "s3://bucket": None,
        "https://host/a.wav?sig=abc/def": None,
        "zip://lib/one::https://host/lib.zip?sig=abc": "zip://lib::https://host/lib.zip?sig=abc",
        "zip://one::file:///music/lib.zip": None,
        "simplecache::s3://bucket/x/a.wav": None,
    }
    found = {url: UrlPath(url).beside for url in folders}
    assert {url: place and place.root for url, place in found.items()} == folders
    assert UrlPath("s3://bucket", "x/b.wav").beside == UrlPath("s3://bucket", "x")


def test_what_the_system_says_of_the_cache_is_told(
    cached: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/at/a.wav", b"one")
    assert read(AT / "a.wav") == b"one"

    def refused(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(cache.os, "utime", refused)  # of another user's file, which may be read
    assert read(AT / "a.wav") == b"one"
    (path,) = files_of(cached)
    path.unlink()
    path.mkdir()
    with pytest.raises(CorpusError, match=rf"^the cache {cached}: "):
        read(AT / "a.wav")


def test_no_keys_are_shown() -> None:
    pytest.importorskip("fsspec")
    assert shown_url("sftp://me:secret@host/x?sig=abc") == "sftp://…@host/x?…"
    assert str(UrlPath("sftp://me:secret@host/x", "a.wav")) == "sftp://…@host/x/a.wav"
    assert shown_url("sftp://me:se@cret@host/x@y") == "sftp://…@host/x@y"
    assert shown_url("s3://bucket/x") == "s3://bucket/x"
    with pytest.raises(CorpusError, match=r"^memory://…@x is in this process's memory"):
        open_storage("memory://me:secret@x", CorpusError, shared=True)
    with pytest.raises(CorpusError) as caught:
        Remote("nonsense://me:secret@host/x", CorpusError)
    assert "secret" not in str(caught.value)
    said = "no bucket me:secret@b, key secret, sig abc, at sftp://me:secret@b/x?sig=abc"
    shown = without_keys(said, "sftp://me:secret@b/x?sig=abc")
    assert "secret" not in shown
    assert "abc" not in shown
    assert shown.startswith("no bucket …@b, key …, sig …, at sftp://…@b/x?")
    assert without_keys("no such host", "sftp://me:@host/x?sig=") == "no such host"


def test_names_lead_nowhere_else(memory: Any, cached: Path) -> None:
    fs = Remote("memory://at", CorpusError)
    listed = [{"name": f"/at/{name}", "type": "file", "size": 1} for name in ("..", ".hidden", "", "a.wav")]
    patched = pytest.MonkeyPatch()
    patched.setattr(type(memory), "ls", lambda self, path, detail: listed)
    try:
        assert [entry.name for entry in fs.entries()] == ["a.wav"]
        for wrong in ("a\\b", "a\0b", "a" * 256, "ä" * 128):
            listed.append({"name": f"/at/{wrong}", "type": "file", "size": 1})
            with pytest.raises(CorpusError, match="no name of a file here"):
                fs.entries()
            listed.pop()
    finally:
        patched.undo()


def test_a_sketch(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/track.json", "a/x.wav", "a/b/c/y.wav", ".git/z", "top.wav"):
        memory.pipe(f"/at/{name}", b"content")
    with sketched("memory://at", 2, lambda name: name == "track.json", CorpusError) as sketch:
        found = {
            p.relative_to(sketch.folder).as_posix(): p.read_bytes()
            for p in sketch.folder.rglob("*")
            if p.is_file()
        }
        assert found == {"a/track.json": b"content", "a/x.wav": b"", "top.wav": b""}
        assert sketch.place(sketch.folder / "a" / "x.wav") == AT / "a" / "x.wav"
        assert sketch.place(sketch.folder) == AT
        assert sketch.told(f"{sketch.folder}/a is odd") == "memory://at/a is odd"
    assert not sketch.folder.exists()
    monkeypatch.setattr("djgraph.storage.sketch.MOST", 2)
    with (
        pytest.raises(CorpusError, match="more than 2 files"),
        sketched("memory://at", 2, str.isalpha, CorpusError),
    ):
        pass
    with (
        pytest.raises(CorpusError, match="memory://none"),
        sketched("memory://none", 2, str.isalpha, CorpusError),
    ):
        pass


@pytest.mark.parametrize("problem", [PermissionError(13, "Forbidden"), OSError(5, "the line is cut")])
def test_what_may_not_be_asked_for_is_not_there(
    cached: Path, memory: Any, monkeypatch: pytest.MonkeyPatch, problem: OSError
) -> None:
    def fails(self: Any, path: str) -> bool:
        raise problem

    memory.pipe("/at/a.wav", b"one")
    remote = Remote("memory://at", CorpusError)
    assert (remote.has("a.wav"), remote.has("b.wav")) == (True, False)
    monkeypatch.setattr(type(memory), "exists", fails)
    if isinstance(problem, PermissionError):
        assert not remote.has("a.wav")
    else:
        with pytest.raises(CorpusError, match="the line is cut"):
            remote.has("a.wav")


def test_put_there(memory: Any, cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("song/drums.wav", "song/deep/bass.wav", "mix.wav"):
        memory.pipe(f"/at/{name}", name.encode())
    put_there(AT / "song", tmp_path / "one", CorpusError)
    put_there(AT / "song", tmp_path / "one", CorpusError)  # there already
    put_there(AT / "mix.wav", tmp_path / "two" / "mix.wav", CorpusError)
    put_there(UrlPath("memory://at/mix.wav"), tmp_path / "three.wav", CorpusError)
    assert (tmp_path / "one" / "deep" / "bass.wav").read_bytes() == b"song/deep/bass.wav"
    assert (tmp_path / "two" / "mix.wav").read_bytes() == (tmp_path / "three.wav").read_bytes() == b"mix.wav"
    names = [name for name, _ in versions(AT / "song", CorpusError)]
    assert names == ["memory://at/song/drums.wav", "memory://at/song/deep/bass.wav"]
    with monkeypatch.context() as patch:
        patch.setattr("djgraph.storage.copies.MOST", 2)
        with pytest.raises(CorpusError, match=r"^memory://at has more than 2 files"):
            versions(AT, CorpusError)
    assert lies_in("memory://at/song/out", "memory://at/song", CorpusError)
    assert not lies_in("memory://at/songs", "memory://at/song", CorpusError)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


@pytest.mark.slow
def test_a_web_server(cached: Path, tmp_path: Path) -> None:
    """Its folders are pages that list them."""
    pytest.importorskip("aiohttp", reason="fsspec needs it for http://")
    (tmp_path / "lib" / "song" / "deep").mkdir(parents=True)
    for name in ("drums.wav", "deep/bass.wav"):
        (tmp_path / "lib" / "song" / name).write_bytes(name.encode())
    handler = functools.partial(Quiet, directory=str(tmp_path / "lib"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            for number, end in enumerate(("song", "song/")):
                put_there(UrlPath(f"{url}/{end}"), tmp_path / str(number), CorpusError)
                assert (tmp_path / str(number) / "drums.wav").read_bytes() == b"drums.wav"
                assert (tmp_path / str(number) / "deep" / "bass.wav").read_bytes() == b"deep/bass.wav"
            place = UrlPath(f"{url}/song/drums.wav?key=secret")
            put_there(place, tmp_path / place.name, CorpusError)
            assert (tmp_path / "drums.wav").read_bytes() == b"drums.wav"
            assert not any("secret" in path.read_text() for path in cached.rglob("*.json"))
            with pytest.raises(CorpusError, match=r"/song/none\.wav"):
                put_there(UrlPath(url, "song/none.wav"), tmp_path / "none", CorpusError)
        finally:
            server.shutdown()


def test_a_command_may_read_and_fetch_again(
    cached: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a command, a file that was read is not written; the cache's may be."""
    memory.pipe("/at/a.wav", b"one")

    def command() -> None:
        with guard.guarded():
            for _ in range(2):
                with local(AT / "a.wav", CorpusError) as path:
                    guard.reading(path)
                path.unlink()

    contextvars.copy_context().run(command)


def _take(url: str, out: Path) -> None:
    out.write_bytes(read(UrlPath(url, "a.bin")))


@pytest.mark.slow
def test_processes_share_it(cached: Path, tmp_path: Path) -> None:
    """Of an archive, which every process opens for itself."""
    pytest.importorskip("fsspec")
    content = bytes(range(256)) * 4000
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("at/a.bin", content)
    url = f"zip://at::file://{tmp_path / 'lib.zip'}"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_take, args=(url, tmp_path / f"{i}")) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [(tmp_path / f"{i}").read_bytes() == content for i in range(3)] == [True] * 3
    assert len(files_of(cached)) == 1
