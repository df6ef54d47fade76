"""Items in a tar file as WebDataset has them: ``00000017.mix.flac``, ``00000017.params.npy``, …"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from djgraph.errors import CorpusError


class TarWriter:
    """Writes the same bytes for the same items: no times, no owners."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb")  # noqa: SIM115 (closed by close)
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self.offsets = [0]

    def add(self, index: int, files: Mapping[str, bytes]) -> None:
        """An item's files by their paths in it, in this order."""
        names = {path: member_name(index, path) for path in files}
        if len(set(names.values())) < len(names):
            raise CorpusError(
                f"item {index} has files that have one name in a tar: {', '.join(sorted(files))}"
            )
        for path, content in files.items():
            about = tarfile.TarInfo(names[path])
            about.size = len(content)
            about.mode = 0o644
            self._tar.addfile(about, io.BytesIO(content))
        self.offsets.append(self._tar.offset)

    def close(self) -> None:
        """End the file."""
        self._tar.close()
        self._file.close()


def read_tar(content: bytes, index: int, shown: str) -> dict[str, bytes]:
    """The members of one item, by their names behind its number, from the bytes of a tar file that hold it.

    Ordinary files only; nothing is put anywhere. CorpusError for anything else.
    """
    members: dict[str, bytes] = {}
    prefix = member_name(index, "")
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for about in tar:
                if about.type != tarfile.REGTYPE or about.issparse() or not about.name.startswith(prefix):
                    raise CorpusError(f"{shown} holds {about.name!r:.200} where item {index} is expected")
                file = tar.extractfile(about)
                assert file is not None
                name = about.name[len(prefix) :]
                if name in members:
                    raise CorpusError(f"{shown} holds {about.name!r:.200} twice")
                members[name] = file.read()
    except (tarfile.TarError, ValueError, OSError, EOFError, OverflowError, RecursionError) as problem:
        if isinstance(problem, CorpusError):
            raise
        raise CorpusError(f"{shown} is damaged at item {index}: {problem}") from problem
    return members


def member_name(index: int, path: str) -> str:
    """``stems/left/drums.flac`` of item 17 is ``00000017.stems.left.drums.flac``."""
    return f"{index:08d}.{path.replace('/', '.')}"
