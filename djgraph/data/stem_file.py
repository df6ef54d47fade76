"""Stem files, ``Song.stem.mp4``: one file with a mix and its stems, taken apart into a folder of stems.

The format is Native Instruments' (Stems file format specification, 2015): an MP4 whose first audio stream is the mix,
the next four the stems; a box ``stem`` in ``moov.udta`` holds JSON with their names. Read through stempeg and ffmpeg.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from djgraph.arguments import shown
from djgraph.audio.opening import path_of
from djgraph.audio.outputs import open_outputs
from djgraph.errors import AudioFileError
from djgraph.guard import reading
from djgraph.reading import parse_json
from djgraph.regular import NotRegular, open_regular

SUFFIXES = (".stem.mp4", ".stem.m4a")
USUAL = ("drums", "bass", "other", "vocals")
"""What the stems of a file are that does not say it."""
_WORDS = {
    "drums": ("drum", "beat", "perc", "kick"),
    "bass": ("bass",),
    "vocals": ("vocal", "vox", "voice", "voc", "acapella"),
}
_DEEP = ("moov", "udta")
_JSON = 1 << 20
_BOXES = 1000


def unpack(
    path: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None, *, force: bool = False
) -> dict[str, Path]:
    """Write a stem file's mix and stems as FLAC (24 bit), all or none: ``mixture``, ``drums`` … → its file.

    folder: where to, made if need be; where left out, beside the file (``Song.stem.mp4``: ``Song``).
    force: write over files that are there. What the stems are is read from their names in the file (drums, bass,
    vocals, and other for the rest; several of one kind are added up), or is :data:`USUAL`. Where the file's mix was
    mastered, the stems do not add up to it: see ``residual`` of :func:`djgraph.data.find_tracks`.

    Raises AudioFileError for what is no such file, for files that are there already, and where stempeg
    (``pip install "djgraph[stems]"``) or ffmpeg is missing.
    """
    path = path_of(path)
    kinds = _kinds(path)
    folder = Path(folder) if folder is not None else path.with_name(name_of(path))
    streams, rate = _streams(path)
    if len(streams) < 2:
        raise AudioFileError(f"{path} holds {len(streams)} audio stream; expected a mix and its stems")
    parts = {"mixture": streams[0]}
    for i, audio in enumerate(streams[1:]):
        kind = kinds[i] if i < len(kinds) else "other"
        parts[kind] = audio if kind not in parts else parts[kind] + audio
    files = {kind: folder / f"{kind}.flac" for kind in parts}
    if there := [file for file in files.values() if file.exists() and not force]:
        raise AudioFileError(f"{there[0]} is there already\n  to write over it: force=True, --force")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise AudioFileError(f"{folder} cannot be made: {problem.strerror or problem}") from problem
    wide = {kind: len(audio) for kind, audio in parts.items()}
    samples = len(streams[0][0])
    with open_outputs(files, rate, wide, samples=samples, subtype="PCM_24") as outputs:
        outputs.write(parts)
    return files


def name_of(path: Path) -> str:
    """What a stem file's track is called: its name without the suffixes."""
    found = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), path.suffix)
    return path.name[: len(path.name) - len(found)] or path.name


def _kinds(path: Path) -> tuple[str, ...]:
    """What each stem is. Refuses what does not begin as an MP4 file: ffmpeg would take it for a list of others and open
    these."""
    reading(path)
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            first = next(_boxes(file, 0, size), None)
            if first is None or first[0] != "ftyp":
                raise AudioFileError(f"{path} is no MP4 file; expected a stem file ({', '.join(SUFFIXES)})")
            text = _named(file, size)
    except NotRegular as problem:
        raise AudioFileError(f"{path} is {problem}, no file") from None
    except OSError as problem:
        raise AudioFileError(f"{path} cannot be read: {problem.strerror or problem}") from problem
    if text is None:
        return USUAL
    known = parse_json(text, f"the names in {path}", AudioFileError, "null")
    stems = known.data.get("stems") if isinstance(known.data, dict) else None
    if not isinstance(stems, list) or not all(isinstance(one, dict) for one in stems):
        known.refuse(f"stems is {shown(stems)}; expected a list of mappings with names")
    return tuple(_kind(one.get("name")) for one in stems)


def _kind(name: Any) -> str:
    text = name.lower() if isinstance(name, str) else ""
    return next((kind for kind, words in _WORDS.items() if any(word in text for word in words)), "other")


def _named(file: BinaryIO, size: int) -> str | None:
    """The text of the box ``stem``."""
    first, last = 0, size
    for kind in _DEEP:
        inside = dict(_boxes(file, first, last))
        if kind not in inside:
            return None
        first, last = inside[kind]
    found = dict(_boxes(file, first, last)).get("stem")
    if found is None or found[1] - found[0] > _JSON:
        return None
    file.seek(found[0])
    return file.read(found[1] - found[0]).decode("utf-8", "replace").rstrip("\0")


def _boxes(file: BinaryIO, first: int, last: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Kind of each box between two places of a file, and where its content lies (ISO/IEC 14496-12, 4.2)."""
    for _ in range(_BOXES):
        if first + 8 > last:
            return
        file.seek(first)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:  # a longer size stands behind
            more = file.read(8)
            size, head = (struct.unpack(">Q", more)[0], 16) if len(more) == 8 else (0, 16)
        elif size == 0:
            size = last - first
        if size < head or first + size > last:
            return
        yield kind.decode("latin-1"), (first + head, first + size)
        first += size


def _streams(path: Path) -> tuple[list[Any], int]:
    """The audio streams, each ``[channels, samples]`` float32, equally long, and their rate."""
    import torch

    try:
        import stempeg
    except ImportError as problem:
        raise AudioFileError(
            f'stem files need stempeg: pip install "djgraph[stems]" ({problem})\n  and the program ffmpeg'
        ) from problem
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        raise AudioFileError("stem files need the programs ffmpeg and ffprobe, which are not installed")
    try:
        audio, rate = stempeg.read_stems(str(path.resolve()), dtype="float32", always_3d=True)
    except (RuntimeError, OSError, ValueError, KeyError, IndexError, Warning) as problem:
        said = (str(problem).strip().splitlines() or [type(problem).__name__])[-1]
        raise AudioFileError(f"{path} cannot be read: {said}") from problem
    return [torch.from_numpy(one.T.copy()) for one in audio], int(rate)
