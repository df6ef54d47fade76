"""Folders of stems: plain, as Demucs leaves them, as MUSDB18-HQ has them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from djgraph.audio.files import read_as_wide
from djgraph.audio.folders import has_parts, search
from djgraph.audio.formats import FORMATS, SUFFIXES, how_to_convert, is_foreign
from djgraph.audio.opening import path_of
from djgraph.audio.resampling import resample
from djgraph.audio.width import as_wide, check_channels
from djgraph.errors import AudioFileError, did_you_mean, shorten
from djgraph.speakers import word

STEMS = ("drums", "bass", "vocals", "other")
"""The four stems that Demucs and MUSDB18 know."""

_SIX_STEMS = ("guitar", "piano")  # what Demucs' six-stem model takes out of `other`
_MAX_DEPTH = 3  # separated/htdemucs/track
_MAX_FOLDERS = 1000


def load_stems(
    folder: str | os.PathLike[str],
    stems: Sequence[str] = STEMS,
    sample_rate: int = 44100,
    channels: int | None = 2,
    pad: bool = False,
    optional: Iterable[str] = (),
) -> dict[str, Tensor]:
    """Stem name → ``[channels, samples]`` float32, in the order of ``stems``.

    A stem is a file of its name with any supported suffix, upper or lower case. The folder may also be one
    that holds exactly one such folder, up to three levels deep, as ``separated`` of Demucs does; symbolic links
    are followed. ``mixture``
    and ``no_vocals`` are left aside. channels: as many as each stem gets, 1 to 32: a mono file is put on all of
    them, a stereo file turned mono by its mean; None is as the files are. optional: stems that may be missing,
    and are then left out of the result. pad: shorter stems get silence at their end.

    Raises AudioFileError for a stem that is missing or that two files claim, for files of other numbers of
    channels or for other speakers, for unequal lengths without ``pad``, and for what :func:`djgraph.audio.read`
    refuses.
    """
    files = find_stems(folder, stems, optional)
    audio = {stem: read_as(file, sample_rate, channels) for stem, file in files.items()}
    return match_lengths(audio, sample_rate, pad, where=str(folder))


def load_signal(
    path: str | os.PathLike[str], sample_rate: int = 44100, channels: int | None = 2, pad: bool = False
) -> Tensor:
    """One signal without stems, ``[channels, samples]``: a file, a folder's ``mixture``, or the sum of its stems.

    A folder of stems is read as :func:`load_stems` reads it. Raises AudioFileError as that does.
    """
    parts = {file.name: read_as(file, sample_rate, channels) for file in find_signal(path)}
    return sum_of(match_lengths(parts, sample_rate, pad, where=str(path)))


def is_part(name: str, stems: Sequence[str] | None) -> bool:
    """Whether a file of that name in a folder of stems is taken for one of them, or for one that the input lacks.

    stems: those of the input; None for an input without stems, which is a folder's ``mixture`` or the sum of its stems.
    """
    parts = {"mixture", *STEMS} if stems is None else {stem.lower() for stem in stems}
    return has_parts([name], parts | (set(_SIX_STEMS) if "other" in parts else set()))


def find_signal(path: str | os.PathLike[str]) -> list[Path]:
    """The file that :func:`load_signal` reads, or the files that it adds up."""
    path = path_of(path)
    if not path.is_dir():
        return [path]
    track = _track_folder(path, ("mixture", *STEMS))
    listed = _audio_files(track)
    mixture = _only(track, "mixture", listed)
    if mixture is not None:
        return [mixture]
    if not any(file.stem.lower() in STEMS for file in listed):
        _missing(track, ("mixture",), listed)
    return list(find_stems(track).values())


def sum_of(parts: Mapping[str, Tensor]) -> Tensor:
    """The sum of equally long signals by file name; mono ones are put on all channels of the others. AudioFileError
    where those differ."""
    most = max(len(audio) for audio in parts.values())
    if {len(audio) for audio in parts.values()} - {1, most}:
        rows = ", ".join(f"{name} ({word(len(audio))})" for name, audio in parts.items())
        raise AudioFileError(f"files of different channel counts cannot be added up: {rows}")
    return torch.stack([audio.expand(most, -1) for audio in parts.values()]).sum(0)


def find_stems(
    folder: str | os.PathLike[str], stems: Sequence[str] = STEMS, optional: Iterable[str] = ()
) -> dict[str, Path]:
    """Stem name → file, without reading any; see :func:`load_stems`."""
    root = path_of(folder)
    if not root.exists():
        raise AudioFileError(f"the folder of stems {root} does not exist")
    if not root.is_dir():
        raise AudioFileError(f"{root} is a file; stems ({', '.join(stems)}) are read from a folder")
    track = _track_folder(root, stems)
    listed = _audio_files(track)
    chosen = {stem: _only(track, stem, listed) for stem in stems}
    missing = [stem for stem in stems if chosen[stem] is None and stem not in set(optional)]
    if missing:
        _missing(track, missing, listed)
    files = {stem: file for stem, file in chosen.items() if file is not None}
    if not files:
        _missing(track, stems, listed)
    left_out = [file.name for file in listed if file.stem.lower() in set(_SIX_STEMS) - set(stems)]
    if left_out and "other" in stems:
        raise AudioFileError(
            f"{track} has stems that the input does not name: {', '.join(left_out)}; without them the track"
            f" is not whole\n  named are: {', '.join(stems)}; mix the rest into other, or move it elsewhere"
        )
    return files


def read_as(path: str | os.PathLike[str], sample_rate: int, channels: int | None = 2) -> Tensor:
    """A file at a sample rate and with a number of channels (None: as the file is)."""
    path = path_of(path)
    check_channels(path, channels)
    audio, rate = read_as_wide(path, channels)
    if channels == 1:
        audio = as_wide(audio, 1)
    return as_wide(resample(audio, rate, sample_rate), channels)


def match_lengths(
    signals: Mapping[str, Tensor], sample_rate: int, pad: bool = False, where: str = ""
) -> dict[str, Tensor]:
    """The same signals, all equally long: with ``pad`` silence is put at the end of the shorter ones.

    Raises AudioFileError that lists the lengths where they differ and ``pad`` is not set.
    """
    lengths = {name: audio.shape[-1] for name, audio in signals.items()}
    if pad:
        longest = max(lengths.values(), default=0)
        return {
            name: torch.nn.functional.pad(audio, (0, longest - lengths[name]))
            for name, audio in signals.items()
        }
    check_lengths(lengths, sample_rate, where)
    return dict(signals)


def check_lengths(lengths: Mapping[str, int], sample_rate: int, where: str = "") -> None:
    """Raise AudioFileError that lists the lengths, in samples, where they differ. where: put before the message."""
    if len(set(lengths.values())) > 1:
        rows = [f"  {name}: {n / sample_rate:.3f} s ({n} samples)" for name, n in lengths.items()]
        raise AudioFileError(
            "\n".join(
                [
                    f"{where + ': ' if where else ''}the lengths differ, at {sample_rate} Hz:",
                    *rows,
                    "  cut them to one length, or have silence put after the shorter ones (pad=True, --pad)",
                ]
            )
        )


def _audio_files(folder: Path) -> list[Path]:
    try:
        named = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
        broken = [file.name for file in named if file.is_symlink() and not file.exists()]
        files = [file for file in named if file.is_file()]
    except OSError as problem:
        raise AudioFileError(f"{folder} cannot be read: {problem.strerror or problem}") from problem
    if broken:
        raise AudioFileError(f"{folder} has symbolic links that lead nowhere: {shorten(broken)}")
    return files


def _only(folder: Path, stem: str, listed: Sequence[Path]) -> Path | None:
    named = [file for file in listed if file.stem.lower() == stem.lower()]
    # Those that are written, too, come first: a compressed copy beside a stem is no second one.
    named = [file for file in named if file.suffix.lower() in FORMATS] or named
    if len(named) > 1:
        raise AudioFileError(
            f"{folder} has {len(named)} files for {stem}: {', '.join(file.name for file in named)}; leave one"
        )
    return named[0] if named else None


def _missing(folder: Path, stems: Sequence[str], listed: Sequence[Path]) -> NoReturn:
    names = [file.name for file in listed]
    guess = did_you_mean(stems[0], [file.stem for file in listed]) if listed else ""
    guess = guess if guess.startswith("; did") else ""
    there = f"there is: {shorten(names)}" if names else "it holds no audio files"
    others = sorted(file.name for file in folder.iterdir() if is_foreign(file.name))
    if others and names:
        there += f", and {shorten(others)}"
    elif others:
        there = f"there is: {shorten(others)}"
    raise AudioFileError(
        f"{folder} has no file for {', '.join(stems)} ({there}){guess}\n"
        + (f"  {how_to_convert(*others)}\n" if others else "")
        + f"  expected: {stems[0]} with one of the suffixes {', '.join(SUFFIXES)}"
    )


def _track_folder(root: Path, stems: Sequence[str]) -> Path:
    """The folder with stems: ``root``, or the only one beneath it."""
    wanted = {stem.lower() for stem in stems}
    listing = search(root, _MAX_DEPTH, lambda _, names: has_parts(names, wanted), _MAX_FOLDERS)
    if len(listing.folders) > 1:
        names = shorten([str(folder.relative_to(root)) for folder in listing.folders])
        raise AudioFileError(f"{root} has stems in {len(listing.folders)} folders; name one of them: {names}")
    if listing.folders:
        return listing.folders[0]
    if listing.unread:
        raise AudioFileError(
            f"{root} has no stems where they may be looked for\n  " + "\n  ".join(listing.unread[:10])
        )
    foreign = search(root, _MAX_DEPTH, lambda _, names: has_parts(names, wanted, foreign=True), _MAX_FOLDERS)
    return foreign.folders[0] if foreign.folders else root
