"""Where an MP3 has its frames: how long it really is, whatever its header says or leaves out.

libsndfile takes an MP3's length from its Xing header and stops there, and estimates one from the first frames
where there is no such header: files joined end to end, recorded from a stream or made through a pipe are read in
part. Here the frames are counted, and files whose header is no help are handed on with one that is right.
"""

from __future__ import annotations

import functools
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from djgraph.audio.spliced import Piece
from djgraph.errors import AudioFileError

_KBITS = {  # by MPEG version: 1, and the lower sampling rates of 2 and 2.5
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\x1b\x20-\x2b\x30-\x3b\x40-\x4b\x50-\x5b\x60-\x6b\x70-\x7b"
                   rb"\x80-\x8b\x90-\x9b\xa0-\xab\xb0-\xbb\xc0-\xcb\xd0-\xdb\xe0-\xeb]", re.DOTALL)  # fmt: skip
"""The first three bytes of a header of layer III with a bit rate and a sample rate that exist."""
_CHAIN = 3  # headers in a row, each where the one before says, that are taken for the beginning of audio
_MAX_JUNK = 1 << 24  # bytes without a frame after which there is none to come
_WINDOW = 1 << 20


@dataclass(frozen=True)
class _Kind:
    """What all frames of a stream have in common."""

    version: int
    rate: int
    mono: bool

    @property
    def samples(self) -> int:
        """In each channel of a frame."""
        return 1152 if self.version == 3 else 576

    @property
    def side(self) -> int:
        """Bytes of side information, after which a Xing header stands."""
        return (17 if self.mono else 32) if self.version == 3 else (9 if self.mono else 17)

    def __str__(self) -> str:
        return f"{self.rate} Hz {'mono' if self.mono else 'stereo'}"


@dataclass(frozen=True)
class Frames:
    """The audio in an MP3: its frames' number, and the parts of the file that hold them.

    header: the first four bytes of the first frame. right: the first part begins with a Xing or VBRI header that is
    right. as_it_is: so does the file itself, and libsndfile reads all of it.
    """

    header: bytes
    count: int
    parts: tuple[tuple[int, int], ...]
    right: bool
    as_it_is: bool

    def pieces(self) -> list[Piece]:
        """Of a file that libsndfile reads the whole of: the frames, behind a Xing header that is right."""
        return [*self.parts] if self.right else [_xing(self), *self.parts]


def find_frames(path: Path) -> Frames | None:
    """The frames of an MP3; None where there are none (free bit rate, layers I and II are left to libsndfile).

    A file whose Xing header agrees with its size is believed, any other is read as a whole, once. Raises AudioFileError
    for fewer frames than a header promises, and where the sample rate or the channels change on the way.
    """
    about = path.stat()
    return _find_frames(os.fspath(path), about.st_size, about.st_mtime_ns, about.st_ino)


@functools.lru_cache(maxsize=1024)
def _find_frames(name: str, size: int, changed: int, inode: int) -> Frames | None:
    with open(name, "rb") as file:
        return _Scan(Path(name), file, size).frames()


class _Scan:
    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path, self.file, self.size = path, file, size
        self._base, self._window = 0, b""

    def peek(self, at: int, size: int) -> bytes:
        """``size`` bytes at a place, fewer at the end; through a window that moves onwards."""
        offset = at - self._base
        if offset < 0 or offset + size > len(self._window):
            self.file.seek(at)
            self._base, self._window, offset = at, self.file.read(max(size, _WINDOW)), 0
        return self._window[offset : offset + size]

    def frames(self) -> Frames | None:
        tag = self.tag_size(0)
        start = self.sync(self.after_tags(0))
        if start is None:
            return None
        header = self.peek(start, 4)
        kind, _ = _parse(header[1], header[2], header[3] >> 6 == 3)
        claim = self.claim(start, kind)
        if claim is not None and start == tag and start + claim[1] == self.end_of_audio():
            return Frames(header, claim[0], ((start, self.size),), True, True)
        counts: list[list[int]] = []  # for every part with a header of its own: frames promised, frames there
        parts: list[tuple[int, int]] = []
        total = 0
        for at, length in self.walk(start, kind):
            own = self.claim(at, kind)
            if own is not None:
                counts.append([own[0], 0])
                continue
            total += 1
            if counts:
                counts[-1][1] += 1
            if parts and parts[-1][1] == at:
                parts[-1] = (parts[-1][0], at + length)
            else:
                parts.append((at, at + length))
        for promised, there in counts:
            if there < promised - 1:  # some encoders count the header's own frame
                seconds = [f"{n * kind.samples / kind.rate:.2f} s" for n in (promised, there)]
                raise AudioFileError(
                    f"{self.path} is cut short: it promises {promised} MP3 frames ({seconds[0]}) and holds {there}"
                    f" ({seconds[1]})"
                )
        if not total:
            return None
        right = len(counts) == 1 and claim is not None and len(parts) == 1 and abs(claim[0] - total) <= 1
        if right:  # the header stays: it may tell of the encoder's delay, too
            parts[0] = (start, parts[0][1])
        return Frames(header, total, tuple(parts), right, right and start == tag)

    def walk(self, at: int, kind: _Kind) -> Iterator[tuple[int, int]]:
        """Place and length of every frame from a first one on; what lies between is stepped over."""
        while at + 4 <= self.size:
            frame = parse(self.peek(at, 4))
            if frame is not None and frame[0] == kind:
                if at + frame[1] > self.size:
                    return  # the last frame is not whole: nothing can be made of it
                yield at, frame[1]
                at += frame[1]
                continue
            place = self.sync(self.after_tags(at))
            if place is None:
                return
            frame = parse(self.peek(place, 4))
            if frame is not None and frame[0] != kind:
                raise AudioFileError(
                    f"{self.path} changes from {kind} to {frame[0]} at byte {place}; make one file of one kind of it,"
                    " for instance as WAV"
                )
            at = place

    def sync(self, at: int) -> int | None:
        """The first place from ``at`` on where audio begins: several frames in a row, or one up to the end."""
        end = min(self.size, at + _MAX_JUNK)
        while at < end:
            window = self.peek(at, min(_WINDOW, self.size - at))
            for match in _SYNC.finditer(window):
                if self.chain(at + match.start()):
                    return at + match.start()
            if len(window) <= 3:
                return None
            at += len(window) - 3
        return None

    def chain(self, at: int) -> bool:
        kind = None
        for number in range(_CHAIN):
            header = self.peek_aside(at, 4)
            if number and (len(header) < 4 or header[:3] in (b"TAG", b"ID3", b"APE", b"LYR")):
                return True
            frame = parse(header)
            if frame is None or (kind is not None and frame[0] != kind):
                return False
            kind = frame[0]
            at += frame[1]
        return True

    def peek_aside(self, at: int, size: int) -> bytes:
        """As :meth:`peek`, without moving the window for a few bytes beyond it."""
        offset = at - self._base
        if offset >= 0 and offset + size <= len(self._window):
            return self._window[offset : offset + size]
        self.file.seek(at)
        return self.file.read(size)

    def after_tags(self, at: int) -> int:
        """The place after the ID3v2 tags that stand at ``at``."""
        while size := self.tag_size(at):
            at += size
        return at

    def tag_size(self, at: int) -> int:
        """Bytes of an ID3v2 tag at a place; 0 where there is none."""
        head = self.peek_aside(at, 10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
            return 0
        size = functools.reduce(lambda sum, byte: sum << 7 | byte, head[6:10], 0)
        return 10 + size + (10 if head[5] & 0x10 else 0)

    def end_of_audio(self) -> int:
        """The file's size without an ID3v1 and an APE tag at its end."""
        end = self.size
        if self.peek_aside(max(0, end - 128), 3) == b"TAG":
            end -= 128
        foot = self.peek_aside(max(0, end - 32), 32)
        if foot[:8] == b"APETAGEX":
            size, flags = struct.unpack("<I4xI", foot[12:24])
            end -= size + (32 if flags >> 31 else 0)
        return end

    def claim(self, at: int, kind: _Kind) -> tuple[int, int] | None:
        """Frames (without its own) and bytes (with it; 0: not told) that a Xing, Info or VBRI header promises."""
        head = self.peek(at, 64)
        for checksum in (0, 2):
            place = 4 + checksum + kind.side
            if head[place : place + 4] in (b"Xing", b"Info"):
                flags, first, second = struct.unpack(">III", head[place + 4 : place + 16].ljust(12, b"\0"))
                if not flags & 1:
                    return None
                return first, second if flags & 2 else 0
        if head[36:40] == b"VBRI":
            size, count = struct.unpack(">II", head[46:54].ljust(8, b"\0"))
            return count, size
        return None


def parse(header: bytes) -> tuple[_Kind, int] | None:
    """Kind and length in bytes of a frame of layer III by its first four bytes; None for what is none."""
    if len(header) < 4 or not _SYNC.match(header):
        return None
    return _parse(header[1], header[2], header[3] >> 6 == 3)


@functools.cache
def _parse(second: int, third: int, mono: bool) -> tuple[_Kind, int]:
    version = second >> 3 & 3
    rate = _RATES[version][third >> 2 & 3]
    kbits = _KBITS[version == 3][third >> 4]
    length = (144 if version == 3 else 72) * 1000 * kbits // rate + (third >> 1 & 1)
    return _Kind(version, rate, mono), length


def _xing(frames: Frames) -> bytes:
    """A frame that holds nothing but the number of those that follow and their bytes."""
    first = frames.header
    size = sum(last - begin for begin, last in frames.parts)
    for bits in range(1, 15):  # the least bit rate whose frame has room for it
        header = bytes([0xFF, first[1] | 1, bits << 4 | first[2] & 0x0C, first[3]])
        kind, length = _parse(header[1], header[2], header[3] >> 6 == 3)
        if length >= 4 + kind.side + 16:
            break
    body = b"Xing" + struct.pack(">III", 3, frames.count, length + size)
    return (header + bytes(kind.side) + body).ljust(length, b"\0")
