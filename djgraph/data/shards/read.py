"""Items out of shards: their files as they were, and the same items that a corpus in folders gives."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from djgraph.data import store
from djgraph.data.description import Description
from djgraph.data.read import ItemReader
from djgraph.data.shards.parquet import ParquetReader, column_of
from djgraph.data.shards.place import data_name, shard_range
from djgraph.data.shards.tar import read_tar
from djgraph.data.stored import ItemFile, ShardFile
from djgraph.errors import AudioFileError, CorpusError
from djgraph.reading import MIB, parse_json
from djgraph.storage import Storage

LIMIT = 1024 * MIB
"""Bytes of an item in a shard."""

Files = dict[str, bytes]
"""An item's files, by their paths in it."""


def read_files(
    storage: Storage, about: Description, stored: ShardFile, places: range, audio: bool = True
) -> Iterator[tuple[int, Files]]:
    """Number and files of the items at places of a shard; without ``audio`` no stems. CorpusError for damage."""
    name = data_name(stored.shard, about.shards)
    numbers = shard_range(about, stored.shard)
    shown = storage.shown(name)
    if about.shards == "tar":
        if len(stored.offsets) != stored.items + 1:
            raise CorpusError(f"{shown}: its JSON file does not say where items begin")
        for at in places:
            first, last = stored.offsets[at], stored.offsets[at + 1]
            if last - first > LIMIT:
                raise CorpusError(f"{shown} has an item of {last - first} bytes; at most {LIMIT} are read")
            content = storage.part(name, first, last)
            members = read_tar(content, numbers[at], shown)
            yield numbers[at], _named(members, numbers[at], shown, "tar", audio)
        return
    with storage.open(name) as file:
        reader = ParquetReader(file, stored.items, shown, LIMIT)
        columns = None if audio else {store.ITEM, store.MIX, store.PARAMS}
        for at in places:
            members = reader.read(at, numbers[at], columns)
            yield numbers[at], _named(members, numbers[at], shown, "parquet", audio)


def _named(members: Mapping[str, bytes], index: int, shown: str, packing: str, audio: bool) -> Files:
    """The files under the paths that ``item.json`` gives them, which lie below the item; of the sizes it tells."""
    if store.ITEM not in members:
        raise CorpusError(f"{shown}: item {index} has no {store.ITEM}")
    try:
        text = members[store.ITEM].decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CorpusError(f"{shown}: {store.ITEM} of item {index} is not UTF-8 text") from None
    record = parse_json(text, f"{shown}: {store.ITEM} of item {index}", CorpusError).read_as(ItemFile)
    files = {store.ITEM: members[store.ITEM]}
    for path, expected in record.files.items():
        if not audio and path not in (store.MIX, store.PARAMS):
            continue
        name = path.replace("/", ".") if packing == "tar" else column_of(path)
        content = members.get(name)
        if content is None or len(content) != expected.bytes:
            fault = "is missing" if content is None else f"has {len(content)} bytes, not {expected.bytes}"
            raise CorpusError(f"{shown}: {path} of item {index} {fault}")
        files[path] = content
    return files


class Unpacker:
    """Items from their files, by way of a temporary folder: the reader and its checks are those of folders."""

    def __init__(self, reader: ItemReader, scratch: Path) -> None:
        self.reader, self.scratch = reader, scratch

    def read(self, index: int, files: Mapping[str, bytes]) -> dict[str, Any]:
        """The item. CorpusError for what is damaged."""
        with unpacked(self.scratch, index, files) as folder:
            try:
                return self.reader.read(folder, index)
            except (CorpusError, AudioFileError) as problem:
                raise CorpusError(
                    f"item {index} of {self.reader.root} cannot be read: {problem}"
                ) from problem


@contextlib.contextmanager
def unpacked(scratch: Path, index: int, files: Mapping[str, bytes]) -> Iterator[Path]:
    """A folder with an item's files, for as long as they are read. CorpusError where no folder can hold them."""
    folder = scratch / f"{index:08d}"
    try:
        try:
            for path, content in files.items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        except OSError as problem:  # one is the folder of another, a path is too long, the disk is full
            raise CorpusError(
                f"item {index} cannot be unpacked to {scratch}: {problem.strerror or problem}"
            ) from problem
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder of this process."""
    with tempfile.TemporaryDirectory(prefix="djgraph-") as name:
        yield Path(name)
