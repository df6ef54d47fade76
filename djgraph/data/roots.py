"""A root that tracks are looked for under: a folder, or a URL, whose sketch is searched as a folder is."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from djgraph.audio.excerpts import Header, read_header
from djgraph.data.collections import MOISES, SLAKH
from djgraph.errors import AudioFileError, CorpusError
from djgraph.reading import Stored, read_json
from djgraph.storage import Sketch, UrlPath, is_url, local, local_path, open_storage, sketched
from djgraph.storage.cache import ask_anew, note, note_of


class HeaderNote(Stored):
    """What is noted of an audio file."""

    samples: Annotated[int, Field(gt=0, lt=1 << 53)]
    sample_rate: Annotated[int, Field(gt=0, lt=1 << 31)]
    channels: Annotated[int, Field(gt=0, lt=1 << 16)]


@dataclass(frozen=True)
class Root:
    """folder: where to look. sketch: of what, where it is no folder of this machine."""

    folder: Path
    sketch: Sketch | None = None

    def name(self, folder: Path) -> str:
        """A track's, by its folder: the path from the root on; of the root itself, its last part."""
        if folder != self.folder:
            return folder.relative_to(self.folder).as_posix()
        return folder.resolve().name if self.sketch is None else self.sketch.place(folder).name

    def place(self, path: Path) -> Path | UrlPath:
        """What a path below the folder stands for."""
        return path if self.sketch is None else self.sketch.place(path)

    def told(self, text: str) -> str:
        """A message, with the user's own names."""
        return text if self.sketch is None else self.sketch.told(text)

    def header(self, file: Path) -> Header:
        """Of an audio file; one behind a URL is fetched for it, the first time that this machine sees its content."""
        place = self.place(file)
        if isinstance(place, Path):
            return read_header(place)
        ask_anew(place)
        noted = note_of(place, "header", AudioFileError)
        with contextlib.suppress(AudioFileError):
            return Header(**read_json(noted, AudioFileError).read_as(HeaderNote).model_dump())
        with local(place, AudioFileError) as path:
            header = read_header(path)
        note(noted, json.dumps(dataclasses.asdict(header)) + "\n", AudioFileError)
        return header


@contextlib.contextmanager
def opened_root(root: str | os.PathLike[str], depth: int) -> Iterator[Root]:
    """A root that can be searched, within. AudioFileError for what is no folder, and for URLs that cannot be listed."""
    url = isinstance(root, str) and is_url(root)
    folder = local_path(str(root), AudioFileError) if url else Path(root)
    if folder is None:
        # A level more: of the folders that a multitrack has its recordings in.
        with sketched(str(root), depth + 1, _is_read, AudioFileError) as sketch:
            yield Root(sketch.folder, sketch)
        return
    if not folder.exists():
        raise AudioFileError(f"the folder of tracks {folder} does not exist")
    if not folder.is_dir():
        raise AudioFileError(f"{folder} is a file; tracks are looked for in a folder")
    yield Root(folder)


def check_reached(places: Iterable[Path | UrlPath], everywhere: bool) -> None:
    """Raise CorpusError where other processes do not reach tracks' folders as this one does. everywhere: there are
    other ones."""
    for url in sorted({place.root for place in places if isinstance(place, UrlPath)}):
        open_storage(url, CorpusError, shared=everywhere)


def _is_read(name: str) -> bool:
    """What is known of tracks stands in these; a track's own file may be called like its folder."""
    return name in (SLAKH, MOISES) or name.endswith(".json")
