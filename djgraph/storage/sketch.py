"""Folders behind a URL as empty files of their names: what lies where can be looked for as on a disk."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from djgraph.errors import DJGraphError
from djgraph.reading import MIB
from djgraph.storage.remote import Remote
from djgraph.storage.url import UrlPath

MOST = 1_000_000
"""Files and folders."""
LARGEST = 16 * MIB
"""Bytes of a file that is read for what it says."""


@dataclass(frozen=True)
class Sketch:
    """folder: of this machine, for as long as the sketch is there. root: the URL that it stands for."""

    folder: Path
    root: str

    def place(self, path: Path) -> UrlPath:
        """What a path of the sketch stands for."""
        below = path.relative_to(self.folder).as_posix()
        return UrlPath(self.root, "" if below == "." else below)

    def told(self, text: str) -> str:
        """A message about the sketch as one about the URL."""
        return text.replace(str(self.folder), str(UrlPath(self.root)))


@contextlib.contextmanager
def sketched(
    url: str, depth: int, read: Callable[[str], bool], error: type[DJGraphError]
) -> Iterator[Sketch]:
    """A temporary folder with every folder below a URL, ``depth`` levels, and empty files for its files.

    read: whether a file of that name has its content, too (at most :data:`LARGEST` bytes). Hidden ones are left out.
    Raises ``error`` for what cannot be listed, for names that are none here, and for more than :data:`MOST` of them.
    """
    remote = Remote(url, error)
    with tempfile.TemporaryDirectory(prefix="djgraph-") as name:
        folder = Path(name).resolve()
        count = 0
        below = [""]
        for place in below:  # which grows
            for entry in remote.entries(place):
                count += 1
                if count > MOST:
                    raise error(
                        f"{remote.shown('')} has more than {MOST} files below it; name a folder of it"
                    )
                path = f"{place}/{entry.name}" if place else entry.name
                if entry.is_folder and path.count("/") >= depth:
                    continue
                content = b"" if entry.is_folder or not read(entry.name) else remote.read(path, LARGEST)
                try:
                    if entry.is_folder:
                        (folder / path).mkdir()
                        below.append(path)
                    else:
                        with open(folder / path, "xb") as file:
                            file.write(content)
                except OSError as problem:  # two of one name, as object stores may have
                    raise error(
                        f"{remote.shown(path)} cannot be taken: {problem.strerror or problem}"
                    ) from None
        yield Sketch(folder, url)
