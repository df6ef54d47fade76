"""Audio formats: what their suffixes are, what is read and written, and what each of them can hold."""

from __future__ import annotations

import operator
import os
import shlex
from pathlib import Path

from djgraph.arguments import is_real, is_whole, shown
from djgraph.errors import AudioFileError
from djgraph.speakers import MOST

FORMATS: dict[str, tuple[str, str]] = {
    ".wav": ("WAV", "PCM_24"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".aiff": ("AIFF", "PCM_24"),
    ".aif": ("AIFF", "PCM_24"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Suffix → libsndfile's format and the subtype that :func:`djgraph.audio.write` takes where none is asked for."""

SUFFIXES = (*FORMATS, ".wave", ".oga", ".opus", ".aifc", ".caf", ".w64", ".rf64", ".au", ".snd")
"""Suffixes of the files that are looked for as stems; the later ones are read, and not written."""

FOREIGN = (".m4a", ".aac", ".mp4", ".alac", ".wma", ".ape", ".wv", ".mka", ".webm", ".ac3", ".dsf", ".mpc")
"""Suffixes of audio files that libsndfile does not read."""

MAX_SECONDS = 4 * 3600
"""Longest file that is read, in seconds."""
MAX_CHANNELS = MOST
"""Most channels that are read and written."""
SAMPLE_RATES = (1_000, 768_000)
"""Lowest and highest sample rate in Hz that are taken for one."""
MAX_BYTES = (1 << 32) - (1 << 16)
"""Most bytes of audio in a WAV (beyond, it is written as RF64) and in an AIFF: their sizes have 32 bits."""

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_BYTES = {"PCM_S8": 1, "PCM_U8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4}


def format_of(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Format and default subtype that a name's suffix asks for; AudioFileError where it names none."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        what = f"the suffix {suffix!r} names no format" if suffix else "the name has no suffix"
        raise AudioFileError(f"{path}: {what} that audio is written in; allowed: {', '.join(FORMATS)}")
    return FORMATS[suffix]


def check_format(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    channels: int | None = None,
    samples: int | None = None,
    subtype: str | None = None,
) -> tuple[str, str]:
    """Format and subtype that a file of that name is written in; AudioFileError where it cannot hold such audio.

    A WAV of more than two channels is a WAVEX, with a mask that says for which speakers they are.

    For finding out before hours of work; what is not known yet is left out. sample_rate in Hz; samples in each channel;
    subtype is libsndfile's name, the format's usual one where left out.
    """
    container, usual = format_of(path)
    subtype = (subtype or usual).upper()
    # libsndfile is asked only with numbers that it can take: a Vorbis encoder beyond its rates ends the process.
    rate = None if sample_rate is None else whole_number(sample_rate, f"{path}: the sample rate")
    if rate is not None:
        other = "" if container in ("WAV", "AIFF") else f"; {Path(path).with_suffix('.wav').name} can be"
        low, high = SAMPLE_RATES
        if container == "FLAC":
            high = 655_350
        elif subtype == "VORBIS":
            high = 200_000
        if not low <= rate <= high:
            raise AudioFileError(
                f"{path}: {container} is written at {low} to {high} Hz, not at {rate} Hz{other}"
            )
        if container == "FLAC" and rate > 65_535 and rate % 10:
            raise AudioFileError(
                f"{path}: FLAC above 65535 Hz is written at multiples of 10 Hz, not at {rate} Hz{other}"
            )
        allowed = _MP3_RATES if container == "MP3" else _OPUS_RATES if subtype == "OPUS" else ()
        if allowed and rate not in allowed:
            raise AudioFileError(
                f"{path}: {subtype if subtype == 'OPUS' else container} is written at"
                f" {', '.join(map(str, allowed))} Hz, not at {rate} Hz{other}"
            )
    most = {"MP3": 2, "FLAC": 8}.get(container, MAX_CHANNELS)
    if channels is not None and not 1 <= channels <= most:
        raise AudioFileError(f"{path}: {container} is written with 1 to {most} channels, not with {channels}")
    _check_subtype(path, container, subtype, channels or 1)
    if container == "WAV" and (channels or 1) > 2:
        container = "WAVEX"  # with a channel mask
    if samples is not None and channels is not None and container in ("WAV", "WAVEX", "AIFF"):
        size = samples * channels * _BYTES.get(subtype, 8)
        if size > MAX_BYTES and container == "AIFF":
            raise AudioFileError(
                f"{path}: {size / 1e9:.1f} GB are more than AIFF holds, 4 GiB; write FLAC, or WAV, which is RF64 then"
            )
        if size > MAX_BYTES:
            container = "RF64"
    return container, subtype


def _check_subtype(path: str | os.PathLike[str], container: str, subtype: str, channels: int) -> None:
    import soundfile

    if not soundfile.check_format(container, subtype) or (container == "MP3" and subtype != "MPEG_LAYER_III"):
        known = soundfile.available_subtypes(container)
        allowed = [name for name in known if container != "MP3" or name == "MPEG_LAYER_III"]
        raise AudioFileError(f"{path}: {container} has no subtype {subtype!r}; it has: {', '.join(allowed)}")
    if (container, subtype) == ("WAV", "MPEG_LAYER_III"):
        raise AudioFileError(f"{path}: MP3 in a WAV is not written; name the file .mp3")
    most = (
        1
        if subtype.startswith(("GSM", "G721", "NMS", "DWVW"))
        else 2
        if subtype.endswith("ADPCM")
        else channels
    )
    if channels > most:
        raise AudioFileError(f"{path}: {subtype} is not written with {channels} channels")


def whole_number(value: object, what: str) -> int:
    """An int, from whatever stands for a whole number: 44100, 44100.0, a NumPy integer. AudioFileError for others."""
    if is_whole(value):
        return operator.index(value)  # type: ignore[arg-type]
    if is_real(value) and float(value).is_integer():
        return int(value)
    raise AudioFileError(f"{what} is {shown(value)}; expected a whole number, such as 44100")


def is_foreign(name: str) -> bool:
    """Whether a file's name is that of audio which is not read."""
    return name.lower().endswith(FOREIGN)


def how_to_convert(*names: str) -> str:
    """A sentence on what is read, and the command that makes it of a file."""
    name = Path(names[0]).name
    kinds = ", ".join(sorted({Path(other).suffix.lower().lstrip(".") for other in names}))
    return (
        f"read are {', '.join(suffix.lstrip('.') for suffix in SUFFIXES)}, not {kinds}; convert:"
        f" ffmpeg -i {shlex.quote(name)} {shlex.quote(Path(name).with_suffix('.flac').name)}"
    )
