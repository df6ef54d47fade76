"""A sound file as a setting of an effect: beside the graph file, read and checked when the graph is loaded."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import core_schema
from torch import Tensor

from djgraph.arguments import shown
from djgraph.audio.excerpts import read_header
from djgraph.audio.files import read
from djgraph.audio.opening import path_of
from djgraph.errors import AudioFileError

LONGEST = 30.0
"""Seconds of a file."""
LARGEST = 256 << 20
"""Bytes of a file."""
_PREFIX = "sha256:"


@dataclass(frozen=True, eq=False, repr=False)
class SoundFile:
    """What a sound file holds: the type of a setting that names one.

    In a graph file it is the file's path, relative to the folder of the graph file and inside it. The file is read
    once, when the settings are validated; copies and pickles carry the audio along. Two are equal where they sound
    alike, whatever the files' names and formats: so the sound of a graph depends on what is in the file. Dumped it is a
    digest, which can be validated again in a process that holds the same sound.

    audio: ``[channels, samples]``, float32, one or two channels, not to be written to. sample_rate: in Hz.
    """

    name: str
    sample_rate: int
    audio: Tensor
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        text = hashlib.sha256(f"{self.sample_rate} {list(self.audio.shape)} ".encode())
        text.update(self.audio.numpy().tobytes())
        object.__setattr__(self, "digest", _PREFIX + text.hexdigest())
        _KNOWN[self.digest] = self

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> SoundFile:
        """Of any path. AudioFileError for what cannot be read, is longer than 30 s, larger than 256 MiB or has more
        than two channels."""
        path = path_of(path)
        if path.is_file() and path.stat().st_size > LARGEST:
            raise AudioFileError(
                f"{path} is larger than {LARGEST >> 20} MiB, the most that a setting may name"
            )
        header = read_header(path)
        if header.samples > LONGEST * header.sample_rate:
            raise AudioFileError(f"{path} is longer than {LONGEST:g} s, the most that a setting may name")
        if header.channels > 2:
            raise AudioFileError(f"{path} has {header.channels} channels; a setting takes mono or stereo")
        audio, rate = read(path)
        return cls(path.name, rate, audio)

    @classmethod
    def beside(cls, folder: Path | None, name: str) -> SoundFile:
        """Of a path inside a folder; None is that of a graph that is no file. Links are followed and may not lead out.

        AudioFileError as :meth:`read` does, and for paths that are absolute or lead elsewhere.
        """
        if folder is None:
            raise AudioFileError(
                f"{shown(name)} is looked for beside the graph file, and this graph is none: load it from a file"
            )
        if not name or "\0" in name:
            raise AudioFileError(f"{shown(name)} is no name of a file")
        wanted = Path(name)
        if wanted.is_absolute() or wanted.drive or ".." in wanted.parts:
            raise AudioFileError(
                f"{shown(name)} may not lead out of the graph file's folder: write a path relative to it"
            )
        try:
            path = (folder / wanted).resolve()
            inside = path.is_relative_to(folder.resolve())
        except (OSError, RuntimeError) as problem:  # a circle of links
            raise AudioFileError(f"{shown(name)} cannot be found: {problem}") from None
        if not inside:
            raise AudioFileError(f"{shown(name)} is a link that leads out of the graph file's folder")
        return cls.read(path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SoundFile) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[type[SoundFile], tuple[str, int, Tensor]]:
        return SoundFile, (self.name, self.sample_rate, self.audio)

    def __repr__(self) -> str:
        return f"{self.name} ({self.digest[: len(_PREFIX) + 8]})"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(_dumped)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "path"}

    @classmethod
    def _validate(cls, value: Any, info: ValidationInfo) -> SoundFile:
        if isinstance(value, SoundFile):
            return value
        if not isinstance(value, str):
            raise ValueError(f"expected the name of a sound file, got {shown(value)}")
        if value.startswith(_PREFIX) and (known := _KNOWN.get(value)) is not None:
            return known
        try:
            return cls.beside((info.context or {}).get("folder"), value)
        except AudioFileError as problem:
            raise ValueError(str(problem)) from None


def _dumped(file: SoundFile) -> str:
    return file.digest


_KNOWN: WeakValueDictionary[str, SoundFile] = WeakValueDictionary()
