"""Makes a corpus of synthetic transitions: begins one, goes on with one, or lets one grow."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from djgraph.arguments import shown, whole
from djgraph.atomic import write_text
from djgraph.data import store
from djgraph.data.begun import check_source, is_fresh, locked_folder
from djgraph.data.description import FILE, Description, Packing
from djgraph.data.items import make_items
from djgraph.data.plan import COUNT, DEMO, agree, begin, check_names
from djgraph.data.roots import check_reached
from djgraph.data.sources import GraphSource
from djgraph.data.stored import MAX_COUNT
from djgraph.data.tracks import Problems
from djgraph.errors import CorpusError, InputError
from djgraph.graph.ir import Graph
from djgraph.jobs import Executor, executor_of, run_jobs
from djgraph.reading import read_text
from djgraph.storage import announced, is_url, open_storage

PACKINGS = ("tar", "parquet")


@dataclass(frozen=True)
class Made:
    """What :func:`make_corpus` did: items made now, items that were there, problems of those made anew."""

    root: Path | str
    made: int
    kept: int
    remade: tuple[str, ...]
    description: Description


def make_corpus(
    root: str | os.PathLike[str],
    *,
    tracks: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
    demo: bool = False,
    graph: GraphSource | None = None,
    args: Mapping[str, Any] | None = None,
    count: int | None = None,
    shards: str | None = None,
    workers: int | Executor | None = None,
    verify: bool = False,
    problems: Problems = "error",
    progress: Callable[[int, int], object] | None = None,
    **settings: Any,
) -> Made:
    """Make a corpus of synthetic transitions with their ground truth, or go on with one.

    root: a folder, or a URL that fsspec knows, that is new, empty, or a corpus already. Then everything that is
    left out is as the corpus has it, and what is given has to agree with it; only ``count`` may grow. Items that
    are there are kept, those that are damaged (sizes; with ``verify`` also checksums) are made anew.

    tracks: folders, or URLs, to search for tracks (:func:`djgraph.data.find_tracks`), with ``problems``; or demo: the
    two tracks that djgraph synthesises. graph, args: what :func:`djgraph.load` takes, ``dj_mixer`` where left
    out; its needed inputs are played, at least two if it has them, each by another track. count: items
    (100). shards: pack items in files of many, ``tar`` (as WebDataset has them) or ``parquet``; a URL takes nothing
    else (``tar`` where left out). workers: processes (as many as there are cores), or where else they are made, such as
    :class:`djgraph.jobs.Ray`. progress: called with the items done and all.

    Settings: ``seed`` (0); ``seconds`` (10) of each item; ``frames_per_second`` (20) of the params; ``stems``:
    ``copy`` the excerpts into the corpus or keep a ``reference`` to the tracks; ``curves`` (0.5): the share of
    items with random smooth curves; ``recipes``: names of the transitions that the others are drawn from (all
    that the graph knows); ``align``, ``short``: as for :class:`djgraph.data.StemPairs`; ``shard_size``
    (1000, of shards 100) items in a folder or shard.

    Item i depends on the seed, i, the tracks, the graph and the settings, and on nothing else. Whatever stops
    this function, a kill included, leaves whole items only, and the next call goes on.

    Raises CorpusError for a folder that is not empty and no corpus, for what does not agree with the corpus,
    and while another process makes the same; InputError for bad settings; AudioFileError for the tracks.
    """
    check_names(settings)
    if count is not None:
        count = whole(count, "count", 1, MAX_COUNT)
    executor_of(workers)  # before the work
    if tracks is not None and demo:
        raise InputError("tracks and demo: give one of them")
    if shards is not None and shards not in PACKINGS:
        raise InputError(f"shards is {shown(shards)}; allowed: {', '.join(PACKINGS)}")
    source = (tracks, demo, graph, args, count, settings, problems)
    if shards is not None or is_url(root) or _is_packed(Path(root)):
        from djgraph.data.shards.make import make_shards

        packing: Packing | None = "tar" if shards == "tar" else "parquet" if shards else None
        made = make_shards(str(root), packing, source, workers, verify, progress)
        return Made(root if isinstance(root, str) else Path(root), *made)
    root = Path(root)
    fresh = is_fresh(root)
    check_source(fresh, tracks, demo)
    with locked_folder(root, fresh):
        home = FolderHome(root)
        if fresh:
            about, _ = begin(home, tracks, graph, args or {}, count or COUNT, settings, problems)
        else:
            about, _ = agree(home, *source)
        store.sweep(root)
        records, damaged = store.survey(root, about.count, about.settings.shard_size, deep=verify)
        todo = [index for index in range(about.count) if index not in records]
        kept = len(records)
        executor = executor_of(workers, len(todo))
        if todo:
            check_reached((track.folder for track in about.tracks), not executor.shares_memory)
        seen = announced(open_storage(root, CorpusError), not executor.shares_disk)
        try:
            with (
                seen as token,
                contextlib.closing(
                    run_jobs(make_items, (*_order(root, about, executor), token), todo, executor)
                ) as jobs,
            ):
                if progress is not None:
                    progress(len(records), about.count)
                for record in jobs if todo else ():
                    records[record["index"]] = record
                    if progress is not None:
                        progress(len(records), about.count)
        finally:
            store.sweep(root)
            store.write_manifest(root, records, about.settings.shard_size)
    return Made(root, len(todo), kept, tuple(damaged.values()), about)


class FolderHome:
    """A corpus's folder; see :class:`djgraph.data.plan.Home`."""

    shards: Packing = ""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where = str(root)

    def read(self) -> Description:
        return Description.read(self.root)

    def write(self, about: Description) -> None:
        about.write(self.root)

    def read_graph(self, about: Description) -> tuple[str, Graph]:
        return read_text(self.root / about.graph, CorpusError), about.load_graph(self.root)

    def write_graph(self, file: str, text: str) -> None:
        write_text(self.root / file, text, CorpusError)

    def demo(self) -> Path:
        return self.root / DEMO

    def has_demo(self) -> bool:
        return self.demo().is_dir()


def _is_packed(root: Path) -> bool:
    """Whether a corpus is there that is packed in shards; one that is damaged is told of later."""
    if not (root / FILE).is_file():
        return False
    with contextlib.suppress(CorpusError):
        return bool(Description.read(root).shards)
    return False


def _order(root: Path, about: Description, executor: Executor) -> tuple[Path, Description]:
    """What workers are told; elsewhere, paths are not taken from this process's folder."""
    if executor.shares_memory:
        return root, about
    return root.absolute(), about.absolute()
