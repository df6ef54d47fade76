"""Whether a corpus in shards is whole: every shard against its checksum, every file of every item against its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from djgraph.data import store
from djgraph.data.description import Description
from djgraph.data.faults import item_faults
from djgraph.data.shards import place
from djgraph.data.shards.read import read_files, scratch_folder, unpacked
from djgraph.data.stored import ShardFile
from djgraph.errors import CorpusError
from djgraph.storage import Storage


def check_shards(where: str) -> tuple[int, dict[int, str]]:
    """See :func:`djgraph.data.check_corpus`; the tracks are not looked at, since shards hold copies of their stems."""
    storage = place.open_shards(where)
    about = place.read_description(storage)
    if about is None:
        raise CorpusError(f"{storage.shown('')} is no corpus: it has no corpus.json")
    whole, faults = place.survey(storage, about, deep=True)
    wrong: dict[int, str] = {}
    with scratch_folder() as scratch:
        for number in range(place.shard_count(about)):
            if number in whole:
                wrong.update(_items(storage, about, whole[number], scratch))
                continue
            name = storage.shown(place.data_name(number, about.shards))
            wrong.update(
                dict.fromkeys(place.shard_range(about, number), faults.get(number, f"{name} is missing"))
            )
    return about.count, wrong


def _items(
    storage: Storage, about: Description, shard: ShardFile, scratch: Path
) -> Iterator[tuple[int, str]]:
    name = storage.shown(place.data_name(shard.shard, about.shards))
    for at, number in enumerate(place.shard_range(about, shard.shard)):
        try:
            ((index, files),) = read_files(storage, about, shard, range(at, at + 1))
            with unpacked(scratch, index, files) as folder:
                record = store.read_record(folder, index, deep=True)
                if faults := list(item_faults(folder, about, record, {})):
                    yield number, f"item {number} of {name} {'; '.join(faults)}"
        except CorpusError as problem:
            yield number, str(problem)
