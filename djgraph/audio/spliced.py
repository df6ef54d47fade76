"""A file put together from parts of another one, without a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

Piece = bytes | tuple[int, int]
"""Bytes, or from where to where (not included) they are in a file."""


class Spliced:
    """What libsndfile reads in a file's stead where the file's own header is of no use: pieces one after the other."""

    def __init__(self, file: BinaryIO, pieces: Sequence[Piece]) -> None:
        self._file = file
        self._pieces = pieces
        self._size = sum(map(_length, pieces))
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes from here on."""
        left = max(0, self._size - self._at)
        size = left if size < 0 else min(size, left)
        data, at = b"", self._at
        for piece in self._pieces:
            if len(data) == size:
                break
            if at < _length(piece):
                wanted = min(_length(piece) - at, size - len(data))
                if isinstance(piece, bytes):
                    data += piece[at : at + wanted]
                else:
                    self._file.seek(piece[0] + at)
                    data += self._file.read(wanted)
            at = max(0, at - _length(piece))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to another place, as files do."""
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]
