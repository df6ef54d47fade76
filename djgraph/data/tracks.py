"""Tracks on disk: folders of stems found under a root, what is known of them, and excerpts of all their stems."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from djgraph.arguments import shown
from djgraph.audio.excerpts import read_excerpt
from djgraph.audio.folders import Search, has_parts, search
from djgraph.audio.formats import SUFFIXES, how_to_convert, is_foreign
from djgraph.audio.stems import STEMS, find_signal, find_stems
from djgraph.data.collections import Multitrack, is_multitrack, read_multitrack
from djgraph.data.metadata import read_metadata
from djgraph.data.roots import Root, opened_root
from djgraph.errors import AudioFileError, DJGraphError, InputError, shorten
from djgraph.storage import UrlPath, local

WHOLE = "mixture"
"""The part that stands for a whole track: its file ``mixture``, or else the sum of its stems."""
MAX_DEPTH = 6
"""Levels of folders that are searched below a root."""
TOLERANCE = 0.1
"""Seconds by which the stems of a track may differ in length; the shorter ones end in silence."""

Problems = Literal["error", "skip"]


@dataclass(frozen=True)
class Track:
    """A track: its files by part, and what is known of it. Files behind a URL are fetched when they are first read, and
    kept (:func:`djgraph.storage.local`).

    name: the path of its folder below the root that it was found under. parts: stem name, or
    :data:`WHOLE`, → the files that are added up for it (one for a stem). seconds: of its longest file. tempo:
    BPM or None. beats: seconds, ascending; may be empty. info: everything else in its metadata file. minus: part → the
    files that are taken off it: of a residual stem, all other stems'.
    """

    name: str
    folder: Path | UrlPath
    parts: Mapping[str, tuple[Path | UrlPath, ...]]
    seconds: float
    tempo: float | None = None
    beats: tuple[float, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)
    minus: Mapping[str, tuple[Path | UrlPath, ...]] = field(default_factory=dict)

    def samples(self, sample_rate: int) -> int:
        """Whole samples that it lasts at a rate."""
        return math.floor(self.seconds * sample_rate + 1e-6)

    def read(
        self, start: int, samples: int, sample_rate: int, channels: int | Mapping[str, int] = 2
    ) -> dict[str, Tensor]:
        """Part → ``[channels, samples]`` from sample ``start`` on, streamed from disk; silence beyond the end.

        channels: 1 or 2 for all parts, or a number for each part to read; a part that the track lacks, an
        optional stem, is silence. Raises AudioFileError as :func:`djgraph.audio.read_excerpt` does.
        """
        wanted = channels if isinstance(channels, Mapping) else dict.fromkeys(self.parts, channels)
        parts = {}
        for part, count in wanted.items():
            audio = torch.zeros(count, samples, dtype=torch.float32, device="cpu")
            for file in self.parts.get(part, ()):
                with local(file, AudioFileError) as path:
                    audio += read_excerpt(path, start, samples, sample_rate, count)
            for file in self.minus.get(part, ()):
                with local(file, AudioFileError) as path:
                    audio -= read_excerpt(path, start, samples, sample_rate, count)
            parts[part] = audio
        return parts


def find_tracks(
    roots: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    stems: Sequence[str] = STEMS,
    optional: Iterable[str] = (),
    problems: Problems = "error",
    residual: str | None = None,
) -> list[Track]:
    """Every track under one or several roots, ordered by root and name.

    A root is a folder, or the URL of one that fsspec knows (``s3://bucket/tracks``), as text.
    A track is a folder with files of the stems' names, at any of :data:`MAX_DEPTH` levels: plain, as Demucs
    leaves them (``separated/htdemucs/Song``) or as MUSDB18-HQ has them (``train/Song``); the suffixes and
    rules are those of :func:`djgraph.audio.load_stems`. A track of MoisesDB (``data.json``) or of Slakh2100
    (``metadata.yaml`` and ``stems``) is one, too: its recordings of one kind are added up, and ``other`` gets all that
    no other stem asks for. Symbolic links are followed, and every folder is taken
    once. stems: the parts to look for; :data:`WHOLE` among them stands for the whole track. optional: parts that
    a track may lack. residual: a stem, one of ``stems`` or one more, that is what a track's file ``mixture`` has beyond
    the other stems, so that all of them add up to the mixture to the sample; its own file, where there is
    one, is not read.

    Beside its stems, ``track.json``, or beside its folder ``<folder>.json``, may hold a mapping with
    ``tempo`` (BPM), ``beats`` (seconds, ascending) and anything else.

    problems: ``error`` raises AudioFileError with all that is wrong with any track, folders that may not be read
    among it; ``skip`` leaves them out, with a warning that says the same. Raises AudioFileError for a root without
    any track, and where two roots hold tracks of one name; InputError for roots that are no names.
    """
    if problems not in ("error", "skip"):
        raise InputError(f"problems is {problems!r}; allowed: error, skip")
    if not isinstance(roots, str | os.PathLike | Iterable):
        raise InputError(f"tracks are {shown(roots)}; expected a folder, or several")
    listed = [roots] if isinstance(roots, str | os.PathLike) else list(roots)
    if odd := [root for root in listed if not isinstance(root, str | os.PathLike)]:
        raise InputError(f"{shown(odd[0])} is no folder of tracks; expected names of folders")
    if not listed:
        raise AudioFileError("no folder of tracks given")
    wanted = {stem.lower() for stem in stems} | {WHOLE} | set(STEMS if WHOLE in stems else ())
    tracks: list[Track] = []
    wrong: list[str] = []
    unread: list[str] = []
    for root in listed:
        with opened_root(root, MAX_DEPTH) as place:
            found, faults, closed = _find(place, wanted, stems, set(optional), residual)
        tracks += found
        wrong += faults
        unread += closed
    if wrong:
        told = "\n".join(wrong[:10]) + (f"\n… and {len(wrong) - 10} more" if len(wrong) > 10 else "")
        if problems == "error" or not tracks:
            raise AudioFileError(told)
        folders = f" and {len(unread)} folders" if unread else ""
        warnings.warn(f"{len(wrong) - len(unread)} tracks{folders} are left out:\n{told}", stacklevel=2)
    names = Counter(track.name for track in tracks)
    if twice := sorted(name for name, times in names.items() if times > 1):
        raise AudioFileError(
            f"two roots hold tracks of the same name: {shorten(twice)}; name a folder above both"
        )
    return tracks


def _find(
    root: Root, wanted: set[str], stems: Sequence[str], optional: set[str], residual: str | None
) -> tuple[list[Track], list[str], list[str]]:
    """The tracks under a root, what is wrong with others, and, among that, folders that may not be read."""
    listing = _search(root, wanted)
    unread = [root.told(text) for text in listing.unread]
    if not listing.folders:
        raise AudioFileError("\n  ".join([root.told(_nothing(root.folder, stems)), *unread[:10]]))
    if listing.broken:
        links = shorten([str(link) for link in listing.broken], 8)
        warnings.warn(f"symbolic links that lead nowhere are left out: {links}", stacklevel=3)
    tracks, wrong = [], list(unread)
    for folder in listing.folders:
        try:
            tracks.append(_track(root, folder, stems, optional, residual))
        except DJGraphError as problem:
            wrong.append(root.told(str(problem)))
    return tracks, wrong, unread


def _search(root: Root, wanted: set[str]) -> Search:
    # Stems in a format that is not read make a track, too: one that something is wrong with.
    return search(
        root.folder,
        MAX_DEPTH,
        lambda folder, names: has_parts(names, wanted, foreign=True) or is_multitrack(folder, names),
    )


def _nothing(root: Path, stems: Sequence[str]) -> str:
    try:
        inside = sorted(child.name for child in root.iterdir())
    except OSError as problem:
        return f"{root} cannot be read: {problem.strerror or problem}"
    there = f"it holds: {shorten(inside, 8)}" if inside else "it is empty"
    foreign = [name for name in inside if is_foreign(name)]
    return (
        f"{root} has no track in it or below ({there})\n"
        f"  expected: folders with files called {', '.join(stems)}, with one of the suffixes {', '.join(SUFFIXES)}"
        + (f"\n  {how_to_convert(*foreign)}" if foreign else "")
    )


def _track(root: Root, folder: Path, stems: Sequence[str], optional: set[str], residual: str | None) -> Track:
    multitrack = read_multitrack(folder)
    named = [stem for stem in stems if stem not in (WHOLE, residual)]
    parts: dict[str, tuple[Path, ...]] = {}
    if WHOLE in stems:
        parts[WHOLE] = tuple(find_signal(folder)) if multitrack is None else multitrack.signal()
    if named and multitrack is None:
        parts |= {stem: (file,) for stem, file in find_stems(folder, named, optional).items()}
    elif multitrack is not None:
        parts |= multitrack.parts(named, optional)
    minus: dict[str, tuple[Path, ...]] = {}
    if residual is not None:
        minus[residual] = tuple(file for stem in named for file in parts.get(stem, ()))
        parts[residual] = (_mixture(folder, multitrack),)
    lengths = {}
    for files in parts.values():
        for file in files:
            header = root.header(file)
            if header.channels > 2:
                raise AudioFileError(f"{file} has {header.channels} channels; stems are mono or stereo")
            lengths[file.name] = header.samples / header.sample_rate
    # Recordings of a multitrack begin together, and end where they end.
    if multitrack is None and max(lengths.values()) - min(lengths.values()) > TOLERANCE:
        rows = ", ".join(f"{file} {seconds:.3f} s" for file, seconds in lengths.items())
        raise AudioFileError(f"{folder}: the lengths differ by more than {TOLERANCE} s: {rows}")
    tempo, beats, info = read_metadata(folder)
    if multitrack is not None:
        info = {**multitrack.info, **info}
    places = [{part: tuple(map(root.place, files)) for part, files in of.items()} for of in (parts, minus)]
    seconds = max(lengths.values())
    return Track(root.name(folder), root.place(folder), places[0], seconds, tempo, beats, info, places[1])


def _mixture(folder: Path, multitrack: Multitrack | None) -> Path:
    """The file with the whole track."""
    if multitrack is not None:
        found = [] if multitrack.whole is None else [multitrack.whole]
    else:
        found = [file for file in find_signal(folder) if file.stem.lower() == WHOLE]
    if not found:
        raise AudioFileError(
            f"{folder} has no file {WHOLE}: a residual stem is what that has and the other stems have not"
        )
    return found[0]
