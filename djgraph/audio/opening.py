"""Audio files opened: known to be whole, with a header that can be believed, or refused with the reason."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from djgraph.arguments import shown
from djgraph.audio.formats import MAX_CHANNELS, MAX_SECONDS, SAMPLE_RATES, how_to_convert, is_foreign
from djgraph.audio.mp3 import find_frames
from djgraph.audio.spliced import Piece, Spliced
from djgraph.audio.whole import check_whole, is_joined_flac
from djgraph.errors import AudioFileError
from djgraph.signals import held

_UNKNOWN_LENGTH = 1 << 62


def path_of(path: str | os.PathLike[str]) -> Path:
    """The path of an audio file as a caller gave it. AudioFileError for what is no path."""
    if isinstance(path, str) or (isinstance(path, os.PathLike) and isinstance(os.fspath(path), str)):
        return Path(path)
    raise AudioFileError(f"an audio file is named by a str or a path, not by {shown(path)}")


class Sound:
    """An open audio file: its path and soundfile's own object.

    Use ``file`` within :meth:`using` alone: that turns what libsndfile and the system report into AudioFileError.
    """

    def __init__(self, path: Path, file: Any, callbacks: bool, closing: contextlib.ExitStack) -> None:
        self.path, self.file = path, file
        self._callbacks, self._closing = callbacks, closing

    @contextlib.contextmanager
    def using(self) -> Iterator[Any]:
        """The soundfile.SoundFile. Where libsndfile calls back into Python to read, signals are held meanwhile: an
        exception that their handlers raise would be lost in the callback."""
        with _told(self.path), held() if self._callbacks else contextlib.nullcontext():
            yield self.file

    def close(self) -> None:
        """Close the file; again does nothing."""
        self._closing.close()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A soundfile.SoundFile to read from; see :func:`open_sound`. What libsndfile and the system report in the
    ``with`` block becomes AudioFileError."""
    sound = open_sound(path)
    try:
        with sound.using() as file:
            yield file
    finally:
        sound.close()


def open_sound(path: Path) -> Sound:
    """An audio file opened for reading. Its ``frames`` are as many as the file holds (FLAC: as it promises).

    Raises AudioFileError, with the file's name, for a file that is missing, no audio, cut short, several files joined
    end to end, with more channels or samples than are read.
    """
    import soundfile

    if not path.is_file():
        what = (
            "is a folder" if path.is_dir() else "is no ordinary file" if path.exists() else "does not exist"
        )
        raise AudioFileError(f"{path} {what}" + (", not an audio file" if path.exists() else ""))
    with _told(path), contextlib.ExitStack() as stack:
        pieces = _pieces(path)
        if pieces is None:
            # As bytes, since a name need not be text.
            name = os.fspath(path) if sys.platform == "win32" else os.fsencode(path)
            file = stack.enter_context(soundfile.SoundFile(name))
        else:
            raw = stack.enter_context(path.open("rb"))
            with held():
                file = stack.enter_context(soundfile.SoundFile(Spliced(raw, pieces)))
        _check_header(path, file.channels, int(file.samplerate), file.frames)
        if file.format == "FLAC" and is_joined_flac(path):
            raise AudioFileError(f"{path} is several FLAC files joined end to end; join their audio instead")
        return Sound(path, file, pieces is not None, stack.pop_all())


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """What libsndfile and the system report, as AudioFileError with the file's name."""
    import soundfile

    try:
        yield
    except soundfile.SoundFileError as problem:
        raise AudioFileError(f"{path} cannot be read as audio: {reason(problem)}{_advice(path)}") from problem
    except OSError as problem:
        raise AudioFileError(f"{path} cannot be read: {problem.strerror or problem}") from problem


def check_duration(path: Path, samples: int, rate: int) -> None:
    """Raise AudioFileError for more samples than are read."""
    if samples > MAX_SECONDS * rate:
        raise AudioFileError(f"{path} is longer than the limit of {MAX_SECONDS / 3600:g} hours")


def reason(problem: Exception) -> str:
    """libsndfile's own words, without the file name and prefix that soundfile puts before them."""
    text = str(getattr(problem, "error_string", problem)).removeprefix("Error : ").rstrip(".")
    # What libsndfile says where it recognises nothing in a file called .mp3 is wrong: the file has been opened before.
    return "Format not recognised" if text.startswith("File does not exist") else text


def _pieces(path: Path) -> list[Piece] | None:
    """What of the file libsndfile is to be given instead of the file; None for the file itself."""
    with open(path, "rb") as raw:
        head = raw.read(4)
        size = os.fstat(raw.fileno()).st_size
        pieces = check_whole(path, raw, size)
    if path.suffix.lower() == ".mp3" or head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0"):
        frames = find_frames(path)
        pieces = None if frames is None or frames.as_it_is else frames.pieces()
    return pieces


def _check_header(path: Path, channels: int, rate: int, samples: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioFileError(f"{path} has {channels} channels; at most {MAX_CHANNELS} are read")
    if not SAMPLE_RATES[0] <= rate <= SAMPLE_RATES[1]:
        raise AudioFileError(
            f"{path} has a sample rate of {rate} Hz; from {SAMPLE_RATES[0]} to {SAMPLE_RATES[1]} Hz are read"
        )
    if samples >= _UNKNOWN_LENGTH:  # a FLAC that was written to a pipe; libsndfile cannot read to its end
        raise AudioFileError(f"{path} does not say how long it is; write it anew, for instance as WAV")
    check_duration(path, samples, rate)


def _advice(path: Path) -> str:
    return f"\n  {how_to_convert(path.name)}" if is_foreign(path.name) else ""
