"""Many tracks, on all cores, each once: what is known and has not changed is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from djgraph.analysis import store
from djgraph.analysis.collections import Collection, read_collection
from djgraph.analysis.find import Source, find_sources
from djgraph.analysis.grid import Grid
from djgraph.analysis.tempo import TEMPOS
from djgraph.analysis.track import analyse_track
from djgraph.errors import DJGraphError, InputError
from djgraph.jobs import Executor, executor_of, run_jobs

Progress = Callable[[int, int], None]
"""Told how many tracks are done, and how many there are."""


@dataclass(frozen=True)
class Result:
    """What became of a track. known: of it now; None where it went wrong. kept: it was known. problem: why
    it went wrong."""

    source: Source
    known: store.Known | None
    kept: bool = False
    problem: str | None = None


def analyse(
    roots: Iterable[str | os.PathLike[str]],
    *,
    tempos: tuple[float, float] | None = None,
    collections: Iterable[str | os.PathLike[str]] = (),
    force: bool = False,
    workers: int | Executor | None = None,
    write: bool = True,
    progress: Progress | None = None,
) -> list[Result]:
    """Analyse every track in some folders and files; results in their order, and a JSON file beside each.

    tempos: BPM between which they lie. collections: files of DJ programs whose grids are taken over. force: anew, what
    is known, too. workers: processes, all cores where left out, or another executor of
    :mod:`djgraph.jobs`. write: whether to write the files. A track that
    cannot be read is a :class:`Result` with a problem; the others go on.

    Raises AudioFileError for roots without tracks and collections that cannot be read, InputError for tempos that are
    none and where librosa is not installed.
    """
    low, high = TEMPOS if tempos is None else tempos
    if not 20 <= low < high <= 400 or high / low < 1.5:
        raise InputError(
            f"tempos are {low:g} to {high:g}; expected two between 20 and 400 BPM, the higher one at least half as "
            "much again, so that one tempo or its double lies between"
        )
    _check_installed()
    sources = find_sources(roots)
    known = [read_collection(Path(path)) for path in collections]
    results: dict[int, Result] = {}
    numbers, where = range(len(sources)), executor_of(workers, len(sources))
    jobs = run_jobs(_Job, (sources, low, high, force, known, write), numbers, where)
    for number, result in jobs:
        results[number] = result
        if progress is not None:
            progress(len(results), len(sources))
    return [results[number] for number in range(len(sources))]


class _Job:
    """In a worker: one track by its number."""

    def __init__(
        self,
        sources: list[Source],
        low: float,
        high: float,
        force: bool,
        known: list[Collection],
        write: bool,
    ) -> None:
        self.sources, self.low, self.high, self.force, self.write = sources, low, high, force, write
        self.known = known

    def __call__(self, number: int) -> tuple[int, Result]:
        source = self.sources[number]
        try:
            return number, self._result(source)
        except DJGraphError as problem:
            return number, Result(source, None, problem=str(problem))

    def _result(self, source: Source) -> Result:
        about = store.read_about(source.about)
        grid = next(self._grids(source), None)
        wanted = store.settings(source, source.digest(), self.low, self.high)
        wanted["grid"] = "analysis" if grid is None else grid[1]
        if not self.force and (known := store.current(about, wanted)) is not None:
            return Result(source, known, kept=True)
        given = grid or store.own_grid(about)
        low, high = self.low, self.high
        if (tempo := store.own_tempo(about)) is not None:
            low, high = tempo / 1.03, tempo * 1.03
        analysis = analyse_track(source, low, high, given)
        data = store.write(source, about, analysis, wanted, write=self.write)
        return Result(source, store.Known.model_validate(data))

    def _grids(self, source: Source) -> Iterator[tuple[Grid, str]]:
        for collection in self.known:
            grid = collection.grid(source)
            if grid is not None:
                yield grid, collection.kind


def _check_installed() -> None:
    import importlib

    try:
        # Here first: what librosa compiles when it is imported, workers find on disk.
        importlib.import_module("librosa.feature")
    except ModuleNotFoundError as problem:
        if problem.name != "librosa":
            raise
        raise InputError(
            'analysing needs librosa, which is not installed: pip install "djgraph[analyse]"'
        ) from None
