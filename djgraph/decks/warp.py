"""Where the tracks of a mix lie, as a file: for each track the passages of the mix in which it plays."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from djgraph.alignment import Found, Passage
from djgraph.arguments import shown
from djgraph.atomic import write_text
from djgraph.errors import InputError, did_you_mean
from djgraph.reading import MIB, Json, Stored, read_json

VERSION = 1
FASTEST = 4.0
"""Times as fast as it is that a track is played at most; a quarter at least."""
LONGEST = 4 * 3600.0
"""Seconds of a mix, or of a track."""
MOST_PASSAGES = 10_000
MOST_PLACES = 1000
"""Of one passage, at which the track sounds the same."""
LARGEST = 16 * MIB
"""Bytes of a file."""


@dataclass(frozen=True)
class Warp:
    """Where tracks lie in a mix.

    samples: of the mix. sample_rate: in Hz, at which mix and tracks are counted. tracks: by name; of a track that is
    not in the mix, no passages. refined: whether they are known as well as the sound tells, and need not be improved.
    """

    samples: int
    sample_rate: int
    tracks: Mapping[str, Found]
    refined: bool = False

    @classmethod
    def of(cls, samples: int, sample_rate: int, found: Iterable[Found]) -> Warp:
        return cls(samples, sample_rate, {one.track: one for one in found})

    @property
    def seconds(self) -> float:
        """Of the mix."""
        return self.samples / self.sample_rate

    @property
    def present(self) -> list[str]:
        """Names of the tracks that are in the mix."""
        return [name for name, found in self.tracks.items() if found.passages]

    def with_passages(self, name: str, passages: Iterable[Passage]) -> Warp:
        """The same with other passages of one track."""
        found = dataclasses.replace(self.tracks[name], passages=tuple(passages))
        return dataclasses.replace(self, tracks={**self.tracks, name: found})

    def at_rate(self, sample_rate: int) -> Warp:
        """The same, counted at another sample rate."""
        if sample_rate == self.sample_rate:
            return self
        ratio = sample_rate / self.sample_rate
        tracks = {
            name: dataclasses.replace(
                found,
                passages=tuple(
                    dataclasses.replace(
                        one,
                        begins=one.begins * ratio,
                        ends=one.ends * ratio,
                        start=one.start * ratio,
                        spread=one.spread * ratio,
                        also=tuple(place * ratio for place in one.also),
                    )
                    for one in found.passages
                ),
            )
            for name, found in self.tracks.items()
        }
        return Warp(round(self.samples * ratio), sample_rate, tracks, self.refined)

    def to_dict(self) -> dict[str, object]:
        """As plain data, in seconds, so that it holds at any sample rate."""
        rate = self.sample_rate
        return {
            "djgraph_warp": VERSION,
            "seconds": self.samples / rate,
            "refined": self.refined,
            "tracks": {
                name: {
                    "confidence": found.confidence,
                    "passages": [_plain(one, rate) for one in found.passages],
                }
                for name, found in self.tracks.items()
            },
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """As JSON."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(path, text + "\n", InputError)

    @classmethod
    def load(cls, path: str | os.PathLike[str], sample_rate: int, names: Iterable[str] | None = None) -> Warp:
        """From such a file. names: of the tracks there are; a track of another name is an error, and one that the file
        does not name is taken for absent.

        Raises InputError, with line and column, for a file that holds no warp, passages that overlap or end before they
        begin, and rates out of range.
        """
        file = read_json(path, InputError, LARGEST)
        version = file.data.get("djgraph_warp") if isinstance(file.data, dict) else None
        if version != VERSION or isinstance(version, bool):
            place = file.place(("djgraph_warp",))
            raise InputError(
                f"{place}: this is no warp file: its djgraph_warp is {shown(version)}, not {VERSION}; djgraph fit "
                "--warp-out writes one"
            )
        data = file.read_as(WarpFile)
        known = None if names is None else list(names)
        tracks = {}
        for name, track in data.tracks.items():
            if known is not None and name not in known:
                file.refuse(
                    f"there is no track {shown(name)}{did_you_mean(name, known)}; there are {', '.join(known)}",
                    ("tracks", name),
                )
            _check_order(file, name, track, data.seconds)
            passages = tuple(
                Passage(
                    one.begins * sample_rate,
                    one.ends * sample_rate,
                    one.start * sample_rate,
                    one.rate,
                    one.key_locked,
                    one.spread * sample_rate,
                    tuple(place * sample_rate for place in one.also),
                )
                for one in track.passages
            )
            tracks[name] = Found(name, passages, track.confidence)
        for name in known or ():
            tracks.setdefault(name, Found(name, (), 1.0))
        ordered = {name: tracks[name] for name in (known or tracks)}
        return cls(round(data.seconds * sample_rate), sample_rate, ordered, data.refined)


def _plain(one: Passage, rate: int) -> dict[str, object]:
    """In seconds. ``also`` is left out where there is nothing; readers that do not know it leave it alone."""
    found: dict[str, object] = {
        "begins": one.begins / rate,
        "ends": one.ends / rate,
        "start": one.start / rate,
        "rate": one.rate,
        "key_locked": one.key_locked,
        "spread": one.spread / rate,
    }
    return found | ({"also": [place / rate for place in one.also]} if one.also else {})


Seconds = Annotated[float, Field(ge=0, le=LONGEST)]
Place = Annotated[float, Field(ge=-LONGEST, le=LONGEST)]


class PassageFile(Stored):
    """A passage, in seconds."""

    begins: Seconds
    ends: Seconds
    start: Place
    rate: Annotated[float, Field(ge=1 / FASTEST, le=FASTEST)]
    key_locked: bool = False
    spread: Annotated[float, Field(ge=0, le=LONGEST)] = 0.0
    also: Annotated[list[Place], Field(default_factory=list, max_length=MOST_PLACES)]


class TrackFile(Stored):
    """A track."""

    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0
    passages: Annotated[list[PassageFile], Field(max_length=MOST_PASSAGES)]


class WarpFile(Stored):
    """The file of a :class:`Warp`."""

    seconds: Annotated[float, Field(gt=0, le=LONGEST)]
    refined: bool = False
    tracks: dict[str, TrackFile]


def _check_order(file: Json, name: str, track: TrackFile, seconds: float) -> None:
    """Raises InputError where passages overlap, end before they begin, or lie beyond the mix."""
    before = 0.0
    for index, one in enumerate(track.passages):
        path = ("tracks", name, "passages", index)
        if one.ends <= one.begins:
            file.refuse(
                f"the passage ends at {one.ends:g} s and begins at {one.begins:g} s: it has to end later",
                (*path, "ends"),
            )
        if one.begins < before - 1e-9:
            file.refuse(
                f"the passage begins at {one.begins:g} s, before the one before it ends, at {before:g} s",
                (*path, "begins"),
            )
        if one.ends > seconds * (1 + 1e-9):
            file.refuse(f"the passage ends at {one.ends:g} s, and the mix at {seconds:g} s", (*path, "ends"))
        before = one.ends
