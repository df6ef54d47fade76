"""Where the items of a corpus lie, and how each comes to lie there: whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from djgraph.atomic import write_text
from djgraph.errors import CorpusError

MANIFEST = "manifest.jsonl"
ITEM = "item.json"
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
        if folder.exists():
            os.rename(folder, folder.with_name(f".{folder.name}.{token}.old{_PART}"))
        os.rename(part, folder)
        _sync(folder.parent)
    finally:
        for left in folder.parent.glob(f".{folder.name}.{token}*{_PART}"):
            shutil.rmtree(left, ignore_errors=True)


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


def read_record(folder: Path, index: int, deep: bool = False) -> dict[str, Any]:
    """An item's ``item.json``, after a look at its files: their sizes, and with ``deep`` their checksums.

    CorpusError that says what is missing or damaged.
    """
    try:
        record = json.loads((folder / ITEM).read_text(encoding="utf-8"))
        files = record["files"]
        if record["index"] != index:
            raise CorpusError(f"{folder} holds item {record['index']}")
        for name, expected in files.items():
            path = folder / name
            size = path.stat().st_size if path.is_file() else None
            if size != expected["bytes"]:
                found = "is missing" if size is None else f"has {size} bytes, not {expected['bytes']}"
                raise CorpusError(f"{path} {found}")
            if deep and hashlib.sha256(path.read_bytes()).hexdigest() != expected["sha256"]:
                raise CorpusError(f"{path} is damaged: its checksum is another")
    except FileNotFoundError as problem:
        raise CorpusError(f"{folder} is missing") from problem
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise CorpusError(f"{folder / ITEM} is damaged: {type(problem).__name__}: {problem}") from problem
    return dict(record)


def survey(
    root: Path, count: int, shard_size: int, deep: bool = False
) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
    """The records of all items that are whole, and what is wrong with those that are there but are not."""
    whole: dict[int, dict[str, Any]] = {}
    damaged: dict[int, str] = {}
    for index in range(count):
        folder = item_folder(root, index, shard_size)
        if folder.exists():
            try:
                whole[index] = read_record(folder, index, deep)
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
    write_text(root / MANIFEST, "".join(lines), CorpusError)


def read_manifest(root: Path) -> dict[int, dict[str, Any]]:
    """Index → line of the manifest; empty where there is none, or one that is damaged (it can be rebuilt)."""
    try:
        lines = [json.loads(line) for line in (root / MANIFEST).read_text(encoding="utf-8").splitlines()]
        return {line["index"]: line for line in lines}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Nobody else writes to the corpus meanwhile; CorpusError where somebody does. A kill frees the lock."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where the second process would only do the same work again
        yield
        return
    with open(root / _LOCK, "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CorpusError(f"{root} is being made by another process right now") from None
        yield


def _sync(folder: Path) -> None:
    """Have the folder's names on disk, where the system lets a folder be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
