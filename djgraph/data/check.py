"""Whether a corpus is whole: its files, the tracks that it was made from, and labels that the mixer can follow."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from djgraph.data import store
from djgraph.data.description import Description
from djgraph.data.faults import item_faults
from djgraph.data.tracks import TOLERANCE, Track
from djgraph.errors import AudioFileError
from djgraph.storage import is_url


def check_corpus(root: str | os.PathLike[str]) -> tuple[int, dict[int, str]]:
    """How many items a corpus is to have, and number → what is wrong, for every one that is not whole.

    Reads every file against its checksum, every item's params (that no label says what the mixer cannot do), and
    the tracks that the items play, where they are still there (with ``stems="reference"`` they have to be); those
    behind URLs are not looked at, since nobody gives these. Writes the manifest anew, unless the corpus may only be
    read. Raises CorpusError where there is no corpus.
    """
    if is_url(root) or (about := Description.read(Path(root))).shards:
        from djgraph.data.shards.check import check_shards

        return check_shards(str(root))
    root = Path(root)
    shard_size = about.settings.shard_size
    with store.locked_to_read(root) as writable:
        whole, wrong = store.survey(root, about.count, shard_size, deep=True)
        if writable:
            store.write_manifest(root, whole, shard_size)
    tracks = _wrong_tracks(about, whole)
    for index, record in whole.items():
        faults = list(item_faults(store.item_folder(root, index, shard_size), about, record, tracks))
        if faults:
            wrong[index] = f"{store.item_folder(root, index, shard_size)} {'; '.join(faults)}"
    for first, last in _gaps(sorted({*whole, *wrong}), about.count):
        text = f"{store.item_folder(root, first, shard_size)} is missing"
        if last > first:
            text = (
                f"items {first} to {last} are missing: {store.item_folder(root, first, shard_size)} and so on"
            )
        wrong.update(dict.fromkeys(range(first, last + 1), text))
    return about.count, dict(sorted(wrong.items()))


def _wrong_tracks(about: Description, whole: Mapping[int, Mapping[str, Any]]) -> dict[str, str]:
    """Name → what is wrong, for the tracks that are played."""
    played = {excerpt["track"] for record in whole.values() for excerpt in record["inputs"].values()}
    known = {track.name: track for track in about.tracks}
    wrong = {name: "is none of the corpus's" for name in played - set(known)}
    for name in sorted(played & set(known)):
        if fault := _track_fault(known[name], about.settings.stems == "reference"):
            wrong[name] = fault
    return wrong


def _track_fault(track: Track, needed: bool) -> str | None:
    """Reads all of a track's files; those that a corpus of copies has lost are not missed. What lies behind a URL that
    nobody has given is not looked at."""
    from djgraph.audio import read

    longest = 0.0
    files = [file for files in track.parts.values() for file in files if isinstance(file, Path)]
    there = [file for file in files if os.path.isfile(file)]
    for file in files if needed else there:
        try:
            audio, rate = read(file)
        except AudioFileError as problem:
            return (
                f"cannot be played: {problem}. Put the whole file there; if this corpus was made from the file as it"
                " is, make it anew in a new folder"
            )
        longest = max(longest, audio.shape[-1] / rate)
    if files and len(there) == len(files) and longest < track.seconds - TOLERANCE:
        return f"is another one by now: it lasts {longest:.3f} s and lasted {track.seconds:.3f} s"
    return None


def _gaps(numbers: Sequence[int], count: int) -> Iterator[tuple[int, int]]:
    """First and last of every run of numbers from 0 to count that are not there; ``numbers`` ascend."""
    for before, after in itertools.pairwise((-1, *numbers, count)):
        if after - before > 1:
            yield before + 1, after - 1
