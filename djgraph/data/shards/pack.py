"""Makes shards, each by one worker: items that are mixed for it, or those of a corpus that is there."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from djgraph.data import store
from djgraph.data.description import Description
from djgraph.data.items import ItemMaker
from djgraph.data.shards.parquet import ParquetWriter
from djgraph.data.shards.place import ITEM_FILES, data_name, index_name, open_shards, shard_range
from djgraph.data.shards.tar import TarWriter
from djgraph.data.stored import ShardFile
from djgraph.errors import CorpusError
from djgraph.storage import Storage, check_seen

PREFIX = "djgraph-"
"""Of temporary folders: a shard lies there until it is whole."""


class Writer(Protocol):
    """A shard that is being written; offsets: where each item begins, and the last ends, where a format says so."""

    offsets: list[int]

    def add(self, index: int, files: dict[str, bytes]) -> None:
        """One item more."""
        ...

    def close(self) -> None:
        """End the file."""
        ...


class ShardMaker:
    """Makes the shards of one corpus at ``where``, from items mixed now. graph: the text of its graph. token: what a
    machine looks for there (:func:`djgraph.storage.check_seen`)."""

    def __init__(self, where: str, about: Description, graph: str, token: str | None) -> None:
        self.storage = open_shards(where)
        check_seen(self.storage, token)
        self.about = about
        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            (Path(folder) / about.graph).write_text(graph, encoding="utf-8")
            self.items = ItemMaker(Path(folder), about)

    def __call__(self, shard: int) -> ShardFile:
        """Make a shard, put it there, and return what stands beside it."""
        with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
            self.items.root = Path(name) / "items"

            def made(index: int) -> Path:
                self.items(index)
                return store.item_folder(self.items.root, index, self.about.settings.shard_size)

            return _pack(self.storage, self.about, shard, Path(name), made, keep=False)


class ShardPacker:
    """Packs the items of the corpus in the folder ``root`` into shards at ``where``. token: as above."""

    def __init__(
        self, root: Path, where: str, about: Description, shard_size: int, token: str | None
    ) -> None:
        self.root = root
        self.storage = open_shards(where)
        check_seen(self.storage, token)
        self.about = about
        self.folder_size = shard_size

    def __call__(self, shard: int) -> ShardFile:
        """Pack a shard, put it there, and return what stands beside it."""

        def there(index: int) -> Path:
            folder = store.item_folder(self.root, index, self.folder_size)
            store.read_record(folder, index, deep=True)
            return folder

        with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
            return _pack(self.storage, self.about, shard, Path(name), there, keep=True)


def _pack(
    storage: Storage,
    about: Description,
    shard: int,
    scratch: Path,
    item: Callable[[int], Path],
    keep: bool,
) -> ShardFile:
    file = scratch / "shard"
    numbers = shard_range(about, shard)
    writer: Writer = TarWriter(file) if about.shards == "tar" else ParquetWriter(file)
    try:
        for index in numbers:
            folder = item(index)
            writer.add(index, dict(_files(folder)))
            if not keep:
                shutil.rmtree(folder)
    finally:
        writer.close()
    with open(file, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    stored = ShardFile(
        shard=shard,
        first=numbers.start,
        items=len(numbers),
        format="tar" if about.shards == "tar" else "parquet",
        bytes=file.stat().st_size,
        sha256=digest,
        offsets=writer.offsets,
    )
    # The JSON file goes first and comes last: what stops this in between leaves a shard that does not count.
    storage.remove(index_name(shard))
    storage.put(data_name(shard, about.shards), file)
    storage.write(index_name(shard), (json.dumps(stored.model_dump()) + "\n").encode())
    return stored


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    if lost := [name for name in ITEM_FILES if name not in paths]:
        raise CorpusError(f"{folder} has no {lost[0]}")
    for name in (*ITEM_FILES, *sorted(set(paths) - set(ITEM_FILES))):
        yield name, paths[name].read_bytes()
