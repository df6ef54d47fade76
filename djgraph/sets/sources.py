"""The tracks of a set on disk: their files for the decks that they are played on, and what is known of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from djgraph.analysis import Grid, Known, analyse, read_analysis
from djgraph.analysis.find import Source, find_sources
from djgraph.analysis.store import Anchors, own_grid, read_about
from djgraph.audio import STEMS, find_stems, read_header
from djgraph.audio.stems import find_signal, is_part
from djgraph.errors import AudioFileError, InputError, Problem, SetError
from djgraph.graph.ir import Graph, InputNode
from djgraph.guard import reading, reading_folder
from djgraph.language.fold import in_file_order
from djgraph.sets.load import SetDocument

WHOLE = ("other", "music", "mixture", "mix")
"""The stems of a deck that a plain file may be played as, the first that is there."""
LEAST_BEATS = 4
"""Beats that a track has at least."""
Progress = Callable[[int, int], None]
"""Told how many tracks are analysed, and how many there are."""


@dataclass(frozen=True)
class SetTrack:
    """A track that is going to be played. files: by stem of its deck's input, None for an input without stems. digest:
    of what its files hold."""

    name: str
    title: str
    path: Path
    input: str
    files: Mapping[str | None, tuple[Path, ...]]
    seconds: float
    grid: Grid
    known: Known
    digest: str


@dataclass(frozen=True)
class _About:
    """What is known of a track, or why nothing is."""

    digest: str
    known: Known | None
    problem: str | None = None
    given: str | None = None
    """Where its beats are from, if somebody gave them."""

    def told(self) -> Known:
        """Raises InputError where nothing is known."""
        if self.known is None:
            raise InputError(self.problem or "the analysis failed")
        return self.known


def find_tracks(
    document: SetDocument, graph: Graph, decks: Sequence[str], progress: Progress | None = None
) -> list[SetTrack]:
    """The tracks of a set, in order; those that are not analysed, or have changed since, are analysed now.

    decks: inputs of the graph, that tracks are played on in turn. Raises SetError that says of every track that cannot
    be played why, with its place in the file.
    """
    problems: list[Problem] = []
    found: dict[int, tuple[str, Path, dict[str | None, tuple[Path, ...]], Source]] = {}
    for number, (track, site) in enumerate(document.tracks):
        path, deck = document.path(track.track), decks[number % len(decks)]
        try:
            path = _in_stems(path, graph.inputs[deck])
            files = _files(path, graph, deck)
            found[number] = deck, path, files, _source(path)
        except (AudioFileError, InputError) as error:
            problems.append(site.problem(str(error)))
    if problems:
        raise SetError(*in_file_order(problems))
    paths = [path for _, path, _, _ in found.values()]
    about = _known(paths, [source for *_, source in found.values()], progress)
    names = unique_names(paths)
    tracks = []
    for number, (track, site) in enumerate(document.tracks):
        deck, path, files, source = found[number]
        try:
            known = about[number].told()
            seconds = _seconds(files)
            grid = _grid(known, source, seconds)
            _check_grid(grid, source, about[number].given)
        except (AudioFileError, InputError) as error:
            problems.append(site.problem(str(error)))
            continue
        title = track.title or _title(document.path(track.track), source)
        tracks.append(
            SetTrack(names[number], title, path, deck, files, seconds, grid, known, about[number].digest)
        )
    if problems:
        raise SetError(*in_file_order(problems))
    return tracks


def unique_names(paths: Iterable[Path]) -> list[str]:
    """Lower-case names of tracks, after their folders or files, told apart by numbers where they are equal."""
    names: list[str] = []
    for path in paths:
        real = Path(os.path.realpath(path))
        plain = re.sub(r"[^a-z0-9]+", "_", (real.stem if real.is_file() else real.name).lower()).strip("_")
        name = plain = (plain[:60] if plain[:1].isalpha() else f"track_{plain[:54]}").strip("_")
        number = 2
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return names


def _title(path: Path, source: Source) -> str:
    return path.stem if path.is_file() else Path(os.path.realpath(path)).name or source.name


def _source(path: Path) -> Source:
    sources = find_sources([path])
    if len(sources) != 1:
        raise InputError(f"{path} holds {len(sources)} tracks, not one")
    return sources[0]


def _in_stems(path: Path, stems: Sequence[str] | None) -> Path:
    """A plain file's stems for a deck that has some, where they can be had; else the path as it is."""
    if stems is None or not path.is_file() or not set(stems) <= set(STEMS) or len(stems) == 1:
        return path
    from djgraph.sets.separate import separated

    return separated(path) or path


def _files(path: Path, graph: Graph, deck: str) -> dict[str | None, tuple[Path, ...]]:
    """The files of a track for an input of the graph. Raises AudioFileError, InputError."""
    stems = graph.inputs[deck]
    if not path.exists():
        raise AudioFileError(f"{path} does not exist")
    files: dict[str | None, tuple[Path, ...]]
    if stems is None:
        files = {None: tuple(find_signal(path))}
    elif path.is_file():
        files = {_whole_stem(stems, deck): (path,)}
    else:
        nodes = [node for node in graph.nodes if isinstance(node, InputNode) and node.input == deck]
        optional = [node.stem or "" for node in nodes if node.optional]
        files = {stem: (file,) for stem, file in find_stems(path, stems, optional).items()}
    if path.is_dir():
        reading_folder(path, next(iter(files.values()))[0].parent, partial(is_part, stems=stems))
    for several in files.values():
        for file in several:
            reading(file)
    return files


def _whole_stem(stems: Sequence[str], deck: str) -> str:
    """The stem that a whole track is played as: it goes through the controls of that one, the others are silent."""
    for stem in (*WHOLE, *(stems if len(stems) == 1 else ())):
        if stem in stems:
            return stem
    raise InputError(
        f"a plain file is played as the stem {WHOLE[0]}, and {deck} has {', '.join(stems)}: give a folder of stems"
    )


def _seconds(files: Mapping[str | None, tuple[Path, ...]]) -> float:
    headers = [read_header(file) for several in files.values() for file in several]
    return max(header.samples / header.sample_rate for header in headers)


def _known(paths: Sequence[Path], sources: Sequence[Source], progress: Progress | None) -> list[_About]:
    """Of each track what is known of it and its digest, or why it is not. Analyses what is not known."""
    out: list[_About] = []
    for source in sources:
        try:
            digest = source.digest()
            about = read_about(source.about)
            kept = about is not None and _content(about.data) == digest
            given = None if about is None else _origin(about.data)
            out.append(_About(digest, read_analysis(source.about) if kept else None, given=given))
        except AudioFileError as error:
            out.append(_About("", None, str(error)))
    unknown = [n for n, about in enumerate(out) if about.known is None and about.problem is None]
    if unknown:
        try:
            results = analyse([paths[n] for n in unknown], progress=progress)
        except InputError as error:  # librosa is not installed: beats that somebody wrote will do
            for n in unknown:
                own = own_grid(read_about(sources[n].about))
                out[n] = (
                    replace(out[n], problem=str(error))
                    if own is None
                    else replace(out[n], known=_bare(own[0]))
                )
        else:
            for n, result in zip(unknown, results, strict=True):
                out[n] = replace(out[n], known=result.known, problem=result.problem)
    return out


def _bare(grid: Grid) -> Known:
    """What is known where only the beats are."""
    anchors = Anchors(seconds=[*grid.seconds], beats=[*grid.beats], meter=grid.meter, downbeat=grid.downbeat)
    return Known(tempo=grid.tempo, meter=grid.meter, grid=anchors)


def _grid(known: Known, source: Source, seconds: float) -> Grid:
    """The track's beats. Raises InputError where there are none, or they are those of other audio."""
    if known.grid is None:
        raise InputError(
            f"no beat was found in {source.name}, so it cannot be played in time; write its beats into "
            f'{source.about}: {{"beats": [0.5, 1.0, …]}}'
        )
    grid = known.grid.grid()
    beats = len(grid.beats_until(seconds))
    if beats < LEAST_BEATS:
        raise InputError(
            f"{source.name} has {beats} beats, fewer than {LEAST_BEATS}: it is too short, or {source.about} is of "
            "other audio"
        )
    return grid


def _check_grid(grid: Grid, source: Source, given: str | None) -> None:
    """Raises InputError for beats that somebody gave and the audio contradicts."""
    if given is None:
        return
    try:
        from djgraph.analysis.agree import contradiction

        problem = contradiction(grid, source.parts)
    except ModuleNotFoundError as error:  # librosa listens
        if error.name != "librosa":
            raise
        return
    if problem is not None:
        raise InputError(
            f"{source.name}: {problem}; correct them in {source.about}, or take them out there (`beats`, `before`) and "
            "analyse it anew"
        )


def _origin(data: object) -> str | None:
    """Where beats are from that no analysis found."""
    if not isinstance(data, dict):
        return None
    grid = data.get("grid")
    if isinstance(grid, dict):
        source = grid.get("source")
        return source if isinstance(source, str) and source != "analysis" else None
    return "track.json" if data.get("beats") else None


def _content(data: object) -> object:
    analysis = data.get("analysis") if isinstance(data, dict) else None
    return analysis.get("content") if isinstance(analysis, dict) else None
