"""Where the items of a corpus lie, and how each comes to lie there: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from djgraph.atomic import write_text
from djgraph.data.stored import ItemFile, ManifestLine
from djgraph.errors import CorpusError
from djgraph.reading import MIB, parse_json, read_json, read_text

MANIFEST = "manifest.jsonl"
MANIFEST_LIMIT = 1024 * MIB
ITEM = "item.json"
MIX = "mix.flac"
PARAMS = "params.npy"
_PART = ".part"
_LOCK = ".lock"


def item_folder(root: Path, index: int, shard_size: int) -> Path:
    """``root/shard-00002/00002017``."""
    return root / f"shard-{index // shard_size:05d}" / f"{index:08d}"


@contextlib.contextmanager
def new_item(folder: Path) -> Iterator[Path]:
    """A folder to write an item in, which takes its name on a normal end, in one step.

    On a failure it vanishes; after a kill it stays as a hidden ``.part`` that :func:`sweep` takes away. An
    item that had the name is replaced.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    part = folder.with_name(f".{folder.name}.{token}{_PART}")
    part.mkdir()
    try:
        yield part
        _sync(part)
        _take_name(part, folder, folder.with_name(f".{folder.name}.{token}.old{_PART}"))
        _sync(folder.parent)
    finally:
        for left in folder.parent.glob(f".{folder.name}.{token}*{_PART}"):
            shutil.rmtree(left, ignore_errors=True)


def _take_name(part: Path, folder: Path, old: Path) -> None:
    try:
        if folder.exists():
            os.rename(folder, old)
        os.rename(part, folder)
    except OSError as problem:
        # A worker that was given up for lost was not, and has made the same item meanwhile.
        if (
            problem.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOENT)
            or not (folder / ITEM).is_file()
        ):
            raise


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``item.json``: the record, and size and checksum of every other file in the folder."""
    files = {}
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        content = path.read_bytes()
        files[path.relative_to(folder).as_posix()] = {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    text = json.dumps({**record, "files": files}, indent=1, ensure_ascii=False)
    write_text(folder / ITEM, text + "\n", CorpusError)


def read_record(
    folder: Path, index: int, deep: bool = False, names: Container[str] | None = None
) -> dict[str, Any]:
    """An item's ``item.json``, after a look at its files: their sizes, and with ``deep`` their checksums.

    names: of the files to look at; all where left out.

    CorpusError that says what is missing or damaged.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is missing"
        raise CorpusError(f"{folder} {what}")
    try:
        file = read_json(folder / ITEM, CorpusError)
        stored = file.read_as(ItemFile)
    except CorpusError as problem:
        raise CorpusError(f"{folder / ITEM} is damaged: {problem}") from problem
    if stored.index != index:
        raise CorpusError(f"{folder} holds item {stored.index}")
    if lost := [name for name in (MIX, PARAMS) if name not in stored.files]:
        file.refuse(f"this item has no {lost[0]}", ("files",))
    for name, expected in stored.files.items():
        if names is not None and name not in names:
            continue
        path = folder / name
        try:
            size = path.stat().st_size if path.is_file() else None
            if size != expected.bytes:
                fault = "is missing" if size is None else f"has {size} bytes, not {expected.bytes}"
                raise CorpusError(f"{path} {fault}")
            if deep and _checksum(path) != expected.sha256:
                raise CorpusError(f"{path} is damaged: its checksum is another")
        except OSError as problem:
            raise CorpusError(f"{path} cannot be read: {problem.strerror or problem}") from problem
    return dict(file.data)


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def numbers_there(root: Path, count: int, shard_size: int) -> list[int]:
    """The numbers below ``count`` of the items that have a folder (or whatever has its name), ascending.

    Looks at what is there rather than for what should be: a wrong count costs nothing.
    """
    numbers = []
    try:
        for shard in root.glob("shard-*"):
            for child in os.scandir(shard) if shard.is_dir() else ():
                if child.name.isascii() and child.name.isdigit() and len(child.name) < 12:
                    index = int(child.name)
                    if index < count and item_folder(root, index, shard_size) == shard / child.name:
                        numbers.append(index)
    except OSError as problem:
        raise CorpusError(f"{root} cannot be read: {problem.strerror or problem}") from problem
    return sorted(numbers)


def survey(
    root: Path, count: int, shard_size: int, deep: bool = False
) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
    """The records of all items that are whole, and what is wrong with those that are there but are not."""
    whole: dict[int, dict[str, Any]] = {}
    damaged: dict[int, str] = {}
    for index in numbers_there(root, count, shard_size):
        try:
            whole[index] = read_record(item_folder(root, index, shard_size), index, deep)
        except CorpusError as problem:
            damaged[index] = str(problem)
    return whole, damaged


def sweep(root: Path) -> None:
    """Take away what a kill has left half written."""
    for left in (*root.glob(f".*{_PART}"), *root.glob(f"shard-*/.*{_PART}")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def write_manifest(root: Path, records: Mapping[int, Mapping[str, Any]], shard_size: int) -> None:
    """Write ``manifest.jsonl``: a line for each item, in order of their numbers."""
    write_text(root / MANIFEST, manifest_of(root, records, shard_size), CorpusError)


def manifest_of(root: Path, records: Mapping[int, Mapping[str, Any]], shard_size: int) -> str:
    """The text of ``manifest.jsonl``."""
    lines = []
    for index in sorted(records):
        record = records[index]
        line = {
            "index": index,
            "path": item_folder(root, index, shard_size).relative_to(root).as_posix(),
            **{key: record[key] for key in ("kind", "name", "tempo")},
            "tracks": {name: played["track"] for name, played in record["inputs"].items()},
            "bytes": sum(file["bytes"] for file in record["files"].values()),
        }
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return "".join(lines)


def listed_numbers(root: Path) -> list[int]:
    """The numbers in the manifest, ascending; none where there is no manifest, or one that is damaged (it can be
    rebuilt)."""
    try:
        text = read_text(root / MANIFEST, CorpusError, MANIFEST_LIMIT)
        lines = parse_json(f"[{','.join(text.splitlines())}]", MANIFEST, CorpusError).data
        return sorted({ManifestLine.model_validate(line).index for line in lines})
    except (CorpusError, ValueError):  # pydantic's error is a ValueError
        return []


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Nobody else writes to the corpus meanwhile; CorpusError where somebody does. A kill frees the lock."""
    try:
        file = open(root / _LOCK, "wb")  # noqa: SIM115 (closed below)
    except OSError as problem:
        raise CorpusError(f"{root} cannot be written to: {problem.strerror or problem}") from problem
    with file:
        _lock(file, root)
        yield


@contextlib.contextmanager
def locked_to_read(root: Path) -> Iterator[bool]:
    """As :func:`locked`, also for a corpus that may not be written to; whether it may."""
    if os.access(root, os.W_OK | os.X_OK):
        with locked(root):
            yield True
        return
    try:
        file = open(root / _LOCK, "rb")  # noqa: SIM115 (closed below)
    except OSError:  # no lock is there to be held by somebody
        yield False
        return
    with file:
        _lock(file, root)
        yield False


def _lock(file: IO[bytes], root: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows, where the second process would only do the same work again
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CorpusError(f"{root} is being made by another process right now") from None
    except OSError:  # a network disk without locks: as on Windows
        return


def _sync(folder: Path) -> None:
    """Have the folder's names on disk, where the system lets a folder be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
