"""Where the shards of a corpus lie, which of them are whole, and the manifest of all."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from djgraph.data import store
from djgraph.data.description import FILE, LARGEST, Description
from djgraph.data.stored import ShardFile
from djgraph.errors import CorpusError
from djgraph.reading import MIB, parse_json
from djgraph.storage import Storage, is_url, open_storage

MANIFEST = "manifest.json"
FOLDER = "shards"
VERSION = 1
LIMIT = 64 * MIB
"""Bytes of a shard's own JSON file, and of a graph."""
_NAME = re.compile(r"shard-(\d{5,7})\.json\Z", re.ASCII)
_BLOCK = MIB


def data_name(shard: int, packing: str) -> str:
    """``shards/shard-00003.tar``."""
    return f"{FOLDER}/shard-{shard:05d}.{packing}"


def index_name(shard: int) -> str:
    """``shards/shard-00003.json``, written last: a shard without it does not count."""
    return f"{FOLDER}/shard-{shard:05d}.json"


def shard_range(about: Description, shard: int) -> range:
    """The numbers of the items in a shard."""
    size = about.settings.shard_size
    return range(shard * size, min((shard + 1) * size, about.count))


def shard_count(about: Description) -> int:
    """How many shards a corpus is to have."""
    return -(-about.count // about.settings.shard_size)


def read_description(storage: Storage) -> Description | None:
    """``corpus.json``; None where there is none. CorpusError for one that is damaged, or of a corpus in folders."""
    if FILE not in storage.sizes():
        return None
    content = storage.read(FILE, LARGEST)
    root = Path("/") if is_url(storage.where) else Path(storage.where)
    about = Description.parse(_text(content, storage.shown(FILE)), storage.shown(FILE), root)
    if not about.shards:
        raise CorpusError(
            f"{storage.shown('')} is a corpus with a folder for each item; djgraph dataset shard packs it in shards"
        )
    return about


def write_description(storage: Storage, about: Description) -> None:
    """Write ``corpus.json``."""
    root = None if is_url(storage.where) else Path(storage.where)
    storage.write(FILE, about.text(root).encode("utf-8", "backslashreplace"))


def read_graph_text(storage: Storage, about: Description) -> str:
    """The corpus's own copy of its graph."""
    return _text(storage.read(about.graph, LIMIT), storage.shown(about.graph))


def survey(
    storage: Storage, about: Description, deep: bool = False
) -> tuple[dict[int, ShardFile], dict[int, str]]:
    """The shards that are whole, and what is wrong with those that are there but are not.

    Sizes are looked at, with ``deep`` also checksums, for which all is read.
    """
    sizes = storage.sizes(FOLDER)
    whole: dict[int, ShardFile] = {}
    wrong: dict[int, str] = {}
    for name in sorted(sizes):
        match = _NAME.match(name)
        if match is None or int(match[1]) >= shard_count(about):
            continue
        shard = int(match[1])
        try:
            whole[shard] = _checked(storage, about, shard, sizes, deep)
        except CorpusError as problem:
            wrong[shard] = str(problem)
    return whole, wrong


def write_manifest(storage: Storage, about: Description, shards: Mapping[int, ShardFile], graph: str) -> None:
    """Write ``manifest.json``: what the corpus is, and of every shard its items, bytes and checksum."""
    data: dict[str, Any] = {
        "djgraph_shards": VERSION,
        "format": about.shards,
        "count": about.count,
        "seed": about.settings.seed,
        "shard_size": about.settings.shard_size,
        "layout": about.layout.fingerprint,
        "graph": {"file": about.graph, "sha256": hashlib.sha256(graph.encode()).hexdigest()},
        "shards": [
            {
                "file": data_name(number, about.shards),
                "items": shards[number].items,
                "bytes": shards[number].bytes,
                "sha256": shards[number].sha256,
            }
            for number in sorted(shards)
        ],
    }
    text = json.dumps(data, indent=1) + "\n"
    if MANIFEST not in storage.sizes() or storage.read(MANIFEST, LIMIT) != text.encode():
        storage.write(MANIFEST, text.encode())


def open_shards(where: Any, shared: bool = False) -> Storage:
    """A place for shards; CorpusError for a URL that cannot be one."""
    return open_storage(where, CorpusError, shared=shared)


def _checked(
    storage: Storage, about: Description, shard: int, sizes: Mapping[str, int], deep: bool
) -> ShardFile:
    name = index_name(shard)
    shown = storage.shown(name)
    stored = parse_json(_text(storage.read(name, LIMIT), shown), shown, CorpusError).read_as(ShardFile)
    numbers = shard_range(about, shard)
    if (stored.shard, stored.first, stored.format) != (shard, numbers.start, about.shards):
        raise CorpusError(f"{shown} is of another shard: {stored.format}, number {stored.shard}")
    if stored.items != len(numbers):
        raise CorpusError(f"{shown} tells of {stored.items} items, not {len(numbers)}")
    offsets = stored.offsets
    if offsets and (
        len(offsets) != stored.items + 1
        or any(b <= a for a, b in itertools.pairwise(offsets))
        or offsets[-1] > stored.bytes
    ):
        raise CorpusError(f"{shown} tells of places of items that cannot be")
    data = data_name(shard, about.shards)
    size = sizes.get(data.rpartition("/")[2])
    if size != stored.bytes:
        fault = "is missing" if size is None else f"has {size} bytes, not {stored.bytes}"
        raise CorpusError(f"{storage.shown(data)} {fault}")
    if deep and _checksum(storage, data) != stored.sha256:
        raise CorpusError(f"{storage.shown(data)} is damaged: its checksum is another")
    return stored


def _checksum(storage: Storage, name: str) -> str:
    digest = hashlib.sha256()
    with storage.open(name) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise CorpusError(f"{name} is not UTF-8 text: byte 0x{content[problem.start]:02x}") from None


ITEM_FILES = (store.ITEM, store.MIX, store.PARAMS)
"""Files of every item, in the order in which they are packed; stems follow."""
