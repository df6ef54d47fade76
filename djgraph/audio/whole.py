"""Whether an audio file is whole: what its container says of its own size, held against the file."""

from __future__ import annotations

import functools
import os
import struct
from pathlib import Path
from typing import BinaryIO

from djgraph.audio.spliced import Piece
from djgraph.errors import AudioFileError

_MAX_CHUNKS = 4096  # that are stepped over on the way to the audio
_STREAMED = ((0, 0), (0x7F000000, 0x7F000000), (0x7FFF0000, 0x80010000), (0xFFFF0000, 0xFFFFFFFF))
"""32-bit sizes that programs write where they do not know the length yet: ffmpeg, SoX, arecord and LAME into a pipe,
libsndfile and GStreamer until the file is closed. There, everything up to the file's end is audio."""
_FLAC_MARKS = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")
"""The mark of a FLAC, and the header of the block that has to follow: last or not, 34 bytes long."""
_SEARCHED = 1 << 20  # bytes at a time
_WRAPPED = (1 << 32) - (1 << 20)


def check_whole(path: Path, file: BinaryIO, size: int) -> list[Piece] | None:
    """Raise AudioFileError where a file holds less audio than its container promises: a broken download or copy.

    file: open for reading, at any place; size: its bytes. WAV (RIFF and RF64), W64, AIFF, AU, CAF and OGG say how
    much there is, and are checked without reading the audio. FLAC and MP3 are not checked here.

    Returns None, or what is to be read instead: a WAV out of a pipe that says 0 for its length, with another one.
    """
    file.seek(0)
    head = file.read(40)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _check_chunks(path, file, size, "<", b"data")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        _check_chunks(path, file, size, ">", b"SSND")
    elif head[:4] == b"caff":
        _check_caf(path, file, size)
    elif head[:4] == b"riff" and head[24:28] == b"wave":
        _check_w64(path, file, size)
    elif head[:4] == b".snd":
        offset, length = struct.unpack(">II", head[4:12].ljust(8, b"\0"))
        if not _is_streamed(length):
            _compare(path, offset, length, size)
    elif head[:4] == b"OggS":
        about = path.stat()
        _check_ogg(os.fspath(path), size, about.st_mtime_ns, about.st_ino)
    return None


def _check_chunks(path: Path, file: BinaryIO, size: int, order: str, wanted: bytes) -> list[Piece] | None:
    """RIFF, RF64 and AIFF: chunks with 32-bit sizes, padded to an even number of bytes."""
    file.seek(4)
    whole = struct.unpack(f"{order}I", file.read(4))[0]
    at, long_size = 12, None
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return None  # no audio at all: libsndfile says so
        length = struct.unpack(f"{order}I", head[4:])[0]
        if head[:4] == b"ds64":  # of RF64: the sizes that 32 bits cannot hold
            long_size = struct.unpack("<Q", file.read(16)[8:].ljust(8, b"\0"))[0]
        elif head[:4] == wanted:
            if long_size and length == 0xFFFFFFFF:
                length = long_size
            elif length == 0 and wanted == b"data" and _is_streamed(whole) and size > at + 8:
                return [(0, at + 4), b"\xff\xff\xff\xff", (at + 8, size)]
            elif _is_streamed(length):
                return None
            _compare(path, at + 8, length, size)
            if size - at - length >= _WRAPPED:
                raise AudioFileError(
                    f"{path} has {size} bytes, and its header says {length} of audio: beyond 4 GiB its sizes begin at 0"
                    " again; write it anew as RF64, W64 or FLAC"
                )
            return None
        at += 8 + length + (length & 1)
    return None


def _check_caf(path: Path, file: BinaryIO, size: int) -> None:
    at = 8
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(12)
        if len(head) < 12:
            return
        length = struct.unpack(">q", head[4:])[0]
        if length < 0:  # -1: up to the end of the file
            return
        if head[:4] == b"data":
            _compare(path, at + 12, length, size)
            return
        at += 12 + length


def _check_w64(path: Path, file: BinaryIO, size: int) -> None:
    at = 40
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(24)
        if len(head) < 24:
            return
        length = struct.unpack("<Q", head[16:])[0]  # with these 24 bytes
        if head[:4] == b"data":
            _compare(path, at + 24, max(0, length - 24), size)
            return
        at += max(24, length + 7 & ~7)


def _compare(path: Path, start: int, length: int, size: int) -> None:
    if start + length > size:
        raise AudioFileError(
            f"{path} is cut short: it promises {length} bytes of audio and holds {max(0, size - start)}"
        )


def _is_streamed(length: int) -> bool:
    return any(low <= length <= high for low, high in _STREAMED)


@functools.lru_cache(maxsize=1024)
def _check_ogg(name: str, size: int, changed: int, inode: int) -> None:
    """OGG: pages, the last of a stream marked as such. Another stream may follow, which libsndfile does not read."""
    at, serial, last = 0, b"", False
    with open(name, "rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(27)
            if last and not head.startswith(b"OggS"):
                return  # tags or padding behind the end
            whole = len(head) == 27 and head.startswith(b"OggS")
            begins, ends = whole and head[5] & 2, whole and head[5] & 4
            if begins and last:
                raise AudioFileError(
                    f"{name} holds several OGG streams one after the other, of which only the first would be read; make"
                    f" one of them: ffmpeg -i {Path(name).name} whole.flac"
                )
            table = file.read(head[26]) if whole else b""
            length = 27 + len(table) + sum(table)
            if not whole or len(table) < head[26] or at + length > size:
                raise AudioFileError(
                    f"{name} is cut short or damaged: at byte {at} of {size} its OGG pages break off"
                )
            serial = serial or head[14:18]
            last = last or bool(ends and head[14:18] == serial)
            at += length
    if not last:
        raise AudioFileError(
            f"{name} is cut short: the last of its {size} bytes is not marked as the stream's end; if that is all there"
            f" is, write it anew: ffmpeg -i {Path(name).name} whole.flac"
        )


def is_joined_flac(path: Path) -> bool:
    """Whether another FLAC file begins in a FLAC file; libsndfile reads the first alone. The file is searched once."""
    about = path.stat()
    return _is_joined_flac(os.fspath(path), about.st_size, about.st_mtime_ns, about.st_ino)


@functools.lru_cache(maxsize=1 << 16)
def _is_joined_flac(name: str, size: int, changed: int, inode: int) -> bool:
    with open(name, "rb") as file:
        window = file.read(4)[1:]  # the first mark is the file's own
        while block := file.read(_SEARCHED):
            window += block
            if any(mark in window for mark in _FLAC_MARKS):
                return True
            window = window[1 - len(_FLAC_MARKS[0]) :]
    return False
