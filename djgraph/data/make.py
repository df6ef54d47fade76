"""Makes a corpus of synthetic transitions: begins one, goes on with one, or lets one grow."""

from __future__ import annotations

import contextlib
import dataclasses
import operator
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from djgraph.arguments import is_real, is_whole, shown, whole
from djgraph.atomic import write_text
from djgraph.audio import check_format
from djgraph.data import store
from djgraph.data.check import warn_of_before
from djgraph.data.description import FILE, Description, Settings, differences, inputs_of, parts_of
from djgraph.data.items import MIX, make_items
from djgraph.data.moves import choose
from djgraph.data.pairs import long_enough
from djgraph.data.sources import GraphSource, demo_folder, plain_args, read_graph
from djgraph.data.stored import MAX_COUNT
from djgraph.data.tracks import Problems, Track, find_tracks
from djgraph.errors import CorpusError, InputError, nearest
from djgraph.graph.ir import Graph
from djgraph.jobs import Executor, executor_of, run_jobs
from djgraph.reading import read_text
from djgraph.version import __version__

GRAPH = "dj_mixer"
DEMO = "tracks"
"""Folder of a corpus where the demo tracks are put."""
COUNT = 100


@dataclass(frozen=True)
class Made:
    """What :func:`make_corpus` did: items made now, items that were there, problems of those made anew."""

    root: Path
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
    workers: int | Executor | None = None,
    verify: bool = False,
    problems: Problems = "error",
    progress: Callable[[int, int], object] | None = None,
    **settings: Any,
) -> Made:
    """Make a corpus of synthetic transitions with their ground truth, or go on with one.

    root: a folder that is new, empty, or a corpus already. Then everything that is left out is as the corpus
    has it, and what is given has to agree with it; only ``count`` may grow. Items that are there are kept,
    those that are damaged (sizes; with ``verify`` also checksums) are made anew.

    tracks: folders to search for tracks (:func:`djgraph.data.find_tracks`), with ``problems``; or demo: the
    two tracks that djgraph synthesises. graph, args: what :func:`djgraph.load` takes, ``dj_mixer`` where left
    out; its needed inputs are played, at least two if it has them, each by another track. count: items
    (100). workers: processes (as many as there are cores), or where else they are made, such as
    :class:`djgraph.jobs.Ray`. progress: called with the items done and all.

    Settings: ``seed`` (0); ``seconds`` (10) of each item; ``frames_per_second`` (20) of the params; ``stems``:
    ``copy`` the excerpts into the corpus or keep a ``reference`` to the tracks; ``curves`` (0.5): the share of
    items with random smooth curves; ``recipes``: names of the transitions that the others are drawn from (all
    that the graph knows); ``align``, ``short``: as for :class:`djgraph.data.StemPairs`; ``shard_size`` (1000)
    items in a folder.

    Item i depends on the seed, i, the tracks, the graph and the settings, and on nothing else. Whatever stops
    this function, a kill included, leaves whole items only, and the next call goes on.

    Raises CorpusError for a folder that is not empty and no corpus, for what does not agree with the corpus,
    and while another process makes the same; InputError for bad settings; AudioFileError for the tracks.
    """
    root = Path(root)
    _check_names(settings)
    if count is not None:
        count = whole(count, "count", 1, MAX_COUNT)
    executor_of(workers)  # before the work
    if tracks is not None and demo:
        raise InputError("tracks and demo: give one of them")
    fresh = _is_fresh(root)
    if fresh and tracks is None and not demo:
        raise InputError(
            "what is to be mixed? give tracks, folders of stems, or demo=True (--tracks, --demo)"
        )
    with _locked_folder(root, fresh):
        if fresh:
            about = _begin(root, tracks, graph, args or {}, count or COUNT, settings, problems)
        else:
            about = _agree(root, tracks, demo, graph, args, count, settings, problems)
        store.sweep(root)
        records, damaged = store.survey(root, about.count, about.settings.shard_size, deep=verify)
        todo = [index for index in range(about.count) if index not in records]
        kept = len(records)
        executor = executor_of(workers, len(todo))
        jobs = run_jobs(make_items, _order(root, about, executor), todo, executor)
        try:
            with contextlib.closing(jobs):
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


def _order(root: Path, about: Description, executor: Executor) -> tuple[Path, Description, str | None]:
    """What workers are told; elsewhere, paths are not taken from this process's folder."""
    if executor.shares_memory:
        return root, about, None
    return root.absolute(), about.absolute(), None if executor.shares_disk else store.write_token(root)


def _begin(
    root: Path,
    tracks: Any,
    source: GraphSource | None,
    args: Mapping[str, Any],
    count: int,
    options: Mapping[str, Any],
    problems: Problems,
) -> Description:
    args = plain_args(args)
    text, graph, file = read_graph(GRAPH if source is None else source, args)
    settings = _settings(Settings(), options)
    inputs = inputs_of(graph)
    # Before the work, not after it.
    check_format(root / MIX, graph.sample_rate, graph.channels(next(iter(graph.outputs.values()))))
    about = Description(
        count=count,
        settings=settings,
        graph=file,
        args=args,
        sample_rate=graph.sample_rate,
        layout=_layout(graph),
        inputs=inputs,
        tracks=(),
        made_with=__version__,
    )
    names = choose(about.layout, options.get("recipes"))
    settings = dataclasses.replace(settings, recipes=tuple(names))
    if tracks is None:
        tracks = demo_folder(root / DEMO, graph.sample_rate, settings.seconds)
    chosen = _find(tracks, graph, about, problems)
    about = dataclasses.replace(about, settings=settings, tracks=tuple(chosen))
    write_text(root / file, text, CorpusError)
    about.write(root)
    return about


def _agree(
    root: Path,
    tracks: Any,
    demo: bool,
    source: GraphSource | None,
    args: Mapping[str, Any] | None,
    count: int | None,
    options: Mapping[str, Any],
    problems: Problems,
) -> Description:
    """The corpus's own description, with the new count, once all that is given agrees with it."""
    about = Description.read(root)
    warn_of_before(about, root)
    graph = about.load_graph(root)
    wrong = []
    if source is not None:
        text, other, _ = read_graph(source, about.args if args is None else args)
        if text != read_text(root / about.graph, CorpusError):
            wrong.append(f"graph: another document\n{about.layout.diff(_layout(other))}".rstrip())
    if args is not None and plain_args(args) != dict(about.args):
        wrong.append(f"args: {dict(about.args)} → {plain_args(args)}")
    given = dict(options)
    if given.get("recipes") is not None:
        given["recipes"] = choose(about.layout, given["recipes"])
    wrong += differences(about.settings, _settings(about.settings, given))
    if demo and not (root / DEMO).is_dir():
        wrong.append("tracks: folders → the demo's")
    if tracks is not None:
        there = [(track.name, track.folder.resolve()) for track in _find(tracks, graph, about, problems)]
        if there != [(track.name, track.folder.resolve()) for track in about.tracks]:
            wrong.append(f"tracks: {len(about.tracks)} → {len(there)}, or other ones")
    if count is not None and count < about.count:
        wrong.append(f"count: {about.count} → {count} (it may only grow)")
    if wrong:
        listed = "\n".join("  " + line for text in wrong for line in text.splitlines())
        raise CorpusError(
            f"{root} is a corpus with other settings; from it to what is asked for:\n{listed}\n"
            "  leave these out to go on with it, or make another one in a new folder"
        )
    if demo or (root / DEMO).is_dir():
        demo_folder(root / DEMO, about.sample_rate, about.settings.seconds)
    for track in about.tracks:
        for file in (file for files in track.parts.values() for file in files):
            if not os.path.isfile(file):
                raise CorpusError(
                    f"{file} is gone, a stem of the track {track.name!r} that {root} is made from; put it back,"
                    " or make another corpus"
                )
    if count is not None and count > about.count:
        about = dataclasses.replace(about, count=count)
        about.write(root)
    return about


def _settings(base: Settings, options: Mapping[str, Any]) -> Settings:
    given = {name: value for name, value in options.items() if value is not None}
    if "recipes" in given:
        given["recipes"] = tuple(map(str, given["recipes"]))
    # One spelling in corpus.json, whatever library the numbers are of.
    for name in ("seconds", "frames_per_second", "curves"):
        if is_real(given.get(name)):
            given[name] = float(given[name])
    for name in ("seed", "shard_size"):
        if is_whole(given.get(name)):
            given[name] = operator.index(given[name])
    for name in ("stems", "align", "short"):
        if isinstance(given.get(name), str):
            given[name] = str(given[name])
    settings = dataclasses.replace(base, **given)
    if faults := settings.faults():
        raise InputError("; ".join(faults))
    return settings


def _check_names(options: Mapping[str, Any]) -> None:
    recipes = options.get("recipes")
    if recipes is not None and not (
        isinstance(recipes, Sequence)
        and not isinstance(recipes, str)
        and all(isinstance(name, str) for name in recipes)
    ):
        raise InputError(f"recipes is {shown(recipes)}; expected a list of names of transitions")
    known = [field.name for field in dataclasses.fields(Settings)]
    for name in options:
        if name not in known:
            guess = nearest(name, known)
            hint = f"; did you mean {guess!r}?" if guess else f"; there is: {', '.join(known)}"
            raise InputError(f"make_corpus has no setting {name!r}{hint}")


def _layout(graph: Graph) -> Any:
    from djgraph.layout import ParameterLayout

    return ParameterLayout.from_graph(graph)


def _find(tracks: Any, graph: Graph, about: Description, problems: Problems) -> Sequence[Track]:
    stems, optional = parts_of(graph, about.inputs)
    candidates = find_tracks(tracks, stems, optional, problems)
    return long_enough(candidates, about.samples, about.sample_rate, about.settings.short, len(about.inputs))


def _is_fresh(root: Path) -> bool:
    if (root / FILE).is_file():
        return False
    if root.exists() and not root.is_dir():
        raise CorpusError(f"{root} is a file; a corpus is a folder")
    # What a kill in the first second leaves: the graph's copy and the demo's tracks.
    own = {DEMO, "graph.yaml", "graph.json", "graph.yml"}
    foreign = (
        [child.name for child in root.iterdir() if child.name not in own and not child.name.startswith(".")]
        if root.is_dir()
        else []
    )
    if foreign:
        raise CorpusError(
            f"{root} is neither empty nor a corpus: it has {', '.join(sorted(foreign)[:5])}; choose a new folder"
        )
    return True


@contextlib.contextmanager
def _locked_folder(root: Path, fresh: bool) -> Iterator[None]:
    new = not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CorpusError(f"{root} cannot be made: {problem.strerror or problem}") from problem
    try:
        with store.locked(root):
            yield
    except BaseException:
        if new and fresh and not (root / FILE).is_file():  # a mistake in the settings leaves nothing behind
            shutil.rmtree(root, ignore_errors=True)
        raise
