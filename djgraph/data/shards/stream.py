"""A corpus in shards as a stream: shuffled by a seed, parted among ranks and PyTorch's workers, each item once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from torch.utils.data import IterableDataset, get_worker_info

from djgraph.arguments import whole
from djgraph.data.description import Description, Settings
from djgraph.data.faults import warn_of_before
from djgraph.data.pairs import shared_number
from djgraph.data.read import ItemReader
from djgraph.data.seeds import random_state
from djgraph.data.shards import place
from djgraph.data.shards.read import Files, Unpacker, read_files, scratch_folder
from djgraph.data.store import MIX, PARAMS
from djgraph.errors import CorpusError, InputError
from djgraph.layout import ParameterLayout

BUFFER = 32
"""Items that are shuffled among each other: of ten seconds of the default mixer, about 220 MB in each worker."""


class CorpusStream(IterableDataset[dict[str, Any]]):
    """The items of a corpus in shards, as :class:`Corpus` gives those of one in folders, bit for bit.

    where: a folder, or a URL that fsspec knows. layout, remap, audio, partial: as for :class:`Corpus`; without audio,
    stems are not read from Parquet. shuffle: the order of the shards, and of items among ``buffer`` others (packed,
    as they lie on disk), drawn from ``(seed, epoch)``; False gives them by number.

    rank, ranks: of the processes that share an epoch; from ``torch.distributed``, or the environment that ``torchrun``
    sets, where left out. Ranks, and in each PyTorch's workers, get parts that differ by an item at most, and together
    every item once. even: leave out the last few, so that every rank has the same number of items, which gradients that
    are averaged over ranks need.

    >>> packed = djgraph.data.shard_corpus("corpus", "shards")
    >>> stream = djgraph.data.CorpusStream("shards", layout=mixer.layout, seed=1)  # or "s3://bucket/shards"
    >>> for epoch in range(2):
    ...     stream.set_epoch(epoch)
    ...     for batch in torch.utils.data.DataLoader(stream, batch_size=8, num_workers=2):
    ...         ...

    Raises CorpusError where there is no corpus in shards, or one that is half written, and while it is read for what is
    damaged; LayoutError for another layout.
    """

    def __init__(
        self,
        where: str | os.PathLike[str],
        *,
        layout: ParameterLayout | None = None,
        remap: bool = False,
        audio: bool = True,
        shuffle: bool = True,
        buffer: int = BUFFER,
        seed: int = 0,
        rank: int | None = None,
        ranks: int | None = None,
        even: bool = False,
        partial: bool = False,
    ) -> None:
        self.storage = place.open_shards(where)
        shown = self.storage.shown("")
        about = place.read_description(self.storage)
        if about is None:
            raise CorpusError(
                f"{shown} is no corpus: it has no corpus.json; djgraph dataset make {shown} --shards tar makes one"
            )
        self.description: Description = about
        self.reader = ItemReader(about, shown, layout, remap, audio)
        if not audio:
            self.reader.names = (MIX, PARAMS)
        warn_of_before(about, shown)
        random_state(seed)  # refuses a seed that is none
        self.seed = seed
        self.shuffle = bool(shuffle)
        self.buffer = whole(buffer, "buffer", 1)
        self.even = bool(even)
        self.rank, self.ranks = _ranks(rank, ranks)
        self.shards = self._whole_shards(partial)
        # In shared memory, so that set_epoch reaches workers that have started already.
        self._epoch = shared_number()

    @property
    def layout(self) -> ParameterLayout:
        """Of the params: the one asked for, or the corpus's own."""
        return self.reader.layout

    @property
    def settings(self) -> Settings:
        """What it was made with."""
        return self.description.settings

    @property
    def sample_rate(self) -> int:
        """Of all audio, Hz."""
        return self.description.sample_rate

    @property
    def epoch(self) -> int:
        """The epoch whose order is given."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Another order from the next iteration on; workers that are running notice, too."""
        random_state(epoch)
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        """Items of this rank."""
        return len(self._share())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        share = self._share()
        mine = share[_cut(len(share), worker, workers) : _cut(len(share), worker + 1, workers)]
        files = self._files(mine)
        if self.shuffle:
            files = _shuffled(files, self.buffer, self.seed, self.epoch, self.rank, worker)
        with scratch_folder() as scratch:
            unpacker = Unpacker(self.reader, scratch)
            for index, content in files:
                yield unpacker.read(index, content)

    def _share(self) -> range:
        """Which items of the epoch's order are this rank's."""
        count = sum(shard.items for shard in self.shards)
        if self.even:
            each = count // self.ranks
            return range(self.rank * each, (self.rank + 1) * each)
        return range(_cut(count, self.rank, self.ranks), _cut(count, self.rank + 1, self.ranks))

    def _files(self, mine: range) -> Iterator[tuple[int, Files]]:
        """Items by their places in the epoch's order of shards; read as they are needed."""
        order = self.shards
        if self.shuffle:
            order = [order[at] for at in random_state(self.seed, self.epoch).permutation(len(order))]
        ends = accumulate(shard.items for shard in order)
        for shard, end in zip(order, ends):
            first = end - shard.items
            places = range(max(mine.start, first) - first, min(mine.stop, end) - first)
            if places:
                yield from read_files(self.storage, self.description, shard, places, self.reader.audio)

    def _whole_shards(self, partial: bool) -> list[Any]:
        about, where = self.description, self.storage.shown("")
        whole_shards, wrong = place.survey(self.storage, about)
        if len(whole_shards) < place.shard_count(about) and not partial:
            told = "".join(f"\n  {text}" for text in list(wrong.values())[:3])
            raise CorpusError(
                f"{where} is half written: {len(whole_shards)} of {place.shard_count(about)} shards are there{told}\n"
                f"  djgraph dataset make {where} makes the rest; CorpusStream(…, partial=True) takes what there is"
            )
        if not whole_shards:
            raise CorpusError(f"{where} has no shards yet; djgraph dataset make {where} makes them")
        return [whole_shards[number] for number in sorted(whole_shards)]


def _cut(count: int, part: int, parts: int) -> int:
    """Where the part begins of so many things that are parted evenly."""
    return count * part // parts


def _ranks(rank: int | None, ranks: int | None) -> tuple[int, int]:
    from torch import distributed

    if (rank is None) != (ranks is None):
        raise InputError("rank and ranks: give both, or neither")
    if rank is None or ranks is None:
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(), distributed.get_world_size()
        given = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
        if not all(text.isdecimal() for text in given):
            return 0, 1
        rank, ranks = int(given[0]), int(given[1])
    ranks = whole(ranks, "ranks", 1)
    return whole(rank, "rank", 0, ranks - 1), ranks


def _shuffled(items: Iterable[tuple[int, Files]], size: int, *key: int) -> Iterator[tuple[int, Files]]:
    """Each item changes places with one of ``size`` that are waiting."""
    random = random_state(*key)
    waiting: list[tuple[int, Files]] = []
    for item in items:
        if len(waiting) < size:
            waiting.append(item)
            continue
        at = random.randint(size)
        waiting[at], item = item, waiting[at]
        yield item
    for at in random.permutation(len(waiting)):
        yield waiting[at]
