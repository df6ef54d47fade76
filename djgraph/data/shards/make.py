"""A corpus in shards: begun, gone on with, or packed from one that is there; see :func:`djgraph.data.make_corpus`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from djgraph.arguments import shown, whole
from djgraph.data import store
from djgraph.data.begun import check_source, foreign, is_fresh, locked_folder
from djgraph.data.description import FILE, Description, Packing, Settings
from djgraph.data.plan import COUNT, DEMO, agree, begin
from djgraph.data.roots import check_reached
from djgraph.data.shards import place
from djgraph.data.shards.pack import ShardMaker, ShardPacker
from djgraph.data.shards.parquet import modules
from djgraph.data.stored import MAX_COUNT, ShardFile
from djgraph.errors import CorpusError, InputError
from djgraph.graph.ir import Graph
from djgraph.jobs import Executor, Maker, executor_of, run_jobs
from djgraph.reading import read_text
from djgraph.storage import Storage, announced, is_url

SIZE = 100
"""Items of a shard: of ten seconds of the default mixer, about 700 MB, and a minute of one core."""
Done = tuple[int, int, tuple[str, ...], Description]
Progress = Callable[[int, int], object]


class ShardHome:
    """A place of shards; see :class:`djgraph.data.plan.Home`."""

    def __init__(self, storage: Storage, shards: Packing) -> None:
        self.storage = storage
        self.where = storage.shown("")
        self.shards: Packing = shards

    def read(self) -> Description:
        about = place.read_description(self.storage)
        if about is None:
            raise CorpusError(f"{self.where} is no corpus: it has no {FILE}")
        return about

    def write(self, about: Description) -> None:
        place.write_description(self.storage, about)

    def read_graph(self, about: Description) -> tuple[str, Graph]:
        text = place.read_graph_text(self.storage, about)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / about.graph).write_text(text, encoding="utf-8")
            return text, about.load_graph(Path(folder))

    def write_graph(self, file: str, text: str) -> None:
        self.storage.write(file, text.encode("utf-8", "backslashreplace"))

    def demo(self) -> Path:
        if is_url(self.where):
            raise CorpusError(
                f"the demo's tracks are put beside a corpus in a folder, which {self.where} is not; make one in a"
                " folder, and pack it there: djgraph dataset shard"
            )
        return Path(self.where) / DEMO

    def has_demo(self) -> bool:
        return not is_url(self.where) and self.demo().is_dir()


def make_shards(
    where: str,
    packing: Packing | None,
    source: tuple[Any, ...],
    workers: int | Executor | None,
    verify: bool,
    progress: Progress | None,
) -> Done:
    """The rest of :func:`djgraph.data.make_corpus`, for a place of shards. source: of its arguments tracks, demo,
    graph, args, count, settings and problems."""
    tracks, demo, graph, args, count, settings, problems = source
    storage = place.open_shards(where, shared=not executor_of(workers).shares_memory)
    with _kept(storage) as fresh:
        check_source(fresh, tracks, demo)
        if fresh:
            if settings.get("stems") == "reference":
                raise InputError(
                    "shards stand alone, so they hold copies of the stems; leave out stems='reference' (--stems)"
                )
            home = ShardHome(storage, packing or "tar")
            if home.shards == "parquet":
                modules()
            settings = {"shard_size": SIZE, **{k: v for k, v in settings.items() if v is not None}}
            about, text = begin(home, tracks, graph, args or {}, count or COUNT, settings, problems)
        else:
            about, text = agree(ShardHome(storage, packing or ""), *source)
        arguments = (_absolute(where), about.absolute(), text)
        return _run(storage, about, text, ShardMaker, arguments, workers, verify, progress)


def shard_corpus(
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    shards: str = "tar",
    shard_size: int | None = None,
    workers: int | Executor | None = None,
    verify: bool = False,
    progress: Progress | None = None,
) -> Done:
    """Pack a corpus of folders into shards at ``out``, a folder or a URL: the same bytes that
    :func:`djgraph.data.make_corpus` would write there. What is packed already is kept.

    Returns how many items were packed now and before, what was wrong with shards that were packed anew, and the
    description. Raises CorpusError for a corpus that is not whole, or refers to its stems, and InputError for settings.
    """
    if shards not in ("tar", "parquet"):
        raise InputError(f"shards is {shown(shards)}; allowed: tar, parquet")
    root, where = Path(root), str(out)
    size = SIZE if shard_size is None else whole(shard_size, "shard_size", 1, MAX_COUNT)
    before = Description.read(root)
    if before.shards:
        raise CorpusError(f"{root} is packed in shards already")
    if before.settings.stems != "copy":
        raise CorpusError(f"{root} refers to its stems, and shards stand alone; make it with stems='copy'")
    if shards == "parquet":
        modules()
    text = read_text(root / before.graph, CorpusError)
    packing: Packing = "tar" if shards == "tar" else "parquet"
    settings = dataclasses.replace(before.settings, shard_size=size)
    about = dataclasses.replace(before, settings=settings, shards=packing).absolute()
    storage = place.open_shards(where, shared=not executor_of(workers).shares_memory)
    with _kept(storage) as fresh, store.locked_to_read(root):
        home = ShardHome(storage, packing)
        if fresh:
            home.write_graph(about.graph, text)
            home.write(about)
        else:
            _same(home.read(), about, home.where)
            home.write(about)  # a larger count
        arguments = (root.absolute(), _absolute(where), about, before.settings.shard_size)
        return _run(storage, about, text, ShardPacker, arguments, workers, verify, progress)


def _run(
    storage: Storage,
    about: Description,
    text: str,
    make: Maker,
    arguments: tuple[Any, ...],
    workers: int | Executor | None,
    verify: bool,
    progress: Progress | None,
) -> Done:
    shards, wrong = place.survey(storage, about, deep=verify)
    todo = [number for number in range(place.shard_count(about)) if number not in shards]
    kept = done = sum(shard.items for shard in shards.values())
    executor = executor_of(workers, len(todo))
    if todo and make is ShardMaker:
        check_reached((track.folder for track in about.tracks), not executor.shares_memory)
    if progress is not None:
        progress(done, about.count)
    with (
        announced(storage, not executor.shares_disk) as token,
        contextlib.closing(run_jobs(make, (*arguments, token), todo, executor)) as jobs,
    ):
        for shard in jobs if todo else ():
            shards[shard.shard] = shard
            done += shard.items
            if progress is not None:
                progress(done, about.count)
    place.write_manifest(storage, about, shards, text)
    return done - kept, kept, tuple(wrong.values()), about


@contextlib.contextmanager
def _kept(storage: Storage) -> Iterator[bool]:
    """Whether a corpus is to be begun there; nobody else makes it meanwhile, where a place can be locked. Behind a URL
    two that make the same write the same."""
    if is_url(storage.where):
        there = storage.sizes()
        fresh = FILE not in there
        if fresh and (others := foreign(there)):
            raise CorpusError(
                f"{storage.shown('')} is neither empty nor a corpus: it has {', '.join(others[:5])}; choose a new place"
            )
        yield fresh
        return
    root = Path(storage.where)
    fresh = is_fresh(root)
    with locked_folder(root, fresh):
        yield fresh


def _same(there: Description, about: Description, where: str) -> None:
    def told(description: Description) -> Mapping[str, Any]:
        settings: Settings = description.settings
        return {
            "graph": description.layout.fingerprint,
            "sample rate": description.sample_rate,
            "shards": description.shards,
            **dataclasses.asdict(settings),
        }

    before, after = told(there), told(about)
    wrong = [f"  {name}: {before[name]} → {after[name]}" for name in before if before[name] != after[name]]
    if about.count < there.count:
        wrong.append(f"  count: {there.count} → {about.count}")
    if wrong:
        raise CorpusError(
            f"{where} is a corpus of other settings; from it to what is to be packed:\n"
            + "\n".join(wrong)
            + "\n  pack it in a new place"
        )


def _absolute(where: str) -> str:
    return where if is_url(where) else os.path.abspath(where)


__all__ = ["ShardFile", "make_shards", "shard_corpus"]
