"""What the JSON files of a corpus may hold, as models: ``corpus.json``, ``item.json``, the manifest's lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from djgraph.language.limits import readable
from djgraph.reading import Stored

MAX_COUNT = 1_000_000
"""Most items of a corpus, and most in one of its folders."""
MAX_SEED = 2**128 - 1
MAX_TEMPO = 1000.0
"""BPM below which a tempo is one."""

_FILE = re.compile(r"[^/\\\0]{1,255}\Z")


def _checked(good: Callable[[Any], bool], expected: str) -> AfterValidator:
    def check(value: Any) -> Any:
        if not good(value):
            raise ValueError(f"{value!r:.80} is not possible; expected {expected}")
        return value

    return AfterValidator(check)


def _number(low: int, high: int) -> AfterValidator:
    return _checked(
        lambda value: low <= value <= high, f"a whole number from {readable(low)} to {readable(high)}"
    )


def _inside(path: str) -> bool:
    """Whether a path leads to something below where it begins."""
    return all(_FILE.match(part) and part not in (".", "..") for part in path.split("/"))


def _possible(path: str) -> bool:
    return 0 < len(path) < 4096 and all(len(part) < 256 and "\0" not in part for part in path.split("/"))


FileName = Annotated[
    str, _checked(lambda name: bool(_FILE.match(name)) and name not in (".", ".."), "a file")
]
PathInside = Annotated[str, _checked(_inside, "a path below this folder")]
AnyPath = Annotated[str, _checked(_possible, "a path")]
Sample = Annotated[int, _number(0, 2**53)]
Seconds = Annotated[float, _checked(lambda value: value >= 0, "seconds from 0")]
Tempo = Annotated[
    float, _checked(lambda value: 0 < value < MAX_TEMPO, "beats a minute, above 0 and below 1000")
]


class TrackRow(Stored):
    """A track in ``corpus.json``. at: the URL, without keys, that its folder lies below, where it is no path."""

    name: str
    at: AnyPath | None = None
    folder: AnyPath
    parts: dict[str, list[AnyPath]]
    seconds: Seconds
    tempo: Tempo | None
    beats: list[float]
    info: dict[str, Any]


class SettingsRow(Stored):
    """A corpus's settings; what they may be is said by ``Settings.faults``."""

    model_config = ConfigDict(extra="forbid")

    seed: int
    seconds: float
    frames_per_second: float
    stems: str
    curves: float
    recipes: list[str]
    align: str
    short: str
    shard_size: int


class CorpusFile(Stored):
    """``corpus.json``."""

    count: Annotated[int, _number(1, MAX_COUNT)]
    settings: SettingsRow
    graph: FileName
    args: dict[str, Any]
    sample_rate: Annotated[int, _number(1, 1_000_000)]
    layout: dict[str, Any]
    inputs: dict[str, dict[str, Annotated[int, _number(1, 64)]]]
    tracks: list[TrackRow]
    made_with: str = ""
    shards: Literal["", "tar", "parquet"] = ""


class ExcerptRow(Stored):
    """What an input of an item plays."""

    track: str
    start: Sample


class FileRow(Stored):
    """A file of an item."""

    bytes: Sample
    sha256: str


class ItemFile(Stored):
    """``item.json``."""

    index: Annotated[int, _number(0, MAX_COUNT)]
    kind: str
    name: str
    args: dict[str, Any]
    tempo: Annotated[float, _checked(lambda value: value > 0, "beats a minute above 0")]
    mix_gain: Annotated[float, Field(gt=0)]
    inputs: dict[str, ExcerptRow]
    files: dict[PathInside, FileRow]


class ShardFile(Stored):
    """``shard-00000.json``: what stands beside a shard once it is whole."""

    shard: Annotated[int, _number(0, MAX_COUNT)]
    first: Annotated[int, _number(0, MAX_COUNT)]
    items: Annotated[int, _number(1, MAX_COUNT)]
    format: Literal["tar", "parquet"]
    bytes: Sample
    sha256: str
    offsets: Annotated[list[Sample], Field(max_length=MAX_COUNT + 1)]


class ManifestLine(Stored):
    """What is read of a line of ``manifest.jsonl``."""

    index: Annotated[int, _number(0, MAX_COUNT)]
