"""A folder of this machine as a storage: files take their names once they are whole."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from djgraph.atomic import atomic_writer
from djgraph.errors import DJGraphError
from djgraph.reading import read_bytes
from djgraph.regular import NotRegular, open_regular


class Folder:
    """See :class:`djgraph.storage.Storage`."""

    memory = False

    def __init__(self, root: Path, error: type[DJGraphError]) -> None:
        self.where = str(root)
        self.root = root
        self.error = error

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Hidden files, half written ones among them, are left out."""
        place = self.root / folder
        if not place.is_dir():
            return {}
        with self._told(folder):
            return {
                child.name: child.stat().st_size
                for child in place.iterdir()
                if child.is_file() and not child.name.startswith(".")
            }

    def read(self, name: str, limit: int) -> bytes:
        return read_bytes(self.root / name, self.error, limit)

    def part(self, name: str, start: int, stop: int) -> bytes:
        with self.open(name) as file, self._told(name):
            file.seek(start)
            return file.read(stop - start)

    def open(self, name: str) -> BinaryIO:
        with self._told(name):
            try:
                return open_regular(self.root / name)
            except NotRegular as problem:
                raise self.error(f"{self.shown(name)} is {problem}, no ordinary file") from None

    def write(self, name: str, content: bytes) -> None:
        with self._made(name) as file:
            file.write(content)

    def put(self, name: str, file: Path) -> None:
        with open(file, "rb") as source, self._made(name) as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def remove(self, name: str) -> None:
        with self._told(name):
            (self.root / name).unlink(missing_ok=True)

    def shown(self, name: str) -> str:
        return str(self.root / name)

    @contextlib.contextmanager
    def _made(self, name: str) -> Iterator[BinaryIO]:
        with self._told(name):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(self.root / name, self.error) as file:
            yield file

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise self.error(f"{self.shown(name)}: {problem.strerror or problem}") from problem
