"""Audio files opened: known to be whole, with a header that can be believed, or refused with the reason."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from djgraph.audio.formats import MAX_CHANNELS, MAX_SECONDS, SAMPLE_RATES, how_to_convert, is_foreign
from djgraph.audio.mp3 import find_frames
from djgraph.audio.spliced import Spliced
from djgraph.audio.whole import check_whole
from djgraph.errors import AudioFileError
from djgraph.signals import held

_UNKNOWN_LENGTH = 1 << 62


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A soundfile.SoundFile to read from. Its ``frames`` are as many as the file holds (FLAC: as it promises).

    Raises AudioFileError, with the file's name, for a file that is missing, no audio, cut short, with more channels
    or samples than are read; what libsndfile and the system report in the ``with`` block becomes one as well.
    """
    import soundfile

    if not path.is_file():
        what = (
            "is a folder" if path.is_dir() else "is no ordinary file" if path.exists() else "does not exist"
        )
        raise AudioFileError(f"{path} {what}" + (", not an audio file" if path.exists() else ""))
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(_open(path, stack))
            _check_header(path, file.channels, int(file.samplerate), file.frames)
            yield file
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


def _open(path: Path, stack: contextlib.ExitStack) -> Any:
    import soundfile

    with open(path, "rb") as raw:
        head = raw.read(4)
        size = os.fstat(raw.fileno()).st_size
        pieces = check_whole(path, raw, size)
    if path.suffix.lower() == ".mp3" or head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0"):
        frames = find_frames(path)
        pieces = None if frames is None or frames.as_it_is else frames.pieces()
    if pieces is not None:
        file = Spliced(stack.enter_context(path.open("rb")), pieces)
        stack.enter_context(held())  # libsndfile calls back to read: no exception may come out of that
        return soundfile.SoundFile(file)
    # As bytes, since a name need not be text.
    return soundfile.SoundFile(os.fspath(path) if sys.platform == "win32" else os.fsencode(path))


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
